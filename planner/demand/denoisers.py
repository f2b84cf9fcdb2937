"""Denoisers that learn: the width that follows from their size, their adapters, their frozen weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

from planner.demand.architecture import Architecture
from planner.demand.memory import WEIGHT_BYTES_BY_PRECISION

ADAPTER_BYTES = 8.0
"""Of an adapter's parameter: weight, gradient and two moments in 16 bit; adapters four times as wide took 7 (CogVideoX-5B, finetrainers)."""
_BLOCK_PARAMETERS_PER_SQUARE = 12.0
"""Four square matrices of attention and a feed-forward layer four times as wide."""
_BLOCK_ENDS_PER_WIDTH = 8.0
"""Widths of both ends of the attention's four matrices, which trainers adapt by default: each end has a row of the adapter's rank."""


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
