"""Files of usage: which there are, what each holds, and whether it can be read at all."""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.usage.faults import Fault, UsageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

__all__ = ["KINDS", "Source", "find_sources", "kind_of_header"]

KINDS = ("focus", "slurm", "dcgm", "plain")
ENDINGS = (".csv", ".csv.gz", ".parquet", ".parquet.snappy", ".snappy.parquet", ".gz", ".txt", ".psv")
OBJECT_STORES = ("s3://", "gs://", "gcs://", "abfs://", "abfss://")
BLOCK_BYTES = 1 << 20
DELIMITERS = (";", "\t", "|")
FOCUS_SIGNS = {"chargeperiodstart", "chargecategory", "effectivecost", "billedcost", "billingcurrency"}


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
        ``csv`` or ``parquet``.
    columns : tuple of str
        The header; Parquet's column names.
    kind : str
        One of `KINDS`; empty where the header tells none.
    filesystem : pyarrow.fs.FileSystem or None
        Of an object store.
    schema : pyarrow.Schema or None
        Of a Parquet file.
    """

    name: str
    path: str
    form: str
    columns: tuple[str, ...]
    kind: str
    filesystem: Any = None
    schema: Any = None


def kind_of_header(columns: Iterable[str]) -> str:
    """Return what kind of file has these columns; empty where that is not told.

    Examples
    --------
    >>> kind_of_header(["ChargePeriodStart", "EffectiveCost"]), kind_of_header(["timestamp", "gpus"])
    ('focus', 'plain')
    """
    names = {name.strip().strip('"').lower() for name in columns}
    if len(names & FOCUS_SIGNS) >= 2:
        return "focus"
    if {"jobid", "alloctres"} <= names or {"jobid", "elapsedraw"} <= names or {"jobidraw", "alloctres"} <= names:
        return "slurm"
    if any("dcgm_fi_" in name for name in names) or {"metric", "value"} <= names or {"__name__", "value"} <= names:
        return "dcgm"
    if names & {"gpus", "gpu_count", "units", "accelerators"} and names & {"timestamp", "time", "hour", "date", "ts"}:
        return "plain"
    return ""


def find_sources(
    paths: Iterable[str], *, kind: str = "", folder: Path, is_remote: bool = False
) -> tuple[list[Source], list[Fault]]:
    """Look into every file once: its form, its columns, whether it is whole.

    Parameters
    ----------
    paths : iterable of str
        Files, folders (also with hive's ``month=2026-10`` folders inside) and object-storage URIs.
    kind : str
        Forces what the files are.
    folder : Path
        Where readable parts of broken files, and tables of text from object stores, may be laid down.
    is_remote : bool
        Whether the engine reads the files itself, from where it stands; then objects stay where they are.

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
    for given in paths:
        if given.startswith(OBJECT_STORES):
            listed = _objects(given)
        else:
            listed = ((str(path), str(path), None) for path in _files(Path(given)))
        for name, path, filesystem in listed:
            try:
                found = _look(name, path, filesystem, folder, faults, is_remote=is_remote)
            except OSError as error:
                faults.append(Fault(what=f"it cannot be opened: {error.strerror or error}", where=name))
                continue
            if found is not None:
                told = kind or kind_of_header(found.columns) or _headerless_kind(found)
                if not told:
                    faults.append(
                        Fault(
                            what="its columns are of no kind of usage that is known: " + ", ".join(found.columns[:6]),
                            where=name,
                            hint=f"say --kind {'|'.join(KINDS)}",
                        )
                    )
                    continue
                sources.append(_with_kind(found, told))
    return sources, faults


def _with_kind(source: Source, kind: str) -> Source:
    from dataclasses import replace

    return replace(source, kind=kind)


def _headerless_kind(source: Source) -> str:
    """Return ``slurm`` for lines of `sacct -P -n`: no header, yet a field that can only be Slurm's."""
    joined = "|".join(source.columns)
    return "slurm" if "gres/gpu" in joined or ("billing=" in joined and "cpu=" in joined) else ""


def _files(path: Path) -> Iterator[Path]:
    try:
        if path.is_file():
            yield path
            return
        if not path.is_dir():
            raise UsageError("there is no such file or folder", where=str(path))
        next(path.iterdir(), None)
    except OSError as error:  # a folder that may not be looked into seems empty to `rglob`
        raise UsageError(f"the folder cannot be read: {error.strerror or error}", where=str(path)) from error
    found = sorted(
        one
        for one in path.rglob("*")
        if one.is_file() and one.name.lower().endswith(ENDINGS) and not one.name.startswith((".", "_"))
    )
    if not found:
        raise UsageError(
            "the folder holds no file of usage", where=str(path), hint=f"files that end in {', '.join(ENDINGS[:3])}"
        )
    yield from found


def file_system(uri: str) -> tuple[FileSystem, str]:
    """Return the file system of an object-storage URI and the path in it.

    S3 takes another address from the SDK's own variables, ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL``.

    Raises
    ------
    UsageError
        The store cannot be reached or the URI cannot be read.
    """
    from pyarrow import ArrowException
    from pyarrow import fs as arrow_fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    try:
        if uri.startswith("s3://") and endpoint:
            scheme, _, address = endpoint.partition("://")
            store = arrow_fs.S3FileSystem(
                endpoint_override=address.rstrip("/") or scheme,
                scheme=scheme if address else "https",
                region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            )
            return store, uri.removeprefix("s3://").rstrip("/")
        store, path = arrow_fs.FileSystem.from_uri(uri.replace("gcs://", "gs://"))
    except (ArrowException, OSError, ValueError) as error:
        raise UsageError(f"the object store cannot be opened: {error}", where=uri) from error
    return store, path


def _objects(uri: str) -> Iterator[tuple[str, str, FileSystem]]:
    from pyarrow import fs as arrow_fs

    store, path = file_system(uri)
    scheme = uri.split("://", maxsplit=1)[0]
    try:
        info = store.get_file_info(path)
        if info.type == arrow_fs.FileType.File:
            yield uri, path, store
            return
        infos = store.get_file_info(arrow_fs.FileSelector(path, recursive=True))
    except OSError as error:
        raise UsageError(f"the object store does not answer as it should: {error}", where=uri) from error
    found = sorted(
        one.path
        for one in infos
        if one.type == arrow_fs.FileType.File
        and one.path.lower().endswith(ENDINGS)
        and not one.path.rsplit("/", 1)[-1].startswith((".", "_"))
    )
    if not found:
        raise UsageError("no file of usage lies there", where=uri)
    for each in found:
        yield f"{scheme}://{each}", each, store


def _look(
    name: str, path: str, filesystem: FileSystem | None, folder: Path, faults: list[Fault], *, is_remote: bool
) -> Source | None:
    lower = path.lower()
    if ".parquet" in lower.rsplit("/", 1)[-1]:
        return _look_parquet(name, path, filesystem, faults)
    if filesystem is not None and not is_remote:
        # DuckDB's own reader of object stores is a download; text is small beside what is made of it.
        path = _copied(path, filesystem, folder)
        filesystem = None
    if filesystem is not None:
        with filesystem.open_input_stream(path, compression=None) as stream:
            head = stream.read(BLOCK_BYTES)
        first = _first_line(zlib.decompressobj(47).decompress(head) if lower.endswith(".gz") else head)
    else:
        if lower.endswith(".gz"):
            path = _whole_gzip(name, path, folder, faults)
            if not path:
                return None
        with _opened(path) as file:
            first = _first_line(file.read(BLOCK_BYTES))
    return _look_text(name, path, filesystem, first, faults)


def _look_text(name: str, path: str, filesystem: FileSystem | None, first: str, faults: list[Fault]) -> Source | None:
    if "\0" in first or first.startswith("\ufffd\ufffd"):
        faults.append(
            Fault(
                what="it is no text in UTF-8", where=f"{name}:1", hint="spreadsheets write UTF-16: save it as CSV UTF-8"
            )
        )
        return None
    if not first.strip():
        faults.append(Fault(what="the file is empty", where=name))
        return None
    columns = next(csv.reader([first]))
    if "|" in first and (kind_of_header(first.split("|")) == "slurm" or "gres/gpu" in first or "cpu=" in first):
        columns = first.split("|")
    elif len(columns) == 1 or not kind_of_header(columns):
        for delimiter in DELIMITERS:
            if kind_of_header(next(csv.reader([first], delimiter=delimiter))):
                faults.append(
                    Fault(
                        what=f"its columns are separated by {delimiter!r}, and not by a comma",
                        where=f"{name}:1",
                        hint="FOCUS and the other exports are written with commas; export it again",
                    )
                )
                return None
    return Source(name=name, path=path, form="csv", columns=tuple(columns), kind="", filesystem=filesystem)


def _look_parquet(name: str, path: str, filesystem: FileSystem | None, faults: list[Fault]) -> Source | None:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        schema = pq.read_schema(path, filesystem=filesystem)
    except (ArrowException, OSError) as error:
        faults.append(Fault(what=f"it is no whole Parquet file: {str(error).splitlines()[0]}", where=name))
        return None
    return Source(
        name=name,
        path=path,
        form="parquet",
        columns=tuple(schema.names),
        kind="",
        filesystem=filesystem,
        schema=schema,
    )


def _copied(path: str, filesystem: FileSystem, folder: Path) -> str:
    target = folder / f"{abs(hash(path)):x}-{path.rsplit('/', 1)[-1]}"
    with filesystem.open_input_stream(path, compression=None) as stream, target.open("wb") as out:
        while block := stream.read(BLOCK_BYTES):
            out.write(block)
    return str(target)


def _opened(path: str) -> Any:  # noqa: ANN401  two kinds of binary file
    return gzip.open(path, "rb") if path.lower().endswith(".gz") else Path(path).open("rb")


def _first_line(head: bytes) -> str:
    return head.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").rstrip("\r")


def _whole_gzip(name: str, path: str, folder: Path, faults: list[Fault]) -> str:
    """Return the path of a gzip that is whole; of a broken one, that of its readable lines, or nothing."""
    lines = 0
    try:
        with gzip.open(path, "rb") as file:
            while file.read(BLOCK_BYTES):
                pass
    except (EOFError, OSError, zlib.error) as error:
        salvaged = folder / f"{Path(path).stem}-{len(faults)}.csv"
        lines = _salvage(path, salvaged)
        what = "the gzip file is cut off" if isinstance(error, EOFError) else f"the gzip file is damaged ({error})"
        faults.append(Fault(what=f"{what}; nothing after its line {lines} can be read", where=f"{name}:{lines + 1}"))
        return str(salvaged) if lines > 1 else ""
    return path


def _salvage(path: str, target: Path) -> int:
    """Write the whole lines of a broken gzip and return how many there are."""
    reader = zlib.decompressobj(47)
    rest, lines = b"", 0
    with Path(path).open("rb") as file, target.open("wb") as out:
        while block := file.read(BLOCK_BYTES):
            try:
                text = rest + reader.decompress(block)
            except zlib.error:
                break
            whole, newline, rest = text.rpartition(b"\n")
            out.write(whole + newline)
            lines += whole.count(b"\n") + len(newline)
    return lines
