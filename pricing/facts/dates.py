"""Dates as sources state them (a day, a month, or a year alone), and which dated facts an answer may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dropped:
    """Facts that a filter took out of the answer.

    Attributes
    ----------
    count : int
        How many.
    reason : str
        What they are, and why they were not used (``server prices dated after 2025-01-01``).
    """

    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """The days whose facts an answer may use; everything without bounds.

    Attributes
    ----------
    first_on, last_on : date or None
        No fact from before the first (it is too old), none from after the last (it was not known then).
    """

    first_on: date | None = None
    last_on: date | None = None

    def __bool__(self) -> bool:
        """Tell whether there is a bound at all."""
        return self.first_on is not None or self.last_on is not None

    def fault(self, day: date | None) -> str:
        """Return why a fact of that day may not be used; empty where it may. A fact without a date passes no bound.

        Examples
        --------
        >>> Window(last_on=date(2025, 1, 1)).fault(date(2026, 1, 1))
        'dated after 2025-01-01'
        >>> Window().fault(None)
        ''
        """
        if not self:
            return ""
        if day is None:
            return "without a date"
        if self.last_on is not None and day > self.last_on:
            return f"dated after {self.last_on.isoformat()}"
        if self.first_on is not None and day < self.first_on:
            return f"dated before {self.first_on.isoformat()}"
        return ""

    def split(
        self, facts: Iterable[T], day_of: Callable[[T], date | None], what: str
    ) -> tuple[tuple[T, ...], tuple[Dropped, ...]]:
        """Return the facts that may be used, and how many may not be and why.

        Parameters
        ----------
        facts : iterable
            Dated facts.
        day_of : callable
            The day of a fact; None where its source is undated.
        what : str
            What the facts are called, in the plural.
        """
        kept = []
        counts: dict[str, int] = {}
        for fact in facts:
            if fault := self.fault(day_of(fact)):
                counts[fault] = counts.get(fault, 0) + 1
            else:
                kept.append(fact)
        return tuple(kept), tuple(Dropped(count, f"{what} {fault}") for fault, count in sorted(counts.items()))


EVERY_DAY = Window()
"""No bounds."""


def first_day(as_of: str) -> date:
    """Return the first day of a stated year, month or day (ISO 8601).

    Examples
    --------
    >>> first_day("2025").isoformat(), first_day("2025-03").isoformat(), first_day("2025-03-09").isoformat()
    ('2025-01-01', '2025-03-01', '2025-03-09')
    """
    year, month, day = [*(int(part) for part in as_of.split("-")), 1, 1][:3]
    return date(year, month, day)
