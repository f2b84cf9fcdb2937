"""Requirements: what the work takes, whatever machine does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from planner.demand.architecture import Architecture
from planner.demand.flops import (
    TEXT_TOKENS_PER_S,
    attention_flop_per_token,
    denoising_pass_flop,
    forward_flop_per_token,
    image_flop,
    latent_pixels,
    mean_attended_tokens,
    training_flop_per_token,
)
from planner.demand.memory import (
    ADAPTER_BYTES,
    WEIGHT_BYTES_BY_PRECISION,
    adapter_state_bytes,
    base_format,
    denoiser_adapter_count,
    denoiser_bytes,
    kv_bytes_per_token,
    model_state_bytes_per_parameter,
    weight_bytes,
)
from planner.demand.models import resolve_model
from planner.demand.parameters import (
    active_parameter_count,
    lora_parameter_count,
    matmul_parameter_count,
    parameter_count,
)
from planner.demand.profiles import peak_over_mean_ratio
from planner.demand.sections import mean_tokens
from planner.demand.workload import (
    Batch,
    Diffusion,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    GpuHours,
    Pretrain,
    Profile,
    Serve,
    Transcribe,
    Video,
    Workload,
)
from planner.notes import Note, NoteCode
from pricing.clock import SECONDS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What the work takes, independent of hardware.

    Attributes
    ----------
    kind, model : str
        Kind of work, and the model's name (empty for `gpu_hours`).
    parameters, active_parameters, trained_parameters : float
        All, those that one token passes through, and those that learn.
    weight_bytes : mapping of str to float
        Bytes of the weights by format.
    kv_cache_bytes_per_token : mapping of str to float
        Bytes of cache per token of context by format; empty where there is none.
    kv_cache_bytes_per_request : float
        16-bit cache of one request at its full length.
    flop_per_token : float
        FLOP per token: generated (serve, batch), trained, or embedded.
    flop_per_unit, unit : float, str
        FLOP of one request, document, image or token, and which of them it is.
    total_flop : float or None
        Of the whole job, for work that ends.
    tokens_total : float or None
        Tokens of the whole job, for work that ends.
    units_per_s, peak_units_per_s : float or None
        Demanded rates: mean over the week and at the busiest time (or what the deadline asks).
    input_tokens_per_s, output_tokens_per_s, peak_input_tokens_per_s, peak_output_tokens_per_s : float or None
        The same in tokens.
    peak_flop_per_s : float or None
        Ideal FLOP per second at the peak.
    dimension_count : int
        Numbers in the vector of a document; 0 for other work.
    deadline_s : float or None
        Seconds in which the job has to be done.
    least_memory_bytes : float
        Below this no layout works: weights (the smallest allowed format), states and one sequence.
    notes : tuple of Note
        What was assumed.
    """

    kind: str
    model: str = ""
    parameters: float = 0.0
    active_parameters: float = 0.0
    trained_parameters: float = 0.0
    weight_bytes: Mapping[str, float] = field(default_factory=dict)
    kv_cache_bytes_per_token: Mapping[str, float] = field(default_factory=dict)
    kv_cache_bytes_per_request: float = 0.0
    flop_per_token: float = 0.0
    flop_per_unit: float = 0.0
    unit: str = ""
    total_flop: float | None = None
    tokens_total: float | None = None
    units_per_s: float | None = None
    peak_units_per_s: float | None = None
    input_tokens_per_s: float | None = None
    output_tokens_per_s: float | None = None
    peak_input_tokens_per_s: float | None = None
    peak_output_tokens_per_s: float | None = None
    peak_flop_per_s: float | None = None
    deadline_s: float | None = None
    dimension_count: int = 0
    least_memory_bytes: float = 0.0
    notes: tuple[Note, ...] = ()


def peak_requests_per_s(work: Serve) -> float:
    """Return the rate at the busiest time: the stated one, else the mean times the profile's peak."""
    stated = work.peak_requests_per_s
    return max(stated, work.requests_per_s) if stated else work.requests_per_s * peak_over_mean_ratio(work.profile)


