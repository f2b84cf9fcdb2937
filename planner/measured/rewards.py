"""Rows of training on rewards (GRPO and kin): the time of a step in which the same GPUs write the answers and learn from them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, architecture_of, machine_of, number, predicted_rows
from planner.supply.calibration import Calibration
from planner.supply.fleet import estimate
from planner.supply.machines import Refusal

_TASKS = frozenset({"grpo", "dapo"})
_BESIDE = re.compile(r"\boff\b|async", re.IGNORECASE)
_USUAL_PROMPT_TOKENS = 200
"""Of a problem of mathematics, which all rows that state their lengths are about; a row's own `input_len` counts before it."""


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
