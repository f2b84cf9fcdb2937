"""Memory that follows from the model alone: weights, KV cache, training states, activations, logits, adapters.

All results are bytes of the whole model (or of one sequence); how they are split over accelerators is supply's matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.formats import FORMATS, GGUF_HEAD_BYTES
from planner.demand.parameters import (
    embedding_parameter_count,
    head_parameter_count,
    lora_parameter_count,
    parameter_count,
)

Optimizer = Literal["adamw", "adamw_8bit", "adafactor", "sgd"]

WEIGHT_BYTES_BY_PRECISION = {name: form.weight_bytes for name, form in FORMATS.items()}
"""Bytes per weight that is quantized, scales included; a number of the cache takes as many."""

_CAPPED_SCORES = ("gemma-2-", "gemma2-")
_QWEN_AND_GLM = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "qwen3.5", "qwen3.6", "qwen2.5-omni", "glm-4.5v", "glm-4.6v", "glm-4.1v")  # fmt: skip
_MOST_PATCHES = {
    # Patches of the largest image that a model's own preprocessor lets in (its pixels over those of a patch).
    _QWEN_AND_GLM: 65_536,
    ("pixtral", "mistral-small-3", "ministral-3", "mistral-large-3", "kimi-"): 12_100,
    ("internvl", "ernie-4.5-vl"): 13_312,
}
_WRITTEN_FROM_SEVERAL_LAYERS = ("qwen3-vl",)
"""Their towers hand on four outputs a token (the last layer's and three deeper ones, `deepstack_visual_indexes`), others one."""
_FIXED_PATCHES = 4_096
"""Of a tower whose images are brought to one size: 896 x 896 pixels in patches of 14 (Gemma 3)."""
_PATCHES_PER_TOKEN = 4.0
_PIXEL_BYTES_PER_PATCH = 6.0 * 2 * 3 * 14 * 14
"""Two frames of 14 x 14 pixels in three colors, in 32 bit as they come and in 16 bit."""
_TOWER_LAYERS = 28
"""Towers are 24 to 32 layers deep (ViT-L, SigLIP SO400M, the towers of Qwen-VL), which tells their width from their size."""
_FEWEST_NORMS = 2
"""Layers whose attention and MLP share one norm (phi) keep as much as others: measured rows show no less."""

_STATES = {
    # optimizer: (weight, gradient, optimizer state and master copy) bytes per learning parameter, 16-bit mixed precision
    "adamw": (2.0, 2.0, 12.0),
    "adamw_8bit": (2.0, 2.0, 6.0),
    "adafactor": (2.0, 2.0, 4.1),
    "sgd": (2.0, 2.0, 8.0),
}


ADAPTER_BYTES = 8.0
"""Of an adapter's parameter: weight, gradient and two moments in 16 bit; adapters four times as wide took 7 (CogVideoX-5B, finetrainers)."""
_BLOCK_PARAMETERS_PER_SQUARE = 12.0
"""Four square matrices of attention and a feed-forward layer four times as wide."""
_BLOCK_ENDS_PER_WIDTH = 8.0
"""Widths of both ends of the attention's four matrices, which trainers adapt by default: each end has a row of the adapter's rank."""


def weight_bytes(arch: Architecture, precision: str, *, include_input_table: bool = True) -> float:
    """Return the bytes of the weights in that format; quantised formats leave embedding, head and norms at 16 bit, but for llama.cpp's.

    Parameters
    ----------
    arch : Architecture
        The model.
    precision : str
        One of `planner.demand.formats.FORMATS`.
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
        # The denoiser alone is narrowed: text encoder and decoder are read once an image.
        denoiser = arch.diffusion.denoiser_parameter_count
        return denoiser * per + (total - denoiser) * max(per, 2.0)
    towers = arch.tower_parameter_count * max(per, 2.0)
    total -= arch.tower_parameter_count
    table = float(embedding_parameter_count(arch))
    head = float(head_parameter_count(arch))
    is_gguf = FORMATS[precision].quantizes_tables
    wide = max(per, GGUF_HEAD_BYTES) if is_gguf else max(2.0, per)
    body = max(total - table - (0.0 if arch.tied_embeddings else head), 0.0)
    read_head = head * wide
    stored_table = table * (per if is_gguf and not arch.tied_embeddings else wide)
    if include_input_table:
        return body * per + stored_table + (0.0 if arch.tied_embeddings else read_head) + towers
    return body * per + read_head


def seen_image_bytes(arch: Architecture) -> float:
    """Return what one image of the largest size takes while a model looks at it: pixels, a layer of the tower, and its tokens.

    An engine keeps so much free, whether or not images come: it tries the largest one when it starts (vLLM's profiling run).
    A patch has ``2 w`` numbers of residual and norm and ``8 w`` of the MLP's wide middle, before and after its activation; a token of
    the text model's width is written twice, by the tower and into the engine's cache of what was seen.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> [round(seen_image_bytes(known_model(name)) / 1e9, 1) for name in ("qwen2.5-vl-7b", "gemma-3-27b", "llama-3.1-8b")]
    [2.6, 0.1, 0.0]
    """
    if not arch.tower_parameter_count:
        return 0.0
    patches = next((most for names, most in _MOST_PATCHES.items() if arch.name.startswith(names)), _FIXED_PATCHES)
    width = (arch.tower_parameter_count / (12.0 * _TOWER_LAYERS)) ** 0.5
    outputs = 4.0 if arch.name.startswith(_WRITTEN_FROM_SEVERAL_LAYERS) else 1.0
    patch_bytes = _PIXEL_BYTES_PER_PATCH + 2.0 * 10.0 * width + 4.0 * outputs * arch.hidden / _PATCHES_PER_TOKEN
    return float(patches * patch_bytes)


def kv_elements_per_token(arch: Architecture) -> tuple[float, float]:
    """Return the cached numbers per token of the layers that see the whole context, and of those that see a window.

    ``2 g d`` a layer, or ``r_kv + d_r`` with latent attention, where the architecture does not state them.
    """
    if arch.cache_elements_per_token or arch.window_elements_per_token:
        return arch.cache_elements_per_token, arch.window_elements_per_token
    return float((arch.attending_layers - arch.windowed_layers) * arch.cache_width), float(
        arch.windowed_layers * arch.cache_width
    )


def kv_bytes_per_token(arch: Architecture, precision: str, context_tokens: ArrayLike | None = None) -> FloatArray:
    """Return the cache's bytes per token of context, sliding windows counted where the context is given.

    States that do not grow (`Architecture.state_bytes_per_sequence`) are not among them.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> float(kv_bytes_per_token(known_model("llama-3.1-8b"), "bf16"))
    131072.0
    """
    full, windowed = (elements * WEIGHT_BYTES_BY_PRECISION[precision] for elements in kv_elements_per_token(arch))
    if context_tokens is None:
        return np.asarray(full + windowed, dtype=float)
    context = np.maximum(np.asarray(context_tokens, dtype=float), 1.0)
    return np.asarray(full + windowed * np.minimum(1.0, arch.window_tokens / context), dtype=float)


def model_state_bytes_per_parameter(optimizer: Optimizer) -> tuple[float, float, float]:
    """Return bytes per learning parameter of weight, gradient, and optimizer state with its 32-bit master copy.

    AdamW in mixed precision: ``2 + 2 + 12`` (ZeRO, arXiv:1910.02054); 8-bit AdamW: two one-byte moments and the master copy.
    """
    return _STATES[optimizer]


def activation_bytes_per_token_and_layer(arch: Architecture, *, recompute: ArrayLike = False) -> FloatArray:
    """Return the activations that one token leaves in one layer for the backward pass, in 16 bit with flash attention.

    A norm keeps its input and its output, the input in 32 bit where an RMS norm is computed eagerly (``6 h``, else ``4 h``);
    attention keeps query and output (``4 a d``), key and value (``4 g d``); a gated MLP keeps both branches, the activated
    one and their product (``8 f``), a plain one ``4 f``; two more ``2 h`` are dropout's and the residual's. For a GPT layer
    that is ``30 h`` of the ``34 h`` of Korthikanti et al. 2022 (arXiv:2205.05198), whose dropout masks today's models lack. With full
    recomputation the layer's input alone is kept: ``2 h``.
    """
    h = arch.hidden
    width = arch.ffn if not arch.experts else arch.experts_per_token * arch.expert_ffn + arch.shared_ffn
    norm = (6.0 if arch.norm == "rms" else 4.0) * max(arch.norms_per_layer, _FEWEST_NORMS)
    mlp = (8.0 if arch.gated_mlp else 4.0) * width
    dispatch = 4.0 * arch.experts_per_token * h if arch.experts else 0.0
    kept = norm * h + 4.0 * _query_width(arch) + 2.0 * _cache_width(arch) + 2.0 * h + mlp + dispatch
    return np.where(np.asarray(recompute, dtype=bool), 2.0 * h, kept)


def selective_activation_bytes_per_token_and_layer(arch: Architecture) -> float:
    """Return what one token leaves in one layer where operators are recomputed selectively, every second product kept.

    Kept are the layer's input (``2 h``), attention's output (``2 a d``) and half of the outputs of the layer's matrices
    (query ``2 a d``, key and value ``4 g d``, projection ``2 h``, MLP ``4 f`` gated or ``2 f``, and ``2 h`` back): torchtitan's
    policy (arXiv:2410.06511, section on activation checkpointing).
    """
    h = arch.hidden
    width = arch.ffn if not arch.experts else arch.experts_per_token * arch.expert_ffn + arch.shared_ffn
    products = 2.0 * _query_width(arch) + 2.0 * _cache_width(arch) + 4.0 * h + (4.0 if arch.gated_mlp else 2.0) * width
    return 2.0 * h + 2.0 * _query_width(arch) + 0.5 * products


def score_bytes_per_token_and_layer(arch: Architecture, seq_len: ArrayLike) -> FloatArray:
    """Return the attention scores that one token keeps in one layer where no fused kernel can be used: ``8 a s``, else 0.

    Scores that are capped by a tanh (Gemma 2) are formed whole: the capped ones in 16 bit, their softmax in 32 and in 16 bit
    (Korthikanti et al. 2022 count ``5 a s``: softmax in 16 bit with dropout and its mask).
    """
    scores = 8.0 * arch.heads if arch.name.startswith(_CAPPED_SCORES) else 0.0
    return np.asarray(scores * np.asarray(seq_len, dtype=float), dtype=float)


def gathered_bytes_per_token(arch: Architecture, tensor: ArrayLike) -> FloatArray:
    """Return the whole tensors that tensor parallelism holds beside its shard in the layer at work: ``12 h (1 - 1/t)``.

    Sequence parallelism keeps a t-th of what lies between the matrices, but attention and MLP each take a whole input and
    give a whole sum before it is scattered (Korthikanti et al. 2022, arXiv:2205.05198, section 4.2.2): four tensors of
    ``2 h``, and two more for the gradients of the one at work.
    """
    return np.asarray(12.0 * arch.hidden * (1.0 - 1.0 / np.asarray(tensor, dtype=float)), dtype=float)


def unsplit_layer_bytes_per_token(arch: Architecture, tensor: ArrayLike, seq_len: ArrayLike) -> FloatArray:
    """Return one layer's activations under tensor parallelism alone: ``h (10 + 24 / t) + 5 a s / t``.

    Without sequence parallelism (before 2022) norms, dropout and the inputs of the matrices are whole on every rank, and
    without fused attention so are the scores of a rank's heads (Korthikanti et al. 2022, arXiv:2205.05198, equation 2).
    """
    t = np.asarray(tensor, dtype=float)
    return np.asarray(
        arch.hidden * (10.0 + 24.0 / t) + 5.0 * arch.heads * np.asarray(seq_len, dtype=float) / t, dtype=float
    )


def logits_bytes_per_token(arch: Architecture, *, chunked: bool = False) -> float:
    """Return the bytes of one token's logits in training: ``14 V``, or ``4 V`` where the loss is formed piece by piece.

    Eager cross-entropy holds the 16-bit logits, their 32-bit copy, its log-softmax and its gradient (``2 + 4 + 4 + 4``);
    in pieces only the 16-bit logits and their 16-bit gradient are whole.
    """
    return (4.0 if chunked else 14.0) * arch.vocab


def peak_bytes(lasting: ArrayLike, gradients: ArrayLike, kept: ArrayLike, *, overlap: ArrayLike = True) -> FloatArray:
    """Return the peak of a step: what lasts, and the larger of gradients and activations, or both.

    Activations are let go layer by layer while gradients appear: a single backward pass has all of the ones or all of the
    others, never both. Where gradients outlast the pass (they accumulate over micro-batches), both add up.

    Parameters
    ----------
    lasting, gradients, kept : array_like
        Bytes of weights and optimizer states, of gradients, of activations and logits.
    overlap : array_like
        True where gradients live from one backward pass to its update alone.

    Examples
    --------
    >>> float(peak_bytes(12.0, 4.0, 3.0)), float(peak_bytes(12.0, 4.0, 3.0, overlap=False))
    (16.0, 19.0)
    """
    grads, acts = np.asarray(gradients, dtype=float), np.asarray(kept, dtype=float)
    both = np.where(np.asarray(overlap, dtype=bool), np.maximum(grads, acts), grads + acts)
    return np.asarray(np.asarray(lasting, dtype=float) + both, dtype=float)


def _query_width(arch: Architecture) -> int:
    return arch.heads * (arch.head_dim if not arch.kv_rank else arch.nope_dim + arch.rope_dim)


def _cache_width(arch: Architecture) -> int:
    return 2 * (arch.kv_heads * arch.head_dim if not arch.kv_rank else arch.kv_rank + arch.rope_dim)


def adapter_state_bytes(arch: Architecture, rank: int) -> float:
    """Return weights, gradients and AdamW states of low-rank adapters: 16 bytes per parameter."""
    return 16.0 * lora_parameter_count(arch, rank)


def denoiser_width(arch: Architecture) -> float:
    """Return the width of a transformer of this denoiser's size and depth.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> round(denoiser_width(known_model("wan2.1-t2v-1.3b")))  # published: 1536
    1985
    """
    assert arch.diffusion is not None
    return math.sqrt(
        arch.diffusion.denoiser_parameter_count / (_BLOCK_PARAMETERS_PER_SQUARE * arch.diffusion.block_count)
    )


def denoiser_adapter_count(arch: Architecture, rank: int) -> float:
    """Return the parameters of adapters on the attention of the denoiser."""
    assert arch.diffusion is not None
    return rank * _BLOCK_ENDS_PER_WIDTH * denoiser_width(arch) * arch.diffusion.block_count


def denoiser_bytes(arch: Architecture, precision: str) -> float:
    """Return the bytes of the denoiser's own weights in a format."""
    assert arch.diffusion is not None
    return arch.diffusion.denoiser_parameter_count * WEIGHT_BYTES_BY_PRECISION[precision]


def base_format(precisions: Sequence[object], method: str) -> str:
    """Return the format of the frozen weights: the one stated first, else 4 bit for ``qlora`` and 16 bit."""
    return str(precisions[0]) if precisions else "nf4" if method == "qlora" else "bf16"
