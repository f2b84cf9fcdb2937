"""Serving fleets: the best replica on each machine, and how many machines the rate takes.

Every feasible replica (format, tensor-parallel degree, stages) of every machine is a row; batch sizes are columns. A replica's
capacity is the largest request rate at which the mean time per token keeps its limit; queueing decides the load that may be
planned. Little's law ties them: ``B = rate x (TTFT + out x TPOT)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from planner.arrays import IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.profiles import elastic_share
from planner.demand.workload import Serve, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.evidence import band, basis_and_evidence
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal, with_spares
from planner.supply.serving.bands import speed_spreads
from planner.supply.serving.candidates import (
    BATCHES,
    MOST_FLEET,
    Demand,
    Grid,
    Replicas,
    demand_of,
    spare_machines,
)
from planner.supply.serving.memory import (
    cached_bytes_per_request,
    overhead_bytes,
    resident_weight_bytes,
)
from planner.supply.serving.model import ServedModel
from planner.supply.serving.operating import loop_of, operating_point
from planner.supply.serving.replica_rates import Prospects, prospects_by_formats
from planner.supply.serving.speed import burst_prompts
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
    calibration = calibration or default_calibration()
    demand = demand_of(workload, assumptions)
    hw = hardware(machines)
    fleets: dict[int, Fleet | Refusal] = {}
    for found in prospects_by_formats(
        workload, arch, machines, hw, demand, assumptions, calibration, most_machines=fixed_machines
    ):
        sized = _size_with(
            found, workload, arch, machines, hw, demand, assumptions, calibration, max_accelerators, fixed_machines
        )
        for row, fleet in sized:
            if found.is_fallback and isinstance(fleet, Fleet):
                note = Note(NoteCode.ONLY_SMALLER_WEIGHTS_FIT, (fleet.layout.precision,))
                fleets[row] = replace(fleet, notes=(*fleet.notes, note))
            elif not found.is_fallback:
                fleets[row] = fleet
    return [fleets[row] for row in range(len(machines))]


def _size_with(  # noqa: PLR0913 - sizing hands on all that it was asked
    found: Prospects, workload: Workload, arch: Architecture, machines: Sequence[Machine], hw: Hardware, demand: Demand,
    assumptions: Assumptions, calibration: Calibration, max_accelerators: int | None, fixed_machines: int | None,
) -> Iterator[tuple[int, Fleet | Refusal]]:  # fmt: skip
    reps = found.reps
    planned, everything = found.capacity.planned_rate, np.arange(len(reps.row))
    if fixed_machines is not None:
        replicas = reps.replicas_on(fixed_machines, everything)
        instances = np.full(len(planned), fixed_machines, dtype=float)
        planned = np.where(replicas > 0, found.capacity.rate_on(replicas), -1.0)
        cost = -planned * replicas
        if demand.user_count:
            cost = np.array([-loop_of(found, pick, demand, int(many)).rate_per_s for pick, many in enumerate(replicas)])
    else:
        cost = instances = found.machines_for(np.array([demand.peak_per_s]), everything, demand)[:, 0]
    for row in found.tried:
        mine = found.of_machine(row)
        if not mine.size:
            yield row, _lacks(machines[row], found.formats)
            continue
        good = mine[planned[mine] > 0]
        if not good.size:
            usable = float(hw.memory_bytes[row]) * assumptions["perf.engine_memory_share"]
            yield row, _refusal(machines[row], arch, found, demand, mine, usable_bytes=usable)
            continue
        good = good[np.isfinite(cost[good])]
        if not good.size:
            reason = Note(NoteCode.REPLICAS_ABOVE_LIMIT, (machines[row].label, demand.most_replica_count))
            yield row, Refusal(machine=machines[row], stage="max_replicas", reason=reason)
            continue
        good = found.in_order(good, ends=demand.requests > 0)
        pick = int(good[np.argmin(cost[good])])
        yield (
            row,
            _fleet(pick, row, arch, machines[row], found, demand, assumptions, calibration, workload,
                   instances=int(min(instances[pick], 1e12)), hw=hw,
                   max_accelerators=max_accelerators, fixed=fixed_machines is not None),
        )  # fmt: skip


def _lacks(machine: Machine, formats: tuple[str, ...]) -> Refusal:
    wanted = " or ".join({"16": "16 bit", "8": "fp8"}.get(item, item) for item in formats if item != "cpu16")
    return Refusal(machine=machine, stage="precision", reason=Note(NoteCode.NO_SUCH_FORMAT, (machine.label, wanted)))


def _refusal(
    machine: Machine, arch: Architecture, found: Prospects, demand: Demand, mine: IntArray, *, usable_bytes: float
) -> Refusal:
    """Return why none of the machine's candidates holds: memory before time to first token before time per token."""
    reps, grid = found.reps, found.grid
    fits, quick, smooth = found.capacity.fits, found.capacity.quick, found.capacity.smooth
    if not fits[mine].any():
        weights, cache, overhead = min((_least_bytes(found, pick, demand) for pick in mine.tolist()), key=sum)
        sizes_gb = [size / 1e9 for size in (weights + cache + overhead, weights, cache, overhead, usable_bytes)]
        tokens = demand.input_tokens + demand.output_tokens
        figures = (arch.name, *sizes_gb[:2], tokens, *sizes_gb[2:4], machine.label, sizes_gb[4])
        return Refusal(machine=machine, stage="memory", reason=Note(NoteCode.SERVING_MEMORY, figures))
    inside = mine[fits[mine]]
    if not quick[inside].any():
        best = float(np.nanmin(np.where(fits[inside][:, None], grid.late.ttft_s[inside], np.nan)))
        reason = Note(NoteCode.TTFT_ABOVE_LIMIT, (best * 1e3, demand.ttft_limit_s * 1e3))
        return _with_machines(machine, "ttft", reason, reps, grid, demand, inside)
    least_s = float(np.nanmin(np.where(fits[inside][:, None], grid.late.total_s[inside], np.nan)))
    if least_s > demand.total_limit_s:
        reason = Note(NoteCode.TOTAL_ABOVE_LIMIT, (least_s * 1e3, demand.total_limit_s * 1e3))
        return _with_machines(machine, "total", reason, reps, grid, demand, inside)
    best = float(np.nanmin(grid.late.tpot_s[inside]))
    code = NoteCode.LIMITS_EXCLUDE_EACH_OTHER if smooth[inside].any() else NoteCode.TPOT_ABOVE_LIMIT
    reason = Note(code, (best * 1e3, demand.tpot_limit_s * 1e3))
    return _with_machines(machine, "tpot", reason, reps, grid, demand, inside)


