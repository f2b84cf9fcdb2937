"""A case to try, and valid text, tables and documents broken as real people and broken programs break them; used by fuzz.py."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Rng = random.Random


@dataclass
class Case:
    """A command line with its files and environment."""

    words: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    links: dict[str, str] = field(default_factory=dict)


# Values and text that real people and broken programs write.
ODD_NUMBERS: list[Any] = [
    0, -1, 1, 2, -0.0, 1e-300, 1e308, -1e308, 10**30, 10**400, 2**31, 2**63, 2**64, float("nan"), float("inf"), float("-inf"), 0.1, 1e9,
]  # fmt: skip
ODD_TEXT = [
    "", " ", "0", "-1", "08", "010", "1e999", "nan", "inf", "~", "null", "true", "yes", "x" * 300, "y" * 20_000, "\x00", "\x1b]0;t\x07", "\u202e",
    "Größe", "日本", "😀", "../x", "/dev/zero", "/dev/null", "folder/", "~", "a*b?[c]", "{x}", "%s%n", "$(id)", "'; drop table x; --", "=1+1",
    "2026-13-45", "0001-01-01", "9999-12-31", "2026-02-30T25:61:61Z", "h100", "Apple M3 Ultra", "llama-3.1-8b", "-2024" * 2000, "10k", "1T",
]  # fmt: skip
ODD_VALUES: list[Any] = [None, True, False, [], {}, [1], ["a", None], {"a": 1}, [[[[]]]], *ODD_NUMBERS, *ODD_TEXT]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside a value."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 4)):
            yield from places(value[index], (*path, index))


def broken_value(value: Any, rng: Rng) -> Any:
    """Return a copy of nested values with one to three things wrong in it."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        paths = list(places(value))
        if not paths:
            return rng.choice(ODD_VALUES)
        *parents, last = rng.choice(paths)
        holder = value
        for step in parents:
            holder = holder[step]
        match rng.randrange(6):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[rng.choice((f"{last}s", str(last)[:-1], str(last).upper(), "", "x" * 300))] = holder.pop(last)
            case 2 if isinstance(holder, dict):
                holder[rng.choice(ODD_TEXT)] = rng.choice(ODD_VALUES)
            case 3:
                holder[last] = nested(rng.choice((3, 60)), rng)
            case _:
                holder[last] = rng.choice(ODD_VALUES)
    return value


def nested(depth: int, rng: Rng) -> Any:
    """Return lists or mappings inside each other."""
    value: Any = 1
    for _ in range(depth):  # deeper ones are written as text, by `broken_text`
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def broken_text(text: str, rng: Rng) -> bytes:
    """Return text as bytes with something wrong in its letters or its encoding."""
    match rng.randrange(14):
        case 0:
            return text.encode("utf-16")
        case 1:
            return ("Größe\n" + text).encode("latin-1", errors="replace")
        case 2:
            return b"\xef\xbb\xbf" + text.encode()
        case 3:
            return text.replace("\n", "\r").encode()
        case 4:
            return text.replace("\n", "\r\n").encode()
        case 5:
            return text[: rng.randrange(len(text) + 1)].encode()
        case 6:
            return b""
        case 7:
            return (rng.choice(("[", "{", "- ", "a: ")) * rng.choice((10, 3000, 50_000))).encode()
        case 8:
            at = rng.randrange(len(text) + 1)
            return (text[:at] + rng.choice(ODD_TEXT) + text[at:]).encode("utf-8", errors="replace")
        case 9:
            lines = text.splitlines(keepends=True) or [""]
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            return "".join(lines).encode()
        case 10:
            tag = rng.choice(
                ("!!bool maybe", '!!int ""', "!!timestamp x", "!!python/object:os.system x", "&a [*a]", "!!float x")
            )
            return (text + f"\nkind: {tag}\n").encode()
        case _:
            return flipped(text.encode(), rng)


def flipped(data: bytes, rng: Rng) -> bytes:
    """Return bytes with some of them changed, cut or doubled."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        match rng.randrange(3):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.randrange(1, 50)]
            case _:
                changed[at:at] = changed[at : at + rng.randrange(1, 50)]
    return bytes(changed)


def broken_document(text: str, rng: Rng) -> bytes:
    """Return a YAML or JSON document, broken in its structure or its text."""
    import yaml

    if rng.random() < 0.35:
        return broken_text(text, rng)
    value = broken_value(yaml.safe_load(text), rng)
    if rng.random() < 0.5:
        return json.dumps(value, default=str, ensure_ascii=rng.random() < 0.5).encode("utf-8", errors="replace")
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", errors="replace")


def broken_table(text: str, rng: Rng, delimiter: str = ",") -> bytes:
    """Return a table with cells, rows or columns that are wrong."""
    if rng.random() < 0.35:
        return broken_text(text, rng)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for _ in range(rng.choice((1, 2, 5))):
        row = rng.choice(rows)
        if not row:
            continue
        at = rng.randrange(len(row))
        match rng.randrange(7):
            case 0:
                del row[at]
            case 1:
                row.append(rng.choice(ODD_TEXT))
            case 2:
                rows.remove(row)
                if not rows:
                    rows.append([])
            case 3:
                row[at] = "z" * 140_000
            case 4:
                row[at] = str(rng.choice(ODD_NUMBERS))
            case _:
                row[at] = rng.choice(ODD_TEXT)
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", errors="replace")
