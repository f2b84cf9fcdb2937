"""Classes of measured rows: rows whose errors are of one kind and share a band; and rows of many kinds in the words of one.

A row's columns are those of ``planner/facts/measured_kinds.csv``; `sort_of` says which formula predicts it, and `plain_row` writes it down
as the rows that this formula reads.
"""

from __future__ import annotations

import re
from functools import cache

from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.images import is_weight_only
from planner.measured.rows import Row, accelerator_of, number, shipped_rows
from planner.measured.serving.rows import deployment_of
from planner.measured.serving.rows import stack_of as engine_of
from planner.measured.training.recipe import ADAPTERS, stack_of
from pricing.facts.accelerators import card_of

_SORTS = {
    "embedding": "encode",
    "asr": "speech",
    "image": "images",
    "video": "images",
    "llm": "serving",
    "vlm": "serving",
    "rl": "rewards",
    "lora-diffusion": "tuning",
}
_PREDICTED = {
    "encode": {"latency_ms", "latency_s", "inferences_per_s", "requests_per_s", "pairs_per_s", "tokens_per_s"},
    "speech": {"rtfx", "latency_s", "samples_per_s"},
    "images": {"latency_s", "step_time_s", "steps_per_s", "requests_per_s", "images_per_s"},
    "rewards": {"step_time_s"},
    "tuning": {"step_time_s", "peak_memory"},
    "serving": {"out_tok_s_total", "decode_tok_s", "ttft_ms", "tpot_ms"},
}
_TUNED = re.compile(r"vendor run|^(low-latency|balanced|high-throughput)\b")


UNMEASURED = ".stranger"
"""Ending of the band of rows whose software nobody has measured on that chip with that method: their errors are up to twice as large."""
_MEASURED = {
    "training": ("training", ("tokens_per_s_per_gpu",)),
    "serving": ("inference", ("out_tok_s_total", "tpot_ms", "ttft_ms", "prefill_tok_s")),
}
"""Kinds of rows that are classed by family, with the columns of which at least one is filled in a measured row."""
_OWN_CLASS = {"images": "image", "video": "video", "encode": "encode", "speech": "speech"}
_CLASSED_BY_ENGINE = frozenset({"encode", "speech", "video"})
"""Work whose tables each measure an engine of their own."""
_SERVING_METRICS = ("", "", "ttft", "prefill")


def sort_of(row: Row) -> str:
    """Return which formula predicts a row: ``encode``, ``speech``, ``images``, ``serving``, ``rewards``, ``tuning``; empty where none does.

    Examples
    --------
    >>> sort_of({"kind": "video", "metric": "step_time_s"}), sort_of({"kind": "rl", "metric": "weight_sync_s"})
    ('images', '')
    """
    sort = _SORTS.get(row.get("kind", ""), "")
    if sort == "serving" and not row.get("concurrency") and "open loop" in row.get("notes", ""):
        return ""  # no column holds the rate
    return sort if row.get("metric", "") in _PREDICTED.get(sort, ()) else ""


def plain_row(row: Row) -> Row:
    """Return a row with the engine as its framework, sizes, frames and steps in its load, and figures in columns of their own.

    Examples
    --------
    >>> clip = {"kind": "video", "width": "832", "height": "480", "frames": "81", "steps": "40", "metric": "latency_s", "value": "52.9"}
    >>> plain_row(clip)["load"]
    '832x480, 81 frames, 40 steps'
    """
    plain = dict(row) | {
        "framework": row.get("engine", "") or row.get("framework", ""),
        "framework_version": row.get("engine_version", "") or row.get("framework_version", ""),
    }
    sort, metric = sort_of(row), row.get("metric", "")
    if sort == "images":
        size = f"{row.get('width', '')}x{row.get('height', '')}" if row.get("width") else ""
        parts = (
            size,
            f"{row['frames']} frames" if row.get("frames") else "",
            f"{row['steps']} steps" if row.get("steps") else "",
        )
        # The rows measure one request after another, so they state a latency and no batch.
        return plain | {"load": ", ".join(part for part in parts if part), "kind": "diffusion", "images_per_s": ""}
    if sort == "serving":
        live = number(row, "concurrency", "batch", default=1.0)
        plain |= {"load": "closed loop", "concurrency": f"{live:g}", "stack": row.get("stack", "") or _stack_of(row)}
        if metric == "decode_tok_s":
            plain["tpot_ms"] = f"{1000.0 * live / number(row, 'value'):.6g}" if number(row, "value") > 0 else ""
        else:
            plain[metric] = row.get("value", "")
    return plain


def _stack_of(row: Row) -> str:
    """Return how a row's engine was run.

    An unnamed stack is the usual recipe of the engine's own pages, but for runs by the card's vendor and recipes for one box and one aim.
    """
    return "tuned" if _TUNED.search(row.get("notes", "")) else "default"


