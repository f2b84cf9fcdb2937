"""Files inside others: archives, compressed files, workbooks and JSON documents, laid down as what they hold."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from planner.delimited import sheet_rows
from planner.usage.documents import table_of_document
from planner.usage.faults import UsageError

__all__ = ["unpacked"]

ZIP, ZSTD = b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
MOST_BYTES = 1 << 34
"""What an archive may hold in all; a bomb must not fill the disk."""
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
        elif (
            head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") and Path(path).stat().st_size <= MOST_DOCUMENT_BYTES
        ):
            found = table_of_document(Path(path).read_text(encoding="utf-8-sig", errors="replace"))
            yield name, path if found is None else str(_written(next(places), found[1], found[0]))
        else:
            yield name, path
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise UsageError(f"the archive cannot be unpacked: {error}", where=name) from error


def _of_zip(name: str, path: str, places: Iterator[Path]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
        if any(one.filename == "xl/workbook.xml" for one in members):
            yield name, str(_written(next(places), sheet_rows(path, name), ","))
            return
        if sum(one.file_size for one in members) > MOST_BYTES:
            raise UsageError(f"it holds more than {MOST_BYTES:,} bytes", where=name, hint="unpack it first")
        for member in members:
            if member.filename.rsplit("/", 1)[-1].startswith((".", "_")) or "__MACOSX" in member.filename:
                continue
            target = next(places).with_suffix("".join(Path(member.filename).suffixes[-2:]))
            with archive.open(member) as inside, target.open("wb") as out:
                shutil.copyfileobj(inside, out)
            yield f"{name}!{member.filename}", str(target)


def _of_zstd(path: str, target: Path, name: str) -> Path:
    import pyarrow as pa

    written = 0
    with pa.CompressedInputStream(pa.OSFile(path), "zstd") as inside, target.open("wb") as out:
        while block := inside.read(BLOCK_BYTES):
            written += out.write(block)
            if written > MOST_BYTES:
                raise UsageError(f"it holds more than {MOST_BYTES:,} bytes", where=name, hint="unpack it first")
    return target


def _written(target: Path, rows: Iterator[Sequence[object]] | Sequence[Sequence[object]], delimiter: str) -> Path:
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return target
