"""Replay: the requests of a log on a fleet, and the fewest accelerators that hold the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.supply.calibration import Calibration
from planner.supply.machines import Layout, Machine
from planner.traffic.autoscaling import LOAD_SHARES, Autoscaled, Autoscaling, cheapest_autoscaled, staying_ready
from planner.traffic.percentiles import MOST_REPLICAS, Limits, Service, fewest_replicas, service_of
from planner.traffic.simulation import Outcome, Requests, Routing, simulated
from planner.traffic.step_times import StepTimes, times_of_layout
from planner.traffic.summary import busiest_window

MOST_SEARCHED_REQUESTS = 30_000
"""The busiest hour is searched with so many requests at most: its busiest part."""
HOUR_S = 3600.0
DEGREES = (1, 2, 4, 8)
SEARCHED_PERCENTILES = (50.0, 90.0, 95.0, 99.0)


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
class Target:
    """Machines of a plan's option, on which a log is replayed.

    Attributes
    ----------
    option_id, accelerator : str
        The option, and what it has.
    machine, layout
        What each replica runs on, and how; ``layout.data`` replicas take part.
    usd_per_machine_hour : float or None
        What the option costs for each hour of a machine that is paid.
    is_paid_by_hour : bool
        Whether a machine that is given back costs nothing.
    start_minutes : float
        From asking for a replica until it serves.
    """

    option_id: str
    accelerator: str
    machine: Machine
    layout: Layout
    usd_per_machine_hour: float | None
    is_paid_by_hour: bool
    start_minutes: float

    def machines_of(self, fewest: Fewest) -> int:
        """Return the machines that hold so many replicas."""
        return math.ceil(fewest.replica_count * self.replica_machines(fewest))

    def replica_machines(self, fewest: Fewest) -> float:
        """Return the machines, or the part of one, that a replica takes."""
        have = max(int(self.machine.accelerator_count), 1)
        needed = fewest.replica_accelerator_count
        return math.ceil(needed / have) if needed > have else 1.0 / (have // needed)

    def usd_per_month(self, fewest: Fewest | None, hours_per_month: float) -> float | None:
        """Return what the machines cost when they are always on."""
        if fewest is None or self.usd_per_machine_hour is None:
            return None
        return self.machines_of(fewest) * self.usd_per_machine_hour * hours_per_month


FewestByPercentile = tuple[tuple[float, Fewest | None], ...]


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
    fewest : tuple of (float, Fewest or None)
        For 50, 90, 95 and 99 percent of the requests; None where more replicas do not help, since a request alone takes too long.
    others : tuple of (Target, ...)
        The same on other options, in their own layout.
    cheapest : Target or None
        Of all of them the one that holds the limits at their percentile for the least money, or with the fewest accelerators
        where no price is known.
    autoscaled : Autoscaled or None
        Its replicas as they follow the whole log.
    counterpart : Autoscaled or None
        The same scaled to zero when idle, or never where `autoscaled` is; None where that changes nothing.
    """

    service: Service
    replica_count: int
    searched_count: int
    fewest: FewestByPercentile
    others: tuple[tuple[Target, FewestByPercentile], ...] = ()
    cheapest: Target | None = None
    autoscaled: Autoscaled | None = None
    counterpart: Autoscaled | None = None

    def fewest_on(self, target: Target) -> dict[float, Fewest | None]:
        """Return the fewest accelerators of an option, by percentile."""
        return dict(next((fewest for other, fewest in self.others if other == target), self.fewest))


