"""A model as serving sees it: bytes that a step reads, FLOP and memory that a token takes, requests that a replica holds.

All functions take scalars and arrays alike, shapes broadcast; sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import Figures, FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import attention_flop_per_token
from planner.demand.memory import (
    WEIGHT_BYTES_BY_PRECISION,
    kv_bytes_per_token,
    kv_elements_per_token,
    seen_image_bytes,
    weight_bytes,
)
from planner.demand.parameters import expert_parameter_count, matmul_parameter_count, routed_parameter_count

_PATCHES_PER_TOKEN = 4.0
_PREPARE_S_PER_IMAGE_TOKEN = 75e-6
"""Closed loops of 100 and 128 users take 58 ms (vLLM, Qwen2.5-VL-7B), 78 and 148 ms (SGLang, two 720p images of 1,200 and 880 tokens) an image longer."""


_CONTEXT_BYTES = 1.5e9
"""CUDA context, graphs and the engine's own buffers: 1.5 to 3.5 GB on published runs with the group's buffers."""
_GROUP_BYTES = 0.6e9
BATCHED_TOKENS = 8192.0
"""Tokens that an engine prefills at once (vLLM and TensorRT-LLM default to 2048 to 8192)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model in one format, as the steps see it; every number may be an array (one entry per row of a table).

    Attributes
    ----------
    shared_bytes, expert_bytes, stored_bytes : ArrayLike
        Weights that every step reads, all routed experts, and all weights with the input table.
    body_flop_per_token, expert_flop_per_token, head_flop_per_token : ArrayLike
        FLOP per token of what every token visits, of its routed experts, and of the output head.
    score_flop_per_token : ArrayLike
        FLOP of attention per token and token attended to, all layers.
    decode_score_ratio : ArrayLike
        How much wider attention is in decode: latent attention works in the compressed space there.
    cache_bytes_per_token : ArrayLike
        Cache per token of context, without windows.
    window_share, window_cache_share, window_tokens : ArrayLike
        Share of the layers that attend, and of their cache, that have a sliding window, and its length.
    state_bytes_per_request : ArrayLike
        What a request keeps whatever its length: recurrent states.
    tower_flop_per_request : ArrayLike
        FLOP that a request's images take in the tower, before its prompt is read.
    prepare_s_per_request : ArrayLike
        Seconds that its host takes to decode, resize and cut a request's images.
    seen_image_bytes : ArrayLike
        Memory that the engine keeps free for looking at one image of the largest size.
    layers, moe_layers, hidden, experts_per_token, idle_expert_share, group_count : ArrayLike
        Depth, mixture layers, width, experts a token visits, ``1 - k / E`` (1 when dense), ranks that can split the cache.
    """

    shared_bytes: Figures
    expert_bytes: Figures
    stored_bytes: Figures
    body_flop_per_token: Figures
    expert_flop_per_token: Figures
    head_flop_per_token: Figures
    score_flop_per_token: Figures
    decode_score_ratio: Figures
    cache_bytes_per_token: Figures
    window_share: Figures
    window_cache_share: Figures
    state_bytes_per_request: Figures
    window_tokens: Figures
    tower_flop_per_request: Figures
    prepare_s_per_request: Figures
    seen_image_bytes: Figures
    layers: Figures
    moe_layers: Figures
    hidden: Figures
    ffn: Figures
    experts_per_token: Figures
    idle_expert_share: Figures
    group_count: Figures


def served_model(arch: Architecture, precision: str, kv_precision: str, *, image_tokens: float = 0.0) -> ServedModel:
    """Return what the steps need of a model whose weights are in `precision` and whose cache is in `kv_precision`.

    `image_tokens` are those that a request's images become: the tower merges two by two patches into one.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> model = served_model(known_model("llama-3.1-8b"), "bf16", "bf16")
    >>> float(model.cache_bytes_per_token), round(float(model.shared_bytes) / 1e9, 2)
    (131072.0, 15.01)
    """
    per = WEIGHT_BYTES_BY_PRECISION[precision]
    expert_bytes = routed_parameter_count(arch) * per
    body = 2.0 * matmul_parameter_count(arch, with_head=False)
    expert_flop = min(2.0 * arch.moe_layers * arch.experts_per_token * expert_parameter_count(arch), body)
    widen = (
        (2 * arch.kv_rank + arch.rope_dim) / (arch.nope_dim + arch.rope_dim + arch.value_dim) if arch.kv_rank else 1.0
    )
    full, windowed = kv_elements_per_token(arch)
    return ServedModel(
        shared_bytes=max(weight_bytes(arch, precision, include_input_table=False) - expert_bytes, 0.0),
        expert_bytes=expert_bytes,
        stored_bytes=weight_bytes(arch, precision),
        body_flop_per_token=body - expert_flop,
        expert_flop_per_token=expert_flop,
        head_flop_per_token=2.0 * arch.vocab * arch.hidden if arch.kind == "decoder" else 0.0,
        score_flop_per_token=float(attention_flop_per_token(arch, 1.0)),
        decode_score_ratio=widen,
        cache_bytes_per_token=float(kv_bytes_per_token(arch, kv_precision)),
        window_share=arch.windowed_layers / max(arch.attending_layers, 1),
        window_cache_share=windowed / max(full + windowed, 1.0),
        state_bytes_per_request=arch.state_bytes_per_sequence,
        window_tokens=float(arch.window_tokens),
        prepare_s_per_request=_PREPARE_S_PER_IMAGE_TOKEN * image_tokens,
        tower_flop_per_request=2.0 * arch.tower_parameter_count * _PATCHES_PER_TOKEN * image_tokens,
        seen_image_bytes=seen_image_bytes(arch),
        layers=arch.layers,
        moe_layers=arch.moe_layers,
        hidden=arch.hidden,
        ffn=arch.ffn if not arch.experts else arch.experts_per_token * arch.expert_ffn + arch.shared_ffn,
        experts_per_token=arch.experts_per_token,
        idle_expert_share=1.0 - arch.experts_per_token / arch.experts if arch.experts else 1.0,
        group_count=arch.group_count,
    )


def experts_read_share(model: ServedModel, tokens: ArrayLike) -> FloatArray:
    """Return the share of the routed experts that `tokens` tokens visit: ``1 - (1 - k / E)^B``.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> mixtral = served_model(known_model("mixtral-8x7b"), "fp8", "fp8")
    >>> [round(float(experts_read_share(mixtral, b)), 3) for b in (1, 16)]
    [0.25, 0.99]
    """
    idle = model.idle_expert_share
    return np.asarray(1.0 - np.power(idle, np.asarray(tokens, dtype=float)), dtype=float)


def seen_tokens(model: ServedModel, context_tokens: ArrayLike) -> FloatArray:
    """Return how many tokens of the context are cached, averaged over what layers with and without a window keep of one."""
    context = np.asarray(context_tokens, dtype=float)
    share = model.window_cache_share
    return np.asarray(context * (1.0 - share) + share * np.minimum(context, model.window_tokens), dtype=float)


def causal_tokens(model: ServedModel, prompt_tokens: FloatArray) -> FloatArray:
    """Return how many tokens a token of a prompt attends to, averaged over its positions and the layers."""
    share, window = model.window_share, model.window_tokens
    inside = np.minimum(prompt_tokens, window)
    windowed = inside * (1.0 - inside / (2.0 * np.maximum(prompt_tokens, 1.0)))
    return np.asarray((1.0 - share) * prompt_tokens / 2.0 + share * windowed, dtype=float)


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
