"""Training candidates: every layout worth trying on every machine, and what each does on some number of machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.arrays import BoolArray, FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.flops import training_flop_per_token
from planner.demand.formats import FORMATS
from planner.demand.parameters import (
    expert_parameter_count,
    lora_parameter_count,
    matmul_parameter_count,
    parameter_count,
    routed_parameter_count,
)
from planner.demand.workload import Finetune, Pretrain, Workload
from planner.supply.calibration import Calibration
from planner.supply.communication import exchange_bandwidth, group_bandwidth
from planner.supply.constants import links, take
from planner.supply.hardware import Hardware, math_format
from planner.supply.machines import Machine
from planner.supply.training.efficiency import goodput_share, offloaded_update_s, streamed_weights_s
from planner.supply.training.memory import TrainingStates, fixed_bytes
from planner.supply.training.speed import StepParts, TrainedModel, TrainingConstants, TrainingLayout, training_step
from planner.supply.training.stacks import Trainer, trainer_of

_MOST_MICRO_BATCH_TOKENS = 32_768.0
_LEAST_TOKENS_IN_A_RING = 8_192
_CHUNKED_LOSS_SLOWDOWN = 1.02
"""Chunked cross-entropy: 2 % slower (torchtune's optimization flags table, Llama 3.2 3B on an A100)."""
_SINKS = ("gpt-oss",)
"""Families whose softmax has a learned sink: training kernels do not fuse it, the scores go through memory."""
_UNFUSED_SCORE_BYTES = 22.0
"""Of one score: written, normed, read forward (8 bytes), its gradient and its recomputed softmax backward (14)."""
_HOST_SHARE = 0.9
"""Of host memory that what is offloaded may fill."""
_SIXTEEN_BIT_BYTES, _ONE_BYTE = 2.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a step of the job has to do."""

    work: Pretrain | Finetune
    sequences: float
    adapters: bool
    trainer: Trainer
    extra_forward_count: int = 0
    written_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How fast machines write, by the answers that each writes at once.

    Attributes
    ----------
    answer_counts : FloatArray, shape (points,)
        Answers at once on one machine, rising.
    rates_per_s : FloatArray, shape (machines, points)
        Tokens per second of one machine; 0 where it cannot hold the model.
    """

    answer_counts: FloatArray
    rates_per_s: FloatArray

    def tokens_per_s(self, row: IntArray, answer_count: FloatArray) -> FloatArray:
        """Return the speed of machines at so many answers at once, between the points in proportion to their logarithms."""
        place = np.interp(np.log(answer_count), np.log(self.answer_counts), np.arange(len(self.answer_counts)))
        below = np.minimum(np.floor(place).astype(int), len(self.answer_counts) - 2)
        share = place - below
        return np.asarray(
            self.rates_per_s[row, below] * (1.0 - share) + self.rates_per_s[row, below + 1] * share, dtype=float
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """Rows of candidate layouts; every array has one entry per row."""

    row: IntArray
    precision: IntArray
    tensor: IntArray
    pipeline: IntArray
    expert: IntArray
    context: IntArray
    stage: IntArray
    recompute: BoolArray
    chunked: BoolArray
    offload: BoolArray
    small: BoolArray

    def take(self, index: NDArray[np.intp]) -> Layouts:
        """Return the rows at `index`."""
        return Layouts(**{item.name: getattr(self, item.name)[index] for item in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What each row does on a given number of machines; `wall_s` is the clock time of a step, goodput counted."""

    wall_s: FloatArray
    step: StepParts
    step_s: FloatArray
    micro_batch: FloatArray
    data: FloatArray
    used: FloatArray
    generation_s: FloatArray
    memory: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
    reachable: BoolArray
    fits: BoolArray


def trained_model(
    arch: Architecture, seq_len: int, *, adapters: bool, rank: int = 16, base: str = "bf16"
) -> TrainedModel:
    """Return a model under a method, as the step's formula takes it.

    Parameters
    ----------
    adapters : bool
        Whether the base is frozen and adapters of this `rank` learn.
    base : str
        Format in which a frozen base is held.
    """
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
        head_flop_share=_head_flop_share(arch),
        experts=arch.experts,
        experts_per_token=arch.experts_per_token,
        expert_ffn=arch.expert_ffn,
        moe_layers=arch.moe_layers,
        weight_bytes_per_parameter=min(FORMATS[base].weight_bytes, _SIXTEEN_BIT_BYTES)
        if adapters
        else _SIXTEEN_BIT_BYTES,
        is_widened=adapters and FORMATS[base].weight_bytes < _ONE_BYTE,
        score_bytes_per_token=_score_bytes_per_token(arch, seq_len),
    )


def _expert_flop_share(arch: Architecture) -> float:
    routed = float(arch.moe_layers * arch.experts_per_token * expert_parameter_count(arch))
    return min(routed / matmul_parameter_count(arch), 1.0)


def _head_flop_share(arch: Architecture) -> float:
    whole = matmul_parameter_count(arch)
    return 1.0 - matmul_parameter_count(arch, with_head=False) / whole if arch.kind == "decoder" else 0.0


def _score_bytes_per_token(arch: Architecture, seq_len: int) -> float:
    """Return the traffic of unfused attention; a window is a mask there, so that every layer scores the whole sequence."""
    return _UNFUSED_SCORE_BYTES * arch.layers * arch.heads * seq_len if arch.name.startswith(_SINKS) else 0.0


def job_of(workload: Workload) -> Job:
    """Return what a step of a training or fine-tuning job asks."""
    work = workload.work
    assert isinstance(work, Pretrain | Finetune)
    return Job(
        work=work, sequences=max(1.0, round(work.global_batch_tokens_m * 1e6 / work.seq_len)),
        adapters=isinstance(work, Finetune) and work.trains != "full", trainer=trainer_of(workload),
        extra_forward_count=getattr(work, "extra_forward_count", 0), written_tokens=getattr(work, "written_tokens", 0),
    )  # fmt: skip


def formats_wanted(workload: Workload, hw: Hardware) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the names of formats, and pairs of a machine's row and a format's place: what is tried on which machine."""
    usable = [_formats_on(workload, hw, row) for row in range(len(hw.row))]
    names = list(dict.fromkeys(name for some in usable for name in some))
    return names, [(row, names.index(name)) for row, some in enumerate(usable) for name in some]


def _formats_on(workload: Workload, hw: Hardware, row: int) -> list[str]:
    """Return the formats of computation that the machine has, out of those allowed (16 bit where nothing is said)."""
    have = []
    for name in [str(item) for item in workload.precision] or ["bf16", "fp16"]:
        if math_format(name) == "16":
            continue  # formats of a frozen base, not of arithmetic
        if hw.is_cpu[row] or not math.isnan(hw.flop_per_s(name)[row]):
            have.append(name)
    if workload.precision and all(math_format(str(item)) == "16" for item in workload.precision):
        have = ["fp16" if math.isnan(hw.bf16_flop_per_s[row]) and not hw.is_cpu[row] else "bf16"]
    return have[:1] if not workload.precision else have


def layouts_of(arch: Architecture, hw: Hardware, formats: Sequence[tuple[int, int]], job: Job) -> Layouts:
    """Return every layout worth trying."""
    rows: list[tuple[int, ...]] = []
    # Rings over the sequence are worth trying where one sequence alone is long.
    trainer = job.trainer
    widest = 8 if trainer.splits_layers else 1
    rings = tuple(
        c
        for c in (1, 2, 4, 8)
        if c == 1 or (c <= widest and job.work.seq_len / c >= _LEAST_TOKENS_IN_A_RING and arch.heads)
    )
    offloads = trainer.offloads and getattr(job.work, "offload", None) is not False
    chunks = int(trainer.chunks_loss and arch.kind != "encoder")
    ladder = ((0, 0), (1, 0), (1, 1)) if chunks else ((0, 0), (0, 1))
    for row, fmt in formats:
        count = int(hw.count[row])
        domain = min(count, int(hw.scale_up_count[row])) if hw.scale_up_bytes_per_s[row] > 0 else min(count, 2)
        joined = hw.network_bytes_per_s[row] > 0
        tensors = [
            t for t in (1, 2, 4, 8) if t <= min(domain, widest) and arch.heads % t == 0 and not hw.is_cpu[row]
        ] or [1]
        depths = [
            p
            for p in (1, 2, 4, 8, 16)
            if p <= min(arch.layers, 2 * widest - 1) and (joined or p <= count) and not hw.is_cpu[row]
        ] or [1]
        for t in tensors:
            for p in depths:
                for stage in (1, 3) if p == 1 and trainer.shards else (1,):
                    if (stage == 3 and count * (16 if joined else 1) == t) or (
                        p > 1 and job.adapters and not joined and p * t > count
                    ):
                        continue
                    for e in (1, 8) if arch.experts >= 8 else (1,):
                        if e > 1 and (count % e and not joined):
                            continue
                        for c in [c for c in rings if c == 1 or (stage == 3 and (joined or t * c <= count))]:
                            for chunk, again in ladder:
                                smalls = (0, 1) if p > 1 else (0,)
                                rows.extend((row, fmt, t, p, e, c, stage, again, chunk, 0, small) for small in smalls)
                        # What is frozen has no optimizer to put elsewhere: adapters offload sharded weights alone.
                        if p == t == 1 and offloads and (stage == 3 or not job.adapters) and not hw.is_cpu[row]:
                            rows.append((row, fmt, t, p, e, 1, stage, 1, chunks, 1, 0))
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 11)
    flags = table[:, 7:] > 0
    return Layouts(
        row=table[:, 0], precision=table[:, 1], tensor=table[:, 2], pipeline=table[:, 3], expert=table[:, 4], context=table[:, 5], stage=table[:, 6],
        recompute=flags[:, 0], chunked=flags[:, 1], offload=flags[:, 2], small=flags[:, 3],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that does not depend on the number of machines; `names` are the formats that the layouts point to.

    `activation` is the typical number of bytes per token; whether a layout fits is judged by `reserve_ratio` times as many,
    the upper end of the band, since a run that dies of memory costs more than a smaller micro-batch. States are exact.
    Whether a deadline is met is judged by `slow_ratio` times the typical time: that at the stated percentile of the speed band.
    """

    workload: Workload
    arch: Architecture
    job: Job
    names: Sequence[str]
    model: TrainedModel
    states: TrainingStates
    layouts: Layouts
    here: Hardware
    flops: FloatArray
    constants: TrainingConstants
    activation: FloatArray
    reserve_ratio: float
    slow_ratio: FloatArray
    usable_share: float
    assumptions: Assumptions
    calibration: Calibration
    machines: Sequence[Machine]
    writing: Writing | None = None


def _generation_s(scene: Scene, instances: FloatArray) -> FloatArray | float:
    """Return the time in which the machines write the answers of one step; 0 where nothing is written."""
    if not scene.job.written_tokens or scene.writing is None:
        return 0.0
    each = np.maximum(scene.job.sequences / instances, 1.0)
    rate = scene.writing.tokens_per_s(scene.layouts.row, each) * np.minimum(scene.job.sequences, instances)
    with np.errstate(divide="ignore"):
        return np.asarray(scene.job.sequences * scene.job.written_tokens / rate, dtype=float)


def outcome_of(scene: Scene, instances: FloatArray) -> Outcome:
    """Return time and memory of every row on its number of machines (infinite time where it does not fit)."""
    lay, here, job = scene.layouts, scene.here, scene.job
    t, p, e, c = (each.astype(float) for each in (lay.tensor, lay.pipeline, lay.expert, lay.context))
    total = instances * here.count
    data = np.minimum(np.floor(total / (t * p * c)), job.sequences)
    reachable = (data >= 1) & ((instances <= 1) | (here.network_bytes_per_s > 0)) & (e <= np.maximum(data * t * c, 1.0))
    data = np.maximum(data, 1.0)
    weights, gradients, optimizer, overhead = fixed_bytes(
        scene.states, tensor=t, pipeline=p, data=data * c, expert=e, stage=lay.stage, offload=lay.offload
    )
    capacity = here.memory_bytes * scene.usable_share
    room = capacity - weights - gradients - optimizer - overhead
    each = scene.activation * job.work.seq_len / c
    most = np.minimum(
        np.minimum(np.floor(room / (each * scene.reserve_ratio)), np.ceil(job.sequences / data)),
        max(1.0, _MOST_MICRO_BATCH_TOKENS // job.work.seq_len),
    )
    streams = lay.offload & (lay.stage >= 3)
    learned = scene.states.weight_bytes + scene.states.gradient_bytes
    host_needed = (scene.states.optimizer_bytes + np.where(streams, learned, 0.0)) / (data * c) * here.count
    reachable &= ~lay.offload | (host_needed <= _HOST_SHARE * here.host_memory_bytes)
    fits = reachable & (most >= 1)
    micro = np.where(lay.small, 1.0, 2.0 ** np.floor(np.log2(np.maximum(most, 1.0))))
    micro_batches = np.ceil(job.sequences / (data * micro))
    machines_used = np.ceil(data * t * p * c / here.count)
    all_links = take(links(scene.calibration, scene.machines), lay.row)
    inside_tensor = np.minimum(t, here.count)
    tensor_bw, tensor_latency = group_bandwidth(here, all_links, t, inside=inside_tensor)
    group = data * c
    data_inside = np.clip(np.floor(here.count / t), 1.0, group)
    data_bw, data_latency = group_bandwidth(
        here, all_links, group, inside=np.where(machines_used > 1, np.minimum(data_inside, group), group)
    )
    expert_bw, expert_latency = tensor_bw, tensor_latency
    if scene.arch.experts:
        inside_expert = np.minimum(e, np.maximum(here.count / t, 1.0))
        expert_bw, expert_latency = exchange_bandwidth(
            here, all_links, e, inside=inside_expert, copies=scene.arch.experts_per_token
        )
    stage_bw, stage_latency = group_bandwidth(
        here, all_links, np.where(p > 1, 2.0, 1.0), inside=np.where((machines_used > 1) & (p > 1), 1.0, 2.0)
    )
    offload_s = np.where(
        job.adapters, 0.0, offloaded_update_s(parameter_count(scene.arch), data, machines_used, pcie_bytes_per_s=here.pcie_bytes_per_s)
    ) + micro_batches * np.where(
        streams, streamed_weights_s(scene.states.weight_bytes, data, pcie_bytes_per_s=here.pcie_bytes_per_s), 0.0
    )  # fmt: skip
    # All accelerators of a node hand over to the next stage at once: each has its part of the network cards already.
    layout = TrainingLayout(
        tensor=t, pipeline=p, data=data, context=c, expert=e, sharded=lay.stage >= 3, recompute=lay.recompute.astype(float),
        micro_batch_tokens=micro * job.work.seq_len, micro_batches=micro_batches, flop_per_s=scene.flops,
        flop16_per_s=here.flop16_per_s(), bandwidth_bytes_per_s=here.bandwidth_bytes_per_s,
        tensor_bytes_per_s=tensor_bw, tensor_latency_s=tensor_latency, data_bytes_per_s=data_bw, data_latency_s=data_latency,
        stage_bytes_per_s=stage_bw, stage_latency_s=stage_latency, expert_bytes_per_s=expert_bw, expert_latency_s=expert_latency,
        machines=machines_used, offload_s=np.where(lay.offload, offload_s, 0.0),
    )  # fmt: skip
    step = training_step(scene.model, layout, scene.constants)
    # Passes that learn nothing (of the reference, of who wrote) are forward passes of the same layout.
    forward_share = scene.model.forward_share
    again_s = (
        job.extra_forward_count * forward_share * (step.compute_s + step.bubble_s) if job.extra_forward_count else 0.0
    )
    generation_s = np.broadcast_to(_generation_s(scene, instances), data.shape)
    step_s = (step.total_s + again_s) * np.where(lay.chunked, _CHUNKED_LOSS_SLOWDOWN, 1.0) + generation_s
    if job.written_tokens:
        step_s = step_s * scene.assumptions["perf.rollout_step_ratio"]
    fits &= np.isfinite(generation_s)
    good = goodput_share(machines_used * here.count, scene.assumptions)
    memory = (weights, gradients, optimizer, micro * each, overhead)
    return Outcome(
        wall_s=np.where(fits, step_s / good, np.inf),
        step=step,
        step_s=step_s,
        micro_batch=micro,
        data=data,
        used=data * t * p * c,
        generation_s=np.asarray(generation_s, dtype=float),
        memory=memory,
        reachable=reachable,
        fits=fits,
    )
