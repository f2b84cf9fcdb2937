"""Files a user writes, read with their line numbers: all faults of a file are reported together, each with its place."""

from __future__ import annotations

import copy
import difflib
import re
import sys
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from planner.errors import InputError
from planner.inputs.amount import quantity
from planner.inputs.faults import MOST_FAULTS, NOT_A_NUMBER, Document, Path_, described, faults_of, is_in_file

LARGEST_FILE_BYTES = 1_000_000
LARGEST_PLAN_BYTES = 200_000_000
MOST_NODES = 100_000
MOST_DEPTH = 50
TEXT_TAG = "tag:yaml.org,2002:str"
MOST_DIGITS = 40
"""A whole number of more digits is a slip of the hand, and more than a float holds from 309 on."""
RANGE_KEYS = frozenset({"low", "typical", "high", "mean", "cv", "p50", "p90", "p95", "p99"})
"""Keys of a range or a distribution, whose unit the key around them tells."""
COMMANDS = {"plan": {"kind"}, "breakeven": {"rent", "buy"}, "mix": {"demand"}}
"""The keys by which the files of each command are told apart."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2: `NO` is a country, not false; 1e9 is a number; 12:30 is text; 010 is ten."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the library's own way to say it

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """Read a whole number; the library's own reader takes a leading 0 for octal, as YAML 1.1 did."""
        text = node.value.replace("_", "")
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_resolve("int", r"^[-+]?[0-9]+(?:_[0-9]+)*$|^0o[0-7]+$|^0x[0-9a-fA-F]+$", "-+0123456789")
_resolve(
    "float",
    r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9]+|[0-9][0-9_]*\.?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
    "-+0123456789.",
)


def _bytes_of(source: str, largest_bytes: int) -> tuple[bytes, str]:
    if source == "-":
        return sys.stdin.buffer.read(largest_bytes + 1), "<stdin>"
    path = Path(source)
    try:
        with path.open("rb") as file:
            return file.read(largest_bytes + 1), source
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(f"this link leads to {path.readlink()}, which is not there", where=source) from None
        near = difflib.get_close_matches(path.name, _neighbours(path), n=1, cutoff=0.6)
        hint = f"did you mean {path.with_name(near[0])}?" if near else "`gpuplan init -o FILE` writes one to start from"
        raise InputError("no such file", where=source, hint=hint) from None
    except IsADirectoryError:
        raise InputError("this is a folder, a file was expected", where=source) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"cannot be read: {(reason or str(error)).lower()}", where=described(source)) from None


def _neighbours(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []


def _fault_of(node: yaml.Node, loader: _Loader) -> str:
    """Say why a value cannot be read; empty where it can."""
    if not isinstance(node, yaml.ScalarNode):
        own = loader.resolve(type(node), None, (True, True))  # type: ignore[no-untyped-call]  # a method without types in PyYAML's stubs
        return "" if node.tag == own else f"the tag {described(node.tag)} is not read here; leave it out"
    plain = loader.resolve(yaml.ScalarNode, node.value, (node.style is None, True))  # type: ignore[no-untyped-call]  # the same
    if node.tag not in {plain, TEXT_TAG}:
        return f"the tag {described(node.tag)} is not read here; write the value alone"
    if node.tag.endswith(":int") and len(node.value) > MOST_DIGITS:
        return f"a whole number of {len(node.value):,} digits is more than can be meant here (at most {MOST_DIGITS})"
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        return "half of a surrogate pair (\\ud800 to \\udfff) is not a character"
    return ""


def _walk(
    node: yaml.Node,
    path: Path_,
    lines: dict[Path_, tuple[int, int]],
    faults: list[str],
    name: str,
    loader: _Loader,
    depth: int = 0,
) -> None:
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    lines[path] = place
    if depth > MOST_DEPTH or len(lines) > MOST_NODES:
        raise InputError(f"nested deeper than {MOST_DEPTH} levels or longer than {MOST_NODES} values", where=name)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode) or key.value == "":
                faults.append(f"{name}:{line}:{column}: a key must be a word")
                continue
            key.tag = TEXT_TAG
            here = (*path, key.value)
            if (*here, "@key") in lines:
                first = lines[*here, "@key"][0]
                faults.append(f"{name}:{line}:{column}: {key.value!r} appears twice (first on line {first}); keep one")
            lines[*here, "@key"] = (line, column)
            _walk(value, here, lines, faults, name, loader, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, faults, name, loader, depth + 1)
    if fault := _fault_of(node, loader):
        faults.append(f"{name}:{place[0]}:{place[1]}: {fault}")


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
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        encoding = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "Latin-1 or Windows-1252"
        raise InputError(
            f"not UTF-8 text: byte 0x{raw[error.start]:02x} cannot be read",
            where=f"{name}:{line}:{column}",
            hint=f"is it {encoding}? Save it as UTF-8",
        ) from None


