"""The working folder: parts of a result beside the file that they will become, so that a run goes on where it was cut off."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planner import __version__
from planner.portfolio.blocks import Block, part_path
from planner.portfolio.market import Market
from planner.portfolio.reading import Portfolio
from planner.portfolio.result import PortfolioError, land, write_rows

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFolder:
    """Where the parts stand.

    Attributes
    ----------
    path : Path
        The folder.
    kept : frozenset of int
        Blocks that an earlier run has done.
    note : str
        What the user should know of an earlier run; empty where there was none.
    """

    path: Path
    kept: frozenset[int]
    note: str = ""

    def remove(self) -> None:
        """Take the folder away, once its parts have been put together."""
        shutil.rmtree(self.path, ignore_errors=True)


def _manifest(portfolio: Portfolio, blocks: Sequence[Block], market: Market) -> dict[str, object]:
    cut = hashlib.sha256(json.dumps([[row.row for row in block.rows] for block in blocks]).encode()).hexdigest()
    return {
        "program": __version__,
        "workloads": len(portfolio.rows),
        "input": portfolio.digest,
        "market": market.fingerprint(),
        "blocks": len(blocks),
        "cut": cut,
    }


def _earlier(path: Path) -> dict[str, object] | None:
    try:
        manifest = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


CHANGED = {
    "input": "the workloads are others",
    "market": "prices, assumptions or options are others",
    "program": "it was made by another version",
}


def open_folder(path: Path, portfolio: Portfolio, blocks: Sequence[Block], market: Market) -> WorkFolder:
    """Return the working folder; parts of an earlier run are kept where nothing has changed since.

    Parameters
    ----------
    path : Path
        The folder; made where it is missing.
    portfolio, blocks, market : Portfolio, sequence of Block, Market
        What the run is about.

    Raises
    ------
    PortfolioError
        The folder cannot be written.
    """
    _refuse_foreign(path)
    manifest = _manifest(portfolio, blocks, market)
    earlier = _earlier(path)
    note, kept = "", frozenset[int]()
    if earlier == manifest:
        kept = frozenset(block.number for block in blocks if part_path(path, block.number).is_file())
        note = f"going on where an earlier run was cut off: {len(kept):,} of {len(blocks):,} blocks are done"
    elif earlier is not None or path.exists():
        why = [words for name, words in CHANGED.items() if earlier and earlier.get(name) != manifest[name]]
        note = f"an earlier run that was cut off is started over: {'; '.join(why) or 'its notes cannot be read'}"
        shutil.rmtree(path, ignore_errors=True)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PortfolioError(
            f"the working folder cannot be made: {error.strerror or error}",
            where=str(path),
            hint="choose another place with -o",
        ) from error
    land(path / "market.pickle", pickle.dumps(market))
    _write_names(path, portfolio)
    land(path / MANIFEST, json.dumps(manifest, indent=1).encode())
    return WorkFolder(path=path, kept=kept, note=note)


def _write_names(path: Path, portfolio: Portfolio) -> None:
    """Write what each row is called, whose it is, and its tags: they are put to the answers in the end."""
    columns = {
        "row": range(len(portfolio.ids)),
        "id": portfolio.ids,
        "team": [team or None for team in portfolio.teams],
        **portfolio.tags,
        "kind": [kind or None for kind in portfolio.kinds],
        "model": [model or None for model in portfolio.models],
    }
    write_rows(
        path / "names.jsonl", (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    )


def _refuse_foreign(path: Path) -> None:
    """Refuse a folder that another user owns or may write: what lies in it is run by the workers."""
    if not path.exists():
        return
    held = path.lstat()
    if held.st_uid != os.geteuid() or held.st_mode & 0o022 or path.is_symlink():
        raise PortfolioError(
            "the working folder belongs to another user, or others may write into it",
            where=str(path),
            hint="remove it, or choose another place with -o",
        )
