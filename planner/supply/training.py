"""Training: time of one optimizer step from arithmetic, communication by topology, and the pipeline's bubble.

Sources: Narayanan et al. 2021 (arXiv:2104.04473) for tensor and pipeline parallelism, ZeRO (arXiv:1910.02054) for sharding,
Korthikanti et al. 2022 (arXiv:2205.05198) for recomputation. Scalars and arrays alike; seconds, bytes, FLOP per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.supply.communication import all_gather_s, all_reduce_s, point_to_point_s

__all__ = ["StepParts", "TrainedModel", "TrainingConstants", "TrainingLayout", "matmul_efficiency", "training_step"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A model and a method, as a step sees them.

    Attributes
    ----------
    linear_flop_per_token, attention_flop_per_token : ArrayLike
        Forward and backward, matrix products and attention.
    forward_share : ArrayLike
        Forward's share of them: 1/3, or 1/2 where the weights are frozen.
    layers, hidden : ArrayLike
        Depth and width.
    parameter_count, trained_count : ArrayLike
        All parameters, and those that learn.
    expert_share : ArrayLike
        Share of the parameters that lie in routed experts.
    expert_flop_share : ArrayLike
        Share of the linear FLOP that runs in routed experts.
    experts, experts_per_token, expert_ffn, moe_layers : ArrayLike
        Mixture of experts: experts of a layer, those a token visits, their width, layers; 0 when dense.
    """

    linear_flop_per_token: ArrayLike
    attention_flop_per_token: ArrayLike
    forward_share: ArrayLike
    layers: ArrayLike
    hidden: ArrayLike
    parameter_count: ArrayLike
    trained_count: ArrayLike
    expert_share: ArrayLike = 0.0
    expert_flop_share: ArrayLike = 0.0
    experts: ArrayLike = 0.0
    experts_per_token: ArrayLike = 0.0
    expert_ffn: ArrayLike = 0.0
    moe_layers: ArrayLike = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConstants:
    """Achieved shares and fixed times; from the calibration.

    Attributes
    ----------
    matmul_share : ArrayLike
        Achieved over peak FLOP/s of wide matrix products over many tokens.
    width_knee, token_knee : ArrayLike
        Width per tensor rank, and tokens per micro-batch, at which half of it is reached.
    attention_share : ArrayLike
        Achieved over 16-bit peak of attention.
    overlap_share : ArrayLike
        Share of the backward pass under which gradients can hide.
    layer_s, step_s : ArrayLike
        Fixed host time of a layer's pass in a micro-batch, and of a step.
    scale_loss_share : ArrayLike
        Speed lost with each doubling of the machines.
    tensor_exposed_share : ArrayLike
        Share of tensor-parallel collectives that does not hide under compute.
    context_waste_ratio : ArrayLike
        Attention time over the ideal with many context-parallel ranks: an unbalanced causal ring waits for its last rank.
    pace_ratio : ArrayLike
        Time over the formula's: what a framework adds or saves throughout.
    """

    matmul_share: ArrayLike
    width_knee: ArrayLike
    token_knee: ArrayLike
    attention_share: ArrayLike
    overlap_share: ArrayLike
    layer_s: ArrayLike
    step_s: ArrayLike
    scale_loss_share: ArrayLike
    tensor_exposed_share: ArrayLike
    context_waste_ratio: ArrayLike
    pace_ratio: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLayout:
    """How a step lies over the accelerators; all arrays.

    Attributes
    ----------
    tensor, pipeline, chunks, data, context, expert : ArrayLike
        Degrees; `chunks` interleaved pieces of a stage.
    sharded : ArrayLike
        True where parameters are sharded over the data-parallel ranks (ZeRO-3, FSDP).
    recompute : ArrayLike
        Extra forward passes: 1 for full recomputation, 0 for none.
    micro_batch_tokens : ArrayLike
        Tokens that one pipeline handles in one micro-batch, over its context-parallel ranks.
    micro_batches : ArrayLike
        Micro-batches per pipeline and step.
    flop_per_s, flop16_per_s, bandwidth_bytes_per_s : ArrayLike
        Peaks of one accelerator.
    tensor_bytes_per_s, tensor_latency_s, data_bytes_per_s, data_latency_s, stage_bytes_per_s, stage_latency_s, \
expert_bytes_per_s, expert_latency_s : ArrayLike
        Achieved bandwidth each way and start-up time of the four sorts of groups.
    machines : ArrayLike
        Machines in the job.
    """

    tensor: ArrayLike
    pipeline: ArrayLike
    data: ArrayLike
    sharded: ArrayLike
    recompute: ArrayLike
    micro_batch_tokens: ArrayLike
    micro_batches: ArrayLike
    flop_per_s: ArrayLike
    flop16_per_s: ArrayLike
    bandwidth_bytes_per_s: ArrayLike
    tensor_bytes_per_s: ArrayLike
    tensor_latency_s: ArrayLike
    data_bytes_per_s: ArrayLike
    data_latency_s: ArrayLike
    stage_bytes_per_s: ArrayLike
    stage_latency_s: ArrayLike
    expert_bytes_per_s: ArrayLike
    expert_latency_s: ArrayLike
    machines: ArrayLike
    chunks: ArrayLike = 1
    context: ArrayLike = 1
    expert: ArrayLike = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepParts:
    """Where the time of one optimizer step goes, in seconds."""

    compute_s: FloatArray
    communication_s: FloatArray
    bubble_s: FloatArray
    update_s: FloatArray
    fixed_s: FloatArray

    @property
    def total_s(self) -> FloatArray:
        """The whole step."""
        return np.asarray(
            self.compute_s + self.communication_s + self.bubble_s + self.update_s + self.fixed_s, dtype=float
        )