def read_document(source: str, *, example: str = "serve") -> Document:
    """Read a YAML or JSON file and note where each value stands.

    Parameters
    ----------
    source : str
        Path of the file, or ``-`` for standard input.
    example : str
        Where such a file begins, told when there is none: a kind of ``gpuplan init``, or words of its own.

    Raises
    ------
    InputError
        The file is missing, empty, too large, not text, not YAML, or no mapping of keys to values; a key appears twice.
    """
    return document_of(*read_text(source, LARGEST_FILE_BYTES), example=example)


def document_of(text: str, name: str, *, example: str = "serve") -> Document:
    """Read YAML or JSON text and note where each value stands; see `read_document`.

    Parameters
    ----------
    text : str
        The text.
    name : str
        What messages call it.
    example : str
        As `read_document`.

    Raises
    ------
    InputError
        As `read_document`.
    """
    start = f"`gpuplan init {example}` prints one to start from" if " " not in example else example
    if not text.strip():
        raise InputError("the file is empty", where=name, hint=start)
    try:
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, yaml.MappingNode):
            raise InputError("keys with values were expected (`key: value`)", where=f"{name}:1:1", hint=start)
        lines: dict[Path_, tuple[int, int]] = {}
        faults: list[str] = []
        loader = _Loader("")
        _walk(node, (), lines, faults, name, loader)
        if faults:
            more = [f"{name}: and more faults like these"] if len(faults) > MOST_FAULTS else []
            raise InputError("\n".join(faults[:MOST_FAULTS] + more))
        content = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise InputError(f"not valid YAML: {error.problem or error.context}", where=where) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        raise InputError(
            f"not valid YAML: the character U+{error.character:04X} is not allowed in it; delete it",
            where=f"{name}:{before.count(chr(10)) + 1}:{error.position - before.rfind(chr(10))}",
        ) from None
    except RecursionError:
        raise InputError(f"nested deeper than {MOST_DEPTH} levels", where=name) from None
    return Document(content, name, lines)


def validated(document: Document, model: type[ModelT]) -> ModelT:
    """Return the document as `model`; where a number belongs, ``10k``, ``50M`` and ``1T`` are read as one.

    Raises
    ------
    InputError
        The file is one of another command; or all faults at once, each with file, line and column.
    """
    _refuse_file_of_another(document, model)
    try:
        try:
            return model.model_validate(document.content)
        except ValidationError as error:
            content = _with_quantities(document.content, error)
            if content is None:
                raise
            return model.model_validate(content)
    except ValidationError as error:
        faults = sorted(faults_of(error, document, model), key=_place_key)
        raise InputError("\n".join(faults)) from None


def _refuse_file_of_another(document: Document, model: type[BaseModel]) -> None:
    """Name the command that reads this file, where it is not the one that was asked."""
    keys, fields = document.content.keys(), model.model_fields.keys()
    named = [command for command, marks in COMMANDS.items() if marks <= keys]
    if named and not any(COMMANDS[command] <= fields for command in named):
        source = "-" if document.name == "<stdin>" else document.name
        raise InputError(
            f"this file is for `gpuplan {named[0]}`", where=document.name, hint=f"gpuplan {named[0]} {source}"
        )


def _with_quantities(content: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """Return the content with numbers where quantities were written in their place; None where none was."""
    numbers = {
        tuple(part for part in fault["loc"] if is_in_file(part)): number
        for fault in error.errors()
        if fault["type"] in NOT_A_NUMBER and isinstance(fault["input"], str)
        if (number := quantity(fault["input"], _key_of(fault["loc"]))) is not None
    }
    if not numbers:
        return None
    changed = copy.deepcopy(content)
    for path, number in numbers.items():
        *outer, last = path
        target: Any = changed
        for part in outer:
            target = target[part]
        target[last] = number
    return changed


def _key_of(path: Path_) -> str:
    """Return the innermost key of a path: the one that a list's entry or a range's end stands under."""
    words = [part for part in path if isinstance(part, str) and is_in_file(part) and part not in RANGE_KEYS]
    return words[-1] if words else ""


def _place_key(fault: str) -> tuple[int, int]:
    parts = fault.split(": ", 1)[0].rsplit(":", 2)
    placed = len(parts) == 3 and parts[-2].isdigit() and parts[-1].isdigit()
    return (int(parts[-2]), int(parts[-1])) if placed else (MOST_NODES**2, 0)  # what has no place comes last