def request_flop(arch: Architecture, input_tokens: float, output_tokens: float, cached_share: float) -> float:
    """Return the FLOP of one request: prefill of the part not cached, then one pass per generated token."""
    body = 2.0 * matmul_parameter_count(arch, with_head=False)
    head = 2.0 * arch.vocab * arch.hidden
    read = input_tokens * (1.0 - cached_share)
    prefill = (
        read * (body + float(attention_flop_per_token(arch, mean_attended_tokens(arch, input_tokens, causal=True))))
        + head
    )
    middle = input_tokens + output_tokens / 2.0
    decode = output_tokens * (
        body + head + float(attention_flop_per_token(arch, mean_attended_tokens(arch, middle, causal=False)))
    )
    return prefill + decode


def requirements(workload: Workload, architecture: Architecture | None = None) -> Requirements:
    """Return what the work takes.

    Parameters
    ----------
    workload : Workload
        The work as the user states it.
    architecture : Architecture, optional
        The model, where it has been resolved already.

    Raises
    ------
    InputError
        Where the model is missing or unknown.
    """
    work = workload.work
    if isinstance(work, GpuHours):
        return Requirements(
            kind=workload.kind,
            unit="accelerator_hours",
            notes=(Note(NoteCode.NO_MODEL),),
        )
    arch = architecture or resolve_model(workload.model)
    base = Requirements(
        kind=workload.kind,
        model=arch.name,
        parameters=parameter_count(arch),
        active_parameters=active_parameter_count(arch),
        weight_bytes={precision: weight_bytes(arch, precision) for precision in WEIGHT_BYTES_BY_PRECISION},
        notes=arch.notes,
    )
    match work:
        case Serve() | Batch():
            return _text(workload, work, arch, base)
        case Pretrain() | Finetune():
            return _training(work, arch, base)
        case FinetuneImages():
            return _tuned(workload, work, arch, base)
        case Embed() | EmbedService():
            return _read(workload, work, arch, base)
        case Transcribe():
            return _heard(workload, work, arch, base)
        case Diffusion() | Video():
            return _shown(workload, work, arch, base)


def _job(
    base: Requirements, unit: str, flop_per_unit: float, amount: float, deadline_hours: float | None
) -> Requirements:
    """Return what a job takes that has so many units to do by a deadline."""
    deadline_s = deadline_hours * 3600.0 if deadline_hours else None
    rate = amount / deadline_s if deadline_s else None
    return replace(
        base, unit=unit, flop_per_unit=flop_per_unit, total_flop=flop_per_unit * amount, units_per_s=rate, peak_units_per_s=rate,
        peak_flop_per_s=rate * flop_per_unit if rate else None, deadline_s=deadline_s,
    )  # fmt: skip


def _service(base: Requirements, unit: str, flop_per_unit: float, units_per_s: float, profile: Profile) -> Requirements:
    """Return what work takes that never ends, at a mean rate and a profile of the week."""
    peak = units_per_s * peak_over_mean_ratio(profile)
    return replace(
        base, unit=unit, flop_per_unit=flop_per_unit, units_per_s=units_per_s, peak_units_per_s=peak, peak_flop_per_s=peak * flop_per_unit,
    )  # fmt: skip


def _read(workload: Workload, work: Embed | EmbedService, arch: Architecture, base: Requirements) -> Requirements:
    """Return what documents take: one pass over each."""
    per_token = float(forward_flop_per_token(arch, work.tokens_per_document))
    flop = per_token * work.tokens_per_document
    dimension_count = arch.hidden if work.task == "embed" else 0
    least = _least_weights(workload, arch)
    base = replace(base, flop_per_token=per_token, dimension_count=dimension_count, least_memory_bytes=least)
    if isinstance(work, EmbedService):
        return _service(base, "documents", flop, work.documents_per_s, work.profile)
    tokens = float(work.documents) * work.tokens_per_document
    return replace(
        _job(base, "documents", flop, work.documents, work.deadline_hours),
        tokens_total=tokens,
        total_flop=per_token * tokens,
    )


def _heard(workload: Workload, work: Transcribe, arch: Architecture, base: Requirements) -> Requirements:
    """Return what an hour of audio takes: the encoder's passes over all of it, the decoder's for each token of text."""
    flop = 0.0
    if speech := arch.speech:
        per_s = (
            speech.frames_per_s * speech.encoder_parameter_count + TEXT_TOKENS_PER_S * speech.decoder_parameter_count
        )
        flop = 2.0 * 3600.0 * per_s
    base = replace(base, least_memory_bytes=_least_weights(workload, arch))
    return _job(base, "audio_hours", flop, work.audio_hours, work.deadline_hours)


