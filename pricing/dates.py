"""Dates as sources state them: a day, a month, or a year alone."""

from __future__ import annotations

from datetime import date

__all__ = ["first_day"]


def first_day(as_of: str) -> date:
    """Return the first day of a stated year, month or day (ISO 8601).

    Examples
    --------
    >>> first_day("2025").isoformat(), first_day("2025-03").isoformat(), first_day("2025-03-09").isoformat()
    ('2025-01-01', '2025-03-01', '2025-03-09')
    """
    year, month, day = [*(int(part) for part in as_of.split("-")), 1, 1][:3]
    return date(year, month, day)
