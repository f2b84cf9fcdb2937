"""A plain table of times and accelerators as accelerator-hours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from planner.notes import Note, NoteCode
from planner.usage.faults import Fault
from planner.usage.records import Records, Stretch, gpu_called, records_of, rows_of_file
from planner.usage.sources import Source
from planner.usage.times import LONGEST_S, SINCE_S, UNTIL_S, seconds_of_text, zone_of

__all__ = ["read_plain"]

TIME = ("timestamp", "time", "hour", "date", "ts", "start", "window_start")
END = ("end", "window_end", "until")
AMOUNT = ("gpus", "gpu_count", "units", "accelerators")
HOURS = ("gpu_hours", "gpuhours", "gpu hours")
GPU = ("gpu", "accelerator", "gpu_type", "model")
ACCOUNT = ("account", "team", "project", "cluster", "namespace", "user", "department")
MOST_HOUR_NUMBER = 1_000_000
"""Smaller whole numbers are hours from the beginning of a curve, as `gpuplan mix` reads them, and no times."""
MOST_GPUS = 1e9
"""There are no more; sums of larger numbers would mean nothing."""


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
    rows = 0
    for source in sources:
        lines = rows_of_file(source)
        _, header = next(lines, (0, []))
        names = [cell.strip().lower() for cell in header]
        time, end, amount, hours, gpu, account = (
            next((names.index(name) for name in known if name in names), None)
            for known in (TIME, END, AMOUNT, HOURS, GPU, ACCOUNT)
        )
        if time is None or (amount is None and (hours is None or end is None)):
            faults.append(Fault(what="it has no column timestamp and no column gpus", where=source.name))
            continue
        body = list(lines)
        rows += len(body)
        labels = _label_columns(body, len(names), {time, end, amount, hours} - {None})
        series: dict[tuple[str, ...], dict[float, tuple[float, int]]] = {}
        bad: list[int] = []
        endless: list[int] = []
        days = True
        for line, cells in body:
            at = _at(_cell(cells, time), zone)
            until = _at(_cell(cells, end), zone) if end is not None else None
            number = _number(_cell(cells, amount if amount is not None else hours))
            if at is None or number is None or (end is not None and (until is None or until <= at)):
                bad.append(line)
                continue
            days &= len(_cell(cells, time)) == len("2026-10-01")
            if until is not None:
                gpus = number if amount is not None else number / ((until - at) / 3600.0)
                if until - at > LONGEST_S:
                    endless.append(line)
                elif gpus > 0:
                    whose = (gpu_called(_cell(cells, gpu)), _cell(cells, account))
                    stretches.append(Stretch(at, until, gpus, basis, gpu=whose[0], account=whose[1]))
                continue
            # Lines of one time that differ in nothing that is known of them are several, and add up.
            points = series.setdefault(
                (_cell(cells, gpu), _cell(cells, account), *(_cell(cells, one) for one in labels)), {}
            )
            points[at] = (points.get(at, (0.0, line))[0] + number, line)
        if bad:
            faults.append(Fault(what="lines without a time (2000 to 2100) or a number of GPUs", where=f"{source.name}:{bad[0]}", rows=len(bad)))  # fmt: skip
        all_times = sorted({at for points in series.values() for at in points})
        step_of_all = (
            median(b - a for a, b in pairwise(all_times)) if len(all_times) > 1 else 86_400.0 if days else 3600.0
        )
        for (kind, owner, *_), found in series.items():
            times = sorted(found)
            gaps = [b - a for a, b in pairwise(times)]
            step = median(gaps) if gaps else step_of_all
            # A gap in the records is no use that nobody wrote down.
            ends = [min(b, a + 2 * step) for a, b in pairwise(times)] + [times[-1] + step]
            name = gpu_called(kind)
            for at, until in zip(times, ends, strict=True):
                number, line = found[at]
                if until - at > LONGEST_S:
                    endless.append(line)
                elif number > 0:
                    stretches.append(Stretch(at, until, number, basis, gpu=name, account=owner))
        if endless:
            faults.append(Fault(what="lines that would hold for more than a year", where=f"{source.name}:{min(endless)}", rows=len(endless), hint="is a date mistyped?"))  # fmt: skip
    notes = [Note(NoteCode.BASIS_OF_TABLE, (basis,))]
    return records_of(stretches, "plain", rows=rows, faults=faults, notes=notes)


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
