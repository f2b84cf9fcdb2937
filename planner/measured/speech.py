"""Measured rows of speech to text: predicted by the formula of `planner.supply.throughput.speech`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture, SpeechPass
from planner.demand.flops import TEXT_TOKENS_PER_S
from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import Row, chip_of, constant_of_rows, kept_rows, machine_of, number
from planner.supply.calibration import Calibration, scopes
from planner.supply.hardware import hardware
from planner.supply.machines import Machine
from planner.supply.throughput.encode import EncodeRates, encode_rates
from planner.supply.throughput.speech import PIECE_S, SPEECH_CONSTANTS, SpeechConstants, piece_s

_USUAL_BATCH = 64.0
"""Pieces at once of a large set, where a table does not state it."""
_CLIP_S = {
    "ami": 2.6, "earnings22": 6.6, "gigaspeech": 6.4, "librispeech clean": 7.4, "librispeech other": 6.3, "spgispeech": 9.1, "ted-lium": 8.2,
    "voxpopuli": 9.6, "aishell": 5.0,
}  # fmt: skip
"""Mean seconds of a clip: hours over utterances of the test sets as the Open ASR leaderboard uses them."""
_ENGINES = (
    (("tensorrt", "trt"), "@trtllm"), (("whispers2t",), "@whispers2t"), (("whisperx",), "@whisperx"), (("faster-whisper", "ctranslate2"), "@ctranslate2"),
    (("openai-whisper",), "@openai"), (("nemo",), "@nemo"), (("vllm",), "@vllm"), (("onnx",), "@onnx"),
)  # fmt: skip
_ONE_PASS = ("ctc", "parakeet", "conformer", "wav2vec", "rnnt", "transducer", "hubert")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTable:
    """Rows as columns: seconds of a piece, pieces at once, accelerators, what one piece per second is in the row's unit."""

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    architectures: tuple[Architecture, ...]
    audio_s: FloatArray
    batch: FloatArray
    count: FloatArray
    file_s: FloatArray
    unit: FloatArray
    rates: EncodeRates

    @property
    def observed(self) -> FloatArray:
        """What was measured, in the row's own unit."""
        return np.asarray([number(row, "value") for row in self.rows], dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    row: Row
    machine: Machine
    arch: Architecture
    tags: tuple[str, ...]
    precision: str
    audio_s: float
    batch: float
    count: float
    file_s: float
    unit: float


def speech_table(rows: Sequence[Row]) -> tuple[SpeechTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    kept, refusals = kept_rows(rows, _read)
    machines = [item.machine for item in kept]

    def column(name: str) -> FloatArray:
        return np.asarray([getattr(item, name) for item in kept], dtype=float)

    return SpeechTable(
        rows=tuple(item.row for item in kept), scopes=tuple(scopes(item) for item in machines), tags=tuple(item.tags for item in kept),
        architectures=tuple(item.arch for item in kept), audio_s=column("audio_s"), batch=column("batch"), count=column("count"),
        file_s=column("file_s"), unit=column("unit"), rates=encode_rates(machines, hardware(machines), [item.precision for item in kept]),
    ), refusals  # fmt: skip


def _model(row: Row, where: str) -> Architecture:
    """Return the model; one that reads its text off the encoder needs no more than its size."""
    name, size = row.get("model", ""), number(row, "params_b", default=0.0)
    try:
        arch = known_model(name)
    except InputError:
        if not (size > 0 and any(word in name.lower() for word in _ONE_PASS)):
            raise
        frames = 50.0 if "wav2vec" in name.lower() or "hubert" in name.lower() else 12.5
        return Architecture(
            name=name, kind="speech", stated_parameter_count=size * 1e9,
            speech=SpeechPass(window_s=0.0, frames_per_s=frames, encoder_parameter_count=size * 1e9),
        )  # fmt: skip
    if arch.speech is None:
        raise InputError(f"{arch.name} turns no speech into text", where=where)
    return arch


def _piece_s(row: Row) -> float:
    """Return the seconds of one piece: a clip of the data set, or what long recordings are cut into."""
    text = row.get("notes", "").lower()
    if "long" in row.get("task", "") or number(row, "audio_seconds", default=0.0) > PIECE_S:
        return PIECE_S
    if found := re.search(r"mean about (\d+(?:\.\d+)?) s", text):
        return float(found.group(1))
    return next((seconds for name, seconds in _CLIP_S.items() if name in text), PIECE_S)


def _read(row: Row) -> _Read:
    where = f"row {row.get('id', '?')}"
    chip = chip_of(row)
    arch, audio_s, metric = _model(row, where), _piece_s(row), row.get("metric", "")
    file_s = number(row, "audio_seconds", default=0.0)
    if metric == "latency_s" and not file_s > 0:
        raise InputError("how much audio was transcribed is not stated", where=where)
    text, framework = row.get("precision", "").lower(), row.get("framework", "").lower()
    tags = [next((tag for words, tag in _ENGINES if any(word in framework for word in words)), "@transformers")]
    if "long" in row.get("task", ""):
        tags.append(f"{tags[0]}_long")
    if "beam 5" in row.get("notes", "").lower():
        tags.append("@beam")
    # MLPerf counts the tokens of text, whatever it calls them.
    unit = audio_s * TEXT_TOKENS_PER_S if metric == "samples_per_s" else audio_s
    return _Read(
        row=row, machine=machine_of(row, chip), arch=arch, tags=tuple(tags), precision="int8" if text.startswith("int8") else "fp32" if text.startswith("fp32") else "fp16",
        audio_s=audio_s, batch=number(row, "batch", "concurrency", default=_USUAL_BATCH), count=number(row, "n_gpus", default=1.0),
        file_s=file_s if metric == "latency_s" else 0.0, unit=unit,
    )  # fmt: skip


def constants_of_rows(table: SpeechTable, calibration: Calibration) -> dict[str, FloatArray]:
    """Return the calibration's constants for every row."""
    return {
        name: constant_of_rows(calibration, f"speech.{name}", table.scopes, table.tags) for name in SPEECH_CONSTANTS
    }


def predict_speech(table: SpeechTable, constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predictions in each row's own unit: seconds of audio (or tokens) per second, or the seconds that a file takes."""
    found = np.empty(len(table.rows))
    for place, arch in enumerate(table.architectures):
        mine = slice(place, place + 1)
        rates = EncodeRates(**{item.name: getattr(table.rates, item.name)[mine] for item in fields(EncodeRates)})
        held = SpeechConstants(**{name: constants[name][mine] for name in SPEECH_CONSTANTS})
        each_s = piece_s(arch, table.audio_s[mine], table.batch[mine], rates=rates, constants=held) / table.count[mine]
        found[mine] = np.where(
            table.file_s[mine] > 0, table.file_s[mine] / table.audio_s[mine] * each_s, table.unit[mine] / each_s
        )
    return found
