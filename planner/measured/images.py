"""Measured image rows: predicted by the formulas of `planner.supply.throughput.images`.

A row's convention is read first: steps or whole images per second (a row of steps has no decoding), of the batch or of the
image, the steps, the size, the guidance that the model needs; then how it was run: launched kernel by kernel (eager),
compiled, or by a maker's engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.demand.architecture import Architecture
from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, machine_of, number
from planner.supply.calibration import Calibration, scopes
from planner.supply.hardware import hardware
from planner.supply.machines import Machine
from planner.supply.throughput.images import (
    IMAGE_CONSTANTS,
    ImageConstants,
    ImageRates,
    image_rates,
    image_s,
    step_time,
)
from pricing.errors import GpuplanError

__all__ = ["ImageTable", "constants_of_rows", "image_table", "predict_images"]

FloatArray = NDArray[np.float64]

_USUAL_STEPS = 50.0
"""The diffusers library's default, where a table does not state the steps."""
_USUAL_LOADED_BATCH = 4.0
"""Images at once under an unlimited queue (offline) or many users (server), where a table does not state it."""
_COMPILED = ("compile", "stable-fast", "oneflow", "flax", "tensorrt", "neuron")
"""Words of a framework that replays a graph instead of launching kernel by kernel."""
_ENGINES = {"tensorrt": "@tensorrt", "neuron": "@neuron"}
_HALF_SUMS = ("stable-fast", "oneflow", "tensorrt", "flumina")
"""Frameworks that sum products in half precision where the card does so at twice the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTable:
    """Rows as columns.

    Attributes
    ----------
    rows, scopes, tags, architectures : tuple
        The rows; where their constants are looked up; how they were run; their models.
    pixels, steps, batch, count : FloatArray
        Width times height, steps of an image, images made at once on an accelerator, accelerators.
    rates : ImageRates
        Of each row's accelerator.
    is_steps, is_eager : NDArray of bool
        Whether the row states steps of a batch, not whole images; whether a host launches kernel by kernel.
    observed : FloatArray
        Images, or steps of a batch, per second of all accelerators together: the row's own unit.
    """

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    architectures: tuple[Architecture, ...]
    pixels: FloatArray
    steps: FloatArray
    batch: FloatArray
    count: FloatArray
    rates: ImageRates
    is_steps: NDArray[np.bool_]
    is_eager: NDArray[np.bool_]
    observed: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One row, read."""

    row: Row
    machine: Machine
    arch: Architecture
    tags: tuple[str, ...]
    form: str
    half_sums: bool
    pixels: float
    steps: float
    batch: float
    count: float
    is_steps: bool
    observed: float


