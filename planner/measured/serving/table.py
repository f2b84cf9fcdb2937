"""A table of measured serving rows as columns, the shape in which the formulas of `planner.supply.serving.speed` take them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.measured.rows import Row, kept_rows
from planner.measured.serving.rows import ServedRow, served_row
from planner.supply.calibration import scopes
from planner.supply.hardware import Hardware, hardware
from planner.supply.serving.memory import cache_budget_bytes, cached_bytes_per_request
from planner.supply.serving.model import ServedModel

_COMPILED = re.compile(r"v?0\.")
"""Versions of TensorRT-LLM that ran a compiled engine from C++; from 1.0 on PyTorch starts its kernels."""
MOST_REQUESTS = 2048.0
"""Requests in flight that engines are built for in maximum-throughput tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingTable:
    """Rows that can be predicted, as columns; `model` holds arrays, too.

    Attributes
    ----------
    rows : tuple of Row
        The rows, in the order of the arrays.
    scopes, tags : tuple of tuple of str
        Where each row's constants are looked up, nearest first; what is known of it beside its machine.
    stacks, deployments : tuple of str
        Each row's engine family, and how it was run.
    flop_per_s, flop16_per_s : FloatArray
        Peaks of one accelerator for the weights' arithmetic and for 16-bit arithmetic, as the row's engine sums.
    across : FloatArray
        1 where a replica reaches beyond one machine.
    limit : FloatArray
        Requests in flight that memory and engine allow, over all stages of one replica.
    live : FloatArray
        Requests in flight that the load asks for (infinite for an unbounded queue).
    rate_per_s : FloatArray
        Arrival rate of one replica; NaN unless the load is one.
    drafted_tokens, yielded_tokens : FloatArray
        Tokens that a draft proposes in a step, and that a step yields.
    replicas : FloatArray
        Copies of the model over the accelerators.
    sort : NDArray of str
        ``queue``, ``closed``, ``open``, ``static``, ``whole``, ``decode`` or ``prompt``.
    """

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    stacks: tuple[str, ...]
    deployments: tuple[str, ...]
    model: ServedModel
    hardware: Hardware
    flop_per_s: FloatArray
    flop16_per_s: FloatArray
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
    chunk_tokens: FloatArray
    drafted_tokens: FloatArray
    yielded_tokens: FloatArray
    sort: NDArray[np.str_]


def serving_table(rows: Sequence[Row]) -> tuple[ServingTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not.

    Returns
    -------
    table, refusals : ServingTable, dict of str to str
        Refusals by the row's id.
    """
    kept, refusals = kept_rows(rows, served_row)

    def column(name: str) -> FloatArray:
        return np.asarray([float(getattr(served, name)) for served in kept], dtype=float)

    hw = hardware([served.machine for served in kept])
    model = ServedModel(**{
        item.name: np.asarray([getattr(served.model, item.name) for served in kept], dtype=float) for item in fields(ServedModel)
    })  # fmt: skip
    peaks = [float(hw.widened_flop_per_s(served.precision)[place]) for place, served in enumerate(kept)]
    group, split, stages = column("group_count"), column("split_count"), column("stage_count")
    # A test of prompts alone gives no answer: one token stands for it.
    tokens_in, tokens_out = column("input_tokens"), np.maximum(column("output_tokens"), 1.0)
    return ServingTable(
        rows=tuple(served.row for served in kept), scopes=tuple(scopes(served.machine) for served in kept), tags=tuple(_tags(served) for served in kept),
        stacks=tuple(served.stack for served in kept), deployments=tuple(served.deployment for served in kept), model=model, hardware=hw,
        flop_per_s=column("accumulate_ratio") * np.asarray(peaks, dtype=float),
        flop16_per_s=column("accumulate_ratio") * hw.flop16_per_s(), group=group, split=split, stages=stages, across=column("is_across"),
        limit=np.minimum(_limit(model, hw, group, split, stages, tokens_in, tokens_out), column("most_count")), live=column("live_count"), rate_per_s=column("rate_per_s"),
        replicas=column("replica_count"), input_tokens=tokens_in, output_tokens=tokens_out, chunk_tokens=column("chunk_tokens"),
        drafted_tokens=column("drafted_tokens"), yielded_tokens=column("yielded_tokens"),
        sort=np.asarray([served.sort for served in kept]),
    ), refusals  # fmt: skip


def _tags(served: ServedRow) -> tuple[str, ...]:
    """Return what the calibration should know of a row beside its machine: engine, format, mixture of experts."""
    # Engines by their defaults, and submissions, are alike whichever they are; tuned ones are not.
    named = served.stack if served.deployment == "tuned" else served.deployment
    tags = [f"@{named}"] if named else []
    tags += (
        ["@compiled"] if served.stack == "trtllm" and _COMPILED.match(served.row.get("framework_version", "")) else []
    )
    tags += [f"@{served.precision}"] if served.precision in {"fp8", "fp4", "int4", "int8"} else []
    is_moe = bool(float(served.model.moe_layers))
    return tuple(tags + ["@default-moe"] * (is_moe and served.deployment == "default") + ["@moe"] * is_moe)


def _limit(
    model: ServedModel, hw: Hardware, group: FloatArray, split: FloatArray, stages: FloatArray, tokens_in: FloatArray,
    tokens_out: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return the requests of one replica that memory holds, at least one and at most what engines are built for."""
    budget = cache_budget_bytes(model, hw.memory_bytes, group, split, stages, usable_share=0.9)
    request_bytes = cached_bytes_per_request(model, split, stages, tokens_in + tokens_out / 2.0)
    held = np.floor(np.maximum(budget, 0.0) / np.maximum(request_bytes, 1.0)) * group / split
    return np.asarray(np.clip(held, 1.0, MOST_REQUESTS * group / split), dtype=float)
