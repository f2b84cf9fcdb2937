"""Sized machines: how many of each machine do the work, or why none does."""

from __future__ import annotations

from collections.abc import Sequence

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Constraints, Precision, Workload
from planner.supply.calibration import Calibration
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Machine, Refusal
from pricing.accelerators import resolve_all

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
