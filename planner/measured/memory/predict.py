"""Measured memory rows: parameter counts, file sizes, peaks and failures, predicted by the formulas of `planner.demand.memory`.

A framework's preset says what it keeps per parameter, and how much of the formula's activations and logits its kernels
really leave behind; the presets' ratios are fitted (``memory.*`` in the calibration).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.formats import FORMATS
from planner.demand.memory import peak_bytes, weight_bytes
from planner.demand.model_numbers import architecture_from_numbers
from planner.demand.models import known_model
from planner.demand.parameters import parameter_count
from planner.demand.workload import ModelNumbers
from planner.errors import InputError
from planner.measured.memory.parts import parts_of
from planner.measured.rows import Row, accelerator_of, architecture_of, kept_rows, number
from pricing.errors import GpuplanError
from pricing.facts.accelerators import accelerators, resolve_all

MEMORY_CONSTANTS = ("activation_ratio", "logits_ratio", "margin_ratio", "overhead_bytes", "state_ratio")
_FITS_SHARE = 0.98
"""A run whose predicted peak takes more of the device than this is called too large; predictions lean to the high side already."""
_MORE_THAN_AT_FAILURE = 1.08


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTable:
    """Peak rows that can be predicted, as columns of bytes before the presets' ratios; the columns are those of `MemoryParts`."""

    rows: tuple[Row, ...]
    tags: tuple[tuple[str, ...], ...]
    lasting_bytes: FloatArray
    gradient_bytes: FloatArray
    activation_bytes: FloatArray
    logits_bytes: FloatArray
    overlap: NDArray[np.bool_]


def expected_bytes(row: Row) -> float:
    """Return what the row measured, in bytes (or as a count)."""
    unit = row.get("unit", "").lower()
    return number(row, "value") * {"gib": 2.0**30, "gb": 1e9, "mib": 2.0**20, "mb": 1e6}.get(unit, 1.0)


def _architecture(row: Row) -> Architecture:
    try:
        arch = architecture_of(row)
    except InputError:
        name = row.get("model", "").lower()
        if "stable diffusion" in name.replace("-", " "):
            return known_model("sd1.5")
        total = number(row, "params_b", default=0.0)
        if not total:
            raise
        return architecture_from_numbers(ModelNumbers(parameters_b=total, vocab=32_128))
    stated = number(row, "params_b", default=0.0) * 1e9
    if stated and arch.source == "numbers of the row" and not row.get("gated_mlp"):
        # No column of a memory row says whether the MLP is gated; the parameter count does.
        plain = architecture_of({**row, "gated_mlp": "0"})
        return min((arch, plain), key=lambda candidate: abs(parameter_count(candidate) - stated))
    return arch


def exact_count(row: Row) -> float:
    """Return the parameter count that a row asks for."""
    return parameter_count(_architecture(row))


def file_bytes(row: Row) -> float:
    """Return the size of a file of weights in llama.cpp's or a plain format."""
    arch = _architecture(row)
    form = (row.get("quantization", "") or row.get("precision", "") or "F16").lower()
    plain = {"f32": "fp32", "f16": "fp16"}.get(form, form)
    if plain in FORMATS:
        return weight_bytes(arch, plain)
    raise InputError(f"unknown file format {form!r}", where=f"row {row.get('id', '?')}")


def memory_table(rows: Sequence[Row]) -> tuple[MemoryTable, dict[str, str]]:
    """Return the rows of peaks and failures that can be predicted as columns, and for every other one why not."""
    kept, refusals = kept_rows(rows, lambda row: (row, parts_of(row, _architecture(row))))

    def column(name: str) -> FloatArray:
        return np.asarray([getattr(parts, name) for _, parts in kept], dtype=float)

    return MemoryTable(
        rows=tuple(row for row, _ in kept), tags=tuple(parts.tags for _, parts in kept), lasting_bytes=column("lasting_bytes"),
        gradient_bytes=column("gradient_bytes"), activation_bytes=column("activation_bytes"), logits_bytes=column("logits_bytes"), overlap=column("overlap") > 0,
    ), refusals  # fmt: skip


def predict_memory(table: MemoryTable, constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return the predicted peak of every row in bytes, leaning to the high side.

    The fit counts a peak that is told too low several times as much as one told too high, and `margin_ratio` (1 while
    fitting) is added last: a peak told too low kills a run, one told a little too high costs nothing.
    """
    kept = table.activation_bytes * constants["activation_ratio"] + table.logits_bytes * constants["logits_ratio"]
    state, margin = constants["state_ratio"], constants.get("margin_ratio", np.ones(1))
    typical = (
        peak_bytes(table.lasting_bytes * state, table.gradient_bytes * state, kept, overlap=table.overlap)
        + constants["overhead_bytes"]
    )
    return np.asarray(typical * margin, dtype=float)


def device_bytes(row: Row) -> float:
    """Return what the row's device holds, in bytes; of a name that two sizes share, the larger."""
    name = row.get("gpu", "")
    chip = accelerator_of(name)
    if chip is None:
        raise InputError(f"unknown accelerator {name!r}", where=f"row {row.get('id', '?')}")
    sizes = [chip.memory_gib]
    if name not in accelerators():
        with contextlib.suppress(GpuplanError):
            sizes += [accelerator.memory_gib for accelerator in resolve_all(name)]
    return max(sizes) * 2**30


def fits_device(row: Row, predicted_bytes: float) -> bool:
    """Return whether a run with that peak would be said to fit the row's device.

    Of a run that failed the row tells what it had at the time; a little more is what it could have had at most.
    """
    try:
        most_bytes = device_bytes(row)
    except GpuplanError:
        most_bytes = np.inf
    if row.get("kind") == "oom":
        most_bytes = min(most_bytes, expected_bytes(row) * _MORE_THAN_AT_FAILURE)
    return bool(predicted_bytes <= _FITS_SHARE * most_bytes)
