"""Files a user writes, read with their line numbers: all faults of a file are told at once, each with its place."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from planner.errors import InputError

__all__ = ["Document", "document_of", "read_document", "read_text", "validated"]

LARGEST_FILE_BYTES = 1_000_000
LARGEST_PLAN_BYTES = 200_000_000
MOST_NODES = 100_000
MOST_DEPTH = 50
UNION_BRANCHES = frozenset({"str", "int", "float", "ModelNumbers", "Spread"})

ModelT = TypeVar("ModelT", bound=BaseModel)
Path_ = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2: `NO` is a country, not false; 1e9 is a number; 12:30 is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the library's own way to say it


def _resolve(tag: str, pattern: str, first: str) -> None:
    import re

    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_resolve("int", r"^[-+]?[0-9]+(?:_[0-9]+)*$", "-+0123456789")
_resolve(
    "float",
    r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9]+|[0-9][0-9_]*\.?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
    "-+0123456789.",
)


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


def _bytes_of(source: str, largest_bytes: int) -> tuple[bytes, str]:
    if source == "-":
        return sys.stdin.buffer.read(largest_bytes + 1), "<stdin>"
    path = Path(source)
    try:
        with path.open("rb") as file:
            return file.read(largest_bytes + 1), source
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, _neighbours(path), n=1, cutoff=0.6)
        hint = (
            f"did you mean {path.with_name(near[0])}?"
            if near
            else "`gpuplan init` writes a workload file to start from"
        )
        raise InputError("no such file", where=source, hint=hint) from None
    except IsADirectoryError:
        raise InputError("this is a folder, a file was expected", where=source) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=source) from None


def _neighbours(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []


def _walk(
    node: yaml.Node, path: Path_, lines: dict[Path_, tuple[int, int]], faults: list[str], name: str, depth: int
) -> None:
    lines[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if depth > MOST_DEPTH or len(lines) > MOST_NODES:
        raise InputError(f"nested deeper than {MOST_DEPTH} levels or longer than {MOST_NODES} values", where=name)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if (*here, "@key") in lines:
                first = lines[*here, "@key"][0]
                faults.append(f"{name}:{line}:{column}: {key.value!r} stands twice (first on line {first}); keep one")
            lines[*here, "@key"] = (line, column)
            _walk(value, here, lines, faults, name, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, faults, name, depth + 1)


def read_text(source: str, largest_bytes: int = LARGEST_PLAN_BYTES) -> tuple[str, str]:
    """Return the text of a file, and its name for messages.

    Parameters
    ----------
    source : str
        Path of the file, or ``-`` for standard input.
    largest_bytes : int
        A longer file is refused.

    Raises
    ------
    InputError
        The file is missing, too large, or not text.
    """
    raw, name = _bytes_of(source, largest_bytes)
    if len(raw) > largest_bytes:
        raise InputError(f"larger than {largest_bytes:,} bytes, which is more than such a file needs", where=name)
    try:
        return raw.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start} cannot be read)", where=name) from None


def read_document(source: str) -> Document:
    """Read a YAML or JSON file and note where each value stands.

    Parameters
    ----------
    source : str
        Path of the file, or ``-`` for standard input.

    Raises
    ------
    InputError
        The file is missing, empty, too large, not text, not YAML, or no mapping of keys to values; a key stands twice.
    """
    return document_of(*read_text(source, LARGEST_FILE_BYTES))


def document_of(text: str, name: str) -> Document:
    """Read YAML or JSON text and note where each value stands; see `read_document`.

    Parameters
    ----------
    text : str
        The text.
    name : str
        What messages call it.

    Raises
    ------
    InputError
        As `read_document`.
    """
    if not text.strip():
        raise InputError(
            "the file is empty", where=name, hint="`gpuplan init serve` prints a commented workload to start from"
        )
    try:
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, yaml.MappingNode):
            raise InputError(
                "keys with values were expected, such as `kind: serve`",
                where=f"{name}:1:1",
                hint="`gpuplan init serve` prints one",
            )
        lines: dict[Path_, tuple[int, int]] = {}
        faults: list[str] = []
        _walk(node, (), lines, faults, name, 0)
        if faults:
            raise InputError("\n".join(faults))
        loader = _Loader("")
        content = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise InputError(f"not valid YAML: {error.problem or error.context}", where=where) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"not valid YAML: {error}".splitlines()[0], where=name) from None
    return Document(content, name, lines)


def _keys_at(model: type[BaseModel], path: Path_) -> list[str]:
    """Keys that the schema knows where `path` points; empty where it cannot be told."""
    schema = model.model_json_schema()
    node: Any = schema
    for part in path:
        node = _deref(node, schema)
        node = node.get("properties", {}).get(part) if isinstance(part, str) else node.get("items")
        if node is None:
            return []
    return list(_deref(node, schema).get("properties", {}))


def _deref(node: Any, schema: Any) -> Any:  # noqa: ANN401  a JSON Schema is untyped
    for option in (node, *node.get("anyOf", ()), *node.get("allOf", ())):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
    return node


def _described(value: Hashable) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _sentence(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Say what pydantic found in the words of the file."""
    path: Path_ = fault["loc"]
    dotted = ".".join(str(part) for part in path) or "the file"
    context = fault.get("ctx", {})
    found = _described(fault.get("input"))
    match fault["type"]:
        case "extra_forbidden":
            known = _keys_at(model, path[:-1])
            near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else "known here: " + ", ".join(known)
            return f"unknown key {path[-1]!r}; {hint}"
        case "missing":
            return f"{dotted} is missing"
        case "literal_error" | "enum":
            options = [word.strip("' ") for word in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
            near = difflib.get_close_matches(str(fault.get("input")), options, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{dotted} must be one of {', '.join(options)}, got {found}{hint}"
        case "greater_than":
            return f"{dotted} must be above {context['gt']:g}, got {found}"
        case "greater_than_equal":
            return f"{dotted} must be at least {context['ge']:g}, got {found}"
        case "less_than":
            return f"{dotted} must be below {context['lt']:g}, got {found}"
        case "less_than_equal":
            return f"{dotted} must be at most {context['le']:g}, got {found}"
        case "finite_number":
            return f"{dotted} must be a finite number, got {found}"
        case "int_from_float":
            return f"{dotted} must be a whole number, got {found}"
        case "float_parsing" | "float_type" | "int_parsing" | "int_type" | "int_parsing_size":
            return f"{dotted} must be a plain number, its unit is in the key's name; got {found}"
        case "value_error":
            said = str(context.get("error", fault["msg"]))
            return f"{dotted}: {said}" if path else said
        case _:
            return f"{dotted}: {fault['msg'][0].lower()}{fault['msg'][1:]}, got {found}"


def _faults(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[str]:
    # A union reports each of its branches under the branch's own name, which does not stand in the file; where a
    # branch was entered (a mapping, faults inside it), that the others wanted something else is no news.
    found = [(tuple(part for part in fault["loc"] if _in_file(part)), fault) for fault in error.errors()]
    seen = set()
    for path, fault in found:
        if any(len(other) > len(path) and other[: len(path)] == path for other, _ in found):
            continue
        text = f"{document.place(path)}: {_sentence({**fault, 'loc': path}, model)}"
        if text not in seen:
            seen.add(text)
            yield text


def _in_file(part: str | int) -> bool:
    return isinstance(part, int) or (part not in UNION_BRANCHES and not part.startswith(("function-", "constrained-")))


def validated(document: Document, model: type[ModelT]) -> ModelT:
    """Return the document as `model`.

    Raises
    ------
    InputError
        All faults at once, each with file, line and column.
    """
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        faults = sorted(_faults(error, document, model), key=_place_key)
        raise InputError("\n".join(faults)) from None


def _place_key(fault: str) -> tuple[int, int]:
    parts = fault.split(": ", 1)[0].rsplit(":", 2)
    return (int(parts[-2]), int(parts[-1])) if len(parts) == 3 and parts[-1].isdigit() else (0, 0)
