"""The verdict: which option to take, in one sentence, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner.assumptions import Assumptions
from planner.costs.breakeven import BreakEven, Crossing, break_even
from planner.errors import NothingFitsError
from planner.figures import bytes_text, count, duration, machines_text, percent, significant, usd
from planner.options.option import Option, OptionKind
from planner.supply.machines import Refusal
from planner.words import BOUND_WORDS, how_paid

OTHERS_TOLD = 3
"""Other accelerators whose count is told."""
WORTH_TELLING_SHARE = 0.05
"""Costs nearer than this are the same."""

__all__ = ["BreakEvenPair", "Verdict", "best_by_kind", "break_evens", "choose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEvenPair:
    """One rented option against one owned.

    Attributes
    ----------
    rent_id, buy_id : str
        The options.
    month : float or None
        Month from which on owning stays cheaper, in today's money; None means never within the horizon.
    undiscounted_month : float or None
        The same in plain sums.
    utilisation_share : float or None
        Share of the clock hours in which the machines are needed, from which on owning is cheaper over the horizon; None
        means at none.
    price_usd_per_hour : float or None
        Rent of one instance at which both cost the same over the horizon.
    saving_usd : float
        What owning saves over the horizon in today's money; negative where it costs more.
    crossings : tuple of Crossing
        Every month at which the cheaper side changes.
    """

    rent_id: str
    buy_id: str
    month: float | None
    undiscounted_month: float | None
    utilisation_share: float | None
    price_usd_per_hour: float | None
    saving_usd: float
    crossings: tuple[Crossing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do.

    Attributes
    ----------
    needs_gpu : bool
        Whether the best way takes accelerators of one's own, rented or owned or lent for free.
    choice : str
        ``rent``, ``buy``, ``api``, ``free`` or ``cpu``.
    option_id : str
        The option to take.
    headline : str
        One sentence to act on.
    because : tuple of str
        Why, a sentence each.
    """

    needs_gpu: bool
    choice: str
    option_id: str
    headline: str
    because: tuple[str, ...]


def break_evens(options: Sequence[Option], beliefs: Assumptions) -> tuple[BreakEvenPair, ...]:
    """Compare the cheapest owned option with the rents that someone would hold against it.

    Those are the cheapest rent of each way to pay that may be recommended, cheapest first.

    Parameters
    ----------
    options : sequence of Option
        Ranked by present value.
    beliefs : Assumptions
        Stated beliefs.
    """
    # Options that may be recommended go first; a hint is compared too, so that its "never" is seen.
    owned = next((option for option in options if option.kind is OptionKind.BUY), None)
    if owned is None:
        return ()
    rents: dict[str, Option] = {}
    for option in options:
        if option.kind is OptionKind.RENT and option.choosable:
            rents.setdefault(option.purchase_option, option)
    return tuple(_pair(rent, owned, beliefs) for rent in rents.values())


def _pair(rent: Option, owned: Option, beliefs: Assumptions) -> BreakEvenPair:
    result: BreakEven = break_even(
        rent.timeline,
        owned.timeline,
        discount_rate_share_per_year=beliefs["money.discount_rate_share_per_year"],
        utilisation_share=owned.needed_share,
        price_usd_per_hour=rent.price_usd_per_hour or 0.0,
    )
    return BreakEvenPair(
        rent_id=rent.id,
        buy_id=owned.id,
        month=result.discounted_month,
        undiscounted_month=result.month,
        utilisation_share=result.utilisation_share,
        price_usd_per_hour=result.price_usd_per_hour,
        saving_usd=result.saving_usd,
        crossings=result.discounted_crossings,
    )


def best_by_kind(options: Sequence[Option]) -> dict[OptionKind, Option]:
    """Return the cheapest option of each kind that may be recommended; `options` are ranked."""
    best: dict[OptionKind, Option] = {}
    for option in options:
        if option.choosable:
            best.setdefault(option.kind, option)
    return best


def _chosen(best: Mapping[OptionKind, Option], beliefs: Assumptions) -> Option:
    """Take the cheapest; owning binds for years, so it has to be cheaper by a margin."""
    margin = beliefs["verdict.buy_margin_share"]
    rest = [option for kind, option in best.items() if kind is not OptionKind.BUY]
    cheapest = min(rest, key=lambda option: option.present_value_usd, default=None)
    owned = best.get(OptionKind.BUY)
    if cheapest is None:
        assert owned is not None
        return owned
    if owned is not None and owned.present_value_usd < cheapest.present_value_usd * (1 - margin):
        return owned
    return cheapest


