"""Measured rows of encoders (embedding, reranking, classifying): predicted by the formula of `planner.supply.throughput.encode`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.demand.architecture import Architecture
from planner.errors import InputError
from planner.measured.rows import Row, architecture_of, chip_of, constant_of_rows, kept_rows, machine_of, number
from planner.supply.calibration import Calibration, scopes
from planner.supply.hardware import hardware
from planner.supply.machines import Machine
from planner.supply.throughput.encode import ENCODE_CONSTANTS, EncodeConstants, EncodeRates, encode_rates, encode_s

_USUAL_BATCH = 64.0
"""Texts at once under an unlimited queue, where a table does not state it."""
_UNPADDED_SHARE = 0.5
"""Of the longest length, the mean of what is left where padding is dropped (SQuAD in MLPerf)."""
_ENGINES = (
    (("tensorrt",), "@tensorrt"), (("neuron",), "@neuron"), (("infinity", "text-embeddings", "tei", "vllm", "endpoint"), "@engine"),
    (("sentence-transformers", "candle", "ollama", "llama.cpp"), "@eager"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTable:
    """Rows as columns: rows, their machines' scopes and tags, models; tokens, batch, clients, accelerators; rates; what was measured.

    `speaks` is 1 where the figure is a time in seconds, 0 where it is texts (or tokens) per second; `unit` is what the figure is divided by.
    """

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    architectures: tuple[Architecture, ...]
    tokens: FloatArray
    batch: FloatArray
    clients: FloatArray
    count: FloatArray
    is_time: NDArray[np.bool_]
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
    tokens: float
    batch: float
    clients: float
    count: float
    is_time: bool
    unit: float


def encode_table(rows: Sequence[Row]) -> tuple[EncodeTable, dict[str, str]]:
    """Return the rows that can be predicted as columns, and for every other one why not."""
    kept, refusals = kept_rows(rows, _read)
    machines = [item.machine for item in kept]

    def column(name: str) -> FloatArray:
        return np.asarray([getattr(item, name) for item in kept], dtype=float)

    return EncodeTable(
        rows=tuple(item.row for item in kept), scopes=tuple(scopes(item) for item in machines), tags=tuple(item.tags for item in kept),
        architectures=tuple(item.arch for item in kept), tokens=column("tokens"), batch=column("batch"), clients=column("clients"),
        count=column("count"), is_time=column("is_time") > 0, unit=column("unit"),
        rates=encode_rates(machines, hardware(machines), [item.precision for item in kept]),
    ), refusals  # fmt: skip


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


def _read(row: Row) -> _Read:
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
    is_time = metric.startswith("latency")
    queue = metric == "inferences_per_s" or "latency limit" in row.get("unit", "").lower()
    batch = number(row, "batch", default=texts if texts > 0 else _USUAL_BATCH if queue else 1.0)
    tags = _tags(row, precision)
    return _Read(
        row=row, machine=machine_of(row, chip), arch=arch, tags=tags, precision=precision, tokens=tokens, batch=batch,
        clients=number(row, "concurrency", default=0.0) if "@served" in tags else 0.0, count=number(row, "n_gpus", default=1.0),
        is_time=is_time, unit=1000.0 if metric == "latency_ms" else tokens if metric == "tokens_per_s" else 1.0,
    )  # fmt: skip


def constants_of_rows(table: EncodeTable, calibration: Calibration) -> dict[str, FloatArray]:
    """Return the calibration's constants for every row."""
    return {
        name: constant_of_rows(calibration, f"encode.{name}", table.scopes, table.tags) for name in ENCODE_CONSTANTS
    }


def predict_encoding(table: EncodeTable, constants: Mapping[str, FloatArray]) -> FloatArray:
    """Return predictions in each row's own unit: a batch's time, or texts per second of all accelerators.

    A server that so many clients ask one text at a time is a closed loop: each waits a round trip and for its turn.
    """
    found = np.empty(len(table.rows))
    for arch in set(table.architectures):
        mine = np.asarray([other == arch for other in table.architectures])
        rates = EncodeRates(**{item.name: getattr(table.rates, item.name)[mine] for item in fields(EncodeRates)})
        held = EncodeConstants(**{name: constants[name][mine] for name in ENCODE_CONSTANTS})
        clients, batch = table.clients[mine], table.batch[mine]
        at_once = np.where(clients > 0, np.minimum(batch, np.maximum(clients, 1.0)), batch)
        batch_s = encode_s(arch, table.tokens[mine], at_once, rates=rates, constants=held)
        open_rate = table.count[mine] * at_once / batch_s
        closed_rate = np.maximum(clients, 1.0) / (held.round_trip_s + np.maximum(clients, at_once) * batch_s / at_once)
        rate = np.where(clients > 0, np.minimum(closed_rate, open_rate), open_rate)
        found[mine] = np.where(table.is_time[mine], batch_s, rate) * table.unit[mine]
    return found
