"""Reading: tables and folders of workloads, row by row, each with the place that it came from."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.demand.models import anchored
from planner.demand.workload import Workload
from planner.errors import InputError
from planner.inputs.delimited import encoding_of, sheet_rows
from planner.inputs.faults import Document
from planner.inputs.reading import read_document, validated
from planner.portfolio.answers import Asked
from planner.portfolio.cells import content_of_cells, decimal_comma_cells, refuse_unknown_columns, tag_columns
from planner.portfolio.groups import physics_key
from planner.portfolio.sources import DOCUMENTS, TABLES

MOST_FAULTS = 10
BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One workload as it was found.

    Attributes
    ----------
    row : int
        Its place among all, from 0.
    where : str
        File and line (a table of Parquet: row).
    content : str
        The workload as JSON; empty where it could not be read at all.
    fault : str
        Why not.
    """

    row: int
    where: str
    content: str
    fault: str = ""


@dataclass(slots=True)
class Portfolio:
    """All workloads of a run.

    Attributes
    ----------
    rows : list of Row
        In the order of the input.
    ids, teams : list of str
        What each is called, and whose it is; an empty team where none is said.
    kinds, models, shapes : list of str
        Kind of work, model, and what tells one shape of work from another; empty where a row could not be read.
    tags : dict of str to list of str
        Other columns, passed on as they are.
    digest : str
        Equal for equal workloads in equal order.
    """

    rows: list[Row] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    tags: dict[str, list[str | None]] = field(default_factory=dict)
    digest: str = ""


class _RowDocument(Document):
    """A row of a table; faults are told with its place."""

    def place(self, path: tuple[str | int, ...]) -> str:
        """Return the row's place; the fault itself names the column."""
        del path
        return self.name


def read_portfolio(sources: Sequence[str]) -> Portfolio:
    """Read workloads from tables, folders and single files, in this order.

    Parameters
    ----------
    sources : sequence of str
        CSV (also gzipped; commas, semicolons or tabs), Parquet, folders of YAML and JSON files, or such files themselves.

    Raises
    ------
    InputError
        A file that is missing or no table, unknown columns, ids that stand twice, no workload at all. A single row that cannot
        be read is no reason to stop: it is kept with its fault.
    """
    portfolio = Portfolio()
    digest = hashlib.sha256()
    taken: dict[str, str] = {}
    twice: list[str] = []
    for source in sources:
        for name, team, tags, where, content, fault in _found(source):
            number = len(portfolio.rows)
            called = name or str(number + 1)
            if called in taken and len(twice) <= MOST_FAULTS:
                twice.append(f"{where}: the id {called!r} appears twice (first at {taken[called]})")
            taken.setdefault(called, where)
            text = "" if content is None else json.dumps(content, default=str)
            portfolio.rows.append(Row(number, where, text, fault))
            portfolio.ids.append(called)
            portfolio.teams.append(team)
            portfolio.kinds.append(_said(content, "kind"))
            portfolio.models.append(_said(content, "model"))
            portfolio.shapes.append(sys.intern(physics_key(content)) if content is not None else "")
            for tag in tags:
                if tag not in portfolio.tags:
                    portfolio.tags[tag] = [None] * number
            for tag, values in portfolio.tags.items():
                values.append(tags.get(tag))
            digest.update(f"{called}\0{text}\0{fault}\0{team}\n".encode())
    if twice:
        more = [f"and more than {MOST_FAULTS} others"] if len(twice) > MOST_FAULTS else []
        raise InputError(
            "\n".join([*twice[:MOST_FAULTS], *more]), hint="give each workload its own id, or leave the column out"
        )
    if not portfolio.rows:
        raise InputError(
            "there is no workload in it", where=", ".join(sources), hint="one workload a row, or a file for each"
        )
    portfolio.digest = digest.hexdigest()
    return portfolio


MOST_FILES = 100_000

FoundFile = tuple[str, str, dict[str, str | None], str, dict[str, Any] | None, str]
"""Id, team, tags, place, content (None where there is none), fault."""


