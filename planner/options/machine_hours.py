"""Machines and their hours: how many do the work, in which months they work, how many hours they are on, and the spares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import BuyInputs, RentInputs
from planner.demand.architecture import Architecture
from planner.demand.volume import Volume
from planner.demand.workload import Constraints, Precision, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Machine, Refusal
from pricing.facts.accelerators import resolve_all

FORMATS_OF_ACCELERATORS = frozenset({Precision.FP8, Precision.FP4})


def sized_machines(
    workload: Workload,
    architecture: Architecture | None,
    machines: Sequence[Machine],
    assumptions: Assumptions,
    calibration: Calibration | None,
) -> list[Fleet | Refusal]:
    """Return how many of each machine do the work, or why none does."""
    most = workload.constraints.max_gpus
    with_accelerators = tuple(machine for machine in machines if machine.accelerator is not None)
    processors = tuple(machine for machine in machines if machine.accelerator is None)
    return [
        result
        for asked, sort in ((workload, with_accelerators), (asked_of_processors(workload), processors))
        for result in size(asked, architecture, sort, assumptions, max_accelerators=most, calibration=calibration)
    ]


def asked_of_processors(workload: Workload) -> Workload:
    """Return the work as processors are asked for it: in 16 bit where only formats are allowed that none computes in."""
    if workload.precision and set(workload.precision) <= FORMATS_OF_ACCELERATORS:
        return workload.model_copy(update={"precision": (Precision.BF16,), "kv_precision": ()})
    return workload


def is_wanted(machine: Machine, constraints: Constraints) -> bool:
    """Tell whether a machine that is not rented has an accelerator that was asked for."""
    if not constraints.gpus:
        return True
    names = {accelerator.name for gpu in constraints.gpus for accelerator in resolve_all(gpu)}
    return machine.accelerator is not None and machine.accelerator.name in names


@dataclass(frozen=True, eq=False)
class Schedule:
    """Hours of work by month.

    Attributes
    ----------
    fleet : Fleet
        The machines; more of them than were handed in where runs of a job overlap.
    on_hours : FloatArray, shape (months,)
        Hours in which the whole fleet is on when idle machines are given back.
    busy_share : FloatArray, shape (months,)
        Busy share of the clock hours of a fleet that is never given back.
    useful_gpu_hours : FloatArray, shape (months,)
        Accelerator hours of useful work; machine hours where there are no accelerators.
    last_month : int
        The month in which the work ends, counted from 1.
    """

    fleet: Fleet
    on_hours: FloatArray
    busy_share: FloatArray
    useful_gpu_hours: FloatArray
    last_month: int

    @cached_property
    def mean_on_hours(self) -> float:
        """Hours on in the mean month, up to the end of the work."""
        return float(self.on_hours[: self.last_month].mean())

    @cached_property
    def mean_useful_gpu_hours(self) -> float:
        """Accelerator hours of useful work in the mean month, up to the end of the work."""
        return float(self.useful_gpu_hours.sum()) / self.last_month

    @cached_property
    def sums(self) -> tuple[float, float]:
        """Hours on, and busy shares, of all months together."""
        return float(self.on_hours.sum()), float(self.busy_share.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours in which machines are on, of one fleet or of many, as arrays of one shape.

    Attributes
    ----------
    on : FloatArray
        Hours in each month; in all, for jobs that are run once.
    once : bool
        Whether these are jobs that are run once.
    last_month : ndarray of int
        The month in which the work ends, counted from 1.
    side_by_side : FloatArray
        How many runs of a job overlap, each on machines of its own.
    """

    on: FloatArray
    once: bool
    last_month: NDArray[np.int64]
    side_by_side: FloatArray

    def at(self, rows: NDArray[np.intp]) -> Hours:
        """Return those of some fleets."""
        return replace(self, on=self.on[rows], last_month=self.last_month[rows], side_by_side=self.side_by_side[rows])


def whole_months(on_hours: FloatArray | float, hours_per_month: float) -> FloatArray:
    """Return in how many months hours lie that follow one another, or how many machines do the hours of one month."""
    return np.maximum(1.0, np.ceil(on_hours / hours_per_month - 1e-9))


def hours_of_runs(
    busy_hours: FloatArray,
    runs_per_month: FloatArray | float,
    *,
    once: bool,
    start_hours: float,
    months: int,
    hours_per_month: float,
) -> Hours:
    """Return when machines are on that do a run of a job in so many busy hours, after a start; see `schedule`."""
    on = busy_hours + start_hours if once else (busy_hours + start_hours) * runs_per_month
    whole = whole_months(on, hours_per_month)
    if once:
        last_month = np.minimum(whole, months).astype(np.int64)
        return Hours(on=on, once=True, last_month=last_month, side_by_side=np.ones(whole.shape))
    return Hours(on=on / whole, once=False, last_month=np.full(whole.shape, months), side_by_side=whole)


