"""Measured training rows: a table of them as columns, predicted by the formula of `planner.supply.training.speed`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.models import resolve_model
from planner.demand.workload import ModelNumbers
from planner.errors import InputError
from planner.measured.rows import Row, architecture_of, chip_of, kept_rows, machine_of, number
from planner.measured.training.recipe import ADAPTERS, Recipe, frozen_format, recipe_of, stack_of
from planner.supply.calibration import Calibration, scopes
from planner.supply.communication import Links, exchange_bandwidth, group_bandwidth
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Machine
from planner.supply.training.candidates import trained_model
from planner.supply.training.efficiency import matmul_ceiling_share
from planner.supply.training.speed import TrainedModel, TrainingConstants, TrainingLayout, training_step

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
_CAMPAIGN_ACCELERATORS = 512.0
_USUAL_SEQUENCE = 4096
"""Tokens, where a row does not say."""
_CAMPAIGN_GOODPUT_SHARE = 0.85
"""A campaign's hours hold evaluation, restarts and other phases: model cards imply 0.7 to 0.95 of the steady speed."""

_EVALUATED_SHARE, _EVALUATED_ADAPTERS_SHARE = 0.93, 0.83
"""Training's part where minutes include evaluation, by the rules of MLPerf: forward passes over 5,760 sequences each 24,576
(GPT-3), and over 173 each 384 (Llama 2 70B LoRA, whose forward pass is half of its work)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTable:
    """Rows that can be predicted, as columns.

    Attributes
    ----------
    ceiling_share : FloatArray
        Best matrix product over the data sheet's peak.
    recipes : mapping of str to FloatArray
        The columns of `Recipe`.
    good : FloatArray
        1, or the share of productive hours for rows that count a whole campaign.
    tags : tuple of tuple of str
        What a row has beside its accelerator: engine, number format, method.
    """

    rows: tuple[Row, ...]
    machines: tuple[Machine, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    model: TrainedModel
    hardware: Hardware
    flop_per_s: FloatArray
    ceiling_share: FloatArray
    recipes: Mapping[str, FloatArray]
    good: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One row that can be predicted."""

    row: Row
    machine: Machine
    model: TrainedModel
    form: str
    recipe: Recipe
    tags: tuple[str, ...]


