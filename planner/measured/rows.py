"""Rows: a measured table read line by line, and what its columns say of model and machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.demand.architecture import Architecture
from planner.demand.models import known_model
from planner.errors import InputError
from planner.fact_rows import fact_rows
from planner.inputs.delimited import rows_of
from planner.inputs.reading import read_text
from planner.supply.calibration import Calibration, scopes
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Machine
from pricing.errors import GpuplanError
from pricing.facts.accelerator_rows import Accelerator
from pricing.facts.accelerators import accelerators, resolve_all

Row = Mapping[str, str]
Read = TypeVar("Read")
Rates = TypeVar("Rates")

LARGEST_TABLE_BYTES = 50_000_000
KINDS = {
    "kinds": {"task", "metric", "value", "unit", "engine"},
    "training": {"tokens_per_s_per_gpu", "method", "seq_len"},
    "inference": {"input_len", "output_len"},
    "memory": {"value", "unit", "memory_metric"},
}
"""Columns by which a table's sort is known."""


def kind_of(columns: Sequence[str]) -> str | None:
    """Return ``kinds``, ``training``, ``inference`` or ``memory`` by the columns, or None.

    Examples
    --------
    >>> kind_of(["id", "input_len", "output_len", "ttft_ms"])
    'inference'
    """
    return next((kind for kind, needed in KINDS.items() if needed <= set(columns)), None)


def read_rows(path: Path) -> tuple[str, list[Row]]:
    """Return what sort of table a file holds, and its rows.

    Raises
    ------
    InputError
        Where the file cannot be read, is empty, or has none of the three sets of columns.
    """
    return _parse(*read_text(str(path), LARGEST_TABLE_BYTES))


def _parse(text: str, where: str) -> tuple[str, list[Row]]:
    lines = rows_of(text.splitlines(), where)
    _, header = next(lines, (0, []))
    kind = kind_of(header)
    if kind is None:
        needed = "; ".join(f"{name}: {', '.join(sorted(columns))}" for name, columns in KINDS.items())
        raise InputError(
            "these are not the columns of measured rows",
            hint=f"needed, beside id, model and gpu, are {needed}",
            where=where,
        )
    rows: list[Row] = [
        {key: value.strip() for key, value in zip_longest(header, cells[: len(header)], fillvalue="")}
        for _, cells in lines
        if cells
    ]
    if not rows:
        raise InputError("the file has a header and no rows", where=where)
    return kind, rows


@cache
def shipped_rows(kind: str) -> tuple[Row, ...]:
    """Return the measured rows that the package ships: ``training``, ``inference``, ``memory`` or ``kinds``."""
    text = resources.files("planner").joinpath("facts", f"measured_{kind}.csv").read_text(encoding="utf-8")
    return tuple(_parse(text, f"measured_{kind}.csv")[1])


SMALLEST_NUMBER, LARGEST_NUMBER = 1e-12, 1e15
"""No column of a measured table holds more, or less but nothing."""


def kept_rows(rows: Sequence[Row], read: Callable[[Row], Read]) -> tuple[list[Read], dict[str, str]]:
    """Return what was read of each row that can be predicted, and for every other one, by its id or number, why not."""
    kept: list[Read] = []
    refusals: dict[str, str] = {}
    for index, row in enumerate(rows):
        try:
            kept.append(read(row))
        except GpuplanError as error:
            refusals[row.get("id", "") or str(index + 1)] = error.message
    return kept, refusals


def number(row: Row, *names: str, default: float = float("nan")) -> float:
    """Return the first of the columns that holds a number."""
    for name in names:
        text = row.get(name, "")
        if text:
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if not (value == 0 or SMALLEST_NUMBER <= abs(value) <= LARGEST_NUMBER):  # refuses NaN, too
                raise InputError(f"{name} must be a number, got {text[:60]!r}", where=f"row {row.get('id', '?')}")
            return value
    return default


@cache
def _hosts() -> tuple[tuple[str, Accelerator], ...]:
    """Return hosts that no cloud sells as accelerators (Apple, Jetson, CPUs), with the pattern that names them."""
    hosts = []
    for line in fact_rows("hosts"):
        chip = Accelerator(
            name=line["name"],
            vendor=line["architecture"],
            architecture=line["architecture"],
            market_class="consumer",
            memory_gib=float(line["memory_gib"]),
            memory_nominal_gb=float(line["memory_gib"]),
            memory_bandwidth_gb_per_s=float(line["memory_bandwidth_gb_per_s"]),
            fp32_dense_tflop_per_s=float(line["fp32_dense_tflop_per_s"]),
            fp16_dense_tflop_per_s=float(line["fp16_dense_tflop_per_s"]) if line["fp16_dense_tflop_per_s"] else None,
            bf16_dense_tflop_per_s=float(line["bf16_dense_tflop_per_s"]) if line["bf16_dense_tflop_per_s"] else None,
            launch_year=2020,
            source=line["source"],
            retrieved_on=date.fromisoformat(line["retrieved_on"]),
        )
        hosts.append((line["pattern"], chip))
    return tuple(sorted(hosts, key=lambda item: -len(item[0])))


