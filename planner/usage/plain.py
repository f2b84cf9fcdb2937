"""A plain table of times and accelerators as accelerator-hours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from planner.usage.faults import Fault
from planner.usage.records import Records, Stretch, gpu_called, records_of, rows_of_file
from planner.usage.sources import Source
from planner.usage.times import seconds_of_text, zone_of

__all__ = ["read_plain"]

TIME = ("timestamp", "time", "hour", "date", "ts")
AMOUNT = ("gpus", "gpu_count", "units", "accelerators")
GPU = ("gpu", "accelerator", "gpu_type", "model")
ACCOUNT = ("account", "team", "project", "cluster")
MOST_HOUR_NUMBER = 1_000_000
"""Smaller whole numbers are hours from the beginning of a curve, as `gpuplan mix` reads them, and no times."""


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
        time, amount, gpu, account = (
            next((names.index(name) for name in known if name in names), None) for known in (TIME, AMOUNT, GPU, ACCOUNT)
        )
        if time is None or amount is None:
            faults.append(Fault(what="it has no column timestamp and no column gpus", where=source.name))
            continue
        series: dict[tuple[str, str], list[tuple[float, float]]] = {}
        bad: list[int] = []
        for line, cells in lines:
            rows += 1
            at = seconds_of_text(cells[time], zone) if time < len(cells) else None
            number = _number(cells[amount]) if amount < len(cells) else None
            if at is None or number is None:
                bad.append(line)
                continue
            if abs(at) < MOST_HOUR_NUMBER and at == int(at) and cells[time].strip().lstrip("-").isdigit():
                at *= 3600.0
            whose = (_cell(cells, gpu), _cell(cells, account))
            series.setdefault(whose, []).append((at, number))
        if bad:
            faults.append(Fault(what="lines without a time or a number of GPUs", where=f"{source.name}:{bad[0]}", rows=len(bad)))  # fmt: skip
        for (kind, owner), points in series.items():
            points.sort()
            gaps = [b - a for (a, _), (b, _) in pairwise(points) if b > a]
            step = median(gaps) if gaps else 3600.0
            # A gap in the records is no use that nobody wrote down.
            ends = [min(b, a + 2 * step) for (a, _), (b, _) in pairwise(points)] + [points[-1][0] + step]
            stretches += [
                Stretch(at, end, number, basis, gpu=gpu_called(kind), account=owner)
                for (at, number), end in zip(points, ends, strict=True)
                if number > 0
            ]
    notes = [f"the table's numbers count as {basis} hours (--basis)"]
    return records_of(stretches, "plain", rows=rows, faults=faults, notes=notes)


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
