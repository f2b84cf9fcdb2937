"""Where answers too large for memory lie during a refresh, and what killed refreshes left of them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":  # where no such lock tells whether another process lives, nothing of it is removed
    import fcntl


PREFIX = "gpuplan-refresh-"
LOCK = ".lock"


@contextmanager
def spool_folder() -> Iterator[Path]:
    """Return a folder that is removed at the end; those of processes that died are removed first.

    The lock beside a folder is held as long as its process lives, so no other refresh's folder is touched, in whatever container
    or under whatever number it runs.
    """
    parent = Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    folder = parent / f"{PREFIX}{uuid.uuid4().hex}"
    with _lock_file(folder).open("x") as lock:
        _take(lock)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_file(folder).unlink(missing_ok=True)


def _lock_file(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK)


def _take(lock: IO[str]) -> None:
    """Lock a file for this process alone; a `BlockingIOError` says that another one has it."""
    if sys.platform != "win32":
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders whose process is dead; what belongs to another user or cannot be removed stays."""
    if sys.platform == "win32":
        return
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.is_symlink() or not folder.is_dir():
            continue
        with suppress(OSError), _lock_file(folder).open("a") as lock:
            _take(lock)
            shutil.rmtree(folder)
            _lock_file(folder).unlink()
