"""Measured serving rows: a table of them as columns, predicted by the formulas of `planner.supply.serving`.

The load says how requests came: an unbounded queue, a fixed number in flight, a rate, one batch, or a single stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.demand.memory import WEIGHT_BYTES_BY_PRECISION
from planner.measured.rows import Row, accelerator_of, architecture_of, machine_of, number
from planner.supply.calibration import Calibration, scopes
from planner.supply.communication import Links, group_bandwidth
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Machine
from planner.supply.serving import ServedModel, ServingConstants, ServingLayout, decode_step, prefill, served_model
from planner.supply.serving_memory import cache_budget_bytes, cached_bytes_per_request
from pricing.errors import GpuplanError

__all__ = [
    "ServingConstantsOfRows",
    "ServingTable",
    "constants_of_rows",
    "is_overloaded",
    "predict_serving",
    "serving_table",
]

FloatArray = NDArray[np.float64]

_PRECISIONS = {
    "int8w": "int8",
    "q4_k_m": "int4",
    "q4_0": "int4",
    "q8_0": "int8",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
    "awq": "int4",
    "fp32/tf32": "fp32",
}
METRICS = ("out_tok_s_total", "tpot_ms", "ttft_ms", "prefill_tok_s")
CONSTANTS = tuple(item.name for item in fields(ServingConstants))
LINKS = tuple(item.name for item in fields(Links))
_BURST_POWER = 0.6
_STEADY_SHARE = 0.8
"""Of the offered tokens an open load has to deliver, else the queue grew to the end of the run."""
MOST_REQUESTS = 2048.0
"""Requests in flight that engines are built for in maximum-throughput tables."""


def stack_of(framework: str) -> str:
    """Return the engine family of a framework's name: constants of one do not hold for another.

    Examples
    --------
    >>> stack_of("TensorRT-LLM PyTorch backend"), stack_of("llama.cpp"), stack_of("HF transformers")
    ('trtllm', 'llama.cpp', 'eager')
    """
    low = framework.lower()
    for words, stack in (
        (("llama.cpp", "exllama", "mlx", "ollama"), "llama.cpp"),
        (("tensorrt", "trt", "fastertransformer"), "trtllm"),
        (("sglang",), "sglang"),
        (("vllm",), "vllm"),
        (("neuron",), "neuron"),
        (("tinychat", "awq"), "tinychat"),
        (("transformers", "litgpt", "eager", "pytorch 2", "gpt-fast"), "eager"),
        (("ipex", "llama_hybrid", "openvino"), "ipex"),
    ):
        if any(word in low for word in words):
            return stack
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingTable:
    """Rows that can be predicted, as columns; `model` and `layout` hold arrays.

    Attributes
    ----------
    rows : tuple of Row
        The rows, in the order of the arrays.
    scopes : tuple of tuple of str
        Where each row's constants are looked up, nearest first.
    limit : FloatArray
        Requests in flight that memory and engine allow, over all stages of one replica.
    live : FloatArray
        Requests in flight that the load asks for (infinite for an unbounded queue).
    rate_per_s : FloatArray
        Arrival rate of one replica; NaN unless the load is one.
    replicas : FloatArray
        Copies of the model over the accelerators.
    sort : NDArray of str
        ``queue``, ``closed``, ``open``, ``static``, ``decode`` or ``prompt``.
    """

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    stacks: tuple[str, ...]
    precision: tuple[str, ...]
    model: ServedModel
    hardware: Hardware
    flop_per_s: FloatArray
    group: FloatArray
    split: FloatArray
    stages: FloatArray
    across: FloatArray
    limit: FloatArray
    live: FloatArray
    rate_per_s: FloatArray
    replicas: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    sort: NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingConstantsOfRows:
    """The constants of every row: those of a step, of the links, and of the way in which a benchmark loads its server."""

    step: ServingConstants
    links: Links
    pace_ratio: FloatArray
    burst_share: FloatArray
    wait_steps_ratio: FloatArray
    entry_layer_s: FloatArray


def _layout(row: Row, arch_experts: int, count: float) -> tuple[float, float, float]:
    """Return group, attention split and stages out of the columns tp, pp and ep_or_dp."""
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
    if arch_experts and found and tensor <= 1 and float(found.group(1)) > 1:
        return float(found.group(1)), float(found.group(1)), stages
    return tensor, tensor, stages


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
    if "next-token" in load or "generated-token" in load or number(row, "input_len", default=0.0) < 8:
        return "decode"
    return "static"


def _tags(model: ServedModel, precision: str, stack: str) -> tuple[str, ...]:
    """Return what the calibration should know of a row beside its machine: engine, format, mixture of experts."""
    found = [f"@{stack}"] if stack else []
    found += [f"@{precision}"] if precision in {"fp8", "fp4", "int4", "int8"} else []
    return tuple(found + ["@moe"] * bool(float(np.asarray(model.moe_layers))))


def serving_table(rows: Sequence[Row]) -> tuple[ServingTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not.

    Returns
    -------
    table, refusals : ServingTable, dict of str to str
        Refusals by the row's id.
    """
    refusals: dict[str, str] = {}
    kept: list[tuple[Row, Machine, ServedModel, str, tuple[float, ...], str, str]] = []
    for index, row in enumerate(rows):
        name = row.get("id", "") or str(index + 1)
        try:
            kept.append(_one(row))
        except GpuplanError as error:
            refusals[name] = error.message
    machines = [item[1] for item in kept]
    hw = hardware(machines)
    models = ServedModel(**{
        field.name: np.asarray([getattr(item[2], field.name) for item in kept], dtype=float) for field in fields(ServedModel)
    })  # fmt: skip
    columns = np.asarray([item[4] for item in kept], dtype=float).reshape(-1, 9)
    group, split, stages, replicas, live, rate, tokens_in, tokens_out, across = columns.T
    precisions = tuple(item[3] for item in kept)
    flops = np.asarray([_peak(hw, index, precision) for index, precision in enumerate(precisions)], dtype=float)
    limit = _limit(models, hw, group, split, stages, tokens_in, tokens_out)
    stacks = tuple(item[6] for item in kept)
    return ServingTable(
        rows=tuple(item[0] for item in kept), scopes=tuple(scopes(item[1]) for item in kept), tags=tuple(_tags(item[2], item[3], item[6]) for item in kept), stacks=stacks,
        precision=precisions, model=models, hardware=hw, flop_per_s=flops, group=group, split=split, stages=stages, across=across,
        limit=limit, live=live, rate_per_s=rate, replicas=replicas, input_tokens=tokens_in, output_tokens=tokens_out,
        sort=np.asarray([item[5] for item in kept]),
    ), refusals  # fmt: skip