def row_class(problem: str, row: Row, metric: int = 0) -> str:
    """Return the class of a row, a name under ``band.`` in the calibration.

    Parameters
    ----------
    problem : str
        ``serving``, ``training``, ``memory``, ``images``, ``video``, ``encode`` or ``speech``.
    row : Row
        The measured row.
    metric : int
        Which of the problem's metrics (serving: 0 throughput, 1 time per token, 2 time to first token, 3 prompt speed).
    """
    if problem == "memory":
        return "memory"
    if problem in _OWN_CLASS:
        return _OWN_CLASS[problem]
    chip = accelerator_of(row.get("gpu", ""))
    usual = chip is not None and chip.vendor == "NVIDIA" and chip.market_class == "datacenter"
    cpu = chip is not None and chip.architecture.startswith("cpu")
    moe = row.get("arch", "") == "moe" or bool(row.get("n_experts", "")) or _has_experts(row.get("model", ""))
    if problem in {"serving", "stacks"}:
        deployment = deployment_of(row)
        if metric >= 2:
            own = "default." if deployment == "default" and metric == 2 else ""
            return f"serve.{own}{_SERVING_METRICS[metric]}"
        if cpu:
            return "cpu"
        if deployment != "tuned":
            return f"serve.{deployment}"
        if moe:
            return "serve.moe"
        return "serve.dense" if usual and "llama.cpp" not in row.get("framework", "") else "serve.consumer"
    if row.get("kind") == "campaign":
        return "train.campaign"
    if moe:
        return "train.moe"
    if row.get("method", "").lower() in ADAPTERS:
        return "train.adapters"
    if not usual:
        return "train.consumer"
    narrow = any(form in row.get("precision", "").lower() for form in ("fp8", "fp4", "int8"))
    return "train.fp8" if narrow else "train.dense"


@cache
def _has_experts(model: str) -> bool:
    try:
        return known_model(model).is_moe
    except InputError:
        return False


def family_of(row: Row, problem: str = "training") -> tuple[str, str, str]:
    """Return the software, the chip and the method that a row of training or of serving is of.

    Examples
    --------
    >>> family_of({"framework": "NeMo 24.04", "gpu": "H100-SXM", "method": "lora"})
    ('megatron', 'H100-SXM', 'adapters')
    >>> family_of({"framework": "vLLM 0.9", "gpu": "B200"}, "serving")
    ('vllm', 'B200', '')
    """
    framework, chip = row.get("framework", ""), accelerator_of(row.get("gpu", ""))
    stack = engine_of(framework) if problem == "serving" else stack_of(framework)
    method = "adapters" if row.get("method", "").lower() in ADAPTERS else ""
    return stack or framework.lower(), card_of(chip.name) if chip else "", method


@cache
def _known_families(problem: str) -> frozenset[tuple[str, str, str]]:
    kind, columns = _MEASURED[problem]
    return frozenset(
        family_of(row, problem)
        for row in shipped_rows(kind)
        if row.get("quality") != "C" and row.get("framework") and number(row, *columns) > 0
        if problem == "training" or deployment_of(row) == "tuned"
    )


@cache
def _known_engines() -> frozenset[str]:
    return frozenset(_engine_of(row.get("engine", "")) for row in shipped_rows("kinds")) - {""}


@cache
def _image_engines() -> frozenset[str]:
    return frozenset(
        _engine_of(row.get("framework", "")) for row in shipped_rows("inference") if row.get("kind") == "diffusion"
    )


def _is_near_image(row: Row) -> bool:
    """Tell whether a row's engine is one of those fitted on, with weights as wide as their products, on one accelerator."""
    is_shared = number(row, "n_gpus", default=1.0) > 1 and "latency" in row.get("metric", "")
    return _engine_of(row.get("framework", "")) in _image_engines() and not is_weight_only(row) and not is_shared


def _engine_of(framework: str) -> str:
    """Return the engine's own name, without its backend and version."""
    return re.split(r"[\s(,]", framework.lower())[0]


def band_name(problem: str, row: Row, metric: int = 0) -> str:
    """Return the name under ``band.`` of the spread around a row's prediction: its class, or that of strangers to the fit."""
    sort = row_class(problem, row, metric)
    if problem in _CLASSED_BY_ENGINE:
        return sort if _engine_of(row.get("framework", "")) in _known_engines() else f"{sort}{UNMEASURED}"
    if problem == "images":
        return sort if _is_near_image(row) else f"{sort}{UNMEASURED}"
    if problem not in _MEASURED or sort in {
        "train.campaign",
        "serve.default",
        "serve.default.ttft",
        "serve.submission",
    }:
        return sort
    return sort if family_of(row, problem) in _known_families(problem) else f"{sort}{UNMEASURED}"
