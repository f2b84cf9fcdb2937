"""The ranking: what may be recommended before hints, each cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.demand.workload import Constraints
from planner.options.option import Option, OptionKind

__all__ = ["ranked", "well_founded"]


def well_founded(options: Sequence[Option]) -> list[Option]:
    """Return the options, machines whose speed nobody measured anything near marked as hints where others are known."""
    machines = {OptionKind.RENT, OptionKind.BUY}
    extrapolated = {
        option.id
        for option in options
        if option.kind in machines and option.fleet is not None and option.fleet.performance.basis == "extrapolated"
    }
    if not any(o.choosable and o.kind is OptionKind.RENT and o.id not in extrapolated for o in options):
        return list(options)
    reason = "no measured speed is near, so it is extrapolated: try it before you rely on it"
    return [
        replace(option, choosable=False, reason_not_chosen=option.reason_not_chosen or reason)
        if option.id in extrapolated
        else option
        for option in options
    ]


def ranked(options: Sequence[Option], constraints: Constraints) -> tuple[Option, ...]:
    """Return the options within the budget: first those that may be recommended, then the hints; each cheapest first."""
    budget = constraints.max_usd_per_month
    kept = [option for option in options if budget is None or option.usd_per_month <= budget]
    return tuple(
        sorted(kept, key=lambda o: (not o.choosable, o.present_value_usd, _size(o), o.hours_per_run or 0.0, o.id))
    )


def _size(option: Option) -> float:
    """Return how many accelerators an option takes up; of two that cost the same, fewer are enough."""
    return option.accelerators_total_count
