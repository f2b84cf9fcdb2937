"""Serving prospects: what every replica of every machine can do, before anyone says how much is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.supply.calibration import Calibration
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from planner.supply.served_model import ServedModel, served_model
from planner.supply.serving_candidates import (
    MOST_MACHINES_PER_REPLICA,
    Demand,
    Grid,
    Replicas,
    capacity_of,
    evaluate,
    format_on,
    replicas_of,
)

__all__ = ["Prospects", "prospects"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def _kv_precision(workload: Workload, precision: str) -> str:
    """Return the cache's format: the stated one, else 8 bit beside 8- and 4-bit floating weights, else 16 bit."""
    if workload.kv_precision:
        return str(workload.kv_precision[0])
    return "fp8" if precision in {"fp8", "fp4"} else "fp32" if precision == "fp32" else "bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """Every replica worth trying on every machine, and what it can do: nothing here depends on how much is asked.

    Attributes
    ----------
    models : list of ServedModel
        By format.
    reps, grid : Replicas, Grid
        The replicas, and their times by batch size.
    rate : FloatArray, shape (replicas,)
        Requests per second within all limits; -1 where no batch size keeps them.
    column : IntArray
        The batch size of that rate.
    fits, quick, smooth : boolean arrays
        Whether any batch size keeps to memory, to it and the limit on the first token, to it and that on further ones.
    lacking : set of int
        Machines that compute in none of the formats.
    """

    models: list[ServedModel]
    reps: Replicas
    grid: Grid
    rate: FloatArray
    column: IntArray
    fits: NDArray[np.bool_]
    quick: NDArray[np.bool_]
    smooth: NDArray[np.bool_]
    lacking: set[int]


def prospects(
    formats: tuple[str, ...], workload: Workload, arch: Architecture, machines: Sequence[Machine], hw: Hardware, demand: Demand,
    assumptions: Assumptions, calibration: Calibration, todo: Sequence[int], *, most_machines: int | None = None,
) -> Prospects:  # fmt: skip
    """Return what every replica of the machines at `todo` can do in the formats that are tried.

    Parameters
    ----------
    formats : tuple of str
        Formats of the weights; ``16`` is whichever 16-bit one the machine has.
    demand : Demand
        Lengths, limits and the load that may be planned; its rates play no part.
    todo : sequence of int
        Rows of `machines`.
    most_machines : int, optional
        Machines that one replica may span.
    """
    names: list[str] = []
    wanted: list[tuple[int, int]] = []
    lacking: set[int] = set()
    for row in todo:
        usable = [name for name in (format_on(item, hw, row) for item in formats) if name is not None]
        if not usable:
            lacking.add(row)
        for name in dict.fromkeys(usable):
            if name not in names:
                names.append(name)
            wanted.append((row, names.index(name)))
    models = [served_model(arch, name, _kv_precision(workload, name)) for name in names]
    flops = [np.where(hw.is_cpu, hw.flop16_per_s(), hw.flop_per_s(name)) for name in names]
    reps = replicas_of(arch, hw, wanted, most_machines=most_machines or MOST_MACHINES_PER_REPLICA)
    reps = replace(reps, formats=tuple((name, _kv_precision(workload, name)) for name in names))
    grid = evaluate(models, flops, hw, calibration, machines, reps, demand, assumptions)
    rate, column, fits, quick, smooth = capacity_of(grid, demand)
    return Prospects(
        models=models, reps=reps, grid=grid, rate=rate, column=column, fits=fits, quick=quick, smooth=smooth, lacking=lacking
    )  # fmt: skip
