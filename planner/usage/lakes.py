"""Tables of lakes: which of a folder's files their log says are the table now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from planner.usage.faults import UsageError

__all__ = ["files_below", "live_files"]

OTHER_WAY = "read it through an engine that knows it (--engine), or export the month as Parquet"


def files_below(folder: Path) -> Iterator[Path]:
    """Return the files of a folder and of those inside it; of a lake's table among them, those that are the table now."""
    live = live_files(folder)
    if live is not None:
        yield from live
        return
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            yield from files_below(one)
        else:
            yield one


def live_files(folder: Path) -> list[Path] | None:
    """Return the files of a Delta table's newest version; None for a folder that is no such table.

    What was removed or replaced still lies in the folder, and would count again.

    Raises
    ------
    UsageError
        A Delta table with rows deleted inside its files, or a table of Iceberg or Hudi, whose log is not read here.
    """
    log = folder / "_delta_log"
    if (folder / ".hoodie").is_dir():
        raise UsageError("it is a Hudi table, and files that it replaced still lie in it", where=str(folder), hint=OTHER_WAY)  # fmt: skip
    if not log.is_dir():
        if any((folder / "metadata").glob("*.metadata.json")):
            raise UsageError("it is an Iceberg table, and files that it replaced still lie in it", where=str(folder), hint=OTHER_WAY)  # fmt: skip
        return None
    added: dict[str, bool] = {}
    try:
        for action in _actions(log):
            if add := action.get("add"):
                if add.get("deletionVector"):
                    raise UsageError(
                        "rows are deleted inside this Delta table's files", where=str(folder), hint=OTHER_WAY
                    )
                added[unquote(add["path"])] = True
            elif remove := action.get("remove"):
                added.pop(unquote(remove["path"]), None)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UsageError(f"the log of this Delta table cannot be read: {error}", where=str(folder), hint=OTHER_WAY) from error  # fmt: skip
    return [folder / name for name in added]


def _actions(log: Path) -> Iterator[dict[str, Any]]:
    """Yield what the log says in its order: the last checkpoint, and each version after it."""
    since = -1
    last = log / "_last_checkpoint"
    if last.is_file():
        since = int(json.loads(last.read_text(encoding="utf-8"))["version"])
        import pyarrow.parquet as pq

        for part in sorted(log.glob(f"{since:020d}.checkpoint*.parquet")):
            names = [name for name in pq.read_schema(part).names if name in {"add", "remove"}]
            yield from pq.read_table(part, columns=names).to_pylist()
    for version in sorted(log.glob("*.json")):
        if version.stem.isdigit() and int(version.stem) > since:
            for line in version.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    yield json.loads(line)