def _peak(hw: Hardware, index: int, precision: str) -> float:
    peak = float(hw.flop_per_s(precision)[index])
    return peak if np.isfinite(peak) else float(hw.flop16_per_s()[index])


def _limit(
    model: ServedModel,
    hw: Hardware,
    group: FloatArray,
    split: FloatArray,
    stages: FloatArray,
    tokens_in: FloatArray,
    tokens_out: FloatArray,
) -> FloatArray:
    """Return the requests of one replica that memory holds, at least one and at most what engines are built for."""
    budget = cache_budget_bytes(model, hw.memory_bytes, group, split, stages, usable_share=0.9)
    each = cached_bytes_per_request(model, split, stages, tokens_in + tokens_out / 2.0)
    held = np.floor(np.maximum(budget, 0.0) / np.maximum(each, 1.0)) * group / split
    return np.asarray(np.clip(held, 1.0, MOST_REQUESTS * group / split), dtype=float)


def _one(row: Row) -> tuple[Row, Machine, ServedModel, str, tuple[float, ...], str, str]:
    from planner.errors import InputError

    where = f"row {row.get('id', '?')}"
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=where)
    arch = architecture_of(row)
    if arch.kind != "decoder":
        raise InputError(f"{arch.name} does not generate text", where=where)
    text = row.get("precision", "") or "bf16"
    precision = _PRECISIONS.get(text, text.split("/")[0].split(" ")[0])
    if precision not in WEIGHT_BYTES_BY_PRECISION:
        raise InputError(f"unknown precision {text!r}", where=where)
    kv_text = row.get("kv_precision", "")
    kv = (
        kv_text
        if kv_text in WEIGHT_BYTES_BY_PRECISION
        else "fp8"
        if precision in {"fp8", "fp4"} and chip.fp8_dense_tflop_per_s
        else "bf16"
    )
    kv = "fp32" if precision == "fp32" else kv
    sort = _sort(row)
    tokens_in, tokens_out = number(row, "input_len"), number(row, "output_len")
    if np.isnan(tokens_out):
        if sort not in {"decode", "prompt"}:
            raise InputError("neither input nor output length is stated", where=where)
        tokens_out = 128.0
    if np.isnan(tokens_in):
        tokens_in = tokens_out if sort in {"queue", "closed", "open"} else 64.0
    count = number(row, "n_gpus", default=1.0)
    group, split, stages = _layout(row, arch.experts, count)
    machine = machine_of(row, chip)
    stack = stack_of(row.get("framework", ""))
    if stack == "neuron":
        group = split = count
    model = served_model(arch, precision, kv)
    if group == 0.0:
        stored = float(np.asarray(model.stored_bytes))
        group = next(
            (q for q in (1.0, 2.0, 4.0, 8.0) if q >= count or stored / q < 0.75 * chip.memory_gib * 2**30), count
        )
        split = group
    group, split = min(group, count), min(split, count)
    stages = min(stages, max(1.0, count // group))
    replicas = max(1.0, np.floor(count / (group * stages)))
    live = number(row, "concurrency", "batch", default=np.inf) / replicas
    if sort in {"decode", "prompt"} and not np.isfinite(live):
        live = 1.0
    if sort == "queue":
        live = np.inf
        found = re.search(r"(\d+) (requests|prompts)", row.get("load", ""))
        if found:
            live = float(found.group(1)) / replicas
    rate = number(row, "request_rate") / replicas
    machine_count = machine.accelerator_count
    numbers = (
        group,
        split,
        stages,
        replicas,
        live,
        rate,
        tokens_in,
        tokens_out,
        1.0 if group * stages > machine_count else 0.0,
    )
    return row, machine, model, precision, numbers, sort, stack


def is_overloaded(row: Row) -> bool:
    """Tell whether requests came faster than they were served: such a run is all ramp, its times have no steady value."""
    offered = number(row, "request_rate") * number(row, "output_len")
    return bool(number(row, "out_tok_s_total") < _STEADY_SHARE * offered)


def constants_of_rows(table: ServingTable, calibration: Calibration) -> ServingConstantsOfRows:
    """Return the calibration's constants for every row."""

    def column(name: str) -> FloatArray:
        pairs = zip(table.scopes, table.tags, strict=True)
        return np.asarray([calibration.value_at(name, where, tags) for where, tags in pairs], dtype=float)

    return ServingConstantsOfRows(
        step=ServingConstants(**{name: column(f"serve.{name}") for name in CONSTANTS}),
        links=Links(**{name: column(f"serve_link.{name}") for name in LINKS}),
        pace_ratio=column("serve.pace_ratio"),
        burst_share=column("serve.burst_share"),
        wait_steps_ratio=column("serve.wait_steps_ratio"),
        entry_layer_s=column("serve.entry_layer_s"),
    )


def predict_serving(table: ServingTable, constants: ServingConstantsOfRows) -> Mapping[str, FloatArray]:
    """Return the predicted value of every metric of every row; NaN where a row's load has none.

    Returns
    -------
    mapping of str to FloatArray
        ``out_tok_s_total``, ``tpot_ms``, ``ttft_ms``, ``prefill_tok_s``.
    """
    hw, model = table.hardware, table.model
    group, split, stages = table.group, table.split, table.stages
    bandwidth, latency = group_bandwidth(hw, constants.links, group, inside=np.minimum(group, hw.count))
    stage_bandwidth, stage_latency = group_bandwidth(
        hw,
        constants.links,
        np.where(stages > 1, np.maximum(2.0, group + 1), 1.0),
        inside=np.where(table.across > 0, 1.0, group + 1),
    )
    layout = ServingLayout(
        group=group, attention_split=split, stages=stages, flop_per_s=table.flop_per_s, flop16_per_s=hw.flop16_per_s(),
        bandwidth_bytes_per_s=hw.bandwidth_bytes_per_s, link_bytes_per_s=bandwidth, link_latency_s=latency,
        stage_bytes_per_s=stage_bandwidth, stage_latency_s=stage_latency,
    )  # fmt: skip
    tokens_in, tokens_out = table.input_tokens, table.output_tokens
    decode_only = (table.sort == "decode") | (table.sort == "whole")
    middle = tokens_in + tokens_out / 2.0
    prompt = prefill(model, layout, constants.step, np.maximum(tokens_in, 1.0))
    pace = constants.pace_ratio
    prompt_s = prompt.total_s * pace
    first = decode_step(model, layout, constants.step, 1.0, 1.0)
    floor_s = (first.memory_s + first.fixed_s + first.communication_s * (tokens_in <= 1)) * pace + prompt_s
    live = np.minimum(table.live, table.limit)
    with np.errstate(invalid="ignore", over="ignore"):
        arriving = _open_load(table, layout, constants, prompt_s, floor_s, middle, pace)
    live = np.where(table.sort == "open", arriving, live)
    each_stage = np.maximum(live / stages, 1.0)
    step = decode_step(model, layout, constants.step, each_stage, middle)
    step_s = step.total_s * pace
    shared = ~decode_only & (table.sort != "static")
    tpot_s = step_s + np.where(shared, each_stage * prompt_s / tokens_out, 0.0)
    wait_s = np.where(np.isfinite(table.live), np.maximum(table.live - live, 0.0), 0.0)
    rate = live / (floor_s + tokens_out * tpot_s)
    backlog_s = np.where(table.sort == "closed", wait_s / np.maximum(rate, 1e-12), 0.0)
    # Prompts that arrive together are read together: the wait grows more slowly than their number.
    closed = table.sort == "closed"
    burst_s = np.where(closed, constants.burst_share * np.maximum(live - 1.0, 0.0) ** _BURST_POWER * prompt_s, 0.0)
    # Prompts differ in shape, so their kernels are started one by one rather than replayed: a time per layer, long with experts.
    started_s = constants.entry_layer_s * np.asarray(model.layers, dtype=float)
    entry_s = np.where(closed | (table.sort == "open"), started_s + constants.wait_steps_ratio * step_s, 0.0)
    load = np.clip(live * prompt_s / np.maximum(tokens_out * tpot_s, 1e-12), 0.0, 0.95)
    queue_s = np.where(table.sort == "open", prompt_s * load / (1.0 - load), 0.0)
    ttft_s = floor_s + backlog_s + burst_s + queue_s + entry_s
    static_s = live * prompt_s / stages + tokens_out * step_s
    total = np.select(
        [
            table.sort == "queue",
            table.sort == "static",
            table.sort == "closed",
            table.sort == "open",
            table.sort == "decode",
            table.sort == "whole",
        ],
        [
            live / tpot_s,
            live * tokens_out / static_s,
            live * tokens_out / (floor_s + burst_s + entry_s + tokens_out * tpot_s),
            np.fmin(table.rate_per_s * tokens_out, live / tpot_s),
            live / step_s,
            live * tokens_out / static_s,
        ],
        np.nan,
    )
    tpot = np.where(table.sort == "whole", static_s / tokens_out, tpot_s)
    return {
        "out_tok_s_total": np.asarray(total * table.replicas, dtype=float),
        "tpot_ms": np.asarray(tpot * 1e3, dtype=float),
        "ttft_ms": np.asarray(ttft_s * 1e3, dtype=float),
        "prefill_tok_s": np.asarray(tokens_in / floor_s * table.replicas, dtype=float),
    }


def _open_load(
    table: ServingTable, layout: ServingLayout, constants: ServingConstantsOfRows, prompt_s: FloatArray, floor_s: FloatArray,
    middle: FloatArray, pace: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return the requests in flight at which Little's law holds for the arrival rate, at most the limit."""
    live = np.ones_like(prompt_s)
    rate = np.where(np.isnan(table.rate_per_s), 0.0, table.rate_per_s)
    for _ in range(30):
        step = decode_step(table.model, layout, constants.step, np.maximum(live / table.stages, 1.0), middle)
        tpot = step.total_s * pace + live / table.stages * prompt_s / table.output_tokens
        wanted = np.clip(rate * (floor_s + table.output_tokens * tpot), 1e-3, table.limit)
        live = 0.5 * live + 0.5 * wanted
    return np.maximum(live, 1e-3)
