"""Training fleets: the layout and the number of machines for a training or fine-tuning job.

Every layout of every machine is a row. For each row the smallest number of machines that meets the deadline is found by
bisection over all rows at once; without a deadline, the smallest number that holds the model. Techniques that save memory
are rows too, each with its cost in time, so that the cheapest one that fits wins by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.flops import training_flop_per_token
from planner.demand.parameters import (
    expert_parameter_count,
    lora_parameter_count,
    matmul_parameter_count,
    parameter_count,
    routed_parameter_count,
)
from planner.demand.workload import Finetune, Interconnect, Pretrain, Workload
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.communication import group_bandwidth
from planner.supply.constants import links, take, training_constants
from planner.supply.evidence import band, basis_and_evidence, spread
from planner.supply.goodput import goodput_share
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal
from planner.supply.training import StepParts, TrainedModel, TrainingConstants, TrainingLayout, training_step
from planner.supply.training_memory import TrainingStates, activation_bytes_per_token, fixed_bytes, training_states

__all__ = ["size_training", "trained_model"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_MOST_MICRO_BATCH_TOKENS = 32_768.0
_CHUNKED_LOSS_SLOWDOWN = 1.02
"""Chunked cross-entropy: 2 % slower (torchtune's optimization flags table, Llama 3.2 3B on an A100)."""
_QLORA_SLOWDOWN = 1.12
"""Dequantising 4-bit weights: 2 % (3B, A100) to 22 % (8B, RTX 4090) in torchtune's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What has to be done."""

    work: Pretrain | Finetune
    tokens: float
    deadline_s: float
    sequences: float
    adapters: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layouts:
    """Rows of candidate layouts; every array has one entry per row."""

    row: IntArray
    precision: IntArray
    tensor: IntArray
    pipeline: IntArray
    expert: IntArray
    stage: IntArray
    recompute: BoolArray
    chunked: BoolArray
    offload: BoolArray
    small: BoolArray

    def take(self, index: NDArray[np.intp]) -> _Layouts:
        """Return the rows at `index`."""
        return _Layouts(**{item.name: getattr(self, item.name)[index] for item in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What each row does on a given number of machines."""

    wall_s: FloatArray
    step: StepParts
    step_s: FloatArray
    micro_batch: FloatArray
    data: FloatArray
    used: FloatArray
    memory: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
    fits: BoolArray


def trained_model(arch: Architecture, seq_len: int, *, adapters: bool, rank: int = 16) -> TrainedModel:
    """Return a model under a method, as the step's formula takes it."""
    linear, attention = training_flop_per_token(arch, seq_len, frozen_share=1.0 if adapters else 0.0)
    trained = lora_parameter_count(arch, rank) if adapters else parameter_count(arch)
    if adapters:
        linear += 6.0 * trained
    return TrainedModel(
        linear_flop_per_token=linear,
        attention_flop_per_token=float(np.asarray(attention)),
        forward_share=0.5 if adapters else 1.0 / 3.0,
        layers=arch.layers,
        hidden=arch.hidden,
        parameter_count=parameter_count(arch),
        trained_count=trained,
        expert_share=routed_parameter_count(arch) / parameter_count(arch),
        expert_flop_share=_expert_flop_share(arch),
        experts=arch.experts,
        experts_per_token=arch.experts_per_token,
        expert_ffn=arch.expert_ffn,
        moe_layers=arch.moe_layers,
    )


def _expert_flop_share(arch: Architecture) -> float:
    routed = float(arch.moe_layers * arch.experts_per_token * expert_parameter_count(arch))
    return min(routed / matmul_parameter_count(arch), 1.0)


def _job(workload: Workload) -> _Job:
    work = workload.work
    if isinstance(work, Pretrain):
        tokens, deadline_s, adapters = work.tokens_b * 1e9, (work.deadline_days or math.inf) * 86_400.0, False
    else:
        assert isinstance(work, Finetune)
        tokens, deadline_s = work.tokens_m * 1e6 * work.epochs, (work.deadline_hours or math.inf) * 3600.0
        adapters = work.method != "full"
    sequences = max(1.0, round(work.global_batch_tokens_m * 1e6 / work.seq_len))
    return _Job(work=work, tokens=tokens, deadline_s=deadline_s, sequences=sequences, adapters=adapters)


def _formats(workload: Workload, hw: Hardware, row: int) -> list[str]:
    """Return the formats of computation that the machine has, out of those allowed (16 bit where nothing is said)."""
    have = []
    for name in [str(item) for item in workload.precision] or ["bf16", "fp16"]:
        if name in {"nf4", "int4", "int8"}:
            continue  # formats of a frozen base, not of arithmetic
        if hw.is_cpu[row] or not math.isnan(hw.flop_per_s(name)[row]):
            have.append(name)
    if workload.precision and all(str(item) in {"nf4", "int4", "int8"} for item in workload.precision):
        have = ["fp16" if math.isnan(hw.bf16_flop_per_s[row]) and not hw.is_cpu[row] else "bf16"]
    return have[:1] if not workload.precision else have


def _enumerate(arch: Architecture, hw: Hardware, formats: Sequence[tuple[int, int]], job: _Job) -> _Layouts:
    """Return every layout worth trying."""
    rows: list[tuple[int, ...]] = []
    ladder = ((0, 0), (1, 0), (1, 1)) if arch.kind != "encoder" else ((0, 0), (0, 1))
    for row, fmt in formats:
        count = int(hw.count[row])
        domain = min(count, int(hw.scale_up_count[row])) if hw.scale_up_bytes_per_s[row] > 0 else min(count, 2)
        joined = hw.network_bytes_per_s[row] > 0
        tensors = [t for t in (1, 2, 4, 8) if t <= domain and arch.heads % t == 0 and not hw.is_cpu[row]] or [1]
        depths = [
            p for p in (1, 2, 4, 8, 16) if p <= arch.layers and (joined or p <= count) and not hw.is_cpu[row]
        ] or [1]
        for t in tensors:
            for p in depths:
                for stage in (1, 3) if p == 1 else (1,):
                    if (stage == 3 and count * (16 if joined else 1) == t) or (
                        p > 1 and job.adapters and not joined and p * t > count
                    ):
                        continue
                    for e in (1, 8) if arch.experts >= 8 else (1,):
                        if e > 1 and (count % e and not joined):
                            continue
                        for chunk, again in ladder:
                            smalls = (0, 1) if p > 1 else (0,)
                            rows.extend((row, fmt, t, p, e, stage, again, chunk, 0, small) for small in smalls)
                        if p == 1 and t == 1 and not job.adapters and not hw.is_cpu[row]:
                            rows.append((row, fmt, t, p, e, stage, 1, 1, 1, 0))
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 10)
    flags = table[:, 6:] > 0
    return _Layouts(
        row=table[:, 0], precision=table[:, 1], tensor=table[:, 2], pipeline=table[:, 3], expert=table[:, 4], stage=table[:, 5],
        recompute=flags[:, 0], chunked=flags[:, 1], offload=flags[:, 2], small=flags[:, 3],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """Everything that does not depend on the number of machines."""

    arch: Architecture
    job: _Job
    model: TrainedModel
    states: TrainingStates
    layouts: _Layouts
    here: Hardware
    flops: FloatArray
    constants: TrainingConstants
    activation: FloatArray
    usable_share: float
    assumptions: Assumptions
    calibration: Calibration
    machines: Sequence[Machine]


def _outcome(scene: _Scene, instances: FloatArray) -> _Outcome:
    """Return time and memory of every row on its number of machines (infinite time where it does not fit)."""
    lay, here, job = scene.layouts, scene.here, scene.job
    t, p, e = lay.tensor.astype(float), lay.pipeline.astype(float), lay.expert.astype(float)
    total = instances * here.count
    data = np.minimum(np.floor(total / (t * p)), job.sequences)
    reachable = (data >= 1) & ((instances <= 1) | (here.network_bytes_per_s > 0)) & (e <= np.maximum(data * t, 1.0))
    data = np.maximum(data, 1.0)
    weights, gradients, optimizer, overhead = fixed_bytes(
        scene.states, tensor=t, pipeline=p, data=data, expert=e, stage=lay.stage, offload=lay.offload
    )
    capacity = here.memory_bytes * scene.usable_share
    room = capacity - weights - gradients - optimizer - overhead
    each = scene.activation * job.work.seq_len
    most = np.minimum(
        np.minimum(np.floor(room / each), np.ceil(job.sequences / data)),
        max(1.0, _MOST_MICRO_BATCH_TOKENS // job.work.seq_len),
    )
    fits = reachable & (most >= 1)
    host_needed = scene.states.optimizer_bytes / (t * p) * np.where(lay.stage >= 1, 1.0 / data, 1.0) * here.count
    fits &= ~lay.offload | (host_needed <= 0.8 * here.host_memory_bytes)
    micro = np.where(lay.small, 1.0, 2.0 ** np.floor(np.log2(np.maximum(most, 1.0))))
    micro_batches = np.ceil(job.sequences / (data * micro))
    machines_used = np.ceil(data * t * p / here.count)
    all_links = take(links(scene.calibration, scene.machines), lay.row)
    inside_tensor = np.minimum(t, here.count)
    tensor_bw, tensor_latency = group_bandwidth(here, all_links, t, inside=inside_tensor)
    group = data * 1.0
    data_inside = np.clip(np.floor(here.count / t), 1.0, group)
    data_bw, data_latency = group_bandwidth(
        here, all_links, group, inside=np.where(machines_used > 1, np.minimum(data_inside, group), group)
    )
    expert_bw, expert_latency = group_bandwidth(
        here, all_links, e, inside=np.minimum(e, np.maximum(here.count / t, 1.0))
    )
    stage_bw, stage_latency = group_bandwidth(
        here, all_links, np.where(p > 1, 2.0, 1.0), inside=np.where((machines_used > 1) & (p > 1), 1.0, 2.0)
    )
    # All accelerators of a node hand over to the next stage at once: each has its part of the network cards already.
    layout = TrainingLayout(
        tensor=t, pipeline=p, data=data, expert=e, sharded=lay.stage >= 3, recompute=lay.recompute.astype(float),
        micro_batch_tokens=micro * job.work.seq_len, micro_batches=micro_batches, flop_per_s=scene.flops,
        flop16_per_s=here.flop16_per_s(), bandwidth_bytes_per_s=here.bandwidth_bytes_per_s,
        tensor_bytes_per_s=tensor_bw, tensor_latency_s=tensor_latency, data_bytes_per_s=data_bw, data_latency_s=data_latency,
        stage_bytes_per_s=stage_bw, stage_latency_s=stage_latency, expert_bytes_per_s=expert_bw, expert_latency_s=expert_latency,
        machines=machines_used,
    )  # fmt: skip
    constants = scene.constants
    step = training_step(scene.model, layout, constants)
    slower = np.where(lay.chunked, _CHUNKED_LOSS_SLOWDOWN, 1.0)
    if (
        isinstance(job.work, Finetune)
        and job.work.method == "qlora"
        and ("train.pace_ratio", "@qlora") not in scene.calibration.rows
    ):
        slower = slower * _QLORA_SLOWDOWN
    # Offloaded states: gradients go down and weights come up once a step over PCIe, then the CPU updates.
    offload_s = np.where(
        lay.offload,
        4.0 * parameter_count(scene.arch) / (t * p * data) / np.maximum(here.pcie_bytes_per_s * 0.6, 1.0) * 2.0,
        0.0,
    )
    step_s = step.total_s * slower + offload_s
    steps = job.tokens / (job.sequences * job.work.seq_len)
    good = goodput_share(machines_used * here.count, scene.assumptions)
    wall = np.where(fits, np.maximum(steps, 1.0) * step_s / good, np.inf)
    memory = (weights, gradients, optimizer, micro * each, overhead)
    return _Outcome(
        wall_s=wall, step=step, step_s=step_s, micro_batch=micro, data=data, used=data * t * p, memory=memory, fits=fits
    )


def _fewest(scene: _Scene, most: FloatArray, deadline_s: float) -> tuple[FloatArray, _Outcome]:
    """Return each row's smallest number of machines that meets the deadline (the largest allowed where none does)."""
    low, high = np.ones_like(most), most.copy()
    if not math.isfinite(deadline_s):
        deadline_s = 1e300
    for _ in range(int(np.ceil(np.log2(max(2.0, float(most.max(initial=1.0)))))) + 1):
        middle = np.floor((low + high) / 2)
        ok = _outcome(scene, middle).wall_s <= deadline_s
        high = np.where(ok, middle, high)
        low = np.where(ok, low, np.minimum(middle + 1, high))
    return high, _outcome(scene, high)


def size_training(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    max_accelerators: int | None = None, calibration: Calibration | None = None, fixed_machines: int | None = None,
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
        Beliefs ``perf.*``.
    max_accelerators, fixed_machines : int, optional
        Most accelerators allowed; or exactly this many machines, whatever the deadline.
    """
    calibration = calibration or default_calibration()
    job, hw = _job(workload), hardware(machines)
    names: list[str] = []
    wanted: list[tuple[int, int]] = []
    results: list[Fleet | Refusal | None] = [None] * len(machines)
    for row, machine in enumerate(machines):
        usable = _formats(workload, hw, row)
        if not usable:
            asked = " or ".join(str(item) for item in workload.precision) or "bf16 or fp16"
            results[row] = Refusal(
                machine=machine, stage="precision", reason=f"{_label(machine)} does not compute in {asked}"
            )
        for name in usable:
            if name not in names:
                names.append(name)
            wanted.append((row, names.index(name)))
    if wanted:
        scene = _scene(arch, machines, hw, job, names, wanted, assumptions, calibration)
        most = _most_machines(workload, scene, assumptions, max_accelerators, fixed_machines)
        if fixed_machines is not None:
            count = np.full(len(most), float(fixed_machines))
            outcome = _outcome(scene, count)
        else:
            count, outcome = _fewest(scene, most, job.deadline_s)
        for row, machine in enumerate(machines):
            if results[row] is None:
                mine = np.flatnonzero(scene.layouts.row == row)
                results[row] = _best(
                    scene, machine, mine, names, count, outcome, most, fixed=fixed_machines is not None
                )
    return [item for item in results if item is not None]


def _scene(
    arch: Architecture, machines: Sequence[Machine], hw: Hardware, job: _Job, names: Sequence[str],
    wanted: Sequence[tuple[int, int]], assumptions: Assumptions, calibration: Calibration,
) -> _Scene:  # fmt: skip
    layouts = _enumerate(arch, hw, wanted, job)
    here = hw.take(layouts.row)
    flops = np.select(
        [layouts.precision == i for i in range(len(names))], [hw.flop_per_s(n)[layouts.row] for n in names], np.nan
    )
    flops = np.where(here.is_cpu, here.flop16_per_s(), flops)
    constants = _constants(calibration, machines, names, layouts, _tags(arch, job))
    work = job.work
    activation = activation_bytes_per_token(
        arch,
        tensor=layouts.tensor,
        pipeline=layouts.pipeline,
        recompute=layouts.recompute,
        chunked_loss=layouts.chunked,
        frozen=job.adapters,
        activation_ratio=calibration.value_at("memory.activation_ratio", ("*",))
        * np.where(layouts.recompute, calibration.ratio("memory.activation_ratio", ["@recompute"]), 1.0),
        logits_ratio=calibration.value_at("memory.logits_ratio", ("*",)),
    )
    rank = work.rank if isinstance(work, Finetune) else 16
    return _Scene(
        arch=arch, job=job, model=trained_model(arch, work.seq_len, adapters=job.adapters, rank=rank),
        states=training_states(arch, work), layouts=layouts, here=here, flops=flops, constants=constants, activation=activation,
        usable_share=assumptions["perf.training_memory_share"], assumptions=assumptions, calibration=calibration, machines=machines,
    )  # fmt: skip


def _tags(arch: Architecture, job: _Job) -> list[str]:
    """Return what the calibration should know of the job beside its machine."""
    tags = ["@moe"] * bool(arch.experts) + ["@adapters"] * job.adapters + ["@encoder"] * (arch.kind == "encoder")
    return tags + ["@qlora"] * (isinstance(job.work, Finetune) and job.work.method == "qlora")


def _constants(
    calibration: Calibration, machines: Sequence[Machine], names: Sequence[str], layouts: _Layouts, tags: Sequence[str]
) -> TrainingConstants:
    """Return every row's constants: those of its machine, its number format and the job's tags."""
    sets = [training_constants(calibration, machines, [*tags, f"@{name}"]) for name in names]
    columns = {}
    for field in TrainingConstants.__dataclass_fields__:
        stacked = np.stack([np.asarray(getattr(one, field), dtype=float) for one in sets])
        columns[field] = stacked[layouts.precision, layouts.row]
    return TrainingConstants(**columns)


def _most_machines(
    workload: Workload, scene: _Scene, assumptions: Assumptions, max_accelerators: int | None, fixed: int | None
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


def _label(machine: Machine) -> str:
    if machine.accelerator is None:
        return machine.processor or "a CPU machine"
    return f"{machine.accelerator_count:g} x {machine.accelerator.name}"


def _duration(seconds: float) -> str:
    if seconds < 5_400:
        return f"{seconds / 60:,.0f} minutes"
    return f"{seconds / 3600:,.1f} hours" if seconds < 172_800 else f"{seconds / 86_400:,.1f} days"


def _best(
    scene: _Scene, machine: Machine, mine: NDArray[np.intp], names: Sequence[str], count: FloatArray, outcome: _Outcome, most: FloatArray, *, fixed: bool
) -> Fleet | Refusal:  # fmt: skip
    job = scene.job
    deadline_s = math.inf if fixed else job.deadline_s
    allowed = mine[most[mine] >= 1]
    if not allowed.size:
        return Refusal(
            machine=machine, stage="max_gpus", reason=f"one machine of {_label(machine)} is more than is allowed"
        )
    fits = allowed[outcome.fits[allowed]]
    if not fits.size:
        return _does_not_fit(scene, machine, allowed, outcome)
    fits = fits[np.isfinite(outcome.wall_s[fits])]
    if not fits.size:
        return Refusal(
            machine=machine,
            stage="precision",
            reason=f"{_label(machine)} has no unit for any number format that the work allows",
        )
    timely = fits[outcome.wall_s[fits] <= deadline_s]
    if not timely.size:
        pick = int(fits[np.argmin(outcome.wall_s[fits])])
        needed = math.ceil(outcome.wall_s[pick] / deadline_s * count[pick])
        joined = scene.here.network_bytes_per_s[pick] > 0
        stage = "deadline" if joined or count[pick] > 1 else "interconnect"
        reason = (
            f"{count[pick]:,.0f} machines of {_label(machine)} take {_duration(outcome.wall_s[pick])}, "
            f"the deadline is {_duration(deadline_s)}" + ("" if joined else "; they cannot be joined for one job")
        )
        return Refusal(machine=machine, stage=stage, reason=reason, machines_needed=needed)
    pick = int(timely[np.lexsort((outcome.wall_s[timely], count[timely]))[0]])
    if machine.accelerator is None and count[pick] > scene.assumptions["perf.most_cpu_machines_count"] and not fixed:
        return Refusal(
            machine=machine,
            stage="max_machines",
            reason=f"the deadline would take {count[pick]:,.0f} {_label(machine)} machines",
            machines_needed=int(count[pick]),
        )
    return _fleet(scene, machine, pick, names, count, outcome)


def _does_not_fit(scene: _Scene, machine: Machine, allowed: NDArray[np.intp], outcome: _Outcome) -> Refusal:
    needed = (
        sum(part[allowed] for part in (*outcome.memory[:3], outcome.memory[4]))
        + scene.activation[allowed] * scene.job.work.seq_len
    )
    least = float(np.min(needed))
    have = float(scene.here.memory_bytes[allowed[0]]) * scene.usable_share
    each = "each accelerator" if machine.accelerator else "each socket"
    reason = (
        f"{scene.arch.name} takes at least {least / 2**30:,.0f} GiB on {each} with every technique tried "
        f"(sharding, recomputation, chunked loss, offload); {_label(machine)} has {have / 2**30:,.0f} GiB usable"
    )
    return Refusal(machine=machine, stage="memory", reason=reason)


def _fleet(
    scene: _Scene, machine: Machine, pick: int, names: Sequence[str], count: FloatArray, outcome: _Outcome
) -> Fleet:
    lay, job, arch = scene.layouts, scene.job, scene.arch
    precision = names[int(lay.precision[pick])]
    step_s = float(outcome.step_s[pick])
    rate = job.sequences * job.work.seq_len / step_s
    sort, constant = _sort(scene, machine, precision)
    sigma = spread(scene.calibration, sort, constant, machine)
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
    if isinstance(job.work, Finetune) and job.work.method != "full":
        techniques.append(job.work.method)
    memory = outcome.memory
    items = ("weights", "gradients", "optimizer", "activations", "overhead")
    wall_s = float(outcome.wall_s[pick])
    notes = list(arch.notes)
    if used < count[pick] * scene.here.count[pick]:
        notes.append(
            f"{used:,.0f} of {count[pick] * scene.here.count[pick]:,.0f} accelerators work: the batch has {job.sequences:,.0f} sequences"
        )
    if arch.max_context_tokens and job.work.seq_len > arch.max_context_tokens:
        notes.append(
            f"sequences of {job.work.seq_len:,} tokens exceed the model's context of {arch.max_context_tokens:,}"
        )
    if not math.isfinite(job.deadline_s):
        notes.append(f"no deadline: the fewest machines that hold the work, {_duration(wall_s)}")
    return Fleet(
        machine=machine,
        instance_count=int(count[pick]),
        layout=Layout(
            tensor=int(lay.tensor[pick]),
            pipeline=int(lay.pipeline[pick]),
            data=int(outcome.data[pick]),
            expert=int(lay.expert[pick]),
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
        ),
        accelerators_used=used * (min(1.0, machine.accelerator_count) if machine.accelerator else 1.0),
        busy_hours_per_run=wall_s / 3600.0,
        notes=tuple(notes),
    )


def _sort(scene: _Scene, machine: Machine, precision: str) -> tuple[str, str]:
    """Return the class whose spread holds, and the constant whose evidence counts."""
    constant = "train.matmul_share"
    if machine.accelerator is None:
        return "cpu", constant
    if scene.arch.experts:
        return "train.moe", constant
    if scene.job.adapters:
        return "train.adapters", constant
    if machine.accelerator.market_class != "datacenter":
        return "train.consumer", constant
    return ("train.fp8" if precision in {"fp8", "fp4"} else "train.dense"), constant
