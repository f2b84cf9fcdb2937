"""Measured rows of encoders (embedding, reranking, classifying): predicted by the formula of `planner.supply.throughput.encode`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.errors import InputError
from planner.measured.rows import ReadRow, Row, RowTable, architecture_of, chip_of, machine_of, number, row_table
from planner.supply.constants import take
from planner.supply.throughput.encode import ENCODE_CONSTANTS, EncodeConstants, EncodeRates, encode_rates, encode_s

_USUAL_BATCH = 64.0
"""Texts at once under an unlimited queue, where a table does not state it."""
_UNPADDED_SHARE = 0.5
"""Of the longest length, the mean of what is left where padding is dropped (SQuAD in MLPerf)."""
_ENGINES = (
    (("tensorrt",), "@tensorrt"), (("neuron",), "@neuron"), (("infinity", "text-embeddings", "tei", "vllm", "endpoint"), "@engine"),
    (("sentence-transformers", "candle", "ollama", "llama.cpp"), "@eager"),
)  # fmt: skip


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
    if found := re.search(r"requests of (\d+) \w+, ([\d,]+) tokens", text):
        texts = float(found.group(1))
        return float(found.group(2).replace(",", "")) / texts, texts
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
