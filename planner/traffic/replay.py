"""Replay: the requests of a log on a fleet, and the fewest accelerators that hold the limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.supply.calibration import Calibration
from planner.supply.machines import Layout, Machine
from planner.traffic.percentiles import Limits, Service, service_of
from planner.traffic.simulation import Requests, Routing, simulated
from planner.traffic.step_times import GRID_TOKENS, StepTimes, times_of_layout
from planner.traffic.summary import busiest_window

__all__ = ["Fewest", "Replay", "fewest_accelerators", "fewest_replicas", "layouts_of", "replayed"]

MOST_REPLICAS = 512
MOST_SEARCHED_REQUESTS = 60_000
"""The busiest hour is searched with so many requests at most: its busiest part."""
HOUR_S = 3600.0
DEGREES = (1, 2, 4, 8)
SEARCHED_PERCENTILES = (90.0, 95.0, 99.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fewest:
    """The fewest accelerators that hold the limits at a percentile, by replicas of one layout.

    Attributes
    ----------
    percentile : float
        For which the limits hold.
    replica_accelerator_count : int
        Accelerators of a replica.
    replica_count : int
        Replicas; those that stand by are not among them.
    """

    percentile: float
    replica_accelerator_count: int
    replica_count: int

    @property
    def accelerator_count(self) -> int:
        """Accelerators of all replicas."""
        return self.replica_accelerator_count * self.replica_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A log on a fleet.

    Attributes
    ----------
    service : Service
        How its requests were served.
    replica_count : int
        Replicas of the fleet that took part; those that stand by did not.
    searched_count : int
        Requests of the busiest stretch, on which the fewest accelerators were searched.
    fewest : tuple of Fewest or None
        For 90, 95 and 99 percent of the requests; None where more replicas do not help, since a request alone takes too long.
    """

    service: Service
    replica_count: int
    searched_count: int
    fewest: tuple[tuple[float, Fewest | None], ...]


def layouts_of(layout: Layout, machine: Machine, arch: Architecture) -> list[Layout]:
    """Return a layout and its kin: the same formats on other tensor-parallel degrees of one machine."""
    degrees = [each for each in DEGREES if each <= machine.accelerator_count and arch.heads % each == 0]
    kin = [replace(layout, tensor=each, pipeline=1, expert=1) for each in degrees]
    return [layout, *(each for each in kin if each.tensor != layout.tensor)] if layout.expert == 1 else [layout]


def replayed(
    requests: Requests, machine: Machine, layout: Layout, arch: Architecture, limits: Limits, assumptions: Assumptions,
    calibration: Calibration, *, routing: Routing = "least_loaded",
) -> Replay:  # fmt: skip
    """Return how a fleet serves the requests of a log, and the fewest accelerators that would hold the limits.

    Parameters
    ----------
    requests : Requests
        Of the log.
    machine, layout, arch
        What each replica runs on, and how; ``layout.data`` replicas take part.
    limits : Limits
        What the requests may wait.
    """
    typical = float((requests.input_tokens + requests.output_tokens / 2.0).mean())

    def times(each: Layout) -> StepTimes:
        return times_of_layout(
            machine,
            each,
            arch,
            assumptions,
            calibration,
            longest_tokens=requests.longest_tokens,
            typical_tokens=typical,
        )

    service = service_of(simulated(requests, times(layout), layout.data, routing=routing), limits)
    busiest = _busiest(requests)
    layouts = [(each.tensor * each.pipeline, times(each)) for each in layouts_of(layout, machine, arch)]
    fewest = tuple(
        (percentile, fewest_accelerators(busiest, layouts, replace(limits, percentile=percentile), routing=routing))
        for percentile in SEARCHED_PERCENTILES
    )
    return Replay(service=service, replica_count=layout.data, searched_count=len(busiest.arrival_s), fewest=fewest)


def _busiest(requests: Requests) -> Requests:
    """Return the busiest hour, or as much of its busiest part as is searched."""
    first, last = busiest_window(requests.arrival_s, HOUR_S)
    if last - first > MOST_SEARCHED_REQUESTS:
        hour_s = requests.arrival_s[first:last]
        inner, _ = busiest_window(hour_s, HOUR_S * MOST_SEARCHED_REQUESTS / (last - first))
        first = min(first + inner, last - MOST_SEARCHED_REQUESTS)
        last = first + MOST_SEARCHED_REQUESTS
    at = requests.arrival_s[first:last]
    return Requests(
        arrival_s=at - at[0], input_tokens=requests.input_tokens[first:last],
        output_tokens=requests.output_tokens[first:last], cached_tokens=requests.cached_tokens[first:last],
    )  # fmt: skip


def fewest_accelerators(
    requests: Requests, layouts: Sequence[tuple[int, StepTimes]], limits: Limits, *, routing: Routing = "least_loaded"
) -> Fewest | None:
    """Return the fewest accelerators that hold the limits, over all layouts; None where none does.

    Parameters
    ----------
    layouts : sequence of (int, StepTimes)
        Accelerators of a replica, and its step times.
    """
    best: Fewest | None = None
    assert limits.percentile is not None
    for size, times in layouts:
        most = MOST_REPLICAS if best is None else (best.accelerator_count - 1) // size
        found = fewest_replicas(requests, times, limits, most=most, routing=routing) if most else None
        if found:
            best = Fewest(percentile=limits.percentile, replica_accelerator_count=size, replica_count=found)
    return best


def fewest_replicas(
    requests: Requests,
    times: StepTimes,
    limits: Limits,
    *,
    least: int = 1,
    most: int = MOST_REPLICAS,
    routing: Routing = "least_loaded",
    skipped_count: int = 0,
) -> int | None:
    """Return the fewest replicas that hold the limits; None where so many do not.

    Parameters
    ----------
    least, most : int
        Where the search begins and ends.
    skipped_count : int
        First requests that are left out, while the replicas fill.
    """

    def holds(count: int) -> bool:
        return service_of(simulated(requests, times, count, routing=routing), limits, skipped_count=skipped_count).holds

    if not _holds_alone(requests, times, limits):
        return None
    return _first(holds, min(max(_least(requests, times), least), most), most)


def _first(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the first number from `least` on that holds, taking it that more never hurt."""
    low, high = least - 1, least
    while not holds(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
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
