"""Object stores: their clients, their files, and their errors."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from planner.usage.faults import UsageError
from planner.usage.table_formats import LAKE_FOLDERS, LOGS, MOST_FOLDERS_ABOVE, kind_of_lake, lake_root, live_names

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


ENDINGS = tuple(
    ".csv .csv.gz .parquet .parquet.snappy .snappy.parquet .gz .txt .psv .zip .zst .xlsx .tsv .tgz .tar .bz2 .xz .jsonl "
    ".ndjson".split()
)
ABOUT = re.compile(r"(?:read[ _-]?me|licen[cs]e|notice|changelog|manifest)(?:\.|$)", re.IGNORECASE)
"""Files beside the data that hold no usage."""
RETRY_LIMIT_S = 30
"""Google's client would try for 15 minutes."""
OBJECT_STORES = ("s3://", "gs://", "gcs://", "abfs://", "abfss://")


def usage_files(paths: Iterable[str]) -> list[str]:
    """Return the files of a folder that may hold usage, in order: those of a known ending, or else those of none at all, or else JSON.

    What is called README, LICENSE or manifest is left out where there is anything else.

    Athena's ``UNLOAD`` and Trino name their Parquet files without an ending.

    Examples
    --------
    >>> usage_files(["a/2.csv", "a/1.csv", "a/README.md", "a/.1.csv"]), usage_files(["a/20261101_f3", "a/_SUCCESS"])
    (['a/1.csv', 'a/2.csv'], ['a/20261101_f3'])
    >>> usage_files(["a/p1.json", "a/README.txt", "a/terms.txt"])
    ['a/p1.json', 'a/terms.txt']
    """
    shown = sorted(path for path in paths if not path.rsplit("/", 1)[-1].startswith((".", "_")))
    shown = [path for path in shown if not ABOUT.match(path.rsplit("/", 1)[-1])] or shown
    called = [path for path in shown if path.lower().endswith(ENDINGS)]
    if all(path.lower().endswith(".txt") for path in called):  # these may be words about documents
        called = [path for path in shown if path.lower().endswith((".txt", ".json"))]
    nameless = [path for path in shown if "." not in path.rsplit("/", 1)[-1]]
    # A bill's manifest is JSON too.
    return called or nameless or [path for path in shown if path.lower().endswith(".json")]


def _file_system(uri: str) -> tuple[FileSystem, str]:
    """Return the file system of a URI and the path in it; the SDK's own variables (``AWS_ENDPOINT_URL_S3``) say where S3 is."""
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
        uri = uri.replace("gcs://", "gs://")
        if uri.startswith("gs://") and "retry_limit_seconds" not in uri:  # its client tries for 15 minutes
            uri += f"{'&' if '?' in uri else '?'}retry_limit_seconds={RETRY_LIMIT_S}"
        store, path = arrow_fs.FileSystem.from_uri(uri)
    except (ArrowException, OSError, ValueError) as error:
        raise UsageError(f"the object store cannot be opened: {error}", where=uri) from error
    return store, path


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Say what an object store, or Arrow's client of it, has to say of itself."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"the object store does not answer as it should: {said}", where=uri) from error


def _refuse_part_of_lake(store: FileSystem, path: str, uri: str) -> None:
    """Refuse a path inside a lake table: its log, in a parent folder, says which files count."""
    from pyarrow import fs as arrow_fs

    parts = path.split("/")
    for folder in ("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)[:MOST_FOLDERS_ABOVE]):
        selectors = (arrow_fs.FileSelector(f"{folder}/{name}", allow_not_found=True) for name in LAKE_FOLDERS)
        names = list[str]()
        with suppress(OSError):  # who may read these files alone may not list what is around them
            names += [info.path for selector in selectors for info in store.get_file_info(selector)]
        if kind := kind_of_lake(names):
            raise UsageError(f"it lies inside a table of {kind}, whose log says which of its files count", where=uri, hint="give the whole table")  # fmt: skip


def _without_dead(store: FileSystem, names: list[str], scheme: str) -> list[str]:
    """Leave out what the logs of lakes' tables among these files say was removed or replaced."""
    for root in sorted({lake_root(name) for name in names} - {""}):
        inside = [name for name in names if name.startswith(f"{root}/")]
        kind = kind_of_lake(inside)
        with tempfile.TemporaryDirectory(prefix="gpuplan-log-") as made:
            for name in inside:
                below = name.removeprefix(f"{root}/{LOGS.get(kind, kind)}/")
                if below != name:
                    target = Path(made, below)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with store.open_input_stream(name, compression=None) as stream:
                        target.write_bytes(stream.read())
            live = {f"{root}/{name}" for name in live_names(kind, Path(made), f"{scheme}://{root}")}
        if missing := sorted(live - set(inside)):
            raise UsageError(f"a file of this {kind} table is not there: {missing[0]}", where=f"{scheme}://{root}")
        names = [name for name in names if name not in inside or name in live]
    return names


def objects_of(uri: str) -> Iterator[tuple[str, str, FileSystem]]:
    """Return name, path and file system of each file of usage at an address.

    Raises
    ------
    UsageError
        The store cannot be reached, or nothing lies there.
    """
    from pyarrow import fs as arrow_fs

    store, path = _file_system(uri)
    scheme = uri.split("://", maxsplit=1)[0]
    with store_errors(uri):
        is_file = store.get_file_info(path).type == arrow_fs.FileType.File
        _refuse_part_of_lake(store, path, uri)
        infos = () if is_file else store.get_file_info(arrow_fs.FileSelector(path, recursive=True))
        names = _without_dead(store, [info.path for info in infos if info.type == arrow_fs.FileType.File], scheme)
    if is_file:
        yield uri, path, store
        return
    files = usage_files(names)
    if not files:
        raise UsageError("no usage file is there", where=uri)
    for file in files:
        yield f"{scheme}://{file}", file, store
