"""Inputs as studies state them: the same quantity goes by several names and in several units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeGuard

from planner.errors import PlanningError

__all__ = ["HOURS_PER", "StatedInputs"]

HOURS_PER: dict[str, float] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1 / 3600),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 1 / 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 1.0),
    **dict.fromkeys(("d", "day", "days"), 24.0),
}
"""Hours in one unit of time, by the ending of a name or a stated unit."""


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


class StatedInputs:
    """Numbers of a study, asked for by what they mean.

    Parameters
    ----------
    values : mapping
        The study's inputs: numbers, and lists of numbers by year; text is ignored.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = {name: float(value) for name, value in values.items() if _is_number(value)}
        self.sums = {
            name: float(sum(value))
            for name, value in values.items()
            if isinstance(value, list) and value and all(map(_is_number, value))
        }

    def get(self, *names: str, default: float | None = None) -> float:
        """Return the first of several names that is stated.

        Raises
        ------
        PlanningError
            If none is stated and there is no default.
        """
        for name in names:
            if name in self.values:
                return self.values[name]
        if default is not None:
            return default
        raise PlanningError(f"the inputs state no {names[0]}; they hold {', '.join(self.values) or 'nothing'}")

    def one_of(self, pattern: str, *, but: str = "$^") -> float:
        """Return the only number whose name matches a pattern (and does not match another).

        Raises
        ------
        PlanningError
            If no name matches, or several do.
        """
        found = self.named(pattern, but=but)
        if len(found) != 1:
            raise PlanningError(
                f"the inputs state {len(found) or 'no'} numbers named like {pattern!r}, and one is needed"
            )
        return next(iter(found.values()))

    def total(self, pattern: str) -> float | None:
        """Return the sum of the only list whose name matches a pattern; None where no list's name does.

        Raises
        ------
        PlanningError
            If several match.
        """
        found = [value for name, value in self.sums.items() if re.search(pattern, name)]
        if len(found) > 1:
            raise PlanningError(f"the inputs state {len(found)} lists named like {pattern!r}, and one is needed")
        return found[0] if found else None

    def named(self, pattern: str, *, but: str = "$^") -> dict[str, float]:
        """Return the numbers whose names match a pattern (and do not match another)."""
        return {
            name: value for name, value in self.values.items() if re.search(pattern, name) and not re.search(but, name)
        }

    def hours(self, pattern: str) -> float:
        """Return the only time whose name matches a pattern, in hours; a word of its name is its unit."""
        found = self.named(pattern)
        if len(found) != 1:
            raise PlanningError(
                f"the inputs state {len(found) or 'no'} times named like {pattern!r}, and one is needed"
            )
        ((name, value),) = found.items()
        # The last word that is a unit: mtbf_hours as well as mtbf_hours_reference.
        unit = next((word for word in reversed(name.split("_")) if word in HOURS_PER), "hours")
        return value * HOURS_PER[unit]

    def __contains__(self, name: object) -> bool:
        """Tell whether a number of that name is stated."""
        return name in self.values
