"""Alternatives: the best option of each sort that a buyer holds against the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from planner.options.option import Option, OptionKind
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
LISTED = ("hyperscaler", "established")


def _is_listed(option: Option, tier: str) -> bool:
    is_kept = option.choosable or option.purchase_option not in PASSING
    return option.kind is OptionKind.RENT and option.tier == tier and not option.is_quoted and is_kept


def alternatives_of(options: Sequence[Option]) -> dict[str, Option | None]:
    """Return the cheapest option of each sort; None where there is none.

    Of the first two one that may be recommended comes before cheaper ones that may not; what can be reclaimed stands for neither.

    Parameters
    ----------
    options : sequence of Option
        All of a plan.
    """
    by_cost = sorted(options, key=lambda option: (option.present_value_usd, option.size, option.id))
    sound_first = sorted(by_cost, key=lambda option: not option.choosable)
    found = {
        name: next(filter(belongs, sound_first if name in LISTED else by_cost), None) for name, belongs in SORTS.items()
    }
    # What may not be recommended at home is held against nothing: where there is a server elsewhere, that is the one that would be owned.
    housed = (each for each in by_cost if each.kind is OptionKind.BUY and (each.choosable or each.region != "at home"))
    return {**found, "own": next(housed, found["own"])}
