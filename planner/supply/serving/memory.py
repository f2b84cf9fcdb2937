"""Serving memory: what fills an accelerator of a replica, and how many requests its cache holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.supply.serving.model import ServedModel, seen_tokens

_CONTEXT_BYTES = 1.5e9
"""CUDA context, graphs and the engine's own buffers: 1.5 to 3.5 GB on published runs with the group's buffers."""
_GROUP_BYTES = 0.6e9
BATCHED_TOKENS = 8192.0
"""Tokens that an engine prefills at once (vLLM and TensorRT-LLM default to 2048 to 8192)."""


def resident_weight_bytes(
    model: ServedModel, group: ArrayLike, attention_split: ArrayLike, stages: ArrayLike
) -> FloatArray:
    """Return the weights that lie in one accelerator: shared ones over the attention split, experts over the group."""
    shared = (model.stored_bytes - model.expert_bytes) / np.asarray(attention_split, dtype=float)
    experts = model.expert_bytes / np.asarray(group, dtype=float)
    return np.asarray((shared + experts) / np.asarray(stages, dtype=float), dtype=float)


def overhead_bytes(model: ServedModel, group: ArrayLike) -> FloatArray:
    """Return context, communication buffers and the activations of the largest prefill chunk and of the largest image, per accelerator."""
    q = np.asarray(group, dtype=float)
    activations = BATCHED_TOKENS * 2.0 * (4.0 * model.hidden + 2.0 * model.ffn / q)
    seen = model.seen_image_bytes
    return np.asarray(_CONTEXT_BYTES + np.where(q > 1, _GROUP_BYTES, 0.0) + activations + seen, dtype=float)


def cached_bytes_per_request(
    model: ServedModel, attention_split: ArrayLike, stages: ArrayLike, context_tokens: ArrayLike
) -> FloatArray:
    """Return the cache and the states that one request of `context_tokens` takes in each accelerator that holds part of it."""
    split = np.minimum(np.asarray(attention_split, dtype=float), model.group_count)
    cached = model.cache_bytes_per_token * seen_tokens(model, context_tokens)
    state = model.state_bytes_per_request / np.asarray(attention_split, dtype=float)
    return np.asarray((cached / split + state) / np.asarray(stages, dtype=float), dtype=float)


def cache_budget_bytes(
    model: ServedModel,
    memory_bytes: ArrayLike,
    group: ArrayLike,
    attention_split: ArrayLike,
    stages: ArrayLike,
    *,
    usable_share: float,
) -> FloatArray:
    """Return what is left for the cache in one accelerator; negative where the weights do not fit.

    Engines take `usable_share` (0.9) of the memory, so that the rest of the machine's software has some.
    """
    usable = np.asarray(memory_bytes, dtype=float) * usable_share
    taken = resident_weight_bytes(model, group, attention_split, stages) + overhead_bytes(model, group)
    return np.asarray(usable - taken, dtype=float)
