"""Percentiles: what the requests of a simulation waited, which share of them longer than a limit, and how many replicas hold it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from planner.arrays import FloatArray
from planner.traffic.simulation import Outcome, Requests, simulated
from planner.traffic.step_times import GRID_TOKENS, StepTimes

PERCENTILES = (50, 90, 95, 99)
CURVE_PERCENTILES = (*range(0, 100, 2), 99, 99.5)
"""Of the curve of the share of requests within a time."""
MOST_REPLICAS = 512


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
    times = [
        np.asarray(times_ms[skipped_count:] * 1e3) for times_ms in (outcome.ttft_s, outcome.tpot_s, outcome.total_s)
    ]
    bounds = (limits.ttft_ms, limits.tpot_ms, limits.total_ms)
    is_lost = np.isnan(times[0])
    # Whoever is refused waits for ever, for any limit.
    held = [np.where(is_lost, np.inf, times_ms) for times_ms in times]
    at_limit = [_at(times_ms[~np.isnan(times_ms)], limits.percentile) for times_ms in held]
    over = [
        float(np.mean(times_ms > bound)) if len(times_ms) else 0.0 for times_ms, bound in zip(held, bounds, strict=True)
    ]
    ttft, tpot, total = (_percentiles(times_ms[np.isfinite(times_ms)]) for times_ms in times)
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
    at = [last * percentile / 100.0 for percentile in (*PERCENTILES, *CURVE_PERCENTILES)]
    p50, p90, p95, p99, *curve = np.interp(at, np.arange(last + 1), np.sort(times)).tolist()
    return Percentiles(mean=float(times.mean()), p50=p50, p90=p90, p95=p95, p99=p99, curve=tuple(curve))


def fewest_replicas(
    requests: Requests,
    times: StepTimes,
    limits: Limits,
    *,
    least: int = 1,
    most: int = MOST_REPLICAS,
    skipped_count: int = 0,
    outcome_of: Callable[[int], Outcome] | None = None,
) -> int | None:
    """Return the fewest replicas that hold the limits; None where so many do not.

    Parameters
    ----------
    least, most : int
        Where the search begins and ends.
    skipped_count : int
        First requests that are left out, while the replicas fill.
    outcome_of : callable, optional
        What becomes of the requests on so many replicas, where it is not simulated here.
    """

    @cache
    def holds(count: int) -> bool:
        outcome = outcome_of(count) if outcome_of else simulated(requests, times, count)
        return service_of(outcome, limits, skipped_count=skipped_count).holds

    start = min(max(_least(requests, times), least), most)
    is_near = least > 1  # then the first number is likely to hold, and nothing else need be simulated
    if not (is_near and holds(start)) and not _holds_alone(requests, times, limits):
        return None
    return _first(holds, start, most)


def _first(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the first number from `least` on that holds, taking it that more never hurt."""
    low, high, step = least - 1, least, 1
    while not holds(high):
        if high >= most:
            return None
        low, high, step = high, min(high + step, most), 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _least(requests: Requests, times: StepTimes) -> int:
    """Return how many replicas the prompts alone keep busy; fewer never keep up."""
    duration_s = max(float(requests.arrival_s[-1]), 1.0)
    grid = np.arange(len(times.prompt_s)) * float(GRID_TOKENS)
    work_s = float(np.interp(requests.input_tokens - requests.cached_tokens, grid, times.prompt_s).sum())
    return max(1, math.floor(work_s / duration_s / times.stage_count))


def _holds_alone(requests: Requests, times: StepTimes, limits: Limits) -> bool:
    """Tell whether the limits hold for requests that have a replica to themselves: else no number of replicas helps."""
    every = max(1, len(requests.arrival_s) // 2_000)
    apart = Requests(
        arrival_s=np.asarray(np.arange(len(requests.arrival_s[::every])) * 1e6, dtype=float), input_tokens=requests.input_tokens[::every],
        output_tokens=requests.output_tokens[::every], cached_tokens=requests.cached_tokens[::every],
    )  # fmt: skip
    return service_of(simulated(apart, times, 1), limits).holds
