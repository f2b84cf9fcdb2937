"""Measured training rows: a table of them as columns, predicted by the formula of `planner.supply.training`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.demand.architecture import Architecture
from planner.demand.parameters import parameter_count
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, architecture_of, machine_of, number
from planner.supply.calibration import Calibration, scopes
from planner.supply.communication import Links, group_bandwidth
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Machine
from planner.supply.training import TrainedModel, TrainingConstants, TrainingLayout, training_step
from planner.supply.training_candidates import trained_model
from pricing.errors import GpuplanError

__all__ = ["TRAINING_CONSTANTS", "TrainingTable", "constants_of_rows", "predict_training", "training_table"]

FloatArray = NDArray[np.float64]

TRAINING_CONSTANTS = tuple(item.name for item in fields(TrainingConstants))
_FORMATS = {
    "mxfp8": "fp8",
    "fp8": "fp8",
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "fp4": "fp4",
    "fp32": "fp32",
    "tf32": "fp32",
    "fp16": "fp16",
    "bf16": "bf16",
}
_STACKS = (
    ("llm-foundry", "llm-foundry"), ("composer", "llm-foundry"), ("megatron-deepspeed", "megatron-deepspeed"), ("deepspeed zero", "zero3-2021"),
    ("megatron-lm", "megatron-lm"), ("megatron-bridge", "megatron"), ("megatron-core", "megatron"), ("nemo", "megatron"),
    ("torchtitan", "torchtitan"), ("torchtune", "torchtune"), ("peft", "peft"), ("maxtext", "maxtext"), ("deepspeed", "deepspeed"),
)  # fmt: skip
_USUAL_MICRO_BATCH_TOKENS = 8192.0
_CAMPAIGN_GOODPUT_SHARE = 0.85
"""A campaign's hours hold evaluation, restarts and other phases: model cards imply 0.7 to 0.95 of the steady speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTable:
    """Rows that can be predicted, as columns.

    Attributes
    ----------
    sequences : FloatArray
        Sequences of one optimizer step over the whole job.
    good : FloatArray
        1, or the share of productive hours for rows that count a whole campaign.
    tags : tuple of tuple of str
        What a row has beside its accelerator: engine, number format, method.
    """

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    model: TrainedModel
    hardware: Hardware
    flop_per_s: FloatArray
    numbers: FloatArray
    seq_len: FloatArray
    good: FloatArray


def stack_of(framework: str) -> str:
    """Return the framework's family.

    Examples
    --------
    >>> stack_of("Megatron-Bridge 26.06"), stack_of("HF PEFT eager")
    ('megatron', 'peft')
    """
    low = framework.lower()
    return next((stack for word, stack in _STACKS if word in low), "")


