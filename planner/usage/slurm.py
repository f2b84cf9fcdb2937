"""Slurm's accounting (``sacct -P``) as accelerator-hours that jobs held."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from zoneinfo import ZoneInfo

from planner.notes import Note, NoteCode
from planner.usage.faults import Fault, UsageError
from planner.usage.hours import LONGEST_S, SINCE_S, UNTIL_S, seconds_of_text, zone_of
from planner.usage.machine_types import slice_of
from planner.usage.records import Records, Stretch, canonical_gpu, records_of, rows_of_file
from planner.usage.sources import Source

GPU = re.compile(r"(?:^|,)gres/(?:gpu(?::([^=,]+))?|(?P<mig>[^:=,/]*\dg\.\d+gb[^=,]*))=(\d+)")
GRES = re.compile(r"(?:^|,)(?:gres[:/])?gpu(?::([^:=,(]+))?[:=](\d+)(?![\w.])")
TRES = re.compile(r"\s*[a-z]+(?:/[\w:.-]+)?=\d")
STATES = frozenset(
    "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PENDING PREEMPTED RUNNING REQUEUED RESIZING "
    "REVOKED SUSPENDED TIMEOUT".split()
)
TRES_COLUMNS = ("alloctres", "tresalloc", "allocgres", "reqtres", "reqgres")
USUAL_COLUMNS = ("jobid", "submit", "start", "end", "state", "alloctres", "elapsedraw", "nnodes", "partition", "qos")
MOST_GPUS = 10**9
NO_TIME = ("", "unknown", "none", "n/a")
"""Texts in place of a start time for a job that waits."""
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
    counts = [(kind or mig, number) for kind, mig, number in GPU.findall(text)]
    if not counts and "gres/gpu" not in text:
        counts = GRES.findall(text)
    for kind, number in counts:
        if kind:
            typed[kind] = typed.get(kind, 0) + int(number[:20])
        else:
            untyped = max(untyped, int(number[:20]))
    rest = untyped - sum(typed.values())
    return typed | ({"": rest} if rest > 0 else {})


def read_slurm(sources: Sequence[Source], *, timezone: str = "", columns: Sequence[str] = ()) -> Records:
    """Read job records; steps are left out, since their job holds what they use.

    Parameters
    ----------
    sources : sequence of Source
        Output of ``sacct``: ``-P``, with another delimiter, or in columns of a fixed width; with or without its header.
    timezone : str
        Of the cluster; Slurm writes local times without their zone. UTC by default.
    columns : sequence of str
        Names of the columns where there is no header.

    Raises
    ------
    UsageError
        No file has a start, an end (or how long) and what was allocated.
    """
    zone = zone_of(timezone or "UTC")
    faults: list[Fault] = []
    counts = _Counts()
    jobs: dict[tuple[object, ...], _Job] = {}
    for job in (job for source in sources for job in _jobs_of(source, zone, columns, counts, faults)):
        seen = jobs.setdefault(job.key, job)
        counts.repeated += seen is not job
        # What was written while the job ran ends too early.
        jobs[job.key] = max(seen, job, key=lambda copy: copy.end_s)
    stretches = [copy for job in jobs.values() for copy in _stretches(job)]
    counts.sliced = sum(any(map(slice_of, job.gpus)) for job in jobs.values())
    notes = [] if timezone else [Note(NoteCode.TIMES_WITHOUT_ZONE)]
    return records_of(stretches, "slurm", rows=counts.rows, faults=faults, notes=notes + _notes(counts))


class _Row(dict[str, str]):
    """A line by the names of its columns; what has no column, or no cell, is empty."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass(slots=True)
class _Counts:
    """How many jobs there are, and of how many something has to be said."""

    rows: int = 0
    waiting: int = 0
    running: int = 0
    sliced: int = 0
    cut: int = 0
    shards: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class _Job:
    """What a job held, from when to when, and whose it is; `key` is the same wherever the job is written again."""

    key: tuple[object, ...]
    start_s: float
    end_s: float
    gpus: dict[str, int]
    account: str
    partition: str
    user: str


