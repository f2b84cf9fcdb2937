"""What a request log holds and how a fleet serves it, as a record and as tables."""

from __future__ import annotations

import math
from collections.abc import Iterator

import yaml

from planner.report.figures import count, percent, significant, usd
from planner.report.table import Table, headings
from planner.report.traffic.fleet import ReplayedFleet, ToZero
from planner.report.values import SCHEMA_VERSION, Record, plain
from planner.traffic.percentiles import Percentiles
from planner.traffic.replay import Fewest, Target
from planner.traffic.request_log import LogFault
from planner.traffic.summary import LengthSummary, TrafficSummary, serve_section

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FAULTS = {
    "unreadable": "{rows} without a time or a number of tokens left out",
    "no_prompt": "{rows} whose prompt has no tokens left out",
    "no_answer": "{rows} whose answer has no tokens left out: they failed or were cut short",
    "cut_off": "the file ends in the middle; what could be unpacked is used",
    "blocks_ignored": "prefix reuse is not measured: {rows} are too many",
}


def fault_text(fault: LogFault) -> str:
    """Say in a line what is missing from the answer.

    Examples
    --------
    >>> fault_text(LogFault(code="no_answer", where="a.csv", count=2))
    'a.csv: 2 rows whose answer has no tokens left out: they failed or were cut short'
    """
    rows = f"{fault.count:,} row{'' if fault.count == 1 else 's'}"
    return f"{fault.where}: {FAULTS[fault.code].format(rows=rows)}"


def traffic_record(summary: TrafficSummary, fleet: ReplayedFleet | None) -> Record:
    """Return the summary and the replay as a record; keys carry units."""
    return {
        "schema_version": SCHEMA_VERSION,
        **plain(summary),
        "serve": serve_section(summary),
        "faults": [{**plain(fault), "text": fault_text(fault)} for fault in summary.faults],
        "replay": plain(_replay_record(fleet)) if fleet else None,
    }


def _replay_record(fleet: ReplayedFleet) -> Record:
    replay, target = fleet.replay, fleet.target
    service, layout = replay.service, fleet.target.layout
    return {
        "option_id": target.option_id,
        "accelerator": target.accelerator,
        "accelerator_count": layout.tensor * layout.pipeline * layout.data,
        "replica_count": replay.replica_count,
        "limits": fleet.limits,
        "holds": service.holds,
        "request_count": service.request_count,
        "refused_count": service.refused_count,
        "ttft_ms": service.ttft_ms,
        "tpot_ms": service.tpot_ms,
        "total_ms": service.total_ms,
        "over_ttft_share": service.over_ttft_share,
        "over_tpot_share": service.over_tpot_share,
        "searched_request_count": replay.searched_count,
        "fewest": [_fewest_record(fleet, target, *at) for at in replay.fewest],
        "other_options": [
            {
                "option_id": other.option_id,
                "accelerator": other.accelerator,
                "fewest": [_fewest_record(fleet, other, *at) for at in fewest],
            }
            for other, fewest in replay.others
        ],
        "cheapest": _cheapest_record(fleet),
        "autoscaling": _autoscaling_record(fleet),
    }


def _fewest_record(fleet: ReplayedFleet, target: Target, percentile: float, fewest: Fewest | None) -> Record:
    return {
        "percentile": percentile,
        "accelerator_count": fewest and fewest.accelerator_count,
        "replica_accelerator_count": fewest and fewest.replica_accelerator_count,
        "replica_count": fewest and fewest.replica_count,
        "instance_count": fewest and target.machines_of(fewest),
        "usd_per_month": fleet.usd_per_month(target, fewest),
    }


def _cheapest_record(fleet: ReplayedFleet) -> Record | None:
    target, best = fleet.replay.cheapest, fleet.best()
    if target is None or best is None or fleet.limits.percentile is None:
        return None
    return {
        "option_id": target.option_id,
        "accelerator": target.accelerator,
        **_fewest_record(fleet, target, fleet.limits.percentile, best),
        "p99_added_usd_per_month": fleet.p99_added_usd(),
        "spare_usd_per_month": fleet.spare_usd(target, best),
    }


