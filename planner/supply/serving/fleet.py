"""Serving fleets: the best replica on each machine, and how many machines the rate takes.

Every feasible replica (format, tensor-parallel degree, stages) of every machine is a row; batch sizes are columns. A replica's
capacity is the largest request rate at which the mean time per token keeps its limit; queueing decides the load that may be
planned. Little's law ties them: ``B = rate x (TTFT + out x TPOT)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.arrays import IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration, band, basis_and_evidence
from planner.supply.fleet_arrays import Fleets, above_limit, amounts_of, too_many_processors
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal
from planner.supply.serving.candidates import BATCHES, Demand, Grid
from planner.supply.serving.counts import Choice, Scene, choice_of, fleets_of, loop_of, operating_point, scene_of
from planner.supply.serving.model import cached_bytes_per_request, overhead_bytes, resident_weight_bytes
from planner.supply.serving.replicas import Prospects
from planner.supply.serving.speed import burst_prompts
from planner.supply.serving.stacks import speed_spreads
from planner.supply.serving.tails import prompt_wait_s


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
        Assumptions ``perf.*``.
    max_accelerators : int, optional
        Most accelerators that a fleet may have.
    fixed_machines : int, optional
        Size just this many machines: the fleet then tells what they can do, whatever is asked.

    Returns
    -------
    list of Fleet or Refusal
        In the order of `machines`.
    """
    scene = scene_of(workload, arch, machines, assumptions, calibration, fixed_machines)
    amounts = amounts_of([workload])
    choice = choice_of(scene, amounts)
    fleets = fleets_of(scene, choice, amounts)
    sized: list[Fleet | Refusal] = []
    for row in range(len(machines)):
        is_able = choice.pick[row, 0] >= 0
        refusal = _too_large(scene, choice, fleets, row, max_accelerators) if is_able else None
        if not is_able or (refusal and choice.prospects[row].is_fallback):
            refusal = _refusal(scene, choice.first[row], row)
        sized.append(refusal or _fleet(scene, choice, fleets, row))
    return sized


def _too_large(scene: Scene, choice: Choice, fleets: Fleets, row: int, max_accelerators: int | None) -> Refusal | None:
    """Return why the machines that the rate takes are too many; None where they are not."""
    machine, is_fixed = scene.machines[row], scene.fixed_machines is not None
    needed, spares = int(choice.machine_count[row, 0]), int(choice.spare_count[row, 0])
    if refusal := above_limit(machine, needed, max_accelerators, spare_count=spares):
        return refusal
    if fleets.instance_count[row, 0]:
        return None
    if machine.accelerator is None and not is_fixed:
        return too_many_processors(machine, needed, "rate")
    return Refusal(machine=machine, stage="max_gpus", reason=Note(NoteCode.FLEET_TOO_LARGE, (needed, machine.label)))


def _refusal(scene: Scene, prospects: Prospects, row: int) -> Refusal:
    """Return why none of the machine's candidates does the work."""
    machine, mine = scene.machines[row], prospects.of_machine(row)
    if not mine.size:
        formats = [{"16": "16 bit", "8": "fp8"}.get(name, name) for name in prospects.formats if name != "cpu16"]
        reason = Note(NoteCode.NO_SUCH_FORMAT, (machine.label, " or ".join(formats)))
        return Refusal(machine=machine, stage="precision", reason=reason)
    if scene.fixed_machines is None and (prospects.capacity.planned_rate[mine] > 0).any():
        reason = Note(NoteCode.REPLICAS_ABOVE_LIMIT, (machine.label, scene.demand.most_replica_count))
        return Refusal(machine=machine, stage="max_replicas", reason=reason)
    if not prospects.capacity.fits[mine].any():
        return Refusal(machine=machine, stage="memory", reason=_memory_reason(scene, prospects, row))
    stage, reason = _broken_limit(scene.demand, prospects, mine[prospects.capacity.fits[mine]])
    needed = (
        None
        if machine.accelerator
        else _processors_needed(scene.demand, prospects, mine[prospects.capacity.fits[mine]])
    )
    return Refusal(machine=machine, stage=stage, reason=reason, machines_needed=needed)


