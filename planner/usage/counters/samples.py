"""Samples of DCGM's counters as arrays, from any of the three shapes in which they are exported.

Lines with a metric and a value; lines with one column for each metric; or a column for each series, named like
``DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="n1"}``.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.usage.counters.columns import MOST_VALUE, Lines, lines_by_column
from planner.usage.faults import Fault
from planner.usage.hours import time_of_text
from planner.usage.machine_types import slice_of
from planner.usage.records import rows_of_file
from planner.usage.sources import Source

METRICS = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_DEV_POWER_USAGE")
UTILIZATION = (
    "UTILIZATION.GPU NVIDIA_GPU_DUTY_CYCLE NVIDIA_SMI_UTILIZATION_GPU_RATIO GPU_GFX_ACTIVITY AMD_GPU_GFX_ACTIVITY "
    "CONTAINER_ACCELERATOR_DUTY_CYCLE HABANALABS_UTILIZATION"
)
POWER = "POWER.DRAW NVIDIA_SMI_POWER_DRAW_WATTS GPU_PACKAGE_POWER AMD_GPU_PACKAGE_POWER"
NUMBER_OF = (
    {name: number for number, name in enumerate(METRICS)}
    | dict.fromkeys(UTILIZATION.split(), 1)
    | dict.fromkeys(POWER.split(), 3)
)
"""UTILIZATION.GPU and POWER.DRAW are columns of ``nvidia-smi --query-gpu``, the rest is of other exporters than DCGM's."""
RATIOS = ("NVIDIA_SMI_UTILIZATION_GPU_RATIO",)
"""Of 1, where the others are percent."""
UNITS = re.compile(r"\s*(?:%|W|percent|watts?)$", re.IGNORECASE)
NOTHING = ("", "[N/A]", "[Not Supported]", "N/A")
TIME = ("timestamp", "time", "ts", "date")
METRIC = ("metric", "__name__", "metric_name", "name")
LABELS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
WHICH = tuple(
    "uuid gpu_uuid gpu device index pci.bus_id pci_bus_id gpu_bus_id gpu_id gpu_index serial gpu_serial minor_number "
    "accelerator_id".split()
)
SLICE, PROFILE = ("gpu_i_id",), ("gpu_i_profile",)
HOST = ("hostname", "instance", "node", "kubernetes_node", "exported_instance")
MODEL = ("modelname", "model", "gpu_model", "gpu_name")
POD = ("exported_pod", "pod", "pod_name", "hpc_job", "exported_container", "container")
OWNER = ("exported_namespace", "namespace", "account", "team")
READ = frozenset((*WHICH, *SLICE, *PROFILE, *HOST, *MODEL, *POD, *OWNER))
"""Labels that are read; the others (a job of Prometheus, a driver's version) may differ in every line."""


@dataclass(slots=True)
class Card:
    """One accelerator or slice: its machine, its model if a label names it, and its share of `whole`."""

    host: str
    model: str = ""
    whole: int = 0
    share: float = 1.0
    is_slice: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an accelerator was at a time.

    Attributes
    ----------
    card : int
        Place in `Samples.cards`.
    account : str
        Namespace or account.
    has_pod : int
        1 where a label names a pod or job, 0 where that label is empty, -1 where there is none.
    pod : str
        Its name; several may share an accelerator at a time.
    """

    card: int
    account: str
    has_pod: int
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples, as they came.

    Attributes
    ----------
    owner, metric : IntArray, shape (samples,)
        Places in `owners` and `METRICS`.
    at_s, value : FloatArray, shape (samples,)
        Seconds since 1970, and what was measured.
    owners : tuple of Owner
        Whose.
    cards : tuple of Card
        Of what.
    rows : int
        Lines.
    """

    owner: IntArray
    metric: IntArray
    at_s: FloatArray
    value: FloatArray
    owners: tuple[Owner, ...]
    cards: tuple[Card, ...]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Which columns of a file hold what: labels of words, and values with the number of their metric and (where their header names it) their owner.

    `metric` is the column that names the metric of each line; then there is one column of values, of whatever metric.
    """

    names: list[str]
    time: int
    metric: int | None
    values: list[tuple[int, int, int | None]]
    labels: list[tuple[int, str]]
    is_nameless: bool

    @property
    def words(self) -> list[int]:
        """The columns of words: the metric's first."""
        return [*([self.metric] if self.metric is not None else []), *(place for place, _ in self.labels)]


