"""Training fleets: the layout and the number of machines for a training or fine-tuning job.

Every layout of every machine is a row. For each row the smallest number of machines that meets the deadline is found by
bisection over all rows at once; without a deadline, the smallest number that holds the model. Techniques that save memory
are rows too, each with its cost in time, so that the cheapest one that fits wins by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from planner.arrays import IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Finetune, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration, band, basis_and_evidence
from planner.supply.fleet_arrays import Fleets, amounts_of, are_too_many, too_many_processors
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal
from planner.supply.training.candidates import Outcome, Scene, Writing
from planner.supply.training.counts import SPEED_CONSTANT, Choice, choice_of, fleets_of, scene_of, spread_log

ROLLOUT_SPREAD_LOG = 0.55
"""Standard deviation of the logarithms of the rows behind ``perf.rollout_step_ratio``."""


def size_training(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    max_accelerators: int | None = None, calibration: Calibration | None = None, fixed_machines: int | None = None,
    writing: Writing | None = None,
) -> list[Fleet | Refusal]:  # fmt: skip
    """Return, for each machine, the fewest whole machines that finish the job by its deadline.

    Without a deadline: the fewest that hold the model. Ties go to the quicker layout.

    Parameters
    ----------
    workload, arch
        Work of kind ``pretrain`` or ``finetune``, and the model.
    machines : sequence of Machine
        Sorts of machines, each sized once.
    assumptions : Assumptions
        Assumptions ``perf.*``.
    max_accelerators, fixed_machines : int, optional
        Most accelerators allowed; or exactly this many machines, whatever the deadline.
    writing : Writing, optional
        How fast the machines write, for a method that learns from what the model writes.
    """
    scene = scene_of(workload, arch, machines, assumptions, calibration, writing)
    if scene is None:
        return [_lacks_format(workload, machine) for machine in machines]
    choice = choice_of(scene, amounts_of([workload]), max_accelerators=max_accelerators, fixed_machines=fixed_machines)
    count = choice.count
    fleets, too_many = fleets_of(scene, choice, count), are_too_many(machines, count, assumptions, most=math.inf)
    sized: list[Fleet | Refusal] = []
    for row, machine in enumerate(machines):
        if count[row, 0] == 0:
            sized.append(_refusal(scene, choice, row))
        elif too_many[row, 0] and fixed_machines is None:
            sized.append(too_many_processors(machine, float(count[row, 0]), "deadline"))
        else:
            sized.append(_fleet(scene, choice, fleets, row))
    return sized


def _lacks_format(workload: Workload, machine: Machine) -> Refusal:
    asked = " or ".join(str(name) for name in workload.precision) or "bf16 or fp16"
    return Refusal(machine=machine, stage="precision", reason=Note(NoteCode.NO_SUCH_FORMAT, (machine.label, asked)))


def _refusal(scene: Scene, choice: Choice, row: int) -> Refusal:
    """Return why none of the machine's layouts does the job of a single plan."""
    machine, mine = scene.machines[row], np.flatnonzero(scene.layouts.row == row)
    if not mine.size:
        return _lacks_format(scene.workload, machine)
    outcome, count = choice.outcome, choice.leaves.high
    allowed, asked = mine[choice.most[mine] >= 1], scene.job.work.gpu_count
    if not allowed.size and asked is not None:
        reason = Note(NoteCode.NOT_SO_MANY_JOINED, (asked, machine.label))
        return Refusal(machine=machine, stage="interconnect", reason=reason)
    if not allowed.size:
        reason = Note(NoteCode.MACHINE_ABOVE_LIMIT, (machine.label,))
        return Refusal(machine=machine, stage="max_gpus", reason=reason)
    fits = allowed[outcome.fits[allowed]]
    if not fits.size:
        return _does_not_fit(scene, machine, allowed, outcome)
    fits = fits[np.isfinite(outcome.wall_s[fits])]
    if not fits.size:
        reason = Note(NoteCode.NO_FORMAT_AT_ALL, (machine.label,))
        return Refusal(machine=machine, stage="precision", reason=reason)
    late_s, deadline_s = outcome.wall_s * scene.slow_ratio * choice.steps[0], scene.workload.deadline_hours * 3600.0
    pick = int(fits[np.argmin(late_s[fits])])
    needed = math.ceil(late_s[pick] / deadline_s * count[pick])
    joined = scene.here.network_bytes_per_s[pick] > 0
    stage = "deadline" if joined or count[pick] > 1 else "interconnect"
    accelerators = machine.accelerator_count if machine.accelerator else 0.0
    name = machine.label if accelerators else machine.processor or "CPUs alone"
    figures = (float(count[pick]), name, float(late_s[pick]), deadline_s, bool(joined), accelerators)
    reason = Note(NoteCode.DEADLINE_MISSED, figures)
    return Refusal(machine=machine, stage=stage, reason=reason, machines_needed=needed)


def _does_not_fit(scene: Scene, machine: Machine, allowed: IntArray, outcome: Outcome) -> Refusal:
    possible = allowed[outcome.reachable[allowed]]
    allowed = possible if possible.size else allowed
    needed = (
        sum(part[allowed] for part in (*outcome.memory[:3], outcome.memory[4]))
        + scene.activation[allowed] * scene.reserve_ratio * scene.job.work.seq_len / scene.layouts.context[allowed]
    )
    least = float(np.min(needed))
    have = float(scene.here.memory_bytes[allowed[0]]) * scene.usable_share
    part = "accelerator" if machine.accelerator else "socket"
    lay = scene.layouts.take(allowed)
    tried = {"tensor": lay.tensor > 1, "pipeline": lay.pipeline > 1, "zero3": lay.stage >= 3, "recompute": lay.recompute, "chunked_loss": lay.chunked, "offload": lay.offload}  # fmt: skip
    techniques = tuple(name for name, flags in tried.items() if flags.any())
    figures = (scene.arch.name, least / 2**30, part, techniques, machine.label, have / 2**30)
    return Refusal(machine=machine, stage="memory", reason=Note(NoteCode.TRAINING_MEMORY, figures))


