"""Serving rows: engine, layout, load and formats of a measured row, read by the conventions of its table."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from planner.demand.memory import WEIGHT_BYTES_BY_PRECISION
from planner.demand.service import TOKENS_PER_IMAGE
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, architecture_of, machine_of, number
from planner.supply.machines import Machine
from planner.supply.serving.model import BATCHED_TOKENS, ServedModel, served_model
from planner.supply.serving.speed import accepted_tokens
from planner.supply.serving.stacks import stack_named
from pricing.facts.accelerator_rows import Accelerator

_PRECISIONS = {
    "int8w": "int8",
    "q4_k_m": "int4",
    "q4_0": "int4",
    "q8_0": "int8",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
    "awq": "int4",
    "gptq": "int4",
    "w4a16": "int4",
    "w8a8": "int8",
    "w8a16": "int8",
    "fp32/tf32": "fp32",
}
_PUBLISHED_IN_FP4 = ("gpt-oss",)
"""Models whose weights exist in 4 bits alone: a table's "FP8" or "BF16" then names the arithmetic or the cache."""
_SHORTEST_PROMPT = 8
"""Tokens below which a single stream is a test of decoding alone."""
_STEADY_SHARE = 0.8
"""Of the offered tokens an open load has to deliver, else the queue grew to the end of the run."""
_CHUNK_TOKENS = {"llama.cpp": 512.0}
"""Tokens of a prompt that an engine reads at once where it is not the usual number: llama.cpp's n_ubatch."""
_STACKS = (
    (("llama.cpp", "exllama", "mlx", "ollama"), "llama.cpp"),
    (("tensorrt", "trt", "fastertransformer"), "trtllm"),
    (("sglang",), "sglang"),
    (("vllm",), "vllm"),
    (("neuron",), "neuron"),
    (("tinychat", "awq"), "tinychat"),
    (("litgpt", "eager", "pytorch 2", "gpt-fast"), "eager"),
    (("transformers",), "transformers"),
    (("ipex", "llama_hybrid", "openvino"), "ipex"),
)


def stack_of(framework: str) -> str:
    """Return the engine family of a framework's name: constants of one do not hold for another.

    Examples
    --------
    >>> stack_of("TensorRT-LLM PyTorch backend"), stack_of("llama.cpp"), stack_of("HF transformers"), stack_of("homemade")
    ('trtllm', 'llama.cpp', 'transformers', '')
    """
    low = framework.lower()
    return next((stack for words, stack in _STACKS if any(word in low for word in words)), "")


_COMMUNITY = frozenset({"vllm", "sglang"})
_AS_IT_COMES = re.compile(r"default settings|whole run")
_FIRST_TUNED_SUBMISSION = 5
"""MLPerf round from which submissions are faster than the engines' own tables; before, they are of them."""
_OLD_VLLM = re.compile(r"(?<![\d.])v?0\.[2-7](\.|$|\s)")
"""Versions whose scheduler took turns with the accelerator (before V1)."""


def deployment_of(row: Row) -> str:
    """Return how a row was served: ``default`` (an engine as it comes), ``tuned`` (to model and box), ``submission`` (by its vendor).

    A column `stack` says it; else the table's own words do.

    Examples
    --------
    >>> deployment_of({"load": "MLPerf Offline", "framework_version": "v5.1"}), deployment_of({"stack": "vllm"})
    ('submission', 'default')
    >>> deployment_of({"load": "offline max", "framework": "vLLM", "notes": "default settings of the engine"})
    'default'
    """
    stated = row.get("stack", "").lower()
    if stated in {"default", "tuned", "submission"}:
        return stated
    version, load = row.get("framework_version", ""), row.get("load", "").lower()
    if "mlperf" in load:
        number_of = re.match(r"v?(\d+)", version)
        return "submission" if number_of and int(number_of.group(1)) >= _FIRST_TUNED_SUBMISSION else "tuned"
    framework = row.get("framework", "")
    is_old = stack_of(framework) == "vllm" and bool(_OLD_VLLM.search(f"{framework} {version}"))
    as_it_comes = bool(_AS_IT_COMES.search(row.get("notes", "")))
    return "default" if as_it_comes or is_old or stated in _COMMUNITY else "tuned"


_DRAFTS = re.compile(r"\bMTP\b|EAGLE|speculative decoding")
_NO_DRAFTS = re.compile(r"(?:no|without|not) (?:MTP|EAGLE|speculative)|(?:MTP|EAGLE|speculative decoding) off")
_YIELD = re.compile(r"accept length (?:about )?([\d.]+\d|\d)")
_DRAFT_SHAPE = re.compile(r"MTP \d+-\d+-(\d+)")
_USUAL_DRAFTED = 3
"""Tokens that SGLang's and vLLM's recipes let a draft propose where they say no more (steps 3, top-k 1, 4 tokens checked)."""
_USUAL_ACCEPTED_SHARE = 0.7
"""As `perf.draft_acceptance_share`."""


