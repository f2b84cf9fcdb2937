"""Training: time of one optimizer step from arithmetic, communication by topology, and the pipeline's bubble.

Sources: Narayanan et al. 2021 (arXiv:2104.04473) for tensor and pipeline parallelism, ZeRO (arXiv:1910.02054) for sharding,
Korthikanti et al. 2022 (arXiv:2205.05198) for recomputation, QLoRA (arXiv:2305.14314) for 4-bit bases. Scalars and arrays alike;
seconds, bytes, FLOP per second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import Figures, FloatArray
from planner.supply.calibration import Calibration
from planner.supply.communication import all_gather_s, all_reduce_s, all_to_all_s, point_to_point_s
from planner.supply.constants import columns_of
from planner.supply.machines import Machine
from planner.supply.training.efficiency import matmul_ceiling_share

_USUAL_FLOP_PER_BYTE = 300.0
"""Ridge at which the knees are stated."""
_MEMORY_SHARE = 0.7
"""Achieved over nominal memory bandwidth of long streams."""


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
    head_flop_share : ArrayLike
        Share of the linear FLOP in the output head, which stays 16 bit where the rest is narrower.
    experts, experts_per_token, expert_ffn, moe_layers : ArrayLike
        Mixture of experts: experts of a layer, those a token visits, their width, layers; 0 when dense.
    weight_bytes_per_parameter : ArrayLike
        2, or what a frozen base in fewer bits takes.
    is_widened : ArrayLike
        Whether every pass turns the base back into 16 bit, as with 4 bits; a base in the format of the products is not.
    score_bytes_per_token : ArrayLike
        What attention writes and reads of its scores, forward and backward; 0 where one kernel keeps them on the chip.
    """

    linear_flop_per_token: Figures
    attention_flop_per_token: Figures
    forward_share: Figures
    layers: Figures
    hidden: Figures
    parameter_count: Figures
    trained_count: Figures
    expert_share: Figures = 0.0
    expert_flop_share: Figures = 0.0
    head_flop_share: Figures = 0.0
    experts: Figures = 0.0
    experts_per_token: Figures = 0.0
    expert_ffn: Figures = 0.0
    moe_layers: Figures = 0.0
    weight_bytes_per_parameter: Figures = 2.0
    is_widened: ArrayLike = False
    score_bytes_per_token: Figures = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConstants:
    """Achieved shares and fixed times; from the calibration.

    Attributes
    ----------
    matmul_share : ArrayLike
        Achieved over peak FLOP/s of wide matrix products over many tokens.
    width_knee, token_knee : ArrayLike
        Width per tensor rank, and tokens per micro-batch, at which the bytes beside a product take as long as the product
        where every weight learns, on a chip of 300 FLOP per byte of memory bandwidth (an H100 or B200 in 16 bit; 8 bit has twice as many).
    attention_share : ArrayLike
        Achieved over 16-bit peak of attention.
    overlap_share : ArrayLike
        Share of the backward pass under which gradients can hide.
    layer_s, step_s : ArrayLike
        Fixed host time of a layer's pass in a micro-batch, and of a step.
    scale_loss_share : ArrayLike
        Speed lost with each doubling of the machines.
    tensor_exposed_share : ArrayLike
        Share of tensor-parallel collectives, and of tokens' way to their experts, that does not hide under compute.
    context_waste_ratio : ArrayLike
        Attention time over the ideal with many context-parallel ranks: an unbalanced causal ring waits for its last rank.
    pace_ratio : ArrayLike
        Time over the formula's: what a framework adds or saves throughout.
    """

    matmul_share: Figures
    width_knee: Figures
    token_knee: Figures
    attention_share: Figures
    overlap_share: Figures
    layer_s: Figures
    step_s: Figures
    scale_loss_share: Figures
    tensor_exposed_share: Figures
    context_waste_ratio: Figures
    pace_ratio: Figures


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
    gradient_bytes_per_parameter : ArrayLike
        In which gradients are sent: 2, or 4 where they are reduced in 32 bit.
    update_bytes_per_parameter : ArrayLike
        What the optimizer reads and writes once a step: 28 with 32-bit masters and moments, 14 with all of it in 16 bit.
    offload_s : ArrayLike
        What a step takes longer where states lie in host memory.
    """

    tensor: Figures
    pipeline: Figures
    data: Figures
    sharded: ArrayLike
    recompute: Figures
    micro_batch_tokens: Figures
    micro_batches: Figures
    flop_per_s: Figures
    flop16_per_s: Figures
    bandwidth_bytes_per_s: Figures
    tensor_bytes_per_s: Figures
    tensor_latency_s: Figures
    data_bytes_per_s: Figures
    data_latency_s: Figures
    stage_bytes_per_s: Figures
    stage_latency_s: Figures
    expert_bytes_per_s: Figures
    expert_latency_s: Figures
    machines: Figures
    chunks: Figures = 1
    context: Figures = 1
    expert: Figures = 1
    gradient_bytes_per_parameter: Figures = 2.0
    update_bytes_per_parameter: Figures = 28.0
    offload_s: Figures = 0.0


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


def matmul_efficiency(
    constants: TrainingConstants, width: ArrayLike, tokens: ArrayLike, flop_per_byte: ArrayLike
) -> FloatArray:
    """Return achieved over peak of matrix products with the reading and writing around them.

    A product of width `w` over `T` tokens takes ``w^2 T / F``; activations that are normed, gated, cast and moved around it
    take time in proportion to ``w T / W``, weights to ``w^2 / W``. Hence ``share / (1 + R / 300 (knee_w / w + knee_T / T))``
    with the chip's ridge ``R = F / W``: narrow formats compute faster and move no faster, so that they gain less than their
    peaks say, and never lose.

    Parameters
    ----------
    width, tokens : array_like
        Of the product on one accelerator.
    flop_per_byte : array_like
        Peak in the format over memory bandwidth.

    References
    ----------
    Williams et al. 2009, Roofline (doi:10.1145/1498765.1498785), in its additive form.
    """
    ridge = np.asarray(flop_per_byte, dtype=float) / _USUAL_FLOP_PER_BYTE
    beside = constants.width_knee / np.asarray(width, dtype=float)
    weights = constants.token_knee / np.asarray(tokens, dtype=float)
    return np.asarray(constants.matmul_share / (1.0 + ridge * (beside + weights)), dtype=float)


def _moved_ratio(held: Figures, learning: Figures) -> FloatArray:
    """Return the bytes of weights that move for each FLOP of a token, over those where every 16-bit weight learns.

    Forward and backward each read a weight; one that learns has its gradient added up in 32 bit, and a third product.
    """
    return np.asarray((2.0 * held + 8.0 * learning) / (4.0 + 2.0 * learning) / 2.0, dtype=float)


def exposed_s(transfer_s: ArrayLike, cover_s: ArrayLike) -> FloatArray:
    """Return what of a transfer shows although it runs under compute: ``sqrt(transfer^2 + cover^2) - cover``.

    A transfer much shorter than its cover hides, a much longer one shows whole; in between they take from each other, since
    collectives occupy multiprocessors and memory too. Our reading of published FSDP ladders; it never falls with the transfer.

    Examples
    --------
    >>> [round(float(exposed_s(each, 4.0)), 2) for each in (0.0, 1.0, 3.0, 40.0)]
    [0.0, 0.12, 1.0, 36.2]
    """
    cover = np.asarray(cover_s, dtype=float)
    return np.asarray(np.hypot(np.asarray(transfer_s, dtype=float), cover) - cover, dtype=float)


def training_step(model: TrainedModel, layout: TrainingLayout, constants: TrainingConstants) -> StepParts:
    """Return the parts of one optimizer step.

    Compute, tensor-parallel collectives (two all-reduces forward, two backward, two more where all is recomputed) and stage
    hand-overs repeat for every micro-batch; the pipeline idles for ``(p - 1) / (v m)`` of them; gradients are reduced under
    the last backward pass as far as they fit; sharded parameters are gathered twice per micro-batch (ZeRO-3), and the
    gradients of those that learn are scattered once, hidden under compute as far as it lasts. Attention, the output head, the
    optimizer and all that is sent stay 16 bit.
    """
    t, p = layout.tensor, layout.pipeline
    c, e = layout.context, layout.expert
    d, m = layout.data, layout.micro_batches
    tokens = layout.micro_batch_tokens
    hidden, layers = model.hidden, model.layers
    forward = model.forward_share
    again = 1.0 + forward * layout.recompute
    local = tokens / c
    # Experts see fewer tokens each (T k e / E), and are narrow: their products reach less of the peak.
    routed = model.expert_flop_share
    per_expert = local * model.experts_per_token * e / np.maximum(model.experts, 1.0)
    held = model.weight_bytes_per_parameter
    learning = np.minimum(model.trained_count / model.parameter_count, 1.0)
    constants = replace(constants, token_knee=constants.token_knee * _moved_ratio(held, learning))
    flop, flop16 = layout.flop_per_s, layout.flop16_per_s
    memory = layout.bandwidth_bytes_per_s
    share = matmul_efficiency(constants, hidden / t, local, flop / memory)
    head_share = matmul_efficiency(constants, hidden / t, local, flop16 / memory)
    expert_share = matmul_efficiency(
        constants,
        np.maximum(model.expert_ffn, 1.0),
        np.maximum(per_expert, 1.0),
        flop / memory,
    )
    head = model.head_flop_share
    linear = again * model.linear_flop_per_token * local / (t * p)
    linear_s = linear * (
        (1.0 - routed - head) / share / flop + routed / expert_share / flop + head / head_share / flop16
    )
    waste = 1.0 + (constants.context_waste_ratio - 1.0) * (1.0 - 1.0 / c)
    attention_s = (
        again * model.attention_flop_per_token * local / (t * p) * waste
        / (flop16 * constants.attention_share)
    )  # fmt: skip
    launch_s = constants.layer_s * layers / p * (2.0 + again)
    # A frozen base in few bits is written out in 16 bit, and read again, in every pass.
    passes = 2.0 + layout.recompute
    unpacked = np.where(model.is_widened, (held + 4.0) * passes * model.parameter_count / (t * p), 0.0)
    scores = again * model.score_bytes_per_token * local / (t * p)
    micro_compute_s = linear_s + attention_s + launch_s + (unpacked + scores) / (memory * _MEMORY_SHARE)
    reductions = 4.0 + 2.0 * layout.recompute
    once_s = all_reduce_s(2.0 * local * hidden, t, layout.tensor_bytes_per_s, layout.tensor_latency_s)
    tensor_s = layers / p * reductions * once_s * constants.tensor_exposed_share
    routed_s = np.where(e > 1, _routing_s(model, layout, local / t), 0.0) * constants.tensor_exposed_share
    stage_s = np.where(
        p > 1, 2.0 * point_to_point_s(2.0 * local * hidden / t, layout.stage_bytes_per_s, layout.stage_latency_s), 0.0
    )
    # Sharded parameters: two gathers of the weights and one scatter of the gradients, each micro-batch.
    kept_share = 1.0 - model.expert_share * (1.0 - 1.0 / e)
    dense_local = held * model.parameter_count * kept_share / (t * p)
    sent = layout.gradient_bytes_per_parameter
    gather_s = (2.0 + learning * sent / held) * all_gather_s(
        dense_local, d * c, layout.data_bytes_per_s, layout.data_latency_s
    )
    overlap = constants.overlap_share
    exposed_gather_s = np.where(layout.sharded, exposed_s(gather_s, overlap * micro_compute_s), 0.0)
    micro_s = micro_compute_s + tensor_s + routed_s + stage_s + exposed_gather_s
    # Without stages nothing waits, also where a micro-batch never ends (a number format that the machine has not).
    waiting = (p - 1.0) / layout.chunks
    bubble_s = np.where(waiting > 0, waiting * np.where(waiting > 0, micro_s, 0.0), 0.0)
    gradient = sent * model.trained_count * kept_share / (t * p)
    reduce_s = all_reduce_s(gradient, d * c, layout.data_bytes_per_s, layout.data_latency_s)
    backward_s = micro_compute_s * (1.0 - forward / again)
    exposed_reduce_s = np.where(layout.sharded, 0.0, exposed_s(reduce_s, overlap * backward_s))
    # The optimizer reads and writes its states once a step; they are sharded over the data-parallel ranks.
    states = layout.update_bytes_per_parameter * model.trained_count / (t * p * np.maximum(d, 1.0))
    update_s = states / (memory * _MEMORY_SHARE) + layout.offload_s
    scale = (1.0 + constants.scale_loss_share) ** np.log2(np.maximum(layout.machines, 1.0))
    scale = scale * constants.pace_ratio
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
    volume = 2.0 * np.asarray(tokens, dtype=float) * model.experts_per_token * model.hidden
    e = layout.expert
    exchange_s = all_to_all_s(volume, e, layout.expert_bytes_per_s, layout.expert_latency_s)
    return np.asarray(4.0 * model.moe_layers / layout.pipeline * exchange_s, dtype=float)


def training_constants(
    calibration: Calibration, machines: Sequence[Machine], tags: Sequence[str] = ()
) -> TrainingConstants:
    """Return the training constants of the machines for work with these tags; `matmul_share` is of the data sheet's peak."""
    columns = columns_of(calibration, "train", tuple(TrainingConstants.__dataclass_fields__), machines, tags)
    ceilings = np.asarray([matmul_ceiling_share(machine) for machine in machines], dtype=float)
    return TrainingConstants(**{**columns, "matmul_share": columns["matmul_share"] * ceilings})
