"""Sizes: the fleets of one shape of work at many sizes at once, as arrays of machines by sizes.

What a machine can do depends on the shape of the work (model, lengths, limits, formats); how many are needed depends on its size
(requests, documents, tokens, the deadline). Here the first is worked out once and the second is counted for every size.
Each figure equals that of `planner.supply.fleet.size` for the same workload.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.profiles import elastic_shares
from planner.demand.suitability import suitable_model
from planner.demand.workload import Batch, Embed, EmbedService, FinetuneImages, Serve, Transcribe, Workload
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.evidence import basis_and_evidence, slow_ratio
from planner.supply.fleet import size
from planner.supply.hardware import hardware
from planner.supply.machines import Fleet, Layout, Machine, Performance, Range
from planner.supply.serving.candidates import MOST_FLEET, Demand, demand_of, spare_machines
from planner.supply.serving.replica_rates import Prospects, prospects_by_formats
from planner.supply.throughput.fleet import load_share
from pricing.units import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleets:
    """What `planner.supply.machines.Fleet` tells, for every machine (axis 0) at every size (axis 1).

    Attributes
    ----------
    instance_count : FloatArray
        Whole machines; 0 where the machine cannot do the work.
    accelerators_used : FloatArray
        Those that work.
    busy_hours_per_run : FloatArray
        Of one run of a job; NaN for work that never ends.
    elastic_share, utilisation_share : FloatArray
        Of the machine hours.
    basis : tuple of str
        By machine; empty where it never does the work.
    """

    instance_count: FloatArray
    accelerators_used: FloatArray
    busy_hours_per_run: FloatArray
    elastic_share: FloatArray
    utilisation_share: FloatArray
    basis: tuple[str, ...]

    def at(self, machine: Machine, row: int, column: int) -> Fleet:
        """Return one cell as a fleet of which all is told but its speed."""
        busy = float(self.busy_hours_per_run[row, column])
        unasked = Range(low=1.0, typical=1.0, high=1.0)
        return Fleet(
            machine=machine,
            instance_count=int(self.instance_count[row, column]),
            layout=Layout(precision="stated"),
            performance=Performance(rate_per_s=unasked, rate_unit="", bound="stated", basis=self.basis[row]),
            accelerators_used=float(self.accelerators_used[row, column]),
            busy_hours_per_run=None if np.isnan(busy) else busy,
            elastic_share=float(self.elastic_share[row, column]),
            utilisation_share=float(self.utilisation_share[row, column]),
        )


def nothing(machine_count: int, size_count: int) -> Fleets:
    """Return fleets of which none does the work; the arrays are there to be filled."""
    shape = (machine_count, size_count)
    return Fleets(
        instance_count=np.zeros(shape),
        accelerators_used=np.zeros(shape),
        busy_hours_per_run=np.full(shape, np.nan),
        elastic_share=np.ones(shape),
        utilisation_share=np.ones(shape),
        basis=("",) * machine_count,
    )


def together(parts: Sequence[Fleets]) -> Fleets:
    """Return the machines of all parts, one below the other."""
    return Fleets(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (
                "instance_count",
                "accelerators_used",
                "busy_hours_per_run",
                "elastic_share",
                "utilisation_share",
            )
        },
        basis=tuple(basis for part in parts for basis in part.basis),
    )


def _within(machines: Sequence[Machine], count: FloatArray, assumptions: Assumptions, *, most: float) -> FloatArray:
    """Return the counts, 0 where CPUs alone would fill a hall, or where there are more than `most` machines."""
    is_cpu = np.array([machine.accelerator is None for machine in machines])[:, None]
    too_many = np.where(is_cpu, count > assumptions["perf.most_cpu_machines_count"], count > most)
    return np.where(too_many, 0.0, count)


def served(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    mean_per_s: FloatArray, peak_per_s: FloatArray, requests: FloatArray, calibration: Calibration | None = None,
) -> Fleets:  # fmt: skip
    """Return the fleets for serving (`Serve`) or answering a heap of requests (`Batch`).

    Parameters
    ----------
    workload : Workload
        The shape; its own size plays no part.
    mean_per_s, peak_per_s : FloatArray, shape (sizes,)
        Requests per second, by the deadline for a heap; 0 where there is none.
    requests : FloatArray, shape (sizes,)
        In the heap; 0 for serving.
    """
    calibration = calibration or default_calibration()
    arch = suitable_model(workload, arch)
    demand, hw = demand_of(workload, assumptions), hardware(machines)
    result = nothing(len(machines), len(mean_per_s))
    spares = np.zeros_like(result.instance_count)
    basis = list(result.basis)
    for found in prospects_by_formats(workload, arch, machines, hw, demand, assumptions, calibration):
        for row in found.tried:
            mine = found.of_machine(row)
            good = mine[found.capacity.planned_rate[mine] > 0]
            if good.size:
                basis[row] = basis_and_evidence(calibration, "serve.bandwidth_share", machines[row])[0]
                _count_replicas(result, spares, row, found, good, demand, peak_per_s)
    # Until here `accelerators_used` holds replicas times accelerators, `utilisation_share` what may be planned in a second.
    needed = result.instance_count
    count = _within(machines, np.where(needed > 0, needed + spares, 0.0), assumptions, most=MOST_FLEET)
    planned = np.where(count > 0, result.utilisation_share, 1.0)
    needed = np.where(count > 0, needed, 0.0)
    is_heap = isinstance(workload.work, Batch)
    busy = requests / planned / 3600.0 if is_heap else result.busy_hours_per_run
    ratio = np.divide(peak_per_s, mean_per_s, out=np.ones_like(mean_per_s), where=mean_per_s > 0)
    # As `planner.supply.machines.with_spares`.
    with_spares = np.divide(count, needed, out=np.ones_like(count), where=needed > 0)
    elastic = result.elastic_share
    if isinstance(workload.work, Serve):
        elastic = elastic_shares(workload.work.profile, ratio, needed, result.elastic_share)
        elastic = np.divide(elastic * needed + spares, count, out=np.ones_like(count), where=count > 0)
    slices = np.array([machine.slice_share for machine in machines])[:, None]
    return Fleets(
        instance_count=count,
        accelerators_used=result.accelerators_used * slices * with_spares,
        busy_hours_per_run=np.where(count > 0, busy, np.nan),
        elastic_share=elastic,
        utilisation_share=np.ones_like(count)
        if is_heap
        else np.minimum(1.0, mean_per_s * demand.load_share / planned) / with_spares,
        basis=tuple(basis),
    )


def _count_replicas(
    result: Fleets, spares: FloatArray, row: int, found: Prospects, good: NDArray[np.intp], demand: Demand, peak_per_s: FloatArray
) -> None:  # fmt: skip
    """Fill a machine's row: at each size the replica that takes the fewest machines."""
    reps = found.reps
    good = found.in_order(good, ends=demand.requests > 0)
    instances = found.machines_for(peak_per_s, good, demand)
    pick = np.argmin(instances, axis=0)
    best = good[pick]
    count = np.minimum(instances[pick, np.arange(len(pick))], 1e12)
    replicas = reps.replicas_on(count, best)
    result.instance_count[row] = count
    # The fewest machines that are on; replaced by the share of the hours that follows from it.
    result.elastic_share[row] = np.ceil(demand.least_replica_count * count / replicas)
    spares[row] = spare_machines(demand, reps.machines_each[best])
    result.accelerators_used[row] = replicas * reps.group[best] * reps.stages[best]
    result.utilisation_share[row] = found.capacity.planned_rate[best] * replicas