def _notes(counts: _Counts) -> list[Note]:
    noted = (
        (counts.sliced, NoteCode.SLICES),
        (counts.cut, NoteCode.CUT_OFF_RESOURCES),
        (counts.shards, NoteCode.SHARDS),
        (counts.waiting, NoteCode.JOBS_NOT_STARTED),
        (counts.running, NoteCode.JOBS_RUNNING),
        (counts.repeated, NoteCode.REPEATED_JOBS),
    )
    return [Note(code, (number,)) for number, code in noted if number]


def _jobs_of(
    source: Source, zone: ZoneInfo, columns: Sequence[str], counts: _Counts, faults: list[Fault]
) -> Iterator[_Job]:
    lines = _lines(source, columns)
    first = next(lines, None)
    if first is None:
        faults.append(Fault(what="the file is empty", where=source.name))
        return
    has_header = _is_header(first[1])
    body = list(lines) if has_header else [first, *lines]
    names = first[1] if has_header else columns
    named = [name.strip().lower() for name in names] or _guessed(body)
    tres = next((name for name in TRES_COLUMNS if name in named), None)
    if tres is None or "start" not in named or not {"end", "elapsed", "elapsedraw"} & set(named):
        faults.append(Fault(what="it lacks Start, End or ElapsedRaw, or AllocTRES", where=source.name, hint=HINT))
        return
    bad: list[int] = []
    endless: list[int] = []
    rows = [(line, _Row(zip(named, map(str.strip, cells), strict=False))) for line, cells in body]
    rows = [(line, row) for line, row in rows if not _is_step(row)]
    latest = max((t for _, row in rows for name in ("start", "end") for t in _moments(row[name], zone)), default=0.0)
    for line, row in rows:
        counts.rows += 1
        if any(name and name not in row for name in named):
            bad.append(line)
            continue
        gpus = gpus_of_tres(row[tres])
        if not gpus:
            counts.cut += row[tres].endswith("+")
            counts.shards += "gres/shard" in row[tres]
            continue
        start, end = _from_and_to(row, zone, latest)
        if start is None and row["start"].lower() in NO_TIME:
            counts.waiting += 1
            continue
        counts.running += start is not None and row["state"].startswith("RUNNING")
        if start is None or end is None:
            bad.append(line)
        elif not (SINCE_S <= start <= UNTIL_S and end - start <= LONGEST_S) or max(gpus.values()) > MOST_GPUS:
            endless.append(line)
        else:
            number = _number_of(row)
            key = (row["cluster"], number, start, *gpus.items()) if number[:1].isdigit() else (source.name, line)
            yield _Job(key, start, end, gpus, row["account"], row["partition"], row["user"])
    if endless:
        what = "jobs of more than a year, outside of 2000 to 2100, or of more GPUs than there are"
        faults.append(Fault(what=what, where=f"{source.name}:{endless[0]}", rows=len(endless), hint="is a date mistyped?"))  # fmt: skip
    if bad:
        hint = "times as 2026-10-31T13:00:00 (SLURM_TIME_FORMAT=standard)"
        faults.append(Fault(what="lines that are not jobs", where=f"{source.name}:{bad[0]}", rows=len(bad), hint=hint))


def _stretches(job: _Job) -> Iterator[Stretch]:
    """Return what a job held of each kind of accelerator; a slice is its share of one."""
    for kind, number in job.gpus.items():
        part = slice_of(kind)
        name = canonical_gpu(part[0]) or f"slices of {kind}" if part else canonical_gpu(kind)
        gpus = number * (part[1] if part else 1.0)
        yield Stretch(job.start_s, job.end_s, gpus, "allocated", gpu=name, account=job.account, region=job.partition, tag=job.user)  # fmt: skip


def _number_of(row: _Row) -> str:
    return row["jobid"] or row["jobidraw"]


def _is_step(row: _Row) -> bool:
    """Say whether a line is a step (``123.batch``, ``123_4.0``), or an interruption in an array's name."""
    return "." in _number_of(row)


