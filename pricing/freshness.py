"""Age: which parts are too old to plan on without a word."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pricing.store.reading import PartStatus

__all__ = ["LIST_PRICE_DAYS", "SPOT_DAYS", "too_old"]

LIST_PRICE_DAYS: Final = 30.0
SPOT_DAYS: Final = 2.0
"""A spot price of two days ago is no price any more."""


def too_old(statuses: Iterable[PartStatus], now: datetime, max_age_days: float | None = None) -> list[str]:
    """Return a line for each part that holds offers and is older than it may be.

    Parameters
    ----------
    statuses : iterable of PartStatus
        As the store tells them.
    now : datetime
        UTC without zone.
    max_age_days : float, optional
        For every part; 30 days, and 2 for spot, without it.
    """
    lines = []
    for status in statuses:
        limit = (
            max_age_days
            if max_age_days is not None
            else SPOT_DAYS
            if status.part.startswith("spot")
            else LIST_PRICE_DAYS
        )
        age = status.age_days(now)
        if status.row_count and age is not None and age > limit:
            why = f"; the last asking failed: {status.message}" if status.status == "failed" else ""
            lines.append(f"{status.provider} {status.part}: prices are {age:.0f} days old (more than {limit:g}){why}")
    return lines
