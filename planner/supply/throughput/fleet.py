"""Fleets for documents and images: independent pieces of work, which need no communication between accelerators."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.flops import TEXT_TOKENS_PER_S, denoising_pass_flop, forward_flop_per_token, latent_pixels
from planner.demand.memory import weight_bytes
from planner.demand.profiles import elastic_shares
from planner.demand.workload import Diffusion, Embed, EmbedService, FinetuneImages, Transcribe, Video, Work, Workload
from planner.notes import Note, NoteCode
from planner.supply.calibration import (
    Calibration,
    band,
    bases_of,
    basis_and_evidence,
    default_calibration,
    slow_ratio,
    spread,
)
from planner.supply.constants import constants_by_tags
from planner.supply.fleet_arrays import Amounts, Fleets, above_limit, amounts_of, are_too_many, too_many_processors
from planner.supply.hardware import hardware
from planner.supply.machines import Fleet, Layout, Machine, MemoryUse, Performance, Refusal
from planner.supply.throughput.encoders import (
    PIECE_S,
    EncodeConstants,
    SpeechConstants,
    encode_rates,
    encode_s,
    piece_s,
)
from planner.supply.throughput.image_training import tuned_images
from planner.supply.throughput.images import image_constants, image_rates, image_s, step_time
from planner.supply.throughput.items import CONTEXT_BYTES, Items, Scene, formats_of, peak_flop_per_s

_EMBED_BATCH_TOKENS = 16_384.0
_LATENT_BYTES_PER_PIXEL = 2_000.0
"""Activations of a U-Net and its decoder per pixel and byte of the format (Lambda's Stable Diffusion 1.4 table)."""
_CLIP_BYTES_PER_LATENT_PIXEL = 1_700.0
"""Of the denoiser, per pixel of all latent frames: Wan 2.2 A14B peaks at 41.0 GB at 832x480 and at 59.7 GB at 1280x720, 81 frames each."""
_DENOISING_SHARE = 0.25
"""Of the activations that remain while the decoder, whose tensors are as wide as the image, waits elsewhere; our estimate."""
_PCIE_SHARE = 0.6
"""Achieved over nominal bandwidth between host memory and accelerator."""
_BATCHES = (8, 4, 2, 1)
"""Images made at once where memory and the limit of seconds allow: beyond eight hardly anything is gained."""
_REQUESTS_AT_ONCE = tuple(2**power for power in range(11))
"""Requests that a server may read as one batch: servers of encoders batch up to 16,384 tokens by default (text-embeddings-inference)."""
_HEARD_AT_ONCE = 48
"""Pieces of audio in a batch, as the engines that transcribe in bulk have them by default."""
_SIXTEEN_BIT_BYTES = 2.0


def _load_share(work: Work, assumptions: Assumptions) -> float:
    """Return the load that may be planned: of work that ends, of a service with a limit on time, or of one without."""
    if isinstance(work, Embed | Transcribe | FinetuneImages):
        return assumptions["perf.batch_load_share"]
    limits = ("seconds_per_image_limit", "seconds_per_clip_limit", "latency_limit_ms")
    has_limit = any(getattr(work, name, None) for name in limits)
    return assumptions["perf.serving_load_share" if has_limit else "perf.relaxed_load_share"]


def _embedding(scene: Scene, work: Embed | EmbedService) -> Items:
    """Return documents as a server of encoders reads them: by the batch, as many at once as the limit of a request allows.

    A request that comes while a batch is at work waits for it, and is in the next one: twice the time of a batch, at most.
    """
    arch, machines, hw = scene.arch, scene.machines, scene.hw
    precisions, length = formats_of(scene.workload, hw), work.tokens_per_document
    flop = float(forward_flop_per_token(arch, length)) * length
    rates = encode_rates(machines, hw, precisions)
    constants = constants_by_tags(EncodeConstants, scene.calibration, "encode", machines, [()] * len(machines))

    def batch_s(texts: float | IntArray) -> FloatArray:
        time_s = encode_s(arch, length, texts, rates=rates, constants=constants)
        return time_s / scene.assumptions["perf.serving_practice_share"]

    most = max(1, int(_EMBED_BATCH_TOKENS // length))
    batch = np.full(len(machines), most)
    limit_s, notes, asked = math.inf, None, 1
    if isinstance(work, EmbedService):
        asked = work.documents_per_request
        limit_s = (work.latency_limit_ms or math.inf) / 1e3
        batch = np.full(len(machines), asked)
        for requests in _REQUESTS_AT_ONCE:
            larger = asked * requests
            if larger <= max(most, asked):
                batch = np.where(2.0 * batch_s(larger) <= limit_s, np.maximum(batch, larger), batch)
        notes = [
            Note(NoteCode.REQUEST_LATENCY, (int(texts), float(2e3 * seconds), float(1e3 * alone)))
            for texts, seconds, alone in zip(batch, batch_s(batch), batch_s(asked), strict=True)
        ]
    per_s = batch / batch_s(batch)
    width = 2.0 * (6.0 * arch.hidden + 2.0 * max(arch.ffn, arch.expert_ffn))
    return Items(
        unit="documents",
        per_s=per_s,
        alone_s=1.0 / per_s if notes is None else 2.0 * batch_s(asked),
        batch=batch,
        limit_s=limit_s,
        weights=np.full(len(machines), weight_bytes(arch, "fp16")),
        activations=np.maximum(batch * length, _EMBED_BATCH_TOKENS) * width,
        constant="encode.flop_share",
        sort="encode.stranger",
        precisions=precisions,
        mfu=per_s * flop / peak_flop_per_s(hw, precisions),
        notes=notes,
    )


def _recordings(scene: Scene) -> Items:
    """Return recordings as an engine that cuts and batches them hears them; the piece that is counted is an hour of audio."""
    arch, hw, speech, count = scene.arch, scene.hw, scene.arch.speech, len(scene.machines)
    assert speech is not None
    precisions = formats_of(scene.workload, hw)
    rates = encode_rates(scene.machines, hw, precisions)
    engine = "@whispers2t" if speech.decoder_layers else "@nemo"
    constants = constants_by_tags(SpeechConstants, scene.calibration, "speech", scene.machines, [(engine,)] * count)
    hour_s = 3600.0 / PIECE_S * piece_s(arch, PIECE_S, _HEARD_AT_ONCE, rates=rates, constants=constants)
    per_s = scene.assumptions["perf.serving_practice_share"] / hour_s
    frames = PIECE_S * speech.frames_per_s * _HEARD_AT_ONCE
    width = 2.0 * (6.0 * arch.hidden + 2.0 * arch.ffn)
    read, written = (
        speech.frames_per_s * speech.encoder_parameter_count,
        TEXT_TOKENS_PER_S * speech.decoder_parameter_count,
    )
    return Items(
        unit="audio_hours",
        per_s=per_s,
        alone_s=1.0 / per_s,
        batch=np.full(count, _HEARD_AT_ONCE),
        weights=np.full(count, weight_bytes(arch, "fp16")),
        activations=np.full(count, frames * width + _HEARD_AT_ONCE * arch.state_bytes_per_sequence),
        constant="speech.flop_share",
        sort="speech.stranger",
        precisions=precisions,
        mfu=per_s * (2.0 * 3600.0 * (read + written)) / peak_flop_per_s(hw, precisions),
        notes=[Note(NoteCode.PIECES_AT_ONCE, (_HEARD_AT_ONCE,))] * count,
    )


def _images(scene: Scene, work: Diffusion | Video) -> Items:
    """Return images or clips as compiled denoisers make them, as many at once as memory and the limit of seconds allow."""
    arch, machines, hw, denoiser = scene.arch, scene.machines, scene.hw, scene.arch.diffusion
    assert denoiser is not None
    if isinstance(work, Video):
        prefix, unit, frames, limit_s = "video", "clips", work.frames, work.seconds_per_clip_limit or math.inf
    else:
        prefix, unit, frames, limit_s = "image", "images", 1.0, work.seconds_per_image_limit or math.inf
    precisions, pixels = formats_of(scene.workload, hw), float(work.width * work.height)
    rates = image_rates(machines, hw, precisions)
    # Eight-bit weights on a chip without such arithmetic are multiplied in sixteen.
    tags = [("@compiled", "@fp8") if size < _SIXTEEN_BIT_BYTES else ("@compiled",) for size in rates.element_bytes]
    constants = image_constants(scene.calibration, machines, tags, prefix=prefix)
    worked = latent_pixels(arch, pixels, frames)
    weights, activations, swap_s, room = _image_memory(
        scene, precisions, pixels, float(worked), is_clip=isinstance(work, Video)
    )

    def each_s(batch: float | IntArray) -> FloatArray:
        time_s = image_s(
            arch, pixels, work.steps, guided=work.guided, rates=rates, constants=constants, batch=batch, frames=frames
        )
        return time_s / scene.assumptions["perf.serving_practice_share"] + swap_s

    batch = np.ones(len(machines), dtype=np.int64)
    for larger in () if isinstance(work, Video) else _BATCHES:
        can = (batch == 1) & (larger * activations <= room) & (larger * each_s(larger) <= limit_s)
        batch = np.where(can, larger, batch)
    seconds = each_s(batch)
    eager = image_constants(scene.calibration, machines, [()] * len(machines), eager=True, prefix=prefix)
    step, eager_step = (
        step_time(arch, worked, guided=work.guided, rates=rates, constants=used, batch=batch)
        for used in (constants, eager)
    )
    passes = work.steps * (denoiser.passes_if_guided if work.guided else 1)
    return Items(
        unit=unit,
        per_s=1.0 / seconds,
        alone_s=each_s(1.0),
        batch=batch,
        limit_s=limit_s,
        weights=weights,
        activations=np.asarray(activations * batch, dtype=float),
        constant=f"{prefix}.flop_share",
        sort="image" if prefix == "image" else "video.stranger",
        precisions=precisions,
        mfu=passes * float(denoising_pass_flop(arch, worked)) / seconds / peak_flop_per_s(hw, precisions),
        is_memory_bound=step.memory_s > step.arithmetic_s + step.blocks_s,
        notes=[
            Note(NoteCode.COMPILED_MODEL, (unit, float(ratio), bool(swap)))
            for ratio, swap in zip(eager_step.total_s / step.total_s, swap_s > 0, strict=True)
        ],
    )


def _image_memory(
    scene: Scene, precisions: Sequence[str], pixels: float, latent_pixel_count: float, *, is_clip: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the bytes of weights and of one image's activations, the seconds of swapping, and the bytes that activations may take.

    Where not all parts fit together, the denoiser alone stays, and what is not at work waits in host memory.
    """
    hw, denoiser = scene.hw, scene.arch.diffusion
    assert denoiser is not None
    widest = _CLIP_BYTES_PER_LATENT_PIXEL * latent_pixel_count if is_clip else _LATENT_BYTES_PER_PIXEL * 2 * pixels
    whole = np.asarray([weight_bytes(scene.arch, name or "fp16") for name in precisions])
    usable = hw.memory_bytes * scene.assumptions["perf.engine_memory_share"] - CONTEXT_BYTES
    is_swapped = (whole + widest > usable) & ~hw.is_cpu
    beside = denoiser.text_encoder_parameter_count + denoiser.decoder_parameter_count
    weights = np.where(is_swapped, whole - 2.0 * beside, whole)
    # A clip's activations are the denoiser's own; an image's are the decoder's, which waits as well.
    activations = widest * np.where(is_swapped & ~np.asarray(is_clip), _DENOISING_SHARE, 1.0)
    swap_s = np.where(is_swapped, whole / (_PCIE_SHARE * np.maximum(hw.pcie_bytes_per_s, 1.0)), 0.0)
    return weights, activations, swap_s, usable - weights


def _scene_of(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, calibration: Calibration | None
) -> tuple[Scene, Items]:  # fmt: skip
    """Return what is asked of the machines, and the pieces of which the work consists."""
    scene, work = Scene(
        workload=workload, arch=arch, machines=machines, hw=hardware(machines), assumptions=assumptions,
        calibration=calibration or default_calibration(),
    ), workload.work  # fmt: skip
    match work:
        case Embed() | EmbedService():
            return scene, _embedding(scene, work)
        case Transcribe():
            return scene, _recordings(scene)
        case FinetuneImages():
            return scene, tuned_images(scene, work)
    assert isinstance(work, Diffusion | Video)
    return scene, _images(scene, work)


def _machine_per_s(scene: Scene, pieces: Items) -> FloatArray:
    """Return the pieces per second of one machine, as a column."""
    return np.asarray((pieces.per_s * scene.hw.count)[:, None], dtype=float)


def _spread_log(scene: Scene, pieces: Items, row: int) -> float:
    return spread(scene.calibration, pieces.sort, pieces.constant, scene.machines[row])


def _memory(scene: Scene, pieces: Items, row: int) -> MemoryUse:
    weights, activations = float(pieces.weights[row]), float(pieces.activations[row])
    parts = (("weights", weights), ("activations", activations), ("overhead", CONTEXT_BYTES))
    return MemoryUse(parts=parts, capacity_bytes=float(scene.hw.memory_bytes[row]))


def made(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, amounts: Amounts, *,
    calibration: Calibration | None = None,
) -> Fleets:  # fmt: skip
    """Return the fleets for images and clips (`Diffusion`, `Video`), documents and recordings (`Embed`, `Transcribe`, `FinetuneImages`).

    Parameters
    ----------
    workload : Workload
        The shape; its own size plays no part.
    amounts : Amounts
        Pieces per second, by the deadline for work that ends, and all pieces of it.
    """
    scene, pieces = _scene_of(workload, arch, machines, assumptions, calibration)
    count = _counts(scene, pieces, [_refusal(scene, pieces, row) is None for row in range(len(machines))], amounts)
    too_many = are_too_many(machines, count, assumptions, most=math.inf)
    return _fleets(scene, pieces, np.where(too_many, 0.0, count), amounts)


def _counts(scene: Scene, pieces: Items, able: Sequence[bool], amounts: Amounts) -> FloatArray:
    """Return how many machines each amount takes, whether or not so many are allowed; 0 where a machine is not able."""
    each_per_s = _machine_per_s(scene, pieces)
    # Images have no deadline that a slow machine could miss: their rate keeps its own headroom.
    late = np.ones_like(each_per_s)
    if scene.workload.ends:
        percentile = scene.assumptions["perf.deadline_band_percentile"]
        late[:, 0] = [slow_ratio(percentile, _spread_log(scene, pieces, row)) for row in range(len(late))]
    count = np.maximum(
        1.0,
        np.ceil(amounts.peak_per_s * late / (each_per_s * _load_share(scene.workload.work, scene.assumptions)) - 1e-9),
    )
    return np.where(np.array(able, dtype=bool)[:, None], count, 0.0)


def _fleets(scene: Scene, pieces: Items, count: FloatArray, amounts: Amounts, *, is_fixed: bool = False) -> Fleets:
    """Return the fleets of so many machines."""
    work = scene.workload.work
    rate = _machine_per_s(scene, pieces) * np.maximum(count, 1.0)
    accelerators = [
        machine.accelerator_count if machine.accelerator else float(sockets)
        for machine, sockets in zip(scene.machines, scene.hw.count, strict=True)
    ]
    busy, elastic, utilisation = np.full_like(count, np.nan), np.ones_like(count), np.ones_like(count)
    if scene.workload.ends:
        busy = np.where(count > 0, amounts.total / (rate * _load_share(work, scene.assumptions)) / 3600.0, np.nan)
    elif not is_fixed:
        elastic = elastic_shares(work.profile, amounts.peak_over_mean, count)  # type: ignore[union-attr]  # work that never ends has a profile
        utilisation = np.minimum(1.0, amounts.mean_per_s / rate)
    return Fleets(
        instance_count=count, accelerators_used=count * np.array(accelerators)[:, None], busy_hours_per_run=busy, elastic_share=elastic,
        utilisation_share=utilisation,
        basis=bases_of(scene.calibration, pieces.constant, scene.machines, count),
    )  # fmt: skip


def size_throughput(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    max_accelerators: int | None = None, calibration: Calibration | None = None, fixed_machines: int | None = None,
) -> list[Fleet | Refusal]:  # fmt: skip
    """Return, for each machine, the fewest whole machines for the documents by their deadline or the images at their peak.

    Parameters and results are those of `planner.supply.fleet.size`.
    """
    scene, pieces = _scene_of(workload, arch, machines, assumptions, calibration)
    refusals = [_refusal(scene, pieces, row) for row in range(len(machines))]
    amounts = amounts_of([workload])
    if fixed_machines is None:
        count = _counts(scene, pieces, [refusal is None for refusal in refusals], amounts)
        too_many = are_too_many(machines, count, assumptions, most=math.inf)
    else:
        count = np.full((len(machines), 1), float(fixed_machines))
        too_many = np.zeros_like(count, dtype=bool)
    fleets = _fleets(scene, pieces, count, amounts, is_fixed=fixed_machines is not None)
    sized: list[Fleet | Refusal] = []
    for row, machine in enumerate(machines):
        refusal = refusals[row] or above_limit(machine, int(count[row, 0]), max_accelerators)
        if refusal is None and too_many[row, 0]:
            refusal = too_many_processors(machine, int(count[row, 0]), "work")
        sized.append(refusal or _fleet(scene, pieces, fleets, row))
    return sized


def _refusal(scene: Scene, pieces: Items, row: int) -> Refusal | None:
    """Return why a machine cannot do the work, however little of it; None where it can."""
    machine, memory = scene.machines[row], _memory(scene, pieces, row)
    if not pieces.precisions[row]:
        asked = " or ".join(str(item) for item in scene.workload.precision)
        return Refusal(machine=machine, stage="precision", reason=Note(NoteCode.NO_SUCH_FORMAT, (machine.label, asked)))
    part = "training" if isinstance(scene.workload.work, FinetuneImages) else "engine"
    if memory.total_bytes > memory.capacity_bytes * scene.assumptions[f"perf.{part}_memory_share"]:
        needed_gib = (scene.arch.name, memory.total_bytes / 2**30, machine.label, memory.capacity_bytes / 2**30)
        return Refusal(machine=machine, stage="memory", reason=Note(NoteCode.PIECES_MEMORY, needed_gib))
    alone_s = float(pieces.alone_s[row])
    if alone_s > pieces.limit_s:
        reason = Note(NoteCode.PIECE_TOO_SLOW, (pieces.unit.removesuffix("s"), alone_s, pieces.limit_s))
        if pieces.unit == "documents":
            reason = Note(NoteCode.REQUEST_TOO_SLOW, (alone_s * 1e3, pieces.limit_s * 1e3))
        return Refusal(machine=machine, stage="deadline", reason=reason)
    return None


def _fleet(scene: Scene, pieces: Items, fleets: Fleets, row: int) -> Fleet:
    """Return the machine's fleet with its layout, speed and memory."""
    work = scene.workload.work
    instances = int(fleets.instance_count[row, 0])
    rate = float(_machine_per_s(scene, pieces)[row, 0]) * instances
    basis, evidence = basis_and_evidence(scene.calibration, pieces.constant, scene.machines[row])
    return fleets.fleet(
        scene.machines[row],
        row,
        0,
        Layout(
            data=instances * int(scene.hw.count[row]),
            precision=pieces.precisions[row],
            micro_batch=int(pieces.batch[row]),
        ),
        Performance(
            rate_per_s=band(rate, _spread_log(scene, pieces, row)),
            rate_unit=pieces.unit,
            tokens_per_s=rate * work.tokens_per_document if isinstance(work, Embed | EmbedService) else None,
            step_s=float(pieces.alone_s[row]),
            mfu_share=float(pieces.mfu[row]),
            bound="memory_bandwidth"
            if pieces.is_memory_bound is not None and pieces.is_memory_bound[row]
            else "compute",
            basis=basis,
            evidence=evidence,
        ),
        memory=_memory(scene, pieces, row),
        notes=(*scene.arch.notes, *(pieces.notes[row : row + 1] if pieces.notes else ())),
    )
