"""Serving fleets: the best replica on each machine, and how many machines the rate takes.

Every feasible replica (format, tensor-parallel degree, stages) of every machine is a row; batch sizes are columns. A replica's
capacity is the largest request rate at which the mean time per token keeps its limit; queueing decides the load that may be
planned. Little's law ties them: ``B = rate x (TTFT + out x TPOT)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.profiles import elastic_share
from planner.demand.requirements import peak_requests_per_s
from planner.demand.workload import Batch, Serve, Workload
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.communication import group_bandwidth
from planner.supply.constants import links, serving_constants, take
from planner.supply.evidence import band, basis_and_evidence, spread
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal
from planner.supply.serving import ServedModel, ServingLayout, decode_step, prefill, served_model
from planner.supply.serving_memory import (
    cache_budget_bytes,
    cached_bytes_per_request,
    overhead_bytes,
    resident_weight_bytes,
)

__all__ = ["fixed_serving", "size_serving"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_BATCHES = np.unique(np.round(np.geomspace(1, 2048, 40))).astype(float)
_MOST_MACHINES_PER_REPLICA = 8
_MOST_FLEET = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    """What is asked: rates, lengths, limits, and the load that may be planned."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replicas:
    """Rows of candidate replicas; `precision` indexes the list of formats, `row` the machine."""

    row: IntArray
    precision: IntArray
    group: IntArray
    split: IntArray
    stages: IntArray
    machines_each: IntArray
    per_machine: IntArray
    formats: tuple[tuple[str, str], ...] = ()


