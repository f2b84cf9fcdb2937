"""Table formats (Iceberg, Delta): which files of a folder are the table now."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from planner.usage.faults import UsageError

METADATA = "metadata"
OTHER_WAY = "read it through an engine that knows it (--engine), or export the month as Parquet"
_VERSION = re.compile(r"v?(\d+)(?:-[^/]*|\.gz)?\.metadata\.json")
_DATA, _DELETED = 0, 2
_NEWEST_FORMAT = 3


DELTA_LOG = "_delta_log"
SIGNS = (("Delta", re.compile(r"(?:^|/)_delta_log(?:/|$)")), ("Iceberg", re.compile(r"(?:^|/)metadata/[^/]*\.metadata\.json")), ("Hudi", re.compile(r"(?:^|/)\.hoodie(?:/|$)")))  # fmt: skip
"""Paths that mark a table of each lake format."""
LAKE_FOLDERS = (DELTA_LOG, ".hoodie", METADATA)
LOGS = {"Delta": DELTA_LOG, "Iceberg": METADATA}
"""The folder of each lake's log."""
MOST_FOLDERS_ABOVE = 8


def iceberg_names(log: Path, where: str) -> list[str]:
    """Return the names of the files of the newest version, below the table's folder.

    Of a table that was copied, the copies are read: what its log says of its place is left out of each name.

    Parameters
    ----------
    log : Path
        The table's folder ``metadata``.
    where : str
        What messages call the table.

    Raises
    ------
    UsageError
        Rows are deleted or a column is renamed inside its files, they are not Parquet or lie elsewhere, or its format is newer.
    ValueError, KeyError, TypeError, OSError
        The log is not whole.
    """
    metadata = _newest(log)
    if metadata["format-version"] > _NEWEST_FORMAT:
        raise UsageError(f"this Iceberg table has format {metadata['format-version']}; read are 1 to {_NEWEST_FORMAT}", where=where, hint=OTHER_WAY)  # fmt: skip
    names: dict[int, set[str]] = {}
    for schema in metadata.get("schemas", ()):
        for field in schema["fields"]:
            names.setdefault(field["id"], set()).add(field["name"])
    if renamed := next((sorted(spellings) for spellings in names.values() if len(spellings) > 1), None):
        raise UsageError(
            f"a column of this Iceberg table was renamed: {', '.join(renamed)}", where=where, hint=OTHER_WAY
        )
    snapshot = next(
        (state for state in metadata["snapshots"] if state["snapshot-id"] == metadata.get("current-snapshot-id")), None
    )
    if snapshot is None:
        return []
    place, paths = _below(metadata["location"]).rstrip("/") + "/", []
    for manifest in _records(log, snapshot["manifest-list"]):
        for entry in _records(log, manifest["manifest_path"]):
            file = entry["data_file"]
            if entry["status"] == _DELETED:
                continue
            if manifest.get("content", _DATA) != _DATA:
                raise UsageError("rows are deleted inside this Iceberg table's files", where=where, hint=f"{OTHER_WAY}; rewrite_data_files writes them anew")  # fmt: skip
            if not _below(file["file_path"]).startswith(place) or file["file_format"].upper() != "PARQUET":
                raise UsageError(
                    "this Iceberg table's files lie elsewhere, or are not Parquet", where=where, hint=OTHER_WAY
                )
            paths.append(_below(file["file_path"]).removeprefix(place))
    return paths


def _newest(log: Path) -> dict[str, Any]:
    versions = [(int(match.group(1)), file) for file in log.iterdir() if (match := _VERSION.fullmatch(file.name))]
    newest = max(number for number, _ in versions)
    files = [file for number, file in versions if number == newest]
    if len(files) > 1:
        raise ValueError(f"two files say what version {newest} is, and only its catalog knows which of them holds")
    content = files[0].read_bytes()
    metadata: dict[str, Any] = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    return metadata


def _records(log: Path, name: str) -> Iterator[Any]:
    """Yield the records of an Avro file in the table's log folder, wherever the table was when the file was written."""
    from fastavro import reader

    with (log / name.rsplit("/", 1)[-1]).open("rb") as file:
        yield from reader(file)


def _below(address: str) -> str:
    """Return a path without its scheme: ``s3a://`` and ``s3://`` are one store."""
    return re.sub(r"^[a-z0-9]+:/*", "/", address)


def files_below(folder: Path) -> Iterator[Path]:
    """Return the files of a folder and of those inside it; of a lake's table among them, those that are the table now."""
    live = live_files(folder)
    if live is not None:
        yield from live
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from files_below(path)
        else:
            yield path


def kind_of_lake(names: Iterable[str]) -> str:
    """Return whose table has these files; empty for none.

    Examples
    --------
    >>> kind_of_lake(["t/_delta_log/0.json"]), kind_of_lake(["t/metadata/v1.gz.metadata.json"]), kind_of_lake(["metadata/Manifest.json"])
    ('Delta', 'Iceberg', '')
    """
    return next((kind for name in names for kind, sign in SIGNS if sign.search(name)), "")


