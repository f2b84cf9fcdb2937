"""Tables: a row type is the schema; its rows become CSV text or a frame, come back, and are checked, all faults of a row at once.

A field's type hint says how its cell is read: numbers, dates, words of an enumeration, yes and no, None for an empty
cell, tuples of words joined by ``|``, tuples of small row types as JSON.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pricing.cells import Column, columns
from pricing.errors import PricingError, did_you_mean
from pricing.plain_text import controls_in

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row")
MOST_BYTES = 256 << 20


def facts_path(name: str, package: str = "pricing") -> Path:
    """Return where a table that one of our packages ships lies."""
    return Path(__file__).parents[1] / package / "facts" / name


def read_facts(row_type: type[Row], name: str, package: str = "pricing") -> tuple[Row, ...]:
    """Read a table that one of our packages ships.

    The rows were checked when they were written and are checked again by the tests, so reading them costs no second
    check: cells are converted column by column, and the slots of the rows are filled directly.

    Parameters
    ----------
    row_type : type
        Frozen dataclass with slots.
    name : str
        File in the package's folder ``facts``; columns that the row type has not are passed over.
    package : str
        ``pricing`` or ``planner``.

    Raises
    ------
    PricingError
        The file is missing or is no table of this row type.
    """
    path = facts_path(name, package)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PricingError(
            f"the table {name} is missing from the installation", hint="install gpuplan again", where=str(path)
        ) from None
    header, lines = _split(text, name)
    rows: list[Row] = [row_type.__new__(row_type) for _ in lines]
    cells = list(zip(*lines, strict=True)) or [()] * len(header)
    place = {column: index for index, column in enumerate(header)}
    for column in columns(row_type):
        if column.name not in place:
            raise PricingError(f"the column {column.name} is missing", hint="install gpuplan again", where=str(path))
        values: Iterable[Any] = cells[place[column.name]]
        if not column.plain_text:
            # A column repeats few different cells: each is converted once.
            by_cell = {cell: column.read(cell) for cell in set(values)}
            values = map(by_cell.__getitem__, values)
        # The slot's own setter passes by the frozen __setattr__, in C.
        deque(map(getattr(row_type, column.name).__set__, rows, values), maxlen=0)
    return tuple(rows)


def _split(text: str, where: str) -> tuple[list[str], list[list[str]]]:
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(lines, [])
        return header, [line for line in lines if line]
    except csv.Error as error:
        raise PricingError(f"this is no CSV table: {error}", where=where) from None


def read_text(path: Path) -> str:
    """Return the text of a table that a user brings.

    Raises
    ------
    PricingError
        There is no such file, it is larger than `MOST_BYTES`, or it is no UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise PricingError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    if len(data) > MOST_BYTES:
        raise PricingError(f"larger than {MOST_BYTES >> 20} MiB, which no price table is", where=str(path))
    try:
        return data.decode("utf-16" if data[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PricingError(
            f"not UTF-8 text: byte {data[error.start]:#04x} cannot be read",
            hint="save the table as 'CSV UTF-8'",
            where=f"{path}, line {line}",
        ) from None


def read_rows(row_type: type[Row], text: str, *, where: str) -> list[Row]:
    r"""Read a table that came from outside, judging it whole.

    Parameters
    ----------
    row_type : type
        Frozen dataclass; columns with a default may be absent from the table.
    text : str
        CSV with a header.
    where : str
        Name of the file, for messages.

    Raises
    ------
    PricingError
        All faults at once, each with line and column.

    Examples
    --------
    >>> from pricing.facts.offers import PricePart
    >>> read_rows(PricePart, "name,price_usd_per_hour\ncore,0.03\n", where="parts.csv")[0].price_usd_per_hour
    0.03
    """
    wanted = {column.name: column for column in columns(row_type)}
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    faults: list[str] = []
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        faults += _header_faults(header, wanted)
        if not faults:
            for line in reader:
                if not line:
                    continue
                place = f"line {reader.line_num}"
                if len(line) != len(header):
                    faults.append(f"{place}: {len(header)} cells expected, got {len(line)}")
                    continue
                values, bad = _values(dict(zip(header, line, strict=True)), wanted, place)
                faults += bad
                if not bad:
                    try:
                        rows.append(row_type(**values))
                    except PricingError as error:
                        faults.append(f"{place}: {error.message}")
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: this is no CSV table: {error}")
    if faults:
        raise PricingError("\n  ".join(faults), where=where, hint="correct the table; nothing was read from it")
    return rows


def _header_faults(header: list[str], wanted: dict[str, Column]) -> list[str]:
    faults = []
    if not header:
        return ["line 1: the table is empty; its first line must name the columns"]
    for name in header:
        if name not in wanted:
            faults.append(f"line 1: unknown column {name[:60]!r}{did_you_mean(name, wanted, cutoff=0.6)}")
        elif header.count(name) > 1:
            faults.append(f"line 1: the column {name} appears twice")
    faults += [
        f"line 1: the column {c.name} is missing" for c in wanted.values() if c.required and c.name not in header
    ]
    return list(dict.fromkeys(faults))


def _values(cells: dict[str, str], wanted: dict[str, Column], place: str) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults = []
    for name, cell in cells.items():
        column = wanted[name]
        text = cell if column.plain_text else cell.strip()
        if not text and not column.required:
            continue  # an empty cell means the default
        try:
            values[name] = column.read(text)
        except ValueError as error:
            faults.append(f"{place}, column {name}: {error}")
    return values, faults


def text_of_rows(row_type: type[Row], rows: Iterable[Row]) -> str:
    """Return rows as CSV text: a header, fixed columns, line feeds.

    Raises
    ------
    ValueError
        A value that could not be read back as it is; that is a bug of whoever made the row.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in columns(row_type)])
    writer.writerows([column.write(getattr(row, column.name)) for column in columns(row_type)] for row in rows)
    return out.getvalue()


def frame(row_type: type[Row], rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as a pandas frame: one column for each field; words of an enumeration become text."""
    import pandas as pd

    held = list(rows)
    return pd.DataFrame(
        {
            column.name: [
                value.value if isinstance(value, Enum) else value
                for value in (getattr(row, column.name) for row in held)
            ]
            for column in columns(row_type)
        }
    )


def refuse_unless_above_zero(row: object, *names: str) -> list[str]:
    """Say which of a row's numbers are zero, negative or not finite; None is no fault (it means unknown).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> refuse_unless_above_zero(SimpleNamespace(price_usd_per_hour=0.0), "price_usd_per_hour")
    ['price_usd_per_hour must be above 0, got 0']
    """
    return _wrong_numbers(row, names, "be above 0", lambda value: value > 0)


def refuse_unless_not_negative(row: object, *names: str) -> list[str]:
    """Say which of a row's numbers are negative or not finite; None is no fault."""
    return _wrong_numbers(row, names, "not be negative", lambda value: value >= 0)


def _wrong_numbers(row: object, names: Iterable[str], rule: str, is_right: Callable[[float], bool]) -> list[str]:
    values = [(name, getattr(row, name)) for name in names]
    return [
        f"{name} must {rule}, got {value:g}"
        for name, value in values
        if value is not None and not (is_right(value) and math.isfinite(value))
    ]


def refuse_unless_known(row: object, name: str, words: Iterable[str]) -> list[str]:
    """Say when a row's word is none of those that are known."""
    value = getattr(row, name)
    return [] if value in words else [f"{name} must be one of {', '.join(words)}, got {value!r}"]


def refuse_unless_country(value: str | None) -> list[str]:
    """Say when a country is no ISO 3166-1 alpha-2 code; None is no fault."""
    if value is None or (len(value) == 2 and value.isalpha() and value.isupper()):
        return []
    return [f"country must be two capital letters (ISO 3166-1 alpha-2), got {value!r}"]


def refuse_unless_plain(row: object, *names: str) -> list[str]:
    """Say which of a row's texts hold characters that steer a terminal."""
    return [
        f"{name} holds a control character ({controls_in(text)})"
        for name in names
        if isinstance(text := getattr(row, name), str) and not text.isprintable() and controls_in(text)
    ]


def refuse_faults(faults: list[str]) -> None:
    """Raise one error with all faults of a row, or nothing.

    Raises
    ------
    PricingError
        When there is a fault.
    """
    if faults:
        raise PricingError("; ".join(faults))
