"""A year of demand from what was recorded: the record repeated, and resampled by weeks."""

from __future__ import annotations

import numpy as np

from planner.arrays import FloatArray, IntArray

HOURS_PER_YEAR = 8760
HOURS_PER_WEEK = 168
HOURS_PER_DAY = 24


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
