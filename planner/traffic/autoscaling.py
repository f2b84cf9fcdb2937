"""Autoscaling: how many replicas are asked for, paid and ready in each minute of a log, and what its requests then wait.

A controller as Kubernetes' horizontal autoscaler is set up for inference: each minute it asks for as many replicas as the last
minute's requests take at the target rate of each, takes a replica away when none of the last minutes needed it, and a replica
that it asks for is paid at once and ready after its start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.memory import weight_bytes
from planner.traffic.percentiles import Limits, Service, service_of
from planner.traffic.simulation import Requests, Routing, simulated
from planner.traffic.step_times import StepTimes

MINUTE_S, MINUTES_PER_HOUR = 60.0, 60
KEPT_MINUTES = 5
"""A replica is kept so long after it was last needed (Kubernetes' default: 300 s)."""
LOAD_SHARES = (1.2, 0.9, 0.6)
"""Targets that are tried, as shares of the rate at which a replica of a fixed fleet holds the limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """How replicas follow the requests.

    Attributes
    ----------
    target_per_s : float
        Requests per second that each replica shall get.
    least_count, most_count : int
        Replicas; 0 at least scales to zero.
    start_minutes : float
        From asking for a replica until it serves.
    """

    target_per_s: float
    least_count: int = 1
    most_count: int = 512
    start_minutes: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Replicas by minute of a log.

    Attributes
    ----------
    paid_counts, ready_counts : IntArray
        Replicas that are asked for, and those of them that serve.
    """

    paid_counts: IntArray
    ready_counts: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaled:
    """A log on replicas that follow it.

    Attributes
    ----------
    autoscaling : Autoscaling
        How they follow.
    load_share : float
        Target over the rate at which a replica of a fixed fleet holds the limits.
    service : Service
        How the requests were served.
    fixed_count : int
        Replicas of the fixed fleet that it is held against.
    paid_counts : IntArray
        Replicas paid in each minute.
    start_count : int
        How often a replica was started.
    held_back_share : float
        Requests that came while no replica served, and waited for one to start.
    """

    autoscaling: Autoscaling
    load_share: float
    service: Service
    fixed_count: int
    paid_counts: IntArray
    start_count: int
    held_back_share: float

    def paid_share(self, group: int = 1) -> float:
        """Return the machine hours that are paid over those of the fixed fleet, with `group` replicas on each machine."""
        return float(np.ceil(self.paid_counts / group).mean() / math.ceil(self.fixed_count / group))

    def hourly_counts(self) -> tuple[float, ...]:
        """Return the mean number of paid replicas in each hour of the log."""
        starts = np.arange(0, len(self.paid_counts), MINUTES_PER_HOUR)
        lengths = np.diff(np.append(starts, len(self.paid_counts)))
        return tuple(float(each) for each in np.add.reduceat(self.paid_counts, starts) / lengths)


def start_minutes(arch: Architecture, precision: str, assumptions: Assumptions, *, is_rented: bool) -> float:
    """Return how long a replica takes to start: a rented machine, the weights by their size, the engine."""
    machine = assumptions["serve.start_machine_minutes"] if is_rented else 0.0
    load_s = weight_bytes(arch, precision) / 1e9 / assumptions["serve.weights_gb_per_s"]
    return machine + load_s / MINUTE_S + assumptions["serve.start_engine_minutes"]


def scheduled(arrival_s: FloatArray, autoscaling: Autoscaling) -> Schedule:
    """Return how many replicas are paid and ready in each minute; the fleet starts as large as the first minute takes.

    Examples
    --------
    >>> arrivals = np.repeat([0.0, 60.0, 120.0, 180.0, 240.0], [60, 60, 240, 240, 240])
    >>> found = scheduled(arrivals, Autoscaling(target_per_s=2.0, start_minutes=1.0))
    >>> found.paid_counts.tolist(), found.ready_counts.tolist()
    ([1, 1, 1, 2, 2], [1, 1, 1, 1, 2])
    """
    minutes = int(arrival_s[-1] // MINUTE_S) + 1
    counts = np.bincount((arrival_s // MINUTE_S).astype(np.int64), minlength=minutes)
    needed = np.ceil(counts / (MINUTE_S * autoscaling.target_per_s) - 1e-9).astype(np.int64)
    needed = np.clip(needed, autoscaling.least_count, autoscaling.most_count)
    # What a minute needs is known at its end.
    known = np.concatenate([np.full(KEPT_MINUTES, needed[0]), needed[:-1]])
    paid = np.lib.stride_tricks.sliding_window_view(known, KEPT_MINUTES).max(axis=1)
    waiting = math.ceil(autoscaling.start_minutes)
    if autoscaling.least_count == 0:
        paid = _until_it_served(paid, waiting + KEPT_MINUTES)
    before = np.concatenate([np.full(waiting, paid[0]), paid])
    ready = np.lib.stride_tricks.sliding_window_view(before, waiting + 1).min(axis=1)
    return Schedule(paid_counts=paid, ready_counts=ready)


def _until_it_served(paid: IntArray, minutes: int) -> IntArray:
    """Return paid replicas where the one that is started from none is kept until it is ready and idle again."""
    kept = paid.tolist()
    until = -1
    for minute, count in enumerate(kept):
        if count and (minute == 0 or not kept[minute - 1]):
            until = minute + minutes
        elif not count and minute < until:
            kept[minute] = 1
    return np.asarray(kept, dtype=np.int64)


def autoscaled(
    requests: Requests, times: StepTimes, limits: Limits, autoscaling: Autoscaling, *, fixed_count: int, load_share: float = 1.0,
    routing: Routing = "least_loaded",
) -> Autoscaled:  # fmt: skip
    """Return how replicas that follow the requests serve them.

    Parameters
    ----------
    requests, times, limits
        The log, a replica's step times, and what the requests may wait.
    fixed_count : int
        Replicas of the fleet that it is held against.
    """
    schedule = scheduled(requests.arrival_s, autoscaling)
    ready = schedule.ready_counts
    minutes = np.arange(len(ready))
    # A request that finds no replica is held back until the next one is ready; the last ones wait for a whole start.
    end = len(ready) + math.ceil(autoscaling.start_minutes)
    serving = np.where(ready > 0, minutes, end)
    opens = np.minimum.accumulate(serving[::-1])[::-1]
    minute = (requests.arrival_s // MINUTE_S).astype(np.int64)
    is_held = opens[minute] > minute
    begin_s = np.where(is_held, opens[minute] * MINUTE_S, requests.arrival_s)
    counts = np.maximum(np.append(ready, 1)[np.minimum(opens[minute], len(ready))], 1)
    outcome = simulated(
        replace(requests, arrival_s=begin_s), times, int(counts.max()), routing=routing, ready_counts=counts
    )
    held_s = begin_s - requests.arrival_s
    outcome = replace(outcome, ttft_s=outcome.ttft_s + held_s, total_s=outcome.total_s + held_s)
    paid = schedule.paid_counts
    return Autoscaled(
        autoscaling=autoscaling, load_share=load_share, service=service_of(outcome, limits), fixed_count=fixed_count, paid_counts=paid,
        start_count=int(np.maximum(np.diff(paid), 0).sum()), held_back_share=float(is_held.mean()),
    )  # fmt: skip


def cheapest_autoscaled(
    requests: Requests, times: StepTimes, limits: Limits, autoscaling: Autoscaling, *, fixed_count: int,
    load_shares: Sequence[float] = LOAD_SHARES, routing: Routing = "least_loaded",
) -> Autoscaled:  # fmt: skip
    """Return the highest target at which the limits hold; the lowest one that was tried where they do at none.

    Parameters
    ----------
    autoscaling : Autoscaling
        Its target is the rate at which a replica of a fixed fleet holds the limits.
    load_shares : sequence of float
        Targets that are tried, as shares of it, from the highest down.
    """
    low, high = 0, len(load_shares) - 1
    outcomes: dict[int, Autoscaled] = {}
    while low <= high:
        middle = (low + high) // 2
        share = load_shares[middle]
        asked = replace(autoscaling, target_per_s=share * autoscaling.target_per_s)
        outcomes[middle] = autoscaled(
            requests, times, limits, asked, fixed_count=fixed_count, load_share=share, routing=routing
        )
        low, high = (low, middle - 1) if outcomes[middle].service.holds else (middle + 1, high)
    return outcomes[min(low, len(load_shares) - 1)]


def staying_ready(
    requests: Requests, times: StepTimes, limits: Limits, chosen: Autoscaled, *, routing: Routing = "least_loaded"
) -> Autoscaled | None:
    """Return the same replicas scaled to zero when idle, or never where the chosen ones are; None where that changes nothing."""
    other = replace(chosen.autoscaling, least_count=0 if chosen.autoscaling.least_count else 1)
    if np.array_equal(scheduled(requests.arrival_s, other).paid_counts, chosen.paid_counts):
        return None
    return autoscaled(
        requests, times, limits, other, fixed_count=chosen.fixed_count, load_share=chosen.load_share, routing=routing
    )
