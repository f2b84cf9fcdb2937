"""Slurm's accounting (``sacct -P``) as accelerator-hours that jobs held."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.usage.faults import Fault, UsageError
from planner.usage.records import Records, Stretch, gpu_called, records_of, rows_of_file
from planner.usage.sources import Source
from planner.usage.times import seconds_of_text, zone_of

__all__ = ["gpus_of_tres", "read_slurm"]

GPU = re.compile(r"(?:^|,)gres/gpu(?::([^=,]+))?=(\d+)")
STATES = frozenset(
    [
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PENDING",
        "PREEMPTED",
        "RUNNING",
        "REQUEUED",
        "RESIZING",
        "REVOKED",
        "SUSPENDED",
        "TIMEOUT",
    ]
)
TRES_COLUMNS = ("alloctres", "tresalloc")
USUAL_COLUMNS = ("jobid", "submit", "start", "end", "state", "alloctres", "elapsedraw", "nnodes", "partition", "qos")
HINT = "sacct -X -P -o JobID,Start,End,State,AllocTRES,ElapsedRaw,Partition,Account"


def gpus_of_tres(text: str) -> dict[str, int]:
    """Return the accelerators in an ``AllocTRES`` by type; both a typed and an untyped count of the same are there.

    Examples
    --------
    >>> gpus_of_tres("billing=96,cpu=96,gres/gpu:h100=8,gres/gpu=8,mem=1T,node=1")
    {'h100': 8}
    >>> gpus_of_tres("cpu=4,gres/gpu=2"), gpus_of_tres("cpu=4,gres/gpumem=80G,gres/gpuutil=97")
    ({'': 2}, {})
    """
    typed: dict[str, int] = {}
    untyped = 0
    for kind, number in GPU.findall(text):
        if kind:
            typed[kind] = typed.get(kind, 0) + int(number)
        else:
            untyped = max(untyped, int(number))
    rest = untyped - sum(typed.values())
    return typed | ({"": rest} if rest > 0 else {})


def read_slurm(sources: Sequence[Source], *, timezone: str = "") -> Records:
    """Read job records; steps are left out, since their job holds what they use.

    Parameters
    ----------
    sources : sequence of Source
        Output of ``sacct -P``, with or without its header.
    timezone : str
        Of the cluster; Slurm writes local times without their zone. UTC by default.

    Raises
    ------
    UsageError
        No file has a start, an end (or how long) and what was allocated.
    """
    zone = zone_of(timezone or "UTC")
    stretches: list[Stretch] = []
    faults: list[Fault] = []
    rows = waiting = running = 0
    for source in sources:
        lines = rows_of_file(source, "|")
        first = next(lines, None)
        if first is None:
            faults.append(Fault(what="the file is empty", where=source.name))
            continue
        has_header = "jobid" in {cell.strip().lower() for cell in first[1]}
        body = list(lines) if has_header else [first, *lines]
        columns = [cell.strip().lower() for cell in first[1]] if has_header else _guessed(body)
        place = {name: number for number, name in enumerate(columns) if name}
        tres = next((place[name] for name in TRES_COLUMNS if name in place), None)
        if tres is None or "start" not in place or not {"end", "elapsedraw"} & set(place):
            faults.append(Fault(what="it lacks Start, End or ElapsedRaw, or AllocTRES", where=source.name, hint=HINT))
            continue
        bad: list[int] = []
        told = [(line, cells) for line, cells in body if not _is_step(cells, place)]
        latest = max((t for _, c in told for n in ("start", "end") if (t := _time(c, place, n, zone)) is not None), default=0.0)  # fmt: skip
        for line, cells in told:
            rows += 1
            if len(cells) < len(columns):
                bad.append(line)
                continue
            gpus = gpus_of_tres(cells[tres])
            if not gpus:
                continue
            start = _time(cells, place, "start", zone)
            if start is None:
                waiting += 1
                continue
            end = _end(cells, place, zone, start, latest)
            running += _cell(cells, place, "state").startswith("RUNNING")
            if end is None:
                bad.append(line)
                continue
            stretches += [
                Stretch(
                    start,
                    end,
                    float(number),
                    "allocated",
                    gpu=gpu_called(kind),
                    account=_cell(cells, place, "account"),
                    region=_cell(cells, place, "partition"),
                    tag=_cell(cells, place, "user"),
                )
                for kind, number in gpus.items()
            ]
        if bad:
            faults.append(Fault(what="lines that are no jobs", where=f"{source.name}:{bad[0]}", rows=len(bad)))
    notes = [] if timezone else ["Slurm's times carry no zone and count as UTC (--timezone)"]
    if waiting:
        notes.append(f"{waiting:,} jobs never started and hold nothing")
    if running:
        notes.append(f"{running:,} jobs still ran when the records were written, and count until then")
    return records_of(stretches, "slurm", rows=rows, faults=faults, notes=notes)


def _cell(cells: Sequence[str], place: dict[str, int], name: str) -> str:
    number = place.get(name, -1)
    return cells[number].strip() if 0 <= number < len(cells) else ""


def _is_step(cells: Sequence[str], place: dict[str, int]) -> bool:
    """Say whether a line is a step (``123.batch``, ``123_4.0``), or an interruption in an array's name."""
    return "." in _cell(cells, place, "jobid")


def _time(cells: Sequence[str], place: dict[str, int], name: str, zone: object) -> float | None:
    return seconds_of_text(_cell(cells, place, name), zone)  # type: ignore[arg-type]


def _end(cells: Sequence[str], place: dict[str, int], zone: object, start: float, latest: float) -> float | None:
    end = _time(cells, place, "end", zone)
    if end is not None:
        return end
    elapsed = _cell(cells, place, "elapsedraw")
    if elapsed.isdigit():
        return start + float(elapsed)
    return max(latest, start) if _cell(cells, place, "state").startswith("RUNNING") else None


def _guessed(body: Sequence[tuple[int, list[str]]]) -> list[str]:
    """Return the columns of lines without a header, by what stands in them."""
    width = len(body[0][1])
    if width == len(USUAL_COLUMNS):
        return list(USUAL_COLUMNS)
    columns = [""] * width
    times = []
    for number in range(width):
        cells = [row[number].strip() for _, row in body[:200] if number < len(row)]
        if any("cpu=" in cell or "gres/gpu" in cell for cell in cells):
            columns[number] = columns[number] or "alloctres"
        elif any(cell.split(" ")[0] in STATES for cell in cells):
            columns[number] = "state"
        elif any(re.match(r"\d{4}-\d\d-\d\dT", cell) for cell in cells):
            times.append(number)
    names = {2: ("start", "end"), 3: ("submit", "start", "end")}.get(len(times))
    if names is None:
        raise UsageError(
            f"lines without a header need 2 times (start, end) or 3 (submit, start, end), and have {len(times)}",
            hint=f"write them with their header: {HINT}",
        )
    for number, name in zip(times, names, strict=True):
        columns[number] = name
    columns[0] = columns[0] or "jobid"
    return columns
