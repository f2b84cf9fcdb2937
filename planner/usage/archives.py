"""Files inside others: archives, compressed files, workbooks and JSON documents, laid down as what they hold."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import json
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from planner.inputs.delimited import lines_of, sheet_rows
from planner.usage.dialect import header_at, is_header
from planner.usage.documents import broken_line, parsed, records_of, table_of_document, table_of_log
from planner.usage.faults import Fault, UnreadableFileError, UsageError
from planner.usage.file_kinds import kind_of_header
from planner.usage.object_stores import usage_files

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


Member = TypeVar("Member")

ZIP, ZSTD, GZIP, PARQUET = b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PAR1"
MOST_BYTES = 1 << 34
"""What an archive may hold in all; a bomb must not fill the disk."""
TAR_ENDINGS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
PACKED = ((b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))
UNPACKING_ERRORS = (zipfile.BadZipFile, RuntimeError, OSError, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError)
MOST_LEVELS = 4
"""A JSON document in a gzip in a zip; archives that hold themselves must not go on for ever."""
MOST_DOCUMENT_BYTES = 1 << 29
BLOCK_BYTES = 1 << 20


def is_package(name: str, head: bytes) -> bool:
    """Say whether a file has to be unpacked before it is read: a package, a document, a log, or text in UTF-16.

    Parameters
    ----------
    name : str
        Its name, whose ending tells a tar archive.
    head : bytes
        How it begins; the text inside a gzip is as good as any.
    """
    if head.startswith(PARQUET):
        return False
    inside = beginning_of(head)
    return (
        inside.startswith((PARQUET, ZIP, ZSTD, *(magic for magic, _ in PACKED)))
        or _utf_16(inside) != ""
        or name.lower().endswith(TAR_ENDINGS)
        or _is_document(inside)
        or table_of_log(inside.decode("utf-8", "replace"), list) is not None
    )


def unpacked(name: str, path: str, folder: Path, levels: int = MOST_LEVELS) -> Iterator[tuple[str, str]]:
    """Return name and path of what a file holds; of one that is no package, its own.

    Parameters
    ----------
    name, path : str
        For people, and where it lies.
    folder : Path
        Where what is inside is laid down.
    levels : int
        How many packages may lie in one another.

    Raises
    ------
    UsageError
        A package that is broken, too large, or locked by a password.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(BLOCK_BYTES)
    except OSError:
        yield name, path  # who reads it says why that cannot be done
        return
    if not levels or not is_package(name, head):
        yield name, path
        return
    places = (folder / f"{len(list(folder.iterdir()))}-{number}" for number in count(1))
    try:
        for inner, place in _inside(name, path, head, places):
            yield from unpacked(inner, place, folder, levels - 1) if place != path else [(inner, place)]
    except UNPACKING_ERRORS as error:
        raise UsageError(f"the archive cannot be unpacked: {error}", where=name) from error


def _inside(name: str, path: str, head: bytes, places: Iterator[Path]) -> Iterator[tuple[str, str]]:
    """Lay down what a package holds."""
    if head.startswith(ZIP):
        yield from _of_zip(name, path, places)
    elif head.startswith(ZSTD):
        yield name, str(_of_zstd(path, next(places), name))
    elif name.lower().endswith(TAR_ENDINGS):
        yield from _of_tar(name, path, places)
    elif packed := next((opened for magic, opened in PACKED if head.startswith(magic)), None):
        with packed(path, "rb") as inside:
            yield name, str(_unpressed(inside, next(places), name))
    elif encoding := _utf_16(head):
        yield name, str(_recoded(path, encoding, next(places)))
    elif _is_document(head):
        yield name, _of_document(path, next(places))
    elif rows := table_of_log(head.decode("utf-8", "replace"), lambda: lines_of(path, name)):
        yield name, str(_written(next(places), rows, ","))
    else:  # something of these in a gzip; a table in one is read as it stands
        with gzip.open(path, "rb") as inside:
            yield name, str(_unpressed(inside, next(places), name))