def schedule(fleet: Fleet, work: Volume, *, months: int, hours_per_month: float, start_hours: float = 0.0) -> Schedule:
    """Spread the work over the months of the horizon.

    Parameters
    ----------
    fleet : Fleet
        Machines that hold the load, or that finish one run of a job in `Fleet.busy_hours_per_run`.
    work : Volume
        Tells whether the work ends, and how often it comes again.
    months : int
        Horizon. A job that would run past it is cut there, and the caller refuses it beforehand.
    hours_per_month : float
        Clock hours in a month.
    start_hours : float
        Hours before a job's first step in which machines are on: boot, image, weights and data.
    """
    units = fleet.accelerators_used or float(fleet.instance_count)
    if fleet.busy_hours_per_run is None:
        on = np.full(months, hours_per_month * fleet.elastic_share)
        busy = np.full(months, fleet.utilisation_share)
        return Schedule(fleet, on, busy, busy * hours_per_month * units, months)
    busy_hours, runs = fleet.busy_hours_per_run, work.runs_per_month
    hours = hours_of_runs(
        np.asarray(busy_hours),
        runs,
        once=not runs,
        start_hours=start_hours,
        months=months,
        hours_per_month=hours_per_month,
    )
    on_hours, together = float(hours.on), int(hours.side_by_side)
    if hours.once:
        on = np.diff(np.minimum(on_hours, hours_per_month * np.arange(1, months + 1)), prepend=0.0)
        busy = on * (busy_hours / on_hours)
    else:
        on, busy = np.full(months, on_hours), np.full(months, busy_hours * runs / together)
    if together > 1:
        fleet = replace(
            fleet,
            instance_count=fleet.instance_count * together,
            accelerators_used=fleet.accelerators_used * together,
            notes=(*fleet.notes, Note(NoteCode.SIDE_BY_SIDE, (together, busy_hours))),
        )
    return Schedule(fleet, on, busy / hours_per_month, busy * units * together, int(hours.last_month))


def needed_share(plan: Schedule, hours_per_month: float) -> float:
    """Return the share of the clock hours in use, up to the end of the work."""
    return min(1.0, plan.mean_on_hours / hours_per_month)


def hours_of_work(plan: Schedule, hours_per_month: float, *, once: bool) -> tuple[float, float, float]:
    """Return the hours on in each month, the hours on of a job that is run once, and busy hours over hours on.

    Parameters
    ----------
    plan : Schedule
        Months of work.
    hours_per_month : float
        Clock hours in a month.
    once : bool
        Whether the work is a job that is run once.
    """
    on_hours, busy_share = plan.sums
    busy_ratio = busy_share * hours_per_month / on_hours if on_hours > 0 else 0.0
    return (0.0, on_hours, busy_ratio) if once else (float(plan.on_hours[0]), 0.0, busy_ratio)


def spare_costs_usd_per_month(
    all_inputs: Sequence[RentInputs | BuyInputs], fleets: Sequence[Fleet], assumptions: Assumptions, costs_usd: FloatArray, *, months: int
) -> FloatArray:  # fmt: skip
    """Return what the spares of each option add to the mean month: its cost, less that of the same machines without them.

    Parameters
    ----------
    all_inputs : sequence of RentInputs or BuyInputs
        Of one kind and site.
    fleets : sequence of Fleet
        Their machines; work with spares never ends.
    costs_usd : FloatArray, shape (options,)
        Plain sums of the options, spares counted.
    months : int
        Horizon.
    """
    if not any(fleet.spare_instance_count for fleet in fleets):
        return costs_usd * 0.0
    clock = assumptions["money.hours_per_month"]
    bare = [_without_spares(cost_inputs, fleet, clock) for cost_inputs, fleet in zip(all_inputs, fleets, strict=True)]
    return (costs_usd - timelines(bare, assumptions, months=months).total_usd()) / months


def _without_spares(
    cost_inputs: RentInputs | BuyInputs, fleet: Fleet, hours_per_month: float
) -> RentInputs | BuyInputs:
    """Return an option's numbers without its spares, which are on in every hour."""
    total, spare = fleet.instance_count, fleet.spare_instance_count
    hours = max(cost_inputs.hours_per_month * total - hours_per_month * spare, 0.0) / (total - spare)
    if isinstance(cost_inputs, RentInputs):
        return replace(cost_inputs, instance_count=total - spare, hours_per_month=hours)
    busy_hours = cost_inputs.hours_per_month * cost_inputs.busy_ratio * total / (total - spare)
    return replace(
        cost_inputs, server_count=total - spare, hours_per_month=hours, busy_ratio=busy_hours / hours if hours else 0.0
    )
