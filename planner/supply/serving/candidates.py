"""Serving candidates: every replica worth trying on every machine, and what each does at every batch size.

Replicas (format, tensor-parallel degree, stages) of all machines are rows, batch sizes are columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.formats import FORMATS, kin_of
from planner.demand.lengths import mean_tokens
from planner.demand.requirements import peak_requests_per_s
from planner.demand.workload import Batch, Serve, Workload
from planner.supply.calibration import Calibration
from planner.supply.constants import links, take
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from planner.supply.serving.memory import (
    BATCHED_TOKENS,
    cache_budget_bytes,
    cached_bytes_per_request,
)
from planner.supply.serving.model import ServedModel
from planner.supply.serving.speed import (
    accepted_tokens,
    decode_step,
    layout_on,
    pipelined_share,
    prefill,
    serving_constants,
    started_s,
)

__all__ = [
    "BATCHES",
    "MOST_FLEET",
    "MOST_MACHINES_PER_REPLICA",
    "Capacity",
    "Demand",
    "Grid",
    "Replicas",
    "capacity_of",
    "demand_of",
    "evaluate",
    "format_choices",
    "format_on",
    "replicas_of",
    "spare_machines",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

BATCHES = np.unique(np.round(np.geomspace(1, 2048, 40))).astype(float)
MOST_MACHINES_PER_REPLICA = 8
MOST_FLEET = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked: rates, lengths, limits, the load that may be planned, and machines that stand by."""

    peak_per_s: float
    mean_per_s: float
    input_tokens: int
    output_tokens: int
    cached_share: float
    ttft_limit_s: float
    tpot_limit_s: float
    load_share: float
    requests: float
    deadline_s: float
    drafted_tokens: int = 0
    spare_replica_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Rows of candidate replicas; `precision` indexes the list of formats, `row` the machine."""

    row: IntArray
    precision: IntArray
    group: IntArray
    split: IntArray
    stages: IntArray
    machines_each: IntArray
    per_machine: IntArray
    formats: tuple[tuple[str, str], ...] = ()


def demand_of(workload: Workload, assumptions: Assumptions) -> Demand:
    """Return what serving or batch work asks of its replicas."""
    work = workload.work
    if isinstance(work, Serve):
        limits = [limit for limit in (work.ttft_limit_ms, work.tpot_limit_ms) if limit]
        load = assumptions["perf.serving_load_share" if limits else "perf.relaxed_load_share"]
        return Demand(
            peak_per_s=peak_requests_per_s(work),
            mean_per_s=work.requests_per_s,
            input_tokens=mean_tokens(work.input_tokens),
            output_tokens=mean_tokens(work.output_tokens),
            cached_share=work.prefix_cache_hit_share,
            ttft_limit_s=work.ttft_limit_ms / 1e3 if work.ttft_limit_ms else math.inf,
            tpot_limit_s=work.tpot_limit_ms / 1e3 if work.tpot_limit_ms else math.inf,
            load_share=load,
            requests=0.0,
            deadline_s=math.inf,
            drafted_tokens=work.drafted_tokens,
            spare_replica_count=work.spare_replicas or 0,
        )
    assert isinstance(work, Batch)
    deadline_s = work.deadline_hours * 3600.0 if work.deadline_hours else math.inf
    rate = work.requests / deadline_s
    return Demand(
        peak_per_s=rate,
        mean_per_s=rate,
        input_tokens=work.input_tokens,
        output_tokens=work.output_tokens,
        cached_share=work.prefix_cache_hit_share,
        ttft_limit_s=math.inf,
        tpot_limit_s=math.inf,
        load_share=assumptions["perf.batch_load_share"],
        requests=float(work.requests),
        deadline_s=deadline_s,
    )


def format_choices(workload: Workload, arch: Architecture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the formats to try first, and those to fall back on where none of them fits.

    Unstated, a model that is published in a format of its own is planned in it, and in a smaller one only where that does not
    fit. ``16`` stands for whichever 16-bit format a machine has, ``8`` for fp8 where the chip computes in it, ``cpu16`` for
    16 bit on processors alone.
    """
    if workload.precision:
        return tuple(str(item) for item in workload.precision), ()
    if arch.native_precision:
        small = FORMATS[arch.native_precision].weight_bytes < _ONE_BYTE
        return (arch.native_precision, "cpu16"), () if small else ("int8", "int4")
    return ("16", "8"), ("int8", "int4")


