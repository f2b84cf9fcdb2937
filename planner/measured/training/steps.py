"""Measured steps of training on rewards (GRPO and similar methods), of image models, and of adapters of image and video models.

A sample passes the denoiser forward once and backward at twice the cost; latents and text are encoded beforehand in such tables.
Exchange of gradients is small beside it and left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import FinetuneImages, Workload
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, architecture_of, chip_of, machine_of, number, predicted_rows
from planner.supply.calibration import Calibration
from planner.supply.fleet import estimate
from planner.supply.hardware import hardware
from planner.supply.machines import Refusal
from planner.supply.throughput.image_training import tuning_bytes, tuning_step_s
from planner.supply.throughput.images import image_constants, image_rates, step_time

_UNREAD = ("offload to host", "blocks swapped", "parameter offloading")
_RANK = re.compile(r"rank[ -](\d+)")


_TASKS = frozenset({"grpo", "dapo"})
_BESIDE = re.compile(r"\boff\b|async", re.IGNORECASE)
_USUAL_PROMPT_TOKENS = 200
"""Of a problem of mathematics, which all rows that state their lengths are about; a row's own `input_len` counts before it."""
_PASSES = 3.0
_USUAL_BATCH = 16.0
"""Samples of an accelerator in a step, where a table does not say."""


def predict_tuning(rows: Sequence[Row], calibration: Calibration) -> tuple[dict[str, float], dict[str, str]]:
    """Return the seconds of a step or the GiB of memory by the row's id, and why the others have none."""
    return predicted_rows(rows, lambda row: _predicted(row, calibration))


def _predicted(row: Row, calibration: Calibration) -> float:
    notes = row.get("notes", "")
    if row.get("task", "").startswith("full"):
        raise InputError("no formula predicts training of all weights of an image model")
    if any(words in notes.lower() for words in _UNREAD):
        raise InputError("part of what a step needs lies in host memory, and how much is not stated")
    if not row.get("width") or not row.get("height"):
        raise InputError("the size of an image is not stated")
    arch = known_model(row.get("model", "").partition(" (")[0])
    if arch.diffusion is None:
        raise InputError(f"{arch.name} makes no images")
    rank = _RANK.search(notes)
    stated = {
        "steps": 1,
        "batch": round(number(row, "batch", default=1.0)),
        "width": round(number(row, "width")),
        "height": round(number(row, "height")),
        "frames": round(number(row, "frames", default=1.0)),
        "rank": int(rank.group(1)) if rank else 16,
        "checkpointing": "no gradient checkpointing" not in notes,
        "cached": "not pre-computed" not in notes,
    }
    work, base = FinetuneImages.model_validate(stated), _base_of(row)
    if row.get("metric") == "peak_memory":
        return sum(tuning_bytes(arch, work, base)) / 2**30
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}")
    if "torchao" in row.get("precision", ""):
        base = "bf16"  # widened within the product, without launches of their own
    machines = (machine_of(row, chip),)
    return float(tuning_step_s(arch, work, base, machines, hardware(machines), calibration)[0])


def _base_of(row: Row) -> str:
    """Return the format of the frozen weights."""
    text = row.get("precision", "").lower()
    return next((name for name in ("int8", "fp8", "nf4", "int4") if name in text), "bf16")


def predict_rewards(rows: Sequence[Row], calibration: Calibration) -> tuple[dict[str, float], dict[str, str]]:
    """Return the seconds of a step by the row's id, and why the others have none."""
    return predicted_rows(rows, lambda row: _step_s(row, calibration))


def _step_s(row: Row, calibration: Calibration) -> float:
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}")
    if row.get("task") not in _TASKS:
        raise InputError(f"no formula predicts a step of {row.get('task', '')!r}")
    if _BESIDE.search(row.get("notes", "")):
        raise InputError("answers are written beside the training, on GPUs of their own")
    length, answers = round(number(row, "output_len", default=0.0)), number(row, "batch", default=0.0)
    if length < 1 or answers < 1:
        raise InputError("how many answers of which length a step takes is not stated")
    prompt = number(row, "input_len", default=min(_USUAL_PROMPT_TOKENS, length // 2))
    tokens_m = answers * length / 1e6
    work = {
        "method": "grpo", "tokens_m": tokens_m, "global_batch_tokens_m": tokens_m, "seq_len": length, "prompt_tokens": max(round(prompt), 1),
    }  # fmt: skip
    asked = Workload.model_validate(
        {"kind": "finetune", "model": row["model"], "precision": "bf16", "stack": "megatron", "finetune": work}
    )
    count = round(number(row, "n_gpus", default=1.0))
    fleet = estimate(
        asked, architecture_of(row), machine_of(row, chip), count, default_assumptions(), calibration=calibration
    )
    if isinstance(fleet, Refusal) or fleet.performance.step_s is None:
        raise InputError("the model does not fit")
    return fleet.performance.step_s


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
