"""Rents against owning: where they cross, and the best option of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.assumptions import Assumptions
from planner.costs.breakeven import BreakEven, Crossing, break_even
from planner.options.option import Option, OptionKind
from planner.verdict.alternatives import owned_of


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
