"""Alternatives: the best option of each kind, and where rents and owning cross."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from planner.assumptions import Assumptions
from planner.costs.breakeven import BreakEven, Crossing, break_even
from planner.options.option import Option, OptionKind, ReasonCode
from pricing.facts.offers import PurchaseOption

SORTS: Mapping[str, Callable[[Option], bool]] = {
    "hyperscaler": lambda option: _is_listed(option, "A"),
    "established": lambda option: _is_listed(option, "B"),
    "cheapest_listed": lambda option: option.kind is OptionKind.RENT,
    "api": lambda option: option.kind is OptionKind.API,
    "own": lambda option: option.kind is OptionKind.BUY,
    "have": lambda option: option.kind is OptionKind.HAVE,
    "cpu": lambda option: option.kind is OptionKind.CPU,
}


PASSING = frozenset(
    {PurchaseOption.SPOT, PurchaseOption.MARKETPLACE, PurchaseOption.FLEX_START, PurchaseOption.CAPACITY_BLOCK}
)
SAME_SHARE = 1e-6
"""Costs that differ by less are the same: sellers round a price per GPU or per machine, and sums round in another order."""
PASSED_OVER = frozenset({ReasonCode.MARGIN, ReasonCode.CONFIDENCE, ReasonCode.PAYS_OFF_LATE, ReasonCode.QUOTES})
"""What the verdict holds against a server that may otherwise be recommended."""


def _is_listed(option: Option, tier: str) -> bool:
    is_kept = option.choosable or option.purchase_option not in PASSING
    return option.kind is OptionKind.RENT and option.tier == tier and not option.is_quoted and is_kept


def alternatives_of(options: Sequence[Option]) -> dict[str, Option | None]:
    """Return the cheapest option of each sort; None where there is none.

    What may be recommended comes first, but for the cheapest listed rent; what can be reclaimed stands for no list price.

    Parameters
    ----------
    options : sequence of Option
        All of a plan, ranked: of two that cost the same but for rounding the first one stands for both.
    """
    best = {name: next(filter(belongs, options), None) for name, belongs in SORTS.items()}
    rents = [option for option in options if SORTS["cheapest_listed"](option)]
    least_usd = min((option.present_value_usd for option in rents), default=0.0)
    cheapest = (option for option in rents if math.isclose(option.present_value_usd, least_usd, rel_tol=SAME_SHARE))
    return {**best, "cheapest_listed": next(cheapest, None), "own": owned_of(options)}


def startable_of(options: Sequence[Option]) -> Option | None:
    """Return the rent that would be started first: the best that may be recommended, without a commitment where there is one."""
    rents = (option for option in options if option.kind is OptionKind.RENT and option.choosable)
    return min(rents, key=lambda option: option.purchase_option != PurchaseOption.ON_DEMAND, default=None)


def owned_of(options: Sequence[Option]) -> Option | None:
    """Return the servers that would be owned, wherever owning is spoken of; None where there are none.

    They are the cheapest that may be recommended, or else the cheapest that do not stand at home. Passed over by the verdict alone they
    stay the ones that would be owned.

    Parameters
    ----------
    options : sequence of Option
        All of a plan.
    """

    def rank(option: Option) -> tuple[bool, bool, float, tuple[float, int], str]:
        is_barred = not PASSED_OVER.issuperset(reason.code for reason in option.not_recommended)
        return (
            is_barred,
            is_barred and option.region == "at home",
            option.present_value_usd,
            option.size,
            option.id,
        )

    return min((option for option in options if option.kind is OptionKind.BUY), key=rank, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEvenPair:
    """One rented option against one owned.

    Attributes
    ----------
    rent_id, buy_id : str
        The options.
    month : float or None
        Month from which on owning stays cheaper (NPV); None means never within the horizon.
    undiscounted_month : float or None
        The same in plain sums.
    utilisation_share : float or None
        Share of the clock hours in use, from which on owning is cheaper over the horizon; None
        means at none.
    price_usd_per_hour : float or None
        Rent of one instance at which both cost the same over the horizon.
    saving_usd : float
        What owning saves over the horizon (NPV); negative where it costs more.
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


def break_evens(options: Sequence[Option], assumptions: Assumptions) -> tuple[BreakEvenPair, ...]:
    """Compare the servers that would be owned with the rents that someone would hold against them.

    Those are the cheapest rent of each purchase option that may be recommended, cheapest first.

    Parameters
    ----------
    options : sequence of Option
        Ranked by present value.
    assumptions : Assumptions
        Stated assumptions.
    """
    owned = owned_of(options)
    if owned is None:
        return ()
    rents: dict[str, Option] = {}
    for option in options:
        if option.kind is OptionKind.RENT and option.choosable:
            rents.setdefault(option.purchase_option, option)
    return tuple(break_even_of(rent, owned, assumptions) for rent in rents.values())


def break_even_of(rent: Option, owned: Option, assumptions: Assumptions) -> BreakEvenPair:
    """Compare one rented option with one owned."""
    result: BreakEven = break_even(
        rent.timeline,
        owned.timeline,
        discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
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
