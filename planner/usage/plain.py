"""A plain table of times and accelerators as accelerator-hours."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from planner.notes import Note, NoteCode
from planner.usage.faults import Fault
from planner.usage.file_kinds import ACCOUNT, AMOUNT, END, GPU, HOURS, TIME, folded
from planner.usage.hours import LONGEST_S, SINCE_S, UNTIL_S, seconds_of_text, zone_of
from planner.usage.records import Records, Stretch, canonical_gpu, records_of, rows_of_file
from planner.usage.sources import Source

NOBODY = ("__idle__", "__unmounted__")
"""What OpenCost and Kubecost call capacity that no pod held."""
MOST_HOUR_NUMBER = 1_000_000
"""Smaller whole numbers are hours from the beginning of a curve, as `gpuplan mix` reads them, and no times."""
MOST_GPUS = 1e9
"""There are no more; sums of larger numbers would mean nothing."""


@dataclass(slots=True)
class _Faulty:
    """Lines that do not count, and what nobody held."""

    bad: list[int] = field(default_factory=list)
    endless: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    idle_hours: float = 0.0

    def faults(self, name: str) -> Iterator[Fault]:
        """Return what to say of them."""
        kinds = (
            (
                self.bad,
                Fault(what="lines without a time (2000 to 2100) or a number of GPUs", hint="2026-10-31T13:00:00Z"),
            ),
            (self.endless, Fault(what="lines that would hold for more than a year", hint="is a date mistyped?")),
            (self.running, Fault(what="lines without an end: what still runs", hint="ask again when it has ended")),
        )
        yield from (replace(fault, where=f"{name}:{min(lines)}", rows=len(lines)) for lines, fault in kinds if lines)


def read_plain(sources: Sequence[Source], *, basis: str = "allocated", timezone: str = "") -> Records:
    """Read tables with a time and a number of accelerators in each line; each holds until the next.

    Parameters
    ----------
    sources : sequence of Source
        CSV with ``timestamp,gpus`` and perhaps ``gpu`` and ``account``.
    basis : str
        What the numbers are; nobody but the user can know.
    timezone : str
        Of times that do not say theirs.
    """
    zone = zone_of(timezone or "UTC")
    stretches: list[Stretch] = []
    faults: list[Fault] = []
    rows, idle_hours = 0, 0.0
    for source in sources:
        lines = rows_of_file(source)
        _, header = next(lines, (0, []))
        names = [folded(cell) for cell in header]
        places = [
            next((names.index(name) for name in spellings if name in names), None)
            for spellings in (TIME, END, AMOUNT, HOURS, GPU, ACCOUNT)
        ]
        time, end, amount, hours = places[:4]
        if time is None or (amount is None and (hours is None or end is None)):
            faults.append(Fault(what="it has no column timestamp and no column gpus", where=source.name))
            continue
        body = list(lines)
        rows += len(body)
        labels = _label_columns(body, len(names), {time, end, amount, hours} - {None})
        faulty = _Faulty()
        held = _held(body, places, zone, faulty) if end is not None else _points(body, places, labels, zone, faulty)
        for at, until, gpus, kind, owner, line in held:
            if until - at > LONGEST_S:
                faulty.endless.append(line)
            elif gpus > 0:
                stretches.append(Stretch(at, until, gpus, basis, gpu=canonical_gpu(kind), account=owner))
        faults += faulty.faults(source.name)
        idle_hours += faulty.idle_hours
    notes = [Note(NoteCode.BASIS_OF_TABLE, (basis,))]
    if idle_hours:
        notes.append(Note(NoteCode.IDLE_ALLOCATIONS, (idle_hours,)))
    return records_of(stretches, "plain", rows=rows, faults=faults, notes=notes)


Lines = Sequence[tuple[int, list[str]]]
Places = Sequence[int | None]
Held = tuple[float, float, float, str, str, int]
"""From when to when, how many accelerators of what kind and whose, and on which line."""


def _held(body: Lines, places: Places, zone: ZoneInfo, faulty: _Faulty) -> Iterator[Held]:
    """Return what lines with a start and an end say."""
    time, end, amount, hours, gpu, account = places
    for line, cells in body:
        at, until = _at(_cell(cells, time), zone), _at(_cell(cells, end), zone)
        number = _number(_cell(cells, amount if amount is not None else hours))
        if at is not None and number is not None and not _cell(cells, end):
            faulty.running.append(line)
        elif at is None or number is None or until is None or until <= at:
            faulty.bad.append(line)
        else:
            gpus = number if amount is not None else number / ((until - at) / 3600.0)
            if any(name in cell for name in NOBODY for cell in cells):
                faulty.idle_hours += gpus * (until - at) / 3600.0
            else:
                yield at, until, gpus, _cell(cells, gpu), _cell(cells, account), line


def _points(body: Lines, places: Places, labels: Sequence[int], zone: ZoneInfo, faulty: _Faulty) -> Iterator[Held]:
    """Return what lines with a time say; each holds until the next of its curve."""
    time, _, amount, _, gpu, account = places
    series: dict[tuple[str, ...], dict[float, tuple[float, int]]] = {}
    days = True
    for line, cells in body:
        at, number = _at(_cell(cells, time), zone), _number(_cell(cells, amount))
        if at is None or number is None:
            faulty.bad.append(line)
            continue
        days &= len(_cell(cells, time)) == len("2026-10-01")
        # Lines of one time that differ in nothing that is known of them are several, and add up.
        key = (_cell(cells, gpu), _cell(cells, account), *(_cell(cells, place) for place in labels))
        points = series.setdefault(key, {})
        points[at] = (points.get(at, (0.0, line))[0] + number, line)
    all_times = sorted({at for points in series.values() for at in points})
    step_of_all = median(b - a for a, b in pairwise(all_times)) if len(all_times) > 1 else 86_400.0 if days else 3600.0
    for (kind, owner, *_), points in series.items():
        times = sorted(points)
        gaps = [b - a for a, b in pairwise(times)]
        step = median(gaps) if gaps else step_of_all
        # A gap in the records is no use that nobody wrote down.
        ends = [min(b, a + 2 * step) for a, b in pairwise(times)] + [times[-1] + step]
        for at, until in zip(times, ends, strict=True):
            yield at, until, points[at][0], kind, owner, points[at][1]


def _at(text: str, zone: ZoneInfo) -> float | None:
    """Return a time in seconds; small whole numbers are hours of a curve."""
    at = seconds_of_text(text, zone)
    if at is not None and 0 <= at < MOST_HOUR_NUMBER and at == int(at) and text.strip().isdigit():
        return at * 3600.0
    return at if at is not None and SINCE_S <= at <= UNTIL_S else None


def _label_columns(body: Sequence[tuple[int, list[str]]], width: int, read: Collection[int | None]) -> list[int]:
    """Return the columns of words (pod, job): each of their values has a curve of its own. Numbers are measurements."""
    return [
        place
        for place in range(width)
        if place not in read and any(_number(_cell(cells, place)) is None for _, cells in body if _cell(cells, place))
    ]


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= MOST_GPUS else None
