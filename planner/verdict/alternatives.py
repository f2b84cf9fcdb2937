"""Alternatives: the best option of each sort that a buyer holds against the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from planner.options.option import Option, OptionKind
from planner.options.reason import ReasonCode
from pricing.offers import PurchaseOption

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