def lake_root(name: str) -> str:
    """Return the folder of the table to which a file's name says that it belongs; empty for none.

    Examples
    --------
    >>> lake_root("bucket/t/_delta_log/0.json"), lake_root("bucket/t/a.parquet")
    ('bucket/t', '')
    """
    return next((name[: match.start()] for _, sign in SIGNS if (match := sign.search(name))), "")


def live_files(folder: Path) -> list[Path] | None:
    """Return the files of the newest version of a Delta or Iceberg table; None for a folder that is none.

    What was removed or replaced still lies in the folder, and would count again.

    Raises
    ------
    UsageError
        A table with rows deleted inside its files, or one of Hudi, whose log is not read here.
    """
    inside = (path.relative_to(folder).as_posix() for sub in LAKE_FOLDERS for path in folder.glob(f"{sub}/*"))
    kind = kind_of_lake(inside)
    if not kind:
        return None
    live = [folder / name for name in live_names(kind, folder / LOGS.get(kind, ""), str(folder))]
    if missing := next((path for path in live if not path.is_file()), None):
        raise UsageError(f"a file of this {kind} table is not there: {missing.name}", where=str(folder), hint=OTHER_WAY)
    return live


def refuse_dead_file(path: Path) -> None:
    """Refuse a file or folder inside a lake's table, given by its own name, that is no part of the table now.

    Raises
    ------
    UsageError
        It is one, or nothing here can tell.
    """
    for folder in path.absolute().parents[:MOST_FOLDERS_ABOVE]:
        live = live_files(folder)
        if live is None:
            continue
        if not path.is_file() or path.absolute() not in live:
            raise UsageError("it is no file of the table around it, or not any more", where=str(path), hint=f"give the whole table: {folder}")  # fmt: skip
        return


def live_names(kind: str, log: Path, where: str) -> list[str]:
    """Return the names of the files that are a lake's table now.

    Parameters
    ----------
    kind : str
        See `kind_of_lake`.
    log : Path
        The folder of its log, see `LOGS`.
    where : str
        What messages call the table.

    Raises
    ------
    UsageError
        See `live_files`.
    """
    if kind not in LOGS:
        raise UsageError(
            f"it is a {kind} table, and files that it replaced still lie in it", where=where, hint=OTHER_WAY
        )
    try:
        return _delta_names(log, where) if kind == "Delta" else iceberg_names(log, where)
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else error
        raise UsageError(f"the log of this {kind} table cannot be read: {said}", where=where, hint=OTHER_WAY) from error


def _delta_names(log: Path, where: str) -> list[str]:
    # A file whose deleted rows change is removed and added under one name, in any order.
    added: dict[tuple[str, str], None] = {}
    for version in _versions(log):
        for action in version:
            if remove := action.get("remove"):
                added.pop(_key(remove), None)
        added |= {_key(add): None for action in version if (add := action.get("add"))}
    if any(deleted for _, deleted in added):
        raise UsageError("rows are deleted inside this Delta table's files", where=where, hint=f"{OTHER_WAY}; REORG TABLE ... APPLY (PURGE) writes them anew")  # fmt: skip
    if any(name.startswith("/") or ":" in name.split("/")[0] for name, _ in added):
        raise UsageError("this Delta table's files lie elsewhere (it is a clone)", where=where, hint=OTHER_WAY)
    return [name for name, _ in added]


def _key(action: dict[str, Any]) -> tuple[str, str]:
    """Return a file's name, and which rows of it are deleted."""
    deleted = action.get("deletionVector") or {}
    return unquote(action["path"]), "".join(str(deleted.get(name) or "") for name in ("storageType", "pathOrInlineDv", "offset"))  # fmt: skip


def _versions(log: Path) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield what the log says in its order: the last checkpoint, and each version after it."""
    since = -1
    last = log / "_last_checkpoint"
    if last.is_file():
        checkpoint = json.loads(last.read_text(encoding="utf-8"))
        since = int(checkpoint["version"])
        parts = sorted(log.glob(f"{since:020d}.checkpoint*.parquet"))
        if len(parts) < int(checkpoint.get("parts") or 1):
            raise ValueError(f"the checkpoint of version {since} is not whole")
        yield [action for part in parts for action in _checkpoint(log, part)]
    numbers = sorted(int(file.stem) for file in log.glob("*.json") if file.stem.isdigit() and int(file.stem) > since)
    if numbers != list(range(since + 1, since + 1 + len(numbers))) or (since < 0 and not numbers):
        raise ValueError("some of its versions are missing")
    for number in numbers:
        lines = (log / f"{number:020d}.json").read_text(encoding="utf-8").splitlines()
        yield [json.loads(line) for line in lines if line.strip()]


def _checkpoint(log: Path, part: Path) -> Iterator[dict[str, Any]]:
    """Yield what a part of a checkpoint says; a large one names further files that say it."""
    import pyarrow.parquet as pq

    names = [name for name in pq.read_schema(part).names if name in {"add", "remove", "sidecar"}]
    for action in pq.read_table(part, columns=names).to_pylist():
        if sidecar := action.get("sidecar"):
            yield from _checkpoint(log, log / "_sidecars" / sidecar["path"].rsplit("/", 1)[-1])
        else:
            yield action
