"""The verdict: which option to take, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.workload import Workload
from planner.options.option import RENTED, Option, OptionKind, Reason, ReasonCode
from planner.options.price_evidence import Evidence, age_limit_of
from planner.uncertainty.plan_risk import JointDraws, KnownWorths
from planner.verdict.alternatives import break_even_of
from planner.verdict.weighing import (
    cheapest_of_each_sort,
    lacks_margin,
    pays_off_in_time,
    sort_of,
    weighed,
    without_set_up,
)
from pricing.facts.offers import PurchaseOption
from pricing.facts.sellers import seller_of

SOLD_BY_MANY = RENTED | {OptionKind.API}
"""Which of two servers is bought does not change whether to buy."""
OLDEST_DAYS = 365
MOVING_PRICES = frozenset({PurchaseOption.SPOT, PurchaseOption.CAPACITY_BLOCK})


class Status(StrEnum):
    """How far the verdict can be relied on."""

    DECIDED = "decided"
    CLOSE_CALL = "close_call"
    ASK_FOR_QUOTES = "ask_for_quotes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The option to take, out of the best of each sort.

    Attributes
    ----------
    option : Option
        What to take.
    passed_over : tuple of (Option, Reason)
        What costs less but binds for more than a year, and why it was not taken.
    confidence_share : float
        Share of the joint draws in which no other contender, and no other seller of the same sort, costs less.
    kind_confidence_share : float
        The same against other sorts alone: another kind, or one that binds for longer or less long.
    seller_confidence_share : float or None
        The same against the next seller of the same sort alone, to the cent; None where there is none, or it is bought.
    outdated : Option or None
        A rent that only the age of its price speaks against, and that would be taken if that price still held.
    """

    option: Option
    passed_over: tuple[tuple[Option, Reason], ...]
    confidence_share: float
    kind_confidence_share: float
    seller_confidence_share: float | None = None
    outdated: Option | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do.

    Attributes
    ----------
    needs_gpu : bool
        Whether the best way takes accelerators of one's own, rented or owned or offered for free.
    choice : str
        ``rent``, ``buy``, ``api``, ``free`` or ``cpu``.
    option_id : str
        The option to take.
    status : Status
        Whether this is decided, a close call, or takes a quote.
    confidence_share, kind_confidence_share, seller_confidence_share : float
        As in `Choice`.
    passed_over : tuple of (str, Reason)
        Cheaper options that bind for more than a year, and why they were not taken.
    outdated_id : str
        A cheaper rent to ask for a quote, since its price is too old to count on; empty where there is none.
    """

    needs_gpu: bool
    choice: str
    option_id: str
    status: Status
    confidence_share: float
    kind_confidence_share: float
    seller_confidence_share: float | None = None
    passed_over: tuple[tuple[str, Reason], ...] = ()
    outdated_id: str = ""


def contenders(options: Iterable[Option]) -> list[Option]:
    """Return the cheapest of ranked options that may be recommended of each sort, cheapest first."""
    return cheapest_of_each_sort(option for option in options if option.choosable)


def choice_of(
    options: Sequence[Option],
    workload: Workload,
    assumptions: Assumptions,
    evidence: Evidence,
    known_usd: KnownWorths | None = None,
) -> Choice:
    """Return which of ranked options to take.

    Parameters
    ----------
    options : sequence of Option
        Ranked; at least one may be recommended.
    workload : Workload
        Tells the horizon, and whether the work is one run.
    assumptions : Assumptions
        With their ranges.
    evidence : Evidence
        How far prices may have moved.
    known_usd : dict, optional
        Filled with what options cost in the draws, for `JointDraws.of`.
    """
    months, once = workload.horizon_months, workload.runs_once
    best, known_usd = contenders(options), {} if known_usd is None else known_usd

    def costs_usd(some: Sequence[Option]) -> FloatArray:
        return JointDraws.of(some, assumptions, evidence, months=months, once=once, known=known_usd).costs_usd

    choice = choose(
        best,
        assumptions,
        costs_usd,
        lambda rent, owned: break_even_of(rent, owned, assumptions).month,
        months=months,
    )
    return _with_rivals(choice, best, options, assumptions, costs_usd)


def choose(
    best: Sequence[Option],
    assumptions: Assumptions,
    costs_usd: Callable[[Sequence[Option]], FloatArray],
    pays_off_month: Callable[[Option, Option], float | None],
    *,
    months: int,
) -> Choice:
    """Return which of the contenders to take.

    What binds for more than a year has to be cheaper than the best that does not by a margin, and in enough of the joint draws;
    what is bought, cheaper than everything else in as many, and before the last part of the horizon.

    Parameters
    ----------
    best : sequence of Option
        `contenders`; at least one.
    assumptions : Assumptions
        With the margin and the confidence.
    costs_usd : callable
        Joint draws of what options cost, shape (options, draws).
    pays_off_month : callable
        From which month on the second option (owned) stays cheaper than the first one.
    months : int
        Horizon.
    """
    drawn_usd = costs_usd(best) if len(best) > 1 else np.zeros((1, 1))
    at_list_price = (row for row, option in enumerate(best) if not _takes_quotes(option, assumptions))

    def against(row: int, rival: int) -> Reason | None:
        option = best[row]
        if _takes_quotes(option, assumptions):
            return Reason(ReasonCode.QUOTES, (assumptions["evidence.on_demand_accelerators"],))
        # A purchase binds more than any commitment, so it has to beat all others; a commitment, what binds less.
        is_bought = option.kind is OptionKind.BUY
        others_usd = np.delete(drawn_usd, row, axis=0).min(axis=0) if is_bought else drawn_usd[rival]
        share = float((drawn_usd[row] < others_usd).mean())
        if reason := _against_binding(option, best[rival], share, assumptions):
            return reason
        rent = next((other for other in best if other.kind in RENTED), None)
        if not is_bought or rent is None or pays_off_in_time(pays_off_month(rent, option), months, assumptions):
            return None
        return Reason(ReasonCode.PAYS_OFF_LATE)

    taken, passed_over = weighed(best, against, next(at_list_price, 0))
    taken = without_set_up(best, taken, assumptions["verdict.trivial_usd"])
    cheapest_share = _cheapest_share(drawn_usd[taken], drawn_usd.min(axis=0), assumptions) if len(best) > 1 else 1.0
    return Choice(
        option=best[taken],
        passed_over=tuple((best[row], reason) for row, reason in passed_over),
        confidence_share=cheapest_share,
        kind_confidence_share=cheapest_share,
    )


def _cheapest_share(taken_usd: FloatArray, least_usd: FloatArray, assumptions: Assumptions) -> float:
    """Return the share of the draws in which no option is cheaper by more than `verdict.trivial_usd`."""
    return float((taken_usd <= least_usd + assumptions["verdict.trivial_usd"]).mean())


def price_list(option: Option) -> tuple[str, ...]:
    """Return what has one price, in whatever region or size it is sold: a seller's accelerator or model, paid one way."""
    seller = seller_of(option.provider)
    return (
        option.kind.value,
        seller.provider if seller else option.provider,
        option.accelerator or ("" if option.kind is OptionKind.API else option.instance_type),
        option.purchase_option,
        option.region if option.kind is OptionKind.BUY else "",
    )