def drafts_of(row: Row) -> tuple[int, float]:
    """Return how many tokens a draft proposes in each step, and how many tokens a step yields; (0, 1) without a draft.

    Examples
    --------
    >>> drafts_of({"notes": "MTP 5-1-6, accept length about 6 of 6 on random tokens"})
    (5, 6.0)
    >>> drafts_of({"notes": "speculative decoding (MTP/EAGLE), accept length 2.46; 10 requests"}), drafts_of({"notes": "cold cache"})
    ((3, 2.46), (0, 1.0))
    """
    notes = row.get("notes", "")
    if not _DRAFTS.search(notes) or _NO_DRAFTS.search(notes):
        return 0, 1.0
    shape, length = _DRAFT_SHAPE.search(notes), _YIELD.search(notes)
    drafted = int(shape.group(1)) - 1 if shape else _USUAL_DRAFTED
    if length is None:
        return drafted, accepted_tokens(drafted, _USUAL_ACCEPTED_SHARE)
    yielded = float(length.group(1))
    return max(drafted, math.ceil(yielded) - 1), yielded


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRow:
    """One row as the formulas take it.

    Attributes
    ----------
    row, machine, model, precision, stack, deployment : Row, Machine, ServedModel, str, str, str
        The row; the box, the model in its formats, the weights' format, the engine family that it names, and how it was run.
    sort : str
        ``queue``, ``closed``, ``open``, ``static``, ``whole``, ``decode`` or ``prompt``.
    group_count, split_count, stage_count, replica_count : float
        Accelerators of a stage, those that share a request's attention, stages, and copies of the model.
    is_across : bool
        Whether a replica reaches beyond one machine.
    live_count, rate_per_s : float
        Requests in flight that the load asks of one replica (infinite for an unbounded queue), and its arrival rate (NaN
        where there is none).
    input_tokens, output_tokens, chunk_tokens : float
        Lengths, and how much of a prompt the engine reads at once.
    accumulate_ratio : float
        Tensor arithmetic of this engine over the data sheet's.
    drafted_tokens, yielded_tokens : float
        Tokens that a draft proposes in a step, and that a step yields.
    most_count : float
        Requests that the engine takes at once, whatever memory holds.
    """

    row: Row
    machine: Machine
    model: ServedModel
    precision: str
    stack: str
    deployment: str
    sort: str
    group_count: float
    split_count: float
    stage_count: float
    replica_count: float
    is_across: bool
    live_count: float
    rate_per_s: float
    input_tokens: float
    output_tokens: float
    chunk_tokens: float
    accumulate_ratio: float
    drafted_tokens: float
    yielded_tokens: float
    most_count: float


