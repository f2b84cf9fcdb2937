"""Cells: how one field of a row type is written as text, and read back."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

SEPARATOR = "|"
"""Stands between the words of a tuple; a word that holds it is refused."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row type, and how its cell is read and written.

    Attributes
    ----------
    name : str
        Of field and column.
    read : callable
        Cell text to value; raises ValueError with the reason in words.
    write : callable
        Value to cell text; raises ValueError for what could not be read back.
    required : bool
        True where the row type gives no default.
    plain_text : bool
        True where the cell is the value.
    """

    name: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    required: bool
    plain_text: bool


def _read_float(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"expected a number, got {cell!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {cell!r}")
    return value


def _write_float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written; a missing number is None")
    return repr(float(value)).removesuffix(".0")


def _read_int(cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise ValueError(f"expected a whole number, got {cell!r}") from None


def _read_date(cell: str) -> date:
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"expected a date such as 2026-07-30, got {cell!r}") from None


def _read_time(cell: str) -> datetime:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"expected a time such as 2026-07-30T14:00:00, got {cell!r}") from None


def _read_bool(cell: str) -> bool:
    word = cell.lower()
    if word not in {"yes", "no", "true", "false"}:
        raise ValueError(f"expected yes or no, got {cell!r}")
    return word in {"yes", "true"}


def _write_bool(value: bool) -> str:
    return "yes" if value else "no"


def _write_text(value: str) -> str:
    if "\r" in value or "\0" in value:
        raise ValueError("a carriage return or a null cannot be written")
    return value


def _read_words(cell: str) -> tuple[str, ...]:
    return tuple(cell.split(SEPARATOR)) if cell else ()


def _write_words(words: tuple[str, ...]) -> str:
    for word in words:
        if not word or SEPARATOR in word:
            raise ValueError(f"{word!r} cannot be one of several words: it is empty or holds {SEPARATOR!r}")
    return SEPARATOR.join(map(_write_text, words))


def _enum_codec(kind: type[Enum]) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    def read(cell: str) -> Enum:
        try:
            return kind(cell)
        except ValueError:
            raise ValueError(f"expected one of {', '.join(str(m.value) for m in kind)}, got {cell!r}") from None

    return read, lambda value: str(value.value)


def _nested_codec(kind: type[Any]) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    def read(cell: str) -> tuple[Any, ...]:
        if not cell:
            return ()
        try:
            return tuple(kind(**part) for part in json.loads(cell))
        except (ValueError, TypeError) as error:
            raise ValueError(f"expected a JSON list of {kind.__name__}, got {cell!r} ({error})") from None

    def write(parts: tuple[Any, ...]) -> str:
        return json.dumps([dataclasses.asdict(part) for part in parts], sort_keys=True) if parts else ""

    return read, write


def _pairs_codec(hints: tuple[Any, ...]) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    """Return the codec of a tuple of small tuples, such as (time, price): a JSON list of lists of cells."""
    codecs = [_codec(hint) for hint in hints]

    def read(cell: str) -> tuple[Any, ...]:
        try:
            lines = json.loads(cell) if cell else []
            return tuple(
                tuple(read_one(part) for (read_one, _), part in zip(codecs, line, strict=True)) for line in lines
            )
        except (ValueError, TypeError) as error:
            raise ValueError(f"expected a JSON list of lists of {len(codecs)} cells, got {cell!r} ({error})") from None

    def write(lines: tuple[tuple[Any, ...], ...]) -> str:
        cells = [[write_one(part) for (_, write_one), part in zip(codecs, line, strict=True)] for line in lines]
        return json.dumps(cells) if cells else ""

    return read, write


def _codec(hint: object) -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        inner = [argument for argument in arguments if argument is not types.NoneType]
        if len(inner) == 1 and len(arguments) == 2:
            read_value, write_value = _codec(inner[0])

            def write_known(value: object) -> str:
                cell = write_value(value)
                if not cell:
                    raise ValueError("an empty word would be read back as unknown; use None")
                return cell

            return lambda cell: None if not cell else read_value(cell), lambda v: "" if v is None else write_known(v)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        if typing.get_origin(arguments[0]) is tuple:
            return _pairs_codec(typing.get_args(arguments[0]))
        return (_read_words, _write_words) if arguments[0] is str else _nested_codec(arguments[0])
    match hint:
        case t if t is str:
            return str, _write_text
        case t if t is float:
            return _read_float, _write_float
        case t if t is int:
            return _read_int, str
        case t if t is bool:
            return _read_bool, _write_bool
        case t if t is date:
            return _read_date, date.isoformat
        case t if t is datetime:
            return _read_time, datetime.isoformat
        case type() if issubclass(hint, Enum):
            return _enum_codec(hint)
    raise TypeError(f"a table cannot hold {hint!r}; extend pricing.tables")


def columns(row_type: type[Any]) -> tuple[Column, ...]:
    """Return the columns of a row type, in the order of its fields."""
    if row_type not in _COLUMNS:
        _COLUMNS[row_type] = _columns(row_type)
    return _COLUMNS[row_type]


_COLUMNS: dict[type[Any], tuple[Column, ...]] = {}
"""Columns of the row types that were asked for; working them out takes a millisecond."""


def _columns(row_type: type[Any]) -> tuple[Column, ...]:
    hints = typing.get_type_hints(row_type)
    found = []
    for field in dataclasses.fields(row_type):
        if not field.init:
            continue
        read, write = _codec(hints[field.name])
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        found.append(Column(field.name, read, write, required, plain_text=hints[field.name] is str))
    return tuple(found)
