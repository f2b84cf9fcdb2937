"""Measured serving rows, predicted by the formulas of `planner.supply.serving.speed`.

The load says how requests came: an unbounded queue, a fixed number in flight, a rate, one batch, or a single stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.measured.rows import Row, kept_rows
from planner.measured.serving.rows import ServedRow, served_row
from planner.supply.calibration import Calibration, scopes
from planner.supply.communication import Links, group_bandwidth
from planner.supply.hardware import Hardware, hardware
from planner.supply.serving.model import ServedModel, cache_budget_bytes, cached_bytes_per_request
from planner.supply.serving.speed import (
    ServingConstants,
    ServingLayout,
    burst_prompts,
    decode_step,
    entry_s,
    pipelined_share,
    prefill,
    started_s,
)

_COMPILED = re.compile(r"v?0\.")
"""Versions of TensorRT-LLM that ran a compiled engine from C++; from 1.0 on PyTorch starts its kernels."""
MOST_REQUESTS = 2048.0
"""Requests in flight that engines are built for in maximum-throughput tables."""


_DRAFT_STEP_SHARE = 0.05
"""As `perf.draft_step_share`."""
METRICS = ("out_tok_s_total", "tpot_ms", "ttft_ms", "prefill_tok_s")
CONSTANTS = tuple(item.name for item in fields(ServingConstants))
LINKS = tuple(item.name for item in fields(Links))


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
    # A test of prompts alone gives no answer: count it as one token.
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
    """Return the tags of a row for the calibration: engine, format, mixture of experts."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingConstantsOfRows:
    """The constants of every row: those of a step, of the links, and of the way in which a benchmark loads its server."""

    step: ServingConstants
    links: Links
    pace_ratio: FloatArray
    burst_share: FloatArray
    wait_steps_ratio: FloatArray
    entry_layer_s: FloatArray
    mixed_layer_s: FloatArray


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
        mixed_layer_s=column("serve.mixed_layer_s"),
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
        group=group, attention_split=split, stages=stages, flop_per_s=table.flop_per_s, flop16_per_s=table.flop16_per_s,
        bandwidth_bytes_per_s=hw.bandwidth_bytes_per_s, link_bytes_per_s=bandwidth, link_latency_s=latency,
        stage_bytes_per_s=stage_bandwidth, stage_latency_s=stage_latency,
    )  # fmt: skip
    tokens_in, tokens_out = table.input_tokens, table.output_tokens
    decode_only = (table.sort == "decode") | (table.sort == "whole")
    middle = tokens_in + tokens_out / 2.0
    prompt = prefill(model, layout, constants.step, np.maximum(tokens_in, 1.0))
    pace = constants.pace_ratio
    prompt_s = prompt.total_s * pace
    alone = prefill(model, layout, constants.step, np.maximum(tokens_in, 1.0), is_alone=True)
    alone_s = alone.total_s * pace * pipelined_share(tokens_in / table.chunk_tokens, stages)
    first = decode_step(model, layout, constants.step, 1.0, 1.0)
    floor_s = (first.memory_s + first.fixed_s + first.communication_s * (tokens_in <= 1)) * pace + alone_s
    live = np.minimum(table.live, table.limit)
    with np.errstate(invalid="ignore", over="ignore"):
        arriving = _open_load(table, layout, constants, prompt_s, floor_s, middle, pace)
    live = np.where(table.sort == "open", arriving, live)
    each_stage = np.maximum(live / stages, 1.0)
    step = decode_step(model, layout, constants.step, each_stage, middle, drafted_tokens=table.drafted_tokens)
    drafts_s = np.zeros_like(step.total_s)
    if table.drafted_tokens.any():
        plain = decode_step(model, layout, constants.step, each_stage, middle)
        drafts_s = table.drafted_tokens * _DRAFT_STEP_SHARE * plain.total_s
    step_s = (step.total_s + drafts_s) * pace / table.yielded_tokens
    shared = ~decode_only & (table.sort != "static")
    closed = table.sort == "closed"
    # In a closed loop nobody waits for his own prompt twice: the others of it are one fewer.
    others = np.maximum(each_stage - closed / stages, 0.0)
    added_s = others * prompt_s / tokens_out + pace * started_s(model, constants.mixed_layer_s, others, tokens_out)
    tpot_s = step_s + np.where(shared, added_s, 0.0)
    wait_s = np.where(np.isfinite(table.live), np.maximum(table.live - live, 0.0), 0.0)
    rate = live / (floor_s + tokens_out * tpot_s)
    backlog_s = np.where(table.sort == "closed", wait_s / np.maximum(rate, 1e-12), 0.0)
    burst_s = np.where(closed, constants.burst_share * burst_prompts(live, group, split) * prompt_s, 0.0)
    launch_s = entry_s(model, constants.entry_layer_s) + constants.wait_steps_ratio * step_s
    launch_s = np.where(closed | (table.sort == "open"), launch_s, 0.0)
    # The prompts of one batch are read together, and all their answers start together.
    together_s = np.where(table.sort == "static", (live - 1.0) * prompt_s / stages, 0.0)
    load = np.clip(live * prompt_s / np.maximum(tokens_out * tpot_s, 1e-12), 0.0, 0.95)
    queue_s = np.where(table.sort == "open", prompt_s * load / (1.0 - load), 0.0)
    ttft_s = floor_s + backlog_s + burst_s + queue_s + launch_s + together_s
    # The last answers of a run end one by one; of n lengths that vary as widely as they are long, the longest is H(n) means.
    # Tables of tuned engines state steady rates.
    longest = np.log(np.maximum(live, 1.0)) + np.euler_gamma
    is_run = np.isfinite(table.live) & np.asarray([each == "default" for each in table.deployments])
    drain_s = np.where(is_run, np.maximum(longest - 1.0, 0.0) * tokens_out * first.total_s * pace, 0.0)
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
            live / (tpot_s + drain_s / np.maximum(table.live, 1.0) * live / tokens_out),
            live * tokens_out / static_s,
            live * tokens_out / (floor_s + burst_s + launch_s + tokens_out * tpot_s),
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
        batch = live / table.stages
        tpot = step.total_s * pace + batch * prompt_s / table.output_tokens
        tpot = tpot + pace * started_s(table.model, constants.mixed_layer_s, batch, table.output_tokens)
        wanted = np.clip(rate * (floor_s + table.output_tokens * tpot), 1e-3, table.limit)
        live = 0.5 * live + 0.5 * wanted
    return np.maximum(live, 1e-3)
