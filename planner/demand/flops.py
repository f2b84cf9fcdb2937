"""FLOP: how much arithmetic a token, a document or an image takes, before any machine is named.

A multiply-add counts as two FLOP. Symbols: L layers, a query heads, d head width, s sequence length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.parameters import matmul_parameter_count

TEXT_TOKENS_PER_S = 3.4
"""Of English speech: 150 words a minute (the usual pace of audio books), 1.35 tokens a word."""
_DECODER_FLOP_PER_PIXEL = 9.5e6
"""The Stable Diffusion decoder: 1.24e12 MACs for 512 x 512 pixels."""


def mean_attended_tokens(arch: Architecture, context_tokens: ArrayLike, *, causal: bool) -> FloatArray:
    """Return how many tokens one token attends to, averaged over the layers that attend and over the sequence.

    Parameters
    ----------
    arch : Architecture
        Sliding-window layers see at most their window.
    context_tokens : array_like
        Length of the sequence (`causal`), or of the context of a token that is being generated.
    causal : bool
        True averages over all positions of the sequence, which see half of it.
    """
    context = np.asarray(context_tokens, dtype=float)
    full = context / 2 if causal else context
    if not arch.windowed_layers:
        return np.asarray(full, dtype=float)
    window = float(arch.window_tokens)
    inside = np.minimum(context, window)
    # Positions before the window is full see half of it on average, those behind see all of it.
    seen = inside * (1 - inside / (2 * np.maximum(context, 1.0))) if causal else inside
    share = arch.windowed_layers / max(arch.attending_layers, 1)
    return np.asarray(share * seen + (1 - share) * full, dtype=float)


def attention_flop_per_token(arch: Architecture, attended_tokens: ArrayLike) -> FloatArray:
    """Return the FLOP of scores and weighted sums for one token: ``2 L x (widths)``, that is ``4 L a d x`` without MLA."""
    # The summed width of query-key and attention-value products over all heads of a layer.
    head = arch.nope_dim + arch.rope_dim + arch.value_dim if arch.kv_rank else arch.head_dim + arch.value_width
    return np.asarray(
        2.0 * arch.attending_layers * (arch.heads * head) * np.asarray(attended_tokens, dtype=float), dtype=float
    )


def forward_flop_per_token(arch: Architecture, context_tokens: ArrayLike) -> FloatArray:
    """Return the FLOP of one token's forward pass, without the output head: ``2 N_mm + 4 L a d x``."""
    attended = mean_attended_tokens(arch, context_tokens, causal=arch.kind == "decoder")
    return 2.0 * matmul_parameter_count(arch, with_head=False) + attention_flop_per_token(arch, attended)


def training_flop_per_token(
    arch: Architecture, seq_len: ArrayLike, *, frozen_share: float = 0.0
) -> tuple[float, FloatArray]:
    """Return the FLOP of forward and backward per token, in matrix products and in attention.

    ``6 N_mm`` and ``12 L a d s / 2`` (causal): backward costs two forward passes. Where weights are frozen (LoRA) their
    gradient is not formed: ``4 N_mm``. Sources: Narayanan et al. 2021 (arXiv:2104.04473), MosaicML llm-foundry,
    Megatron-Bridge for LoRA.

    Parameters
    ----------
    arch : Architecture
        The model.
    seq_len : array_like
        Tokens in a sequence.
    frozen_share : float
        1 where the base model is frozen (LoRA, QLoRA), 0 where all of it learns.

    Returns
    -------
    linear, attention : float, array
        FLOP per token.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> linear, attention = training_flop_per_token(known_model("llama-2-7b"), 4096)
    >>> f"{linear:.3e} {float(attention):.3e}"
    '3.964e+10 3.221e+09'
    """
    linear = (6.0 - 2.0 * frozen_share) * matmul_parameter_count(arch)
    attended = mean_attended_tokens(arch, seq_len, causal=arch.kind != "encoder")
    return linear, 3.0 * attention_flop_per_token(arch, attended)


def denoising_linear_flop(arch: Architecture, pixels: ArrayLike) -> FloatArray:
    """Return the FLOP of one denoising pass in convolutions and linear layers: they grow with the tokens.

    Tokens are of the image, which grow with its pixels, and of the text, which do not.
    """
    assert arch.diffusion is not None
    return np.asarray(
        arch.diffusion.pass_flop * (1.0 - arch.diffusion.attention_share) * _token_ratio(arch, pixels), dtype=float
    )


def denoising_attention_flop(arch: Architecture, pixels: ArrayLike) -> FloatArray:
    """Return the FLOP of one denoising pass in products of attention (``4 L a d s^2``): they grow with the tokens' square."""
    assert arch.diffusion is not None
    return np.asarray(
        arch.diffusion.pass_flop * arch.diffusion.attention_share * _token_ratio(arch, pixels) ** 2, dtype=float
    )


def _token_ratio(arch: Architecture, pixels: ArrayLike) -> FloatArray:
    """Return the tokens of an image and its text over those of an image of the reference size."""
    assert arch.diffusion is not None
    text = arch.diffusion.text_token_share
    return np.asarray(
        text + (1.0 - text) * np.asarray(pixels, dtype=float) / arch.diffusion.reference_pixels, dtype=float
    )


def latent_pixels(arch: Architecture, pixels: ArrayLike, frames: ArrayLike) -> FloatArray:
    """Return the pixels that the denoiser works on: those of an image, or of all latent frames of a clip together.

    Parameters
    ----------
    pixels, frames : array_like
        Width times height of a frame; frames, 1 of an image.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> float(latent_pixels(known_model("wan2.1-t2v-14b"), 832 * 480, 81)) / (832 * 480)
    21.0
    """
    assert arch.diffusion is not None
    more = np.maximum(np.asarray(frames, dtype=float) - 1.0, 0.0)
    per_latent = arch.diffusion.frames_per_latent
    return np.asarray(
        np.asarray(pixels, dtype=float) * (1.0 + (np.ceil(more / per_latent) if per_latent else 0.0 * more)),
        dtype=float,
    )


def denoising_pass_flop(arch: Architecture, pixels: ArrayLike) -> FloatArray:
    """Return the FLOP of one denoising pass over one image.

    Examples
    --------
    >>> from planner.demand.models import known_model
    >>> f"{float(denoising_pass_flop(known_model('sd1.5'), 512 * 512)):.3e}"
    '8.001e+11'
    """
    return denoising_linear_flop(arch, pixels) + denoising_attention_flop(arch, pixels)


def decoder_image_flop(pixels: ArrayLike) -> FloatArray:
    """Return the FLOP of turning one latent into an image."""
    return np.asarray(_DECODER_FLOP_PER_PIXEL * np.asarray(pixels, dtype=float), dtype=float)


def image_flop(arch: Architecture, pixels: ArrayLike, steps: float, *, guided: bool, frames: float = 1.0) -> FloatArray:
    """Return the FLOP of one whole image or clip: all passes and the decoding."""
    assert arch.diffusion is not None
    passes = steps * (arch.diffusion.passes_if_guided if guided else 1)
    worked = latent_pixels(arch, pixels, frames)
    return passes * denoising_pass_flop(arch, worked) + decoder_image_flop(np.asarray(pixels) * frames)