def _autoscaling_record(fleet: ReplayedFleet) -> Record | None:
    scaled, target, best = fleet.replay.autoscaled, fleet.replay.cheapest, fleet.best()
    if scaled is None or target is None or best is None:
        return None
    usd, fixed_usd = fleet.autoscaled_usd_per_month(scaled), fleet.usd_per_month(target, best)
    return {
        "option_id": target.option_id,
        "target_requests_per_s": scaled.autoscaling.target_per_s,
        "min_replica_count": scaled.autoscaling.least_count,
        "max_replica_count": int(scaled.paid_counts.max()),
        "fixed_replica_count": scaled.fixed_count,
        "start_minutes": scaled.autoscaling.start_minutes,
        "start_count": scaled.start_count,
        "paid_share": scaled.paid_share(fleet.replicas_per_machine(target, best)),
        "paid_by_hour": target.is_paid_by_hour,
        "held_back_share": scaled.held_back_share,
        "to_zero": fleet.to_zero(),
        "holds": scaled.service.holds,
        "ttft_ms": scaled.service.ttft_ms,
        "tpot_ms": scaled.service.tpot_ms,
        "over_ttft_share": scaled.service.over_ttft_share,
        "over_tpot_share": scaled.service.over_tpot_share,
        "hourly_accelerator_count": [count * best.replica_accelerator_count for count in scaled.hourly_counts()],
        "usd_per_month": usd,
        "saved_usd_per_month": None if usd is None or fixed_usd is None else fixed_usd - usd,
    }


def traffic_tables(summary: TrafficSummary, fleet: ReplayedFleet | None) -> list[Table]:
    """Return the summary and the replay as tables."""
    tables = [_overview(summary), _length_table(summary)]
    if summary.hourly_ratio:
        tables.append(_week(summary))
    if fleet:
        tables += [_answer_table(fleet), _service_table(fleet), _fewest_table(fleet)]
    return tables


def _overview(summary: TrafficSummary) -> Table:
    begin = f" from {summary.first_request} ({summary.zone})" if summary.first_request else ""
    rows = [
        ("requests", f"{summary.request_count:,}"),
        ("time", f"{_number(summary.duration_hours)} hours{begin}"),
        ("rate", f"{_number(summary.requests_per_s)} requests/s on average"),
        ("busiest minute, over the mean", _ratio(summary.peak_minute_ratio)),
        ("busiest hour, over the mean", _ratio(summary.peak_hour_ratio)),
        ("quietest hour, over the mean", _ratio(summary.trough_hour_ratio)),
        ("variation (CV) of the time between requests", f"{summary.interarrival_cv_ratio:.2f} (1 is a Poisson stream)"),
        ("prompt tokens in earlier prompts", "not in the log" if summary.prefix_reuse_share is None else percent(summary.prefix_reuse_share)),
        ("correlation of prompt and answer", f"{summary.length_correlation_ratio:.2f}"),
    ]  # fmt: skip
    if summary.gaps:
        longest = summary.gaps[0]
        rows.append(("gaps", f"{percent(summary.gap_share)} of the time; the longest {_number(longest.duration_s / 60)} minutes"))  # fmt: skip
    rows += [("left out", fault_text(fault)) for fault in summary.faults]
    section = yaml.safe_dump({"serve": serve_section(summary)}, default_flow_style=True, sort_keys=False, width=10_000)
    return Table("Traffic of the log", headings("what | value"), tuple(rows), f"To plan with: {section.strip()}")


def _length_table(summary: TrafficSummary) -> Table:
    columns = headings("tokens | mean: | CV: | p10: | p50: | p90: | p95: | p99:")

    def row(name: str, lengths: LengthSummary) -> tuple[str, ...]:
        quantiles = (lengths.p10_tokens, lengths.p50_tokens, lengths.p90_tokens, lengths.p95_tokens, lengths.p99_tokens)
        return (
            name,
            f"{lengths.mean_tokens:,.0f}",
            f"{lengths.cv_ratio:.2f}",
            *(f"{tokens:,.0f}" for tokens in quantiles),
        )

    return Table("Lengths", columns, (row("prompt", summary.input_tokens), row("answer", summary.output_tokens)))