def _broken_limit(demand: Demand, prospects: Prospects, at: IntArray) -> tuple[str, Note]:
    """Return the limit that candidates which fit in memory break: on the first token before that on all before those on further ones."""
    late, fits = prospects.grid.late, prospects.capacity.fits[at][:, None]
    if not prospects.capacity.quick[at].any():
        best_s = float(np.nanmin(np.where(fits, late.ttft_s[at], np.nan)))
        return "ttft", Note(NoteCode.TTFT_ABOVE_LIMIT, (best_s * 1e3, demand.ttft_limit_s * 1e3))
    best_s = float(np.nanmin(np.where(fits, late.total_s[at], np.nan)))
    if best_s > demand.total_limit_s:
        return "total", Note(NoteCode.TOTAL_ABOVE_LIMIT, (best_s * 1e3, demand.total_limit_s * 1e3))
    is_smooth = prospects.capacity.smooth[at].any()
    code = NoteCode.LIMITS_EXCLUDE_EACH_OTHER if is_smooth else NoteCode.TPOT_ABOVE_LIMIT
    return "tpot", Note(code, (float(np.nanmin(late.tpot_s[at])) * 1e3, demand.tpot_limit_s * 1e3))


def _memory_reason(scene: Scene, prospects: Prospects, row: int) -> Note:
    """Return what one request takes at least of each accelerator: weights, its cache and the engine itself."""
    reps, tokens = prospects.reps, scene.demand.input_tokens + scene.demand.output_tokens
    least: list[tuple[float, float, float]] = []
    for pick in prospects.of_machine(row).tolist():
        model = prospects.models[int(reps.precision[pick])]
        group, split, stages = (float(getattr(reps, name)[pick]) for name in ("group", "split", "stages"))
        weights = float(resident_weight_bytes(model, group, split, stages))
        cache = float(cached_bytes_per_request(model, split, stages, tokens))
        least.append((weights, cache, float(overhead_bytes(model, group))))
    weights, cache, overhead = min(least, key=sum)
    usable = float(scene.hw.memory_bytes[row]) * scene.assumptions["perf.engine_memory_share"]
    needed_gb, weights_gb, cache_gb, overhead_gb, usable_gb = (
        size / 1e9 for size in (weights + cache + overhead, weights, cache, overhead, usable)
    )
    label = scene.machines[row].label
    figures = (scene.arch.name, needed_gb, weights_gb, tokens, cache_gb, overhead_gb, label, usable_gb)
    return Note(NoteCode.SERVING_MEMORY, figures)


def _processors_needed(demand: Demand, prospects: Prospects, at: IntArray) -> int | None:
    """Return how many CPU machines the rate alone would take; None where they have none."""
    reps, grid = prospects.reps, prospects.grid
    fits = BATCHES[None, :] <= grid.most_requests[at][:, None]
    # A replica over several machines gives each of them its part of the rate.
    replicas_each = np.where(reps.per_machine[at] > 0, reps.per_machine[at], 1.0 / reps.machines_each[at])
    best_per_s = float(np.max(np.where(fits, grid.rate_per_s[at], 0.0) * replicas_each[:, None]))
    return math.ceil(demand.peak_per_s / (demand.load_share * best_per_s)) if best_per_s > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """What a replica does under the load: replicas at work, the rate and the batch of each, and the wait for others' prompts."""

    replica_count: int
    rate_per_s: float
    batch_count: float
    wait_s: float


