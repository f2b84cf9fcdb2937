"""Percentiles: what the requests of a simulation waited, and which share of them waited longer than a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray
from planner.traffic.simulation import Outcome

PERCENTILES = (50, 90, 95, 99)
CURVE_PERCENTILES = (*range(0, 100, 2), 99, 99.5)
"""Of the curve of the share of requests within a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """A time over requests, in milliseconds; NaN where no request has it. `curve` is at `CURVE_PERCENTILES`."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    curve: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What requests may wait, in milliseconds; infinite without a limit.

    Attributes
    ----------
    ttft_ms, tpot_ms, total_ms : float
        Time to first token, per further token, and to the last one.
    percentile : float or None
        Of the requests that have to keep each limit; None holds the mean to it.
    """

    ttft_ms: float = math.inf
    tpot_ms: float = math.inf
    total_ms: float = math.inf
    percentile: float | None = 95.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How requests were served.

    Attributes
    ----------
    ttft_ms, tpot_ms, total_ms : Percentiles
        Over the requests that were answered.
    over_ttft_share, over_tpot_share, over_total_share : float
        Requests beyond each limit; those that no replica can hold are beyond all of them.
    at_limit_ms : tuple of float
        The three times at the percentile for which the limits hold.
    request_count, refused_count : int
        Requests, and those that no replica can hold.
    holds : bool
        Whether the limits hold at their percentile.
    """

    ttft_ms: Percentiles
    tpot_ms: Percentiles
    total_ms: Percentiles
    over_ttft_share: float
    over_tpot_share: float
    over_total_share: float
    at_limit_ms: tuple[float, float, float]
    request_count: int
    refused_count: int
    holds: bool


def service_of(outcome: Outcome, limits: Limits, *, skipped_count: int = 0) -> Service:
    """Return how requests were served.

    Parameters
    ----------
    outcome : Outcome
        Of a simulation.
    limits : Limits
        What they may wait.
    skipped_count : int
        First requests that are left out, while the replicas fill.
    """
    times = [np.asarray(each[skipped_count:] * 1e3) for each in (outcome.ttft_s, outcome.tpot_s, outcome.total_s)]
    bounds = (limits.ttft_ms, limits.tpot_ms, limits.total_ms)
    is_lost = np.isnan(times[0])
    # Whoever is refused waits for ever, for any limit.
    held = [np.where(is_lost, np.inf, each) for each in times]
    at_limit = [_at(each[~np.isnan(each)], limits.percentile) for each in held]
    over = [float(np.mean(each > bound)) if len(each) else 0.0 for each, bound in zip(held, bounds, strict=True)]
    ttft, tpot, total = (_percentiles(each[np.isfinite(each)]) for each in times)
    return Service(
        ttft_ms=ttft, tpot_ms=tpot, total_ms=total, over_ttft_share=over[0], over_tpot_share=over[1], over_total_share=over[2],
        at_limit_ms=(at_limit[0], at_limit[1], at_limit[2]), request_count=len(times[0]), refused_count=int(is_lost.sum()),
        holds=all(math.isnan(value) or value <= bound for value, bound in zip(at_limit, bounds, strict=True)),
    )  # fmt: skip


def _at(times: FloatArray, percentile: float | None) -> float:
    if not len(times):
        return math.nan
    if percentile is None:
        return float(times.mean())
    # Sorted by hand: `np.percentile` loads NumPy's masked arrays, a slow start for a plan.
    return float(np.sort(times)[max(math.ceil(len(times) * percentile / 100.0) - 1, 0)])


def _percentiles(times: FloatArray) -> Percentiles:
    if not len(times):
        return Percentiles(mean=math.nan, p50=math.nan, p90=math.nan, p95=math.nan, p99=math.nan)
    last = len(times) - 1
    at = [last * each / 100.0 for each in (*PERCENTILES, *CURVE_PERCENTILES)]
    p50, p90, p95, p99, *curve = np.interp(at, np.arange(last + 1), np.sort(times)).tolist()
    return Percentiles(mean=float(times.mean()), p50=p50, p90=p90, p95=p95, p99=p99, curve=tuple(curve))
