"""Measured memory rows: parameter counts, file sizes, peaks and failures, predicted by the formulas of `planner.demand.memory`.

A framework's preset says what it keeps per parameter, and how much of the formula's activations and logits its kernels
really leave behind; the presets' ratios are fitted (``memory.*`` in the calibration).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.demand.architecture import Architecture
from planner.demand.memory import (
    WEIGHT_BYTES_BY_PRECISION,
    activation_bytes_per_token_and_layer,
    logits_bytes_per_token,
    weight_bytes,
)
from planner.demand.models import known_model
from planner.demand.parameters import (
    embedding_parameter_count,
    head_parameter_count,
    lora_parameter_count,
    parameter_count,
    routed_parameter_count,
)
from planner.demand.stated import architecture_from_numbers
from planner.demand.workload import ModelNumbers
from planner.errors import InputError
from planner.measured.rows import Row, accelerator_of, architecture_of, number
from pricing.errors import GpuplanError

__all__ = ["MEMORY_CONSTANTS", "MemoryTable", "expected_bytes", "fits_device", "memory_table", "predict_memory"]

FloatArray = NDArray[np.float64]

MEMORY_CONSTANTS = ("activation_ratio", "logits_ratio", "overhead_bytes", "state_ratio")
_GGUF_BITS = {"F16": 16.0, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_K_M": 5.68, "Q5_K_S": 5.52, "Q4_K_M": 4.85, "Q4_K_S": 4.58, "Q4_0": 4.55, "Q3_K_M": 3.91, "Q3_K_L": 4.27, "Q3_K_S": 3.5, "Q2_K": 3.0, "IQ4_XS": 4.3, "IQ4_NL": 4.56, "IQ3_M": 3.7, "IQ2_M": 2.9, "F32": 32.0}  # fmt: skip
"""Mean bits per weight of llama.cpp's file formats (its own quantize table; mixed formats round by model)."""
_IMAGE_BYTES_PER_PIXEL_AND_BYTE = 2000.0
"""Activations of a U-Net with its decoder per pixel and byte of the format (Lambda's Stable Diffusion 1.4 table)."""
_FITS_SHARE = 0.95
"""A run whose predicted peak takes more of the device than this is called too large: allocators leave 3 to 10 % in pieces."""
_MORE_THAN_AT_FAILURE = 1.08
_ADAPTERS = {"lora", "qlora", "dora", "ia3", "adapter", "prompt_tuning"}
_NF4 = {"nf4": 0.5625, "nf4-dq": 0.516, "fp4": 0.5625, "int8": 1.0, "int4": 0.53}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTable:
    """Peak rows that can be predicted, as columns of bytes before the presets' ratios."""

    rows: tuple[Row, ...]
    tags: tuple[tuple[str, ...], ...]
    states: FloatArray
    activations: FloatArray
    logits: FloatArray


def expected_bytes(row: Row) -> float:
    """Return what the row measured, in bytes (or as a count)."""
    unit = row.get("unit", "").lower()
    return number(row, "value") * {"gib": 2.0**30, "gb": 1e9, "mib": 2.0**20, "mb": 1e6}.get(unit, 1.0)


def _architecture(row: Row) -> Architecture:
    try:
        return architecture_of(row)
    except InputError:
        name = row.get("model", "").lower()
        if "stable diffusion" in name.replace("-", " "):
            return known_model("sd1.5")
        total = number(row, "params_b", default=0.0)
        if not total:
            raise
        return architecture_from_numbers(ModelNumbers(parameters_b=total, vocab=32_128))


def exact_count(row: Row) -> float:
    """Return the parameter count that a row asks for."""
    return parameter_count(architecture_of(row))


def file_bytes(row: Row) -> float:
    """Return the size of a file of weights in llama.cpp's or a plain format."""
    arch = architecture_of(row)
    form = (row.get("quantization", "") or row.get("precision", "") or "F16").upper()
    if form in _GGUF_BITS:
        return parameter_count(arch) * _GGUF_BITS[form] / 8.0
    if form.lower() in WEIGHT_BYTES_BY_PRECISION:
        return weight_bytes(arch, form.lower())
    raise InputError(f"unknown file format {form!r}", where=f"row {row.get('id', '?')}")


def memory_table(rows: Sequence[Row]) -> tuple[MemoryTable, dict[str, str]]:
    """Return the rows of peaks and failures that can be predicted as columns, and for every other one why not."""
    refusals: dict[str, str] = {}
    kept: list[tuple[Row, tuple[str, ...], float, float, float]] = []
    for index, row in enumerate(rows):
        try:
            kept.append((row, *_one(row)))
        except GpuplanError as error:
            refusals[row.get("id", "") or str(index + 1)] = error.message
    numbers = np.asarray([item[2:] for item in kept], dtype=float).reshape(-1, 3)
    return MemoryTable(
        rows=tuple(item[0] for item in kept), tags=tuple(item[1] for item in kept), states=numbers[:, 0], activations=numbers[:, 1], logits=numbers[:, 2]
    ), refusals  # fmt: skip


