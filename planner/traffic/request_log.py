"""Request logs: when each request came, how long its prompt and its answer were; every public format as it is.

DuckDB reads the files, so that ten million requests take seconds; what is kept of a request is four numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.traffic.log_columns import Columns, columns_of_header, columns_of_json, json_sources
from planner.traffic.simulation import Requests

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


IntArray = NDArray[np.integer[Any]]

EPOCH_FROM = 5e8
"""Smaller numbers are seconds since the log began, not since 1970."""
MOST_TOKENS = 100_000_000
MOST_HASHED_ROWS = 1_000_000
"""Of more requests the blocks of their prompts are not looked at."""
MEMORY = "400MB"
"""Of DuckDB, which goes to the folder of temporary files beyond it; the numbers of ten million requests take as much again."""
BLOCK_BYTES = 1 << 20
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFault:
    """Rows that are missing from the answer.

    Attributes
    ----------
    code : str
        ``unreadable``, ``no_prompt``, ``no_answer``, ``cut_off`` or ``blocks_ignored``.
    where : str
        The file.
    count : int
        How many rows; 0 where nobody can know.
    """

    code: str
    where: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLog:
    """The requests of a log, in order of arrival.

    Attributes
    ----------
    requests : Requests
        `arrival_s` counts from the first request.
    first_s : float
        Of the first request since 1970; NaN where the log has no date.
    zone : str
        In which the hours of the week are told.
    has_reuse : bool
        Whether the log says which part of a prompt was read before.
    row_count : int
        Rows of the files, with those that are left out.
    faults : tuple of LogFault
        What was left out.
    """

    requests: Requests
    first_s: float
    zone: str
    has_reuse: bool
    row_count: int
    faults: tuple[LogFault, ...]


def read_log(paths: Sequence[str], folder: Path, *, timezone: str = "UTC", unit_s: float | None = None) -> RequestLog:
    """Return the requests of files that hold one log.

    Parameters
    ----------
    paths : sequence of str
        CSV, JSON lines (both also gzipped) or Parquet.
    folder : Path
        For what has to be unpacked.
    timezone : str
        Of times that state none, and of the hours of the week.
    unit_s : float, optional
        Of times that count from the start of the log; without it, what the format means by them (seconds, Mooncake's milliseconds).

    Raises
    ------
    InputError
        A file that cannot be read, that has no such columns, or no request at all.
    """
    import duckdb

    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"no time zone is called {timezone!r}", where="--timezone", hint="Europe/Berlin, UTC"
        ) from None
    faults: list[LogFault] = []
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(folder)}) as engine:
        engine.execute("SET enable_progress_bar = false")  # it would be drawn on standard output
        engine.execute("SET preserve_insertion_order = false")
        engine.execute("SET TimeZone = ?", [timezone])
        engine.execute(
            "CREATE TABLE log (arrived DOUBLE, input INTEGER, output INTEGER, cached INTEGER, blocks BIGINT[])"
        )
        has_reuse = False
        for path in paths:
            has_reuse |= _read_file(engine, path, folder, unit_s, faults)
        return _log_of(engine, timezone, has_reuse=has_reuse, faults=faults, where=", ".join(paths))


def _read_file(
    engine: DuckDBPyConnection, path: str, folder: Path, unit_s: float | None, faults: list[LogFault]
) -> bool:
    """Add a file's requests to the table, and tell whether it says what was read before."""
    import duckdb

    if not Path(path).is_file():
        raise InputError("no such file", where=path)
    before = _count(engine, "TRUE")
    try:
        try:
            columns = _insert(engine, path, path, unit_s, faults)
        except duckdb.Error:
            if _head(path)[:2] != GZIP:
                raise
            faults.append(LogFault(code="cut_off", where=path, count=0))
            columns = _insert(engine, _salvaged(path, folder), path, unit_s, faults)
    except duckdb.Error as error:
        raise InputError(f"it cannot be read: {str(error).splitlines()[0][:200]}", where=path, hint="a log is CSV, JSON lines (also .gz) or Parquet") from error  # fmt: skip
    if _count(engine, "TRUE") == before:
        raise InputError("the file holds no row", where=path, hint="a log has one row for each request")
    return bool(columns.cached or columns.blocks)


def _insert(
    engine: DuckDBPyConnection, readable: str, path: str, unit_s: float | None, faults: list[LogFault]
) -> Columns:
    """Add the rows of a file that DuckDB can read."""
    kind, is_packed = _kind_of(readable, path)
    source, columns = _source_of(engine, readable, path, kind, is_packed=is_packed)
    time = _time_sql(columns.time, unit_s if unit_s is not None else columns.unit_s)
    tokens = ", ".join(f"TRY_CAST(TRY_CAST({text} AS DOUBLE) AS INTEGER)" for text in (columns.input, columns.output, columns.cached or "NULL"))  # fmt: skip
    blocks = f"TRY_CAST({columns.blocks} AS BIGINT[])" if columns.blocks else "NULL"
    engine.execute(f"INSERT INTO log SELECT {time}, {tokens}, {blocks} FROM {source}", [readable])
    if kind == "csv" and (lost := engine.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchall()[0][0]):
        faults.append(LogFault(code="unreadable", where=path, count=lost))
    return columns


def _source_of(
    engine: DuckDBPyConnection, readable: str, path: str, kind: str, *, is_packed: bool
) -> tuple[str, Columns]:
    """Return the SQL that reads a file, whose address is its one parameter, and where its columns stand."""
    packed = ", compression='gzip'" if is_packed else ""
    if kind == "json":
        lines = f"read_ndjson_objects(?, ignore_errors=true, maximum_object_size=67108864{packed})"
        sample = engine.execute(f"SELECT json FROM {lines} WHERE json IS NOT NULL LIMIT 200", [readable]).fetchall()
        columns = columns_of_json([text for (text,) in sample if text], path)
        return f"(SELECT {json_sources(columns)} FROM {lines})", columns
    table = "read_parquet(?)"
    if kind == "csv":
        engine.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        table = f"read_csv(?, all_varchar=true, header=true, null_padding=true, store_rejects=true{packed})"
    query = f"DESCRIBE SELECT * FROM {table}"
    header = [row[0] for row in engine.execute(query, [readable]).fetchall()]
    return table, columns_of_header(header, path)


def _time_sql(column: str, unit_s: float) -> str:
    """Return seconds since 1970, or since the log began, of a time in any form."""
    number = f"TRY_CAST({column} AS DOUBLE)"
    spelled = f"COALESCE(TRY_CAST({column} AS TIMESTAMPTZ), TRY_STRPTIME(TRIM({column}, '[]'), '%d/%b/%Y:%H:%M:%S %z'))"
    return (
        f"CASE WHEN {number} IS NULL THEN epoch({spelled}) WHEN {number} >= 1e17 THEN {number} / 1e9"
        f" WHEN {number} >= 1e14 THEN {number} / 1e6 WHEN {number} >= 1e11 THEN {number} / 1e3"
        f" WHEN {number} >= {EPOCH_FROM} THEN {number} WHEN isfinite({number}) THEN {number} * {unit_s} END"
    )


def _salvaged(path: str, folder: Path) -> str:
    """Return a file with as much of a gzipped one that is cut off as can be unpacked."""
    there = folder / f"{len(list(folder.iterdir()))}.part"
    with Path(path).open("rb") as file, there.open("wb") as out:
        for block in _unpacked(file):
            out.write(block)
    return str(there)


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(4096)


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield what can be unpacked, up to where the file breaks off."""
    unpacker = zlib.decompressobj(wbits=31)
    while block := file.read(BLOCK_BYTES):
        while block:
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=31)
            try:
                yield unpacker.decompress(block)
            except zlib.error:
                return
            block = unpacker.unused_data


def _kind_of(readable: str, path: str) -> tuple[str, bool]:
    """Return whether a file is CSV, JSON lines or Parquet, and whether it is gzipped."""
    head = _head(readable)
    is_packed = head.startswith(GZIP)
    if is_packed:
        head = zlib.decompressobj(wbits=31).decompress(head)
    if not head.strip():
        raise InputError("the file is empty", where=path, hint="a log has one row for each request")
    if head.startswith(b"PAR1"):
        return "parquet", False
    return "json" if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else "csv", is_packed


def _count(engine: DuckDBPyConnection, where: str) -> int:
    return int(engine.execute(f"SELECT count(*) FROM log WHERE {where}").fetchall()[0][0])


def _log_of(
    engine: DuckDBPyConnection, timezone: str, *, has_reuse: bool, faults: list[LogFault], where: str
) -> RequestLog:
    unread = f"arrived IS NULL OR input IS NULL OR output IS NULL OR input > {MOST_TOKENS} OR output > {MOST_TOKENS}"
    good = f"NOT ({unread}) AND input > 0 AND output > 0"
    for code, condition in (
        ("unreadable", unread),
        ("no_prompt", f"NOT ({unread}) AND input <= 0"),
        ("no_answer", f"NOT ({unread}) AND input > 0 AND output <= 0"),
    ):
        if count := _count(engine, condition):
            faults.append(LogFault(code=code, where=where, count=count))
    rows = _count(engine, "TRUE")
    kept = _count(engine, good)
    if not kept:
        counts = ", ".join(f"{fault.count:,} {fault.code.replace('_', ' ')}" for fault in faults)
        raise InputError(f"none of {rows:,} rows is a request that was answered ({counts})", where=where, hint="a row needs a time, and tokens of prompt and answer above 0")  # fmt: skip
    has_blocks = _count(engine, "blocks IS NOT NULL") > 0
    is_hashed = has_blocks and kept <= MOST_HASHED_ROWS
    if has_blocks and not is_hashed:
        faults.append(LogFault(code="blocks_ignored", where=where, count=kept))
    order = "arrived, input, output" + (", blocks" if is_hashed else "")
    table = engine.execute(f"SELECT arrived, input, output, COALESCE(cached, 0)::INTEGER AS cached FROM log WHERE {good} ORDER BY {order}").fetchnumpy()  # fmt: skip
    at, inputs, outputs, read = (np.asarray(table[name]) for name in ("arrived", "input", "output", "cached"))
    if is_hashed:
        blocks = engine.execute(f"SELECT blocks FROM log WHERE {good} ORDER BY {order}").fetchall()
        read = _read_before([row[0] or [] for row in blocks], inputs)
    return RequestLog(
        requests=Requests(
            arrival_s=at - at[0], input_tokens=inputs, output_tokens=outputs, cached_tokens=np.minimum(read, inputs - 1)
        ),
        first_s=float(at[0]) if at[0] >= EPOCH_FROM else float("nan"),
        zone=timezone,
        has_reuse=has_reuse,
        row_count=rows + sum(fault.count for fault in faults if fault.where != where and fault.code == "unreadable"),
        faults=tuple(faults),
    )


def _read_before(blocks: Sequence[Sequence[int]], input_tokens: IntArray) -> IntArray:
    """Return the tokens of each prompt whose blocks an earlier request had from its start on; a cache that never forgets."""
    counts = np.array([len(request_blocks) for request_blocks in blocks])
    ratio = float((input_tokens[counts > 0] / counts[counts > 0]).max(initial=1.0))
    size = 1 << max(0, int(np.ceil(np.log2(ratio))))
    seen: set[int] = set()
    cached = np.zeros(len(blocks), dtype=np.int64)
    for place, request_blocks in enumerate(blocks):
        hits = 0
        for block in request_blocks:
            if block not in seen:
                break
            hits += 1
        cached[place] = hits * size
        seen.update(request_blocks)
    return np.minimum(cached, input_tokens)