def matmul_efficiency(constants: TrainingConstants, width: ArrayLike, tokens: ArrayLike) -> FloatArray:
    """Return achieved over peak of matrix products: saturating in the width per rank and in the tokens at once.

    ``share * w / (w + knee_w) * T / (T + knee_T)``; the two factors are the ridge of the GEMM roofline in either dimension.
    """
    w, t = np.asarray(width, dtype=float), np.asarray(tokens, dtype=float)
    knee_w, knee_t = np.asarray(constants.width_knee), np.asarray(constants.token_knee)
    return np.asarray(np.asarray(constants.matmul_share) * w / (w + knee_w) * t / (t + knee_t), dtype=float)


def training_step(model: TrainedModel, layout: TrainingLayout, constants: TrainingConstants) -> StepParts:
    """Return the parts of one optimizer step.

    Compute, tensor-parallel collectives (two all-reduces forward, two backward, two more where all is recomputed) and stage
    hand-overs repeat for every micro-batch; the pipeline idles for ``(p - 1) / (v m)`` of them; gradients are reduced under
    the last backward pass as far as they fit; sharded parameters are gathered twice and scattered once per micro-batch
    (ZeRO-3), hidden under compute as far as it lasts.
    """
    t, p = np.asarray(layout.tensor, dtype=float), np.asarray(layout.pipeline, dtype=float)
    c, e = np.asarray(layout.context, dtype=float), np.asarray(layout.expert, dtype=float)
    d, m = np.asarray(layout.data, dtype=float), np.asarray(layout.micro_batches, dtype=float)
    tokens = np.asarray(layout.micro_batch_tokens, dtype=float)
    hidden, layers = np.asarray(model.hidden, dtype=float), np.asarray(model.layers, dtype=float)
    forward = np.asarray(model.forward_share, dtype=float)
    again = 1.0 + forward * np.asarray(layout.recompute, dtype=float)
    local = tokens / c
    # Experts see fewer tokens each (T k e / E), and are narrow: their products reach less of the peak.
    routed = np.asarray(model.expert_flop_share, dtype=float)
    per_expert = (
        local * np.asarray(model.experts_per_token) * e / np.maximum(np.asarray(model.experts, dtype=float), 1.0)
    )
    share = matmul_efficiency(constants, hidden / t, local)
    expert_share = matmul_efficiency(
        constants, np.maximum(np.asarray(model.expert_ffn, dtype=float), 1.0), np.maximum(per_expert, 1.0)
    )
    linear = again * np.asarray(model.linear_flop_per_token) * local / (t * p)
    linear_s = linear * ((1.0 - routed) / share + routed / expert_share) / np.asarray(layout.flop_per_s)
    waste = 1.0 + (np.asarray(constants.context_waste_ratio, dtype=float) - 1.0) * (1.0 - 1.0 / c)
    attention_s = (
        again * np.asarray(model.attention_flop_per_token) * local / (t * p) * waste
        / (np.asarray(layout.flop16_per_s) * np.asarray(constants.attention_share))
    )  # fmt: skip
    launch_s = np.asarray(constants.layer_s) * layers / p * (2.0 + again)
    micro_compute_s = linear_s + attention_s + launch_s
    reductions = 4.0 + 2.0 * np.asarray(layout.recompute, dtype=float)
    once_s = all_reduce_s(2.0 * local * hidden, t, layout.tensor_bytes_per_s, layout.tensor_latency_s)
    tensor_s = layers / p * reductions * once_s * np.asarray(constants.tensor_exposed_share)
    routed_s = _routing_s(model, layout, local / t) * np.where(e > 1, 1.0, 0.0)
    stage_s = np.where(
        p > 1, 2.0 * point_to_point_s(2.0 * local * hidden / t, layout.stage_bytes_per_s, layout.stage_latency_s), 0.0
    )
    # Sharded parameters: two gathers and one scatter of 16-bit weights, each micro-batch.
    dense_local = (
        2.0 * np.asarray(model.parameter_count) * (1.0 - np.asarray(model.expert_share) * (1.0 - 1.0 / e)) / (t * p)
    )
    gather_s = 3.0 * all_gather_s(dense_local, d * c, layout.data_bytes_per_s, layout.data_latency_s)
    overlap = np.asarray(constants.overlap_share, dtype=float)
    exposed_gather_s = np.where(layout.sharded, np.maximum(0.0, gather_s - overlap * micro_compute_s), 0.0)
    micro_s = micro_compute_s + tensor_s + routed_s + stage_s + exposed_gather_s
    # Without stages nothing waits, also where a micro-batch never ends (a number format that the machine has not).
    waiting = (p - 1.0) / np.asarray(layout.chunks, dtype=float)
    bubble_s = np.where(waiting > 0, waiting * np.where(waiting > 0, micro_s, 0.0), 0.0)
    gradient = (
        2.0 * np.asarray(model.trained_count) * (1.0 - np.asarray(model.expert_share) * (1.0 - 1.0 / e)) / (t * p)
    )
    reduce_s = all_reduce_s(gradient, d * c, layout.data_bytes_per_s, layout.data_latency_s)
    backward_s = micro_compute_s * (1.0 - forward / again)
    exposed_reduce_s = np.where(layout.sharded, 0.0, np.maximum(0.0, reduce_s - overlap * backward_s))
    # The optimizer reads and writes its states once a step; they are sharded over the data-parallel ranks.
    states = 28.0 * np.asarray(model.trained_count) / (t * p * np.maximum(d, 1.0))
    update_s = states / (np.asarray(layout.bandwidth_bytes_per_s) * 0.7)
    scale = (1.0 + np.asarray(constants.scale_loss_share)) ** np.log2(
        np.maximum(np.asarray(layout.machines, dtype=float), 1.0)
    )
    scale = scale * np.asarray(constants.pace_ratio, dtype=float)
    return StepParts(
        compute_s=np.asarray(m * micro_compute_s * scale, dtype=float),
        communication_s=np.asarray(
            m * (tensor_s + routed_s + stage_s + exposed_gather_s) * scale + exposed_reduce_s, dtype=float
        ),
        bubble_s=np.asarray(bubble_s * scale, dtype=float),
        update_s=np.asarray(update_s, dtype=float),
        fixed_s=np.asarray(np.broadcast_to(constants.step_s, bubble_s.shape), dtype=float),
    )


def _routing_s(model: TrainedModel, layout: TrainingLayout, tokens: ArrayLike) -> FloatArray:
    """Return the time in which `tokens` tokens travel to their experts and back, forward and backward, in 16 bit."""
    volume = (
        2.0
        * np.asarray(tokens, dtype=float)
        * np.asarray(model.experts_per_token)
        * np.asarray(model.hidden, dtype=float)
    )
    e = np.asarray(layout.expert, dtype=float)
    one = all_gather_s(volume, e, layout.expert_bytes_per_s, layout.expert_latency_s)
    return np.asarray(4.0 * np.asarray(model.moe_layers) / np.asarray(layout.pipeline, dtype=float) * one, dtype=float)
