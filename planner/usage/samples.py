"""Samples of DCGM's counters as arrays, from any of the three shapes in which they are exported.

Lines with a metric and a value; lines with one column for each metric; or a column for each series, named like
``DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="n1"}``.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from zoneinfo import ZoneInfo

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.usage.fast_samples import MOST_VALUE, lines_by_column
from planner.usage.faults import Fault
from planner.usage.records import rows_of_file
from planner.usage.slices import slice_of
from planner.usage.sources import Source
from planner.usage.times import time_of_text

METRICS = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_DEV_POWER_USAGE")
NUMBER_OF = (
    {name: number for number, name in enumerate(METRICS)}
    | {"UTILIZATION.GPU": 1, "POWER.DRAW": 3}
    | dict.fromkeys(
        (
            "NVIDIA_GPU_DUTY_CYCLE",
            "NVIDIA_SMI_UTILIZATION_GPU_RATIO",
            "GPU_GFX_ACTIVITY",
            "AMD_GPU_GFX_ACTIVITY",
            "CONTAINER_ACCELERATOR_DUTY_CYCLE",
            "HABANALABS_UTILIZATION",
        ),
        1,
    )
    | dict.fromkeys(("NVIDIA_SMI_POWER_DRAW_WATTS", "GPU_PACKAGE_POWER", "AMD_GPU_PACKAGE_POWER"), 3)
)
"""UTILIZATION.GPU and POWER.DRAW are columns of ``nvidia-smi --query-gpu``, the rest is of other exporters than DCGM's."""
RATIOS = ("NVIDIA_SMI_UTILIZATION_GPU_RATIO",)
"""Of 1, where the others are percent."""
UNITS = re.compile(r"\s*(?:%|W|percent|watts?)$", re.IGNORECASE)
NOTHING = ("[N/A]", "[Not Supported]", "N/A")
TIME = ("timestamp", "time", "ts", "date")
METRIC = ("metric", "__name__", "metric_name", "name")
LABELS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
WHICH = (
    "uuid",
    "gpu_uuid",
    "gpu",
    "device",
    "index",
    "pci.bus_id",
    "pci_bus_id",
    "gpu_bus_id",
    "gpu_id",
    "gpu_index",
    "serial",
    "gpu_serial",
    "minor_number",
    "accelerator_id",
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
    """One accelerator or slice of one: on which machine it is, its model where a label tells it, its part of `whole`."""

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


class _Reader:
    """Collects samples; a label text is looked into once."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.owner, self.metric = array("q"), array("q")
        self.at_s, self.value = array("d"), array("d")
        self.owners: dict[Owner, int] = {}
        self.cards: list[Card] = []
        self.number_of: dict[tuple[str, str, str], int] = {}
        self.seen: dict[tuple[str, ...], int] = {}
        self.times: dict[str, float | None] = {}
        self.rows = 0

    def owner_of(self, labels: dict[str, str]) -> int:
        """Return the number of whoever has these labels."""
        key = (_first(labels, HOST), _first(labels, WHICH), _first(labels, SLICE))
        if key not in self.number_of:
            whole = self.number_of.setdefault((key[0], key[1], "whole"), len(self.number_of))
            self.number_of[key] = len(self.cards)
            part = slice_of(_first(labels, PROFILE)) if key[2] else None
            self.cards.append(Card(key[0], whole=whole, share=part[1] if part else 1.0, is_slice=bool(key[2])))
        card = self.number_of[key]
        self.cards[card].model = _first(labels, MODEL) or self.cards[card].model
        told = [name for name in POD if name in labels]
        has_pod = int(any(labels[name] for name in told)) if told else -1
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
        """Read one file."""
        lines = rows_of_file(source)
        _, header = next(lines, (0, []))
        names = [cell.strip() for cell in header]
        lower = [name.lower() for name in names]
        time = next((lower.index(name) for name in TIME if name in lower), None)
        if time is None:
            faults.append(Fault(what="it has no column of time", where=source.name, hint="timestamp"))
            return
        metric = next((lower.index(name) for name in METRIC if name in lower), None) if "value" in lower else None
        if "utilization.gpu [%]" in lower or "utilization.gpu" in lower:
            lower = ["modelname" if name == "name" else name for name in lower]
        value = lower.index("value") if metric is not None else -1
        labels = [(place, name) for place, name in enumerate(lower) if name in READ]
        columns = []
        for place, name in enumerate(names):
            told = {key.lower(): text for key, text in LABELS.findall(name)}
            called = re.split(r"[{\[]", name, maxsplit=1)[0].strip() or told.get("__name__", "")
            number = NUMBER_OF.get(called.upper())
            if number is not None:
                columns.append((place, number, self.owner_of(told) if "{" in name else None))
        is_nameless = metric is None and not {*WHICH} & {*lower} and all(own is None for _, _, own in columns)
        is_plain = len(set(lower)) == len(lower) and not is_nameless and all(own is None for _, _, own in columns)
        if is_plain and self._read_fast(
            source,
            names[time],
            [(names[value], -1)] if metric is not None else [(names[place], number) for place, number, _ in columns],
            names[metric] if metric is not None else "",
            [(names[place], name) for place, name in labels],
        ):
            return
        turn, turn_at = 0, ""
        first_bad = bad = 0
        places = [place for place, _ in labels]
        # Of one place an item getter returns a text, of none nothing can be got.
        key_of = itemgetter(*places) if len(places) > 1 else lambda cells: tuple(cells[place] for place in places)
        for line, cells in lines:
            self.rows += 1
            at = self.time_of(cells[time]) if len(cells) == len(names) else None
            if at is None:
                first_bad, bad = first_bad or line, bad + 1
                continue
            owner = self._owner_of_line(labels, key_of(cells), cells) if labels or metric is not None else None
            is_bad = False
            if metric is not None:
                said = cells[metric].strip().upper()
                number = NUMBER_OF.get(said)
                if number is not None:
                    is_bad = not self._add(owner, number, at, cells[value], 100.0 if said in RATIOS else 1.0)
            else:
                if is_nameless:  # of several lines of one time each is another accelerator
                    turn, turn_at = (turn + 1, turn_at) if cells[time] == turn_at else (0, cells[time])
                    owner = self.owner_of({name: cells[place].strip() for place, name in labels} | {"index": str(turn)})
                for place, number, own in columns:
                    whose = own if own is not None else owner
                    is_bad |= not self._add(self.owner_of({}) if whose is None else whose, number, at, cells[place])
            if is_bad:
                first_bad, bad = first_bad or line, bad + 1
        if bad:
            faults.append(Fault(what="lines without a time (2000 to 2100) or with a value that is not a number", where=f"{source.name}:{first_bad}", rows=bad))  # fmt: skip

    def _read_fast(
        self,
        source: Source,
        time: str,
        values: Sequence[tuple[str, int]],
        metric: str,
        labels: Sequence[tuple[str, str]],
    ) -> bool:
        """Read a large file by its columns; say whether that was possible.

        Each column of values has the number of its metric, unless a column of words names the metric of each line; each
        column of labels has the label's name.
        """
        words = [*([metric] if metric else []), *(column for column, _ in labels)]
        found = lines_by_column(source.path, time, [name for name, _ in values], words, self.time_of)
        if found is None:
            return False
        is_long = bool(metric)
        said = [kind[0].strip().upper() if is_long else "" for kind in found.kinds]
        owners = [self.owner_of(dict(zip((name for _, name in labels), map(str.strip, kind[is_long:]), strict=True))) if name in NUMBER_OF or not is_long else 0 for name, kind in zip(said, found.kinds, strict=True)]  # fmt: skip
        owner = np.array(owners, dtype=np.int64)[found.which]
        factor = np.array([100.0 if name in RATIOS else 1.0 for name in said])[found.which]
        named = np.array([NUMBER_OF.get(name, -1) for name in said], dtype=np.int64)[found.which]
        for (_, number), value in zip(values, found.values, strict=True):
            numbers = named if is_long else np.full(len(value), number)
            counts = (numbers >= 0) & ~np.isnan(value)
            self.owner.frombytes(owner[counts].tobytes())
            self.metric.frombytes(numbers[counts].tobytes())
            self.at_s.frombytes(found.at_s[counts].tobytes())
            self.value.frombytes((value * factor)[counts].tobytes())
        self.rows += len(owner)
        return True

    def _owner_of_line(self, labels: Sequence[tuple[int, str]], key: tuple[str, ...], cells: Sequence[str]) -> int:
        found = self.seen.get(key)
        if found is None:
            found = self.owner_of({name: cells[place].strip() for place, name in labels})
            if len(self.seen) > 100_000:
                self.seen.clear()
            self.seen[key] = found
        return found

    def _add(self, owner: int | None, metric: int, at: float, text: str, factor: float = 1.0) -> bool:
        """Keep a sample; say whether the text is a number, or nothing (NaN and an empty cell measure nothing)."""
        try:
            value = float(text)
        except ValueError:
            try:
                value = float(UNITS.sub("", text.strip()))
            except ValueError:
                return not text.strip() or text.strip() in NOTHING
        if math.isnan(value):
            return True
        if abs(value) > MOST_VALUE or owner is None:
            return False
        self.owner.append(owner)
        self.metric.append(metric)
        self.at_s.append(at)
        self.value.append(value * factor)
        return True


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
        reader.seen.clear()  # another file's labels stand in another order
        reader.read(source, faults)
    return Samples(
        owner=np.frombuffer(reader.owner, dtype=np.int64),
        metric=np.frombuffer(reader.metric, dtype=np.int64),
        at_s=np.frombuffer(reader.at_s, dtype=float),
        value=np.frombuffer(reader.value, dtype=float),
        owners=tuple(reader.owners),
        cards=tuple(reader.cards),
        rows=reader.rows,
    )


def _first(labels: dict[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