def training_table(rows: Sequence[Row]) -> tuple[TrainingTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    refusals: dict[str, str] = {}
    kept: list[tuple[Row, Machine, TrainedModel, str, tuple[float, ...], tuple[str, ...], float]] = []
    for index, row in enumerate(rows):
        try:
            kept.append(_one(row))
        except GpuplanError as error:
            refusals[row.get("id", "") or str(index + 1)] = error.message
    hw = hardware([item[1] for item in kept])
    model = TrainedModel(**{
        field.name: np.asarray([getattr(item[2], field.name) for item in kept], dtype=float) for field in fields(TrainedModel)
    })  # fmt: skip
    flops = np.asarray([_peak(hw, index, item[3]) for index, item in enumerate(kept)], dtype=float)
    numbers = np.asarray([item[4] for item in kept], dtype=float).reshape(-1, 11)
    return TrainingTable(
        rows=tuple(item[0] for item in kept),
        scopes=tuple(scopes(item[1]) for item in kept),
        tags=tuple(item[5] for item in kept),
        model=model,
        hardware=hw,
        flop_per_s=flops,
        numbers=numbers,
        seq_len=np.asarray([item[6] for item in kept], dtype=float),
        good=np.asarray([_CAMPAIGN_GOODPUT_SHARE if item[0].get("kind") == "campaign" else 1.0 for item in kept]),
    ), refusals


def _peak(hw: Hardware, index: int, form: str) -> float:
    peak = float(hw.flop_per_s(form)[index])
    return peak if np.isfinite(peak) else float(hw.flop16_per_s()[index])


def _degrees(row: Row, arch: Architecture, count: float, each: float, memory_bytes: float) -> tuple[float, float, bool]:
    """Return tensor and pipeline degree, and whether parameters are sharded; where nothing is said, what would fit."""
    t, p = number(row, "tp", default=0.0), number(row, "pp", default=0.0)
    text = row.get("sharding", "").lower()
    sharded = any(word in text for word in ("zero3", "fsdp", "zero-3")) and "distributed" not in text
    if t or p:
        # With stages, gathers happen once a step, not once a micro-batch (Llama 3 report, section 3.3.2).
        return max(t, 1.0), max(p, 1.0), sharded and p <= 1
    if arch.experts and count >= 64:
        return 1.0, 8.0, False
    if not sharded and count >= 64 and parameter_count(arch) > 2e10:
        return min(8.0, each), max(1.0, 2.0 ** np.ceil(np.log2(parameter_count(arch) / 3e10))), False
    states = parameter_count(arch) * (2.0 if row.get("method", "") in {"lora", "qlora", "dora", "ia3"} else 18.0)
    if sharded or states < 0.6 * memory_bytes or states / max(count, 1.0) < 0.3 * memory_bytes:
        return 1.0, 1.0, sharded or states > 0.6 * memory_bytes
    return min(8.0, each), max(1.0, 2.0 ** np.ceil(np.log2(states / (8.0 * 0.4 * memory_bytes)))), False


def _one(row: Row) -> tuple[Row, Machine, TrainedModel, str, tuple[float, ...], tuple[str, ...], float]:
    where = f"row {row.get('id', '?')}"
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=where)
    if "diffusion" in row.get("method", ""):
        raise InputError("training of diffusion models is not modelled", where=where)
    arch = architecture_of(row)
    method = row.get("method", "").lower()
    adapters = method in {"lora", "qlora", "dora", "ia3"}
    seq = number(row, "seq_len")
    if np.isnan(seq):
        raise InputError("the sequence length is not stated", where=where)
    machine = machine_of(row, chip)
    count = number(row, "n_gpus", default=512.0 if row.get("kind") == "campaign" else 1.0)
    each = min(machine.accelerator_count, count)
    memory = chip.memory_gib * 2**30
    t, p, sharded = _degrees(row, arch, count, each, memory)
    c, e = number(row, "cp", default=1.0) or 1.0, number(row, "ep", default=0.0)
    e = e or (min(8.0, count) if arch.experts else 1.0)
    if chip.architecture.startswith("NeuronCore"):
        t = max(1.0, t / 2.0)  # such tables count cores, two in a chip
    d = number(row, "dp", default=0.0) or max(1.0, np.floor(count / (t * p * c)))
    batch = number(row, "global_batch", default=0.0)
    micro = number(row, "micro_batch", default=0.0)
    framework = row.get("framework", "")
    stack = stack_of(framework)
    if stack == "torchtitan" and p > 1 and micro:
        micro = max(1.0, micro / (2.0 * p)) if micro > p else 1.0
    if not micro:
        micro = max(1.0, _USUAL_MICRO_BATCH_TOKENS / seq)
        if batch:
            micro = min(micro, max(1.0, batch / d))
            micro = micro if p == 1 else max(1.0, min(micro, batch / d / (4 * p)))
    if not batch:
        batch = micro * d * max(1.0, 4.0 * (p - 1.0)) if p > 1 else micro * d
    micro_batches = max(1.0, np.ceil(batch / (d * micro) - 1e-9))
    again = _recompute(row.get("recompute", ""), row, arch, micro * seq / t / c, memory)
    text = row.get("precision", "bf16").lower().split("/")[0].replace("amp ", "")
    form = _FORMATS.get(text, "bf16")
    if form in {"bf16", "fp16"}:
        form = "16"
    chunks = number(row, "vpp", default=1.0) or 1.0
    model = trained_model(arch, int(seq), adapters=adapters, rank=16)
    tags = [f"@{stack}"] if stack else []
    if form in {"fp8", "fp4"}:
        tags += [f"@{form}"]
    tags += [f"@{text}"] * (text.startswith("mx"))
    tags += (
        ["@moe"] * bool(arch.experts)
        + ["@adapters"] * adapters
        + ["@qlora"] * (method == "qlora")
        + ["@dora"] * (method in {"dora", "ia3"})
    )
    tags += ["@offload"] * ("offload" in row.get("notes", "").lower())
    tags += ["@misaligned"] * (arch.hidden / t % 64 != 0 and not adapters)
    tags += ["@encoder"] * (arch.kind == "encoder") + ["@compiled"] * (
        "compile" in (framework + row.get("notes", "")).lower()
    )
    if stack and re.search(r"\b2[56]\.\d\d", framework):
        tags.append(f"@{stack}{re.search(r'2[56]', framework).group(0)}")  # type: ignore[union-attr]
    numbers = (t, p, chunks, d, c, e, float(sharded), again, micro * seq, micro_batches, max(1.0, count / each))
    return row, machine, model, form, numbers, tuple(tags), seq