def training_table(rows: Sequence[Row]) -> tuple[TrainingTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    kept, refusals = kept_rows(rows, _one)
    hw = hardware([item.machine for item in kept])
    model = TrainedModel(**{
        field.name: np.asarray([getattr(item.model, field.name) for item in kept], dtype=float) for field in fields(TrainedModel)
    })  # fmt: skip
    return TrainingTable(
        rows=tuple(item.row for item in kept),
        machines=tuple(item.machine for item in kept),
        scopes=tuple(scopes(item.machine) for item in kept),
        tags=tuple(item.tags for item in kept),
        model=model,
        hardware=hw,
        flop_per_s=np.asarray([_peak(hw, index, item) for index, item in enumerate(kept)], dtype=float),
        ceiling_share=np.asarray([matmul_ceiling_share(item.machine) for item in kept], dtype=float),
        recipes={
            field.name: np.asarray([getattr(item.recipe, field.name) for item in kept], dtype=float) for field in fields(Recipe)
        },
        good=np.asarray([_productive_share(item.row) for item in kept], dtype=float),
    ), refusals  # fmt: skip


def _productive_share(row: Row) -> float:
    """Return the share of a row's hours in which it trained."""
    if row.get("kind") == "campaign":
        return _CAMPAIGN_GOODPUT_SHARE
    if re.search(r"includes? evaluation", row.get("notes", "").lower()):
        return _EVALUATED_ADAPTERS_SHARE if row.get("method", "").lower() in ADAPTERS else _EVALUATED_SHARE
    return 1.0


def _peak(hw: Hardware, index: int, item: _Kept) -> float:
    chip = item.machine.accelerator
    if item.form == "int8" and chip is not None and chip.int8_dense_tflop_per_s:
        return chip.int8_dense_tflop_per_s * 1e12
    peak = math.nan if item.form == "16" else float(hw.flop_per_s(item.form)[index])
    return peak if math.isfinite(peak) else float(hw.flop16_per_s()[index])


def _one(row: Row) -> _Kept:
    chip = chip_of(row)
    arch = _architecture(row)
    seq = number(row, "seq_len") or float("nan")
    if np.isnan(seq):
        seq = min(arch.max_context_tokens or _USUAL_SEQUENCE, _USUAL_SEQUENCE)
        row = {**row, "seq_len": f"{seq:g}"}
    count = number(row, "n_gpus", default=_CAMPAIGN_ACCELERATORS if row.get("kind") == "campaign" else 1.0)
    machine = machine_of({**row, "n_gpus": f"{count:g}"}, chip)
    recipe = recipe_of(row, arch, machine, count)
    method = row.get("method", "").lower()
    text = row.get("precision", "bf16").lower().split("/")[0].replace("amp ", "")
    form = _FORMATS.get(text, "bf16")
    if text == "int8" and method.startswith("pretrain"):
        form = "int8"  # products in int8, as on TPUs; elsewhere it names a frozen base
    model = trained_model(arch, int(seq), adapters=method in ADAPTERS, rank=16, base=frozen_format(row))
    return _Kept(
        row=row, machine=machine, model=model, form="16" if form in {"bf16", "fp16"} else form, recipe=recipe,
        tags=_tags(row, arch, machine, recipe, text),
    )  # fmt: skip


def _architecture(row: Row) -> Architecture:
    """Return the model that a row names or describes; with a number of parameters alone, one of the usual shape."""
    try:
        return architecture_of(row)
    except InputError:
        parameters, active = number(row, "params_b", default=0.0), number(row, "active_params_b", default=0.0)
        # The active parameters have no usual shape: the row has to state the experts.
        if parameters <= 0 or 0 < active < 0.95 * parameters:
            raise
        return resolve_model(ModelNumbers(parameters_b=parameters))


def _tags(row: Row, arch: Architecture, machine: Machine, recipe: Recipe, precision: str) -> tuple[str, ...]:
    """Return the tags of a row for the calibration: framework and its age, number format, method."""
    chip, framework, method = machine.accelerator, row.get("framework", ""), row.get("method", "").lower()
    assert chip is not None
    # Where a maker's chips are trained with his own framework alone, its pace is the chip's.
    stack = stack_of(framework) if chip.vendor == "NVIDIA" else ""
    if stack == "zero3-2021" and not (precision == "fp16" and chip.architecture in {"Ampere", "Volta"}):
        stack = "deepspeed"  # later versions gather ahead
    if stack == "megatron-lm" and chip.architecture not in {"Ampere", "Volta"}:
        stack = "megatron"  # the same kernels as NeMo and Megatron-Bridge by then
    narrow = _FORMATS.get(precision, "bf16") in {"fp8", "fp4"}
    year = re.search(r"\b2[56](?=\.\d\d)", framework)
    parts = (
        (bool(stack), f"@{stack}"),
        (narrow, f"@{_FORMATS.get(precision, '')}"),
        (precision.startswith("mx"), f"@{precision}"),
        (bool(arch.experts), "@moe"),
        (method in ADAPTERS, "@adapters"),
        (method == "qlora", "@qlora"),
        (method in {"dora", "ia3"}, "@dora"),
        (arch.hidden / recipe.tensor % 64 != 0 and method not in ADAPTERS, "@misaligned"),
        (arch.kind == "encoder", "@encoder"),
        (recipe.context > 1 and stack == "torchtitan", "@ring"),  # all others share a causal sequence out evenly
        (bool(stack and year), f"@{stack}{year.group(0) if year else ''}"),
    )
    return tuple(tag for holds, tag in parts if holds)


def constants_of_rows(table: TrainingTable, calibration: Calibration) -> tuple[TrainingConstants, Links]:
    """Return the calibration's constants for every row."""
    places = list(zip(table.scopes, table.tags, strict=True))

    def column(name: str) -> FloatArray:
        return np.asarray([calibration.value_at(name, where, how) for where, how in places], dtype=float)

    constants = TrainingConstants(**{name: column(f"train.{name}") for name in TRAINING_CONSTANTS})
    return constants, Links(**{name: column(f"link.{name}") for name in Links.__dataclass_fields__})


def predict_training(table: TrainingTable, constants: TrainingConstants, links: Links) -> FloatArray:
    """Return predicted tokens per second and accelerator of every row."""
    run, hw = table.recipes, table.hardware
    t, p, d, c, e = (run[name] for name in ("tensor", "pipeline", "data", "context", "expert"))
    joined = run["machines"] > 1
    tensor_bw, tensor_latency = group_bandwidth(hw, links, t, inside=np.minimum(t, hw.count))
    group = d * c
    inside = np.clip(np.floor(hw.count / (t * np.where(joined, 1.0, p))), 1.0, group)
    data_bw, data_latency = group_bandwidth(hw, links, group, inside=np.where(joined, np.minimum(inside, group), group))
    expert_bw, expert_latency = exchange_bandwidth(
        hw, links, e, inside=np.minimum(e, np.maximum(hw.count / t, 1.0)), copies=table.model.experts_per_token
    )
    stage_bw, stage_latency = group_bandwidth(
        hw, links, np.where(p > 1, 2.0, 1.0), inside=np.where(joined & (p > 1), 1.0, 2.0)
    )
    columns: dict[str, Any] = {**run, "sharded": run["sharded"] > 0}
    layout = TrainingLayout(
        **columns, flop_per_s=table.flop_per_s, flop16_per_s=hw.flop16_per_s(),
        bandwidth_bytes_per_s=hw.bandwidth_bytes_per_s, tensor_bytes_per_s=tensor_bw, tensor_latency_s=tensor_latency,
        data_bytes_per_s=data_bw, data_latency_s=data_latency, stage_bytes_per_s=stage_bw, stage_latency_s=stage_latency,
        expert_bytes_per_s=expert_bw, expert_latency_s=expert_latency,
    )  # fmt: skip
    reached = replace(constants, matmul_share=np.asarray(constants.matmul_share) * table.ceiling_share)
    step_s = training_step(table.model, layout, reached).total_s
    tokens = run["micro_batch_tokens"] * run["micro_batches"]
    return np.asarray(tokens / step_s / (t * p * c) * table.good, dtype=float)
