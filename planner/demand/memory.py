"""Memory that follows from the model alone: weights, key-value cache, training states, activations, logits.

All results are bytes of the whole model (or of one sequence); how they are split over accelerators is supply's matter.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.demand.architecture import Architecture
from planner.demand.parameters import (
    embedding_parameter_count,
    head_parameter_count,
    lora_parameter_count,
    parameter_count,
)

__all__ = [
    "WEIGHT_BYTES_BY_PRECISION",
    "activation_bytes_per_token_and_layer",
    "adapter_state_bytes",
    "kv_bytes_per_token",
    "kv_elements_per_token",
    "logits_bytes_per_token",
    "model_state_bytes_per_parameter",
    "weight_bytes",
]

FloatArray = NDArray[np.float64]
Optimizer = Literal["adamw", "adamw_8bit", "adafactor", "sgd"]

WEIGHT_BYTES_BY_PRECISION = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.53,
    "nf4": 0.5625,
    "fp4": 0.5625,
}
"""Bytes per quantised weight, scales included: int4 in groups of 128 with a 16-bit scale and zero point, nf4 and nvfp4 with
one byte per 16 weights (QLoRA arXiv:2305.14314: 0.5 + 4/64; NVFP4: 0.5 + 1/16)."""

_KV_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.53, "nf4": 0.5625, "fp4": 0.5625}

_STATES = {
    # optimizer: (weight, gradient, optimizer state and master copy) bytes per learning parameter, 16-bit mixed precision
    "adamw": (2.0, 2.0, 12.0),
    "adamw_8bit": (2.0, 2.0, 6.0),
    "adafactor": (2.0, 2.0, 4.1),
    "sgd": (2.0, 2.0, 8.0),
}


def weight_bytes(arch: Architecture, precision: str, *, include_input_table: bool = True) -> float:
    """Return the bytes of the weights in that format; quantised formats leave embedding, head and norms at 16 bit.

    Parameters
    ----------
    arch : Architecture
        The model.
    precision : str
        ``fp32``, ``bf16``, ``fp16``, ``fp8``, ``int8``, ``int4``, ``nf4`` or ``fp4``.
    include_input_table : bool
        False leaves out the embedding table: what a pass over the model reads.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> round(weight_bytes(known_model("llama-3.1-8b"), "bf16") / 1e9, 2)
    16.06
    """
    total = parameter_count(arch)
    per = WEIGHT_BYTES_BY_PRECISION[precision]
    if arch.diffusion is not None:
        return total * max(per, 2.0) if precision != "fp32" else total * per
    table = float(embedding_parameter_count(arch))
    head = float(head_parameter_count(arch))
    wide = max(2.0, per) if per < 2.0 else per
    body = max(total - table - (0.0 if arch.tied_embeddings else head), 0.0)
    read_head = head * wide
    stored_table = table * wide
    if include_input_table:
        return body * per + stored_table + (0.0 if arch.tied_embeddings else read_head)
    return body * per + read_head


def kv_elements_per_token(arch: Architecture) -> float:
    """Return the cached numbers per token over all layers: ``2 L g d``, or ``L (r_kv + d_r)`` with latent attention."""
    if arch.kv_rank:
        return float(arch.layers * (arch.kv_rank + arch.rope_dim))
    return float(2 * arch.layers * arch.kv_heads * arch.head_dim)


def kv_bytes_per_token(arch: Architecture, precision: str, context_tokens: ArrayLike | None = None) -> FloatArray:
    """Return the cache's bytes per token of context, sliding windows counted where the context is given.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> float(kv_bytes_per_token(known_model("llama-3.1-8b"), "bf16"))
    131072.0
    """
    full = kv_elements_per_token(arch) * _KV_BYTES[precision]
    if context_tokens is None or not arch.windowed_layers:
        return np.asarray(full, dtype=float)
    context = np.maximum(np.asarray(context_tokens, dtype=float), 1.0)
    share = arch.windowed_layers / arch.layers
    return np.asarray(full * (1 - share + share * np.minimum(1.0, arch.window_tokens / context)), dtype=float)


def model_state_bytes_per_parameter(optimizer: Optimizer) -> tuple[float, float, float]:
    """Return bytes per learning parameter of weight, gradient, and optimizer state with its 32-bit master copy.

    AdamW in mixed precision: ``2 + 2 + 12`` (ZeRO, arXiv:1910.02054); 8-bit AdamW: two one-byte moments and the master copy.
    """
    return _STATES[optimizer]


def activation_bytes_per_token_and_layer(arch: Architecture, *, recompute: ArrayLike = False) -> FloatArray:
    """Return the activations that one token leaves in one layer for the backward pass, in 16 bit with flash attention.

    ``16 h + 4 h (1 + 2 g / a) + 8 f`` for gated MLPs, ``34 h`` for the GPT layer with dropout replaced by its equal without
    (Korthikanti et al. 2022, arXiv:2205.05198, less the ``5 a s / h`` term that flash attention does not keep). With full
    recomputation the layer's input alone is kept: ``2 h``.
    """
    h = arch.hidden
    width = arch.ffn if not arch.experts else arch.experts_per_token * arch.expert_ffn + arch.shared_ffn
    mlp = (8.0 if arch.gated_mlp else 4.5) * width
    heads = arch.heads * (arch.head_dim if not arch.kv_rank else arch.nope_dim + arch.rope_dim)
    kv = 2 * (arch.kv_heads * arch.head_dim if not arch.kv_rank else arch.kv_rank + arch.rope_dim)
    dispatch = 4.0 * arch.experts_per_token * h if arch.experts else 0.0
    kept = 12.0 * h + 4.0 * heads + 2.0 * kv + 2.0 * h + mlp + dispatch
    return np.where(np.asarray(recompute, dtype=bool), 2.0 * h, kept)


def logits_bytes_per_token(arch: Architecture, *, chunked: bool = False) -> float:
    """Return the bytes of one token's logits in training: 16-bit logits, their 32-bit copy and its gradient, ``10 V``.

    Chunked or fused cross-entropy forms them piece by piece: an eighth is counted.
    """
    full = 10.0 * arch.vocab
    return full / 8.0 if chunked else full


def adapter_state_bytes(arch: Architecture, rank: int) -> float:
    """Return weights, gradients and AdamW states of low-rank adapters: 16 bytes per parameter."""
    return 16.0 * lora_parameter_count(arch, rank)