def _is_header(cells: Sequence[str]) -> bool:
    return bool({"jobid", "jobidraw"} & {cell.strip().lower() for cell in cells})


def _lines(source: Source, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Return lines and their cells, whatever divides them: a bar, a comma, or columns as wide as the dashes under a header."""
    lines = list(rows_of_file(source, "\0"))
    if len(lines) > 1 and set(lines[1][1][0].strip()) <= {"-", " "} and "-" in lines[1][1][0]:
        edges = [(dashes.start(), dashes.end()) for dashes in re.finditer(r"-+", lines[1][1][0])]
        for line, cells in (lines[0], *lines[2:]):
            yield line, [cells[0][begin:end].strip() for begin, end in edges]
        return
    head = lines[0][1][0] if lines else ""
    delimiter = next((letter for letter in "|;\t" if letter in head), ",")
    width = None
    for line, cells in rows_of_file(source, delimiter):
        width = (len(cells) if _is_header(cells) else len(columns)) if width is None else width
        yield line, _rejoined(cells, width) if delimiter == "," and len(cells) > width else cells


def _rejoined(cells: Sequence[str], width: int) -> list[str]:
    """Put resources together again that `sacct --delimiter=,` wrote without quotes (``billing=8,cpu=8,gres/gpu=4``)."""
    joined: list[str] = []
    surplus = len(cells) - width
    for cell in cells:
        if surplus > 0 and joined and TRES.match(cell) and TRES.match(joined[-1]):
            joined[-1] += f",{cell}"
            surplus -= 1
        else:
            joined.append(cell)
    return joined


def _moments(text: str, zone: ZoneInfo) -> list[float]:
    """Return the times that a text may mean: two in the hour that comes twice when summer time ends."""
    first = seconds_of_text(text, zone)
    if first is None:
        return []
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return [first]
    again = time.replace(tzinfo=zone, fold=1).astimezone(UTC).timestamp() if time.tzinfo is None else first
    return [first] if again == first else [first, again]


def _seconds_long(row: _Row) -> float | None:
    """Return how long a job ran: ``ElapsedRaw``, or ``Elapsed`` as [days-]hours:minutes:seconds."""
    if row["elapsedraw"].isdecimal():
        return float(row["elapsedraw"])
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", row["elapsed"])
    return None if match is None else float(sum(int(part or 0) * unit for part, unit in zip(match.groups(), (86_400, 3600, 60, 1), strict=True)))  # fmt: skip


def _from_and_to(row: _Row, zone: ZoneInfo, latest: float) -> tuple[float | None, float | None]:
    starts, ends = _moments(row["start"], zone), _moments(row["end"], zone)
    elapsed = _seconds_long(row)
    if not starts:
        return None, None
    if ends:
        if elapsed is None:
            return starts[0], ends[0]
        # The job's run time shows which of the two hours is meant.
        return min(product(starts, ends), key=lambda pair: abs(pair[1] - pair[0] - elapsed))
    if elapsed is not None:
        return starts[0], starts[0] + elapsed
    return starts[0], max(latest, starts[0]) if row["state"].startswith("RUNNING") else None


def _guessed(body: Sequence[tuple[int, list[str]]]) -> list[str]:
    """Return the columns of lines without a header, from their content."""
    width = len(body[0][1])
    usual = USUAL_COLUMNS.index("alloctres")
    if width == len(USUAL_COLUMNS) and any(TRES.match(row[usual]) for _, row in body[:200] if usual < len(row)):
        return list(USUAL_COLUMNS)
    columns = [""] * width
    times = []
    for number in range(width):
        cells = [row[number].strip() for _, row in body[:200] if number < len(row)]
        if any("cpu=" in cell or "gres/gpu" in cell for cell in cells):
            columns[number] = columns[number] or "alloctres"
        elif any(cell.split(" ")[0] in STATES for cell in cells):
            columns[number] = "state"
        elif any(re.match(r"\d{4}-\d\d-\d\dT|1\d{9}$", cell) for cell in cells):
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
