"""Serving: time of a prefill and of a decode step, and what continuous batching makes of them.

The step is additive, since kernels of a step run one after another and reading weights does not hide under arithmetic:
``t_step = (weights + cache read) / bandwidth + FLOP / peak + collectives + fixed``. Roofline: Williams et al. 2009; costs per
step: Pope et al. 2022 (arXiv:2211.05102); two all-reduces a layer: Shoeybi et al. 2019 (arXiv:1909.08053).
All functions take scalars and arrays alike, shapes broadcast; times in seconds, sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.demand.architecture import Architecture
from planner.demand.flops import attention_flop_per_token, mean_attended_tokens
from planner.demand.memory import WEIGHT_BYTES_BY_PRECISION, kv_bytes_per_token, weight_bytes
from planner.demand.parameters import expert_parameter_count, matmul_parameter_count, routed_parameter_count
from planner.supply.communication import all_reduce_s, all_to_all_s, point_to_point_s

__all__ = [
    "ServedModel",
    "ServingConstants",
    "ServingLayout",
    "StepTime",
    "decode_step",
    "experts_read_share",
    "prefill_s",
    "served_model",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model in one format, as the steps see it.

    Attributes
    ----------
    shared_bytes, expert_bytes : float
        Weights that every step reads, and all routed experts.
    body_flop_per_token, expert_flop_per_token, head_flop_per_token : float
        FLOP per token of what every token visits, of its routed experts, and of the output head.
    stored_bytes : float
        All weights with the input table: what has to lie in memory.
    precision, kv_precision : str
        Formats of the weights and of the cache.
    """

    architecture: Architecture
    shared_bytes: float
    expert_bytes: float
    stored_bytes: float
    body_flop_per_token: float
    expert_flop_per_token: float
    head_flop_per_token: float
    precision: str
    kv_precision: str


