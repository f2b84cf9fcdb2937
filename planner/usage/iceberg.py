"""Iceberg tables: which of a table's files its newest snapshot has."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.usage.faults import UsageError

METADATA = "metadata"
OTHER_WAY = "read it through an engine that knows it (--engine), or export the month as Parquet"
_VERSION = re.compile(r"v?(\d+)(?:-[^/]*|\.gz)?\.metadata\.json")
_DATA, _DELETED = 0, 2
_NEWEST_FORMAT = 3


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
    """Yield the records of an Avro file beside the log, wherever the table lay when it was written."""
    from fastavro import reader

    with (log / name.rsplit("/", 1)[-1]).open("rb") as file:
        yield from reader(file)


def _below(address: str) -> str:
    """Return a path without its scheme: ``s3a://`` and ``s3://`` are one store."""
    return re.sub(r"^[a-z0-9]+:/*", "/", address)
