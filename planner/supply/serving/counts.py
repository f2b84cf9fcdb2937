"""How many machines hold a rate: the best replica of every machine, and what a fleet of them does at one load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.profiles import elastic_shares
from planner.demand.workload import Serve, Workload
from planner.supply.calibration import Calibration, band, bases_of, default_calibration
from planner.supply.fleet_arrays import Amounts, Fleets, are_too_many
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Machine, OperatingPoint
from planner.supply.serving.candidates import BATCHES, MOST_FLEET, Demand, demand_of, spare_machines
from planner.supply.serving.replicas import Prospects, prospects_by_formats


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Where a closed loop settles: replicas at work, requests in flight in each stage of one, and the rate of them all."""

    replica_count: int
    batch_count: float
    rate_per_s: float

    def begun_together(self, demand: Demand, prompts_s: float, stages: float) -> tuple[float, float]:
        """Return the wait for the first token, and the rate of one replica, of users who all begin at once, as in a benchmark.

        `prompts_s` is the time in which the prompts before one's own are read; whom the batch has no room for waits for an answer's end.
        """
        users, rate_per_s = demand.user_count / self.replica_count, self.rate_per_s / self.replica_count
        if rate_per_s <= 0.0:
            return prompts_s, rate_per_s
        at_work = min(self.batch_count * stages, users)
        slower = at_work / (at_work / rate_per_s + prompts_s)
        return prompts_s + (users - at_work) / slower, slower


def loop_of(prospects: Prospects, pick: int, demand: Demand, replicas: int) -> Loop:
    """Return where the demand's users, who ask again as soon as they are answered, bring so many replicas of a candidate.

    Nobody is turned away: what does not fit waits until the batch has room, so that the fullest batch is the most there is.
    Fewer requests than stages leave stages idle.
    """
    stages, most = float(prospects.reps.stages[pick]), float(prospects.grid.most_requests[pick])
    rates = prospects.grid.rate_per_s[pick]
    working = max(min(replicas, int(demand.user_count)), 1)
    if replicas < 1 or most < 1.0 / stages or not (rates > 0).all():
        return Loop(replica_count=working, batch_count=1.0, rate_per_s=0.0)
    per_batch = demand.user_count / (working * stages)
    batch = min(max(per_batch, 1.0), max(most, 1.0))
    rate = float(np.interp(batch, BATCHES, rates)) * working * min(per_batch / batch, 1.0)
    return Loop(replica_count=working, batch_count=batch, rate_per_s=rate)


