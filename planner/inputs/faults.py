"""What is wrong with a file that a user wrote: every fault of pydantic's with its place in the file and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

Path_ = tuple[str | int, ...]


EXPECTED = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "dataclass_type"), "keys with values"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "iterable_type"), "a list"),
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), "text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), "a date such as 2026-01-31"),
}
"""What a value should have been, by pydantic's name of the fault."""
BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
"""Fault of a bound to its words, and to the name of the bound."""
NOT_A_NUMBER = frozenset(
    {"float_parsing", "float_type", "int_parsing", "int_type", "int_parsing_size", "int_from_float_inf"}
)
UNION_BRANCHES = frozenset(
    "Tokens Lengths Percent Mean str int float ModelNumbers Spread Heap Service Texts Images".split()
)
MOST_FAULTS = 50
"""Faults reported per file; a file with more is of another kind."""
LONGEST_WORD = 60
"""What is longer is no slip of a known word, and is not repeated whole."""
MOST_BITS = 1_000


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content and where each part of it stands.

    Attributes
    ----------
    content : dict
        The top-level mapping.
    name : str
        File name for messages.
    lines : mapping of path to (line, column)
        Place of each value; a path that ends in ``@key`` gives the place of the key itself.
    """

    content: dict[str, Any]
    name: str
    lines: Mapping[tuple[str | int, ...], tuple[int, int]]

    def place(self, path: Path_) -> str:
        """Return ``file:line:column`` of the key at `path`, or of the nearest part around it."""
        for end in range(len(path), 0, -1):
            for candidate in ((*path[:end], "@key"), path[:end]):
                if candidate in self.lines:
                    line, column = self.lines[candidate]
                    return f"{self.name}:{line}:{column}"
        return f"{self.name}:1:1"

    def label(self, path: Path_) -> str:
        """Return what messages call the key at `path`."""
        return ".".join(str(part) for part in path) or "the file"


@cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _near(word: str, words: Sequence[str]) -> list[str]:
    """Return the known word that was meant, if any."""
    return difflib.get_close_matches(word, words, n=1, cutoff=0.5) if len(word) <= LONGEST_WORD else []


def _keys_at(model: type[BaseModel], path: Path_) -> list[str]:
    """Keys that the schema knows where `path` points; empty where it cannot be told."""
    schema = _schema_of(model)
    nodes = [schema]
    for part in path:
        nodes = [
            inner
            for node in nodes
            if (inner := node.get("properties", {}).get(part) if isinstance(part, str) else node.get("items"))
        ]
        nodes = [form for node in nodes for form in _forms(node, schema)]
    return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


def _forms(node: Any, schema: Any) -> list[Any]:  # noqa: ANN401  a JSON Schema is untyped
    """Return what a node may be, its references followed."""
    if "$ref" in node:
        return [schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]]
    inner = [*node.get("anyOf", ()), *node.get("allOf", ()), *node.get("oneOf", ())]
    return [node, *(form for option in inner for form in _forms(option, schema))]


def described(value: Hashable) -> str:
    """Return a value as messages repeat it, cut where it is long."""
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"a number of some {value.bit_length() * 3 // 10:,} digits"
    text = repr(value)
    return text if len(text) <= LONGEST_WORD else text[: LONGEST_WORD - 3] + "..."


def _sentence(fault: Mapping[str, Any], model: type[BaseModel], document: Document) -> str:
    """Say what pydantic found in the words of the file."""
    path: Path_ = fault["loc"]
    dotted = document.label(path)
    context = fault.get("ctx", {})
    got = described(fault.get("input"))
    match fault["type"]:
        case "extra_forbidden":
            keys = _keys_at(model, path[:-1])
            near = _near(str(path[-1]), keys)
            hint = f"did you mean {near[0]!r}?" if near else "known here: " + ", ".join(keys)
            return f"unknown key {described(path[-1])}; {hint}"
        case "missing":
            return f"{dotted} is missing"
        case "literal_error" | "enum":
            options = [word.strip("' ") for word in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
            near = _near(str(fault.get("input")), options)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{dotted} must be one of {', '.join(options)}, got {got}{hint}"
        case kind if kind in BOUNDS:
            words, name = BOUNDS[kind]
            return f"{dotted} must be {words} {context[name]:g}, got {got}"
        case "finite_number":
            return f"{dotted} must be a finite number, got {got}"
        case "int_from_float":
            return f"{dotted} must be a whole number, got {got}"
        case kind if kind in NOT_A_NUMBER:
            return (
                f"{dotted} must be a plain number (10k, 50M and 1T are read), its unit is in the key's name; got {got}"
            )
        case "value_error":
            said = str(context.get("error", fault["msg"]))
            return f"{dotted}: {said}" if path else said
        case "string_too_long" | "string_too_short" | "too_long" | "too_short":
            least, most = context.get("min_length"), context.get("max_length")
            bound = f"at most {most:,}" if most else f"at least {least}"
            if fault["type"].startswith("string"):
                return f"{dotted} must have {bound} characters, got {len(str(fault.get('input'))):,}"
            return f"{dotted} must have {bound} entries, got {context.get('actual_length')}"
        case kind:
            return f"{dotted} must be {EXPECTED.get(kind, 'another kind of value')}, got {got}"


def faults_of(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[str]:
    """Return each fault as a sentence with its place."""
    # A union reports each of its branches under the branch's own name, which does not stand in the file; where a
    # branch was entered (a mapping, faults inside it), that the others wanted something else is no news.
    faults = [(tuple(part for part in fault["loc"] if is_in_file(part)), fault) for fault in error.errors()]
    entered = {path[:end] for path, _ in faults for end in range(len(path))}
    seen: set[str] = set()
    for path, fault in faults:
        if path in entered:
            continue
        if len(seen) == MOST_FAULTS:
            yield f"{document.name}: and more faults like these"
            return
        text = f"{document.place(path)}: {_sentence({**fault, 'loc': path}, model, document)}"
        if text not in seen:
            seen.add(text)
            yield text


def is_in_file(part: str | int) -> bool:
    """Tell whether a part of a fault's path stands in the file, and is not pydantic's name of a union's branch."""
    return isinstance(part, int) or (part not in UNION_BRANCHES and not part.startswith(("function-", "constrained-")))