_AMOUNTS = {
    "embed": "documents", "transcribe": "audio_hours", "finetune": "steps", "diffusion": "images_per_day", "video": "clips_per_day",
}  # fmt: skip


def images_and_documents(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    mean_per_s: FloatArray, peak_per_s: FloatArray, total: FloatArray, calibration: Calibration | None = None,
) -> Fleets:  # fmt: skip
    """Return the fleets for images and clips (`Diffusion`, `Video`) or documents and recordings (`Embed`, `Transcribe`, `FinetuneImages`).

    Parameters
    ----------
    workload : Workload
        The shape; its own size plays no part.
    mean_per_s, peak_per_s : FloatArray, shape (sizes,)
        Pieces per second; by the deadline for documents, 0 where there is none.
    total : FloatArray, shape (sizes,)
        Documents; 0 for images.
    """
    work = workload.work
    is_job = isinstance(work, Embed | Transcribe | FinetuneImages)
    # One machine's rate does not depend on how much is asked: the smallest size is sized, and counted up.
    amount = "requests_per_s" if isinstance(work, EmbedService) else _AMOUNTS[workload.kind]
    least: dict[str, object] = {amount: 1, "deadline_hours": None} if is_job else {amount: 1e-9}
    one = workload.model_copy(update={workload.kind: work.model_copy(update=least)})
    sized = size(one, arch, machines, assumptions, calibration=calibration)
    fits = np.array([isinstance(each, Fleet) for each in sized])
    each_per_s = np.array(
        [s.performance.rate_per_s.typical / s.instance_count if isinstance(s, Fleet) else 1.0 for s in sized]
    )[:, None]
    load = load_share(work, assumptions)
    # As in `planner.supply.throughput.fleet`: a deadline holds at the slow end of the band.
    late = np.ones_like(each_per_s)
    if is_job:
        percentile = assumptions["perf.deadline_band_percentile"]
        rates = [s.performance.rate_per_s if isinstance(s, Fleet) else None for s in sized]
        late[:, 0] = [slow_ratio(percentile, rate.spread_log) if rate else 1.0 for rate in rates]
    count = np.maximum(1.0, np.ceil(peak_per_s[None, :] * late / (each_per_s * load) - 1e-9))
    count = np.where(fits[:, None], _within(machines, count, assumptions, most=math.inf), 0.0)
    rate = each_per_s * np.maximum(count, 1.0)
    per_machine = np.array([s.accelerators_used / s.instance_count if isinstance(s, Fleet) else 0.0 for s in sized])
    ratio = np.divide(peak_per_s, mean_per_s, out=np.ones_like(mean_per_s), where=mean_per_s > 0)
    result = nothing(len(machines), len(mean_per_s))
    return Fleets(
        instance_count=count,
        accelerators_used=count * per_machine[:, None],
        busy_hours_per_run=np.where(count > 0, total / (rate * load) / 3600.0, np.nan)
        if is_job
        else result.busy_hours_per_run,
        elastic_share=result.elastic_share if is_job else elastic_shares(work.profile, ratio, count),  # type: ignore[union-attr]  # work that never ends has a profile
        utilisation_share=result.utilisation_share if is_job else np.minimum(1.0, mean_per_s / rate),
        basis=tuple(s.performance.basis if isinstance(s, Fleet) else "" for s in sized),
    )


def stated(
    workload: Workload, machines: Sequence[Machine], assumptions: Assumptions, *, gpus: FloatArray, hours_per_month: FloatArray
) -> Fleets:  # fmt: skip
    """Return the fleets for stated accelerator hours (`GpuHours`).

    Parameters
    ----------
    workload : Workload
        Tells the accelerator.
    gpus, hours_per_month : FloatArray, shape (sizes,)
        How many accelerators, in how many hours a month.
    """
    fits = np.array([isinstance(each, Fleet) for each in size(workload, None, machines, assumptions)], dtype=bool)
    each = np.array([max(machine.accelerator_count, 1.0) for machine in machines])[:, None]
    count = np.where(fits[:, None], np.ceil(gpus[None, :] / each), 0.0)
    share = np.broadcast_to(hours_per_month / HOURS_PER_MONTH, count.shape)
    return Fleets(
        instance_count=count,
        accelerators_used=np.broadcast_to(gpus, count.shape),
        busy_hours_per_run=np.full(count.shape, np.nan),
        elastic_share=share,
        utilisation_share=share,
        basis=tuple("stated" if one else "" for one in fits),
    )