def _load_of(scene: Scene, prospects: Prospects, pick: int, replicas: int) -> _Load:
    demand, reps, grid = scene.demand, prospects.reps, prospects.grid
    stages, prompt_s = float(reps.stages[pick]), float(grid.prefill_s[pick, prospects.capacity.column[pick]])
    if scene.fixed_machines is not None and demand.user_count:
        loop = loop_of(prospects, pick, demand, replicas)
        share = float(
            scene.calibration.column("serve.burst_share", [scene.machines[reps.row[pick]]], demand.stack.tags)[0]
        )
        burst = float(burst_prompts(loop.batch_count * stages, reps.group[pick], reps.split[pick]))
        wait_s, rate = loop.begun_together(demand, share * burst * prompt_s, stages)
        return _Load(replica_count=loop.replica_count, rate_per_s=rate, batch_count=loop.batch_count, wait_s=wait_s)
    # What each replica sees at the peak, at most its capacity; the batch that carries it follows from the grid.
    rate = float(prospects.capacity.rate[pick])
    if not demand.requests:
        most = float(prospects.capacity.planned_rate[pick]) if scene.fixed_machines is not None else rate
        rate = min(demand.peak_per_s / max(replicas, 1), most)
    wait_s = float(prompt_wait_s(prompt_s / stages, rate * prompt_s / stages, demand.spread))
    return _Load(replica_count=replicas, rate_per_s=rate, batch_count=_batch_at(prospects, pick, rate), wait_s=wait_s)


def _batch_at(prospects: Prospects, pick: int, rate_per_s: float) -> float:
    """Return the batch at which a replica has a rate; the limit may be reached between its batch size and the next one."""
    rates, column = prospects.grid.rate_per_s[pick], int(prospects.capacity.column[pick])
    end = column + 2 if prospects.capacity.rate[pick] > rates[column] else column + 1
    return float(np.interp(rate_per_s, rates[:end], BATCHES[:end]))


def _fleet(scene: Scene, choice: Choice, fleets: Fleets, row: int) -> Fleet:
    """Return the machine's fleet with its layout, speed and memory."""
    demand, prospects, pick = scene.demand, choice.prospects[row], int(choice.pick[row, 0])
    replicas, used = int(choice.replica_count[row, 0]), int(choice.accelerator_count[row, 0])
    load = _load_of(scene, prospects, pick, replicas)
    layout = _layout(demand, prospects, pick, load, replicas)
    have = int(scene.hw.count[row] * choice.machine_count[row, 0])
    return fleets.fleet(
        scene.machines[row],
        row,
        0,
        layout,
        _performance(scene, prospects, pick, load, replicas),
        memory=_memory(scene, prospects, pick, load.batch_count),
        spare_count=int(choice.spare_count[row, 0]),
        notes=_notes(
            scene,
            prospects,
            row,
            layout.precision,
            planned_per_s=float(choice.planned_per_s[row, 0]),
            used=used,
            have=have,
        ),
    )


def _layout(demand: Demand, prospects: Prospects, pick: int, load: _Load, replicas: int) -> Layout:
    reps = prospects.reps
    precision, kv_precision = reps.formats[int(reps.precision[pick])]
    is_expert_parallel = bool(reps.group[pick] > reps.split[pick])
    return Layout(
        tensor=int(reps.split[pick]),
        pipeline=int(reps.stages[pick]),
        data=replicas,
        expert=int(reps.group[pick]) if is_expert_parallel else 1,
        precision=precision,
        kv_precision=kv_precision,
        micro_batch=max(1, round(load.batch_count)),
        stack=demand.stack.name,
        techniques=(
            *(("attention_data_parallel",) if is_expert_parallel else ()),
            *(("speculative_decoding",) if demand.drafted_tokens else ()),
        ),
    )


def _performance(scene: Scene, prospects: Prospects, pick: int, load: _Load, replicas: int) -> Performance:
    demand, reps, grid = scene.demand, prospects.reps, prospects.grid
    machine, column = scene.machines[reps.row[pick]], int(prospects.capacity.column[pick])
    rate, stages = float(prospects.capacity.rate[pick]), float(reps.stages[pick])
    tpot_s, step_s = (float(np.interp(load.batch_count, BATCHES, times[pick])) for times in (grid.tpot_s, grid.step_s))
    ttft_s = float(grid.unloaded_s[pick, column]) + load.wait_s + step_s * float(grid.waited_steps[pick, column])
    basis, evidence = basis_and_evidence(scene.calibration, "serve.bandwidth_share", machine)
    sigma, ttft_sigma = speed_spreads(scene.calibration, scene.arch, machine, demand.stack)
    is_closed = scene.fixed_machines is not None and demand.user_count
    answers_per_s = load.rate_per_s * load.replica_count if is_closed else rate * replicas
    at_load, at_capacity = (
        operating_point(demand, per_s * count, batch * stages * count, sigma)
        for per_s, batch, count in (
            (load.rate_per_s, load.batch_count, load.replica_count),
            (rate, _batch_at(prospects, pick, rate), replicas),
        )
    )
    return Performance(
        rate_per_s=band(answers_per_s * demand.output_tokens, sigma),
        rate_unit="output_tokens",
        tokens_per_s=answers_per_s * demand.output_tokens,
        ttft_ms=None if demand.requests else band(ttft_s * 1e3, ttft_sigma),
        tpot_ms=band(tpot_s * 1e3, sigma),
        step_s=step_s,
        mfu_share=_mfu(scene, prospects, pick),
        bound=_bound(grid, pick, column),
        basis=basis,
        evidence=evidence,
        at_load=at_load,
        at_capacity=at_capacity,
    )


