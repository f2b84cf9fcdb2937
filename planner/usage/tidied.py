"""Tables of text as people save them - semicolons, lines above the header, another encoding, decimal commas, US dates - as plain CSV."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO

from planner.delimited import rows_of
from planner.errors import InputError
from planner.usage.dates import DAY_FIRST, MONTH_FIRST, is_spelled, iso_time, order_of, time_places
from planner.usage.exports import AZURE, export_of, focus_spelled_otherwise
from planner.usage.faults import UnreadableFileError
from planner.usage.headers import TIME, folded, kind_of_header

DELIMITERS = (",", ";", "\t", "|", "^")
MOST_LINES_ABOVE = 30
LOOKED_AT = 2000
DATES_LOOKED_AT = 20
NUMBER_COLUMN = re.compile(r"cost|quantity|amount|price|gpus?$|gpucount|hours|units|value|util|power|dcgm")
COMMA_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")
GROUPED = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+")
POINT_NUMBER = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")


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


def tidied(path: str, name: str, target: Path, opened: Callable[[str], IO[bytes]]) -> str:
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
