"""Measured rows of training image models: steps of a denoiser forward and backward, by the formula of `planner.supply.throughput.images`.

A sample passes the denoiser forward once and backward at twice the cost; latents and text are encoded beforehand in such tables.
Exchange of gradients is small beside it and left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import Row, chip_of, machine_of, number, predicted_rows
from planner.supply.calibration import Calibration
from planner.supply.hardware import hardware
from planner.supply.throughput.images import image_constants, image_rates, step_time

_PASSES = 3.0
_USUAL_BATCH = 16.0
"""Samples of an accelerator in a step, where a table does not tell."""


def trains_images(row: Row) -> bool:
    """Tell whether a row of training is of a denoiser, whose figure is images per second of the whole job."""
    return "diffusion" in row.get("method", "").lower()


def stated_images_per_s(row: Row) -> float:
    """Return the images per second that a row states, in its own figure or for each GPU in its notes; NaN where it states none."""
    each = re.search(r"images/s/GPU ([\d.]+)", row.get("notes", ""))
    if each and row.get("metric") == "time_to_train_min":
        return float(each[1]) * number(row, "n_gpus", default=1.0)
    return number(
        row, "images_per_s", *["value"] * row.get("metric", "images_per_s").startswith(("images_per_s", "value"))
    )


def predict_image_training(rows: Sequence[Row], calibration: Calibration) -> tuple[dict[str, float], dict[str, str]]:
    """Return predicted images per second of each row by its id, and why the others have none."""
    return predicted_rows(rows, lambda row: _images_per_s(row, calibration))


def _images_per_s(row: Row, calibration: Calibration) -> float:
    where = f"row {row.get('id', '?')}"
    chip = chip_of(row)
    arch = known_model(row.get("model", ""))
    if arch.diffusion is None:
        raise InputError(f"{arch.name} makes no images", where=where)
    count, machine = number(row, "n_gpus", default=1.0), machine_of(row, chip)
    batch = max(
        1.0, number(row, "micro_batch", default=number(row, "global_batch", default=_USUAL_BATCH * count) / count)
    )
    form = "fp8" if "fp8" in row.get("precision", "").lower() else "fp16"
    rates = image_rates([machine], hardware([machine]), [form])
    constants = image_constants(calibration, [machine], [("@fp8",) if form == "fp8" else ()])
    size = re.search(r"UNet at (\d+)x(\d+)", row.get("notes", ""))
    pixels = float(size[1]) * float(size[2]) if size else arch.diffusion.reference_pixels
    step = step_time(arch, pixels, guided=False, rates=rates, constants=constants, batch=batch)
    return float(np.asarray(count * batch / (_PASSES * step.total_s)).reshape(-1)[0])