def _week(summary: TrafficSummary) -> Table:
    """Return the rate by hour of the day, a row for each day of the week where the log holds one."""
    rates = summary.hourly_ratio
    columns = headings(" | ".join(["over the mean", *(f"{hour}-{hour + 4} h:" for hour in range(0, 24, 4))]))
    days = [rates[start : start + 24] for start in range(0, len(rates), 24)]
    names = DAYS if len(days) > 1 else ("day",)
    rows = [
        (name, *(f"{sum(day[hour : hour + 4]) / 4:.2f}" for hour in range(0, 24, 4)))
        for name, day in zip(names, days, strict=True)
    ]
    zone = summary.zone if summary.first_request else "the start of the log"
    return Table("Rate by hour", columns, tuple(rows), f"hours of {zone}")


def _service_table(fleet: ReplayedFleet) -> Table:
    service, limits = fleet.replay.service, fleet.limits
    columns = headings("time [ms] | mean: | p50: | p90: | p95: | p99: | limit: | over it:")

    def row(name: str, times: Percentiles, limit_ms: float, over: float) -> tuple[str, ...]:
        values = (times.mean, times.p50, times.p90, times.p95, times.p99)
        bound = (f"{limit_ms:,.0f}", percent(over)) if math.isfinite(limit_ms) else ("-", "-")
        return (name, *("-" if math.isnan(ms) else f"{ms:,.0f}" for ms in values), *bound)

    rows = (
        row("to first token", service.ttft_ms, limits.ttft_ms, service.over_ttft_share),
        row("per output token", service.tpot_ms, limits.tpot_ms, service.over_tpot_share),
        row("to last token", service.total_ms, limits.total_ms, service.over_total_share),
    )
    verb = "hold" if service.holds else "do not hold"
    refused = f"; {service.refused_count:,} requests are longer than the cache" if service.refused_count else ""
    note = f"The limits {verb} for {count(limits.percentile)} % of the requests{refused}. Spare machines are left out, as if they had failed."
    target = fleet.target
    gpus = target.layout.tensor * target.layout.pipeline * target.layout.data
    title = f"Replayed on {gpus:,}x {target.accelerator} ({fleet.replay.replica_count:,} replicas), {target.option_id}"
    return Table(title, columns, rows, note)


def _answer_table(fleet: ReplayedFleet) -> Table:
    """Return the cheapest fleet that holds the limits, what 99 % would add, and what autoscaling saves."""
    columns = headings("what | value")
    target, best, name = fleet.replay.cheapest, fleet.best(), f"p{fleet.limits.percentile:g}"
    if target is None or best is None:
        none = f"none of the options tried meets the limits at {name} with any number of replicas: long requests alone take longer"
        return Table("The answer", columns, (("cheapest fleet", none),))
    fixed_usd, spare_usd = fleet.usd_per_month(target, best), fleet.spare_usd(target, best)
    machines = target.machines_of(best)
    size = f"{best.replica_count:,} replica{_s(best.replica_count)} on {machines:,} machine{_s(machines)}"
    cost = "" if fixed_usd is None else f", {usd_text(fixed_usd)} a month"
    gpus = f"{best.accelerator_count:,} x {target.accelerator} ({size}), {target.option_id}{cost}"
    rows = [(f"cheapest fleet that meets the limits at {name}", gpus)]
    if fleet.limits.percentile != 99.0:
        rows.append(("p99 adds", _p99_text(fleet.p99_added_usd())))
    rows += [*_autoscaling_saves(fleet, target, best, fixed_usd)]
    spare = "" if spare_usd is None else f" for {usd_text(spare_usd)} a month"
    rows.append(("with one machine lost", f"{name} no longer holds; a spare{spare} keeps it"))
    return Table("The answer", columns, tuple(rows))