def _said(content: dict[str, Any] | None, key: str) -> str:
    value = (content or {}).get(key, "")
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _found(source: str) -> Iterator[FoundFile]:
    path = Path(source)
    lower = source.lower()
    if path.is_dir():
        files = sorted(
            file
            for file in _inside(path)
            if file.suffix.lower() in DOCUMENTS
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        for file in files:
            relative = file.relative_to(path)
            yield _of_document(str(file), relative.as_posix(), relative.parts[0] if len(relative.parts) > 1 else "")
    elif not lower.endswith(TABLES):
        yield _of_document(source, path.name, "")
    elif not path.is_file():
        read_document(source)  # says what is missing, and what may have been meant
    elif lower.endswith(".parquet"):
        yield from _of_parquet(path)
    elif lower.endswith(".xlsx"):
        yield from _of_sheet(path)
    else:
        yield from _of_csv(path)


def _inside(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder and those below it, up to a bound: a whole disk is no folder of workloads."""
    for count, file in enumerate(folder.rglob("*")):
        if count == MOST_FILES:
            raise InputError(
                f"the folder holds more than {MOST_FILES:,} files",
                hint="name the folder that holds the workloads alone",
                where=str(folder),
            )
        yield file


def _of_document(source: str, name: str, team: str) -> FoundFile:
    try:
        document = read_document(source)
        work = anchored(validated(document, Workload), source)
    except InputError as error:
        if not Path(source).is_file():
            raise
        return name, team, {}, source, None, str(error)
    content = {**document.content, "model": work.model} if isinstance(work.model, str) else document.content
    return name, team, {}, source, content, ""


def _of_cells(cells: dict[str, Any], tags: Sequence[str], where: str, fault: str = "") -> FoundFile:
    kept = {tag: _text(cells.get(tag)) for tag in tags}
    content = None if fault else content_of_cells(cells)
    return _text(cells.get("id")) or "", _text(cells.get("team")) or "", kept, where, content, fault


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value).strip()


def _of_csv(path: Path) -> Iterator[FoundFile]:
    name = str(path)
    is_packed = name.lower().endswith(".gz")
    try:
        encoding = "utf-8-sig" if is_packed else encoding_of(name)
        errors = "strict" if encoding == "utf-16" else "windows"
        with (
            gzip.open(path, "rt", encoding=encoding, errors=errors, newline="")
            if is_packed
            else path.open(encoding=encoding, errors=errors, newline="")
        ) as file:
            head = file.readline()
            if not head.strip():
                raise InputError(
                    "the file is empty", where=name, hint="the first line names the columns: id,team,kind,model,..."
                )
            marks = max(",;\t", key=head.count)
            columns = [column.strip() for column in next(csv.reader([head], delimiter=marks))]
            refuse_unknown_columns(columns, f"{name}:1")
            tags = tag_columns(columns)
            reader = csv.reader(file, delimiter=marks)
            for cells in reader:
                if not any(cells):
                    continue
                if any("\0" in cell for cell in cells):
                    raise InputError("this is no table of text", where=f"{name}:{reader.line_num + 1}", hint="save it as CSV UTF-8")  # fmt: skip
                where = f"{name}:{reader.line_num + 1}"
                fault = "" if len(cells) == len(columns) else f"{where}: {len(cells)} cells, but {len(columns)} columns"
                row = dict(zip(columns, cells, strict=False))
                # Excel writes numbers as people there do, with semicolons and in its Unicode text.
                if (marks == ";" or encoding == "utf-16") and not fault:
                    row, said = decimal_comma_cells(row)
                    fault = f"{where}: {said}" if said else ""
                yield _of_cells(row, tags, where, fault)
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start} cannot be read)", where=name) from None
    except (csv.Error, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"this table cannot be read to its end: {error}", where=name) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=name) from None


def _of_sheet(path: Path) -> Iterator[FoundFile]:
    rows = sheet_rows(str(path), str(path))
    columns = [str(cell).strip() for cell in next(rows, [])]
    refuse_unknown_columns(columns, f"{path}:1")
    tags = tag_columns(columns)
    for number, cells in enumerate(rows, 2):
        yield _of_cells(dict(zip(columns, cells, strict=False)), tags, f"{path}:{number}")


def _of_parquet(path: Path) -> Iterator[FoundFile]:
    name = str(path)
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            columns: list[str] = []
            tags: tuple[str, ...] = ()
            for batch in file.iter_batches(BATCH_ROWS):
                table = pa.Table.from_batches([batch])
                while any(pa.types.is_struct(kind) for kind in table.schema.types):
                    table = table.flatten()
                if not columns:
                    columns = table.column_names
                    refuse_unknown_columns(columns, name)
                    tags = tag_columns(columns)
                for cells in table.to_pylist():
                    number += 1
                    yield _of_cells(cells, tags, f"{name}, row {number}")
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"this is no Parquet file that can be read: {str(error).splitlines()[0]}", where=name
        ) from None


def asked_of(row: Row) -> Asked:
    """Return a row as a workload, or with all its faults."""
    if row.fault:
        return Asked(row.row, {}, None, row.fault)
    content = json.loads(row.content)
    try:
        return Asked(row.row, content, Workload.model_validate(content))
    except ValueError:
        pass
    try:
        return Asked(row.row, content, validated(_RowDocument(content, row.where, {}), Workload))
    except InputError as error:
        return Asked(row.row, content, None, error.message)
