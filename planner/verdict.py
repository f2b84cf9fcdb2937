"""The verdict: which option to take, in one sentence, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner.assumptions import Assumptions
from planner.comparison import BreakEvenPair, best_by_kind
from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.figures import duration, usd
from planner.options.option import Option, OptionKind
from planner.reasons import machines, money, reasons
from planner.supply.machines import Refusal
from planner.words import how_paid

__all__ = ["Verdict", "choose"]


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
    workload: Workload,
    peak_flop_per_s: float | None,
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
    workload : Workload
        The work, its horizon and its deadline.
    peak_flop_per_s : float or None
        FLOP per second that the work takes at its busiest time, by arithmetic alone.

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
    months, once = workload.horizon_months, workload.runs_once
    return Verdict(
        needs_gpu=chosen.accelerator is not None,
        choice=chosen.kind.value,
        option_id=chosen.id,
        headline=_headline(chosen, best, pairs, months, once=once),
        because=reasons(
            chosen,
            options,
            pairs,
            refusals,
            months=months,
            once=once,
            peak_flop_per_s=peak_flop_per_s,
            deadline_hours=workload.deadline_hours,
        ),
    )


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
            return f"Rent {machines(chosen)} at {place}, {how_paid(chosen.purchase_option)}, for {money(chosen, once=once)}; {tail}."
        case OptionKind.BUY:
            pair = min(pairs, key=lambda p: p.saving_usd, default=None)
            tail = ""
            if pair is not None and pair.month is not None:
                tail = f"; against the cheapest rent it pays off from month {pair.month:.0f} on"
            return f"Buy {machines(chosen)}, {chosen.region}, for {money(chosen, once=once)} all in{tail}."
        case OptionKind.CPU:
            return f"No GPU needed: {machines(chosen)} at {place}, {how_paid(chosen.purchase_option)}, for {money(chosen, once=once)}."
        case OptionKind.API:
            tail = f", against {usd(rival.usd_per_month)} USD for machines of your own" if rival else ""
            return f"No GPU of your own needed: {chosen.instance_type} at {chosen.provider}, paid per token, for {money(chosen, once=once)}{tail}."
        case OptionKind.FREE:
            rent = best.get(OptionKind.RENT) or best.get(OptionKind.CPU)
            tail = f"; else {machines(rent)} at {rent.provider} for {money(rent, once=once)}" if rent else ""
            return f"A free tier does it: {chosen.provider} ({machines(chosen)}) in {duration(chosen.hours_per_run)}{tail}."
