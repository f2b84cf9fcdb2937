"""Serving candidates: every replica worth trying on every machine, and what each does at every batch size.

Replicas (format, tensor-parallel degree, stages) of all machines are rows, batch sizes are columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.formats import FORMATS, kin_of
from planner.demand.requirements import peak_requests_per_s
from planner.demand.sections import mean_tokens
from planner.demand.workload import Batch, Serve, Workload
from planner.supply.calibration import Calibration
from planner.supply.constants import links, take
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from planner.supply.serving.model import (
    BATCHED_TOKENS,
    ServedModel,
    cache_budget_bytes,
    cached_bytes_per_request,
)
from planner.supply.serving.speed import (
    accepted_tokens,
    decode_step,
    entry_s,
    layout_on,
    pipelined_share,
    prefill,
    serving_constants,
    started_s,
)
from planner.supply.serving.stacks import DEFAULT_STACK, ServingStack, practice_shares, stack_of
from planner.supply.serving.tails import (
    STEADY,
    LateTimes,
    Spread,
    cached_tokens_under_way,
    late_times,
    most_under_way,
    spread_of,
)

BATCHES = np.array(sorted({round(size) for size in np.geomspace(1, 2048, 40).tolist()}), dtype=float)
MOST_MACHINES_PER_REPLICA = 8
MOST_FLEET = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked, and of which stack: rates, lengths and how they vary, limits, the load that may be planned, and spares.

    `input_tokens` counts those of images too; `user_count` is that of a closed loop, else 0; an engine takes `most_request_count` at once.
    Autoscaling keeps within `least_replica_count` and `most_replica_count` and gives each replica at most `target_per_s`.
    """

    peak_per_s: float
    mean_per_s: float
    input_tokens: int
    output_tokens: int
    cached_share: float
    ttft_limit_s: float
    tpot_limit_s: float
    total_limit_s: float = math.inf
    load_share: float
    requests: float
    deadline_s: float
    drafted_tokens: int = 0
    spare_replica_count: int = 0
    user_count: float = 0.0
    most_request_count: float = math.inf
    least_replica_count: int = 1
    most_replica_count: float = math.inf
    target_per_s: float = math.inf
    spread: Spread = STEADY
    stack: ServingStack = DEFAULT_STACK


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

    def machines_for(self, replica_count: FloatArray, at: IntArray) -> FloatArray:
        """Return the whole machines that hold so many replicas of the candidates at these rows."""
        machines_each, per_machine = (np.expand_dims(figure[at], tuple(range(1, replica_count.ndim))) for figure in (self.machines_each, self.per_machine))  # fmt: skip
        packed = np.ceil(replica_count / np.maximum(per_machine, 1))
        return np.where(machines_each > 1, replica_count * machines_each, packed)

    def replicas_on(self, machine_count: FloatArray | int, at: IntArray) -> FloatArray:
        """Return the replicas that so many machines hold of the candidates at these rows."""
        machines_each = self.machines_each[at]
        return np.where(machines_each > 1, machine_count // machines_each, machine_count * self.per_machine[at])


def demand_of(workload: Workload, assumptions: Assumptions) -> Demand:
    """Return what serving or batch work asks of its replicas."""
    work = workload.work
    if isinstance(work, Serve):
        limits = [limit for limit in (work.ttft_limit_ms, work.tpot_limit_ms, work.total_limit_ms) if limit]
        load = assumptions["perf.serving_load_share" if limits else "perf.relaxed_load_share"]
        stack = stack_of(workload)
        most = stack.most_drafting_count if work.drafted_tokens else math.inf
        return Demand(
            peak_per_s=peak_requests_per_s(work),
            mean_per_s=work.requests_per_s,
            input_tokens=mean_tokens(work.prompt_tokens),
            output_tokens=mean_tokens(work.output_tokens),
            user_count=work.concurrency or 0.0,
            most_request_count=work.max_num_seqs or most,
            cached_share=work.prefix_cache_hit_share,
            ttft_limit_s=work.ttft_limit_ms / 1e3 if work.ttft_limit_ms else math.inf,
            tpot_limit_s=work.tpot_limit_ms / 1e3 if work.tpot_limit_ms else math.inf,
            total_limit_s=work.total_limit_ms / 1e3 if work.total_limit_ms else math.inf,
            load_share=load,
            requests=0.0,
            deadline_s=math.inf,
            drafted_tokens=work.drafted_tokens,
            spare_replica_count=work.spare_replicas or 0,
            least_replica_count=work.min_replicas or 1,
            most_replica_count=work.max_replicas or math.inf,
            target_per_s=work.target_requests_per_s or math.inf,
            spread=spread_of(work, assumptions) if limits else STEADY,
            stack=stack,
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
        stack=stack_of(workload),
    )


def format_choices(workload: Workload, arch: Architecture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the formats to try first, and those to fall back on where none of them fits.

    Unstated, a model that is published in a format of its own is planned in it, and in a smaller one only where that does not
    fit. ``16`` stands for whichever 16-bit format a machine has, ``8`` for fp8 where the chip computes in it, ``cpu16`` for
    16 bit on CPUs alone.
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
    """Candidates by batch sizes: what each would do on the mean, and late, among many replicas or alone.

    The memory holds the caches of `most_requests` under way; where so many are under way on the mean, of `late_requests` at the
    percentile, of `alone_requests` with no replica beside it.
    """

    late: LateTimes
    alone_late: LateTimes
    tpot_s: FloatArray
    rate_per_s: FloatArray
    memory_s: FloatArray
    compute_s: FloatArray
    communication_s: FloatArray
    most_requests: FloatArray
    late_requests: FloatArray
    alone_requests: FloatArray
    prefill_s: FloatArray
    step_s: FloatArray
    unloaded_s: FloatArray
    waited_steps: FloatArray


def evaluate(
    models: Sequence[ServedModel], flops: Sequence[FloatArray], hw: Hardware, calibration: Calibration, machines: Sequence[Machine],
    reps: Replicas, demand: Demand, assumptions: Assumptions,
) -> Grid:  # fmt: skip
    """Return times and rates of every candidate at every batch size, shape (candidates, batches)."""
    size = (len(reps.row), len(BATCHES))
    out = {
        name: np.full(size, np.nan)
        for name in ("tpot", "rate", "memory", "compute", "comm", "prefill", "step", "entry", "waits")
    }
    rooms = np.full((3, len(reps.row)), -1.0)
    all_links = links(calibration, machines, serving=True)
    paces = calibration.column("serve.pace_ratio", machines) / practice_shares(
        demand.stack, calibration, machines, assumptions
    )
    experts = demand.stack.tags_of(is_moe=any(float(model.moe_layers) > 0 for model in models))
    steps = calibration.column("serve.wait_steps_ratio", machines, demand.stack.tags)
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
            stored = float(model.stored_bytes) / (group * stages)
            budget = budget - assumptions["perf.draft_step_share"] * stored
        middle = demand.input_tokens + demand.output_tokens / 2.0
        rooms[:, chosen] = _most_requests(model, budget, demand, group, split, stages)
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
        # Prefills of others interleave with decoding: each output token waits for B / out of them, in a closed loop one fewer.
        others = np.maximum(BATCHES[None, :] - (demand.user_count > 0) / p, 0.0)
        tpot = step_s / yielded + others * prompt_s / demand.output_tokens
        tpot += pace * started_s(model, mixed[machine][:, None], others, demand.output_tokens)
        alone = prefill(model, layout, constants, float(demand.input_tokens), demand.cached_share, is_alone=True)
        fresh = demand.input_tokens * (1.0 - demand.cached_share)
        through = pipelined_share(fresh / BATCHED_TOKENS, p) if fresh > BATCHED_TOKENS else 1.0
        floor_s = pace * (step.memory_s[:, :1] + alone.total_s * through)
        # A new prompt is taken in between steps, and its kernels are started one by one.
        launch_s = entry_s(model, launches[machine])
        live = BATCHES[None, :] * p
        out["tpot"][chosen], out["entry"][chosen] = tpot, floor_s + launch_s[:, None]
        out["waits"][chosen] = np.broadcast_to(steps[machine][:, None], step_s.shape)
        out["rate"][chosen] = live / (floor_s + demand.output_tokens * tpot)
        share = BATCHES[None, :] / demand.output_tokens * yielded
        out["memory"][chosen] = step.memory_s
        out["compute"][chosen] = step.compute_s + share * prompt.compute_s
        out["comm"][chosen] = step.communication_s + share * prompt.communication_s
        out["prefill"][chosen], out["step"][chosen] = np.broadcast_to(prompt_s, step_s.shape), step_s
    unloaded_s = out["entry"] + out["waits"] * out["step"]
    late, alone_late = (
        late_times(
            demand.spread, BATCHES[None, :], tpot_s=out["tpot"], prefill_s=out["prefill"], unloaded_s=unloaded_s,
            step_s=out["step"], rate_per_s=out["rate"] / reps.stages[:, None], output_tokens=demand.output_tokens, replicas=many,
        )
        for many in (math.inf, 1.0)
    )  # fmt: skip
    return Grid(
        late=late, alone_late=alone_late, tpot_s=out["tpot"], rate_per_s=out["rate"], memory_s=out["memory"], compute_s=out["compute"],
        communication_s=out["comm"], most_requests=rooms[0], late_requests=rooms[1], alone_requests=rooms[2],
        prefill_s=out["prefill"], step_s=out["step"],
        unloaded_s=out["entry"], waited_steps=out["waits"],
    )  # fmt: skip


def _most_requests(
    model: ServedModel, budget: FloatArray, demand: Demand, group: IntArray, split: IntArray, stages: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the requests under way that the memory holds: of mean length, on the mean at the percentile among others, and alone."""
    met, deviation = cached_tokens_under_way(demand.spread, demand.input_tokens, demand.output_tokens)
    asked = demand.input_tokens, demand.input_tokens + demand.output_tokens
    prompt_bytes, whole_bytes, middle_bytes, met_bytes, wider_bytes = (
        cached_bytes_per_request(model, split, stages, tokens) for tokens in (*asked, sum(asked) / 2.0, met, met + deviation)
    )  # fmt: skip
    # With several stages, that many batches are under way at once.
    most = np.minimum(np.floor(budget / middle_bytes) * (group / split), demand.most_request_count) / stages
    late, alone = (
        np.minimum(most_under_way(budget, prompt_bytes, met_bytes, wider_bytes - met_bytes, demand.spread, replicas=many) * (group / split), demand.most_request_count)
        / stages
        for many in (math.inf, 1.0)
    )  # fmt: skip
    return np.where(budget >= whole_bytes, np.maximum(most, 1.0), -1.0), late, alone


def within_bounds(asked: FloatArray, peak_per_s: FloatArray | float, demand: Demand) -> FloatArray:
    """Return the replicas as autoscaling allows them: at least so many, each with its target; infinite where it takes too many."""
    asked = np.maximum(asked, np.maximum(np.ceil(peak_per_s / demand.target_per_s - 1e-9), demand.least_replica_count))
    return np.where(asked > demand.most_replica_count, np.inf, asked)


def spare_machines(demand: Demand, machines_each: IntArray) -> IntArray:
    """Return the machines that stand by: a machine fails whole, so each spare replica has machines of its own."""
    return demand.spare_replica_count * machines_each
