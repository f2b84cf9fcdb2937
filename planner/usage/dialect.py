"""Text tables as people save them (semicolons, lines above the header, decimal commas, US dates) as plain CSV with ISO 8601 times."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO

from planner.errors import InputError
from planner.inputs.delimited import rows_of
from planner.usage.exports import AZURE, export_of, focus_spelled_otherwise
from planner.usage.faults import UnreadableFileError
from planner.usage.file_kinds import TIME, folded, kind_of_header

MONTH_FIRST, DAY_FIRST = "month first", "day first"
CLOCK = r"(?:[T, ]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?: ?(?P<half>[AP])\.?M\.?)?)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d))?"
NUMBERS = re.compile(rf"(?P<first>\d{{1,2}})(?P<mark>[/.-])(?P<second_number>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){CLOCK}", re.IGNORECASE)  # fmt: skip
NAMES = (
    re.compile(rf"(?P<day>\d{{1,2}})[ -](?P<month>[A-Z]{{3}})[a-z]*[ ,-]+(?P<year>\d{{4}}){CLOCK}", re.IGNORECASE),
    re.compile(rf"(?P<month>[A-Z]{{3}})[a-z]*\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){CLOCK}", re.IGNORECASE),
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
TIME_COLUMN = re.compile(r"date|time|period(?:start|end)$|window(?:start|end)$|^(?:start|end|hour|ts|until)$")
BILLING_PERIOD = ("billingperiodstart", "billingperiodend")


DELIMITERS = (",", ";", "\t", "|", "^")
MOST_LINES_ABOVE = 30
LOOKED_AT = 2000
DATES_LOOKED_AT = 20
NUMBER_COLUMN = re.compile(r"cost|quantity|amount|price|gpus?$|gpucount|hours|units|value|util|power|dcgm")
COMMA_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")
GROUPED = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+")
POINT_NUMBER = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")


def time_places(header: Sequence[str]) -> list[int]:
    """Return which columns hold times, by their names."""
    return [place for place, name in enumerate(header) if TIME_COLUMN.search(folded(name))]


def is_spelled(cell: str) -> bool:
    """Say whether a cell is a time that is not written as ISO 8601.

    Examples
    --------
    >>> is_spelled("10/31/2026"), is_spelled("Oct 31, 2026"), is_spelled("2026-10-31T00:00:00Z")
    (True, True, False)
    """
    return any(pattern.fullmatch(cell.strip()) for pattern in (NUMBERS, *NAMES))


def order_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[str, str]:
    """Return whether a table's dates begin with the month or the day, and its first date that could be either.

    A number above 12 is a day; dates with points begin with the day; and a billing period lasts from one month to the next.

    Returns
    -------
    str, str
        `MONTH_FIRST`, `DAY_FIRST`, or nothing where no row tells.

    Examples
    --------
    >>> order_of(["Date"], [["10/01/2026"], ["10/31/2026"]]), order_of(["Date"], [["10/01/2026"]])
    (('month first', '10/01/2026'), ('', '10/01/2026'))
    """
    places = time_places(header)
    names = [folded(name) for name in header]
    period = [names.index(name) for name in BILLING_PERIOD if name in names]
    doubtful = ""
    for row in rows:
        numbers = {place: NUMBERS.fullmatch(row[place].strip()) for place in places if place < len(row)}
        for place, match in numbers.items():
            if match is None:
                continue
            doubtful = doubtful or row[place].strip()
            first, second = int(match["first"]), int(match["second_number"])
            if first > 12 or match["mark"] == ".":
                return DAY_FIRST, doubtful
            if second > 12:
                return MONTH_FIRST, doubtful
        begin, end = (numbers.get(place) for place in period) if len(period) == 2 else (None, None)
        if begin and end and (begin["first"] == end["first"]) != (begin["second_number"] == end["second_number"]):
            return (DAY_FIRST if begin["first"] == end["first"] else MONTH_FIRST), doubtful
    return "", doubtful


def iso_time(cell: str, order: str) -> str:
    """Return a time as ISO 8601; text in another format is returned unchanged.

    Examples
    --------
    >>> iso_time("10/31/2026 1:05 PM", MONTH_FIRST), iso_time("31.10.2026", DAY_FIRST), iso_time("31-Oct-2026 UTC", "")
    ('2026-10-31T13:05:00', '2026-10-31T00:00:00', '2026-10-31T00:00:00+00:00')
    """
    text = cell.strip()
    match = next((whole for pattern in (NUMBERS, *NAMES) if (whole := pattern.fullmatch(text))), None)
    if match is None:
        return cell
    said = match.groupdict()
    try:
        if "first" in said:
            numbers = (int(said["first"]), int(said["second_number"]))
            month, day = numbers if order == MONTH_FIRST else numbers[::-1]
        else:
            month, day = MONTHS.index(said["month"].lower()) + 1, int(said["day"])
        hour = int(said["hour"] or 0)
        if said["half"]:
            hour = hour % 12 + (12 if said["half"].upper() == "P" else 0)
        time = datetime(int(said["year"]), month, day, hour, int(said["minute"] or 0), int(said["second"] or 0))  # noqa: DTZ001  its zone follows
    except ValueError:
        return cell
    zone = (said["zone"] or "").upper()
    return time.isoformat() + ("+00:00" if zone in {"Z", "UTC", "GMT"} else zone)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a table is written: its encoding, the line of its header, what divides its cells, whether numbers have a comma."""

    encoding: str
    header: int
    delimiter: str
    has_commas: bool
    mixes_ends: bool
    """Whether some lines end by CR and LF and some by LF, as in two files that were joined."""

    def is_plain(self) -> bool:
        return (self.encoding, self.header, self.delimiter, self.mixes_ends) == ("utf-8", 0, ",", False)


