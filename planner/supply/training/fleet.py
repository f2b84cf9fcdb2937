"""Training fleets: the layout and the number of machines for a training or fine-tuning job.

Every layout of every machine is a row. For each row the smallest number of machines that meets the deadline is found by
bisection over all rows at once; without a deadline, the smallest number that holds the model. Techniques that save memory
are rows too, each with its cost in time, so that the cheapest one that fits wins by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Finetune, Interconnect, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.evidence import band, basis_and_evidence, slow_ratio, spread
from planner.supply.hardware import Hardware, hardware, math_format
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal
from planner.supply.training.candidates import (
    Job,
    Layouts,
    Outcome,
    Scene,
    Writing,
    formats_wanted,
    job_of,
    layouts_of,
    outcome_of,
    trained_model,
)
from planner.supply.training.fewest import NO_DEADLINE_S, fewest
from planner.supply.training.memory import activation_bytes_per_token, training_states
from planner.supply.training.speed import TrainingConstants, training_constants

__all__ = ["ROLLOUT_SPREAD_LOG", "class_and_constant", "most_machines", "scene_of", "size_training", "trained_model"]

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
    calibration = calibration or default_calibration()
    job, hw = job_of(workload), hardware(machines)
    names, wanted = formats_wanted(workload, hw)
    results: list[Fleet | Refusal | None] = [None] * len(machines)
    for row in set(range(len(machines))) - {row for row, _ in wanted}:
        asked = " or ".join(str(item) for item in workload.precision) or "bf16 or fp16"
        reason = Note(NoteCode.NO_SUCH_FORMAT, (machines[row].label, asked))
        results[row] = Refusal(machine=machines[row], stage="precision", reason=reason)
    if wanted:
        scene = replace(scene_of(arch, machines, hw, job, names, wanted, assumptions, calibration), writing=writing)
        most = most_machines(workload, scene, assumptions, max_accelerators, fixed_machines)
        if fixed_machines is not None:
            count = np.full(len(most), float(fixed_machines))
            outcome = outcome_of(scene, count)
        elif job.work.gpu_count is not None:
            count = np.maximum(np.ceil(job.work.gpu_count / scene.here.count), 1.0)
            most = np.where((count <= most) & ~scene.here.is_cpu, count, 0.0)
            outcome = outcome_of(scene, count)
        else:
            leaves, outcome = fewest(scene, most, np.array([min(job.deadline_s, NO_DEADLINE_S)]))
            count = leaves.high
        for row, machine in enumerate(machines):
            if results[row] is None:
                mine = np.flatnonzero(scene.layouts.row == row)
                results[row] = _best(
                    scene, machine, mine, names, count, outcome, most, fixed=fixed_machines is not None
                )
    return [item for item in results if item is not None]


def scene_of(
    arch: Architecture, machines: Sequence[Machine], hw: Hardware, job: Job, names: Sequence[str],
    wanted: Sequence[tuple[int, int]], assumptions: Assumptions, calibration: Calibration,
) -> Scene:  # fmt: skip
    """Return every layout that is worth trying, with what its machine can do."""
    layouts = layouts_of(arch, hw, wanted, job)
    here = hw.take(layouts.row)
    flops = np.select(
        [layouts.precision == i for i in range(len(names))], [hw.flop_per_s(n)[layouts.row] for n in names], np.nan
    )
    flops = np.where(here.is_cpu, here.flop16_per_s(), flops)
    constants = _constants(calibration, machines, names, layouts, _tags(arch, job))
    work = job.work
    quantised = isinstance(work, Finetune) and work.trains == "qlora"
    base = ["@quantised_base"] * quantised
    activation = activation_bytes_per_token(
        arch,
        tensor=layouts.tensor,
        pipeline=layouts.pipeline,
        recompute=layouts.recompute,
        chunked_loss=layouts.chunked,
        seq_len=float(work.seq_len),
        activation_ratio=calibration.value_at("memory.activation_ratio", ("*",), base)
        * np.where(
            layouts.recompute,
            calibration.ratio("memory.activation_ratio", ["@recompute"]),
            calibration.ratio("memory.activation_ratio", ["@adapters"] * job.adapters),
        ),
        logits_ratio=calibration.value_at("memory.logits_ratio", ("*",)),
    )
    rank = work.rank if isinstance(work, Finetune) else 16
    scene = Scene(
        arch=arch, job=job, model=trained_model(arch, work.seq_len, adapters=job.adapters, rank=rank, base="nf4" if quantised else "bf16"),
        states=training_states(arch, work), layouts=layouts, here=here, flops=flops, constants=constants, activation=activation,
        reserve_ratio=calibration.value("memory.reserve_ratio"),
        slow_ratio=np.ones(len(layouts.row)), usable_share=assumptions["perf.training_memory_share"], assumptions=assumptions, calibration=calibration, machines=machines,
    )  # fmt: skip
    percentile = assumptions["perf.deadline_band_percentile"]
    ratios = np.array([[_slow_ratio(scene, machine, name, percentile) for machine in machines] for name in names])
    return replace(scene, slow_ratio=ratios[layouts.precision, layouts.row])


def _slow_ratio(scene: Scene, machine: Machine, precision: str, percentile: float) -> float:
    """Return the time of a run at a percentile of the speed band, over the typical time."""
    sort, constant = class_and_constant(scene, machine, precision)
    return slow_ratio(percentile, spread(scene.calibration, sort, constant, machine))


def _tags(arch: Architecture, job: Job) -> list[str]:
    """Return what the calibration should know of the job beside its machine."""
    tags = ["@moe"] * bool(arch.experts) + ["@adapters"] * job.adapters + ["@encoder"] * (arch.kind == "encoder")
    return tags + ["@qlora"] * (isinstance(job.work, Finetune) and job.work.trains == "qlora")


def _constants(
    calibration: Calibration, machines: Sequence[Machine], names: Sequence[str], layouts: Layouts, tags: Sequence[str]
) -> TrainingConstants:
    """Return every row's constants: those of its machine, its number format and the job's tags."""
    sets = [training_constants(calibration, machines, [*tags, f"@{name}"]) for name in names]
    columns = {}
    for field in TrainingConstants.__dataclass_fields__:
        stacked = np.stack([np.asarray(getattr(one, field), dtype=float) for one in sets])
        columns[field] = stacked[layouts.precision, layouts.row]
    return TrainingConstants(**columns)


def most_machines(
    workload: Workload, scene: Scene, assumptions: Assumptions, max_accelerators: int | None, fixed: int | None
) -> FloatArray:
    """Return how many machines a row may take: one where they are not joined as the workload asks."""
    here = scene.here
    most = np.floor(assumptions["perf.most_training_accelerators_count"] / here.count)
    if max_accelerators is not None:
        most = np.where(here.is_cpu, most, np.minimum(most, np.floor(max_accelerators / here.count)))
    joined = here.network_bytes_per_s > 0
    asked = workload.constraints.interconnect
    if asked in {Interconnect.EFA, Interconnect.INFINIBAND}:
        named = np.asarray([machine.network == str(asked) for machine in scene.machines])[scene.layouts.row]
        joined = joined & named
    most = np.where(joined, most, np.minimum(most, 1.0))
    return np.maximum(np.where(here.is_cpu, np.minimum(most, 4096.0), most), 0.0 if fixed is None else 1.0)


def _best(
    scene: Scene, machine: Machine, mine: NDArray[np.intp], names: Sequence[str], count: FloatArray, outcome: Outcome, most: FloatArray, *, fixed: bool
) -> Fleet | Refusal:  # fmt: skip
    job = scene.job
    deadline_s = math.inf if fixed else job.deadline_s
    allowed = mine[most[mine] >= 1]
    if not allowed.size and job.work.gpu_count is not None:
        reason = Note(NoteCode.NOT_SO_MANY_JOINED, (job.work.gpu_count, machine.label))
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
    late_s = outcome.wall_s * scene.slow_ratio
    timely = fits[late_s[fits] <= deadline_s]
    if not timely.size:
        pick = int(fits[np.argmin(late_s[fits])])
        needed = math.ceil(late_s[pick] / deadline_s * count[pick])
        joined = scene.here.network_bytes_per_s[pick] > 0
        stage = "deadline" if joined or count[pick] > 1 else "interconnect"
        each = machine.accelerator_count if machine.accelerator else 0.0
        name = machine.label if each else machine.processor or "CPUs alone"
        figures = (float(count[pick]), name, float(late_s[pick]), deadline_s, bool(joined), each)
        reason = Note(NoteCode.DEADLINE_MISSED, figures)
        return Refusal(machine=machine, stage=stage, reason=reason, machines_needed=needed)
    pick = int(timely[np.lexsort((outcome.wall_s[timely], count[timely]))[0]])
    if machine.accelerator is None and count[pick] > scene.assumptions["perf.most_cpu_machines_count"] and not fixed:
        return Refusal(
            machine=machine,
            stage="max_machines",
            reason=Note(NoteCode.CPU_MACHINES, ("deadline", float(count[pick]), machine.label)),
            machines_needed=int(count[pick]),
        )
    return _fleet(scene, machine, pick, names, count, outcome)


def _does_not_fit(scene: Scene, machine: Machine, allowed: NDArray[np.intp], outcome: Outcome) -> Refusal:
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


def _fleet(
    scene: Scene, machine: Machine, pick: int, names: Sequence[str], count: FloatArray, outcome: Outcome
) -> Fleet:
    lay, job, arch = scene.layouts, scene.job, scene.arch
    precision = names[int(lay.precision[pick])]
    step_s = float(outcome.step_s[pick])
    rate = job.sequences * job.work.seq_len / step_s
    sort, constant = class_and_constant(scene, machine, precision)
    sigma = spread(scene.calibration, sort, constant, machine)
    if job.written_tokens:
        sigma = math.hypot(sigma, ROLLOUT_SPREAD_LOG)
    basis, evidence = basis_and_evidence(scene.calibration, constant, machine)
    used = float(outcome.used[pick])
    flop = float(np.asarray(scene.model.linear_flop_per_token)) + float(
        np.asarray(scene.model.attention_flop_per_token)
    )
    step = outcome.step
    parts = {
        "compute": float(step.compute_s[pick] + step.bubble_s[pick] + step.fixed_s[pick]),
        "interconnect": float(step.communication_s[pick]),
        "memory_bandwidth": float(step.update_s[pick]),
    }
    techniques = []
    if lay.chunked[pick]:
        techniques.append("chunked_loss")
    if lay.stage[pick] == 3 and outcome.data[pick] > 1:
        techniques.append("zero3")
    elif outcome.data[pick] > 1 and not job.adapters:
        techniques.append("zero1")
    techniques += ["recompute"] * bool(lay.recompute[pick]) + ["offload"] * bool(lay.offload[pick])
    if isinstance(job.work, Finetune) and job.work.trains != "full":
        techniques.append(job.work.trains)
    if job.written_tokens:
        techniques.append("generation")
    if isinstance(job.work, Finetune) and job.work.has_reference:
        techniques.append("reference_model")
    memory = outcome.memory
    items = ("weights", "gradients", "optimizer", "activations", "overhead")
    wall_s = float(outcome.wall_s[pick])
    notes = list(arch.notes)
    have = float(count[pick] * scene.here.count[pick])
    if used < have:
        notes.append(Note(NoteCode.BATCH_TOO_SMALL, (used, have, float(job.sequences))))
    if arch.max_context_tokens and job.work.seq_len > arch.max_context_tokens:
        notes.append(Note(NoteCode.SEQUENCES_LONGER_THAN_CONTEXT, (job.work.seq_len, arch.max_context_tokens)))
    if lay.offload[pick]:
        notes.append(Note(NoteCode.OFFLOADED))
    if job.written_tokens:
        notes.append(
            Note(
                NoteCode.GENERATION,
                (float(outcome.generation_s[pick]) * scene.assumptions["perf.rollout_step_ratio"], step_s),
            )
        )
    if isinstance(job.work, Finetune):
        notes.append(Note(NoteCode.TRAINER, (job.trainer.name,)))
    if not math.isfinite(job.deadline_s):
        notes.append(Note(NoteCode.NO_DEADLINE, (wall_s,)))
    return Fleet(
        machine=machine,
        instance_count=int(count[pick]),
        layout=Layout(
            tensor=int(lay.tensor[pick]),
            pipeline=int(lay.pipeline[pick]),
            data=int(outcome.data[pick]),
            expert=int(lay.expert[pick]),
            context=int(lay.context[pick]),
            precision=precision,
            micro_batch=int(outcome.micro_batch[pick]),
            techniques=tuple(techniques),
        ),
        performance=Performance(
            rate_per_s=band(rate, sigma),
            rate_unit="trained_tokens",
            tokens_per_s=rate,
            step_s=step_s,
            mfu_share=rate * flop / (used * float(scene.flops[pick])),
            bound=max(parts, key=lambda name: parts[name]),
            basis=basis,
            evidence=evidence,
        ),
        memory=MemoryUse(
            parts=tuple((name, float(part[pick])) for name, part in zip(items, memory, strict=True) if part[pick] > 0),
            capacity_bytes=float(scene.here.memory_bytes[pick]),
            upper_bytes=float(sum(part[pick] for part in memory) + (scene.reserve_ratio - 1.0) * memory[3][pick]),
        ),
        accelerators_used=used * machine.slice_share,
        busy_hours_per_run=wall_s / 3600.0,
        notes=tuple(notes),
    )


def class_and_constant(scene: Scene, machine: Machine, precision: str) -> tuple[str, str]:
    """Return the class whose spread holds, and the constant whose evidence counts.

    A job that is planned is a stranger to the published tables, unless the user measured the accelerator himself.
    """
    constant = "train.matmul_share"
    own = scene.calibration.own_rows("train.pace_ratio", machine) is not None
    return _class(scene, machine, precision) + ("" if own else ".stranger"), constant


def _class(scene: Scene, machine: Machine, precision: str) -> str:
    if machine.accelerator is None:
        return "train.adapters"  # no measured row of a CPU: the widest class of training
    if scene.arch.experts:
        return "train.moe"
    if scene.job.adapters:
        return "train.adapters"
    if machine.accelerator.market_class != "datacenter":
        return "train.consumer"
    return "train.fp8" if math_format(precision) in {"fp8", "fp4"} else "train.dense"
