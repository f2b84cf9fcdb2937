"""Columns of request logs: by which names the formats in the wild call the time, the prompt's tokens and the answer's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from planner.errors import InputError

TIMES = (
    "timestamp", "time", "ts", "arrivaltime", "arrivaltimestamp", "arrivedat", "arrival", "starttime", "startedat", "requesttime",
    "requesttimestamp", "receivedat", "createdat", "created", "date", "datetime", "@timestamp", "inferencetime",
)  # fmt: skip
INPUTS = (
    "contexttokens", "requesttokens", "inputlength", "inputtokens", "prompttokens", "promptlen", "promptlength", "inputlen",
    "numprefilltokens", "numprompttokens", "prompttokencount", "inputtokencount", "ntokensin",
)  # fmt: skip
OUTPUTS = (
    "generatedtokens", "responsetokens", "outputlength", "outputtokens", "completiontokens", "outputlen", "completionlength",
    "numdecodetokens", "numgeneratedtokens", "candidatestokencount", "outputtokencount", "generationtokens", "ntokensout",
)  # fmt: skip
CACHED = ("cachedtokens", "cachedinputtokens", "cachedprompttokens", "cachereadinputtokens", "numcachedtokens")
BLOCKS = ("hashids",)
MOST_DEPTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a log has what, as expressions of SQL.

    Attributes
    ----------
    time, input, output : str
        Each row has them.
    cached, blocks : str
        Tokens that were read before, and the blocks of the prompt; empty where the log does not say.
    paths : tuple of (str, str)
        JSON alone: a column's name, and the expression that takes it from an object.
    unit_s : float
        Unit of times that count from the start of the log.
    """

    time: str
    input: str
    output: str
    cached: str = ""
    blocks: str = ""
    paths: tuple[tuple[str, str], ...] = ()
    unit_s: float = 1.0


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9@]", "", name.lower())


def columns_of_header(header: Sequence[str], where: str) -> Columns:
    """Return where a table has what, by the names of its columns.

    Raises
    ------
    InputError
        A column is missing; the message names those that there are.

    Examples
    --------
    >>> columns_of_header(["TIMESTAMP", "ContextTokens", "GeneratedTokens"], "").input
    'CAST("ContextTokens" AS VARCHAR)'
    """
    names = {_plain(name): name for name in reversed(header)}
    columns = {
        what: next((names[spelling] for spelling in spellings if spelling in names), "")
        for what, spellings in _KNOWN.items()
    }
    missing = [what for what in ("time", "input", "output") if not columns[what]]
    if missing:
        raise _missing(missing, header, where)

    def quoted(name: str) -> str:
        return 'CAST("' + name.replace('"', '""') + '" AS VARCHAR)' if name else ""

    is_ms = _is_mooncake(names.keys())
    time, inputs, outputs, cached, blocks = (quoted(columns[what]) for what in _KNOWN)
    return Columns(time=time, input=inputs, output=outputs, cached=cached, blocks=blocks, unit_s=1e-3 if is_ms else 1.0)


def _is_mooncake(names: AbstractSet[str]) -> bool:
    """Tell whether a log is Mooncake's, whose times are milliseconds: Bailian's has blocks too, and a chat's number."""
    return "hashids" in names and not names & {"chatid", "turn"}


_KNOWN = {"time": TIMES, "input": INPUTS, "output": OUTPUTS, "cached": CACHED, "blocks": BLOCKS}
_WORDS = {"time": "the time of arrival", "input": "the prompt's tokens", "output": "the answer's tokens"}
_USUAL = {"time": "timestamp", "input": "input_tokens", "output": "output_tokens"}


def _missing(missing: Sequence[str], names: Sequence[str], where: str) -> InputError:
    words = " and ".join(_WORDS[what] for what in missing)
    listed = ", ".join(name[:40] for name in list(names)[:20]) or "none"
    wanted = ", ".join(_USUAL[what] for what in missing)
    return InputError(f"no column holds {words}; there are: {listed}", where=where, hint=f"name it {wanted}")


def columns_of_json(lines: Sequence[str], where: str) -> Columns:
    """Return where objects, one a line, have what, at any depth; SageMaker's captures hold objects written as text.

    Raises
    ------
    InputError
        As `columns_of_header`.
    """
    objects = [content for line in lines if isinstance(content := _parsed(line), dict)]
    paths: dict[str, str] = {}
    for content in objects:
        for path, sql in _leaves(content, "", "json"):
            paths.setdefault(path, sql)
    columns: dict[str, str] = {}
    for what, spellings in _KNOWN.items():
        ranked = [
            (spellings.index(leaf), path.count("."), path)
            for path in paths
            if (leaf := _plain(path.rpartition(".")[2])) in spellings
        ]
        if ranked:
            # Several places may hold it, as failed requests do: the first that is there counts.
            best = [paths[path] for _, _, path in sorted(ranked)]
            columns[what] = f"COALESCE({', '.join(best)})" if len(best) > 1 else best[0]
    missing = [what for what in ("time", "input", "output") if what not in columns]
    if missing:
        raise _missing(missing, list(paths), where)
    keys = {_plain(path) for path in paths}
    is_ms = _is_mooncake(keys)
    time, inputs, outputs, cached, blocks = (f"c_{what}" if what in columns else "" for what in _KNOWN)
    return Columns(
        time=time, input=inputs, output=outputs, cached=cached, blocks=blocks,
        paths=tuple((f"c_{what}", sql) for what, sql in columns.items()), unit_s=1e-3 if is_ms else 1.0,
    )  # fmt: skip


def json_sources(columns: Columns) -> str:
    """Return the SQL that takes the columns from an object."""
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.paths)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _leaves(value: Mapping[str, Any], path: str, source: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Return each value's dotted path and the SQL that takes it from a row's object."""
    if depth > MOST_DEPTH:
        return
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        pointer = "/" + here.replace("~", "~0").replace(".", "/").replace("'", "''")
        if isinstance(item, dict):
            yield from _leaves(item, here, source, depth + 1)
        elif key == "data" and isinstance(item, str) and isinstance(value.get("encoding"), str):
            yield from _captured(item, str(value["encoding"]), here, pointer, source)
        else:
            yield here, f"json_extract_string({source}, '{pointer}')"


def _captured(text: str, encoding: str, path: str, pointer: str, source: str) -> Iterator[tuple[str, str]]:
    """Return the leaves of an object that is written as text, as SageMaker keeps a request and its answer."""
    plain = f"json_extract_string({source}, '{pointer}')"
    said = f"json_extract_string({source}, '{pointer.removesuffix('/data')}/encoding')"
    # One file may hold both: SageMaker says of each request and each answer how it is written.
    sql = f"CASE WHEN upper({said}) = 'BASE64' THEN decode(from_base64({plain})) ELSE {plain} END"
    if encoding.upper() == "BASE64":
        import base64

        try:
            text = base64.b64decode(text).decode("utf-8", "replace")
        except ValueError:
            return
    if isinstance(inner := _parsed(text), dict):
        # A capture that is no JSON at all gives nothing instead of an error.
        guarded = f"CASE WHEN json_valid({sql}) THEN CAST({sql} AS JSON) END"
        for leaf, leaf_sql in _leaves(inner, "", guarded):
            yield f"{path}.{leaf}", leaf_sql