def _told(text: str, name: str, default: float = 1.0) -> float:
    """Return a degree that the words of a row tell (``TP2 seq8192``)."""
    found = re.search(rf"\b{name}\s*=?\s*(\d+)", text)
    return float(found.group(1)) if found else default


def _states_per_parameter(row: Row) -> tuple[float, float, float]:
    """Return bytes per parameter of weight, gradient and optimizer state in the row's framework."""
    block, optimizer = row.get("block", ""), row.get("optimizer", "").lower()
    text = f"{row.get('notes', '')} {optimizer}".lower()
    if "paged" in text:
        return 2.0, 0.0 if "in backward" in text or "in-bwd" in text else 2.0, 0.3  # paged states rest in host memory
    if "8-bit" in text:
        return 2.0, 0.0 if "in backward" in text or "in-bwd" in text else 2.0, 2.0
    if "offload" in text and "optimizer" not in text and "cpu" in text:
        return 2.0, 2.0, 0.0
    if "fp32 states" in optimizer or "torchtitan" in block:
        return 4.0, 4.0, 8.0
    if (
        "zero-1" in optimizer
        or "distributed" in row.get("sharding", "")
        or "megatron" in block
        or "mbridge" in block
        or "bigscience" in block
    ):
        return 2.0, 4.0, 12.0
    if "bf16-true" in row.get("precision", "") or "adamw bf16" in optimizer or "tune" in block or "metamath" in block:
        return 2.0, 2.0, 4.0
    return 2.0, 2.0, 12.0


def _one(row: Row) -> tuple[tuple[str, ...], float, float, float]:
    arch = _architecture(row)
    method = row.get("method", "").lower()
    kind = method.split("+")[0].split(" ")[0]
    block, notes = row.get("block", ""), row.get("notes", "").lower()
    seq, micro = number(row, "seq_len", default=512.0), number(row, "micro_batch", default=1.0)
    count = max(1.0, number(row, "n_gpus", default=1.0))
    t, p, c = (max(1.0, number(row, name, default=_told(notes, name))) for name in ("tp", "pp", "cp"))
    expert = _told(notes + " " + row.get("sharding", "").lower(), "ep")
    seq = number(row, "seq_len", default=_told(notes, "seq", 512.0))
    d = number(row, "dp", default=0.0) or max(1.0, count / (t * p * c))
    metric = row.get("memory_metric", "").lower()
    tags = [f"@{block}"] if block else []
    tags.append(
        "@reserved"
        if "reserved" in metric or "smi" in metric
        else "@allocated"
        if "alloc" in metric or "active" in metric
        else "@peak"
    )
    if arch.diffusion is not None:
        return _image(row, arch, method, micro, tags)
    quantization = row.get("quantization", "").lower()
    quantization = quantization or ("nf4" if kind == "qlora" else "")
    weights = _weights(arch, quantization, row)
    sharding = row.get("sharding", "").lower()
    full_shard = any(word in sharding for word in ("zero3", "fsdp"))
    if kind == "inference":
        tags.append("@inference")
        context = min(seq, 1024.0)
        return (
            tuple(tags),
            weights / t,
            context * 2.0 * (4.0 * arch.hidden + 4.0 * max(arch.ffn, arch.expert_ffn)),
            4.0 * arch.vocab,
        )
    unit = 2.0 * max(
        (parameter_count(arch) - embedding_parameter_count(arch)) / arch.layers, float(embedding_parameter_count(arch))
    )
    routed = routed_parameter_count(arch) / parameter_count(arch)
    local = (1.0 - routed) / (t * p) + routed / max(t * p, expert)
    lightning = full_shard and "litgpt" in block
    shards = d * c  # ranks of one context are shards of the states as well
    if kind in _ADAPTERS:
        tags.append("@adapters")
        rank = number(row, "lora_rank", default=16.0) or 16.0
        trained = lora_parameter_count(
            arch, int(rank), all_linear="litgpt-2023" not in block and "metamath" not in block
        )
        held = weights * local * (0.3 if "offload" in method else 1.0)
        states = held / (shards if full_shard else 1.0) + 16.0 * trained / (t * p)
        if full_shard and shards > 1:
            # Without frequent freeing, the gathered whole of frozen weights stays beside each rank's shard.
            states += held if lightning else min(2.0 * unit / t, weights)
    else:
        weight, gradient, optimizer = _states_per_parameter(row)
        count_here = parameter_count(arch) * local
        if full_shard:
            # Stages, and accumulation without exchange, keep gathered weights and their whole gradients until the step ends:
            # 16-bit weights with gradients in the format of the exchange (32 bit in torchtitan).
            kept_whole = 4.0 if lightning else 2.0 + gradient if p > 1 else 0.0
            gathered = kept_whole * count_here if kept_whole else 2.0 * unit / t
            states = count_here * (weight + gradient + optimizer) / shards + (gathered if shards > 1 else 0.0)
        elif "1" in sharding or "distributed" in sharding:
            states = count_here * (weight + gradient + optimizer / d)
        else:
            states = count_here * (weight + gradient + optimizer)
        if p > 1:
            # The first stage holds the embedding beside its layers.
            states += embedding_parameter_count(arch) / t * (1.0 - 1.0 / p) * (weight + gradient)
    tokens = micro * seq / (t * c)
    full = lightning or (
        "full" in row.get("recompute", "").lower() and not ("/ none" in row.get("recompute", "") and kind in _ADAPTERS)
    )
    if "offload" in row.get("recompute", "").lower():
        tags.append("@activation_offload")
    if "torchtitan" in block and p > 1:
        tokens = max(1.0, micro / p) * seq / (t * c)
    per_layer = float(activation_bytes_per_token_and_layer(arch, recompute=full))
    # Before sequence parallelism (2022) every tensor-parallel rank kept the checkpointed inputs of its layers whole.
    whole = t if full and "bigscience" in block else 1.0
    kept = per_layer * arch.layers * tokens * whole + (
        float(activation_bytes_per_token_and_layer(arch)) * tokens if full else 0.0
    )
    tags += (
        ["@compiled"] * ("compile" in notes)
        + ["@plain_mlp"] * (not arch.gated_mlp)
        + ["@recompute"] * full
        + ["@moe"] * bool(arch.experts)
    )
    tags += ["@selective"] * ("selective" in row.get("recompute", "").lower())
    logits = logits_bytes_per_token(arch) * micro * seq / (t * c) if p <= 1 else 0.0
    tags += ["@unpacked"] * ("unpacked" in notes) + ["@sharded_whole"] * lightning
    if kind in _ADAPTERS and quantization in _NF4:
        tags.append("@quantised_base")
    if _is_chunked(block, notes):
        tags.append("@chunked")
    return tuple(tags), states, kept, logits


