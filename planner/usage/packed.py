"""Files inside others: archives, compressed files, workbooks and JSON documents, laid down as what they hold."""

from __future__ import annotations

import bz2
import csv
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import IO, TypeVar

from planner.delimited import lines_of, sheet_rows
from planner.usage.documents import records_of_document, table_of_document
from planner.usage.faults import UsageError
from planner.usage.logs import table_of_log
from planner.usage.stores import ENDINGS
from planner.usage.tidied import header_at, is_header

__all__ = ["unpacked"]

Member = TypeVar("Member")

ZIP, ZSTD = b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
MOST_BYTES = 1 << 34
"""What an archive may hold in all; a bomb must not fill the disk."""
TAR_ENDINGS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
PACKED = ((b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))
MOST_DOCUMENT_BYTES = 1 << 29
BLOCK_BYTES = 1 << 20


def unpacked(name: str, path: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Return name and path of what a file holds; of one that is no package, its own.

    Parameters
    ----------
    name, path : str
        For people, and where it lies.
    folder : Path
        Where what is inside is laid down.

    Raises
    ------
    UsageError
        A package that is broken, too large, or locked by a password.
    """
    if not Path(path).is_file():
        yield name, path
        return
    try:
        with Path(path).open("rb") as file:
            head = file.read(BLOCK_BYTES)
    except OSError:
        yield name, path  # who reads it says why that cannot be done
        return
    places = (folder / f"{len(list(folder.iterdir()))}-{number}" for number in count(1))
    try:
        if head.startswith(ZIP):
            yield from _of_zip(name, path, places)
        elif head.startswith(ZSTD):
            yield name, str(_of_zstd(path, next(places), name))
        elif name.lower().endswith(TAR_ENDINGS):
            yield from _of_tar(name, path, places)
        elif packed := next((opened for magic, opened in PACKED if head.startswith(magic)), None):
            with packed(path, "rb") as inside:
                yield name, str(_unpressed(inside, next(places), name))
        elif (
            head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
            and not head.startswith(b"{__name__=")
            and Path(path).stat().st_size <= MOST_DOCUMENT_BYTES
        ):
            yield name, _of_document(path, next(places))
        else:
            rows = table_of_log(head.decode("utf-8", "replace"), lambda: lines_of(path, name))
            yield name, path if rows is None else str(_written(next(places), rows, ","))
    except (
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        OSError,
        tarfile.TarError,
        lzma.LZMAError,
        EOFError,
    ) as error:
        raise UsageError(f"the archive cannot be unpacked: {error}", where=name) from error


def _of_zip(name: str, path: str, places: Iterator[Path]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        members = _of_usage([one for one in archive.infolist() if not one.is_dir()], lambda one: one.filename)
        if any(one.filename == "xl/workbook.xml" for one in members):
            yield name, str(_written(next(places), sheet_rows(path, name, header_at), ","))
            return
        if sum(one.file_size for one in members) > MOST_BYTES:
            raise UsageError(f"it holds more than {MOST_BYTES:,} bytes", where=name, hint="unpack it first")
        for member in members:
            target = next(places).with_suffix("".join(Path(member.filename).suffixes[-2:]))
            with archive.open(member) as inside, target.open("wb") as out:
                shutil.copyfileobj(inside, out)
            yield f"{name}!{member.filename}", str(target)


def _of_zstd(path: str, target: Path, name: str) -> Path:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.OSFile(path), "zstd") as inside:
        return _unpressed(inside, target, name)


def _of_tar(name: str, path: str, places: Iterator[Path]) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in _of_usage([one for one in archive.getmembers() if one.isfile()], lambda one: one.name):
            inside = archive.extractfile(member)
            if inside is not None:
                target = next(places).with_suffix("".join(Path(member.name).suffixes[-2:]))
                yield f"{name}!{member.name}", str(_unpressed(inside, target, name))


def _of_usage(members: Sequence[Member], name_of: Callable[[Member], str]) -> list[Member]:
    """Return the members of an archive that may hold usage: not manifests, where there is anything else, nor hidden files."""
    names = {id(one): name_of(one) for one in members}
    shown = [one for one in members if not names[id(one)].rsplit("/", 1)[-1].startswith((".", "_")) and "__MACOSX" not in names[id(one)]]  # fmt: skip
    return [one for one in shown if names[id(one)].lower().endswith(ENDINGS)] or shown


def _of_document(path: str, target: Path) -> str:
    """Return where a JSON document lies as a table: as CSV of what is known, or as Parquet of a bill's records."""
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    if found := table_of_document(text):
        return str(_written(target, found[1], found[0]))
    records = records_of_document(text)
    if not records or not is_header([*records[0], *(f"{name}.{part}" for name, value in records[0].items() if isinstance(value, dict) for part in value)]):  # fmt: skip
        return path
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = target.with_suffix(".parquet")
    pq.write_table(pa.Table.from_pylist(records), target)
    return str(target)


def _unpressed(inside: IO[bytes], target: Path, name: str) -> Path:
    written = 0
    with target.open("wb") as out:
        while block := inside.read(BLOCK_BYTES):
            written += out.write(block)
            if written > MOST_BYTES:
                raise UsageError(f"it holds more than {MOST_BYTES:,} bytes", where=name, hint="unpack it first")
    return target


def _written(target: Path, rows: Iterator[Sequence[object]] | Sequence[Sequence[object]], delimiter: str) -> Path:
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return target