def operating_point(demand: Demand, requests_per_s: float, in_flight: float, sigma: float) -> OperatingPoint:
    """Return a state of a fleet from its rate and its requests in flight; `sigma` is the spread of its speed."""
    return OperatingPoint(
        requests_per_s=requests_per_s,
        output_tokens_per_s=band(requests_per_s * demand.output_tokens, sigma),
        concurrency=in_flight,
        kv_cache_tokens=in_flight * (demand.input_tokens + demand.output_tokens / 2.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that does not depend on how much is asked."""

    workload: Workload
    arch: Architecture
    machines: Sequence[Machine]
    hw: Hardware
    demand: Demand
    assumptions: Assumptions
    calibration: Calibration
    fixed_machines: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The best replica of every machine (axis 0) at every size (axis 1).

    Attributes
    ----------
    first, prospects : list of Prospects
        By machine, those that were tried first, and those of which the replica is: smaller formats where the first hold no model.
    pick : IntArray
        Which of them; -1 where none does the work.
    machine_count, spare_count : FloatArray
        Machines that the rate takes (0 where there is no replica), and those that stand by.
    replica_count, accelerator_count, planned_per_s : FloatArray
        Replicas on these machines, the accelerators that they take, and what may be planned of all of them.
    """

    first: list[Prospects]
    prospects: list[Prospects]
    pick: IntArray
    machine_count: FloatArray
    spare_count: FloatArray
    replica_count: FloatArray
    accelerator_count: FloatArray
    planned_per_s: FloatArray


def scene_of(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions,
    calibration: Calibration | None, fixed_machines: int | None = None,
) -> Scene:  # fmt: skip
    """Return what serving (`Serve`) or answering a heap of requests (`Batch`) asks of some machines."""
    return Scene(
        workload=workload, arch=arch, machines=machines, hw=hardware(machines), demand=demand_of(workload, assumptions),
        assumptions=assumptions, calibration=calibration or default_calibration(), fixed_machines=fixed_machines,
    )  # fmt: skip


def served(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, amounts: Amounts, *,
    calibration: Calibration | None = None,
) -> Fleets:  # fmt: skip
    """Return the fleets for serving (`Serve`) or answering a heap of requests (`Batch`).

    Parameters
    ----------
    workload : Workload
        The shape; its own size plays no part.
    amounts : Amounts
        Requests per second, by the deadline for a heap, and requests of a heap.
    """
    scene = scene_of(workload, arch, machines, assumptions, calibration)
    return fleets_of(scene, choice_of(scene, amounts), amounts)


def choice_of(scene: Scene, amounts: Amounts) -> Choice:
    """Return the best replica of every machine at every size: that on the fewest machines, or the quickest on a fixed number."""
    demand, shape = scene.demand, (len(scene.machines), len(amounts.peak_per_s))
    first: dict[int, Prospects] = {}
    taken: dict[int, Prospects] = {}
    pick = np.full(shape, -1)
    count, spares, replicas, accelerators, planned = (np.zeros(shape) for _ in range(5))
    for prospects in prospects_by_formats(
        scene.workload, scene.arch, scene.machines, scene.hw, demand, scene.assumptions, scene.calibration,
        most_machines=scene.fixed_machines,
    ):  # fmt: skip
        reps = prospects.reps
        for row in prospects.tried:
            first.setdefault(row, prospects)
            if scene.fixed_machines is None:
                best, needed = prospects.fewest_on(row, demand, amounts.peak_per_s)
            else:
                best, needed = _quickest_on(scene.fixed_machines, prospects, row, demand)
            able = np.isfinite(needed)
            if not able.any():
                continue
            taken[row], best, needed = prospects, best[able], np.minimum(needed[able], 1e12)
            pick[row, able], count[row, able] = best, needed
            replicas[row, able] = reps.replicas_on(needed, best)
            accelerators[row, able] = replicas[row, able] * reps.group[best] * reps.stages[best]
            planned[row, able] = prospects.capacity.planned_rate[best] * replicas[row, able]
            if scene.fixed_machines is None:
                spares[row, able] = spare_machines(demand, reps.machines_each[best])
    return Choice(
        first=[first[row] for row in range(shape[0])], prospects=[taken.get(row, first[row]) for row in range(shape[0])],
        pick=pick, machine_count=count, spare_count=spares,
        replica_count=replicas, accelerator_count=accelerators, planned_per_s=planned,
    )  # fmt: skip


def _quickest_on(machine_count: int, prospects: Prospects, row: int, demand: Demand) -> tuple[IntArray, FloatArray]:
    """Return the replica that does the most on so many machines, and their number; infinite where none does anything."""
    at = prospects.in_order(prospects.of_machine(row), ends=demand.requests > 0)
    replicas = prospects.reps.replicas_on(machine_count, at)
    rates = np.where(replicas > 0, prospects.capacity.rate_on(replicas, at), 0.0) * replicas
    able = rates > 0
    at, replicas, rates = at[able], replicas[able], rates[able]
    if not at.size:
        return np.array([-1]), np.array([np.inf])
    if demand.user_count:
        rates = np.array(
            [loop_of(prospects, pick, demand, int(count)).rate_per_s for pick, count in zip(at, replicas, strict=True)]
        )
    return at[[np.argmax(rates)]], np.array([float(machine_count)])


def fleets_of(scene: Scene, choice: Choice, amounts: Amounts) -> Fleets:
    """Return the fleets of the chosen replicas, with those that stand by: they are on and share the work, so that one may fail."""
    is_fixed, is_heap = scene.fixed_machines is not None, not isinstance(scene.workload.work, Serve)
    needed, spares = choice.machine_count, choice.spare_count
    count = needed + spares
    too_many = are_too_many(scene.machines, count, scene.assumptions, most=MOST_FLEET)
    if is_fixed:
        too_many = count > MOST_FLEET
    count = np.where(too_many, 0.0, count)
    is_on = count > 0
    needed, planned = np.where(is_on, needed, 0.0), np.where(is_on, choice.planned_per_s, 1.0)
    with_spares = np.divide(count, needed, out=np.ones_like(count), where=is_on)
    slices = np.array([machine.slice_share for machine in scene.machines])[:, None]
    elastic = np.ones_like(count)
    if isinstance(scene.workload.work, Serve) and not is_fixed:
        # The fewest machines that are on.
        least = np.ceil(scene.demand.least_replica_count * needed / np.maximum(choice.replica_count, 1.0))
        elastic = elastic_shares(scene.workload.work.profile, amounts.peak_over_mean, needed, least)
        elastic = np.divide(elastic * needed + spares, count, out=np.ones_like(count), where=is_on)
    utilisation = np.minimum(1.0, amounts.mean_per_s / (planned / scene.demand.load_share)) / with_spares
    return Fleets(
        instance_count=count,
        accelerators_used=choice.accelerator_count * slices * with_spares,
        busy_hours_per_run=np.where(is_on, amounts.total / planned / 3600.0, np.nan)
        if is_heap
        else np.full_like(count, np.nan),
        elastic_share=elastic,
        utilisation_share=np.ones_like(count) if is_heap or is_fixed else utilisation,
        basis=bases_of(scene.calibration, "serve.bandwidth_share", scene.machines, count),
    )