def _p99_text(added_usd: float | None) -> str:
    if added_usd is None:
        return "none of the fleets tried meets it"
    return f"{usd_text(added_usd)} a month" if added_usd else "nothing: the same fleet meets it"


def _autoscaling_saves(
    fleet: ReplayedFleet, target: Target, best: Fewest, fixed_usd: float | None
) -> Iterator[tuple[str, str]]:
    """Yield how replicas follow the requests, and what that saves."""
    scaled = fleet.replay.autoscaled
    if scaled is None:
        return
    rule, service = scaled.autoscaling, scaled.service
    most = int(scaled.paid_counts.max())
    how = f"{rule.least_count} to {most} replicas, {_number(rule.target_per_s)} requests/s each, {_number(rule.start_minutes)} minutes to start"
    waits = f"TTFT p95 {service.ttft_ms.p95:,.0f} ms, TPOT p95 {service.tpot_ms.p95:,.0f} ms over the whole log"
    yield "autoscaling", f"{how}: the limits {'hold' if service.holds else 'do not hold'} ({waits})"
    if zero := fleet.to_zero():
        yield "staying ready", _ready_text(zero, rule.start_minutes)
    paid_share = scaled.paid_share(fleet.replicas_per_machine(target, best))
    usd = fleet.autoscaled_usd_per_month(scaled)
    if not service.holds:
        saves = "nothing: it takes a fleet of fixed size, or a higher minimum of replicas (--min-replicas)"
    elif usd is None or fixed_usd is None:
        why = "" if target.is_paid_by_hour else ", but these machines are paid whether they serve or not"
        saves = f"{percent(max(0.0, 1.0 - paid_share))} of the machine hours{why}"
    elif usd >= fixed_usd:
        saves = "nothing: it needs as many replicas as the fixed fleet"
    else:
        saves = f"{usd_text(fixed_usd - usd)} a month: {percent(paid_share)} of the fixed fleet's machine hours are paid for"
    yield "autoscaling saves", saves


def _ready_text(zero: ToZero, minutes: float) -> str:
    """Say what staying ready costs against the requests that wait where the service scales to zero."""
    cost, would, wait = ("would cost", "", "as it scales to zero") if zero.is_chosen else ("costs", "would ", "scaled to zero when idle")  # fmt: skip
    usd = zero.staying_ready_usd_per_month
    price = f"{cost} {usd_text(usd)} a month: " if usd is not None else ""
    return f"{price}{wait}, {percent(zero.waiting_share)} of the requests {would}wait up to {_number(minutes)} minutes for a start"


def usd_text(value: float) -> str:
    """Return an amount with its unit."""
    return f"{usd(value)} USD"


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def _fewest_table(fleet: ReplayedFleet) -> Table:
    percentiles = [percentile for percentile, _ in fleet.replay.fewest]
    columns = headings(" | ".join(["option", "GPU", *(f"for {count(percentile)} %" for percentile in percentiles)]))

    def cell(target: Target, fewest: Fewest | None) -> str:
        if fewest is None:
            return "no number of them: long requests alone take longer"
        size = fewest.replica_accelerator_count
        of = f" (replicas of {size})" if size > 1 else ""
        cost = fleet.usd_per_month(target, fewest)
        return f"{fewest.accelerator_count:,}{of}" + ("" if cost is None else f": {usd_text(cost)}")

    rows = tuple(
        (target.option_id, target.accelerator, *(cell(target, fewest_at) for _, fewest_at in fewest))
        for target, fewest in ((fleet.target, fleet.replay.fewest), *fleet.replay.others)
    )
    note = f"Searched on the {fleet.replay.searched_count:,} requests of the busiest hour; USD a month, without spares."
    return Table("Fewest GPUs that hold the limits", columns, rows, note)


def _number(value: float) -> str:
    return count(significant(value))


def _ratio(value: float) -> str:
    return "the log is too short" if math.isnan(value) else f"{value:.2f}"
