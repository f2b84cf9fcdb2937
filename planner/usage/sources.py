"""Files of usage: which there are, what each holds, and whether it can be read at all."""

from __future__ import annotations

import gzip
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from planner.inputs.delimited import rows_of
from planner.usage.archives import beginning_of, broken_line_of, is_package, readable_gzip, records_of_parquet, unpacked
from planner.usage.cache import FileCache
from planner.usage.dialect import as_plain_csv
from planner.usage.exports import Export, export_of, focus_spelled_otherwise
from planner.usage.faults import Fault, UnreadableFileError, UsageError, left_out
from planner.usage.file_kinds import KINDS, SCRAPE, kind_of_header, known_export
from planner.usage.object_stores import ENDINGS, OBJECT_STORES, objects_of, store_errors, usage_files
from planner.usage.table_formats import files_below, refuse_dead_file

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


BLOCK_BYTES = 1 << 20
LARGEST_STREAM_BYTES = 1 << 32
"""A pipe is laid down before it is read; one that never ends must not fill the disk."""
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
PATTERN_LETTERS = frozenset("*?[")
DELIMITERS = (";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file.

    Attributes
    ----------
    name : str
        As it was given or found, for people.
    path : str
        Where it can be read from this machine; for an object, its path inside `filesystem`.
    form : str
        ``csv``, ``parquet``, or ``table`` (of an engine's catalog; `path` is then its name).
    columns : tuple of str
        The file's own, as its header or its schema has them.
    kind : str
        One of `KINDS`; empty where the header tells none.
    filesystem : pyarrow.fs.FileSystem or None
        Of an object store.
    schema : pyarrow.Schema or None
        Of a Parquet file.
    export : Export or None
        How FOCUS columns, all of text, are made of its own, where it is a cloud's own export and no FOCUS file.
    mark : str
        Its place and state (`planner.usage.cache`), where it may be kept as it is read.
    """

    name: str
    path: str
    form: str
    columns: tuple[str, ...]
    kind: str
    filesystem: Any = None
    schema: Any = None
    export: Export | None = None
    mark: str = ""

    @property
    def focus_columns(self) -> tuple[str, ...]:
        """The columns of FOCUS that a bill has, or becomes."""
        return tuple(self.export.columns) if self.export else self.columns


@contextmanager
def working_folder() -> Iterator[Path]:
    """Make a temporary folder whose name DuckDB takes literally.

    Raises
    ------
    UsageError
        The place for temporary files has letters in its name that DuckDB reads as a pattern.
    """
    with tempfile.TemporaryDirectory(prefix="gpuplan-usage-") as made:
        if PATTERN_LETTERS & set(made):
            raise UsageError(
                "the folder of temporary files has one of * ? [ in its name", where=made, hint="TMPDIR=/tmp"
            )
        yield Path(made)


def find_sources(
    paths: Iterable[str], *, kind: str = "", folder: Path, is_remote: bool = False, kept: FileCache | None = None
) -> tuple[list[Source], list[Fault]]:
    """Look into every file once: its form, its columns, whether it is whole.

    Parameters
    ----------
    paths : iterable of str
        Files, pipes (``-`` is standard input), folders (also with hive's ``month=2026-10`` folders inside) and
        object-storage URIs. What a file holds decides how it is read, not its name.
    kind : str
        Forces what the files are.
    folder : Path
        Of `working_folder`. Every file gets a plain name in it, since DuckDB takes ``[``, ``*`` and ``?`` in a path for a
        pattern; pipes, texts in UTF-16 and readable parts of broken files are laid down there.
    is_remote : bool
        Whether the engine reads the files itself, from where they stand.
    kept : Kept, optional
        What earlier runs read.

    Returns
    -------
    list of Source, list of Fault
        What can be read, and what cannot.

    Raises
    ------
    UsageError
        A path that does not exist, or a folder without a file of usage in it.
    """
    sources: list[Source] = []
    faults: list[Fault] = []
    made = Path(tempfile.mkdtemp(dir=folder))
    places = (made / str(number) for number in count(1))
    for given in paths:
        is_object = given.startswith(OBJECT_STORES)
        listed = objects_of(given) if is_object else ((str(path), str(path), None) for path in _files(given))
        inside = folder / "unpacked"
        inside.mkdir(exist_ok=True)
        whole = (
            listed
            if is_remote
            else (
                part for name, path, store in listed for part in _parts(name, path, store, inside, next(places), faults)
            )
        )
        for name, path, filesystem in whole:
            with left_out(name, faults), store_errors(name) if is_object else nullcontext():
                source = _look(name, path, filesystem, next(places), faults, kept, is_remote=is_remote)
                is_of_records = (kind or kind_of_header(source.columns)) not in {"", "focus"}
                if source.form == "parquet" and is_of_records and not is_remote:
                    laid_down = records_of_parquet(source.path, source.filesystem, next(places).with_suffix(".csv"))
                    source = replace(source, path=laid_down, form="csv", filesystem=None, schema=None)
                sources += known_source(source, kind, faults)
    return sources, faults


def known_source(source: Source, kind: str, faults: list[Fault]) -> list[Source]:
    """Return a source with its kind: the one the user states, or the one its columns show; empty, with a fault, where neither is known."""
    columns, export = source.columns, None
    is_scrape = SCRAPE.search(columns[0] if columns else "") is not None
    kind = kind or ("" if is_scrape else kind_of_header(columns) or _headerless_kind(source))
    if kind in {"", "focus"}:
        export = focus_spelled_otherwise(columns) or export_of(columns, source.schema)
    if kind or export:
        return [replace(source, kind=kind or "focus", export=export)]
    first = ", ".join(_shown(column) for column in columns[:6])
    what, hint = known_export(columns) or (
        f"its columns are of no kind of usage that is known: {first}",
        f"say --kind {'|'.join(KINDS)}",
    )
    faults.append(Fault(what=what, where=source.name, hint=hint))
    return []


def _shown(column: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in column[:61])
    return text if len(text) <= 60 else text[:57] + "..."


def _headerless_kind(source: Source) -> str:
    """Return ``slurm`` for lines of `sacct -P -n`: no header, yet a field that can only be Slurm's."""
    joined = "|".join(source.columns)
    return "slurm" if "gres/gpu" in joined or ("billing=" in joined and "cpu=" in joined) else ""


def _files(given: str) -> Iterator[Path]:
    path = Path(given)
    if given == "-":  # standard input, whatever lies in this folder under that name
        yield path
        return
    try:
        if not path.is_dir():
            if not path.exists():
                raise UsageError(
                    "there is no such file or folder",
                    where=given,
                    hint="a table of a catalog (catalog.schema.table) is read through its engine: --engine",
                )
            refuse_dead_file(path)
            yield path
            return
        refuse_dead_file(path)
        inside = list(files_below(path))
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror or error}", where=given) from error
    files = [Path(file) for file in usage_files(file.as_posix() for file in inside if file.is_file())]
    if not files:
        raise UsageError(
            "the folder holds no file of usage", where=str(path), hint=f"files that end in {', '.join(ENDINGS[:3])}"
        )
    yield from files


def _look(name: str, path: str, filesystem: FileSystem | None, place: Path, faults: list[Fault], kept: FileCache | None, *, is_remote: bool) -> Source:  # fmt: skip
    is_parquet = _is_called_parquet(path)
    if filesystem is not None and (is_parquet or is_remote):
        if is_parquet:
            return _look_parquet(name, path, filesystem)
        with filesystem.open_input_stream(path, compression=None) as stream:
            head = stream.read(BLOCK_BYTES)
        if head.startswith(PARQUET):
            return _look_parquet(name, path, filesystem)
        return _look_text(name, path, filesystem, _first_line(beginning_of(head)))
    mark = kept.mark(name, path, filesystem) if kept else ""
    if kept and filesystem is not None:
        path, filesystem = kept.download(name, path, filesystem, place.with_name(f"{place.name}-object")), None
    if not is_remote:
        path = _laid_down(name, path, filesystem, place)
    elif not Path(path).is_file():
        raise UnreadableFileError("a pipe cannot be read by a cluster", name, "write it to a file first")
    if path.lower().endswith(".parquet") or (is_remote and is_parquet):
        return _look_parquet(name, path, None)
    if path.lower().endswith(".gz") and not (kept and kept.has(mark)):
        path = readable_gzip(name, path, place, faults)
    if not is_remote:
        path = as_plain_csv(path, name, place.with_name(f"{place.name}-tidied"), _opened)
    with _opened(path) as file:
        source = _look_text(name, path, None, _first_line(file.read(BLOCK_BYTES)))
    # Files that changed while they were read are read again.
    return replace(source, mark=mark) if mark and Path(path).is_symlink() else source


def _is_called_parquet(path: str) -> bool:
    return ".parquet" in path.lower().rsplit("/", 1)[-1]


def _is_package_there(name: str, path: str, filesystem: FileSystem) -> bool:
    if _is_called_parquet(path):
        return False  # a request less for each of thousands of files
    with store_errors(name), filesystem.open_input_stream(path, compression=None) as stream:
        return is_package(name, stream.read(BLOCK_BYTES))


def _parts(
    name: str, path: str, filesystem: FileSystem | None, folder: Path, place: Path, faults: list[Fault]
) -> Iterator[tuple[str, str, FileSystem | None]]:
    """Return the files that a file is or holds; a pipe is laid down for that, and an object that is a package."""
    with left_out(name, faults):
        if filesystem is not None and not _is_package_there(name, path, filesystem):
            yield name, path, filesystem
            return
        if filesystem is not None or not Path(path).is_file():
            path = _laid_down(name, path, filesystem, place)
        yield from ((inner, there, None) for inner, there in unpacked(name, path, folder))


def _laid_down(name: str, path: str, filesystem: FileSystem | None, place: Path) -> str:
    """Give a file a plain name with the right extension; write a pipe to a file first."""
    with _binary(path, filesystem) as file:
        head: bytes = file.read(BLOCK_BYTES)
        is_parquet = head.startswith(PARQUET) or (b"\0" not in head and _is_called_parquet(name))
        target = place.with_suffix(".parquet" if is_parquet else ".csv.gz" if head.startswith(GZIP) else ".csv")
        if filesystem is None and path != "-" and Path(path).is_file():
            target.symlink_to(Path(path).absolute())
        else:
            is_odd = b"\0" in head and target.suffix == ".csv" and not is_package(name, head)
            with target.open("wb") as out:
                written = out.write(head)
                while not is_odd and written <= LARGEST_STREAM_BYTES and (block := file.read(BLOCK_BYTES)):
                    written += out.write(block)
            if written > LARGEST_STREAM_BYTES:
                target.unlink()
                what = f"it is a pipe of more than {LARGEST_STREAM_BYTES:,} bytes"
                raise UnreadableFileError(what, name, "write it to a file first")
    return str(target)


@contextmanager
def _binary(path: str, filesystem: FileSystem | None) -> Iterator[BinaryIO]:
    if filesystem is not None:
        with filesystem.open_input_stream(path, compression=None) as stream:
            yield stream
    elif path == "-":
        if sys.stdin is None:
            raise OSError("standard input is closed")
        yield sys.stdin.buffer
    else:
        with Path(path).open("rb") as file:
            yield file


def _look_text(name: str, path: str, filesystem: FileSystem | None, first: str) -> Source:
    odd = sum(letter == "\ufffd" or not (letter.isprintable() or letter == "\t") for letter in first[:1000])
    if "\0" in first or first.startswith("\ufffd\ufffd") or odd * 5 > len(first[:1000]):
        what, hint = known_export([first]) or (
            "it is no text in UTF-8, no Parquet and no archive",
            "save it as CSV UTF-8",
        )
        raise UnreadableFileError(what, f"{name}:1", hint)
    if not first.strip():
        raise UnreadableFileError("the file is empty", name)
    if line := 0 if filesystem is not None or path.endswith(".gz") else broken_line_of(path):
        raise UnreadableFileError("it is JSON that is cut off or broken", f"{name}:{line}", "export it again")
    columns = _cells(first, name)
    if SCRAPE.search(first) or re.fullmatch(r"\s*JobID\w*(\s+\S+)+\s*", first):
        columns = first.split() if "{" not in first and not first.startswith("#") else [first]
    elif "|" in first and (kind_of_header(first.split("|")) == "slurm" or "gres/gpu" in first or "cpu=" in first):
        columns = first.split("|")
    elif len(columns) == 1 or not kind_of_header(columns):
        for delimiter in DELIMITERS:
            if kind_of_header(_cells(first, name, delimiter)):
                what = f"its columns are separated by {delimiter!r}, and not by a comma"
                hint = "FOCUS and the other exports are written with commas; export it again"
                raise UnreadableFileError(what, f"{name}:1", hint)
    return Source(name=name, path=path, form="csv", columns=tuple(columns), kind="", filesystem=filesystem)


def _look_parquet(name: str, path: str, filesystem: FileSystem | None) -> Source:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        schema = pq.read_schema(path, filesystem=filesystem)
    except (ArrowException, OSError) as error:
        what = f"it is not a complete Parquet file: {str(error).splitlines()[0]}"
        raise UnreadableFileError(what, name) from error
    return Source(
        name=name,
        path=path,
        form="parquet",
        columns=tuple(schema.names),
        kind="",
        filesystem=filesystem,
        schema=schema,
    )


def _cells(line: str, name: str, delimiter: str = ",") -> list[str]:
    return next(rows_of([line], name, delimiter=delimiter))[1]


def _opened(path: str) -> Any:  # noqa: ANN401  two kinds of binary file
    return gzip.open(path, "rb") if path.lower().endswith(".gz") else Path(path).open("rb")


def _first_line(head: bytes) -> str:
    return head.replace(b"\r", b"\n").lstrip(b"\n").split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