def _least_bytes(found: Prospects, pick: int, demand: Demand) -> tuple[float, float, float]:
    """Return what one request of a candidate takes of each accelerator: weights, its cache, the engine itself."""
    reps, model = found.reps, found.models[int(found.reps.precision[pick])]
    group, split, stages = (float(getattr(reps, name)[pick]) for name in ("group", "split", "stages"))
    cache = cached_bytes_per_request(model, split, stages, demand.input_tokens + demand.output_tokens)
    parts = resident_weight_bytes(model, group, split, stages), cache, overhead_bytes(model, group)
    weights, cached, overhead = (float(np.asarray(part)) for part in parts)
    return weights, cached, overhead


def _with_machines(
    machine: Machine, stage: str, reason: Note, reps: Replicas, grid: Grid, demand: Demand, inside: IntArray
) -> Refusal:
    """Return the refusal of a CPU machine with the number that the rate alone would take."""
    if machine.accelerator is not None:
        return Refusal(machine=machine, stage=stage, reason=reason)
    fits = BATCHES[None, :] <= grid.most_requests[inside][:, None]
    # A replica over several machines gives each of them its part of the rate.
    each = np.where(reps.per_machine[inside] > 0, reps.per_machine[inside], 1.0 / reps.machines_each[inside])
    best = float(np.max(np.where(fits, grid.rate_per_s[inside], 0.0) * each[:, None]))  # the full rate of one machine
    needed = math.ceil(demand.peak_per_s / (demand.load_share * best)) if best > 0 else None
    return Refusal(machine=machine, stage=stage, reason=reason, machines_needed=needed)


