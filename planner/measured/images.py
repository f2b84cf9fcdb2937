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

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import latent_pixels
from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import Row, chip_of, kept_rows, machine_of, number
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

_USUAL_STEPS = 50.0
"""The diffusers library's default, where a table does not state the steps."""
_USUAL_LOADED_BATCH = 4.0
"""Images at once under an unlimited queue (offline) or many users (server), where a table does not state it."""
_COMPILED = ("compile", "stable-fast", "oneflow", "flax", "tensorrt", "neuron")
"""Words of a framework that replays a graph instead of launching kernel by kernel."""
_ENGINES = {"tensorrt": "@tensorrt", "neuron": "@neuron", "lightx2v": "@lightx2v"}
_CACHES = ("cache", "taylorseer")
"""Words of what skips steps whose result hardly changes: how many it skipped no table tells."""
_WEIGHT_ONLY = ("weights", "base", "storage", "nf4", "gguf", "bitsandbytes", "quanto", "layerwise")
"""Words of weights that are stored narrow and multiplied in 16 bit."""
_HALF_SUMS = ("stable-fast", "oneflow", "tensorrt", "flumina", "flux-fp8-api")
"""Frameworks that sum products in half precision where the card does so at twice the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTable:
    """Rows as columns.

    Attributes
    ----------
    rows, scopes, tags, architectures : tuple
        The rows; where their constants are looked up; how they were run; their models.
    pixels, frames, steps, batch, count : FloatArray
        Width times height, frames of a clip (1 of an image), steps, images made at once on an accelerator, accelerators.
    rates : ImageRates
        Of each row's accelerator.
    is_steps, is_eager, is_shared : NDArray of bool
        Whether the row states steps of a batch, not whole images; whether a host launches kernel by kernel; whether the
        accelerators work on one image together.
    observed : FloatArray
        Images, or steps of a batch, per second of all accelerators together: the row's own unit.
    """

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    architectures: tuple[Architecture, ...]
    pixels: FloatArray
    frames: FloatArray
    steps: FloatArray
    batch: FloatArray
    count: FloatArray
    rates: ImageRates
    is_steps: NDArray[np.bool_]
    is_eager: NDArray[np.bool_]
    is_shared: NDArray[np.bool_]
    guided: NDArray[np.bool_]
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
    frames: float
    steps: float
    batch: float
    count: float
    is_steps: bool
    is_shared: bool
    guided: bool
    observed: float


def image_table(rows: Sequence[Row]) -> tuple[ImageTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    kept, refusals = kept_rows(rows, _read)
    machines = [item.machine for item in kept]
    return ImageTable(
        rows=tuple(item.row for item in kept),
        scopes=tuple(scopes(item) for item in machines),
        tags=tuple(item.tags for item in kept),
        architectures=tuple(item.arch for item in kept),
        pixels=np.asarray([item.pixels for item in kept], dtype=float),
        frames=np.asarray([item.frames for item in kept], dtype=float),
        steps=np.asarray([item.steps for item in kept], dtype=float),
        batch=np.asarray([item.batch for item in kept], dtype=float),
        count=np.asarray([item.count for item in kept], dtype=float),
        rates=image_rates(
            machines, hardware(machines), [item.form for item in kept], [item.half_sums for item in kept]
        ),
        is_steps=np.asarray([item.is_steps for item in kept], dtype=bool),
        is_eager=np.asarray(["@eager" in item.tags for item in kept], dtype=bool),
        is_shared=np.asarray([item.is_shared for item in kept], dtype=bool),
        guided=np.asarray([item.guided for item in kept], dtype=bool),
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
    if is_weight_only(row):
        return "fp16"
    return "fp32" if text.startswith(("fp32", "tf32")) else "fp8" if text.startswith(("fp8", "int8")) else "fp16"


def is_clip(row: Row) -> bool:
    """Tell whether a row is of a video."""
    return bool(re.search(r"\d frames", row.get("load", "")))


def is_weight_only(row: Row) -> bool:
    """Tell whether weights alone are narrow."""
    text = f"{row.get('precision', '')} {row.get('framework', '')}".lower()
    return not text.startswith(("bf16", "fp16")) and any(word in text for word in _WEIGHT_ONLY)


def _tags(row: Row, form: str, *, has_tensor_single: bool) -> tuple[str, ...]:
    """Return how a row was run, in the calibration's words."""
    framework = row.get("framework", "").lower()
    tags = ["@compiled" if any(word in framework for word in _COMPILED) else "@eager"]
    tags += [tag for word, tag in _ENGINES.items() if word in framework]
    if form == "fp8":
        tags.append("@fp8_eager" if tags[0] == "@eager" and is_clip(row) else "@fp8")
    if is_weight_only(row):
        tags.append("@weight_only")
    if is_clip(row):
        tags.append("@video")
    if form == "fp32":
        tags.append("@fp32" if has_tensor_single else "@fp32_vector")
    if "server" in row.get("load", "").lower():
        tags.append("@server")
    return tuple(tags)


