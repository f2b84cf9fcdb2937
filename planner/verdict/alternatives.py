"""Alternatives: the best option of each sort that a buyer holds against the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from planner.options.option import Option, OptionKind

__all__ = ["alternatives_of"]

SORTS: Mapping[str, Callable[[Option], bool]] = {
    "hyperscaler": lambda option: option.kind is OptionKind.RENT and option.tier == "A" and option.choosable,
    "established": lambda option: option.kind is OptionKind.RENT and option.tier == "B" and option.choosable,
    "cheapest_listed": lambda option: option.kind is OptionKind.RENT,
    "api": lambda option: option.kind is OptionKind.API,
    "own": lambda option: option.kind is OptionKind.BUY,
    "have": lambda option: option.kind is OptionKind.HAVE,
    "cpu": lambda option: option.kind is OptionKind.CPU,
}


def alternatives_of(options: Sequence[Option]) -> dict[str, Option | None]:
    """Return the cheapest option of each sort, whether recommended or not for the last five; None where there is none.

    Parameters
    ----------
    options : sequence of Option
        All of a plan.
    """
    by_cost = sorted(options, key=lambda option: (option.present_value_usd, option.size, option.id))
    found = {name: next((option for option in by_cost if belongs(option)), None) for name, belongs in SORTS.items()}
    # What may not be recommended at home is held against nothing: where there is a server elsewhere, that is the one that would be owned.
    housed = (each for each in by_cost if each.kind is OptionKind.BUY and (each.choosable or each.region != "at home"))
    return {**found, "own": next(housed, found["own"])}
