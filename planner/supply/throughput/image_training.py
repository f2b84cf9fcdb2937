"""Adapters of image and video models: the time of a training step and the memory it takes.

The constants are fitted on the 86 rows of SimpleTuner's table (`planner.measured.training.steps`), without two models that differ: PixArt
(attention without a fused kernel) and SANA (linear attention). Left out by model the step is missed by 23 % (median), all models by 41 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import denoising_linear_flop, denoising_pass_flop, latent_pixels
from planner.demand.memory import (
    ADAPTER_BYTES,
    WEIGHT_BYTES_BY_PRECISION,
    base_format,
    denoiser_adapter_count,
    denoiser_bytes,
    denoiser_width,
)
from planner.demand.workload import FinetuneImages
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from planner.supply.throughput.images import decoding_s, image_constants, image_rates, step_time
from planner.supply.throughput.items import CONTEXT_BYTES, Items, Scene, peak_flop_per_s

TUNED_SORT = "image.trained"
"""Name under ``band.`` of the spread around a step."""
_DEVICE_RATIO = 0.85
_HOST_RATIO = 5.0
_EIGHT_BIT_HOST_RATIO = 2.4
"""Launches over those of 16-bit weights, where each matrix is widened first: int8 and 4-bit weights."""
_FP8_HOST_RATIO = 3.2
_CHECKPOINTED_STATES = 2.5
"""Hidden states kept for each block with gradient checkpointing, the recomputed block among them."""
_KEPT_STATES = 22.0
_LEAST_BYTES = 0.8 * 2**30
_WIDENED_BYTES = 0.7 * 2**30
"""What a trainer keeps beside all that, and for matrices that are widened before their product."""


def _prefix(arch: Architecture) -> str:
    """Return the name of the model's constants in the calibration."""
    assert arch.diffusion is not None
    return "video" if arch.diffusion.frames_per_latent else "image"


def tuning_step_s(
    arch: Architecture, work: FinetuneImages, base: str, machines: Sequence[Machine], hw: Hardware, calibration: Calibration
) -> FloatArray:  # fmt: skip
    """Return the seconds of a step of each machine's accelerator, over frozen weights of a format.

    A step over frozen weights is a forward pass and a backward pass to the activations, which costs as much; with gradient checkpointing one
    forward pass more. Trainers launch kernel by kernel, and autograd, the adapters and the optimizer launch several kernels where inference
    launches one, so that small models are paced by the host:

    ``t = p (0.85 t_gpu + 5 t_host l)``, p = 2 or 3 passes, l = 1 for 16-bit weights and more where each matrix is widened before its product.
    """
    assert arch.diffusion is not None
    pixels = float(work.width * work.height)
    worked = latent_pixels(arch, pixels, float(work.frames))
    rates = image_rates(machines, hw, ["bf16"] * len(machines))
    constants = image_constants(calibration, machines, [("@eager",)] * len(machines), eager=True, prefix=_prefix(arch))
    step = step_time(arch, worked, guided=False, rates=rates, constants=constants, batch=work.batch)
    widened = WEIGHT_BYTES_BY_PRECISION[base] < WEIGHT_BYTES_BY_PRECISION["bf16"]
    launches = (_FP8_HOST_RATIO if base == "fp8" else _EIGHT_BIT_HOST_RATIO) if widened else 1.0
    passes = 3.0 if work.checkpointing else 2.0
    device_s = step.arithmetic_s + step.memory_s + step.blocks_s
    step_s = passes * (_DEVICE_RATIO * device_s + _HOST_RATIO * launches * step.host_s) * constants.pace_ratio
    # Where nothing is cached, each image is encoded first, which takes about as long as decoding one.
    encode_s = (
        0.0 if work.cached else work.batch * decoding_s(arch, pixels * work.frames, rates=rates, constants=constants)
    )
    return np.asarray(step_s + encode_s, dtype=float)


def tuning_bytes(arch: Architecture, work: FinetuneImages, base: str) -> tuple[float, float]:
    """Return the bytes of frozen weights, and of everything else that a step keeps.

    Between blocks a checkpoint keeps the hidden state; without checkpointing all inputs of all products stay.
    """
    assert arch.diffusion is not None
    worked = latent_pixels(arch, float(work.width * work.height), float(work.frames))
    weights = denoiser_bytes(arch, base)
    if not work.cached:
        beside = arch.diffusion.text_encoder_parameter_count + arch.diffusion.decoder_parameter_count
        weights += beside * WEIGHT_BYTES_BY_PRECISION["bf16"]
    tokens = work.batch * float(denoising_linear_flop(arch, worked)) / (2.0 * arch.diffusion.denoiser_parameter_count)
    state = tokens * denoiser_width(arch) * arch.diffusion.block_count * WEIGHT_BYTES_BY_PRECISION["bf16"]
    kept = state * (_CHECKPOINTED_STATES if work.checkpointing else _KEPT_STATES)
    kept += _WIDENED_BYTES * (WEIGHT_BYTES_BY_PRECISION[base] < WEIGHT_BYTES_BY_PRECISION["bf16"])
    return weights, kept + ADAPTER_BYTES * denoiser_adapter_count(arch, work.rank) + _LEAST_BYTES


def tuned_images(scene: Scene, work: FinetuneImages) -> Items:
    """Return images as a trainer of adapters learns from them, each accelerator from its own."""
    arch, count = scene.arch, len(scene.machines)
    assert arch.diffusion is not None
    base = base_format(scene.workload.precision, work.method)
    step_s = tuning_step_s(arch, work, base, scene.machines, scene.hw, scene.calibration)
    weights, kept = tuning_bytes(arch, work, base)
    worked = latent_pixels(arch, float(work.width * work.height), float(work.frames))
    passes = 3.0 if work.checkpointing else 2.0
    note = Note(NoteCode.TUNED_IMAGES, (base, work.checkpointing, work.cached, arch.diffusion.attention_share > 0.0))
    return Items(
        unit="trained_images",
        per_s=work.batch / step_s,
        alone_s=step_s,
        batch=np.full(count, work.batch),
        weights=np.full(count, weights),
        activations=np.full(count, max(kept - CONTEXT_BYTES, 0.0)),
        constant=f"{_prefix(arch)}.flop_share",
        sort=TUNED_SORT,
        # Processors have the rates for it and no trainer.
        precisions=["" if is_cpu else base for is_cpu in scene.hw.is_cpu],
        mfu=passes
        * work.batch
        * float(denoising_pass_flop(arch, worked))
        / step_s
        / peak_flop_per_s(scene.hw, ["bf16"] * count),
        notes=[note] * count,
    )