def _is_document(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") and not head.startswith(b"{__name__=")


def beginning_of(head: bytes) -> bytes:
    """Return the beginning of a file that may be a gzip as it is inside."""
    try:
        return zlib.decompressobj(47).decompress(head, BLOCK_BYTES) if head.startswith(GZIP) else head
    except zlib.error:
        return b""


def _utf_16(head: bytes) -> str:
    """Return which UTF-16 a text is in, by its mark or (PowerShell's ``-NoNewline``, exports of databases) its zeros; empty for any other."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = head[:200:2], head[1:200:2]
    if all(even) and odd and not any(odd):
        return "utf-16-le"
    return "utf-16-be" if all(odd) and odd and not any(even) else ""


def _recoded(path: str, encoding: str, target: Path) -> Path:
    with Path(path).open(encoding=encoding, errors="replace", newline="") as text, target.open("w", encoding="utf-8", newline="") as out:  # fmt: skip
        shutil.copyfileobj(text, out)
    return target


def _of_zip(name: str, path: str, places: Iterator[Path]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        members = _of_usage(
            [inner for inner in archive.infolist() if not inner.is_dir()],
            lambda inner: inner.filename,
        )
        if any(inner.filename == "xl/workbook.xml" for inner in members):
            yield name, str(_written(next(places), sheet_rows(path, name, header_at), ","))
            return
        if sum(inner.file_size for inner in members) > MOST_BYTES:
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
        for member in _of_usage([entry for entry in archive.getmembers() if entry.isfile()], lambda entry: entry.name):
            inside = archive.extractfile(member)
            if inside is not None:
                target = next(places).with_suffix("".join(Path(member.name).suffixes[-2:]))
                yield f"{name}!{member.name}", str(_unpressed(inside, target, name))


def _of_usage(members: Sequence[Member], name_of: Callable[[Member], str]) -> list[Member]:
    """Return the members of an archive that may hold usage: what would be read of a folder, or all that is not hidden."""
    shown = [member for member in members if not name_of(member).rsplit("/", 1)[-1].startswith((".", "_")) and "__MACOSX" not in name_of(member)]  # fmt: skip
    read = set(usage_files(name_of(member) for member in shown))
    return [member for member in shown if name_of(member) in read] or shown


def _of_document(path: str, target: Path) -> str:
    """Return the path of a JSON document written as a table: CSV for usage records, Parquet for a bill."""
    if Path(path).stat().st_size > MOST_DOCUMENT_BYTES:
        return path
    document = parsed(Path(path).read_text(encoding="utf-8-sig", errors="replace"))
    if table := table_of_document(document):
        return str(_written(target, table[1], table[0]))
    records = records_of(document)
    if not records or not is_header([*records[0], *(f"{name}.{part}" for name, value in records[0].items() if isinstance(value, dict) for part in value)]):  # fmt: skip
        return path
    columns = list(dict.fromkeys(column for record in records for column in record))
    if kind_of_header(columns) in {"", "focus"}:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with suppress(pa.ArrowException):  # a column of numbers and of texts is no column of Parquet's
            pq.write_table(pa.Table.from_pylist(records), target.with_suffix(".parquet"))
            return str(target.with_suffix(".parquet"))
    cells = ([json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in map(record.get, columns)] for record in records)  # fmt: skip
    return str(_written(target, [columns, *cells], ","))


def broken_line_of(path: str) -> int:
    """Return the line at which a JSON document is cut off or broken; 0 where it is whole, too large to be looked at, or no JSON."""
    with Path(path).open("rb") as file:
        if not _is_document(file.read(BLOCK_BYTES)) or Path(path).stat().st_size > MOST_DOCUMENT_BYTES:
            return 0
    return broken_line(Path(path).read_text(encoding="utf-8-sig", errors="replace"))


def records_of_parquet(path: str, filesystem: FileSystem | None, target: Path) -> str:
    """Lay down records of use that are kept as Parquet as the CSV that their readers take, without lists and records in cells.

    Parameters
    ----------
    path : str
        Where they lie.
    filesystem : pyarrow.fs.FileSystem or None
        Of an object store.
    target : Path
        Where they are laid down.
    """
    import pyarrow as pa
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, filesystem=filesystem) as file:
        fields = [field for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        plain = pa.schema(field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in fields)  # fmt: skip
        with arrow_csv.CSVWriter(target, plain) as out:
            for batch in file.iter_batches(columns=plain.names):
                out.write_table(pa.Table.from_batches([batch]).cast(plain))
    return str(target)


def _unpressed(inside: IO[bytes] | gzip.GzipFile, target: Path, name: str) -> Path:
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


def readable_gzip(name: str, path: str, place: Path, faults: list[Fault]) -> str:
    """Return the path of a gzip that is whole; of a broken one, that of its readable lines."""
    try:
        with gzip.open(path, "rb") as file:
            while file.read(BLOCK_BYTES):
                pass
    except (EOFError, OSError, zlib.error) as error:
        salvaged = place.with_suffix(".csv")
        lines = _salvage(path, salvaged)
        what = "the gzip file is cut off" if isinstance(error, EOFError) else f"the gzip file is damaged ({error})"
        what, where = f"{what}; nothing after its line {lines} can be read", f"{name}:{lines + 1}"
        if lines <= 1:
            raise UnreadableFileError(what, where) from error
        faults.append(Fault(what=what, where=where))
        return str(salvaged)
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
