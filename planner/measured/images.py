"""Measured image rows: predicted by the formula of `planner.supply.throughput_fleet`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.demand.architecture import Architecture
from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, machine_of, number
from planner.supply.calibration import Calibration, scopes
from planner.supply.hardware import hardware
from planner.supply.throughput_fleet import image_s
from pricing.errors import GpuplanError

__all__ = ["IMAGE_CONSTANTS", "ImageTable", "constants_of_rows", "image_table", "predict_images"]

FloatArray = NDArray[np.float64]

IMAGE_CONSTANTS = ("flop_share", "knee_tflop", "step_s")
_USUAL_STEPS = 50.0
"""The diffusers library's default, where a table does not state the steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTable:
    """Rows as columns; `observed` is images per second of all accelerators together."""

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    architectures: tuple[Architecture, ...]
    numbers: FloatArray
    observed: FloatArray


def image_table(rows: Sequence[Row]) -> tuple[ImageTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    refusals: dict[str, str] = {}
    kept = []
    for index, row in enumerate(rows):
        try:
            kept.append((row, *_one(row)))
        except GpuplanError as error:
            refusals[row.get("id", "") or str(index + 1)] = error.message
    return ImageTable(
        rows=tuple(item[0] for item in kept),
        scopes=tuple(item[1] for item in kept),
        tags=tuple(item[2] for item in kept),
        architectures=tuple(item[3] for item in kept),
        numbers=np.asarray([item[4] for item in kept], dtype=float).reshape(-1, 5),
        observed=np.asarray([item[5] for item in kept], dtype=float),
    ), refusals


def _one(row: Row) -> tuple[tuple[str, ...], tuple[str, ...], Architecture, tuple[float, ...], float]:
    where = f"row {row.get('id', '?')}"
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=where)
    text = " ".join([row.get("model", ""), row.get("load", ""), row.get("notes", "")])
    size = re.search(r"(\d{3,4})x(\d{3,4})", text)
    name = (
        re.sub(r"\s*\d{3,4}x\d{3,4}", "", row.get("model", ""))
        .replace(" base", "")
        .replace(" Base", "")
        .replace(" XL", "-xl")
    )
    arch = known_model(name)
    if arch.diffusion is None:
        raise InputError(f"{arch.name} makes no images", where=where)
    pixels = float(size.group(1)) * float(size.group(2)) if size else arch.diffusion.reference_pixels
    steps = re.search(r"(\d+)(?: [A-Za-z]+)? steps", text)
    per_step = "steps_per_s" in row.get("metric", "")
    count = 1.0 if per_step else float(steps.group(1)) if steps else _USUAL_STEPS
    batch = number(row, "batch", default=4.0 if "offline" in row.get("load", "").lower() else 1.0)
    machine = machine_of(row, chip)
    hw = hardware([machine])
    precision = row.get("precision", "fp16").lower()
    form = "fp32" if precision.startswith(("fp32", "tf32")) else "fp8" if precision.startswith("fp8") else "16"
    peak = float(hw.flop_per_s(form)[0])
    if not np.isfinite(peak):
        peak = float(hw.flop16_per_s()[0])
    framework = row.get("framework", "").lower()
    tags = [f"@{form}"] if form != "16" else []
    if form == "fp32" and chip.tf32_dense_tflop_per_s is None:
        tags = ["@fp32_vector"]  # without tensor cores for it, single precision reaches far more of its peak
    for word, tag in (
        ("tensorrt", "@tensorrt"),
        ("stable-fast", "@compiled"),
        ("compile", "@compiled"),
        ("flax", "@compiled"),
        ("neuron", "@neuron"),
    ):
        tags += [tag] if word in framework and tag not in tags else []
    tags += ["@eager2022"] * ("diffusers 0." in framework)
    tags += ["@eager"] * (not set(tags) & {"@tensorrt", "@compiled", "@neuron"}) + ["@server"] * (
        "server" in row.get("load", "").lower()
    )
    observed = number(row, "images_per_s", "value")
    if per_step:
        observed = number(row, "value")
    elif "latency" in row.get("metric", "") and np.isnan(number(row, "images_per_s")):
        observed = batch / number(row, "value")
    numbers = (pixels, count, batch, peak, number(row, "n_gpus", default=1.0))
    return scopes(machine), tuple(tags), arch, numbers, observed


def constants_of_rows(table: ImageTable, calibration: Calibration) -> dict[str, FloatArray]:
    """Return the calibration's constants for every row."""
    pairs = list(zip(table.scopes, table.tags, strict=True))
    return {
        name: np.asarray([calibration.value_at(f"image.{name}", where, tags) for where, tags in pairs], dtype=float)
        for name in IMAGE_CONSTANTS
    }


def predict_images(table: ImageTable, constants: dict[str, FloatArray]) -> FloatArray:
    """Return predicted images (or steps) per second of every row."""
    rates = np.empty(len(table.rows))
    for arch in set(table.architectures):
        mine = np.asarray([other == arch for other in table.architectures])
        pixels, steps, batch, peak, count = table.numbers[mine].T
        seconds = image_s(
            arch, pixels, steps, guided=True, flop_per_s=peak, share=constants["flop_share"][mine],
            knee_tflop=constants["knee_tflop"][mine], step_s=constants["step_s"][mine], batch=batch,
        )  # fmt: skip
        rates[mine] = count / seconds
    return rates