def _fleet(scene: Scene, choice: Choice, fleets: Fleets, row: int) -> Fleet:
    """Return the machine's fleet with its layout, speed and memory."""
    outcome, pick = choice.outcome, int(choice.leaf[row, 0])
    memory, names = outcome.memory, ("weights", "gradients", "optimizer", "activations", "overhead")
    return fleets.fleet(
        scene.machines[row],
        row,
        0,
        _layout(scene, outcome, pick),
        _performance(scene, outcome, pick),
        memory=MemoryUse(
            parts=tuple((name, float(part[pick])) for name, part in zip(names, memory, strict=True) if part[pick] > 0),
            capacity_bytes=float(scene.here.memory_bytes[pick]),
            upper_bytes=float(sum(part[pick] for part in memory) + (scene.reserve_ratio - 1.0) * memory[3][pick]),
        ),
        notes=_notes(scene, choice, pick),
    )


def _layout(scene: Scene, outcome: Outcome, pick: int) -> Layout:
    layouts, job = scene.layouts, scene.job
    is_spread = bool(outcome.data[pick] > 1)
    is_zero3 = bool(layouts.stage[pick] == 3) and is_spread
    trains = job.work.trains if isinstance(job.work, Finetune) else "full"
    techniques = {
        "chunked_loss": layouts.chunked[pick],
        "zero3": is_zero3,
        "zero1": is_spread and not is_zero3 and not job.adapters,
        "recompute": layouts.recompute[pick],
        "offload": layouts.offload[pick],
        trains: trains != "full",
        "generation": job.written_tokens,
        "reference_model": isinstance(job.work, Finetune) and job.work.has_reference,
    }
    return Layout(
        tensor=int(layouts.tensor[pick]),
        pipeline=int(layouts.pipeline[pick]),
        data=int(outcome.data[pick]),
        expert=int(layouts.expert[pick]),
        context=int(layouts.context[pick]),
        precision=scene.names[int(layouts.precision[pick])],
        micro_batch=int(outcome.micro_batch[pick]),
        techniques=tuple(name for name, is_used in techniques.items() if is_used),
    )


def _performance(scene: Scene, outcome: Outcome, pick: int) -> Performance:
    machine, step = scene.machines[scene.layouts.row[pick]], outcome.step
    step_s, used = float(outcome.step_s[pick]), float(outcome.used[pick])
    rate = scene.job.sequences * scene.job.work.seq_len / step_s
    sigma = spread_log(
        scene.calibration, scene.arch, scene.job, machine, scene.names[int(scene.layouts.precision[pick])]
    )
    if scene.job.written_tokens:
        sigma = math.hypot(sigma, ROLLOUT_SPREAD_LOG)
    basis, evidence = basis_and_evidence(scene.calibration, SPEED_CONSTANT, machine)
    flop = sum(
        float(np.asarray(part)) for part in (scene.model.linear_flop_per_token, scene.model.attention_flop_per_token)
    )
    parts = {
        "compute": float(step.compute_s[pick] + step.bubble_s[pick] + step.fixed_s[pick]),
        "interconnect": float(step.communication_s[pick]),
        "memory_bandwidth": float(step.update_s[pick]),
    }
    return Performance(
        rate_per_s=band(rate, sigma),
        rate_unit="trained_tokens",
        tokens_per_s=rate,
        step_s=step_s,
        mfu_share=rate * flop / (used * float(scene.flops[pick])),
        bound=max(parts, key=lambda name: parts[name]),
        basis=basis,
        evidence=evidence,
    )


def _notes(scene: Scene, choice: Choice, pick: int) -> tuple[Note, ...]:
    outcome, job, arch = choice.outcome, scene.job, scene.arch
    notes = list(arch.notes)
    used, have = float(outcome.used[pick]), float(choice.leaves.high[pick] * scene.here.count[pick])
    if used < have:
        notes.append(Note(NoteCode.BATCH_TOO_SMALL, (used, have, float(job.sequences))))
    if arch.max_context_tokens and job.work.seq_len > arch.max_context_tokens:
        notes.append(Note(NoteCode.SEQUENCES_LONGER_THAN_CONTEXT, (job.work.seq_len, arch.max_context_tokens)))
    if scene.layouts.offload[pick]:
        notes.append(Note(NoteCode.OFFLOADED))
    if job.written_tokens:
        written_s = float(outcome.generation_s[pick]) * scene.assumptions["perf.rollout_step_ratio"]
        notes.append(Note(NoteCode.GENERATION, (written_s, float(outcome.step_s[pick]))))
    if isinstance(job.work, Finetune):
        notes.append(Note(NoteCode.TRAINER, (job.trainer.name,)))
    if not math.isfinite(scene.workload.deadline_hours):
        notes.append(Note(NoteCode.NO_DEADLINE, (float(outcome.wall_s[pick]) * float(choice.steps[0]),)))
    return tuple(notes)