class _Reader:
    """Collects samples; a time's text is looked into once."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.parts: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
        self.owners: dict[Owner, int] = {}
        self.cards: list[Card] = []
        self.number_of: dict[tuple[str, str, str], int] = {}
        self.times: dict[str, float | None] = {}
        self.rows = 0

    def owner_of(self, labels: dict[str, str]) -> int:
        """Return the number of the accelerator or slice with these labels."""
        key = (_first(labels, HOST), _first(labels, WHICH), _first(labels, SLICE))
        if key not in self.number_of:
            whole = self.number_of.setdefault((key[0], key[1], "whole"), len(self.number_of))
            self.number_of[key] = len(self.cards)
            part = slice_of(_first(labels, PROFILE)) if key[2] else None
            self.cards.append(Card(key[0], whole=whole, share=part[1] if part else 1.0, is_slice=bool(key[2])))
        card = self.number_of[key]
        self.cards[card].model = _first(labels, MODEL) or self.cards[card].model
        pods = [labels[name] for name in POD if name in labels]
        has_pod = int(any(pods)) if pods else -1
        owner = Owner(card, _first(labels, OWNER), has_pod, _first(labels, POD))
        return self.owners.setdefault(owner, len(self.owners))

    def time_of(self, text: str) -> float | None:
        """Return a time in seconds; all accelerators of a scrape have the same text."""
        if text not in self.times:
            if len(self.times) > 100_000:
                self.times.clear()
            self.times[text] = time_of_text(text, self.zone)
        return self.times[text]

    def read(self, source: Source, faults: list[Fault]) -> None:
        """Read one file: by its columns where it is large and nothing in it is odd, else line by line."""
        rows = rows_of_file(source)
        _, header = next(rows, (0, []))
        layout = self._layout([cell.strip() for cell in header])
        if layout is None:
            faults.append(Fault(what="it has no column of time", where=source.name, hint="timestamp"))
            return
        lines = None
        lower = [name.lower() for name in layout.names]
        if len(set(lower)) == len(lower) and not layout.is_nameless and all(own is None for _, _, own in layout.values):
            values, words = ([layout.names[place] for place in places] for places in ([place for place, _, _ in layout.values], layout.words))  # fmt: skip
            lines = lines_by_column(source.path, layout.names[layout.time], values, words, self.time_of)
        if lines is None:
            lines = self._lines_by_row(source.name, rows, layout, faults)
        else:
            self.rows += len(lines.at_s)
        self._keep(lines, layout)

    def _layout(self, names: list[str]) -> _Layout | None:
        """Return what a header says of the columns; None without a column of time."""
        lower = [name.lower() for name in names]
        time = next((lower.index(name) for name in TIME if name in lower), None)
        if time is None:
            return None
        metric = next((lower.index(name) for name in METRIC if name in lower), None) if "value" in lower else None
        values: list[tuple[int, int, int | None]] = []
        if metric is not None:
            values.append((lower.index("value"), -1, None))
        else:
            for place, name in enumerate(names):
                labels = {key.lower(): text for key, text in LABELS.findall(name)}
                called = re.split(r"[{\[]", name, maxsplit=1)[0].strip() or labels.get("__name__", "")
                number = NUMBER_OF.get(called.upper())
                if number is not None:
                    values.append((place, number, self.owner_of(labels) if "{" in name else None))
        if "utilization.gpu [%]" in lower or "utilization.gpu" in lower:
            lower = ["modelname" if name == "name" else name for name in lower]
        return _Layout(
            names=names,
            time=time,
            metric=metric,
            values=values,
            labels=[(place, name) for place, name in enumerate(lower) if name in READ],
            is_nameless=metric is None and not {*WHICH} & {*lower} and all(own is None for _, _, own in values),
        )

    def _lines_by_row(
        self, name: str, rows: Iterable[tuple[int, list[str]]], layout: _Layout, faults: list[Fault]
    ) -> Lines:
        """Return the metrics on a file's lines; lines that are no sample are counted in a fault."""
        kinds: dict[tuple[str, ...], int] = {}
        which, at_s, values = array("q"), array("d"), [array("d") for _ in layout.values]
        bad = array("q")
        words, turn, turn_at = layout.words, 0, ""
        for line, cells in rows:
            self.rows += 1
            at = self.time_of(cells[layout.time]) if len(cells) == len(layout.names) else None
            if at is None:
                bad.append(line)
                continue
            if layout.metric is not None and cells[layout.metric].strip().upper() not in NUMBER_OF:
                continue
            kind = [cells[place] for place in words]
            if layout.is_nameless:  # of several lines of one time each is another accelerator
                turn, turn_at = (turn + 1, turn_at) if cells[layout.time] == turn_at else (0, cells[layout.time])
                kind.append(str(turn))
            numbers = [_number(cells[place]) for place, _, _ in layout.values]
            if None in numbers:
                bad.append(line)
            which.append(kinds.setdefault(tuple(kind), len(kinds)))
            at_s.append(at)
            for column, number in zip(values, numbers, strict=True):
                column.append(math.nan if number is None else number)
        if bad:
            faults.append(Fault(what="lines without a time (2000 to 2100) or with a value that is not a number", where=f"{name}:{bad[0]}", rows=len(bad)))  # fmt: skip
        return Lines(
            np.frombuffer(which, dtype=np.int64),
            [list(kind) for kind in kinds],
            np.frombuffer(at_s, dtype=float),
            tuple(np.frombuffer(column, dtype=float) for column in values),
        )

    def _keep(self, lines: Lines, layout: _Layout) -> None:
        """Keep the samples of a file's lines."""
        has_metric = layout.metric is not None
        metrics = [kind[0].strip().upper() if has_metric else "" for kind in lines.kinds]
        labels = [name for _, name in layout.labels] + ["index"] * layout.is_nameless
        is_read = not has_metric and any(own is None for _, _, own in layout.values)
        owners = [
            self.owner_of(dict(zip(labels, map(str.strip, kind[has_metric:]), strict=True)))
            if is_read or metric in NUMBER_OF
            else 0
            for metric, kind in zip(metrics, lines.kinds, strict=True)
        ]
        owner = np.array(owners, dtype=np.int64)[lines.which]
        factor = np.array([100.0 if metric in RATIOS else 1.0 for metric in metrics])[lines.which]
        numbers = np.array([NUMBER_OF.get(metric, -1) for metric in metrics], dtype=np.int64)[lines.which]
        for (_, number, own), value in zip(layout.values, lines.values, strict=True):
            of_column = numbers if has_metric else np.full(len(value), number)
            counts = (of_column >= 0) & ~np.isnan(value)
            whose = owner if own is None else np.full(len(value), own)
            self.parts.append((whose[counts], of_column[counts], lines.at_s[counts], (value * factor)[counts]))


def read_samples(sources: Sequence[Source], zone: ZoneInfo, faults: list[Fault]) -> Samples:
    """Read the samples of the four counters that are used.

    Parameters
    ----------
    sources : sequence of Source
        CSV.
    zone : ZoneInfo
        Of times that do not say theirs.
    faults : list of Fault
        What cannot be read is added here.
    """
    reader = _Reader(zone)
    for source in sources:
        reader.read(source, faults)
    nothing = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    owner, metric, at_s, value = (np.concatenate(column) for column in zip(nothing, *reader.parts, strict=True))
    return Samples(
        owner=owner,
        metric=metric,
        at_s=at_s,
        value=value,
        owners=tuple(reader.owners),
        cards=tuple(reader.cards),
        rows=reader.rows,
    )


def _first(labels: dict[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _number(text: str) -> float | None:
    """Return the measured value, NaN for none; None where a counter cannot have this value."""
    try:
        number = float(text)
    except ValueError:
        try:
            number = float(UNITS.sub("", text.strip()))
        except ValueError:
            return math.nan if text.strip() in NOTHING else None
    return None if abs(number) > MOST_VALUE else number
