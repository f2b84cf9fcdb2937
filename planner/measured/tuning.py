"""Rows of training adapters of image and video models: seconds of a step, and peak memory of a GPU."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.demand.models import known_model
from planner.demand.workload import FinetuneImages
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, machine_of, number, predicted_rows
from planner.supply.calibration import Calibration
from planner.supply.hardware import hardware
from planner.supply.throughput.tuning import tuning_bytes, tuning_step_s

_UNREAD = ("offload to host", "blocks swapped", "parameter offloading")
_RANK = re.compile(r"rank[ -](\d+)")


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