def served_row(row: Row) -> ServedRow:
    """Return a row in the words of the formulas.

    Raises
    ------
    GpuplanError
        Where the accelerator, the model or a format is unknown, or no length is stated.
    """
    where = f"row {row.get('id', '?')}"
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=where)
    arch = architecture_of(row)
    if arch.kind != "decoder":
        raise InputError(f"{arch.name} does not generate text", where=where)
    precision, kv_precision = _formats(row, chip, where)
    sort = _sort(row)
    tokens_in, tokens_out = _lengths(row, sort, where)
    image_tokens = _image_tokens(row)
    if "text tokens only" in row.get("notes", ""):
        tokens_in += image_tokens
    count, stack = number(row, "n_gpus", default=1.0), stack_of(row.get("framework", ""))
    model = served_model(arch, precision, kv_precision, image_tokens=image_tokens)
    group, split, stages = (
        (count, count, 1.0) if stack == "neuron" else _layout(row, has_experts=arch.experts > 0, count=count)
    )
    if group == 0.0:
        stored, room = float(np.asarray(model.stored_bytes)), 0.75 * chip.memory_gib * 2**30
        group = split = next((q for q in (1.0, 2.0, 4.0, 8.0) if q >= count or stored / q < room), count)
    group, split = min(group, count), min(split, count)
    stages = min(stages, max(1.0, count // group))
    replicas = max(1.0, math.floor(count / (group * stages)))
    machine, deployment, (drafted, yielded) = machine_of(row, chip), deployment_of(row), drafts_of(row)
    is_limited = drafted > 0 and deployment == "default" and stack in _COMMUNITY
    return ServedRow(
        row=row, machine=machine, model=model, precision=precision, stack=stack, deployment=deployment, sort=sort, group_count=group, split_count=split,
        stage_count=stages, replica_count=replicas, is_across=group * stages > machine.accelerator_count, live_count=_asked(row, sort) / replicas,
        rate_per_s=number(row, "request_rate") / replicas, input_tokens=tokens_in, output_tokens=tokens_out,
        chunk_tokens=_CHUNK_TOKENS.get(stack, BATCHED_TOKENS), accumulate_ratio=_accumulate_ratio(chip, stack),
        drafted_tokens=drafted, yielded_tokens=yielded, most_count=stack_named(stack).most_drafting_count if is_limited else math.inf,
    )  # fmt: skip


def is_overloaded(row: Row) -> bool:
    """Tell whether requests came faster than they were served: the queue of such a run only grows, so its times never settle."""
    offered = number(row, "request_rate") * number(row, "output_len")
    return bool(number(row, "out_tok_s_total") < _STEADY_SHARE * offered)


def _formats(row: Row, chip: Accelerator, where: str) -> tuple[str, str]:
    """Return the formats of weights and cache.

    An unstated cache has 8 bits beside 8- and 4-bit floating weights where an engine was tuned; by default engines keep 16.
    """
    text = (row.get("precision", "") or "bf16").lower()
    precision = _PRECISIONS.get(text, text.split("/")[0].split(" ")[0])
    if row.get("model", "").startswith(_PUBLISHED_IN_FP4):
        precision = "fp4"
        if not chip.fp4_dense_tflop_per_s and deployment_of(row) != "submission":
            return precision, "bf16"
    if precision not in WEIGHT_BYTES_BY_PRECISION:
        raise InputError(f"unknown precision {text!r}", where=where)
    stated = row.get("kv_precision", "")
    if precision == "fp32":
        return precision, "fp32"
    if stated in WEIGHT_BYTES_BY_PRECISION:
        return precision, stated
    has_narrow_cache = precision in {"fp8", "fp4"} and chip.fp8_dense_tflop_per_s and deployment_of(row) != "default"
    return precision, "fp8" if has_narrow_cache else "bf16"


def _sort(row: Row) -> str:
    load, output = row.get("load", "").lower(), number(row, "output_len", default=-1.0)
    if output == 0 or (output == 1 and number(row, "ttft_ms") > 0):
        return "prompt"
    if "offline" in load or "infinite rate" in load or "mlperf" in load:
        return "queue"
    if "closed" in load:
        return "closed"
    if "open" in load:
        return "open"
    if "end-to-end" in load:
        return "whole"
    decoding = "next-token" in load or "generated-token" in load
    return "decode" if decoding or number(row, "input_len", default=0.0) < _SHORTEST_PROMPT else "static"


def _image_tokens(row: Row) -> float:
    """Return the tokens of a request's images: those that the row states, else as many as usual for each image."""
    stated = re.search(r"(\d+) vision tokens", row.get("notes", ""))
    return float(stated[1]) if stated else number(row, "images_per_request", default=0.0) * TOKENS_PER_IMAGE


def _lengths(row: Row, sort: str, where: str) -> tuple[float, float]:
    """Return prompt and answer in tokens; a load of requests without a prompt's length is taken to have the answer's."""
    tokens_in, tokens_out = number(row, "input_len"), number(row, "output_len")
    if math.isnan(tokens_out):
        if sort not in {"decode", "prompt"}:
            raise InputError("neither input nor output length is stated", where=where)
        tokens_out = 128.0
    if math.isnan(tokens_in):
        tokens_in = tokens_out if sort in {"queue", "closed", "open"} else 64.0
    return tokens_in, tokens_out


def _asked(row: Row, sort: str) -> float:
    """Return the requests in flight that the load asks for, over all replicas."""
    if sort == "queue":
        found = re.search(r"(\d+) (requests|prompts)", row.get("load", ""))
        return float(found.group(1)) if found else math.inf
    live = number(row, "concurrency", "batch", default=math.inf)
    return 1.0 if sort in {"decode", "prompt"} and not math.isfinite(live) else live


def _layout(row: Row, *, has_experts: bool, count: float) -> tuple[float, float, float]:
    """Return group, attention split and stages out of the columns tp, pp and ep_or_dp; group 0 where none is stated."""
    tensor, stages = number(row, "tp", default=0.0), number(row, "pp", default=1.0) or 1.0
    text = row.get("ep_or_dp", "")
    found = re.search(r"DEP(\d+)", text)
    if found:
        return float(found.group(1)), 1.0, stages
    found = re.search(r"attn_dp=(\d+)", text)
    if found and float(found.group(1)) > 1:
        group = min(count, float(found.group(1)) * max(tensor, 1.0))
        return group, max(1.0, group / float(found.group(1))), stages
    found = re.search(r"moe_ep=(\d+)", text)
    if has_experts and found and tensor <= 1 and float(found.group(1)) > 1:
        return float(found.group(1)), float(found.group(1)), stages
    return tensor, tensor, stages


def _accumulate_ratio(chip: Accelerator, stack: str) -> float:
    """Return the tensor arithmetic of an engine over the data sheet's, which counts sums in single precision.

    GeForce cards halve their rate there, and llama.cpp sums in half precision: it has the full rate (NVIDIA Ada GPU
    architecture white paper, appendix A: FP16 with FP16 and with FP32 accumulate).
    """
    is_geforce = chip.vendor == "NVIDIA" and chip.market_class == "consumer"
    return 2.0 if is_geforce and stack == "llama.cpp" else 1.0