def _shown(workload: Workload, work: Diffusion | Video, arch: Architecture, base: Requirements) -> Requirements:
    """Return what images or clips take a day."""
    frames, per_day, unit = (
        (work.frames, work.clips_per_day, "clips") if isinstance(work, Video) else (1.0, work.images_per_day, "images")
    )
    flop = float(image_flop(arch, work.width * work.height, work.steps, guided=work.guided, frames=frames))
    base = replace(base, least_memory_bytes=_least_weights(workload, arch))
    return _service(base, unit, flop, per_day / SECONDS_PER_DAY, work.profile)


def _tuned(workload: Workload, work: FinetuneImages, arch: Architecture, base: Requirements) -> Requirements:
    """Return what adapters of a denoiser take: forward and backward passes over each image, one forward more with checkpointing."""
    worked = latent_pixels(arch, float(work.width * work.height), float(work.frames))
    flop = (3.0 if work.checkpointing else 2.0) * float(denoising_pass_flop(arch, worked))
    adapters = denoiser_adapter_count(arch, work.rank)
    least = denoiser_bytes(arch, base_format(workload.precision, work.method)) + ADAPTER_BYTES * adapters
    base = replace(base, trained_parameters=adapters, least_memory_bytes=least)
    return _job(base, "trained_images", flop, float(work.steps) * work.batch, work.deadline_hours)


def _least_weights(workload: Workload, arch: Architecture) -> float:
    allowed = [str(precision) for precision in workload.precision] or ["int4"]
    return min(weight_bytes(arch, precision) for precision in allowed)


def _text(workload: Workload, work: Serve | Batch, arch: Architecture, base: Requirements) -> Requirements:
    read = work.prompt_tokens if isinstance(work, Serve) else work.input_tokens
    inputs, outputs = mean_tokens(read), mean_tokens(work.output_tokens)
    flop = request_flop(arch, inputs, outputs, work.prefix_cache_hit_share)
    context = inputs + outputs
    kv = {precision: float(kv_bytes_per_token(arch, precision, context)) for precision in ("bf16", "fp8")}
    base = replace(
        base,
        kv_cache_bytes_per_token=kv,
        kv_cache_bytes_per_request=kv["bf16"] * context,
        flop_per_token=flop / outputs,
        least_memory_bytes=_least_weights(workload, arch) + kv["fp8"] * context,
    )
    if isinstance(work, Serve):
        mean, peak = work.requests_per_s, peak_requests_per_s(work)
        needs = replace(
            base, unit="requests", flop_per_unit=flop, units_per_s=mean, peak_units_per_s=peak, peak_flop_per_s=peak * flop
        )  # fmt: skip
    else:
        needs = _job(base, "requests", flop, float(work.requests), work.deadline_hours)
        needs = replace(needs, tokens_total=work.requests * float(context))
        if needs.units_per_s is None:
            return needs
        mean = peak = needs.units_per_s
    return replace(
        needs,
        input_tokens_per_s=mean * inputs,
        output_tokens_per_s=mean * outputs,
        peak_input_tokens_per_s=peak * inputs,
        peak_output_tokens_per_s=peak * outputs,
    )


def _training(work: Pretrain | Finetune, arch: Architecture, base: Requirements) -> Requirements:
    adapters = isinstance(work, Finetune) and work.trains != "full"
    linear, attention = training_flop_per_token(arch, work.seq_len, frozen_share=1.0 if adapters else 0.0)
    flop = linear + float(np.asarray(attention))
    if isinstance(work, Pretrain):
        tokens, deadline_hours = work.tokens_b * 1e9, work.deadline_days * 24.0 if work.deadline_days else None
    else:
        flop *= 1.0 + work.extra_forward_count * (0.5 if adapters else 1.0 / 3.0)
        tokens, deadline_hours = work.tokens_m * 1e6 * work.epochs, work.deadline_hours
    if isinstance(work, Finetune) and adapters:
        trained = lora_parameter_count(arch, work.rank)
        least = weight_bytes(arch, "nf4" if work.trains == "qlora" else "bf16") + adapter_state_bytes(arch, work.rank)
    else:
        trained = parameter_count(arch)
        least = trained * sum(model_state_bytes_per_parameter(work.optimizer))
        least += weight_bytes(arch, "bf16") if isinstance(work, Finetune) and work.has_reference else 0.0
    base = replace(base, trained_parameters=trained, flop_per_token=flop, least_memory_bytes=least)
    return replace(_job(base, "trained_tokens", flop, tokens, deadline_hours), tokens_total=tokens)
