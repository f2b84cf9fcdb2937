"""Cells: how one field of a row type is written as text, and read back."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
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


Codec = tuple[Callable[[str], Any], Callable[[Any], str]]
"""What reads a cell, and what writes it."""


def _reader(convert: Callable[[str], Any], expected: str) -> Callable[[str], Any]:
    """Return what reads a cell, or says what was expected in it."""

    def read(cell: str) -> Any:  # noqa: ANN401 - a cell of any type
        try:
            return convert(cell)
        except (ValueError, KeyError):
            raise ValueError(f"expected {expected}, got {cell!r}") from None

    return read


def _read_float(cell: str) -> float:
    value = _reader(float, "a number")(cell)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {cell!r}")
    return float(value)


def _write_float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written; a missing number is None")
    return repr(float(value)).removesuffix(".0")


def _write_text(value: str) -> str:
    if "\r" in value or "\0" in value:
        raise ValueError("a carriage return or a null cannot be written")
    return value


def _write_words(words: tuple[str, ...]) -> str:
    for word in words:
        if not word or SEPARATOR in word:
            raise ValueError(f"{word!r} cannot be one of several words: it is empty or holds {SEPARATOR!r}")
    return SEPARATOR.join(map(_write_text, words))


def _nested_codec(kind: type[Any]) -> Codec:
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


def _pairs_codec(hints: tuple[Any, ...]) -> Codec:
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


_CODECS: Mapping[object, Codec] = {
    str: (str, _write_text),
    float: (_read_float, _write_float),
    int: (_reader(int, "a whole number"), str),
    bool: (
        _reader(lambda cell: {"yes": True, "true": True, "no": False, "false": False}[cell.lower()], "yes or no"),
        lambda value: "yes" if value else "no",
    ),
    date: (_reader(date.fromisoformat, "a date such as 2026-07-30"), date.isoformat),
    datetime: (_reader(datetime.fromisoformat, "a time such as 2026-07-30T14:00:00"), datetime.isoformat),
    tuple[str, ...]: (lambda cell: tuple(cell.split(SEPARATOR)) if cell else (), _write_words),
}


def _codec(hint: Any) -> Codec:  # noqa: ANN401 - a type hint
    if hint in _CODECS:
        return _CODECS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union} and len(arguments) == 2 and arguments[1] is types.NoneType:
        return _optional_codec(*_codec(arguments[0]))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        is_pairs = typing.get_origin(arguments[0]) is tuple
        return _pairs_codec(typing.get_args(arguments[0])) if is_pairs else _nested_codec(arguments[0])
    if isinstance(hint, type) and issubclass(hint, Enum):
        words = f"one of {', '.join(str(member.value) for member in hint)}"
        return _reader(hint, words), lambda member: str(member.value)
    raise TypeError(f"a table cannot hold {hint!r}; extend pricing.tables")


def _optional_codec(read: Callable[[str], Any], write: Callable[[Any], str]) -> Codec:
    """Return the codec of what may be unknown, which is an empty cell."""

    def write_optional(value: object) -> str:
        cell = "" if value is None else write(value)
        if not cell and value is not None:
            raise ValueError("an empty word would be read back as unknown; use None")
        return cell

    return lambda cell: read(cell) if cell else None, write_optional


_COLUMNS: dict[type[Any], tuple[Column, ...]] = {}
"""Columns of the row types that were asked for; working them out takes a millisecond."""


def columns(row_type: type[Any]) -> tuple[Column, ...]:
    """Return the columns of a row type, in the order of its fields."""
    if row_type not in _COLUMNS:
        hints = typing.get_type_hints(row_type)
        _COLUMNS[row_type] = tuple(
            Column(
                field.name,
                *_codec(hints[field.name]),
                required=field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
                plain_text=hints[field.name] is str,
            )
            for field in dataclasses.fields(row_type)
            if field.init
        )
    return _COLUMNS[row_type]
