"""Reasons: why an option is the one to take, a sentence each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from planner.comparison import BreakEvenPair, best_by_kind
from planner.figures import bytes_text, count, duration, machines_text, percent, significant, usd
from planner.options.option import Option, OptionKind
from planner.supply.machines import Refusal
from planner.words import BOUND_WORDS, how_paid

__all__ = ["machines", "money", "reasons"]

OTHERS_TOLD = 3
"""Other accelerators whose count is told."""
WORTH_TELLING_SHARE = 0.05
"""Costs nearer than this are the same."""


def money(option: Option, *, once: bool) -> str:
    """Say what an option costs: for the run, or a month."""
    if once:
        took = f" of {duration(option.hours_per_run)}" if option.hours_per_run is not None else ""
        return f"{usd(option.present_value_usd)} USD for the run{took}"
    return f"{usd(option.usd_per_month)} USD a month"


def machines(option: Option) -> str:
    """Say what an option takes: machines, and the accelerators in them."""
    return machines_text(option.instance_count, option.instance_type, option.accelerator_count, option.accelerator)


def reasons(
    chosen: Option,
    options: Sequence[Option],
    pairs: Sequence[BreakEvenPair],
    refusals: Sequence[Refusal],
    *,
    months: int,
    once: bool,
    peak_flop_per_s: float | None,
    deadline_hours: float,
) -> tuple[str, ...]:
    """Return why an option was chosen, a sentence each.

    The parameters are those of `planner.verdict.choose`: `months` is the horizon, `once` says whether it is one run,
    `deadline_hours` is infinite without a deadline.
    """
    best = best_by_kind(options)
    return (
        *_sizing(chosen, peak_flop_per_s, deadline_hours),
        *_other_counts(chosen, options, deadline_hours),
        *_processors(chosen, best, refusals, once=once),
        *_hosted(chosen, best, once=once),
        *_owning(chosen, best, pairs, options, months, once=once),
        *_larger(chosen, options),
        *_hints(chosen, options, once=once),
    )


def _sizing(chosen: Option, peak_flop_per_s: float | None, deadline_hours: float) -> list[str]:
    fleet = chosen.fleet
    if fleet is None:
        return []
    said = []
    speed = fleet.performance
    used = count(fleet.accelerators_used)
    if speed.basis == "stated":
        return []
    if fleet.machine.accelerator is not None:
        of_total = f"{used} of {count(chosen.accelerators_total_count)} accelerators work"
        said.append(
            f"{of_total}, in {fleet.layout.precision or 'no stated precision'}; {BOUND_WORDS.get(speed.bound, speed.bound)} is the limit."
        )
    accelerator = fleet.machine.accelerator
    peak = accelerator.dense_flop_per_s(fleet.layout.precision) if accelerator else None
    if accelerator is not None and peak and peak_flop_per_s and chosen.accelerators_total_count > 1:
        said.append(
            f"By arithmetic alone {significant(peak_flop_per_s / peak, 2):g} {accelerator.name} would do "
            f"({significant(peak_flop_per_s / 1e12):,g} TFLOP/s of {significant(peak / 1e12, 4):,g} dense each); what kernels reach, "
            "the limits, the headroom and whole machines make it more."
        )
    if fleet.memory is not None:
        largest = sorted(fleet.memory.parts, key=lambda part: -part[1])[:2]
        parts = " and ".join(f"{name} {bytes_text(size)}" for name, size in largest if size > 0)
        said.append(
            f"The fullest one holds {bytes_text(fleet.memory.total_bytes)} of {bytes_text(fleet.memory.capacity_bytes)} ({parts})."
        )
    if chosen.hours_per_run is not None and speed.rate_per_s.low > 0:
        slow_hours = chosen.hours_per_run * speed.rate_per_s.typical / speed.rate_per_s.low
        late = (
            f", past the deadline of {duration(deadline_hours)}: take more machines, or begin earlier"
            if slow_hours > deadline_hours
            else ""
        )
        said.append(
            f"The run takes {duration(chosen.hours_per_run)}, at the slow end of the 80 % band {duration(slow_hours)}{late}."
        )
    if speed.ttft_ms is not None and speed.tpot_ms is not None:
        said.append(
            f"First token after {speed.ttft_ms.typical:,.0f} ms ({speed.ttft_ms.low:,.0f} to {speed.ttft_ms.high:,.0f}), "
            f"{speed.tpot_ms.typical:,.0f} ms for each further one; {percent(fleet.utilisation_share)} of the capacity is used on average."
        )
    return said


def _other_counts(chosen: Option, options: Sequence[Option], deadline_hours: float) -> list[str]:
    """Say how many of the other accelerators the deadline asks for."""
    if not math.isfinite(deadline_hours) or chosen.accelerators_total_count <= 1:
        return []
    cheapest: dict[str, Option] = {}
    for option in options:
        if option.choosable and option.kind is OptionKind.RENT and option.accelerator not in {None, chosen.accelerator}:
            cheapest.setdefault(str(option.accelerator), option)
    counts = [
        f"{count(option.accelerators_total_count)} {name} ({duration(option.hours_per_run)}, {usd(option.present_value_usd)} USD)"
        for name, option in list(cheapest.items())[:OTHERS_TOLD]
    ]
    if not counts:
        return []
    return [f"The deadline of {duration(deadline_hours)} would also be met by {' or '.join(counts)}."]


def _processors(
    chosen: Option, best: Mapping[OptionKind, Option], refusals: Sequence[Refusal], *, once: bool
) -> list[str]:
    """Say what the work would take without accelerators."""
    if chosen.kind is OptionKind.CPU:
        rent = best.get(OptionKind.RENT)
        if rent is None:
            return []
        ratio = rent.present_value_usd / chosen.present_value_usd
        return [f"The cheapest GPU for it, {machines(rent)} at {rent.provider}, costs {_times(ratio)}."]
    if chosen.fleet is not None and chosen.fleet.performance.basis == "stated":
        return []  # who states the accelerator has answered this
    cpu = best.get(OptionKind.CPU)
    if cpu is not None:
        ratio = cpu.present_value_usd / chosen.present_value_usd if chosen.present_value_usd > 0 else float("inf")
        times = f", {_times(ratio)}" if 0 < ratio < float("inf") else ""
        return [f"Without a GPU it would take {machines(cpu)} at {cpu.provider} and {money(cpu, once=once)}{times}."]
    without = [refusal for refusal in refusals if refusal.machine.accelerator is None]
    if not without:
        return []
    nearest = min(without, key=lambda refusal: refusal.machines_needed or math.inf)
    if nearest.machines_needed and nearest.machines_needed > 1:
        processor = nearest.machine.processor or "processors alone"
        why = nearest.reason.split(";")[0]
        return [f"Without a GPU it would take {nearest.machines_needed:,} machines of {processor}, and still: {why}."]
    return [f"Without a GPU it cannot be done: {nearest.reason}."]


def _times(ratio: float) -> str:
    return f"{ratio:,.1f} times as much" if ratio < 1000 else "more than a thousand times as much"


def _hosted(chosen: Option, best: Mapping[OptionKind, Option], *, once: bool) -> list[str]:
    api = best.get(OptionKind.API)
    if api is None or chosen.kind is OptionKind.API:
        return []
    return [
        f"The same model per token at {api.provider} costs {money(api, once=once)} ({usd(api.usd_per_million_tokens)} USD per million tokens)."
    ]


def _owning(
    chosen: Option,
    best: Mapping[OptionKind, Option],
    pairs: Sequence[BreakEvenPair],
    options: Sequence[Option],
    months: int,
    *,
    once: bool,
) -> list[str]:
    owned = best.get(OptionKind.BUY)
    if owned is None:
        return []
    said = []
    if chosen.kind is not OptionKind.BUY:
        said.append(
            f"Owning {machines(owned)} ({owned.region}) comes to {money(owned, once=once)} over {months} months."
        )
    by_id = {option.id: option for option in options}
    for pair in pairs:
        rent = by_id[pair.rent_id]
        if rent.id == chosen.id or pair is pairs[0] or rent.purchase_option == "on_demand":
            said.append(
                f"Against {rent.provider} {rent.instance_type}, {how_paid(rent.purchase_option)}, at "
                f"{usd(rent.price_usd_per_hour)} USD/h {_crossing(pair, months)}."
            )
    return said


def _crossing(pair: BreakEvenPair, months: int) -> str:
    """Say when owning pays off, or what would make it."""
    share = pair.utilisation_share
    if pair.month is not None:
        when = f"owning pays off from month {pair.month:.0f} on"
        return f"{when}, as long as the machines are needed {percent(share)} of the time" if share else when
    would = []
    if share:
        would.append(f"if the machines were needed {percent(share)} of the time")
    if pair.price_usd_per_hour:
        would.append(f"at a rent above {usd(pair.price_usd_per_hour)} USD/h")
    tail = f"; it would {' or '.join(would)}" if would else ""
    return f"owning does not pay off within {months} months{tail}"


def _larger(chosen: Option, options: Sequence[Option]) -> list[str]:
    """Say what the bigger or newer accelerators would have cost, since these are what people take."""
    if chosen.accelerator is None or chosen.fleet is None or chosen.fleet.machine.accelerator is None:
        return []
    ours = chosen.fleet.machine.accelerator
    cheapest: dict[str, Option] = {}
    for option in options:
        if option.choosable and option.kind is OptionKind.RENT and option.accelerator:
            cheapest.setdefault(option.accelerator, option)
    bigger = [
        option
        for name, option in cheapest.items()
        if name != ours.name
        and option.fleet
        and option.fleet.machine.accelerator
        and option.fleet.machine.accelerator.memory_gib > ours.memory_gib
        and option.fleet.machine.accelerator.launch_year >= ours.launch_year
        and option.present_value_usd > chosen.present_value_usd
    ]
    if not bigger or chosen.present_value_usd <= 0:
        return []
    option = min(bigger, key=lambda o: o.present_value_usd)
    more = option.present_value_usd / chosen.present_value_usd - 1
    if more < WORTH_TELLING_SHARE:
        return []
    took = f", done in {duration(option.hours_per_run)}" if option.hours_per_run is not None else ""
    what = f"{machines(option)} at {option.provider}"
    return [f"A bigger accelerator is not needed: {what} costs {percent(more)} more for the same work{took}."]


def _hints(chosen: Option, options: Sequence[Option], *, once: bool) -> list[str]:
    hint = next((option for option in options if not option.choosable), None)
    if hint is None or hint.present_value_usd >= chosen.present_value_usd:
        return []
    return [
        f"Cheaper, but only a hint: {machines(hint)} at {hint.provider}, {how_paid(hint.purchase_option)}, for {money(hint, once=once)} ({hint.reason_not_chosen})."
    ]