def image_table(rows: Sequence[Row]) -> tuple[ImageTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    refusals: dict[str, str] = {}
    kept: list[_Read] = []
    for index, row in enumerate(rows):
        try:
            kept.append(_read(row))
        except GpuplanError as error:
            refusals[row.get("id", "") or str(index + 1)] = error.message
    machines = [item.machine for item in kept]
    return ImageTable(
        rows=tuple(item.row for item in kept),
        scopes=tuple(scopes(item) for item in machines),
        tags=tuple(item.tags for item in kept),
        architectures=tuple(item.arch for item in kept),
        pixels=np.asarray([item.pixels for item in kept], dtype=float),
        steps=np.asarray([item.steps for item in kept], dtype=float),
        batch=np.asarray([item.batch for item in kept], dtype=float),
        count=np.asarray([item.count for item in kept], dtype=float),
        rates=image_rates(
            machines, hardware(machines), [item.form for item in kept], [item.half_sums for item in kept]
        ),
        is_steps=np.asarray([item.is_steps for item in kept], dtype=bool),
        is_eager=np.asarray(["@eager" in item.tags for item in kept], dtype=bool),
        observed=np.asarray([item.observed for item in kept], dtype=float),
    ), refusals


def _model_and_size(row: Row) -> tuple[Architecture, float]:
    """Return the model of a row, and its pixels: stated beside the name, in the load or in the notes."""
    text = " ".join([row.get("model", ""), row.get("load", ""), row.get("notes", "")])
    size = re.search(r"(\d{3,4})x(\d{3,4})", text)
    name = re.sub(r"\s*\d{3,4}x\d{3,4}", "", row.get("model", ""))
    arch = known_model(name.replace(" base", "").replace(" Base", "").replace(" XL", "-xl"))
    if arch.diffusion is None:
        raise InputError(f"{arch.name} makes no images", where=f"row {row.get('id', '?')}")
    pixels = float(size.group(1)) * float(size.group(2)) if size else arch.diffusion.reference_pixels
    return arch, pixels


def _form(row: Row) -> str:
    """Return the number format of the products: of ``a/b`` the first."""
    text = row.get("precision", "").lower() or "fp16"
    return "fp32" if text.startswith(("fp32", "tf32")) else "fp8" if text.startswith(("fp8", "int8")) else "fp16"


def _tags(row: Row, form: str, *, has_tensor_single: bool) -> tuple[str, ...]:
    """Return how a row was run, in the calibration's words."""
    framework = row.get("framework", "").lower()
    tags = ["@compiled" if any(word in framework for word in _COMPILED) else "@eager"]
    tags += [tag for word, tag in _ENGINES.items() if word in framework]
    if form == "fp8":
        tags.append("@fp8")
    if form == "fp32":
        tags.append("@fp32" if has_tensor_single else "@fp32_vector")
    if "server" in row.get("load", "").lower():
        tags.append("@server")
    return tuple(tags)


def _read(row: Row) -> _Read:
    where = f"row {row.get('id', '?')}"
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=where)
    arch, pixels = _model_and_size(row)
    form = _form(row)
    metric, load = row.get("metric", ""), row.get("load", "")
    steps = re.search(r"(\d+)(?: [A-Za-z]+)? steps", f"{load} {row.get('notes', '')}")
    is_steps = "steps_per_s" in metric
    loaded = any(word in load.lower() for word in ("offline", "server"))
    batch = number(row, "batch", default=_USUAL_LOADED_BATCH if loaded else 1.0)
    observed = number(row, "value") if is_steps else number(row, "images_per_s")
    if not observed > 0:
        stated = number(row, "value")
        observed = batch / stated if "latency" in metric else stated
    if not observed > 0:
        raise InputError("neither images_per_s nor value holds a speed", where=where)
    return _Read(
        row=row,
        machine=machine_of(row, chip),
        arch=arch,
        tags=_tags(row, form, has_tensor_single=chip.tf32_dense_tflop_per_s is not None),
        form=form,
        half_sums=any(word in row.get("framework", "").lower() for word in _HALF_SUMS),
        pixels=pixels,
        steps=float(steps.group(1)) if steps else _USUAL_STEPS,
        batch=batch,
        count=number(row, "n_gpus", default=1.0),
        is_steps=is_steps,
        observed=observed,
    )


def constants_of_rows(table: ImageTable, calibration: Calibration) -> dict[str, FloatArray]:
    """Return the calibration's constants for every row."""
    pairs = list(zip(table.scopes, table.tags, strict=True))
    return {
        name: np.asarray([calibration.value_at(f"image.{name}", where, tags) for where, tags in pairs], dtype=float)
        for name in IMAGE_CONSTANTS
    }


def predict_images(table: ImageTable, constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predicted images, or steps of a batch, per second of every row: in the unit of `ImageTable.observed`."""
    found = np.empty(len(table.rows))
    for arch in set(table.architectures):
        mine = np.asarray([other == arch for other in table.architectures])
        rates = ImageRates(**{item.name: getattr(table.rates, item.name)[mine] for item in fields(ImageRates)})
        values = {name: constants[name][mine] for name in IMAGE_CONSTANTS}
        values["host_block_s"] = values["host_block_s"] * table.is_eager[mine]
        held = ImageConstants(**values)
        pixels, batch = table.pixels[mine], table.batch[mine]
        steps_s = step_time(arch, pixels, guided=True, rates=rates, constants=held, batch=batch).total_s
        whole_s = image_s(arch, pixels, table.steps[mine], guided=True, rates=rates, constants=held, batch=batch)
        found[mine] = table.count[mine] / np.where(table.is_steps[mine], steps_s, whole_s)
    return found