def outdated_rents(options: Sequence[Option]) -> list[Option]:
    """Return the cheapest rents at list prices, bound and not, that nothing but the age of the price speaks against.

    Prices of spot and of blocks are left out, and all that are older than a year: these say nothing after so long.

    Parameters
    ----------
    options : sequence of Option
        Ranked.
    """
    best: dict[bool, Option] = {}
    for option in options:
        if option.kind not in RENTED or option.purchase_option in MOVING_PRICES or len(option.not_recommended) != 1:
            continue
        (reason,) = option.not_recommended
        if reason.code is ReasonCode.PRICE_OLD and reason.figures[0] <= OLDEST_DAYS:
            best.setdefault(option.binds, option)
    return list(best.values())


def _with_rivals(
    choice: Choice,
    best: Sequence[Option],
    options: Sequence[Option],
    assumptions: Assumptions,
    costs_usd: Callable[[Sequence[Option]], FloatArray],
) -> Choice:
    """Return a choice with what its nearest rivals make of its confidence: the next seller, and a rent at an old list price.

    An old price is not taken, and not forgotten either.
    """
    taken, old = choice.option, outdated_rents(options)
    next_price, next_seller = _next_of_the_sort(taken, options)
    rivals = {option.id: option for option in (*best, next_price, next_seller) if option is not None}
    if len(rivals) == 1 and not old:
        return choice
    worth_usd = assumptions["verdict.trivial_usd"]
    old = [option for option in old if abs(taken.present_value_usd - option.present_value_usd) > worth_usd]
    held = [*rivals.values(), *old]
    drawn_usd = {option.id: usd for option, usd in zip(held, costs_usd(held), strict=True)}
    taken_usd, outdated = drawn_usd[taken.id], None
    for option in old:
        cheaper = drawn_usd[option.id] < taken_usd
        if taken.kind is OptionKind.BUY:
            counts = _against_binding(taken, option, 1.0 - float(cheaper.mean()), assumptions) is not None
        else:
            counts = _against_binding(option, taken, float(cheaper.mean()), assumptions) is None
        if counts and (outdated is None or option.present_value_usd < outdated.present_value_usd):
            rivals[option.id] = outdated = option

    def least_usd(some: Iterable[Option]) -> FloatArray:
        return np.asarray(np.stack([taken_usd, *(drawn_usd[option.id] for option in some)]).min(axis=0))

    others = [option for option in rivals.values() if sort_of(option) != sort_of(taken)]
    sellers = [option for option in (next_seller, outdated) if option and sort_of(option) == sort_of(taken)]
    return replace(
        choice,
        outdated=outdated,
        confidence_share=_cheapest_share(taken_usd, least_usd(rivals.values()), assumptions),
        kind_confidence_share=_cheapest_share(taken_usd, least_usd(others), assumptions),
        seller_confidence_share=float((taken_usd <= least_usd(sellers)).mean()) if sellers else None,
    )