def _demand(workload: Workload, assumptions: Assumptions) -> _Demand:
    work = workload.work
    if isinstance(work, Serve):
        limits = [limit for limit in (work.ttft_limit_ms, work.tpot_limit_ms) if limit]
        load = assumptions["perf.serving_load_share" if limits else "perf.relaxed_load_share"]
        return _Demand(
            peak_per_s=peak_requests_per_s(work),
            mean_per_s=work.requests_per_s,
            input_tokens=work.input_tokens,
            output_tokens=work.output_tokens,
            cached_share=work.prefix_cache_hit_share,
            ttft_limit_s=work.ttft_limit_ms / 1e3 if work.ttft_limit_ms else math.inf,
            tpot_limit_s=work.tpot_limit_ms / 1e3 if work.tpot_limit_ms else math.inf,
            load_share=load,
            requests=0.0,
            deadline_s=math.inf,
        )
    assert isinstance(work, Batch)
    deadline_s = work.deadline_hours * 3600.0 if work.deadline_hours else math.inf
    rate = work.requests / deadline_s
    return _Demand(
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


def _formats(workload: Workload) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the formats to try first, and those to fall back on where none of them fits."""
    if workload.precision:
        return tuple(str(item) for item in workload.precision), ()
    return ("16", "fp8"), ("int8", "int4")


def _format_on(precision: str, hw: Hardware, index: int) -> str | None:
    """Return the format that a machine would run, or None where its chip has no such arithmetic."""
    if precision == "16":
        if not math.isnan(hw.bf16_flop_per_s[index]):
            return "bf16"
        if not math.isnan(hw.fp16_flop_per_s[index]):
            return "fp16"
        return "bf16" if hw.is_cpu[index] else "fp32"
    if hw.is_cpu[index]:
        return precision if precision in {"fp32", "bf16", "int8", "int4"} else None
    return None if math.isnan(hw.flop_per_s(precision)[index]) else precision


def _degrees(arch: Architecture, count: int) -> list[int]:
    """Return the tensor-parallel degrees that divide the heads and fit in the machine."""
    return [q for q in (1, 2, 3, 4, 6, 8, 16, 32, 64) if q <= count and arch.heads % q == 0]


def _enumerate(
    arch: Architecture, hw: Hardware, formats: Sequence[tuple[int, int]], *, most_machines: int
) -> _Replicas:
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
    return _Replicas(
        row=table[:, 0], precision=table[:, 1], group=table[:, 2], split=table[:, 3], stages=table[:, 4],
        machines_each=table[:, 5], per_machine=np.maximum(table[:, 6], 0),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
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


def _grid(
    models: Sequence[ServedModel], flops: Sequence[FloatArray], hw: Hardware, calibration: Calibration, machines: Sequence[Machine],
    reps: _Replicas, demand: _Demand, assumptions: Assumptions,
) -> _Grid:  # fmt: skip
    """Return times and rates of every candidate at every batch size, shape (candidates, batches)."""
    size = (len(reps.row), len(_BATCHES))
    out = {
        name: np.full(size, np.nan)
        for name in ("ttft", "tpot", "rate", "memory", "compute", "comm", "prefill", "step", "entry", "waits")
    }
    most = np.full(len(reps.row), -1.0)
    all_links = links(calibration, machines, serving=True)
    paces = calibration.column("serve.pace_ratio", machines) / assumptions["perf.serving_practice_share"]
    load = demand.load_share
    entries, steps = (
        calibration.column("serve.entry_s", machines),
        calibration.column("serve.wait_steps_ratio", machines),
    )
    variation = assumptions["perf.arrival_variation_ratio"]
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
        middle = demand.input_tokens + demand.output_tokens / 2.0
        each = cached_bytes_per_request(model, split, stages, middle)
        # With several stages, that many batches are under way at once.
        most[chosen] = np.floor(budget / each) * (group / split) / stages
        whole = cached_bytes_per_request(model, split, stages, demand.input_tokens + demand.output_tokens)
        most[chosen] = np.where(budget >= whole, np.maximum(most[chosen], 1.0), -1.0)
        link = take(all_links, machine)
        bandwidth, latency = group_bandwidth(here, link, group, inside=group)
        spans = reps.machines_each[chosen]
        stage_bandwidth, stage_latency = group_bandwidth(
            here, link, np.where(stages > 1, np.maximum(group + 1, 2), 1), inside=np.where(spans > 1, 1, group + 1)
        )
        column = {name: np.asarray(value)[:, None] for name, value in {
            "group": group, "attention_split": split, "stages": stages, "flop_per_s": flops[index][machine],
            "flop16_per_s": here.flop16_per_s(), "bandwidth_bytes_per_s": here.bandwidth_bytes_per_s,
            "link_bytes_per_s": bandwidth, "link_latency_s": latency, "stage_bytes_per_s": stage_bandwidth,
            "stage_latency_s": stage_latency,
        }.items()}  # fmt: skip
        layout = ServingLayout(**column)
        tags = [f"@{reps.formats[index][0]}"] + ["@moe"] * bool(float(np.asarray(model.moe_layers)))
        constants = take(serving_constants(calibration, machines, tags), machine[:, None])
        step = decode_step(model, layout, constants, _BATCHES[None, :], middle)
        prompt = prefill(model, layout, constants, float(demand.input_tokens), demand.cached_share)
        pace = paces[machine][:, None]
        step_s, prompt_s = step.total_s * pace, prompt.total_s * pace
        p = stages[:, None].astype(float)
        # Prefills of all requests interleave with decoding: each output token of one waits for B / out prefills of others.
        busy_prefill_s = prompt_s / p
        tpot = step_s + _BATCHES[None, :] * prompt_s / demand.output_tokens
        floor_s = pace * step.memory_s[:, :1] + prompt_s
        wait_s = busy_prefill_s * load / (1.0 - load) * (1.0 + variation) / 2.0
        # A new prompt is taken in between steps, after its text has been cut into tokens.
        entry_s, waited_steps = entries[machine][:, None], steps[machine][:, None]
        ttft = floor_s + wait_s + entry_s + waited_steps * step_s
        live = _BATCHES[None, :] * p
        out["ttft"][chosen], out["tpot"][chosen] = ttft, tpot
        out["entry"][chosen], out["waits"][chosen] = floor_s + entry_s, np.broadcast_to(waited_steps, step_s.shape)
        out["rate"][chosen] = live / (floor_s + demand.output_tokens * tpot)
        share = _BATCHES[None, :] / demand.output_tokens
        out["memory"][chosen] = step.memory_s
        out["compute"][chosen] = step.compute_s + share * prompt.compute_s
        out["comm"][chosen] = step.communication_s + share * prompt.communication_s
        out["prefill"][chosen], out["step"][chosen] = np.broadcast_to(prompt_s, step_s.shape), step_s
    return _Grid(
        ttft_s=out["ttft"], tpot_s=out["tpot"], rate_per_s=out["rate"], memory_s=out["memory"], compute_s=out["compute"],
        communication_s=out["comm"], most_requests=most, prefill_s=out["prefill"], step_s=out["step"],
        unloaded_s=out["entry"], waited_steps=out["waits"],
    )  # fmt: skip


def _capacity(
    grid: _Grid, demand: _Demand
) -> tuple[FloatArray, IntArray, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return each candidate's largest rate within all limits, its batch's column, and whether memory, TTFT, TPOT allow any."""
    fits = _BATCHES[None, :] <= np.maximum(grid.most_requests, 0.0)[:, None]
    quick = grid.ttft_s <= demand.ttft_limit_s
    smooth = grid.tpot_s <= demand.tpot_limit_s
    rate = np.where(fits & quick & smooth, grid.rate_per_s, -1.0)
    best = np.argmax(rate, axis=1)
    rows = np.arange(len(rate))
    any_of = [np.asarray(mask.any(axis=1), dtype=np.bool_) for mask in (fits, fits & quick, fits & smooth)]
    return np.asarray(rate[rows, best], dtype=float), np.asarray(best, dtype=np.int64), any_of[0], any_of[1], any_of[2]


def size_serving(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    max_accelerators: int | None = None, calibration: Calibration | None = None, fixed_machines: int | None = None,
) -> list[Fleet | Refusal]:  # fmt: skip
    """Return, for each machine, the fewest whole machines that serve the rate within the limits.

    Parameters
    ----------
    workload, arch
        Work of kind ``serve`` or ``batch``, and the model.
    machines : sequence of Machine
        Sorts of machines, each sized once.
    assumptions : Assumptions
        Beliefs ``perf.*``.
    max_accelerators : int, optional
        Most accelerators that a fleet may have.
    fixed_machines : int, optional
        Size just this many machines: the fleet then tells what they can do, whatever is asked.

    Returns
    -------
    list of Fleet or Refusal
        In the order of `machines`.
    """
    calibration = calibration or default_calibration()
    demand = _demand(workload, assumptions)
    hw = hardware(machines)
    first, second = _formats(workload)
    fleets: list[Fleet | Refusal | None] = [None] * len(machines)
    for formats in (first, second):
        todo = [
            row
            for row, fleet in enumerate(fleets)
            if fleet is None or (isinstance(fleet, Refusal) and fleet.stage == "memory")
        ]
        if not formats or not todo:
            continue
        found = _size_with(
            formats,
            workload,
            arch,
            machines,
            hw,
            demand,
            assumptions,
            calibration,
            todo,
            max_accelerators,
            fixed_machines,
        )
        for row, fleet in zip(todo, found, strict=True):
            if fleets[row] is None or isinstance(fleet, Fleet):
                if formats is second and isinstance(fleet, Fleet):
                    note = (
                        f"only {fleet.layout.precision} weights fit; check the answers' quality before relying on them"
                    )
                    fleet = replace(fleet, notes=(*fleet.notes, note))  # noqa: PLW2901 - the noted one takes its place
                fleets[row] = fleet
    return [fleet for fleet in fleets if fleet is not None]


def _kv_precision(workload: Workload, precision: str) -> str:
    """Return the cache's format: the stated one, else 8 bit beside 8- and 4-bit floating weights, else 16 bit."""
    if workload.kv_precision:
        return str(workload.kv_precision[0])
    return "fp8" if precision in {"fp8", "fp4"} else "fp32" if precision == "fp32" else "bf16"


def _size_with(
    formats: tuple[str, ...], workload: Workload, arch: Architecture, machines: Sequence[Machine], hw: Hardware, demand: _Demand,
    assumptions: Assumptions, calibration: Calibration, todo: Sequence[int], max_accelerators: int | None, fixed_machines: int | None,
) -> list[Fleet | Refusal]:  # fmt: skip
    names: list[str] = []
    wanted: list[tuple[int, int]] = []
    lacking: set[int] = set()
    for row in todo:
        usable = [name for name in (_format_on(item, hw, row) for item in formats) if name is not None]
        if not usable:
            lacking.add(row)
        for name in dict.fromkeys(usable):
            if name not in names:
                names.append(name)
            wanted.append((row, names.index(name)))
    models = [served_model(arch, name, _kv_precision(workload, name)) for name in names]
    flops = [np.where(hw.is_cpu, hw.flop16_per_s(), hw.flop_per_s(name)) for name in names]
    reps = _enumerate(arch, hw, wanted, most_machines=fixed_machines or _MOST_MACHINES_PER_REPLICA)
    reps = replace(reps, formats=tuple((name, _kv_precision(workload, name)) for name in names))
    grid = _grid(models, flops, hw, calibration, machines, reps, demand, assumptions)
    rate, column, fits, quick, smooth = _capacity(grid, demand)
    if fixed_machines is not None:
        replicas = np.where(
            reps.machines_each > 1, fixed_machines // reps.machines_each, fixed_machines * reps.per_machine
        )
        rate = np.where(replicas > 0, rate, -1.0)
        instances = np.full(len(rate), fixed_machines, dtype=float)
        order_key = -rate * replicas
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            asked = demand.peak_per_s / (demand.load_share * rate)
            asked = np.where(rate > 0, np.maximum(np.ceil(asked - 1e-9), 1.0), np.inf)
        instances = np.where(
            reps.machines_each > 1, asked * reps.machines_each, np.ceil(asked / np.maximum(reps.per_machine, 1))
        )
        order_key = instances
    results: list[Fleet | Refusal] = []
    for row in todo:
        mine = np.flatnonzero(reps.row == row)
        if row in lacking or not mine.size:
            results.append(_lacks(machines[row], formats))
            continue
        good = mine[rate[mine] > 0]
        if not good.size:
            results.append(_refusal(machines[row], arch, models, reps, grid, demand, mine, fits, quick, smooth))
            continue
        # Equal counts: work that ends takes the quickest, answers that are waited for take the smoothest.
        tie = (
            grid.tpot_s[good, column[good]]
            if not demand.requests
            else -rate[good] * np.maximum(reps.per_machine[good], 1)
        )
        pick = int(good[np.lexsort((tie, order_key[good]))[0]])
        results.append(
            _fleet(pick, row, arch, machines[row], models, reps, grid, demand, assumptions, calibration, workload,
                   instances=int(min(instances[pick], 1e12)), rate=float(rate[pick]), column=int(column[pick]), hw=hw,
                   max_accelerators=max_accelerators, fixed=fixed_machines is not None)
        )  # fmt: skip
    return results


def _label(machine: Machine) -> str:
    if machine.accelerator is None:
        return machine.processor or "a CPU machine"
    return f"{machine.accelerator_count:g} x {machine.accelerator.name}"


def _lacks(machine: Machine, formats: tuple[str, ...]) -> Refusal:
    wanted = " or ".join("16 bit" if item == "16" else item for item in formats)
    return Refusal(machine=machine, stage="precision", reason=f"{_label(machine)} does not compute in {wanted}")


def _refusal(
    machine: Machine, arch: Architecture, models: Sequence[ServedModel], reps: _Replicas, grid: _Grid, demand: _Demand,
    mine: IntArray, fits: NDArray[np.bool_], quick: NDArray[np.bool_], smooth: NDArray[np.bool_],
) -> Refusal:  # fmt: skip
    """Return why none of the machine's candidates holds: memory before time to first token before time per token."""
    if not fits[mine].any():
        least = min(float(np.asarray(models[index].stored_bytes)) for index in set(reps.precision[mine].tolist()))
        have = (
            (machine.accelerator.memory_gib if machine.accelerator else machine.memory_gib or 0.0)
            * 2**30
            * (min(1.0, machine.accelerator_count) if machine.accelerator and machine.accelerator_count < 1 else 1.0)
        )
        total = have * max(1.0, machine.accelerator_count if machine.accelerator else 1.0)
        reason = (
            f"{arch.name} needs {least / 1e9:.1f} GB for its weights and cache for {demand.input_tokens + demand.output_tokens:,} "
            f"tokens; {_label(machine)} has {total / 1e9:.0f} GB"
        )
        return Refusal(machine=machine, stage="memory", reason=reason)
    inside = mine[fits[mine]]
    if not quick[inside].any():
        best = float(np.nanmin(np.where(fits[inside][:, None], grid.ttft_s[inside], np.nan)))
        reason = (
            f"time to first token is {best * 1e3:,.0f} ms at best, the limit is {demand.ttft_limit_s * 1e3:,.0f} ms"
        )
        return _with_machines(machine, "ttft", reason, reps, grid, demand, inside)
    best = float(np.nanmin(grid.tpot_s[inside]))
    reason = f"time per token is {best * 1e3:,.0f} ms at best, the limit is {demand.tpot_limit_s * 1e3:,.0f} ms"
    if smooth[inside].any():
        reason = "no batch size keeps both limits: " + reason.replace("is", "would be", 1)
    return _with_machines(machine, "tpot", reason, reps, grid, demand, inside)


def _with_machines(
    machine: Machine, stage: str, reason: str, reps: _Replicas, grid: _Grid, demand: _Demand, inside: IntArray
) -> Refusal:
    """Return the refusal of a CPU machine with the number that the rate alone would take."""
    if machine.accelerator is not None:
        return Refusal(machine=machine, stage=stage, reason=reason)
    fits = _BATCHES[None, :] <= grid.most_requests[inside][:, None]
    best = float(
        np.max(np.where(fits, grid.rate_per_s[inside], 0.0) * np.maximum(reps.per_machine[inside], 1)[:, None])
    )
    needed = math.ceil(demand.peak_per_s / (demand.load_share * best)) if best > 0 else None
    if needed:
        reason += f"; without limits the rate would take {needed:,} such machines"
    return Refusal(machine=machine, stage=stage, reason=reason, machines_needed=needed)


def _fleet(
    pick: int, row: int, arch: Architecture, machine: Machine, models: Sequence[ServedModel], reps: _Replicas, grid: _Grid,
    demand: _Demand, assumptions: Assumptions, calibration: Calibration, workload: Workload, *, instances: int, rate: float,
    column: int, hw: Hardware, max_accelerators: int | None, fixed: bool,
) -> Fleet | Refusal:  # fmt: skip
    count = int(hw.count[row])
    replicas = (
        instances // int(reps.machines_each[pick])
        if reps.machines_each[pick] > 1
        else instances * int(reps.per_machine[pick])
    )
    used = replicas * int(reps.group[pick] * reps.stages[pick])
    if (
        machine.accelerator is not None
        and max_accelerators is not None
        and instances * machine.accelerator_count > max_accelerators
    ):
        return Refusal(
            machine=machine,
            stage="max_gpus",
            reason=f"{instances * machine.accelerator_count:,.0f} {machine.accelerator.name} are needed, {max_accelerators:,} are allowed",
        )
    if machine.accelerator is None and instances > assumptions["perf.most_cpu_machines_count"] and not fixed:
        return Refusal(
            machine=machine,
            stage="max_machines",
            reason=f"the rate would take {instances:,} {_label(machine)} machines",
            machines_needed=instances,
        )
    if instances > _MOST_FLEET:
        return Refusal(
            machine=machine, stage="max_gpus", reason=f"the rate would take {instances:,} machines of {_label(machine)}"
        )
    model = models[int(reps.precision[pick])]
    precision, kv_precision = reps.formats[int(reps.precision[pick])]
    batch_job = demand.requests > 0
    # What each replica sees at the peak, at most its capacity; the batch that carries it follows from the grid.
    asked = demand.peak_per_s / max(replicas, 1)
    each = rate if batch_job else min(asked, rate * demand.load_share if fixed else rate)
    at = float(np.interp(each, grid.rate_per_s[pick, : column + 1], _BATCHES[: column + 1]))
    tpot = float(np.interp(at, _BATCHES, grid.tpot_s[pick]))
    load = min(each / rate, 0.98)
    prompt = float(grid.prefill_s[pick, column])
    step = float(np.interp(at, _BATCHES, grid.step_s[pick]))
    ttft = (
        float(grid.unloaded_s[pick, column])
        + _wait(prompt, load, assumptions, reps.stages[pick])
        + step * float(grid.waited_steps[pick, column])
    )
    sort = "serve.moe" if arch.experts else "serve.dense"
    if machine.accelerator is None:
        sort = "cpu"
    elif machine.accelerator.market_class != "datacenter":
        sort = "serve.consumer"
    sigma = spread(calibration, sort, "serve.bandwidth_share", machine)
    basis, evidence = basis_and_evidence(calibration, "serve.bandwidth_share", machine)
    parts = {
        "memory_bandwidth": float(grid.memory_s[pick, column]),
        "compute": float(grid.compute_s[pick, column]),
        "interconnect": float(grid.communication_s[pick, column]),
    }
    bound = max(parts, key=lambda name: parts[name])
    next_fits = column + 1 < len(_BATCHES) and _BATCHES[column + 1] <= grid.most_requests[pick]
    if not next_fits and column + 1 < len(_BATCHES) and bound == "memory_bandwidth":
        bound = "memory_size"
    total_rate = rate * replicas * demand.output_tokens
    utilisation = 1.0 if batch_job or fixed else min(1.0, demand.mean_per_s / (rate * replicas))
    peak_ratio = demand.peak_per_s / demand.mean_per_s if demand.mean_per_s else 1.0
    work = workload.work
    elastic = elastic_share(work.profile, peak_ratio, instances) if isinstance(work, Serve) and not fixed else 1.0
    busy = demand.requests / (rate * replicas * demand.load_share) / 3600.0 if batch_job else None
    return Fleet(
        machine=machine,
        instance_count=instances,
        layout=Layout(
            tensor=int(reps.split[pick]),
            pipeline=int(reps.stages[pick]),
            data=replicas,
            expert=int(reps.group[pick]) if reps.group[pick] > reps.split[pick] else 1,
            precision=precision,
            kv_precision=kv_precision,
            micro_batch=max(1, round(at)),
            techniques=("attention_data_parallel",) if reps.group[pick] > reps.split[pick] else (),
        ),
        performance=Performance(
            rate_per_s=band(total_rate, sigma),
            rate_unit="output_tokens",
            tokens_per_s=total_rate,
            ttft_ms=band(ttft * 1e3, calibration.value("band.serve.ttft")) if not batch_job else None,
            tpot_ms=band(tpot * 1e3, sigma),
            step_s=step,
            mfu_share=_mfu(arch, demand, rate, hw, row, precision, used / max(replicas, 1)),
            bound=bound,
            basis=basis,
            evidence=evidence,
        ),
        memory=_memory(model, reps, pick, hw, demand, at),
        accelerators_used=float(used) * (min(1.0, machine.accelerator_count) if machine.accelerator else 1.0),
        busy_hours_per_run=busy,
        elastic_share=elastic,
        utilisation_share=utilisation,
        notes=_notes(arch, demand, rate * replicas, used, count * instances, fixed=fixed),
    )


def _wait(prompt_s: float, load: float, assumptions: Assumptions, stages: int) -> float:
    """Return the mean wait for the prefills of others: ``t load / (1 - load) (1 + cv^2) / 2`` (Pollaczek-Khinchine)."""
    return prompt_s / float(stages) * load / (1.0 - load) * (1.0 + assumptions["perf.arrival_variation_ratio"]) / 2.0


def _mfu(
    arch: Architecture, demand: _Demand, rate: float, hw: Hardware, row: int, precision: str, accelerators: float
) -> float | None:
    from planner.demand.requirements import request_flop

    peak = float(hw.flop16_per_s()[row]) if hw.is_cpu[row] else float(hw.flop_per_s(precision)[row])
    flop = request_flop(arch, demand.input_tokens, demand.output_tokens, demand.cached_share)
    return rate * flop / (peak * accelerators) if peak > 0 else None


def _memory(
    model: ServedModel, reps: _Replicas, pick: int, hw: Hardware, demand: _Demand, requests: float
) -> MemoryUse:
    group, split, stages = (np.asarray(float(getattr(reps, name)[pick])) for name in ("group", "split", "stages"))
    weights = float(resident_weight_bytes(model, group, split, stages))
    each = float(cached_bytes_per_request(model, split, stages, demand.input_tokens + demand.output_tokens / 2.0))
    cache = each * requests * float(stages) * float(split) / float(group)
    return MemoryUse(
        parts=(("weights", weights), ("kv_cache", cache), ("overhead", float(overhead_bytes(model, group)))),
        capacity_bytes=float(hw.memory_bytes[reps.row[pick]]),
    )


def _notes(
    arch: Architecture, demand: _Demand, capacity: float, used: int, have: int, *, fixed: bool
) -> tuple[str, ...]:
    notes = list(arch.notes)
    if used < have:
        notes.append(f"{have - used} of {have} accelerators carry no replica, and are paid for")
    if fixed and demand.peak_per_s > capacity * demand.load_share > 0:
        notes.append(
            f"{demand.peak_per_s:g} requests/s are asked, {capacity * demand.load_share:.3g} can be planned with"
        )
    if arch.max_context_tokens and demand.input_tokens + demand.output_tokens > arch.max_context_tokens:
        notes.append(
            f"{demand.input_tokens + demand.output_tokens:,} tokens exceed the model's context of {arch.max_context_tokens:,}"
        )
    return tuple(notes)


def fixed_serving(
    workload: Workload,
    arch: Architecture,
    machine: Machine,
    machine_count: int,
    assumptions: Assumptions,
    calibration: Calibration | None = None,
) -> Fleet | Refusal:
    """Return what `machine_count` machines can do of the work, whether or not that is enough."""
    return size_serving(workload, arch, [machine], assumptions, calibration=calibration, fixed_machines=machine_count)[
        0
    ]