def _is_chunked(block: str, notes: str) -> bool:
    """Return whether the loss is formed piece by piece: in litgpt's fine-tuning and torchtune's recipes it is.

    The rungs of torchtune's ladder add up: those after the chunked loss have it too.
    """
    if block == "torchtune-ladder":
        return any(rung in notes for rung in ("chunked", "activation", "optimizer", "lora"))
    return "chunked" in notes or "litgpt" in block or block == "torchtune"


def _weights(arch: Architecture, quantization: str, row: Row) -> float:
    per = _NF4.get(quantization)
    if per is None:
        return parameter_count(arch) * (4.0 if row.get("precision", "").startswith("fp32") else 2.0)
    table = float(embedding_parameter_count(arch)) + (
        0.0 if arch.tied_embeddings else float(head_parameter_count(arch))
    )
    # litgpt quantises the head as well; the input table stays 16 bit.
    return (parameter_count(arch) - table) * per + table * 2.0


def _image(
    row: Row, arch: Architecture, method: str, micro: float, tags: list[str]
) -> tuple[tuple[str, ...], float, float, float]:
    wide = 4.0 if "32" in row.get("precision", "") else 2.0
    pixels = 512.0 * 512.0
    tags = [*tags, "@image", f"@image{int(wide)}"]
    if method.startswith("inference"):
        return tuple(tags), wide * parameter_count(arch), micro * pixels * _IMAGE_BYTES_PER_PIXEL_AND_BYTE * wide, 0.0
    states = 16.0 * parameter_count(arch) if method.startswith("full") else 4.0 * parameter_count(arch)
    kept = 8.0 * pixels * _IMAGE_BYTES_PER_PIXEL_AND_BYTE * 2.0 * (0.3 if "checkpoint" in method else 1.0)
    return (*tags, "@image_training"), states, kept, 0.0


def predict_memory(table: MemoryTable, constants: dict[str, FloatArray]) -> FloatArray:
    """Return the predicted peak of every row in bytes."""
    return np.asarray(
        table.states * constants["state_ratio"]
        + table.activations * constants["activation_ratio"]
        + table.logits * constants["logits_ratio"]
        + constants["overhead_bytes"],
        dtype=float,
    )


def device_bytes(row: Row) -> float:
    """Return what the row's device holds, in bytes."""
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=f"row {row.get('id', '?')}")
    return chip.memory_gib * 2**30


def fits_device(row: Row, predicted_bytes: float) -> bool:
    """Return whether a run with that peak would be said to fit the row's device.

    Of a run that failed the row tells what it had at the time; a little more is what it could have had at most.
    """
    try:
        room = device_bytes(row)
    except GpuplanError:
        room = np.inf
    if row.get("kind") == "oom":
        room = min(room, expected_bytes(row) * _MORE_THAN_AT_FAILURE)
    return bool(predicted_bytes <= _FITS_SHARE * room)
