"""The demand of a year from a record: its weeks repeated and resampled, and whether use went up or down too far for that."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray, IntArray

HOURS_PER_YEAR = 8760
HOURS_PER_WEEK = 168
HOURS_PER_DAY = 24


LEAST_RATIO = 1.5
"""Up or down by less is what fleets do from week to week."""
LEAST_HOURS = 4 * HOURS_PER_WEEK


def year_of(level: FloatArray) -> FloatArray:
    """Return up to a year of demand: the last year where there is one, else the whole record as often as it fits.

    Every hour counts as often as every other, so what was paid for a record can be held against what is found for it.
    A year is not filled up with a part of the record, nor overrun: a term of a year has to reach over the curve.

    Parameters
    ----------
    level : FloatArray, shape (hours,)
        As recorded.

    Examples
    --------
    >>> year_of(np.arange(400.0))[[0, 399, 400]].tolist(), len(year_of(np.arange(400.0)))
    ([0.0, 399.0, 0.0], 8400)
    """
    last = level[-HOURS_PER_YEAR:]
    return np.tile(last, HOURS_PER_YEAR // len(last))


def block_hours(hours: int) -> int:
    """Return what is resampled as one: weeks where there are two or more, else days, else single hours."""
    if hours >= 2 * HOURS_PER_WEEK:
        return HOURS_PER_WEEK
    return HOURS_PER_DAY if hours >= 2 * HOURS_PER_DAY else 1


def resampled_hours(hours: int, rng: np.random.Generator) -> IntArray:
    """Return a year as hours of a record: whole blocks, drawn with replacement (block bootstrap, Kunsch 1989).

    Parameters
    ----------
    hours : int
        Length of the record.
    rng : Generator
        Seeded by the caller.

    Returns
    -------
    IntArray, shape (8760,)
        Each block begins where a block of the record's end does, so weekdays stay weekdays.
    """
    block = block_hours(hours)
    count = hours // block
    first = hours - count * block
    drawn = rng.integers(0, count, -(-HOURS_PER_YEAR // block))
    picked: IntArray = (first + drawn[:, None] * block + np.arange(block)).ravel()[:HOURS_PER_YEAR]
    return picked


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How use went.

    Attributes
    ----------
    first_gpus, last_gpus : float
        Mean of the record's first and last weeks.
    hours : int
        Of the record.
    recent_hours : int
        Its end, which is what runs now: whole weeks, a quarter of the record at most.
    """

    first_gpus: float
    last_gpus: float
    hours: int
    recent_hours: int


def trend_of(level: NDArray[np.float64]) -> Trend | None:
    """Return how use went where its last quarter is far from its first, and the quarters between lie between.

    Parameters
    ----------
    level : NDArray of float, shape (hours,)
        Accelerators by hour.

    Examples
    --------
    >>> found = trend_of(np.repeat([8.0, 16.0, 24.0, 32.0], 336))
    >>> found.first_gpus, found.last_gpus, found.recent_hours
    (8.0, 32.0, 336)
    >>> trend_of(np.full(1344, 8.0)) is None
    True
    """
    if len(level) < LEAST_HOURS:
        return None
    recent = max(len(level) // 4 // HOURS_PER_WEEK, 1) * HOURS_PER_WEEK
    quarters = [float(part.mean()) for part in np.array_split(level, 4)]
    first, last = float(level[:recent].mean()), float(level[-recent:].mean())
    low, high = min(first, last), max(first, last)
    is_steady = all(b >= a * 0.95 for a, b in pairwise(quarters)) or all(b <= a * 1.05 for a, b in pairwise(quarters))
    if not is_steady or high < LEAST_RATIO * low or last == 0:
        return None
    return Trend(first_gpus=first, last_gpus=last, hours=len(level), recent_hours=recent)