def _is_detail(word: str, chip: Accelerator) -> bool:
    """Tell whether a word says nothing of which chip it is: its cores, its sockets, memory that it comes with."""
    if size := re.fullmatch(r"(\d+)gb", word):
        return chip.architecture == "Apple" or abs(float(size[1]) - chip.memory_gib) <= 0.15 * chip.memory_gib
    return word.isdigit() or word in {"cpu", "1s", "core", "cores", "gpu", "intel", "amd", "processor"}


def accelerator_of(name: str) -> Accelerator | None:
    """Return the accelerator (or host) that a row names, or None."""
    if name in accelerators():
        return accelerators()[name]
    stated = set(re.findall(r"[a-z0-9.]+", re.sub(r"\(.*?\)", " ", name.lower())))
    for pattern, chip in _hosts():  # the longest pattern first
        rest = stated - set(pattern.split())
        # A word that is left over names another chip ("Apple M3 Ultra" is no M3), unless it says how much there is of it.
        if stated.issuperset(pattern.split()) and all(_is_detail(word, chip) for word in rest):
            return chip
    try:
        chips = resolve_all(name)
    except GpuplanError:
        return None
    return chips[0] if chips else None


def chip_of(row: Row) -> Accelerator:
    """Return the accelerator of a row.

    Raises
    ------
    InputError
        Nothing is known of it.
    """
    chip = accelerator_of(row.get("gpu", ""))
    if chip is None:
        raise InputError(f"unknown accelerator {row.get('gpu', '')!r}", where=f"row {row.get('id', '?')}")
    return chip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """A row as a formula takes it.

    Attributes
    ----------
    row, machine, arch : Row, Machine, Architecture
        The row, the box that it ran in, and its model.
    prefix, tags : str, tuple of str
        Under which name its constants stand in the calibration, and how it was run, in the calibration's words.
    precision : str
        Number format of the products.
    observed : float
        What was measured, in the unit of the prediction.
    figures : mapping of str to float
        The formula's other inputs, by name.
    """

    row: Row
    machine: Machine
    arch: Architecture
    prefix: str
    tags: tuple[str, ...]
    precision: str
    observed: float
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTable(Generic[Rates]):
    """Rows that can be predicted, as columns; `columns` are their figures, and `rates` what their hardware gives."""

    rows: tuple[Row, ...]
    scopes: tuple[tuple[str, ...], ...]
    prefixes: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    architectures: tuple[Architecture, ...]
    observed: FloatArray
    columns: Mapping[str, FloatArray]
    rates: Rates

    def constants(self, calibration: Calibration, names: Sequence[str]) -> dict[str, FloatArray]:
        """Return the calibration's constants for every row."""
        places = list(zip(self.prefixes, self.scopes, self.tags, strict=True))
        return {
            name: np.asarray([calibration.value_at(f"{prefix}.{name}", where, how) for prefix, where, how in places], dtype=float)
            for name in names
        }  # fmt: skip

    def groups(self, *names: str) -> Iterator[tuple[tuple[Any, ...], IntArray]]:
        """Yield each model with values of these columns, and the rows that have them: a formula takes one model at a time."""
        places: dict[tuple[Any, ...], list[int]] = {}
        for place, arch in enumerate(self.architectures):
            places.setdefault((arch, *(float(self.columns[name][place]) for name in names)), []).append(place)
        for key, mine in places.items():
            yield key, np.asarray(mine)


def row_table(
    rows: Sequence[Row], read: Callable[[Row], ReadRow],
    rates_of: Callable[[Sequence[Machine], Hardware, Sequence[ReadRow]], Rates],
) -> tuple[RowTable[Rates], dict[str, str]]:  # fmt: skip
    """Return the rows that can be predicted as columns, and for every other one why not."""
    kept, refusals = kept_rows(rows, read)
    machines = [item.machine for item in kept]
    names = kept[0].figures if kept else ()
    return RowTable(
        rows=tuple(item.row for item in kept), scopes=tuple(scopes(machine) for machine in machines),
        prefixes=tuple(item.prefix for item in kept), tags=tuple(item.tags for item in kept), architectures=tuple(item.arch for item in kept),
        observed=np.asarray([item.observed for item in kept], dtype=float),
        columns={name: np.asarray([item.figures[name] for item in kept], dtype=float) for name in names},
        rates=rates_of(machines, hardware(machines), kept),
    ), refusals  # fmt: skip


