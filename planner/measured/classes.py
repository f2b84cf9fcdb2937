"""Classes of measured rows: rows whose errors are of one kind, and whose band is one."""

from __future__ import annotations

from functools import cache

from planner.measured.rows import Row, accelerator_of, shipped_rows
from planner.measured.training_recipe import stack_of

__all__ = ["STRANGER", "band_name", "family_of", "row_class"]

STRANGER = ".stranger"
"""Ending of the band of training rows whose software was measured by nobody on such a chip: they lie twice as far off."""

_SERVING_METRICS = ("", "", "ttft", "prefill")


def row_class(problem: str, row: Row, metric: int = 0) -> str:
    """Return the class of a row, a name under ``band.`` in the calibration.

    Parameters
    ----------
    problem : str
        ``serving``, ``training``, ``memory`` or ``images``.
    row : Row
        The measured row.
    metric : int
        Which of the problem's metrics (serving: 0 throughput, 1 time per token, 2 time to first token, 3 prompt speed).
    """
    if problem == "memory":
        return "memory"
    if problem == "images":
        return "image"
    chip = accelerator_of(row.get("gpu", ""))
    usual = chip is not None and chip.vendor == "NVIDIA" and chip.market_class == "datacenter"
    cpu = chip is not None and chip.architecture.startswith("cpu")
    moe = row.get("arch", "") == "moe" or bool(row.get("n_experts", ""))
    if problem == "serving":
        if metric >= 2:
            return f"serve.{_SERVING_METRICS[metric]}"
        if cpu:
            return "cpu"
        if moe:
            return "serve.moe"
        return "serve.dense" if usual and "llama.cpp" not in row.get("framework", "") else "serve.consumer"
    if row.get("kind") == "campaign":
        return "train.campaign"
    if moe:
        return "train.moe"
    if row.get("method", "") in {"lora", "qlora", "dora", "ia3"}:
        return "train.adapters"
    if not usual:
        return "train.consumer"
    return "train.dense" if row.get("precision", "") in {"bf16", "fp16", "tf32", "fp32"} else "train.fp8"


def family_of(row: Row) -> tuple[str, str]:
    """Return the software and the generation of chips that a training row is of.

    Examples
    --------
    >>> family_of({"framework": "NeMo 24.04", "gpu": "H100-SXM"})
    ('megatron', 'Hopper')
    """
    framework, chip = row.get("framework", ""), accelerator_of(row.get("gpu", ""))
    return stack_of(framework) or framework.lower(), chip.architecture if chip else ""


@cache
def _known_families() -> frozenset[tuple[str, str]]:
    return frozenset(
        family_of(row)
        for row in shipped_rows("training")
        if row.get("quality") != "C" and row.get("tokens_per_s_per_gpu") and row.get("framework")
    )


def band_name(problem: str, row: Row, metric: int = 0) -> str:
    """Return the name under ``band.`` of the spread around a row's prediction: its class, or that of strangers to the fit."""
    sort = row_class(problem, row, metric)
    strange = problem == "training" and sort != "train.campaign" and family_of(row) not in _known_families()
    return f"{sort}{STRANGER}" if strange else sort