def _recompute(text: str, row: Row, arch: Architecture, tokens: float, memory_bytes: float) -> float:
    """Return the extra forward passes of a recompute setting; unsaid, selective where activations would not fit."""
    low = text.lower()
    if "full" in low and "none" not in low:
        return 1.0
    if "selective" in low:
        return 0.1
    if low in {"none", "unknown"} or row.get("method", "") in {"lora", "qlora"}:
        return 0.0
    from planner.demand.memory import activation_bytes_per_token_and_layer

    kept = float(activation_bytes_per_token_and_layer(arch)) * arch.layers * tokens
    return 0.15 if kept > 0.5 * memory_bytes else 0.0


def constants_of_rows(table: TrainingTable, calibration: Calibration) -> tuple[TrainingConstants, Links]:
    """Return the calibration's constants for every row."""

    def column(name: str) -> FloatArray:
        pairs = zip(table.scopes, table.tags, strict=True)
        return np.asarray([calibration.value_at(name, where, tags) for where, tags in pairs], dtype=float)

    constants = TrainingConstants(**{name: column(f"train.{name}") for name in TRAINING_CONSTANTS})
    return constants, Links(**{name: column(f"link.{name}") for name in Links.__dataclass_fields__})


def predict_training(table: TrainingTable, constants: TrainingConstants, links: Links) -> FloatArray:
    """Return predicted tokens per second and accelerator of every row."""
    t, p, chunks, d, c, e, sharded, again, tokens, micro_batches, machines = table.numbers.T
    hw = table.hardware
    tensor_bw, tensor_latency = group_bandwidth(hw, links, t, inside=np.minimum(t, hw.count))
    group = d * c
    inside = np.clip(np.floor(hw.count / (t * np.where(machines > 1, 1.0, p))), 1.0, group)
    data_bw, data_latency = group_bandwidth(
        hw, links, group, inside=np.where(machines > 1, np.minimum(inside, group), group)
    )
    expert_bw, expert_latency = group_bandwidth(hw, links, e, inside=np.minimum(e, np.maximum(hw.count / t, 1.0)))
    stage_bw, stage_latency = group_bandwidth(
        hw, links, np.where(p > 1, 2.0, 1.0), inside=np.where((machines > 1) & (p > 1), 1.0, 2.0)
    )
    layout = TrainingLayout(
        tensor=t, pipeline=p, chunks=np.maximum(chunks, 1.0), data=d, context=c, expert=e, sharded=sharded > 0, recompute=again,
        micro_batch_tokens=tokens, micro_batches=micro_batches, flop_per_s=table.flop_per_s, flop16_per_s=hw.flop16_per_s(),
        bandwidth_bytes_per_s=hw.bandwidth_bytes_per_s, tensor_bytes_per_s=tensor_bw, tensor_latency_s=tensor_latency,
        data_bytes_per_s=data_bw, data_latency_s=data_latency, stage_bytes_per_s=stage_bw, stage_latency_s=stage_latency, expert_bytes_per_s=expert_bw, expert_latency_s=expert_latency, machines=machines,
    )  # fmt: skip
    step_s = training_step(table.model, layout, constants).total_s
    step_tokens = tokens * micro_batches * d
    return np.asarray(step_tokens / step_s / (d * t * p * c) * table.good, dtype=float)