def _read(row: Row) -> _Read:
    where = f"row {row.get('id', '?')}"
    chip = chip_of(row)
    arch, pixels = _model_and_size(row)
    form = _form(row)
    metric, load = row.get("metric", ""), row.get("load", "")
    if (
        any(word in row.get("framework", "").lower() for word in _CACHES)
        or "taylorseer" in row.get("notes", "").lower()
    ):
        raise InputError("steps are skipped by a cache, and how many is not stated", where=where)
    steps = re.search(r"(\d+)(?: [A-Za-z]+)? steps", f"{load} {row.get('notes', '')}")
    frames = re.search(r"(\d+) frames", load)
    is_steps = "steps_per_s" in metric or "step_time" in metric
    loaded = any(word in load.lower() for word in ("offline", "server"))
    batch = number(row, "batch", default=_USUAL_LOADED_BATCH if loaded else 1.0)
    observed = number(row, "value") if is_steps else number(row, "images_per_s")
    if not observed > 0:
        stated = number(row, "value")
        observed = batch / stated if "latency" in metric else stated
    if "step_time" in metric:
        observed = 1.0 / number(row, "value")
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
        frames=float(frames.group(1)) if frames else 1.0,
        steps=float(steps.group(1)) if steps else _USUAL_STEPS,
        batch=batch,
        count=number(row, "n_gpus", default=1.0),
        is_steps=is_steps,
        is_shared=not loaded and ("latency" in metric or "step_time" in metric),
        guided="no cfg" not in f"{load} {row.get('notes', '')}".lower(),
        observed=observed,
    )


def prefix_of(tags: Sequence[str]) -> str:
    """Return under which name in the calibration the constants of such work stand."""
    return "video" if "@video" in tags else "image"


def constants_of_rows(table: ImageTable, calibration: Calibration) -> dict[str, FloatArray]:
    """Return the calibration's constants for every row."""
    pairs = list(zip(table.scopes, table.tags, strict=True))
    return {
        name: np.asarray(
            [calibration.value_at(f"{prefix_of(tags)}.{name}", where, tags) for where, tags in pairs], dtype=float
        )
        for name in IMAGE_CONSTANTS
    }


def predict_images(table: ImageTable, constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predicted images, or steps of a batch, per second of every row: in the unit of `ImageTable.observed`."""
    found = np.empty(len(table.rows))
    for arch, guided in set(zip(table.architectures, table.guided.tolist(), strict=True)):
        mine = np.asarray([other == arch for other in table.architectures]) & (table.guided == guided)
        rates = ImageRates(**{item.name: getattr(table.rates, item.name)[mine] for item in fields(ImageRates)})
        values = {name: constants[name][mine] for name in IMAGE_CONSTANTS}
        values["host_block_s"] = values["host_block_s"] * table.is_eager[mine]
        held = ImageConstants(**values)
        pixels, frames, batch = table.pixels[mine], table.frames[mine], table.batch[mine]
        worked = latent_pixels(arch, pixels, frames)
        steps_s = step_time(arch, worked, guided=guided, rates=rates, constants=held, batch=batch).total_s
        whole_s = image_s(
            arch, pixels, table.steps[mine], guided=guided, rates=rates, constants=held, batch=batch, frames=frames
        )
        serial, count = held.serial_share, table.count[mine]
        speedup = np.where(table.is_shared[mine], 1.0 / (serial + (1.0 - serial) / count), count)
        found[mine] = speedup / np.where(table.is_steps[mine], steps_s, whole_s)
    return found
