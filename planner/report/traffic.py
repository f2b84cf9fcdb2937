"""What a request log holds and how a fleet serves it, as a record and as tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import yaml

from planner.figures import count, percent, significant, usd
from planner.report.table import Column, Table
from planner.report.values import SCHEMA_VERSION, Record, plain
from planner.traffic.percentiles import Limits, Percentiles
from planner.traffic.replay import Fewest, Replay
from planner.traffic.request_log import LogFault
from planner.traffic.summary import LengthSummary, TrafficSummary, serve_section

__all__ = ["ReplayedFleet", "fault_text", "traffic_record", "traffic_tables"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FAULTS = {
    "unreadable": "{rows} without a time or a number of tokens left out",
    "no_prompt": "{rows} whose prompt has no tokens left out",
    "no_answer": "{rows} whose answer has no tokens left out: they failed or were cut short",
    "cut_off": "the file ends in the middle; what could be unpacked is counted",
    "blocks_ignored": "prefix reuse is not looked at: {rows} are too many for it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedFleet:
    """A log on the fleet of a plan's option.

    Attributes
    ----------
    option_id, accelerator : str
        The option, and what it has.
    accelerator_count : int
        Accelerators that serve; those that stand by are not among them.
    limits : Limits
        What the requests may wait.
    replay : Replay
        How they were served.
    usd_per_accelerator_month : float or None
        What the option costs for each of its accelerators.
    """

    option_id: str
    accelerator: str
    accelerator_count: int
    limits: Limits
    replay: Replay
    usd_per_accelerator_month: float | None


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
    found: Record = {"schema_version": SCHEMA_VERSION, **plain(summary), "serve": serve_section(summary)}
    found["faults"] = [{**plain(each), "text": fault_text(each)} for each in summary.faults]
    found["replay"] = _replay_record(fleet) if fleet else None
    return found


def _replay_record(fleet: ReplayedFleet) -> Record:
    service = fleet.replay.service
    return {
        "option_id": fleet.option_id,
        "accelerator": fleet.accelerator,
        "accelerator_count": fleet.accelerator_count,
        "replica_count": fleet.replay.replica_count,
        "limits": plain(fleet.limits),
        "holds": service.holds,
        "request_count": service.request_count,
        "refused_count": service.refused_count,
        "ttft_ms": plain(service.ttft_ms),
        "tpot_ms": plain(service.tpot_ms),
        "total_ms": plain(service.total_ms),
        "over_ttft_share": service.over_ttft_share,
        "over_tpot_share": service.over_tpot_share,
        "searched_request_count": fleet.replay.searched_count,
        "fewest": [
            {
                "percentile": percentile,
                "accelerator_count": found.accelerator_count if found else None,
                "replica_accelerator_count": found.replica_accelerator_count if found else None,
                "replica_count": found.replica_count if found else None,
                "usd_per_month": _cost(fleet, found),
            }
            for percentile, found in fleet.replay.fewest
        ],
    }


def _cost(fleet: ReplayedFleet, found: Fewest | None) -> float | None:
    if found is None or fleet.usd_per_accelerator_month is None:
        return None
    return found.accelerator_count * fleet.usd_per_accelerator_month


def traffic_tables(summary: TrafficSummary, fleet: ReplayedFleet | None) -> list[Table]:
    """Return the summary and the replay as tables."""
    tables = [_overview(summary), _length_table(summary)]
    if summary.hourly_ratio:
        tables.append(_week(summary))
    if fleet:
        tables += [_service_table(fleet), _fewest_table(fleet)]
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
        ("variation of the time between requests", f"{summary.interarrival_cv_ratio:.2f} (1 is a Poisson stream)"),
        ("prompt tokens read before", "not told by the log" if summary.prefix_reuse_share is None else percent(summary.prefix_reuse_share)),
        ("correlation of prompt and answer", f"{summary.length_correlation_ratio:.2f}"),
    ]  # fmt: skip
    if summary.gaps:
        longest = summary.gaps[0]
        rows.append(("gaps", f"{percent(summary.gap_share)} of the time; the longest {_number(longest.duration_s / 60)} minutes"))  # fmt: skip
    rows += [("left out", fault_text(each)) for each in summary.faults]
    section = yaml.safe_dump({"serve": serve_section(summary)}, default_flow_style=True, sort_keys=False, width=10_000)
    return Table("Traffic of the log", (Column("what"), Column("value")), tuple(rows), f"To plan with: {section.strip()}")  # fmt: skip


def _length_table(summary: TrafficSummary) -> Table:
    columns = (Column("tokens"), *(Column(name, is_number=True) for name in ("mean", "CV", "p10", "p50", "p90", "p95", "p99")))  # fmt: skip

    def row(name: str, lengths: LengthSummary) -> tuple[str, ...]:
        quantiles = (lengths.p10_tokens, lengths.p50_tokens, lengths.p90_tokens, lengths.p95_tokens, lengths.p99_tokens)
        return (name, f"{lengths.mean_tokens:,.0f}", f"{lengths.cv_ratio:.2f}", *(f"{each:,.0f}" for each in quantiles))

    return Table("Lengths", columns, (row("prompt", summary.input_tokens), row("answer", summary.output_tokens)))


def _week(summary: TrafficSummary) -> Table:
    """Return the rate by hour of the day, a row for each day of the week where the log holds one."""
    rates = summary.hourly_ratio
    columns = (Column("over the mean"), *(Column(f"{hour}-{hour + 4} h", is_number=True) for hour in range(0, 24, 4)))
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
    columns = (
        Column("time", "ms"), Column("mean", is_number=True), Column("p50", is_number=True), Column("p90", is_number=True),
        Column("p95", is_number=True), Column("p99", is_number=True), Column("limit", is_number=True),
        Column("over it", is_number=True),
    )  # fmt: skip

    def row(name: str, times: Percentiles, limit_ms: float, over: float) -> tuple[str, ...]:
        values = (times.mean, times.p50, times.p90, times.p95, times.p99)
        bound = (f"{limit_ms:,.0f}", percent(over)) if math.isfinite(limit_ms) else ("-", "-")
        return (name, *("-" if math.isnan(each) else f"{each:,.0f}" for each in values), *bound)

    rows = (
        row("to first token", service.ttft_ms, limits.ttft_ms, service.over_ttft_share),
        row("per further token", service.tpot_ms, limits.tpot_ms, service.over_tpot_share),
        row("to last token", service.total_ms, limits.total_ms, service.over_total_share),
    )
    verb = "hold" if service.holds else "do not hold"
    refused = f"; {service.refused_count:,} requests are longer than the cache" if service.refused_count else ""
    note = f"The limits {verb} for {count(limits.percentile)} % of the requests{refused}. Spare machines stand by, as if one had failed."
    title = f"Replayed on {fleet.accelerator_count:,}x {fleet.accelerator} ({fleet.replay.replica_count:,} replicas), {fleet.option_id}"
    return Table(title, columns, rows, note)


def _fewest_table(fleet: ReplayedFleet) -> Table:
    columns = (
        Column("requests within the limits"), Column("GPUs", is_number=True), Column("layout"), Column("USD/month", is_number=True)
    )  # fmt: skip
    rows = []
    for percentile, found in fleet.replay.fewest:
        if found is None:
            rows.append((f"{count(percentile)} %", "-", "no number of replicas: long requests alone take longer", "-"))
            continue
        layout = f"{found.replica_count:,} replica{'' if found.replica_count == 1 else 's'} of {found.replica_accelerator_count}"
        rows.append((f"{count(percentile)} %", f"{found.accelerator_count:,}", layout, usd(_cost(fleet, found))))
    note = f"Searched on the {fleet.replay.searched_count:,} requests of the busiest hour; without spares."
    return Table(f"Fewest {fleet.accelerator} that hold the limits", columns, tuple(rows), note)


def _number(value: float) -> str:
    return count(significant(value))


def _ratio(value: float) -> str:
    return "the log is too short" if math.isnan(value) else f"{value:.2f}"