_ONE_BYTE = 1.0
_NOT_ON_PROCESSORS = frozenset({"fp8", "fp4", "nvfp4", "nf4", "fp16"})


def format_on(precision: str, hw: Hardware, index: int) -> str | None:
    """Return the format that a machine would run, or None where it can not."""
    is_cpu = bool(hw.is_cpu[index])
    match precision:
        case "16":
            if not math.isnan(hw.bf16_flop_per_s[index]):
                return "bf16"
            if not math.isnan(hw.fp16_flop_per_s[index]):
                return "fp16"
            return "bf16" if is_cpu else "fp32"
        case "cpu16":
            return "bf16" if is_cpu else None
        case "8":
            return None if is_cpu or math.isnan(hw.fp8_flop_per_s[index]) else "fp8"
    if is_cpu:
        return None if precision in _NOT_ON_PROCESSORS else precision
    return None if math.isnan(hw.widened_flop_per_s(precision)[index]) else precision


def _degrees(arch: Architecture, count: int) -> list[int]:
    """Return the tensor-parallel degrees that divide the heads and fit in the machine."""
    return [q for q in (1, 2, 3, 4, 6, 8, 16, 32, 64) if q <= count and arch.heads % q == 0]


def replicas_of(
    arch: Architecture, hw: Hardware, formats: Sequence[tuple[int, int]], *, most_machines: int
) -> Replicas:
    """Return every replica worth trying on every machine and format.

    Parameters
    ----------
    formats : sequence of (int, int)
        Machine's row and index of the format.
    most_machines : int
        Machines that one replica may span (1 keeps it inside of one).
    """
    rows: list[tuple[int, int, int, int, int, int, int]] = []
    for row, fmt in formats:
        count = int(hw.count[row])
        domain = int(hw.scale_up_count[row]) if hw.scale_up_bytes_per_s[row] > 0 else 1
        degrees = _degrees(arch, count)
        if hw.is_cpu[row]:
            degrees = [1]
        for q in degrees:
            splits = [q, 1] if arch.experts and q > 1 and q <= max(domain, 1) else [q]
            for stages in (1, 2, 4, 8):
                if q * stages > count or (stages > 1 and arch.layers < stages):
                    break
                # Stages inside of one machine help where the fabric does not reach: over PCIe.
                if stages > 1 and q < min(domain, count):
                    continue
                rows += [(row, fmt, q, split, stages, 1, count // (q * stages)) for split in splits]
        # Between machines the fabric has to carry activations in microseconds: plain Ethernet does not.
        if most_machines > 1 and hw.network_bytes_per_s[row] > 0 and hw.is_rdma[row]:
            q = degrees[-1]
            rows += [
                (row, fmt, q, q, span * (count // q), span, 0) for span in (2, 3, 4, 6, 8) if span <= most_machines
            ]
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 7)
    return Replicas(
        row=table[:, 0], precision=table[:, 1], group=table[:, 2], split=table[:, 3], stages=table[:, 4],
        machines_each=table[:, 5], per_machine=np.maximum(table[:, 6], 0),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Candidates by batch sizes: what each would do."""

    ttft_s: FloatArray
    tpot_s: FloatArray
    rate_per_s: FloatArray
    memory_s: FloatArray
    compute_s: FloatArray
    communication_s: FloatArray
    most_requests: FloatArray
    prefill_s: FloatArray
    step_s: FloatArray
    unloaded_s: FloatArray
    waited_steps: FloatArray


def evaluate(  # noqa: PLR0915 - one pass over the formulas of a step
    models: Sequence[ServedModel], flops: Sequence[FloatArray], hw: Hardware, calibration: Calibration, machines: Sequence[Machine],
    reps: Replicas, demand: Demand, assumptions: Assumptions,
) -> Grid:  # fmt: skip
    """Return times and rates of every candidate at every batch size, shape (candidates, batches)."""
    size = (len(reps.row), len(BATCHES))
    out = {
        name: np.full(size, np.nan)
        for name in ("ttft", "tpot", "rate", "memory", "compute", "comm", "prefill", "step", "entry", "waits")
    }
    most = np.full(len(reps.row), -1.0)
    all_links = links(calibration, machines, serving=True)
    paces = calibration.column("serve.pace_ratio", machines) / assumptions["perf.serving_practice_share"]
    load = demand.load_share
    steps = calibration.column("serve.wait_steps_ratio", machines)
    variation = assumptions["perf.arrival_variation_ratio"]
    experts = ["@moe"] * any(float(np.asarray(model.moe_layers)) > 0 for model in models)
    launches = calibration.column("serve.entry_layer_s", machines, experts)
    mixed = calibration.column("serve.mixed_layer_s", machines, experts)
    for index, model in enumerate(models):
        chosen = np.flatnonzero(reps.precision == index)
        if not chosen.size:
            continue
        machine = reps.row[chosen]
        here = hw.take(machine)
        group, split, stages = reps.group[chosen], reps.split[chosen], reps.stages[chosen]
        budget = cache_budget_bytes(
            model, here.memory_bytes, group, split, stages, usable_share=assumptions["perf.engine_memory_share"]
        )
        if demand.drafted_tokens:
            # A draft's step is reading its weights too: it takes the same share of memory as of time.
            stored = float(np.asarray(model.stored_bytes)) / (group * stages)
            budget = budget - assumptions["perf.draft_step_share"] * stored
        middle = demand.input_tokens + demand.output_tokens / 2.0
        each = cached_bytes_per_request(model, split, stages, middle)
        # With several stages, that many batches are under way at once.
        most[chosen] = np.floor(budget / each) * (group / split) / stages
        whole = cached_bytes_per_request(model, split, stages, demand.input_tokens + demand.output_tokens)
        most[chosen] = np.where(budget >= whole, np.maximum(most[chosen], 1.0), -1.0)
        here_links = take(all_links, machine)
        layout = layout_on(
            here, here_links, flops[index][machine], group, split, stages, spans=reps.machines_each[chosen] > 1
        )
        tags = [f"@{kin_of(reps.formats[index][0])}", *experts]
        constants = take(serving_constants(calibration, machines, tags), machine[:, None])
        drafted = demand.drafted_tokens
        step = decode_step(model, layout, constants, BATCHES[None, :], middle, drafted_tokens=drafted)
        prompt = prefill(model, layout, constants, float(demand.input_tokens), demand.cached_share)
        pace = paces[machine][:, None]
        step_s, prompt_s = step.total_s * pace, prompt.total_s * pace
        yielded = accepted_tokens(drafted, assumptions["perf.draft_acceptance_share"] if drafted else 0.0)
        if drafted:
            plain_s = decode_step(model, layout, constants, BATCHES[None, :], middle).total_s * pace
            step_s = step_s + drafted * assumptions["perf.draft_step_share"] * plain_s
        p = stages[:, None].astype(float)
        # Prefills of all requests interleave with decoding: each output token of one waits for B / out prefills of others.
        busy_prefill_s = prompt_s / p
        added_s = pace * started_s(model, mixed[machine][:, None], BATCHES[None, :], demand.output_tokens)
        tpot = step_s / yielded + BATCHES[None, :] * prompt_s / demand.output_tokens + added_s
        # Where attention is not data parallel, a prompt takes what it adds.
        alone = prompt
        if (split < group).any():
            alone = prefill(model, layout, constants, float(demand.input_tokens), demand.cached_share, is_alone=True)
        fresh = demand.input_tokens * (1.0 - demand.cached_share)
        through = pipelined_share(fresh / BATCHED_TOKENS, p) if fresh > BATCHED_TOKENS else 1.0
        floor_s = pace * (step.memory_s[:, :1] + alone.total_s * through)
        wait_s = busy_prefill_s * load / (1.0 - load) * (1.0 + variation) / 2.0
        # A new prompt is taken in between steps, and its kernels are started one by one, layer after layer.
        launch_s = launches[machine] * float(np.asarray(model.layers))
        entry_s, waited_steps = launch_s[:, None], steps[machine][:, None]
        ttft = floor_s + wait_s + entry_s + waited_steps * step_s
        live = BATCHES[None, :] * p
        out["ttft"][chosen], out["tpot"][chosen] = ttft, tpot
        out["entry"][chosen], out["waits"][chosen] = floor_s + entry_s, np.broadcast_to(waited_steps, step_s.shape)
        out["rate"][chosen] = live / (floor_s + demand.output_tokens * tpot)
        share = BATCHES[None, :] / demand.output_tokens * yielded
        out["memory"][chosen] = step.memory_s
        out["compute"][chosen] = step.compute_s + share * prompt.compute_s
        out["comm"][chosen] = step.communication_s + share * prompt.communication_s
        out["prefill"][chosen], out["step"][chosen] = np.broadcast_to(prompt_s, step_s.shape), step_s
    return Grid(
        ttft_s=out["ttft"], tpot_s=out["tpot"], rate_per_s=out["rate"], memory_s=out["memory"], compute_s=out["compute"],
        communication_s=out["comm"], most_requests=most, prefill_s=out["prefill"], step_s=out["step"],
        unloaded_s=out["entry"], waited_steps=out["waits"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What each candidate can take.

    Attributes
    ----------
    rate : FloatArray, shape (candidates,)
        Largest request rate within all limits; -1 where no batch size keeps them.
    column : IntArray
        The batch size of that rate.
    full_rate : FloatArray
        Largest rate that memory allows, whatever the limits: beyond it the queue grows without end.
    planned_rate : FloatArray
        What may be planned: within the limits, and no more than the planned share of the full rate; -1 as for `rate`.
    fits, quick, smooth : boolean arrays
        Whether any batch size keeps to memory, to it and the limit on the first token, to it and that on further ones.
    """

    rate: FloatArray
    column: IntArray
    full_rate: FloatArray
    planned_rate: FloatArray
    fits: BoolArray
    quick: BoolArray
    smooth: BoolArray


def capacity_of(
    grid: Grid, demand: Demand, *, ttft_ratio: FloatArray | float = 1.0, tpot_ratio: FloatArray | float = 1.0
) -> Capacity:
    """Return what each candidate can take within the limits.

    The limits are tested once, at the rate that is planned: headroom is kept against the full rate, not against the rate at
    which a limit is reached.

    Parameters
    ----------
    ttft_ratio, tpot_ratio : FloatArray, shape (candidates,)
        Times at the percentile of the speed band for which the limits hold, over typical ones.
    """
    fits = BATCHES[None, :] <= np.maximum(grid.most_requests, 0.0)[:, None]
    ttft_s, tpot_s = (
        times * np.reshape(ratio, (-1, 1)) for times, ratio in ((grid.ttft_s, ttft_ratio), (grid.tpot_s, tpot_ratio))
    )
    quick, smooth = ttft_s <= demand.ttft_limit_s, tpot_s <= demand.tpot_limit_s
    rate = np.where(fits & quick & smooth, grid.rate_per_s, -1.0)
    best = np.argmax(rate, axis=1)
    rate = rate[np.arange(len(rate)), best]
    # A limit is reached between two batch sizes: both rate and times are taken as straight lines there.
    after = np.minimum(best + 1, len(BATCHES) - 1)
    rows = np.flatnonzero((rate > 0) & fits[np.arange(len(rate)), after])
    below, above = (rows, best[rows]), (rows, after[rows])
    share = np.ones(len(rows))
    for times_s, limit_s in ((ttft_s, demand.ttft_limit_s), (tpot_s, demand.tpot_limit_s)):
        is_reached = times_s[above] > limit_s
        step_s = np.where(is_reached, times_s[above] - times_s[below], 1.0)
        share = np.where(is_reached, np.minimum(share, (limit_s - times_s[below]) / step_s), share)
    rate[rows] += share * np.maximum(grid.rate_per_s[above] - rate[rows], 0.0)
    full = np.max(np.where(fits, grid.rate_per_s, -1.0), axis=1)
    return Capacity(
        rate=rate,
        column=np.asarray(best, dtype=np.int64),
        full_rate=full,
        planned_rate=np.minimum(rate, full * demand.load_share),
        fits=np.asarray(fits.any(axis=1), dtype=np.bool_),
        quick=np.asarray((fits & quick).any(axis=1), dtype=np.bool_),
        smooth=np.asarray((fits & smooth).any(axis=1), dtype=np.bool_),
    )


def spare_machines(demand: Demand, machines_each: IntArray) -> IntArray:
    """Return the machines that stand by: a machine fails whole, so each spare replica has machines of its own."""
    return demand.spare_replica_count * machines_each