def is_header(cells: Sequence[str]) -> bool:
    """Say whether these are the columns of something that is read."""
    kind = kind_of_header(cells)
    has_time = kind != "dcgm" or any(folded(cell) in TIME for cell in cells)
    return len(cells) > 1 and has_time and bool(kind or export_of(cells) or focus_spelled_otherwise(cells))


def header_at(rows: Iterable[Sequence[str]]) -> int | None:
    """Return the number of the first of some rows that is a known header."""
    return next((number for number, row in enumerate(rows) if is_header(row)), None)


def as_plain_csv(path: str, name: str, target: Path, opened: Callable[[str], IO[bytes]]) -> str:
    """Return the path of a table as plain CSV; that of the file itself where it is one.

    Parameters
    ----------
    path, name : str
        Where it lies, and what people call it.
    target : Path
        Where another form of it may be laid down.
    opened : callable
        Opens it, compressed or not.

    Raises
    ------
    UnreadableFileError
        Its dates or numbers can be read in two ways.
    """
    with opened(path) as file:
        head = file.read(1 << 20)
    form = _form_of(head)
    if form is None:
        return path
    rows = _rows(io.StringIO(_decoded(head, form.encoding), newline=None), form, name)
    header, body = next(rows), list[list[str]]()
    with suppress(InputError):  # a broken line is told by who reads the table
        body += islice(rows, DATES_LOOKED_AT if form.is_plain() else LOOKED_AT)
    times = time_places(header)
    has_dates = any(is_spelled(row[place]) for row in body[:DATES_LOOKED_AT] for place in times if place < len(row))
    if form.is_plain() and not has_dates:
        return path
    order = ""
    if has_dates:
        with opened(path) as file, io.TextIOWrapper(file, form.encoding, errors="replace", newline="") as text:
            order, date = order_of(header, islice(_rows(text, form, name), 1, None))
        if not order and export_of(header) is AZURE:
            order = MONTH_FIRST  # as Microsoft documents it
        if date and not order:
            months = " or ".join(iso_time(date, order_tried)[:10] for order_tried in (MONTH_FIRST, DAY_FIRST))
            raise UnreadableFileError(
                f"{date!r} may be {months}, and no row says which: none has a day after the 12th",
                name,
                "export times as 2026-10-31T13:00:00Z, or give the whole month",
            )
    numbers = [place for place, cell in enumerate(header) if NUMBER_COLUMN.search(folded(cell))]
    cells_of_numbers = [cell for row in body for place in numbers if place < len(row) and (cell := row[place].strip())]
    has_commas = form.delimiter != "," and any(COMMA_NUMBER.fullmatch(cell) for cell in cells_of_numbers)
    pointed = [cell for cell in cells_of_numbers if POINT_NUMBER.fullmatch(cell)]
    doubtful = next((cell for cell in cells_of_numbers if GROUPED.fullmatch(cell)), "")
    if form.delimiter == ";" and not has_commas and doubtful and all(map(GROUPED.fullmatch, pointed)):
        plain = doubtful.replace(".", "")
        raise UnreadableFileError(
            f"{doubtful!r} is {plain} to some and {float(doubtful):g} to others",
            name,
            "write numbers without a point between thousands",
        )
    form = replace(form, has_commas=has_commas)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        text = stack.enter_context(io.TextIOWrapper(file, form.encoding, errors="replace", newline=""))
        out = stack.enter_context(target.with_suffix(".csv").open("w", encoding="utf-8", newline=""))
        writer = csv.writer(out)
        for row in _rows(text, form, name):
            cells = _pointed(row, numbers) if has_commas else row
            for place in times if has_dates else ():
                if place < len(cells):
                    cells[place] = iso_time(cells[place], order)
            writer.writerow(cells)
    return str(target.with_suffix(".csv"))


def _form_of(head: bytes) -> _Form | None:
    """Return how a table is written; None where no header is known among its first lines."""
    encoding = "utf-8"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        encoding = "cp1252"
    lines = _decoded(head, encoding).splitlines()[:MOST_LINES_ABOVE]
    if lines and kind_of_header(lines[0].split("|")) == "slurm":
        return None  # `sacct -P`, whose reader knows what stands between its bars
    for number, line in enumerate(lines):
        for delimiter in DELIMITERS:
            if delimiter in line and is_header(_cells(line, delimiter)):
                mixes_ends = 0 < head.count(b"\r\n") < head.count(b"\n")
                return _Form(encoding, number, delimiter, has_commas=False, mixes_ends=mixes_ends)
    return None


def _decoded(head: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff")


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line; none where one is longer than any text of a table."""
    return next(csv.reader([line], delimiter=delimiter), []) if len(line) < csv.field_size_limit() else []


def _rows(text: Iterable[str], form: _Form, name: str) -> Iterator[list[str]]:
    """Return the header and the rows below it; lines of commas alone are those of an empty sheet."""
    for _, row in rows_of(islice(text, form.header, None), name, delimiter=form.delimiter):
        if any(row):
            yield row


def _pointed(row: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Return a row whose numbers have a decimal point, and nothing between thousands."""
    cells = list(row)
    for place in numbers:
        cell = cells[place].strip() if place < len(cells) else ""
        if COMMA_NUMBER.fullmatch(cell) or GROUPED.fullmatch(cell):
            cells[place] = cell.replace(".", "").replace(",", ".")
    return cells
