"""Cells: what a table's columns may be called, and how a row of cells becomes a workload as it is written in YAML."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from planner.demand.workload import Workload
from planner.errors import InputError

LISTS = frozenset({"precision", "kv_precision", *(f"constraints.{name}" for name in ("providers", "countries", "regions", "gpus", "purchase"))})  # fmt: skip
OWN_COLUMNS = frozenset({"id", "team"})
"""What a row is called and whose it is."""
NUMBER = re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")
GROUPED = re.compile(r"^[-+]?[1-9]\d{0,2}(?:[.,]\d{3})+$")
DECIMAL_COMMA = re.compile(r"^[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+$")
NEAR = 0.8
"""A name this near to a known one is a slip of the pen, and no tag."""
TEXTS = frozenset({"kind", "model", "own.place", "gpu_hours.gpu", *LISTS})


@cache
def known_columns() -> tuple[str, ...]:
    """Return every column that says something of the work: the keys of ``workload.yaml``, with dots within a section.

    Examples
    --------
    >>> [name for name in known_columns() if name.startswith("gpu_hours.")]
    ['gpu_hours.gpu', 'gpu_hours.count', 'gpu_hours.hours_per_month']
    """
    schema = Workload.model_json_schema()

    def section(node: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if "$ref" in node:
            inner: dict[str, Any] = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
            return inner.get("properties")
        properties: dict[str, Any] = {}
        for option in (*node.get("anyOf", ()), *node.get("allOf", ()), *node.get("oneOf", ())):
            properties |= section(option) or {}
        return properties or None

    names: list[str] = []
    for key, node in schema["properties"].items():
        names += [key, *(f"{key}.{part}" for part in section(node) or ())]
    return tuple(names)


def refuse_unknown_columns(columns: Sequence[str], where: str) -> None:
    """Stop at columns that look like keys of a workload and are none.

    Raises
    ------
    InputError
        All of them, each with the nearest known one; columns that stand twice; or a table that says nothing of any work.
    """
    keys = known_columns()
    faults = []
    for number, name in enumerate(columns, 1):
        place = f"column {number} ({name!r})"
        if name in columns[: number - 1]:
            faults.append(f"{place} appears twice; keep one")
        if name in keys or name in OWN_COLUMNS or name.startswith("tag."):
            continue
        if not name.strip():
            faults.append(f"{place} has no name")
            continue
        near = difflib.get_close_matches(name, keys, n=1, cutoff=0.5 if "." in name else NEAR)
        last = [column for column in keys if column.rsplit(".", 1)[-1] == name] if "." not in name else []
        if near or last or "." in name:
            hint = f"did you mean {(near or last)[0]!r}?" if near or last else "no key of a workload is called so"
            faults.append(f"{place} is unknown; {hint} (a tag of your own is kept as 'tag.{name}')")
    if "kind" not in columns and not faults:
        faults.append("there is no column 'kind', which says what each row is (serve, batch, finetune, ...)")
    if faults:
        raise InputError(
            "\n".join(faults), where=where, hint="columns are the keys of workload.yaml with dots: serve.requests_per_s"
        )


def tag_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are passed on to the result as they are."""
    taken = {*known_columns(), *OWN_COLUMNS}
    return tuple(name for name in columns if name not in taken)


def decimal_comma_cells(cells: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the cells of a row between semicolons, decimal commas as points, and which of them may mean two numbers.

    Programs that divide cells by semicolons write one and a half as ``1,5``, and many write a thousand as ``1.000``.

    Examples
    --------
    >>> decimal_comma_cells({"gpu_hours.hours_per_month": "437,5"})
    ({'gpu_hours.hours_per_month': '437.5'}, '')
    >>> decimal_comma_cells({"gpu_hours.hours_per_month": "1.000"})[1]
    "gpu_hours.hours_per_month: '1.000' is 1000 to some and 1 to others; write 1000 or 1 without a point or comma between thousands"
    """
    plain_cells, faults = dict(cells), []
    for name, cell in cells.items():
        if name in TEXTS or name in OWN_COLUMNS or name not in known_columns():
            continue
        text = cell.strip()
        if GROUPED.match(text):
            plain = re.sub(r"[.,]", "", text)
            other = text.replace(",", ".") if len(re.findall(r"[.,]", text)) == 1 else ""
            faults.append(
                f"{name}: {text!r} is {plain} to some and {f'{float(other):g}' if other else 'no number'} to others; "
                f"write {plain}{f' or {float(other):g}' if other else ''} without a point or comma between thousands"
            )
        elif DECIMAL_COMMA.match(text):
            plain_cells[name] = text.replace(".", "").replace(",", ".")
    return plain_cells, "; ".join(faults)


def _value(name: str, cell: object) -> object:
    """Return a cell as YAML would read it."""
    if not isinstance(cell, str):
        return list(cell) if isinstance(cell, tuple) else cell
    text = cell.strip()
    if text.startswith(("[", "{")):
        return _json(text)
    if name in LISTS:
        return [word.strip() for word in re.split(r"[;|,]", text) if word.strip()]
    if name in TEXTS:
        return text
    if NUMBER.match(text):
        return float(text) if any(sign in text for sign in ".eE") else int(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def content_of_cells(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the mapping that its YAML file would hold; empty cells are left out.

    Parameters
    ----------
    cells : mapping of str to any
        By dotted column.

    Examples
    --------
    >>> content_of_cells({"kind": "embed", "embed.documents": "1e6", "constraints.providers": "aws;gcp", "team": "ads"})
    {'kind': 'embed', 'embed': {'documents': 1000000.0}, 'constraints': {'providers': ['aws', 'gcp']}}
    """
    content: dict[str, Any] = {}
    keys = _known_set()
    for name, cell in cells.items():
        if name not in keys or cell is None or cell == "" or cell != cell:  # noqa: PLR0124  NaN is not equal to itself
            continue
        section, dot, key = name.partition(".")
        value, part = _value(name, cell), content.get(section)
        if dot:
            value = {key: value}
        content[section] = part | value if isinstance(part, dict) and isinstance(value, dict) else value
    return content


@cache
def _known_set() -> frozenset[str]:
    return frozenset(known_columns())
