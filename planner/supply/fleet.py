"""Fleets: how many machines of each sort the work takes, whatever its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.models import suitable_model
from planner.demand.workload import Batch, Finetune, GpuHours, Pretrain, Serve, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration
from planner.supply.fleet_arrays import Amounts, Fleets, amounts_of
from planner.supply.machines import Fleet, Layout, Machine, Performance, Range, Refusal
from pricing.clock import HOURS_PER_MONTH


def size(
    workload: Workload,
    architecture: Architecture | None,
    machines: Sequence[Machine],
    assumptions: Assumptions,
    *,
    max_accelerators: int | None = None,
    calibration: Calibration | None = None,
) -> Sequence[Fleet | Refusal]:
    """Return the best fleet of each sort of machine for the work, or why there is none.

    Parameters
    ----------
    workload : Workload
        What has to be done, by when, within which limits.
    architecture : Architecture or None
        The model; None for ``gpu_hours`` alone.
    machines : sequence of Machine
        The sorts, each sized once; pass distinct ones.
    assumptions : Assumptions
        Assumptions ``perf.*``.
    max_accelerators : int, optional
        Most accelerators that a fleet may have.
    calibration : Calibration, optional
        Fitted constants; the shipped ones by default.

    Returns
    -------
    sequence of Fleet or Refusal
        In the order of `machines`. A fleet is the fewest whole machines that meet all limits; ties go to the quicker one.
    """
    if isinstance(workload.work, GpuHours):
        return _size_stated(workload, machines, max_accelerators)
    arch = suitable_model(workload, architecture)
    if not machines:
        return []
    sizer = _sizer_of(workload, arch, machines, assumptions, calibration)
    return sizer(workload, arch, machines, assumptions, max_accelerators=max_accelerators, calibration=calibration)


def sizes(
    workload: Workload,
    architecture: Architecture | None,
    machines: Sequence[Machine],
    assumptions: Assumptions,
    amounts: Amounts,
    *,
    max_accelerators: int | None = None,
    calibration: Calibration | None = None,
) -> Fleets:
    """Return the best fleet of each sort of machine for each of many amounts of one shape of work.

    Each figure equals that of `size` for the same workload; the amounts stand in place of the workload's own.
    """
    if isinstance(workload.work, GpuHours):
        able = [_other_chip(workload.work, machine) is None for machine in machines]
        return _stated(amounts, machines, able)
    arch = suitable_model(workload, architecture)
    match workload.work:
        case Serve() | Batch():
            from planner.supply.serving.counts import served

            return served(workload, arch, machines, assumptions, amounts, calibration=calibration)
        case Pretrain() | Finetune():
            from planner.supply.rollouts import writing_of
            from planner.supply.training.counts import trained

            writing = writing_of(workload, arch, machines, assumptions, calibration)
            return trained(
                workload, arch, machines, assumptions, amounts, max_accelerators=max_accelerators, calibration=calibration, writing=writing
            )  # fmt: skip
        case _:
            from planner.supply.throughput.fleet import made

            return made(workload, arch, machines, assumptions, amounts, calibration=calibration)


def _sizer_of(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, calibration: Calibration | None
) -> Callable[..., list[Fleet | Refusal]]:  # fmt: skip
    """Return what sizes machines for work of this kind; only that is loaded."""
    match workload.work:
        case Serve() | Batch():
            from planner.supply.serving.fleet import size_serving

            return size_serving
        case Pretrain() | Finetune():
            from planner.supply.rollouts import writing_of
            from planner.supply.training.fleet import size_training

            return partial(size_training, writing=writing_of(workload, arch, machines, assumptions, calibration))
        case _:
            from planner.supply.throughput.fleet import size_throughput

            return size_throughput


def estimate(
    workload: Workload,
    architecture: Architecture | None,
    machine: Machine,
    count: int,
    assumptions: Assumptions,
    *,
    calibration: Calibration | None = None,
) -> Fleet | Refusal:
    """Return how fast the work goes on `count` accelerators of a machine's sort, whether or not that is enough.

    Parameters
    ----------
    machine : Machine
        The sort; its `accelerator_count` says how many sit in one box.
    count : int
        Accelerators in all. Fewer than a box holds become one smaller box.
    """
    boxes = 1
    if machine.accelerator is not None:
        per_machine = max(1.0, machine.accelerator_count)
        if count <= per_machine:
            machine = replace(machine, accelerator_count=float(count))
        else:
            boxes = math.ceil(count / per_machine)
    else:
        boxes = count
    if isinstance(workload.work, GpuHours):
        return _size_stated(workload, [machine], None)[0]
    arch = suitable_model(workload, architecture)
    sizer = _sizer_of(workload, arch, [machine], assumptions, calibration)
    return sizer(workload, arch, [machine], assumptions, calibration=calibration, fixed_machines=boxes)[0]


def _other_chip(work: GpuHours, machine: Machine) -> Refusal | None:
    """Return why a machine has not the stated accelerator, or only a part of one; None where it has."""
    from pricing.facts.accelerators import resolve_all

    names = [accelerator.name for accelerator in resolve_all(work.gpu)]
    chip = machine.accelerator
    if chip is None or chip.name not in names:
        figures = (chip.name if chip else "a CPU machine", ", ".join(names))
        return Refusal(machine=machine, stage="evidence", reason=Note(NoteCode.OTHER_ACCELERATOR, figures))
    if machine.accelerator_count < 1:
        reason = Note(NoteCode.PART_OF_ONE, (machine.accelerator_count, chip.name))
        return Refusal(machine=machine, stage="memory", reason=reason)
    return None


def _stated(amounts: Amounts, machines: Sequence[Machine], able: Sequence[bool]) -> Fleets:
    """Return machines for stated accelerator hours: the count is the user's, nothing is modelled."""
    per_machine = np.array([max(machine.accelerator_count, 1.0) for machine in machines])[:, None]
    count = np.where(np.array(able, dtype=bool)[:, None], np.ceil(amounts.gpus / per_machine), 0.0)
    share = np.broadcast_to(amounts.hours_per_month / HOURS_PER_MONTH, count.shape)
    return Fleets(
        instance_count=count,
        accelerators_used=np.broadcast_to(amounts.gpus, count.shape),
        busy_hours_per_run=np.full(count.shape, np.nan),
        elastic_share=share,
        utilisation_share=share,
        basis=tuple("stated" if fits else "" for fits in able),
    )


