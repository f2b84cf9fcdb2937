"""Images: how long a denoising step and a whole image take on one accelerator, from work, memory traffic and launches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import decoder_image_flop, denoising_attention_flop, denoising_linear_flop, latent_pixels
from planner.supply.calibration import Calibration
from planner.supply.constants import constants_by_tags
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from pricing.facts.accelerator_rows import Accelerator

_OVERLAP_POWER = 4.0
"""How sharply the slower of host and accelerator sets the pace; 1 would add them, infinity take the greater."""
_GEMM_TFLOP_PER_S_PER_W = {
    "Volta": 0.35, "Turing": 0.35, "Ampere": 0.4, "Ampere HBM": 0.68, "Ada": 1.0, "Hopper": 1.13, "Blackwell": 1.75, "CDNA4": 1.12,
}  # fmt: skip
"""Best measured 16-bit matrix product per watt of board power: A40 115e12 at 300 W, A100 271e12 at 400 W, H100 794e12 at 700 W,
B200 1745e12 at 1000 W, MI355X 1565e12 at 1400 W; Volta, Turing and Ada by judgement: 12 nm lies below, Hopper's process above."""
_LEAST_HBM_GB_PER_S = 900.0
"""Ampere in the data centre with this bandwidth is the A100's chip, of a better process than the A10's."""
_SIXTEEN_BIT_BYTES = 2.0
_EIGHT_BIT = frozenset({"fp8", "int8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConstants:
    """What is fitted; arrays, one entry per machine or measured row.

    Attributes
    ----------
    flop_share : FloatArray
        Achieved share of the sustained rate in matrix products.
    traffic_bytes_per_flop : FloatArray
        Bytes of 16-bit activations that go to memory and back for each FLOP.
    block_s, host_block_s : FloatArray
        Start and tail of a block on the accelerator; time of the host to launch it, 0 where a graph is replayed.
    serial_share : FloatArray
        Of the time on one accelerator, what several that share one image or clip do not divide (Amdahl).
    pace_ratio : FloatArray
        Time over predicted time; 1 without measurements of the user's own.
    """

    flop_share: FloatArray
    traffic_bytes_per_flop: FloatArray
    block_s: FloatArray
    host_block_s: FloatArray
    serial_share: FloatArray
    pace_ratio: FloatArray


IMAGE_CONSTANTS = tuple(field.name for field in fields(ImageConstants))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRates:
    """What the hardware gives; arrays, one entry per machine or measured row.

    Attributes
    ----------
    linear_flop_per_s, attention_flop_per_s, single_flop_per_s : FloatArray
        Sustained rates of convolutions and linear layers in the format of the work, of attention, and in single precision.
    bandwidth_bytes_per_s : FloatArray
        Peak of the memory.
    element_bytes : FloatArray
        Bytes of a weight and of an activation.
    """

    linear_flop_per_s: FloatArray
    attention_flop_per_s: FloatArray
    single_flop_per_s: FloatArray
    bandwidth_bytes_per_s: FloatArray
    element_bytes: FloatArray


def sustained_share(chip: Accelerator | None) -> float:
    """Return the share of the dense 16-bit peak that a chip can hold: its measured best, else what its power allows.

    Examples
    --------
    >>> from pricing.facts.accelerators import accelerators
    >>> round(sustained_share(accelerators()["T4"]), 2), round(sustained_share(accelerators()["A100-80GB-SXM"]), 2)
    (0.38, 0.87)
    """
    peak = chip.bf16_dense_tflop_per_s or chip.fp16_dense_tflop_per_s if chip is not None else None
    if chip is None or not peak:
        return 1.0
    if chip.measured_bf16_gemm_tflop_per_s:
        return min(1.0, chip.measured_bf16_gemm_tflop_per_s / peak)
    stacked = chip.market_class == "datacenter" and chip.memory_bandwidth_gb_per_s >= _LEAST_HBM_GB_PER_S
    kind = "Ampere HBM" if chip.architecture == "Ampere" and stacked else chip.architecture
    per_watt = _GEMM_TFLOP_PER_S_PER_W.get(kind)
    if per_watt is None or not chip.tdp_w:
        return 1.0
    return min(1.0, per_watt * chip.tdp_w / peak)


def _has_half_rate(chip: Accelerator | None) -> bool:
    """Return whether a chip's stated 16-bit rate, with sums in single precision, is half of its rate with sums in half."""
    return (
        chip is not None
        and chip.vendor == "NVIDIA"
        and chip.market_class == "consumer"
        and bool(chip.fp16_dense_tflop_per_s)
    )


def image_rates(
    machines: Sequence[Machine],
    hw: Hardware,
    precisions: Sequence[str],
    half_sums: Sequence[bool] | None = None,
) -> ImageRates:
    """Return the rates of machines for work in these formats.

    Parameters
    ----------
    machines, hw : sequence of Machine, Hardware
        The machines, and their columns.
    precisions : sequence of str
        The format of each machine's work; one that the chip lacks counts as 16 bit.
    half_sums : sequence of bool, optional
        Whether products are summed in half precision, which consumer cards do at twice the rate; not by default.
    """
    chips = [machine.accelerator for machine in machines]
    doubled = [
        flag and _has_half_rate(chip) for chip, flag in zip(chips, half_sums or [False] * len(chips), strict=True)
    ]
    held = np.asarray(
        [sustained_share(chip) * (2.0 if twice else 1.0) for chip, twice in zip(chips, doubled, strict=True)]
    )
    sixteen = hw.flop16_per_s()
    eight = np.where(np.isnan(hw.fp8_flop_per_s), sixteen, hw.fp8_flop_per_s)
    single = np.where(np.isnan(hw.fp32_flop_per_s), sixteen / 2.0, hw.fp32_flop_per_s)
    is_eight = np.asarray([name in _EIGHT_BIT for name in precisions], dtype=bool) & ~np.isnan(hw.fp8_flop_per_s)
    is_single = np.asarray([name == "fp32" for name in precisions], dtype=bool)
    attention = np.where(is_single, single, sixteen)
    return ImageRates(
        linear_flop_per_s=np.where(is_eight, eight, attention) * held,
        attention_flop_per_s=attention * held,
        single_flop_per_s=single * np.minimum(held, 1.0),
        bandwidth_bytes_per_s=hw.bandwidth_bytes_per_s,
        element_bytes=np.where(is_eight, 1.0, np.where(is_single, 4.0, _SIXTEEN_BIT_BYTES)),
    )


def image_constants(
    calibration: Calibration,
    machines: Sequence[Machine],
    tags: Sequence[Sequence[str]],
    *,
    eager: bool = False,
    prefix: str = "image",
) -> ImageConstants:
    """Return the calibration's constants of machines, each for work with its tags; a graph is replayed unless `eager`."""
    constants = constants_by_tags(ImageConstants, calibration, prefix, machines, tags)
    return replace(constants, host_block_s=constants.host_block_s * float(eager))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Seconds of a denoising step of a batch: arithmetic, memory traffic, starts of blocks, launching, and all together."""

    arithmetic_s: FloatArray
    memory_s: FloatArray
    blocks_s: FloatArray
    host_s: FloatArray
    total_s: FloatArray


def step_time(
    arch: Architecture,
    pixels: ArrayLike,
    *,
    guided: bool,
    rates: ImageRates,
    constants: ImageConstants,
    batch: ArrayLike = 1.0,
) -> StepTime:
    """Return the seconds of one denoising step of a whole batch, and of its parts.

    A step of a batch launches the denoiser's blocks one after another. The accelerator needs

    ``t_gpu = (C_linear / F + C_attention / F_16) / eta + C v / W + weights / W + n t_b``

    that is arithmetic at the rate that the chip sustains (16-bit products of attention stay 16 bit when weights are fp8), the
    activations that go to memory and back (v bytes a FLOP: unfused norms and activations write each tensor several times,
    which is why a compiler gains more on a chip of little bandwidth), the weights, and the start and tail of n blocks. A host
    that launches kernel by kernel runs ahead of the accelerator, so whichever is slower sets the pace:
    ``t = (t_gpu^4 + (n t_h)^4)^(1/4)``; a captured graph (compiled, TensorRT) has no host time. Decoding the latent follows.
    Sources: Williams et al. 2009 (roofline); eta, v, t_b and t_h from measured rows (`planner.measured.images`).

    Parameters
    ----------
    arch : Architecture
        A model with a denoiser.
    pixels, batch : array_like
        Width times height; images made at once.
    guided : bool
        Classifier-free guidance: the denoiser sees each image as often as the model needs for it.
    rates, constants : ImageRates, ImageConstants
        Of the machines; all shapes broadcast.
    """
    assert arch.diffusion is not None
    seen = np.asarray(batch, dtype=float) * (arch.diffusion.passes_if_guided if guided else 1)
    linear, attention = seen * denoising_linear_flop(arch, pixels), seen * denoising_attention_flop(arch, pixels)
    arithmetic_s = (linear / rates.linear_flop_per_s + attention / rates.attention_flop_per_s) / constants.flop_share
    moved_bytes = _moved_bytes(linear + attention, rates.element_bytes, constants)
    weight_bytes = arch.diffusion.denoiser_parameter_count * rates.element_bytes
    memory_s = (moved_bytes + weight_bytes) / rates.bandwidth_bytes_per_s
    blocks_s = arch.diffusion.block_count * constants.block_s
    host_s = arch.diffusion.block_count * constants.host_block_s
    device_s = arithmetic_s + memory_s + blocks_s
    paced_s = (device_s**_OVERLAP_POWER + host_s**_OVERLAP_POWER) ** (1.0 / _OVERLAP_POWER)
    return StepTime(
        arithmetic_s=arithmetic_s, memory_s=memory_s, blocks_s=blocks_s, host_s=host_s, total_s=paced_s * constants.pace_ratio
    )  # fmt: skip


def decoding_s(arch: Architecture, pixels: ArrayLike, *, rates: ImageRates, constants: ImageConstants) -> FloatArray:
    """Return the seconds of turning one latent into an image; never in fewer than 16 bits."""
    assert arch.diffusion is not None
    single = arch.diffusion.decoder_in_fp32
    flop = decoder_image_flop(pixels)
    rate = rates.single_flop_per_s if single else rates.attention_flop_per_s
    element_bytes = np.asarray(4.0) if single else np.maximum(rates.element_bytes, _SIXTEEN_BIT_BYTES)
    moved_s = _moved_bytes(flop, element_bytes, constants) / rates.bandwidth_bytes_per_s
    return np.asarray((flop / (rate * constants.flop_share) + moved_s) * constants.pace_ratio, dtype=float)


def _moved_bytes(flop: FloatArray, element_bytes: FloatArray, constants: ImageConstants) -> FloatArray:
    return flop * constants.traffic_bytes_per_flop * element_bytes / _SIXTEEN_BIT_BYTES


def image_s(
    arch: Architecture,
    pixels: ArrayLike,
    steps: ArrayLike,
    *,
    guided: bool,
    rates: ImageRates,
    constants: ImageConstants,
    batch: ArrayLike = 1.0,
    frames: ArrayLike = 1.0,
) -> FloatArray:
    """Return the seconds of one image or clip in a batch: its part of every denoising step, and its decoding.

    Parameters
    ----------
    pixels, frames : array_like
        Width times height of a frame; frames of a clip, 1 of an image.
    steps : array_like
        Denoising steps; the other parameters are those of `step_time`.
    """
    worked = latent_pixels(arch, pixels, frames)
    one_step_s = step_time(arch, worked, guided=guided, rates=rates, constants=constants, batch=batch).total_s
    share_s = np.asarray(steps, dtype=float) * one_step_s / np.asarray(batch, dtype=float)
    return np.asarray(
        share_s + decoding_s(arch, np.asarray(pixels) * np.asarray(frames), rates=rates, constants=constants),
        dtype=float,
    )