def _bound(grid: Grid, pick: int, column: int) -> str:
    """Return what takes most of a step; memory limits the batch where its bandwidth limits the step and no larger batch fits."""
    parts = {
        "memory_bandwidth": float(grid.memory_s[pick, column]),
        "compute": float(grid.compute_s[pick, column]),
        "interconnect": float(grid.communication_s[pick, column]),
    }
    bound = max(parts, key=lambda name: parts[name])
    is_full = column + 1 < len(BATCHES) and BATCHES[column + 1] > grid.most_requests[pick]
    return "memory_size" if is_full and bound == "memory_bandwidth" else bound


def _mfu(scene: Scene, prospects: Prospects, pick: int) -> float | None:
    from planner.demand.requirements import request_flop

    reps, demand = prospects.reps, scene.demand
    peak = float(scene.hw.widened_flop_per_s(reps.formats[reps.precision[pick]][0])[reps.row[pick]])
    flop = request_flop(scene.arch, demand.input_tokens, demand.output_tokens, demand.cached_share)
    accelerators = int(reps.group[pick] * reps.stages[pick])
    return float(prospects.capacity.rate[pick]) * flop / (peak * accelerators) if peak > 0 else None


def _memory(scene: Scene, prospects: Prospects, pick: int, batch_count: float) -> MemoryUse:
    reps, model = prospects.reps, prospects.models[int(prospects.reps.precision[pick])]
    group, split, stages = (np.asarray(float(getattr(reps, name)[pick])) for name in ("group", "split", "stages"))
    weights = float(resident_weight_bytes(model, group, split, stages))
    tokens = scene.demand.input_tokens + scene.demand.output_tokens / 2.0
    cache = (
        float(cached_bytes_per_request(model, split, stages, tokens))
        * batch_count
        * float(stages)
        * float(split)
        / float(group)
    )
    return MemoryUse(
        parts=(("weights", weights), ("kv_cache", cache), ("overhead", float(overhead_bytes(model, group)))),
        capacity_bytes=float(scene.hw.memory_bytes[reps.row[pick]]),
    )


def _notes(
    scene: Scene, prospects: Prospects, row: int, precision: str, *, planned_per_s: float, used: int, have: int
) -> tuple[Note, ...]:
    arch, demand, hw = scene.arch, scene.demand, scene.hw
    notes = list(arch.notes)
    if used < have:
        notes.append(Note(NoteCode.NO_REPLICA, (have - used, have)))
    if scene.fixed_machines is not None and demand.peak_per_s > planned_per_s > 0 and not demand.user_count:
        notes.append(Note(NoteCode.RATE_ABOVE_CAPACITY, (demand.peak_per_s, planned_per_s)))
    tokens = demand.input_tokens + demand.output_tokens
    if arch.max_context_tokens and tokens > arch.max_context_tokens:
        notes.append(Note(NoteCode.LONGER_THAN_CONTEXT, (tokens, arch.max_context_tokens)))
    if not hw.is_cpu[row] and math.isnan(hw.flop_per_s(precision)[row]):
        notes.append(Note(NoteCode.WIDENED_WEIGHTS, (scene.machines[row].label, precision)))
    if prospects.is_fallback:
        notes.append(Note(NoteCode.ONLY_SMALLER_WEIGHTS_FIT, (precision,)))
    return tuple(notes)
