"""Serving capacity: the largest request rate of each candidate within its limits, and how many replicas a rate takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.arrays import BoolArray, FloatArray, IntArray
from planner.supply.serving.candidates import BATCHES, Demand, Grid
from planner.supply.serving.tails import LateTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What each candidate can take, as one of many replicas and, for what may be planned, alone.

    Attributes
    ----------
    rate : FloatArray, shape (candidates,)
        Largest request rate within all limits; -1 where no batch size keeps them.
    column : IntArray
        The batch size of that rate.
    full_rate : FloatArray
        Largest rate that memory allows, whatever the limits: beyond it the queue grows without end.
    planned_rate : FloatArray
        What may be planned: within the limits, and no more than the planned share of the full rate; -1 as for `rate`.
    alone_rate : FloatArray
        What may be planned with a replica that has no others beside it: nobody evens out its bursts.
    fits, quick, smooth : boolean arrays
        Whether any batch size keeps to memory, to it and the limit on the first token, to it and those on further ones and on all of them.
    """

    rate: FloatArray
    column: IntArray
    full_rate: FloatArray
    planned_rate: FloatArray
    alone_rate: FloatArray
    fits: BoolArray
    quick: BoolArray
    smooth: BoolArray

    def rate_on(self, replicas: FloatArray, at: IntArray) -> FloatArray:
        """Return what may be planned of each of so many replicas of the candidates at these rows; 0 where nothing may.

        The bursts of one replica are evened out by the others as the square root of their number grows (the square-root
        staffing of Halfin and Whitt 1981).
        """
        planned = self.planned_rate[at]
        lost = planned - np.maximum(self.alone_rate[at], 0.0)
        return np.maximum(planned - lost / np.sqrt(np.maximum(replicas, 1.0)), 0.0)


def replicas_for(rate_per_s: FloatArray | float, planned_rate: FloatArray, alone_rate: FloatArray) -> FloatArray:
    """Return the fewest replicas of which so much may be planned; infinite where nothing may.

    Examples
    --------
    >>> replicas_for(np.array([1.0, 1.1, 8.0]), np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0])).tolist()
    [1.0, 2.0, 6.0]
    """
    lost = planned_rate - np.clip(alone_rate, 0.0, planned_rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (lost + np.sqrt(lost**2 + 4.0 * planned_rate * rate_per_s)) / (2.0 * planned_rate)
        count = np.maximum(np.ceil(root**2 - 1e-9), 1.0)
    return np.asarray(np.where(planned_rate > 0, count, np.inf), dtype=float)


def capacity_of(
    grid: Grid, demand: Demand, *, ttft_ratio: FloatArray | float = 1.0, tpot_ratio: FloatArray | float = 1.0
) -> Capacity:
    """Return what each candidate can take within the limits.

    The limits are tested once, at the rate that is planned: headroom is kept against the full rate, not against the rate at
    which a limit is reached.

    Parameters
    ----------
    ttft_ratio, tpot_ratio : FloatArray, shape (candidates,)
        Times at the percentile of the speed band for which the limits hold, over typical ones.
    """
    fits = BATCHES[None, :] <= np.maximum(grid.most_requests, 0.0)[:, None]
    if not demand.spread.score:
        return _within(grid, demand, fits, grid.late, grid.most_requests, ttft_ratio, tpot_ratio)
    among_many = _within(grid, demand, fits, grid.late, grid.late_requests, ttft_ratio, tpot_ratio)
    alone = _within(grid, demand, fits, grid.alone_late, grid.alone_requests, ttft_ratio, tpot_ratio)
    return replace(among_many, alone_rate=alone.planned_rate)


def _within(
    grid: Grid, demand: Demand, fits: BoolArray, late: LateTimes, held: FloatArray, ttft_ratio: FloatArray | float,
    tpot_ratio: FloatArray | float,
) -> Capacity:  # fmt: skip
    """Return what each candidate can take with these late times, where its memory holds so many requests under way."""
    ttft_s, tpot_s, total_s = (
        times * np.reshape(ratio, (-1, 1))
        for times, ratio in ((late.ttft_s, ttft_ratio), (late.tpot_s, tpot_ratio), (late.total_s, tpot_ratio))
    )
    quick = ttft_s <= demand.ttft_limit_s
    smooth = (tpot_s <= demand.tpot_limit_s) & (total_s <= demand.total_limit_s)
    full_share = BATCHES[None, :] / np.maximum(held, 1e-9)[:, None]
    roomy = (full_share <= 1.0) | (BATCHES[None, :] <= 1.0)
    rate = np.where(fits & quick & smooth & roomy, grid.rate_per_s, -1.0)
    best = np.argmax(rate, axis=1)
    rate = rate[np.arange(len(rate)), best]
    # A limit is reached between two batch sizes: both rate and times are taken as straight lines there.
    after = np.minimum(best + 1, len(BATCHES) - 1)
    rows = np.flatnonzero((rate > 0) & fits[np.arange(len(rate)), after])
    below, above = (rows, best[rows]), (rows, after[rows])
    share = np.ones(len(rows))
    limits = (
        (ttft_s, demand.ttft_limit_s),
        (tpot_s, demand.tpot_limit_s),
        (total_s, demand.total_limit_s),
        (full_share, 1.0),
    )
    for figures, limit in limits:
        is_reached = figures[above] > limit
        step = np.where(is_reached, figures[above] - figures[below], 1.0)
        share = np.where(is_reached, np.minimum(share, (limit - figures[below]) / step), share)
    rate[rows] += np.maximum(share, 0.0) * np.maximum(grid.rate_per_s[above] - rate[rows], 0.0)
    # Where not even one request at a time always finds room, it may be under way only a part of the time.
    rate /= np.maximum(full_share[:, 0], 1.0)
    full = np.max(np.where(fits, grid.rate_per_s, -1.0), axis=1)
    return Capacity(
        rate=rate,
        column=np.asarray(best, dtype=np.int64),
        full_rate=full,
        planned_rate=np.minimum(rate, full * demand.load_share),
        alone_rate=np.minimum(rate, full * demand.load_share),
        fits=np.asarray(fits.any(axis=1), dtype=np.bool_),
        quick=np.asarray((fits & quick).any(axis=1), dtype=np.bool_),
        smooth=np.asarray((fits & smooth).any(axis=1), dtype=np.bool_),
    )