def _size_stated(
    workload: Workload, machines: Sequence[Machine], max_accelerators: int | None
) -> list[Fleet | Refusal]:
    work = workload.work
    assert isinstance(work, GpuHours)
    refusals = [_other_chip(work, machine) for machine in machines]
    fleets = _stated(amounts_of([workload]), machines, [refusal is None for refusal in refusals])
    rate = float(work.count)
    speed = Performance(
        rate_per_s=Range(low=rate, typical=rate, high=rate),
        rate_unit="accelerators",
        bound="stated",
        basis="stated",
        evidence=Note(NoteCode.STATED_HOURS),
    )
    sized: list[Fleet | Refusal] = []
    for row, (machine, refusal) in enumerate(zip(machines, refusals, strict=True)):
        have = int(fleets.instance_count[row, 0]) * machine.accelerator_count
        if refusal is None and machine.accelerator and max_accelerators is not None and have > max_accelerators:
            reason = Note(NoteCode.WHOLE_MACHINES_ABOVE_LIMIT, (have, machine.accelerator.name, max_accelerators))
            sized.append(Refusal(machine=machine, stage="max_gpus", reason=reason))
            continue
        notes = (Note(NoteCode.IDLE_ACCELERATORS, (have - work.count,)),) if have > work.count else ()
        layout = Layout(data=work.count, precision="stated")
        sized.append(refusal or fleets.fleet(machine, row, 0, layout, speed, notes=notes))
    return sized