def _next_of_the_sort(taken: Option, options: Sequence[Option]) -> tuple[Option | None, Option | None]:
    """Return the runner-up at another price and at another seller; none for owned, free or purchased options."""
    if taken.kind not in SOLD_BY_MANY:
        return None, None
    same = [option for option in options if option.choosable and sort_of(option) == sort_of(taken)]
    prices = (option for option in same if price_list(option) != price_list(taken))
    sellers = (option for option in same if price_list(option)[1] != price_list(taken)[1])
    return next(prices, None), next(sellers, None)


def _takes_quotes(option: Option, assumptions: Assumptions) -> bool:
    """Tell whether it is more servers than are bought at the list price of one."""
    is_many = option.accelerators_total_count > assumptions["evidence.on_demand_accelerators"]
    return option.kind is OptionKind.BUY and not option.is_quoted and is_many


def _against_binding(option: Option, rival: Option, cheaper_share: float, assumptions: Assumptions) -> Reason | None:
    """Say what speaks against an option that binds for more than a year and costs less than one that does not."""
    reason = lacks_margin(option, rival, assumptions)
    if reason is None and cheaper_share < assumptions["verdict.least_confidence_share"]:
        return Reason(ReasonCode.CONFIDENCE, (100 * cheaper_share,))
    return reason


def barred_sorts(choice: Choice) -> dict[tuple[OptionKind, bool], Reason]:
    """Return of which sorts, kind and whether it binds, nothing that costs less than the choice is recommended, and why."""
    return {
        (passed.kind, passed.binds): reason
        for passed, reason in choice.passed_over
        if (passed.kind, reason.code) != (OptionKind.BUY, ReasonCode.MARGIN)
    }


def without_passed_over(options: Sequence[Option], choice: Choice) -> list[Option]:
    """Mark what was passed over, and what is of the same sort and also costs less than the choice, as not recommended.

    An owned server that only lacks the margin stays as it is: page and workbook hold the margin themselves.
    """
    reasons = barred_sorts(choice)
    return [
        replace(option, not_recommended=(reasons[option.kind, option.binds],))
        if option.choosable
        and (option.kind, option.binds) in reasons
        and option.present_value_usd < choice.option.present_value_usd
        else option
        for option in options
    ]


def verdict_of(choice: Choice, assumptions: Assumptions, *, age_days: int) -> Verdict:
    """Return the verdict that a choice makes.

    Parameters
    ----------
    choice : Choice
        The option to take.
    assumptions : Assumptions
        With the confidence below which a verdict is a close call, and the number and the age that take a quote.
    age_days : int
        Age of the option's price.
    """
    option = choice.option
    status = Status.DECIDED
    if choice.confidence_share < assumptions["verdict.least_confidence_share"]:
        status = Status.CLOSE_CALL
    server_days = assumptions[age_limit_of(OptionKind.BUY, "")]
    is_old_server = age_days > server_days and option.kind is OptionKind.BUY
    listed = math.inf if option.is_quoted else assumptions["evidence.on_demand_accelerators"]
    most = min(listed, option.most_accelerators)
    is_large = option.accelerators_total_count > most
    if is_large or is_old_server or choice.outdated is not None:
        status = Status.ASK_FOR_QUOTES
    return Verdict(
        needs_gpu=option.accelerator is not None,
        choice=option.kind.value,
        option_id=option.id,
        status=status,
        confidence_share=choice.confidence_share,
        kind_confidence_share=choice.kind_confidence_share,
        seller_confidence_share=choice.seller_confidence_share,
        passed_over=tuple((passed.id, reason) for passed, reason in choice.passed_over),
        outdated_id=choice.outdated.id if choice.outdated and not is_large else "",
    )
