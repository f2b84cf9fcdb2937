"""Measured image rows: predicted by the formulas of `planner.supply.throughput.images`.

A row's convention is read first: steps or whole images per second (a row of steps has no decoding), of the batch or of the
image, the steps, the size, the guidance that the model needs; then how it was run: launched kernel by kernel (eager),
compiled, or by a maker's engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import latent_pixels
from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import ReadRow, Row, RowTable, chip_of, machine_of, number, row_table
from planner.supply.constants import take
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
"""Names of methods that skip steps whose result hardly changes; no table says how many steps were skipped."""
_WEIGHT_ONLY = ("weights", "base", "storage", "nf4", "gguf", "bitsandbytes", "quanto", "layerwise")
"""Words of weights that are stored narrow and multiplied in 16 bit."""
_HALF_SUMS = ("stable-fast", "oneflow", "tensorrt", "flumina", "flux-fp8-api")
"""Frameworks that sum products in half precision where the card does so at twice the rate."""


def image_table(rows: Sequence[Row]) -> tuple[RowTable[ImageRates], dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not.

    Columns are `pixels` (width times height), `frames` of a clip (1 of an image), `steps`, `batch` (images made at once on an accelerator),
    `count` of accelerators, and what is 1 or 0: `is_steps` (steps of a batch are stated, not whole images), `is_eager` (a host launches
    kernel by kernel), `is_shared` (the accelerators work on one image together), `is_guided` and `has_half_sums`. What was
    observed is images, or steps of a batch, per second of all accelerators together.
    """
    return row_table(
        rows,
        _read,
        lambda machines, hw, kept: image_rates(
            machines, hw, [row.precision for row in kept], [row.figures["has_half_sums"] > 0 for row in kept]
        ),
    )


def _model_and_size(row: Row) -> tuple[Architecture, float]:
    """Return the model of a row and its pixels, from the name, the load or the notes."""
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


def _observed(row: Row, batch: float, *, is_steps: bool, where: str) -> float:
    """Return images, or steps, per second."""
    stated, metric = number(row, "value"), row.get("metric", "")
    observed = stated if is_steps else number(row, "images_per_s")
    if "step_time" in metric:
        observed = 1.0 / stated
    elif not observed > 0:
        observed = batch / stated if "latency" in metric else stated
    if not observed > 0:
        raise InputError("neither images_per_s nor value holds a speed", where=where)
    return observed


def _read(row: Row) -> ReadRow:
    where = f"row {row.get('id', '?')}"
    chip = chip_of(row)
    arch, pixels = _model_and_size(row)
    form, framework = _form(row), row.get("framework", "").lower()
    metric, load, notes = row.get("metric", ""), row.get("load", ""), row.get("notes", "")
    if any(word in framework for word in _CACHES) or "taylorseer" in notes.lower():
        raise InputError("steps are skipped by a cache, and how many is not stated", where=where)
    steps, frames = re.search(r"(\d+)(?: [A-Za-z]+)? steps", f"{load} {notes}"), re.search(r"(\d+) frames", load)
    is_steps = "steps_per_s" in metric or "step_time" in metric
    is_loaded = any(word in load.lower() for word in ("offline", "server"))
    batch = number(row, "batch", default=_USUAL_LOADED_BATCH if is_loaded else 1.0)
    tags = _tags(row, form, has_tensor_single=chip.tf32_dense_tflop_per_s is not None)
    figures = {
        "pixels": pixels,
        "frames": float(frames.group(1)) if frames else 1.0,
        "steps": float(steps.group(1)) if steps else _USUAL_STEPS,
        "batch": batch,
        "count": number(row, "n_gpus", default=1.0),
        "is_steps": is_steps,
        "is_eager": "@eager" in tags,
        "is_shared": not is_loaded and ("latency" in metric or "step_time" in metric),
        "is_guided": "no cfg" not in f"{load} {notes}".lower(),
        "has_half_sums": any(word in framework for word in _HALF_SUMS),
    }
    return ReadRow(
        row=row, machine=machine_of(row, chip), arch=arch, prefix="video" if "@video" in tags else "image", tags=tags, precision=form,
        observed=_observed(row, batch, is_steps=is_steps, where=where), figures=figures,
    )  # fmt: skip


def predict_images(table: RowTable[ImageRates], constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predicted images, or steps of a batch, per second of every row: in the unit of what was observed."""
    predicted = np.empty(len(table.rows))
    for (arch, is_guided), mine in table.groups("is_guided"):
        pixels, frames, steps, batch, count, is_steps, is_shared, is_eager = (
            table.columns[name][mine]
            for name in ("pixels", "frames", "steps", "batch", "count", "is_steps", "is_shared", "is_eager")
        )
        values = {name: constants[name][mine] for name in IMAGE_CONSTANTS}
        used = ImageConstants(**{**values, "host_block_s": values["host_block_s"] * is_eager})
        rates, guided = take(table.rates, mine), is_guided > 0
        worked = latent_pixels(arch, pixels, frames)
        steps_s = step_time(arch, worked, guided=guided, rates=rates, constants=used, batch=batch).total_s
        whole_s = image_s(arch, pixels, steps, guided=guided, rates=rates, constants=used, batch=batch, frames=frames)
        speedup = np.where(is_shared > 0, 1.0 / (used.serial_share + (1.0 - used.serial_share) / count), count)
        predicted[mine] = speedup / np.where(is_steps > 0, steps_s, whole_s)
    return predicted