def _fleet(  # noqa: PLR0913 - sizing hands on all that it was asked
    pick: int, row: int, arch: Architecture, machine: Machine, found: Prospects, demand: Demand, assumptions: Assumptions,
    calibration: Calibration, workload: Workload, *, instances: int, hw: Hardware, max_accelerators: int | None, fixed: bool,
) -> Fleet | Refusal:  # fmt: skip
    models, reps, grid = found.models, found.reps, found.grid
    rate, planned = float(found.capacity.rate[pick]), float(found.capacity.planned_rate[pick])
    column = int(found.capacity.column[pick])
    count = int(hw.count[row])
    spare = 0 if fixed else int(spare_machines(demand, reps.machines_each[pick]))
    replicas = int(reps.replicas_on(instances, np.array(pick)))
    used = replicas * int(reps.group[pick] * reps.stages[pick])
    if (
        machine.accelerator is not None
        and max_accelerators is not None
        and (instances + spare) * machine.accelerator_count > max_accelerators
    ):
        needed = (instances + spare) * machine.accelerator_count
        reason = Note(NoteCode.ACCELERATORS_ABOVE_LIMIT, (needed, machine.accelerator.name, spare, max_accelerators))
        return Refusal(machine=machine, stage="max_gpus", reason=reason)
    if machine.accelerator is None and instances + spare > assumptions["perf.most_cpu_machines_count"] and not fixed:
        return Refusal(
            machine=machine,
            stage="max_machines",
            reason=Note(NoteCode.CPU_MACHINES, ("rate", instances, machine.label)),
            machines_needed=instances,
        )
    if instances + spare > MOST_FLEET:
        reason = Note(NoteCode.FLEET_TOO_LARGE, (instances, machine.label))
        return Refusal(machine=machine, stage="max_gpus", reason=reason)
    model = models[int(reps.precision[pick])]
    precision, kv_precision = reps.formats[int(reps.precision[pick])]
    batch_job = demand.requests > 0
    # The limit may be reached between the batch size at `column` and the next one.
    last = column + 1 if rate > grid.rate_per_s[pick, column] else column
    most = float(np.interp(rate, grid.rate_per_s[pick, : last + 1], BATCHES[: last + 1]))
    prompt, stages = float(grid.prefill_s[pick, column]), float(reps.stages[pick])
    if fixed and demand.user_count:
        loop = loop_of(found, pick, demand, replicas)
        share = float(calibration.column("serve.burst_share", [machine], demand.stack.tags)[0])
        waited = share * float(burst_prompts(loop.batch_count * stages, reps.group[pick], reps.split[pick])) * prompt
        wait_s, each = loop.begun_together(demand, waited, stages)
        working, at = loop.replica_count, loop.batch_count
    else:
        # What each replica sees at the peak, at most its capacity; the batch that carries it follows from the grid.
        asked = demand.peak_per_s / max(replicas, 1)
        working, each = replicas, rate if batch_job else min(asked, planned if fixed else rate)
        at = float(np.interp(each, grid.rate_per_s[pick, : last + 1], BATCHES[: last + 1]))
        wait_s = float(prompt_wait_s(prompt / stages, each * prompt / stages, demand.spread))
    tpot = float(np.interp(at, BATCHES, grid.tpot_s[pick]))
    step = float(np.interp(at, BATCHES, grid.step_s[pick]))
    ttft = float(grid.unloaded_s[pick, column]) + wait_s + step * float(grid.waited_steps[pick, column])
    basis, evidence = basis_and_evidence(calibration, "serve.bandwidth_share", machine)
    sigma, ttft_sigma = speed_spreads(calibration, arch, machine, demand.stack)
    parts = {
        "memory_bandwidth": float(grid.memory_s[pick, column]),
        "compute": float(grid.compute_s[pick, column]),
        "interconnect": float(grid.communication_s[pick, column]),
    }
    bound = max(parts, key=lambda name: parts[name])
    next_fits = column + 1 < len(BATCHES) and BATCHES[column + 1] <= grid.most_requests[pick]
    if not next_fits and column + 1 < len(BATCHES) and bound == "memory_bandwidth":
        bound = "memory_size"
    total_rate = (each * working if fixed and demand.user_count else rate * replicas) * demand.output_tokens
    at_load, at_capacity = (
        operating_point(demand, per_s * many, batch * float(reps.stages[pick]) * many, sigma)
        for per_s, batch, many in ((each, at, working), (rate, most, replicas))
    )
    busy_rate = planned / demand.load_share * replicas
    utilisation = 1.0 if batch_job or fixed else min(1.0, demand.mean_per_s / busy_rate)
    peak_ratio = demand.peak_per_s / demand.mean_per_s if demand.mean_per_s else 1.0
    work = workload.work
    least = math.ceil(demand.least_replica_count * instances / max(replicas, 1))
    elastic = (
        elastic_share(work.profile, peak_ratio, instances, least) if isinstance(work, Serve) and not fixed else 1.0
    )
    busy = demand.requests / (planned * replicas) / 3600.0 if batch_job else None
    fleet = Fleet(
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
            stack=demand.stack.name,
            techniques=(
                *(("attention_data_parallel",) if reps.group[pick] > reps.split[pick] else ()),
                *(("speculative_decoding",) if demand.drafted_tokens else ()),
            ),
        ),
        performance=Performance(
            rate_per_s=band(total_rate, sigma),
            rate_unit="output_tokens",
            tokens_per_s=total_rate,
            ttft_ms=band(ttft * 1e3, ttft_sigma) if not batch_job else None,
            tpot_ms=band(tpot * 1e3, sigma),
            step_s=step,
            mfu_share=_mfu(arch, demand, rate, hw, row, precision, used / max(replicas, 1)),
            bound=bound,
            basis=basis,
            evidence=evidence,
            at_load=at_load,
            at_capacity=at_capacity,
        ),
        memory=_memory(model, reps, pick, hw, demand, at),
        accelerators_used=used * machine.slice_share,
        busy_hours_per_run=busy,
        elastic_share=elastic,
        utilisation_share=utilisation,
        notes=(
            *_notes(arch, demand, planned * replicas, used, count * instances, fixed=fixed),
            *_widened(machine, hw, row, precision),
        ),
    )
    return with_spares(fleet, spare)


