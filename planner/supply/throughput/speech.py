"""Speech to text: the time of one piece of audio, part by part.

The encoder reads the piece at a share of the sustained rate; each token of text then passes the decoder's layers, one after another, for
all pieces of a batch at once; and the host forms the spectrogram, cuts, pads and joins. The constants are fitted on measured rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.demand.flops import TEXT_TOKENS_PER_S
from planner.supply.throughput.encode import EncodeRates

PIECE_S = 30.0
"""Seconds into which long recordings are cut."""


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
        Time over predicted time; 1 unless the user measured for himself.
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