def choose(
    options: Sequence[Option],
    pairs: Sequence[BreakEvenPair],
    refusals: Sequence[Refusal],
    beliefs: Assumptions,
    *,
    months: int,
    once: bool,
    peak_flop_per_s: float | None,
    deadline_hours: float,
) -> Verdict:
    """Return the verdict.

    Parameters
    ----------
    options : sequence of Option
        Ranked by present value; at least one may be recommended.
    pairs : sequence of BreakEvenPair
        Rents against owning.
    refusals : sequence of Refusal
        Why machines cannot do the work.
    beliefs : Assumptions
        Stated beliefs.
    months : int
        Horizon.
    once : bool
        Whether the work is a job that is run once.
    peak_flop_per_s : float or None
        FLOP per second that the work takes at its busiest time, by arithmetic alone.
    deadline_hours : float
        Hours in which one run has to be done; infinite without a deadline.

    Raises
    ------
    NothingFitsError
        No option may be recommended.
    """
    best = best_by_kind(options)
    if not best:
        raise NothingFitsError(
            f"nothing that may be recommended does this work; {len(options)} hints were found",
            hint="name a purchase option in constraints.purchase (such as spot) to allow it",
        )
    chosen = _chosen(best, beliefs)
    because = [
        *_sizing(chosen, peak_flop_per_s, deadline_hours),
        *_other_counts(chosen, options, deadline_hours),
        *_processors(chosen, best, refusals, once=once),
        *_hosted(chosen, best, once=once),
        *_owning(chosen, best, pairs, options, months, once=once),
        *_larger(chosen, options),
        *_hints(chosen, options, once=once),
    ]
    return Verdict(
        needs_gpu=chosen.accelerator is not None,
        choice=chosen.kind.value,
        option_id=chosen.id,
        headline=_headline(chosen, best, pairs, months, once=once),
        because=tuple(because),
    )


def _money(option: Option, *, once: bool) -> str:
    if once:
        took = f" of {duration(option.hours_per_run)}" if option.hours_per_run is not None else ""
        return f"{usd(option.present_value_usd)} USD for the run{took}"
    return f"{usd(option.usd_per_month)} USD a month"


def _machines(option: Option) -> str:
    return machines_text(option.instance_count, option.instance_type, option.accelerator_count, option.accelerator)


def _headline(
    chosen: Option,
    best: Mapping[OptionKind, Option],
    pairs: Sequence[BreakEvenPair],
    months: int,
    *,
    once: bool,
) -> str:
    place = f"{chosen.provider} {chosen.region}".strip()
    rival = min(
        (option for kind, option in best.items() if kind is not chosen.kind),
        key=lambda option: option.present_value_usd,
        default=None,
    )
    match chosen.kind:
        case OptionKind.RENT:
            pair = next((p for p in pairs if p.rent_id == chosen.id), None)
            if pair is None or pair.month is None:
                tail = f"buying does not pay off within {months} months" if not once else "buying does not pay off"
            else:
                tail = f"buying would pay off from month {pair.month:.0f} on"
            return f"Rent {_machines(chosen)} at {place}, {how_paid(chosen.purchase_option)}, for {_money(chosen, once=once)}; {tail}."
        case OptionKind.BUY:
            pair = min(pairs, key=lambda p: p.saving_usd, default=None)
            tail = ""
            if pair is not None and pair.month is not None:
                tail = f"; against the cheapest rent it pays off from month {pair.month:.0f} on"
            return f"Buy {_machines(chosen)}, {chosen.region}, for {_money(chosen, once=once)} all in{tail}."
        case OptionKind.CPU:
            return f"No GPU needed: {_machines(chosen)} at {place}, {how_paid(chosen.purchase_option)}, for {_money(chosen, once=once)}."
        case OptionKind.API:
            tail = f", against {usd(rival.usd_per_month)} USD for machines of your own" if rival else ""
            return f"No GPU of your own needed: {chosen.instance_type} at {chosen.provider}, paid per token, for {_money(chosen, once=once)}{tail}."
        case OptionKind.FREE:
            rent = best.get(OptionKind.RENT) or best.get(OptionKind.CPU)
            tail = f"; else {_machines(rent)} at {rent.provider} for {_money(rent, once=once)}" if rent else ""
            return f"A free tier does it: {chosen.provider} ({_machines(chosen)}) in {duration(chosen.hours_per_run)}{tail}."


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
        return [f"The cheapest GPU for it, {_machines(rent)} at {rent.provider}, costs {_times(ratio)}."]
    if chosen.fleet is not None and chosen.fleet.performance.basis == "stated":
        return []  # who states the accelerator has answered this
    cpu = best.get(OptionKind.CPU)
    if cpu is not None:
        ratio = cpu.present_value_usd / chosen.present_value_usd if chosen.present_value_usd > 0 else float("inf")
        times = f", {_times(ratio)}" if 0 < ratio < float("inf") else ""
        return [f"Without a GPU it would take {_machines(cpu)} at {cpu.provider} and {_money(cpu, once=once)}{times}."]
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
        f"The same model per token at {api.provider} costs {_money(api, once=once)} ({usd(api.usd_per_million_tokens)} USD per million tokens)."
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
            f"Owning {_machines(owned)} ({owned.region}) comes to {_money(owned, once=once)} over {months} months."
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
    what = f"{_machines(option)} at {option.provider}"
    return [f"A bigger accelerator is not needed: {what} costs {percent(more)} more for the same work{took}."]


def _hints(chosen: Option, options: Sequence[Option], *, once: bool) -> list[str]:
    hint = next((option for option in options if not option.choosable), None)
    if hint is None or hint.present_value_usd >= chosen.present_value_usd:
        return []
    return [
        f"Cheaper, but only a hint: {_machines(hint)} at {hint.provider}, {how_paid(hint.purchase_option)}, for {_money(hint, once=once)} ({hint.reason_not_chosen})."
    ]
