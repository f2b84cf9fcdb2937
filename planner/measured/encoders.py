"""Measured rows of encoders and of speech to text, predicted by the formulas of `planner.supply.throughput.encoders`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture, SpeechPass
from planner.demand.flops import TEXT_TOKENS_PER_S
from planner.demand.models import known_model
from planner.errors import InputError
from planner.measured.rows import ReadRow, Row, RowTable, architecture_of, chip_of, machine_of, number, row_table
from planner.supply.constants import take
from planner.supply.throughput.encoders import (
    ENCODE_CONSTANTS,
    PIECE_S,
    SPEECH_CONSTANTS,
    EncodeConstants,
    EncodeRates,
    SpeechConstants,
    encode_rates,
    encode_s,
    piece_s,
)

_USUAL_BATCH = 64.0
"""Texts at once under an unlimited queue, where a table does not state it."""
_UNPADDED_SHARE = 0.5
"""Mean length over longest length, where padding is dropped (SQuAD in MLPerf)."""
_ENGINES = (
    (("tensorrt",), "@tensorrt"), (("neuron",), "@neuron"), (("infinity", "text-embeddings", "tei", "vllm", "endpoint"), "@engine"),
    (("sentence-transformers", "candle", "ollama", "llama.cpp"), "@eager"),
)  # fmt: skip


_SPEECH_BATCH = 64.0
"""Pieces at once of a large set, where a table does not state it."""
_CLIP_S = {
    "ami": 2.6, "earnings22": 6.6, "gigaspeech": 6.4, "librispeech clean": 7.4, "librispeech other": 6.3, "spgispeech": 9.1, "ted-lium": 8.2,
    "voxpopuli": 9.6, "aishell": 5.0,
}  # fmt: skip
"""Mean seconds of a clip: hours over utterances of the test sets as the Open ASR leaderboard uses them."""
_SPEECH_ENGINES = (
    (("tensorrt", "trt"), "@trtllm"), (("whispers2t",), "@whispers2t"), (("whisperx",), "@whisperx"), (("faster-whisper", "ctranslate2"), "@ctranslate2"),
    (("openai-whisper",), "@openai"), (("nemo",), "@nemo"), (("vllm",), "@vllm"), (("onnx",), "@onnx"),
)  # fmt: skip
_ONE_PASS = ("ctc", "parakeet", "conformer", "wav2vec", "rnnt", "transducer", "hubert")


def encode_table(rows: Sequence[Row]) -> tuple[RowTable[EncodeRates], dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not.

    Columns are the `tokens` of a text, `batch`, `clients` and `count` of accelerators; `is_time` is 1 where the figure is a time in
    seconds, 0 where it is texts (or tokens) per second; `unit` is what the figure is multiplied by.
    """
    return row_table(
        rows, _read, lambda machines, hw, kept: encode_rates(machines, hw, [row.precision for row in kept])
    )


def _texts(row: Row) -> tuple[float, float]:
    """Return the mean tokens of a text and the texts of a batch, NaN where the columns and the notes do not say."""
    text = f"{row.get('unit', '')} {row.get('notes', '')}".lower()
    if match := re.search(r"requests of (\d+) \w+, ([\d,]+) tokens", text):
        texts = float(match.group(1))
        return float(match.group(2).replace(",", "")) / texts, texts
    about = re.search(r"about (\d+) tokens", text)
    stated = number(row, "input_len", default=float(about.group(1)) if about else math.nan)
    return stated * (_UNPADDED_SHARE if "padding is dropped" in text else 1.0), math.nan


def _tags(row: Row, precision: str) -> tuple[str, ...]:
    framework = row.get("framework", "").lower()
    tags = [next((tag for words, tag in _ENGINES if any(word in framework for word in words)), "@eager")]
    if number(row, "concurrency", default=0.0) > 0 and row.get("metric", "") == "requests_per_s":
        tags = ["@served"]
    if "mlperf" in row.get("block", ""):
        tags.append("@mlperf")
    if "latency limit" in row.get("unit", "").lower():
        tags.append("@server")
    return (*tags, f"@{precision}") if precision in {"fp8", "int8", "fp32"} else tuple(tags)


