"""Training memory: what fills the fullest accelerator, and the largest micro-batch that fits beside it.

Sources: ZeRO (arXiv:1910.02054) for the split of states, Korthikanti et al. 2022 (arXiv:2205.05198) for activations and for
the first pipeline stage, which holds p micro-batches; QLoRA (arXiv:2305.14314) for 4-bit bases. Bytes; arrays broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.memory import (
    activation_bytes_per_token_and_layer,
    gathered_bytes_per_token,
    logits_bytes_per_token,
    model_state_bytes_per_parameter,
    score_bytes_per_token_and_layer,
    weight_bytes,
)
from planner.demand.parameters import (
    embedding_parameter_count,
    lora_parameter_count,
    parameter_count,
    routed_parameter_count,
)
from planner.demand.workload import Finetune, Pretrain

_CONTEXT_BYTES = 1.6e9
"""CUDA context and communication buffers: 1 to 2 GiB on published runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStates:
    """Bytes of the model's states before any split.

    Attributes
    ----------
    weight_bytes, gradient_bytes, optimizer_bytes : float
        Of everything that learns; `weight_bytes` holds frozen weights too, those of a reference model among them.
    adapter_bytes : float
        Weights, gradients and moments of adapters, which are never split over data-parallel ranks.
    expert_share : float
        Share of the weights in routed experts, split over expert-parallel ranks.
    largest_unit_bytes : float
        The largest piece that sharded training gathers at once: a layer or the table.
    """

    weight_bytes: float
    gradient_bytes: float
    optimizer_bytes: float
    adapter_bytes: float
    expert_share: float
    largest_unit_bytes: float


def training_states(arch: Architecture, work: Pretrain | Finetune) -> TrainingStates:
    """Return the states of a model under a method and an optimizer.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> states = training_states(known_model("llama-3.1-8b"), Finetune(method="full", tokens_m=1))
    >>> round((states.weight_bytes + states.gradient_bytes + states.optimizer_bytes) / 8.03e9)
    16
    """
    count = parameter_count(arch)
    weight, gradient, optimizer = model_state_bytes_per_parameter(work.optimizer)
    unit = 2.0 * max(
        (count - embedding_parameter_count(arch)) / max(arch.layers, 1), float(embedding_parameter_count(arch))
    )
    experts = routed_parameter_count(arch) / count
    if isinstance(work, Finetune) and work.trains != "full":
        adapters = (4.0 + sum(model_state_bytes_per_parameter(work.optimizer)) - 4.0) * lora_parameter_count(
            arch, work.rank
        )
        base = weight_bytes(arch, "nf4" if work.trains == "qlora" else "bf16")
        return TrainingStates(
            weight_bytes=base,
            gradient_bytes=0.0,
            optimizer_bytes=0.0,
            adapter_bytes=adapters,
            expert_share=experts,
            largest_unit_bytes=unit,
        )
    reference = 2.0 if isinstance(work, Finetune) and work.has_reference else 0.0
    return TrainingStates(
        weight_bytes=(weight + reference) * count,
        gradient_bytes=gradient * count,
        optimizer_bytes=optimizer * count,
        adapter_bytes=0.0,
        expert_share=experts,
        largest_unit_bytes=unit,
    )


def fixed_bytes(
    states: TrainingStates,
    *,
    tensor: ArrayLike,
    pipeline: ArrayLike,
    data: ArrayLike,
    expert: ArrayLike,
    stage: ArrayLike,
    offload: ArrayLike,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return weights, gradients, optimizer states and overhead of one accelerator, whatever the micro-batch.

    Parameters
    ----------
    tensor, pipeline, data, expert : array_like
        Degrees of parallelism.
    stage : array_like
        ZeRO stage: 0 nothing, 1 optimizer states, 2 gradients too, 3 weights too are split over the data-parallel ranks.
    offload : array_like
        True where the optimizer states lie in host memory; in stage 3 the weights and gradients too, but for what is at work.

    Returns
    -------
    weights, gradients, optimizer, overhead : FloatArray
        Bytes; they never grow with the ZeRO stage.
    """
    t, p = np.asarray(tensor, dtype=float), np.asarray(pipeline, dtype=float)
    d, e = np.maximum(np.asarray(data, dtype=float), 1.0), np.asarray(expert, dtype=float)
    zero = np.asarray(stage)
    local = (1.0 - states.expert_share + states.expert_share / e) / (t * p)
    weights = states.weight_bytes * local / np.where(zero >= 3, d, 1.0)
    streams = np.asarray(offload) & (zero >= 3)
    resident = np.where(streams, 0.0, 1.0)
    weights = weights * resident
    gathered = np.where(
        (zero >= 3) & ((d > 1) | streams),
        np.minimum(2.0 * states.largest_unit_bytes / t, states.weight_bytes * local),
        0.0,
    )
    unit = np.minimum(states.largest_unit_bytes, states.gradient_bytes * local)
    gradients = np.where(streams, unit, states.gradient_bytes * local / np.where(zero >= 2, d, 1.0))
    optimizer = np.where(offload, 0.0, states.optimizer_bytes * local / np.where(zero >= 1, d, 1.0))
    weights = (
        weights
        + np.minimum(gathered, np.maximum(states.weight_bytes * local - weights, 0.0))
        + states.adapter_bytes / (t * p)
    )
    shape = np.zeros(np.broadcast_shapes(weights.shape, gradients.shape, optimizer.shape))
    return weights + shape, gradients + shape, optimizer + shape, _CONTEXT_BYTES + shape


def activation_bytes_per_token(
    arch: Architecture,
    *,
    tensor: ArrayLike,
    pipeline: ArrayLike,
    recompute: ArrayLike,
    chunked_loss: ArrayLike,
    seq_len: float = 0.0,
    activation_ratio: ArrayLike = 1.0,
    logits_ratio: ArrayLike = 1.0,
) -> FloatArray:
    """Return activations and logits that one token of a micro-batch costs on the first stage.

    The first of p stages holds p micro-batches of ``L / p`` layers each, hence L layers' worth whatever p is; with one
    stage the logits stand beside them. Sequence parallelism splits all of it over the tensor-parallel ranks, but for the
    whole inputs of the layer at work.

    Parameters
    ----------
    seq_len : float
        Tokens of a sequence: models whose capped attention scores no fused kernel forms keep so many of them per head.
    activation_ratio, logits_ratio : array_like
        What frameworks really leave behind over the formulas (``memory.*`` in the calibration).
    """
    t, p = np.asarray(tensor, dtype=float), np.asarray(pipeline, dtype=float)
    again, ratio = np.asarray(recompute, dtype=bool), np.asarray(activation_ratio)
    layer = activation_bytes_per_token_and_layer(arch) + score_bytes_per_token_and_layer(arch, seq_len)
    kept = np.where(again, activation_bytes_per_token_and_layer(arch, recompute=True), layer) * arch.layers
    once = np.where(again, layer, 0.0)
    logits = np.where(
        chunked_loss, logits_bytes_per_token(arch, chunked=True), logits_bytes_per_token(arch)
    ) * np.asarray(logits_ratio)
    # With stages, the last one holds the logits but a single micro-batch of activations.
    first = (kept + once) * ratio
    last = (kept / p + once) * ratio + logits
    split = np.maximum(first + np.where(p > 1, 0.0, logits), last) / t
    return np.asarray(split + gathered_bytes_per_token(arch, t) * ratio, dtype=float)
