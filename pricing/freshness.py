"""Age: which parts are too old to plan on without a word."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pricing.store.answers import PartStatus

LIST_PRICE_DAYS: Final = 30.0
SPOT_DAYS: Final = 2.0
"""A spot price of two days ago is no price any more."""
TOLD: Final = 5
"""Parts that one line names."""


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


def not_renewed(statuses: Iterable[PartStatus], now: datetime) -> list[str]:
    """Return a line on the parts that answer with kept prices because their last asking failed; none where all went well.

    Parts that are too old have their own lines (`too_old`) and are passed over here.
    """
    kept = [
        status
        for status in statuses
        if status.status == "failed" and status.row_count and status.landed_at and not too_old([status], now)
    ]
    if not kept:
        return []
    listed = ", ".join(
        f"{status.provider} {status.part} (of {status.landed_at:%Y-%m-%d}: {status.message})" for status in kept[:TOLD]
    )
    more = f" and {len(kept) - TOLD} more" if len(kept) > TOLD else ""
    return [
        f"gave no new prices when last asked on {max(status.asked_at for status in kept):%Y-%m-%d}, kept ones answer: {listed}{more}"
    ]
