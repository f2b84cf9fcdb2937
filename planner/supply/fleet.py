"""Fleets: how many machines of each sort the work takes, whatever its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.suitability import suitable_model
from planner.demand.workload import Batch, Finetune, GpuHours, Pretrain, Serve, Work, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration
from planner.supply.machines import Fleet, Layout, Machine, Performance, Range, Refusal
from pricing.units import HOURS_PER_MONTH


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
        return [_stated(workload.work, machine, max_accelerators) for machine in machines]
    arch = suitable_model(workload, architecture)
    if not machines:
        return []
    sizer = _sizer_of(workload.work)
    return sizer(workload, arch, machines, assumptions, max_accelerators=max_accelerators, calibration=calibration)


def _sizer_of(work: Work) -> Callable[..., list[Fleet | Refusal]]:
    """Return what sizes machines for work of this kind; only that is loaded."""
    match work:
        case Serve() | Batch():
            from planner.supply.serving.fleet import size_serving

            return size_serving
        case Pretrain() | Finetune():
            from planner.supply.rollouts import size_training_with_rollouts

            return size_training_with_rollouts
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
        each = max(1.0, machine.accelerator_count)
        if count <= each:
            machine = replace(machine, accelerator_count=float(count))
        else:
            boxes = math.ceil(count / each)
    else:
        boxes = count
    if isinstance(workload.work, GpuHours):
        return _stated(workload.work, machine, None)
    arch = suitable_model(workload, architecture)
    return _sizer_of(workload.work)(
        workload, arch, [machine], assumptions, calibration=calibration, fixed_machines=boxes
    )[0]


def _stated(work: GpuHours, machine: Machine, max_accelerators: int | None) -> Fleet | Refusal:
    """Return machines for stated accelerator hours: the count is the user's, nothing is modelled."""
    from pricing.accelerators import resolve_all

    wanted = resolve_all(work.gpu)
    names = ", ".join(item.name for item in wanted)
    chip = machine.accelerator
    if chip is None or chip.name not in {item.name for item in wanted}:
        return Refusal(
            machine=machine,
            stage="evidence",
            reason=Note(NoteCode.OTHER_ACCELERATOR, (chip.name if chip else "a CPU machine", names)),
        )
    if machine.accelerator_count < 1:
        return Refusal(
            machine=machine,
            stage="memory",
            reason=Note(NoteCode.PART_OF_ONE, (machine.accelerator_count, chip.name)),
        )
    instances = math.ceil(work.count / machine.accelerator_count)
    if max_accelerators is not None and instances * machine.accelerator_count > max_accelerators:
        figures = (instances * machine.accelerator_count, chip.name, max_accelerators)
        reason = Note(NoteCode.WHOLE_MACHINES_ABOVE_LIMIT, figures)
        return Refusal(machine=machine, stage="max_gpus", reason=reason)
    share = work.hours_per_month / HOURS_PER_MONTH
    idle = instances * machine.accelerator_count - work.count
    rate = float(work.count)
    return Fleet(
        machine=machine,
        instance_count=instances,
        layout=Layout(data=work.count, precision="stated"),
        performance=Performance(
            rate_per_s=Range(low=rate, typical=rate, high=rate),
            rate_unit="accelerators",
            bound="stated",
            basis="stated",
            evidence=Note(NoteCode.STATED_HOURS),
        ),
        accelerators_used=rate,
        elastic_share=share,
        utilisation_share=share,
        notes=(Note(NoteCode.IDLE_ACCELERATORS, (idle,)),) if idle else (),
    )
