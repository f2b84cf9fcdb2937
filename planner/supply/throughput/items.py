"""What is made piece by piece: documents, images, hours of audio, and images that are learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.arrays import BoolArray, FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.notes import Note
from planner.supply.calibration import Calibration
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine

CONTEXT_BYTES = 1.2e9
_ON_PROCESSORS = frozenset({"fp32", "bf16", "fp16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that does not depend on how much is asked."""

    workload: Workload
    arch: Architecture
    machines: Sequence[Machine]
    hw: Hardware
    assumptions: Assumptions
    calibration: Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The work in pieces (documents, images) as one accelerator of each machine sees it, however many are asked for.

    `alone_s` is the time of one piece by itself, `batch` how many are made at once when there are enough of them.
    """

    unit: str
    per_s: FloatArray
    alone_s: FloatArray
    batch: IntArray
    limit_s: float = math.inf
    weights: FloatArray
    activations: FloatArray
    constant: str
    sort: str
    precisions: list[str]
    mfu: FloatArray
    is_memory_bound: BoolArray | None = None
    notes: list[Note] | None = None


def formats_of(workload: Workload, hw: Hardware) -> list[str]:
    """Return each machine's format: the first allowed one that it has, else empty."""
    chosen = []
    for row in range(len(hw.row)):
        allowed = [str(item) for item in workload.precision] or ["fp16", "bf16", "fp32"]
        have = [
            name
            for name in allowed
            if (name in _ON_PROCESSORS if hw.is_cpu[row] else not math.isnan(hw.widened_flop_per_s(name)[row]))
        ]
        chosen.append(have[0] if have else "")
    return chosen


def peak_flop_per_s(hw: Hardware, precisions: Sequence[str]) -> FloatArray:
    """Return each machine's peak in its format, or in 16 bit where it has none."""
    values = [
        hw.widened_flop_per_s(name)[row] if name else hw.flop16_per_s()[row] for row, name in enumerate(precisions)
    ]
    return np.asarray(values, dtype=float)
