"""Recorded days, moved to the tests' clock: an answer of some days ago is that old on whatever day the tests run."""

from __future__ import annotations

from datetime import date, datetime

from pricing.clock import utc_now

__all__ = ["moved"]

RECORDED_ON = date(2026, 11, 21)


def moved(when: str) -> str:
    """Return a recorded time as far from the tests' clock as it was from the day of the recording."""
    shift = utc_now().date() - RECORDED_ON
    return (datetime.fromisoformat(when) + shift).strftime("%Y-%m-%dT%H:%M:%SZ")
