"""Tables of text that a user brings (CSV and its kin): row by row with line numbers, however long a line or a cell is."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from planner.errors import InputError

MOST_ROWS_ABOVE = 30
MOST_LINE_CHARACTERS = 1 << 24
"""A longer line is no row of a table; without a bound an endless one would fill the memory."""


def _as_windows_text(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are no UTF-8 as the text that spreadsheets of the West write."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error("windows", _as_windows_text)


def encoding_of(path: str) -> str:
    """Return how a file of text is encoded: UTF-16 where it says so, as Excel's Unicode text does, else UTF-8."""
    with Path(path).open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def sheet_rows(
    path: str, where: str, header_at: Callable[[list[list[str]]], int | None] | None = None
) -> Iterator[list[object]]:
    """Yield the rows of a workbook's sheet that hold anything; times as text, empty cells as empty text.

    Parameters
    ----------
    path : str
        Of the workbook (``.xlsx``).
    where : str
        What messages call it.
    header_at : callable, optional
        Finds the header among the first rows of a sheet: the first sheet that has one is read from there on. Without it,
        or where none has one, the first sheet is.

    Raises
    ------
    InputError
        It is no workbook, or openpyxl is not installed.
    """
    try:
        from openpyxl.reader.excel import load_workbook
    except ImportError as error:
        raise InputError("it is an Excel workbook", where=where, hint="save it as CSV UTF-8, or pip install openpyxl") from error  # fmt: skip
    try:  # an open file, whose name may end as it likes
        workbook = load_workbook(io.BytesIO(Path(path).read_bytes()), read_only=True, data_only=True)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"this is no Excel workbook that can be read: {error}", where=where) from None
    try:
        if header_at is not None:
            for sheet in workbook.worksheets:
                first = header_at([[str(cell) for cell in row] for row in islice(_cells_of(sheet), MOST_ROWS_ABOVE)])
                if first is not None:
                    yield from islice(_cells_of(sheet), first, None)
                    return
        yield from _cells_of(workbook.worksheets[0])
    finally:
        workbook.close()


def _cells_of(sheet: Any) -> Iterator[list[object]]:  # noqa: ANN401  openpyxl has no types
    for row in sheet.iter_rows(values_only=True):
        cells = ["" if value is None else value.isoformat() if hasattr(value, "isoformat") else value for value in row]
        if any(cell != "" for cell in cells):
            yield cells


def lines_of(path: str, where: str) -> Iterator[str]:
    """Yield the lines of a text file, plain or gzip, with their ends.

    UTF-8 is expected; bytes that are none are read as Windows-1252, so that names come out right and stay different.

    Parameters
    ----------
    path : str
        Of the file; ``.gz`` at its end says that it is compressed.
    where : str
        What messages call it.

    Raises
    ------
    InputError
        A line has more than `MOST_LINE_CHARACTERS`.
    """
    with (
        gzip.open(path, "rb") if path.lower().endswith(".gz") else Path(path).open("rb") as opened,
        io.TextIOWrapper(cast("BinaryIO", opened), "utf-8-sig", errors="windows", newline="") as file,
    ):
        number = 0
        while line := file.readline(MOST_LINE_CHARACTERS):
            number += 1
            if len(line) == MOST_LINE_CHARACTERS and line[-1] not in "\r\n":
                raise InputError(
                    f"a line of more than {MOST_LINE_CHARACTERS:,} characters is not a row", where=f"{where}:{number}"
                )
            yield line


def rows_of(
    lines: Iterable[str], where: str, *, delimiter: str = ",", is_quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, and the number of the line on which it ends.

    Parameters
    ----------
    lines : iterable of str
        With or without their ends.
    where : str
        What messages call the file.
    delimiter : str
        Between cells.
    is_quoted : bool
        Whether quotation marks hold a cell together.

    Raises
    ------
    InputError
        A cell is longer than any text of a table, as where a quotation mark is never closed; with its line.

    Examples
    --------
    >>> list(rows_of(["a,b", '1,"x, y"'], "jobs.csv"))
    [(1, ['a', 'b']), (2, ['1', 'x, y'])]
    """
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE)
    first = 1
    try:
        for row in reader:
            yield reader.line_num, row
            first = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"no row of a table: {error}", where=f"{where}:{first}", hint="is a quotation mark opened and never closed?"
        ) from None