def served_model(arch: Architecture, precision: str, kv_precision: str) -> ServedModel:
    """Return what the steps need of a model whose weights are in `precision` and whose cache is in `kv_precision`."""
    per = WEIGHT_BYTES_BY_PRECISION[precision]
    expert_bytes = routed_parameter_count(arch) * per
    expert_flop = 2.0 * arch.moe_layers * arch.experts_per_token * expert_parameter_count(arch)
    body = 2.0 * matmul_parameter_count(arch, with_head=False)
    head = 2.0 * arch.vocab * arch.hidden if arch.kind == "decoder" else 0.0
    expert_flop = min(expert_flop, body)
    return ServedModel(
        architecture=arch,
        shared_bytes=max(weight_bytes(arch, precision, include_input_table=False) - expert_bytes, 0.0),
        expert_bytes=expert_bytes,
        stored_bytes=weight_bytes(arch, precision),
        body_flop_per_token=body - expert_flop,
        expert_flop_per_token=expert_flop,
        head_flop_per_token=head,
        precision=precision,
        kv_precision=kv_precision,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingConstants:
    """Achieved shares and fixed times, per machine; from the calibration.

    Attributes
    ----------
    bandwidth_share, prefill_share, decode_share : FloatArray
        Achieved over peak memory bandwidth, and over peak FLOP/s in prefill and in decode.
    attention_share : FloatArray
        Achieved over 16-bit peak FLOP/s of attention in prefill.
    step_s, layer_s, request_s : FloatArray
        Fixed time of a step, of a layer in it, and of one request in it (sampling, scheduling).
    expert_imbalance_ratio : FloatArray
        Busiest over mean rank of expert-parallel layers.
    """

    bandwidth_share: FloatArray
    prefill_share: FloatArray
    decode_share: FloatArray
    attention_share: FloatArray
    step_s: FloatArray
    layer_s: FloatArray
    request_s: FloatArray
    expert_imbalance_ratio: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingLayout:
    """How one replica lies over its accelerators; all arrays.

    Attributes
    ----------
    group : array
        Accelerators of one pipeline stage: the tensor-parallel degree, or the expert-parallel one.
    attention_split : array
        Accelerators that share one request's attention: equal to `group`, or 1 with attention data parallelism.
    stages : array
        Pipeline stages.
    flop_per_s, flop16_per_s, bandwidth_bytes_per_s : array
        Peaks of one accelerator for the weights' arithmetic, for 16-bit arithmetic, and of its memory.
    link_bytes_per_s, link_latency_s : array
        Achieved bandwidth each way and start-up time of the group's collectives.
    stage_bytes_per_s, stage_latency_s : array
        The same between stages.
    """

    group: ArrayLike
    attention_split: ArrayLike
    stages: ArrayLike
    flop_per_s: ArrayLike
    flop16_per_s: ArrayLike
    bandwidth_bytes_per_s: ArrayLike
    link_bytes_per_s: ArrayLike
    link_latency_s: ArrayLike
    stage_bytes_per_s: ArrayLike
    stage_latency_s: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """The parts of a step, in seconds."""

    memory_s: FloatArray
    compute_s: FloatArray
    communication_s: FloatArray
    fixed_s: FloatArray

    @property
    def total_s(self) -> FloatArray:
        """All parts, one after another."""
        return np.asarray(self.memory_s + self.compute_s + self.communication_s + self.fixed_s, dtype=float)


def experts_read_share(arch: Architecture, tokens: ArrayLike) -> FloatArray:
    """Return the share of the routed experts that `tokens` tokens visit: ``1 - (1 - k / E)^B``.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> [round(float(experts_read_share(known_model("mixtral-8x7b"), b)), 3) for b in (1, 16)]
    [0.25, 0.99]
    """
    count = np.asarray(tokens, dtype=float)
    idle = 1.0 - arch.experts_per_token / arch.experts if arch.experts else 1.0
    return np.asarray(1.0 - idle**count, dtype=float)


def _kv_split(arch: Architecture, layout: ServingLayout) -> FloatArray:
    """Return over how many accelerators a request's cache is split: no more than there are key-value heads."""
    return np.minimum(np.asarray(layout.attention_split, dtype=float), float(arch.group_count))


def decode_step(
    model: ServedModel,
    layout: ServingLayout,
    constants: ServingConstants,
    requests: ArrayLike,
    context_tokens: ArrayLike,
) -> StepTime:
    """Return the time in which each of `requests` requests of one stage group gets one more token.

    Parameters
    ----------
    model, layout, constants
        What is run, on what, and how well.
    requests : array_like
        Requests of the step (over all accelerators of the group).
    context_tokens : array_like
        Mean tokens in the cache of a request.
    """
    arch = model.architecture
    group = np.asarray(layout.group, dtype=float)
    attention_split = np.asarray(layout.attention_split, dtype=float)
    batch = np.asarray(requests, dtype=float)
    context = np.asarray(context_tokens, dtype=float)
    local_batch = batch * attention_split / group
    kv = kv_bytes_per_token(arch, model.kv_precision, context) * context / _kv_split(arch, layout)
    experts = model.expert_bytes * experts_read_share(arch, batch) / group
    read = model.shared_bytes / attention_split + experts + local_batch * kv
    imbalance = np.where(group > attention_split, constants.expert_imbalance_ratio, 1.0) if arch.experts else 1.0
    memory_s = read / (np.asarray(layout.bandwidth_bytes_per_s) * constants.bandwidth_share)
    linear = batch / group * (model.body_flop_per_token + model.expert_flop_per_token * imbalance)
    head = batch / group * model.head_flop_per_token
    attended = mean_attended_tokens(arch, context, causal=False)
    # Latent attention decodes in the compressed space: every head meets r_kv + d_r numbers, not its own d.
    widen = (
        2.0 * (2 * arch.kv_rank + arch.rope_dim) / (2.0 * (arch.nope_dim + arch.rope_dim + arch.value_dim))
        if arch.kv_rank
        else 1.0
    )
    scores = batch / group * attention_flop_per_token(arch, attended) * widen
    flop_per_s, flop16 = np.asarray(layout.flop_per_s), np.asarray(layout.flop16_per_s)
    compute_s = linear / (flop_per_s * constants.decode_share) + (head + scores) / (flop16 * constants.decode_share)
    communication_s = _collectives_s(arch, layout, batch)
    fixed_s = constants.step_s + arch.layers * constants.layer_s + batch * constants.request_s
    return StepTime(
        memory_s=np.asarray(memory_s, dtype=float),
        compute_s=np.asarray(compute_s, dtype=float),
        communication_s=communication_s,
        fixed_s=np.asarray(fixed_s + np.zeros_like(communication_s), dtype=float),
    )


def _collectives_s(arch: Architecture, layout: ServingLayout, tokens: ArrayLike) -> FloatArray:
    """Return the time of all collectives of one pass over `tokens` tokens of a stage group."""
    group, split = np.asarray(layout.group, dtype=float), np.asarray(layout.attention_split, dtype=float)
    count = np.asarray(tokens, dtype=float)
    width = 2.0 * arch.hidden
    # Tensor parallel: two all-reduces a layer over all tokens of the group.
    reduce_s = (
        2
        * arch.layers
        * all_reduce_s(count * width * split / group, split, layout.link_bytes_per_s, layout.link_latency_s)
    )
    # Attention data parallel: tokens travel to their experts and back, once each way a mixture layer.
    exchange = np.where(
        group > split,
        2
        * arch.moe_layers
        * all_to_all_s(
            count / group * arch.experts_per_token * width, group, layout.link_bytes_per_s, layout.link_latency_s
        ),
        0.0,
    )
    stages = np.asarray(layout.stages, dtype=float)
    hop_s = np.where(
        stages > 1, point_to_point_s(count * width / group, layout.stage_bytes_per_s, layout.stage_latency_s), 0.0
    )
    return np.asarray(reduce_s + exchange + (stages - 1.0) * hop_s, dtype=float)


def prefill_s(
    model: ServedModel,
    layout: ServingLayout,
    constants: ServingConstants,
    prompt_tokens: ArrayLike,
    cached_share: float = 0.0,
) -> StepTime:
    """Return the time that reading one prompt adds to a busy replica: arithmetic and collectives, weights read elsewhere.

    Parameters
    ----------
    prompt_tokens : array_like
        Tokens of the prompt.
    cached_share : float
        Part of it found in the prefix cache, which costs nothing.
    """
    arch = model.architecture
    group = np.asarray(layout.group, dtype=float)
    prompt = np.asarray(prompt_tokens, dtype=float)
    fresh = prompt * (1.0 - cached_share)
    imbalance = (
        np.where(group > np.asarray(layout.attention_split), constants.expert_imbalance_ratio, 1.0)
        if arch.experts
        else 1.0
    )
    linear = fresh / group * (model.body_flop_per_token + model.expert_flop_per_token * imbalance)
    attended = mean_attended_tokens(arch, prompt, causal=True) * (1.0 + cached_share)
    scores = fresh / group * attention_flop_per_token(arch, attended)
    compute_s = linear / (np.asarray(layout.flop_per_s) * constants.prefill_share) + scores / (
        np.asarray(layout.flop16_per_s) * constants.attention_share
    )
    communication_s = _collectives_s(arch, layout, fresh)
    zeros = np.zeros_like(np.asarray(compute_s + communication_s, dtype=float))
    return StepTime(
        memory_s=zeros,
        compute_s=np.asarray(compute_s + zeros, dtype=float),
        communication_s=communication_s + zeros,
        fixed_s=zeros,
    )
