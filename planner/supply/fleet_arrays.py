"""Fleets of one shape of work at many sizes at once, as arrays of machines by sizes; a single plan has one size.

What a machine can do depends on the shape of the work (model, lengths, limits, formats); how many are needed depends on its size
(requests, documents, tokens, the deadline).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from planner.arrays import BoolArray, FloatArray
from planner.assumptions import Assumptions
from planner.demand.profiles import peak_over_mean_ratio
from planner.demand.requirements import peak_requests_per_s
from planner.demand.workload import (
    Batch,
    Diffusion,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    GpuHours,
    Pretrain,
    Serve,
    Transcribe,
    Video,
    Workload,
)
from planner.notes import Note, NoteCode
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Range, Refusal
from pricing.clock import SECONDS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much workloads of one shape ask for; arrays have one entry for each.

    Attributes
    ----------
    mean_per_s, peak_per_s, total : FloatArray
        Rates and the whole of a job, in requests, documents, images or (total) trained tokens.
    gpus, hours_per_month : FloatArray
        Of stated accelerator hours.
    deadline_hours : FloatArray
        Infinite without one.
    """

    mean_per_s: FloatArray
    peak_per_s: FloatArray
    total: FloatArray
    gpus: FloatArray
    hours_per_month: FloatArray
    deadline_hours: FloatArray

    @property
    def peak_over_mean(self) -> FloatArray:
        """Busiest over mean rate; 1 where nothing is asked."""
        return np.divide(self.peak_per_s, self.mean_per_s, out=np.ones_like(self.mean_per_s), where=self.mean_per_s > 0)


def amounts_of(workloads: Sequence[Workload]) -> Amounts:
    """Return how much each of the workloads, which are of one shape, asks for."""
    columns = np.array([_numbers(workload) for workload in workloads], dtype=float).T
    return Amounts(**dict(zip((item.name for item in fields(Amounts)), columns, strict=True)))


def _numbers(workload: Workload) -> tuple[float, float, float, float, float, float]:
    """Return a workload's numbers in the order of the fields of `Amounts`."""
    work, hours = workload.work, workload.deadline_hours
    mean = peak = total = gpus = used_hours = 0.0
    match work:
        case Serve():
            mean, peak = work.requests_per_s, peak_requests_per_s(work)
        case Diffusion():
            mean = work.images_per_day / SECONDS_PER_DAY
        case Video():
            mean = work.clips_per_day / SECONDS_PER_DAY
        case EmbedService():
            mean = work.documents_per_s
        case Batch():
            total = float(work.requests)
        case Embed():
            total = float(work.documents)
        case Transcribe():
            total = work.audio_hours
        case FinetuneImages():
            total = float(work.steps) * work.batch
        case Pretrain():
            total = work.tokens_b * 1e9
        case Finetune():
            total = work.tokens_m * 1e6 * work.epochs
        case GpuHours():
            gpus, used_hours = float(work.count), work.hours_per_month
    if isinstance(work, Diffusion | Video | EmbedService):
        peak = mean * peak_over_mean_ratio(work.profile)
    if isinstance(work, Batch | Embed | Transcribe | FinetuneImages):
        mean = peak = total / (hours * 3600.0)
    return mean, peak, total, gpus, used_hours, hours


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

    @classmethod
    def none(cls, machine_count: int, size_count: int) -> Fleets:
        """Return fleets of which none does the work."""
        shape = (machine_count, size_count)
        zeros, ones, never = np.zeros(shape), np.ones(shape), np.full(shape, np.nan)
        return cls(
            instance_count=zeros, accelerators_used=zeros, busy_hours_per_run=never, elastic_share=ones, utilisation_share=ones,
            basis=("",) * machine_count,
        )  # fmt: skip

    def at(self, machine: Machine, row: int, column: int) -> Fleet:
        """Return one cell as a fleet of which all is told but its speed."""
        unasked = Range(low=1.0, typical=1.0, high=1.0)
        speed = Performance(rate_per_s=unasked, rate_unit="", bound="stated", basis=self.basis[row])
        return self.fleet(machine, row, column, Layout(precision="stated"), speed)

    def fleet(
        self, machine: Machine, row: int, column: int, layout: Layout, performance: Performance, *,
        memory: MemoryUse | None = None, spare_count: int = 0, notes: tuple[Note, ...] = (),
    ) -> Fleet:  # fmt: skip
        """Return one cell as a fleet."""
        busy = float(self.busy_hours_per_run[row, column])
        return Fleet(
            machine=machine,
            instance_count=int(self.instance_count[row, column]),
            spare_instance_count=spare_count,
            layout=layout,
            performance=performance,
            memory=memory,
            accelerators_used=float(self.accelerators_used[row, column]),
            busy_hours_per_run=None if np.isnan(busy) else busy,
            elastic_share=float(self.elastic_share[row, column]),
            utilisation_share=float(self.utilisation_share[row, column]),
            notes=notes,
        )


def together(parts: Sequence[Fleets]) -> Fleets:
    """Return the machines of all parts, one below the other."""
    names = [item.name for item in fields(Fleets) if item.name != "basis"]
    return Fleets(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        basis=tuple(basis for part in parts for basis in part.basis),
    )


def are_too_many(machines: Sequence[Machine], count: FloatArray, assumptions: Assumptions, *, most: float) -> BoolArray:
    """Return where CPUs alone would fill a hall, or where there are more than `most` machines with accelerators."""
    is_cpu = np.array([machine.accelerator is None for machine in machines])[:, None]
    return np.where(is_cpu, count > assumptions["perf.most_cpu_machines_count"], count > most)


def above_limit(machine: Machine, count: int, most: int | None, *, spare_count: int = 0) -> Refusal | None:
    """Return why so many machines have too many accelerators; None where they do not."""
    chip = machine.accelerator
    needed = (count + spare_count) * machine.accelerator_count
    if chip is None or most is None or needed <= most:
        return None
    reason = Note(NoteCode.ACCELERATORS_ABOVE_LIMIT, (needed, chip.name, spare_count, most))
    return Refusal(machine=machine, stage="max_gpus", reason=reason)


def too_many_processors(machine: Machine, count: float, cause: str) -> Refusal:
    """Return why so many machines without accelerators are none for the work: `cause` asks for them."""
    reason = Note(NoteCode.CPU_MACHINES, (cause, count, machine.label))
    return Refusal(machine=machine, stage="max_machines", reason=reason, machines_needed=int(count))