def layouts_of(layout: Layout, machine: Machine, arch: Architecture) -> list[Layout]:
    """Return a layout and its kin: the same formats on other tensor-parallel degrees of one machine."""
    degrees = [degree for degree in DEGREES if degree <= machine.accelerator_count and arch.heads % degree == 0]
    kin = [replace(layout, tensor=degree, pipeline=1, expert=1) for degree in degrees]
    return [layout, *(other for other in kin if other.tensor != layout.tensor)] if layout.expert == 1 else [layout]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What turns layouts into step times for the requests of one log."""

    requests: Requests
    arch: Architecture
    assumptions: Assumptions
    calibration: Calibration

    def times(self, machine: Machine, layout: Layout) -> StepTimes:
        """Return the step times of a layout."""
        requests = self.requests
        return times_of_layout(
            machine, layout, self.arch, self.assumptions, self.calibration, longest_tokens=requests.longest_tokens,
            typical_tokens=float((requests.input_tokens + requests.output_tokens / 2.0).mean()),
        )  # fmt: skip


def replayed(
    fit: Fit, targets: Sequence[Target], limits: Limits, *, routing: Routing = "least_loaded", least_count: int = 1, most_count: int | None = None,
    target_per_s: float | None = None,
) -> Replay:  # fmt: skip
    """Return how a fleet serves the requests of a log, the fewest accelerators that hold the limits, and what autoscaling saves.

    Parameters
    ----------
    fit : Fit
        The log, and the model that serves it.
    targets : sequence of Target
        The option on whose fleet the log is replayed, and others that may hold the limits for less.
    limits : Limits
        What the requests may wait.
    least_count, most_count : int
        Replicas that autoscaling keeps within; at most those of the fixed fleet where nothing is said.
    target_per_s : float, optional
        Requests per second that autoscaling gives each replica, where it is not searched.
    """
    assert limits.percentile is not None
    stated = limits.percentile
    first, *others = targets
    requests, busiest = fit.requests, _busiest(fit.requests)
    percentiles = sorted({*SEARCHED_PERCENTILES, limits.percentile})
    times = fit.times(first.machine, first.layout)
    service = service_of(simulated(requests, times, first.layout.data, routing=routing), limits)
    kin = [
        (layout.tensor * layout.pipeline, fit.times(first.machine, layout))
        for layout in layouts_of(first.layout, first.machine, fit.arch)
    ]
    fewest = _by_percentile(busiest, kin, limits, percentiles, routing)
    elsewhere = tuple(
        (target, _by_percentile(busiest, [(_size(target.layout), fit.times(target.machine, target.layout))], limits, percentiles, routing))
        for target in others
    )  # fmt: skip
    replay = Replay(
        service=service, replica_count=first.layout.data, searched_count=len(busiest.arrival_s), fewest=fewest, others=elsewhere
    )  # fmt: skip
    holding = [target for target in targets if replay.fewest_on(target)[stated]]
    if not holding:
        return replay
    cheapest = min(holding, key=lambda target: _rank(target, replay.fewest_on(target)[stated]))
    best = replay.fewest_on(cheapest)[stated]
    assert best is not None
    span_s = max(float(busiest.arrival_s[-1]), 1.0)
    autoscaling = Autoscaling(
        target_per_s=len(busiest.arrival_s) / span_s / best.replica_count, start_minutes=cheapest.start_minutes,
        least_count=least_count, most_count=max(most_count or best.replica_count, least_count),
    )  # fmt: skip
    shape = next(
        layout for layout in layouts_of(cheapest.layout, cheapest.machine, fit.arch) if _size(layout) == best.replica_accelerator_count
    )  # fmt: skip
    shares = (target_per_s / autoscaling.target_per_s,) if target_per_s else LOAD_SHARES
    best_times = fit.times(cheapest.machine, shape)
    scaled = cheapest_autoscaled(
        requests, best_times, limits, autoscaling, fixed_count=best.replica_count, load_shares=shares, routing=routing
    )  # fmt: skip
    other = staying_ready(requests, best_times, limits, scaled, routing=routing)
    return replace(replay, cheapest=cheapest, autoscaled=scaled, counterpart=other)


def _size(layout: Layout) -> int:
    """Return the accelerators of a replica."""
    return max(layout.tensor, layout.expert) * layout.pipeline


def _rank(target: Target, fewest: Fewest | None) -> tuple[float, float]:
    assert fewest is not None
    usd = target.usd_per_month(fewest, 1.0)
    return (math.inf if usd is None else usd, float(fewest.accelerator_count))


def _by_percentile(
    requests: Requests, layouts: Sequence[tuple[int, StepTimes]], limits: Limits, percentiles: Sequence[float], routing: Routing
) -> FewestByPercentile:  # fmt: skip
    """Return the fewest accelerators for each percentile; what was simulated for one serves the others."""
    outcomes: dict[tuple[int, int], Outcome] = {}
    return tuple(
        (
            percentile,
            fewest_accelerators(
                requests, layouts, replace(limits, percentile=percentile), routing=routing, outcomes=outcomes
            ),
        )
        for percentile in percentiles
    )


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
    requests: Requests, layouts: Sequence[tuple[int, StepTimes]], limits: Limits, *, routing: Routing = "least_loaded",
    outcomes: dict[tuple[int, int], Outcome] | None = None,
) -> Fewest | None:  # fmt: skip
    """Return the fewest accelerators that hold the limits, over all layouts; None where none does.

    Parameters
    ----------
    layouts : sequence of (int, StepTimes)
        Accelerators of a replica, and its step times.
    outcomes : dict, optional
        What was simulated so far, by layout and number of replicas; what is simulated is added.
    """
    outcomes = {} if outcomes is None else outcomes
    best: Fewest | None = None
    assert limits.percentile is not None
    for place, (size, times) in enumerate(layouts):

        def outcome_of(count: int, place: int = place, times: StepTimes = times) -> Outcome:
            if (place, count) not in outcomes:
                outcomes[place, count] = simulated(requests, times, count, routing=routing)
            return outcomes[place, count]

        most = MOST_REPLICAS if best is None else (best.accelerator_count - 1) // size
        replicas = fewest_replicas(requests, times, limits, most=most, outcome_of=outcome_of) if most else None
        if replicas:
            best = Fewest(percentile=limits.percentile, replica_accelerator_count=size, replica_count=replicas)
    return best
