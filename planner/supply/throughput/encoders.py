"""The time of one pass of an encoder (embedding, reranking, classifying) and of one piece of audio (speech to text), part by part.

Arithmetic at a share of the sustained rate, activations and weights through memory, the start of each layer, and what a server
spends on each request whatever its length. Each token of transcribed text passes the decoder's layers one after another, for all
pieces of a batch at once; the host forms the spectrogram, cuts, pads and joins. Sources: the roofline (Williams et al. 2009); the
constants are fitted on measured rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import TEXT_TOKENS_PER_S, forward_flop_per_token
from planner.demand.parameters import matmul_parameter_count
from planner.supply.hardware import Hardware
from planner.supply.machines import Machine
from planner.supply.throughput.images import sustained_share

_NARROW = frozenset({"fp8", "int8"})


PIECE_S = 30.0
"""Seconds into which long recordings are cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeConstants:
    """What is fitted; arrays, one entry per machine or measured row.

    Attributes
    ----------
    flop_share : FloatArray
        Achieved share of the sustained rate in matrix products.
    traffic_bytes_per_flop : FloatArray
        Bytes of 16-bit activations that go to memory and back for each FLOP.
    layer_s, request_s, round_trip_s : FloatArray
        Start and tail of a layer; what a server spends on one text of a batch; what a client waits beside that.
    pace_ratio : FloatArray
        Time over predicted time; 1 without measurements of the user's own.
    """

    flop_share: FloatArray
    traffic_bytes_per_flop: FloatArray
    layer_s: FloatArray
    request_s: FloatArray
    round_trip_s: FloatArray
    pace_ratio: FloatArray


ENCODE_CONSTANTS = tuple(field.name for field in fields(EncodeConstants))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeRates:
    """What the hardware gives; arrays, one entry per machine or measured row.

    Attributes
    ----------
    flop_per_s, bandwidth_bytes_per_s : FloatArray
        Sustained rate in the format of the work; peak of the memory.
    element_bytes : FloatArray
        Bytes of a weight and of an activation.
    """

    flop_per_s: FloatArray
    bandwidth_bytes_per_s: FloatArray
    element_bytes: FloatArray


def encode_rates(machines: Sequence[Machine], hw: Hardware, precisions: Sequence[str]) -> EncodeRates:
    """Return rates of machines, each for work in its format; int8 counts as twice 16 bit where no rate of 8 bit is stated."""
    rate, element = [], []
    for row, (machine, name) in enumerate(zip(machines, precisions, strict=True)):
        sixteen = float(hw.flop16_per_s()[row])
        peak = float(hw.fp32_flop_per_s[row]) if name == "fp32" else float(hw.widened_flop_per_s(name or "fp16")[row])
        if name == "int8" and not hw.fp8_flop_per_s[row] > 0:
            peak = 2.0 * sixteen
        rate.append((peak if math.isfinite(peak) else sixteen) * sustained_share(machine.accelerator))
        element.append(1.0 if name in _NARROW and peak > sixteen else 4.0 if name == "fp32" else 2.0)
    return EncodeRates(
        flop_per_s=np.asarray(rate, dtype=float), bandwidth_bytes_per_s=hw.bandwidth_bytes_per_s, element_bytes=np.asarray(element, dtype=float)
    )  # fmt: skip


def encode_s(
    arch: Architecture, tokens: ArrayLike, batch: ArrayLike, *, rates: EncodeRates, constants: EncodeConstants
) -> FloatArray:
    """Return the seconds of one batch of texts on one accelerator.

    Parameters
    ----------
    tokens, batch : array_like
        Tokens of a text; texts of a batch.
    rates, constants : EncodeRates, EncodeConstants
        Of the machines; all shapes broadcast.
    """
    length, texts = np.asarray(tokens, dtype=float), np.asarray(batch, dtype=float)
    flop_per_token = forward_flop_per_token(arch, length)
    flop = np.asarray(flop_per_token, dtype=float) * length * texts
    weights = matmul_parameter_count(arch, with_head=False) * rates.element_bytes
    moved = flop * constants.traffic_bytes_per_flop * rates.element_bytes / 2.0 + weights
    device_s = flop / (rates.flop_per_s * constants.flop_share) + moved / rates.bandwidth_bytes_per_s
    batch_s = device_s + arch.layers * constants.layer_s + texts * constants.request_s
    return np.asarray(batch_s * constants.pace_ratio, dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechConstants:
    """What is fitted; arrays, one entry per machine or measured row.

    Attributes
    ----------
    flop_share : FloatArray
        Achieved share of the sustained rate in the encoder.
    layer_s, host_s : FloatArray
        Time of a decoder layer for one token of a whole batch; time of the host for one piece.
    pace_ratio : FloatArray
        Time over predicted time; 1 without measurements of the user's own.
    """

    flop_share: FloatArray
    layer_s: FloatArray
    host_s: FloatArray
    pace_ratio: FloatArray


SPEECH_CONSTANTS = tuple(field.name for field in fields(SpeechConstants))


def piece_s(
    arch: Architecture, audio_s: ArrayLike, batch: ArrayLike, *, rates: EncodeRates, constants: SpeechConstants
) -> FloatArray:
    """Return the seconds that one piece of audio takes of an accelerator, as one of a batch.

    Parameters
    ----------
    audio_s, batch : array_like
        Seconds of the piece; pieces that are heard at once.
    rates, constants : EncodeRates, SpeechConstants
        Of the machines; all shapes broadcast.
    """
    speech = arch.speech
    assert speech is not None
    heard, pieces = np.asarray(audio_s, dtype=float), np.asarray(batch, dtype=float)
    frames = np.maximum(heard, speech.window_s) * speech.frames_per_s
    encoder_s = 2.0 * speech.encoder_parameter_count * frames / (rates.flop_per_s * constants.flop_share)
    tokens = heard * TEXT_TOKENS_PER_S if speech.decoder_layers else 0.0 * heard
    read_s = speech.decoder_parameter_count * rates.element_bytes / rates.bandwidth_bytes_per_s
    written_s = 2.0 * speech.decoder_parameter_count / (rates.flop_per_s * constants.flop_share)
    decoder_s = tokens * ((speech.decoder_layers * constants.layer_s + read_s) / pieces + written_s)
    return np.asarray((encoder_s + decoder_s + constants.host_s) * constants.pace_ratio, dtype=float)
