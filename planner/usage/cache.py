"""Files of text as they were read once (``--cache``): a month that has not changed is not read again."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.usage.faults import UsageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


EDGE_BYTES = 1 << 16
"""Bytes read at both ends of a file, for changes that keep its size and modification time."""


@dataclass(frozen=True, slots=True)
class FileCache:
    """A folder of what was read; each entry is named after the file's place and state, what was read of it, and its own content.

    An entry that is damaged is read anew, and one whose file has changed is replaced. Nothing is lost with the folder.
    """

    folder: Path

    def mark(self, name: str, path: str, filesystem: FileSystem | None = None) -> str:
        """Return a fingerprint of a file's current content; empty for anything that is not a regular file.

        Parameters
        ----------
        name, path, filesystem
            As a `Source` has them; a file whose name is not its path was laid down by us.
        """
        if filesystem is not None:
            info = filesystem.get_file_info(path)
            if info.size is None or info.mtime_ns is None:
                return ""
            return f"{_digest(name)}-{_digest(f'{info.size} {info.mtime_ns}')}"
        if path != name or path == "-" or not Path(path).is_file():
            return ""
        with Path(path).open("rb") as file:
            state = os.fstat(file.fileno())
            head = file.read(EDGE_BYTES)
            file.seek(max(0, state.st_size - EDGE_BYTES))
            edges = blake2b(head + file.read(EDGE_BYTES)).hexdigest()
        return f"{_digest(str(Path(path).absolute()))}-{_digest(f'{state.st_size} {state.st_mtime_ns} {edges}')}"

    def is_still(self, mark: str, name: str) -> bool:
        """Say whether a file did not change while it was read; of an object a copy of our own was read."""
        return "://" in name or self.mark(name, name) == mark

    def has(self, mark: str) -> bool:
        """Say whether a file in this state was read whole."""
        return bool(mark) and any(self.folder.glob(f"{mark}-*.parquet"))

    def fetch(self, mark: str, recipe: str, target: Path) -> bool:
        """Lay down what was read of a file by a recipe; say whether it was there and sound.

        Another run may remove the entry in the meantime, so a link to it is laid down, or a copy on another disk.
        """
        for entry in self.folder.glob(f"{mark}-{_digest(recipe)}-*{target.suffix}"):
            try:
                try:
                    os.link(entry, target)
                except OSError:
                    shutil.copyfile(entry, target)
                if _content(target) == entry.stem.rpartition("-")[2]:
                    return True
                entry.unlink()
            except OSError:
                pass
            target.unlink(missing_ok=True)
        return False

    def store(self, mark: str, recipe: str, made: Path) -> None:
        """Keep what was read of a file, instead of what was read of it in another state; a full disk is no fault."""
        spare = self.folder / f".{uuid.uuid4().hex}"
        ours = f"{mark}-{_digest(recipe)}-"
        with suppress(OSError):
            try:
                shutil.copyfile(made, spare)
                kept = spare.replace(self.folder / f"{ours}{_content(spare)}{made.suffix}")
            finally:
                spare.unlink(missing_ok=True)
            for entry in self.folder.glob(f"{mark.partition('-')[0]}-*"):
                if entry != kept and (entry.name.startswith(ours) or not entry.name.startswith(f"{mark}-")):
                    entry.unlink(missing_ok=True)

    def download(self, name: str, path: str, filesystem: FileSystem, target: Path) -> str:
        """Lay down an object, from here where it was downloaded before and has not changed, and return its path."""
        mark = self.mark(name, path, filesystem)
        if mark and self.fetch(mark, "object", target):
            return str(target)
        with filesystem.open_input_stream(path, compression=None) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
        if mark and self.mark(name, path, filesystem) == mark:
            self.store(mark, "object", target)
        return str(target)


def file_cache_in(folder: Path | None) -> FileCache | None:
    """Return the cache in a folder, which is created; None where no cache is wanted.

    Raises
    ------
    UsageError
        The folder cannot be made.
    """
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder of --cache cannot be made: {error.strerror}", where=str(folder)) from error
    return FileCache(folder)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _content(path: Path) -> str:
    with path.open("rb") as file:
        digest: Any = file_digest(file, lambda: blake2b(digest_size=16))
    return str(digest.hexdigest())