def _mfu(
    arch: Architecture, demand: Demand, rate: float, hw: Hardware, row: int, precision: str, accelerators: float
) -> float | None:
    from planner.demand.requirements import request_flop

    peak = float(hw.widened_flop_per_s(precision)[row])
    flop = request_flop(arch, demand.input_tokens, demand.output_tokens, demand.cached_share)
    return rate * flop / (peak * accelerators) if peak > 0 else None


def _memory(model: ServedModel, reps: Replicas, pick: int, hw: Hardware, demand: Demand, requests: float) -> MemoryUse:
    group, split, stages = (np.asarray(float(getattr(reps, name)[pick])) for name in ("group", "split", "stages"))
    weights = float(resident_weight_bytes(model, group, split, stages))
    each = float(cached_bytes_per_request(model, split, stages, demand.input_tokens + demand.output_tokens / 2.0))
    cache = each * requests * float(stages) * float(split) / float(group)
    return MemoryUse(
        parts=(("weights", weights), ("kv_cache", cache), ("overhead", float(overhead_bytes(model, group)))),
        capacity_bytes=float(hw.memory_bytes[reps.row[pick]]),
    )


def _notes(
    arch: Architecture, demand: Demand, planned: float, used: int, have: int, *, fixed: bool
) -> tuple[Note, ...]:
    notes = list(arch.notes)
    if used < have:
        notes.append(Note(NoteCode.NO_REPLICA, (have - used, have)))
    if fixed and demand.peak_per_s > planned > 0 and not demand.user_count:
        notes.append(Note(NoteCode.RATE_ABOVE_CAPACITY, (demand.peak_per_s, planned)))
    tokens = demand.input_tokens + demand.output_tokens
    if arch.max_context_tokens and tokens > arch.max_context_tokens:
        notes.append(Note(NoteCode.LONGER_THAN_CONTEXT, (tokens, arch.max_context_tokens)))
    return tuple(notes)


def _widened(machine: Machine, hw: Hardware, row: int, precision: str) -> tuple[Note, ...]:
    """Return the note on weights that the chip stores and does not compute in; nothing elsewhere."""
    if hw.is_cpu[row] or not math.isnan(hw.flop_per_s(precision)[row]):
        return ()
    return (Note(NoteCode.WIDENED_WEIGHTS, (machine.label, precision)),)