def _read(row: Row) -> ReadRow:
    where = f"row {row.get('id', '?')}"
    chip = chip_of(row)
    arch = architecture_of(row)
    if arch.kind not in {"encoder", "decoder"} or not arch.layers:
        raise InputError(f"{arch.name} turns no text into vectors", where=where)
    text = row.get("precision", "").lower() or "fp16"
    precision = next((name for name in ("fp8", "int8", "fp32") if text.startswith(name)), "fp16")
    metric, (tokens, texts) = row.get("metric", ""), _texts(row)
    if not tokens > 0:
        raise InputError("the length of a text is not stated", where=where)
    queue = metric == "inferences_per_s" or "latency limit" in row.get("unit", "").lower()
    tags = _tags(row, precision)
    figures = {
        "tokens": tokens,
        "batch": number(row, "batch", default=texts if texts > 0 else _USUAL_BATCH if queue else 1.0),
        "clients": number(row, "concurrency", default=0.0) if "@served" in tags else 0.0,
        "count": number(row, "n_gpus", default=1.0),
        "is_time": float(metric.startswith("latency")),
        "unit": 1000.0 if metric == "latency_ms" else tokens if metric == "tokens_per_s" else 1.0,
    }
    return ReadRow(
        row=row, machine=machine_of(row, chip), arch=arch, prefix="encode", tags=tags, precision=precision,
        observed=number(row, "value"), figures=figures,
    )  # fmt: skip


def predict_encoding(table: RowTable[EncodeRates], constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predictions in each row's own unit: a batch's time, or texts per second of all accelerators.

    A server that so many clients ask one text at a time is a closed loop: each waits a round trip and for its turn.
    """
    predicted = np.empty(len(table.rows))
    for (arch,), mine in table.groups():
        tokens, batch, clients, count, is_time, unit = (
            table.columns[name][mine] for name in ("tokens", "batch", "clients", "count", "is_time", "unit")
        )
        used = EncodeConstants(**{name: constants[name][mine] for name in ENCODE_CONSTANTS})
        at_once = np.where(clients > 0, np.minimum(batch, np.maximum(clients, 1.0)), batch)
        batch_s = encode_s(arch, tokens, at_once, rates=take(table.rates, mine), constants=used)
        open_rate = count * at_once / batch_s
        closed_rate = np.maximum(clients, 1.0) / (used.round_trip_s + np.maximum(clients, at_once) * batch_s / at_once)
        rate = np.where(clients > 0, np.minimum(closed_rate, open_rate), open_rate)
        predicted[mine] = np.where(is_time > 0, batch_s, rate) * unit
    return predicted


def speech_table(rows: Sequence[Row]) -> tuple[RowTable[EncodeRates], dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not.

    Columns are the seconds of a piece (`audio_s`) and of a whole file where its time was measured (`file_s`, else 0), pieces at once
    (`batch`), accelerators (`count`), and what one piece per second is in the row's unit (`unit`).
    """
    return row_table(
        rows, _read_speech, lambda machines, hw, kept: encode_rates(machines, hw, [row.precision for row in kept])
    )


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
    if match := re.search(r"mean about (\d+(?:\.\d+)?) s", text):
        return float(match.group(1))
    return next((seconds for name, seconds in _CLIP_S.items() if name in text), PIECE_S)


def _read_speech(row: Row) -> ReadRow:
    where = f"row {row.get('id', '?')}"
    chip = chip_of(row)
    arch, audio_s, metric = _model(row, where), _piece_s(row), row.get("metric", "")
    file_s = number(row, "audio_seconds", default=0.0)
    if metric == "latency_s" and not file_s > 0:
        raise InputError("how much audio was transcribed is not stated", where=where)
    text, framework = row.get("precision", "").lower(), row.get("framework", "").lower()
    tags = [next((tag for words, tag in _SPEECH_ENGINES if any(word in framework for word in words)), "@transformers")]
    if "long" in row.get("task", ""):
        tags.append(f"{tags[0]}_long")
    if "beam 5" in row.get("notes", "").lower():
        tags.append("@beam")
    figures = {
        "audio_s": audio_s,
        "batch": number(row, "batch", "concurrency", default=_SPEECH_BATCH),
        "count": number(row, "n_gpus", default=1.0),
        "file_s": file_s if metric == "latency_s" else 0.0,
        # MLPerf counts the tokens of text, whatever it calls them.
        "unit": audio_s * TEXT_TOKENS_PER_S if metric == "samples_per_s" else audio_s,
    }
    return ReadRow(
        row=row, machine=machine_of(row, chip), arch=arch, prefix="speech", tags=tuple(tags),
        precision=next((name for name in ("int8", "fp32") if text.startswith(name)), "fp16"), observed=number(row, "value"), figures=figures,
    )  # fmt: skip


def predict_speech(table: RowTable[EncodeRates], constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predictions in each row's own unit: seconds of audio (or tokens) per second, or the seconds that a file takes."""
    predicted = np.empty(len(table.rows))
    for (arch,), mine in table.groups():
        audio_s, batch, count, file_s, unit = (
            table.columns[name][mine] for name in ("audio_s", "batch", "count", "file_s", "unit")
        )
        used = SpeechConstants(**{name: constants[name][mine] for name in SPEECH_CONSTANTS})
        each_s = piece_s(arch, audio_s, batch, rates=take(table.rates, mine), constants=used) / count
        predicted[mine] = np.where(file_s > 0, file_s / audio_s * each_s, unit / each_s)
    return predicted