def predicted_rows(rows: Sequence[Row], predict: Callable[[Row], float]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the prediction for each row by its id, and why other rows have none."""
    kept, refusals = kept_rows(rows, lambda row: (row["id"], predict(row)))
    return dict(kept), refusals


def machine_of(row: Row, chip: Accelerator) -> Machine:
    """Return the box that a row's accelerators sat in: eight of them, or all, with the network that the row states."""
    count = number(row, "n_gpus", default=1.0)
    nodes = number(row, "nodes", default=0.0)
    each = count / nodes if nodes > 1 else min(count, 8.0)
    if 8 < chip.scale_up_count < 1024:
        each = min(count, float(chip.scale_up_count))  # racks that are one domain count as one machine
    network, speed = _network(row.get("interconnect", ""), chip, each)
    return Machine(
        accelerator=chip,
        accelerator_count=max(1.0, each),
        network=network,
        network_gb_per_s_each_way=speed,
        memory_gib=2048.0,
    )


_MODERN = {"Hopper": 50.0, "Blackwell": 50.0, "Blackwell Ultra": 100.0, "Ampere": 25.0, "CDNA3": 50.0, "Volta": 12.5}
"""One-way GB/s of the network card that a data-centre accelerator of that generation usually has for itself."""


def _network(text: str, chip: Accelerator, each: float) -> tuple[str, float]:
    """Return kind and one-way GB/s of a box's network out of the words of the source."""
    low = text.lower()
    per_node = re.search(r"(\d+)\s*gb/s (roce|tcpx|[a-z ]*)per node", low) or re.search(
        r"(\d+) gb/s roce per node", low
    )
    cards = re.search(r"(\d+)\s*x\s*(\d+)\s*gb/s", low)
    per_gpu = re.search(r"(\d+)\s*gb/s[a-z ]*per gpu", low)
    if "tcpx" in low or "tcp" in low:
        return "ethernet", 200.0
    if cards:
        return "infiniband", float(cards.group(1)) * float(cards.group(2)) / 8.0
    if per_gpu:
        return "infiniband", float(per_gpu.group(1)) / 8.0 * each
    if per_node:
        return "infiniband", float(per_node.group(1)) / 8.0
    return "infiniband", _MODERN.get(chip.architecture, 12.5) * each


def architecture_of(row: Row) -> Architecture:
    """Return the model that a row names, else the one that its numbers describe.

    Raises
    ------
    InputError
        Where neither the name nor the numbers tell.
    """
    name = row.get("model", "")
    seq = int(number(row, "seq_len", default=2048.0) or 2048)
    layers, hidden = number(row, "layers", default=0.0), number(row, "hidden", default=0.0)
    heads = number(row, "heads", default=0.0)
    try:
        arch = known_model(name)
    except InputError:
        if not (layers and hidden and heads):
            raise InputError(
                f"unknown model {name!r}, and its layers, hidden and heads are not all stated",
                where=f"row {row.get('id', '?')}",
            ) from None
        return _from_numbers(row, int(layers), int(hidden), int(heads))
    if layers and int(layers) != arch.layers:
        return _from_numbers(row, int(layers), int(hidden), int(heads))
    if name.startswith("mpt") and seq > 1:
        arch = replace(arch, learned_positions=seq, max_context_tokens=0)
    return arch


def _from_numbers(row: Row, layers: int, hidden: int, heads: int) -> Architecture:
    experts = int(number(row, "n_experts", default=0.0) or 0)
    ffn = int(number(row, "ffn", default=4.0 * hidden) or 4 * hidden)
    gated = row.get("gated_mlp", "") not in {"0", "0.0"}
    head_dim = int(number(row, "head_dim", default=hidden / heads) or hidden // heads)
    return Architecture(
        name=row.get("model", "") or "unnamed",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=int(number(row, "kv_heads", default=float(heads)) or heads),
        head_dim=head_dim,
        ffn=0 if experts else ffn,
        vocab=int(number(row, "vocab", default=32_000.0) or 32_000),
        gated_mlp=gated,
        tied_embeddings=row.get("tied_embeddings", "") in {"1", "1.0"},
        experts=experts,
        experts_per_token=int(number(row, "top_k", default=1.0) or 1) if experts else 0,
        expert_ffn=int(number(row, "moe_ffn", default=float(ffn)) or ffn) if experts else 0,
        norm="rms" if gated else "layer",
        qkv_bias=not gated,
        output_bias=not gated,
        mlp_bias=not gated,
        source="numbers of the row",
    )
