"""Blocks: pieces of a portfolio that can be worked out anywhere, in any order, and again; and the files that they become."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from planner import __version__
from planner.errors import PlanningError
from planner.portfolio.answers import Answers, answers_of, by_its_own_plan
from planner.portfolio.market import Market
from planner.portfolio.pools import Pool
from planner.portfolio.reading import Portfolio, Row, asked_of

COLUMNS: Mapping[str, str] = {
    "row": "BIGINT",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "needs_gpu": "BOOLEAN",
    "choice": "VARCHAR",
    "option_id": "VARCHAR",
    "provider": "VARCHAR",
    "region": "VARCHAR",
    "instance_type": "VARCHAR",
    "accelerator": "VARCHAR",
    "accelerators_total_count": "DOUBLE",
    "instance_count": "BIGINT",
    "purchase_option": "VARCHAR",
    "runs_once": "BOOLEAN",
    "present_value_usd": "DOUBLE",
    "total_usd": "DOUBLE",
    "usd_per_month": "DOUBLE",
    "hours_per_run": "DOUBLE",
    "runner_up_id": "VARCHAR",
    "runner_up_present_value_usd": "DOUBLE",
    "break_even_month": "DOUBLE",
    "basis": "VARCHAR",
    "priced_on": "DATE",
}
"""Columns of an answer and their types in SQL."""


TARGET_S = 1.0
"""A block takes about as long on one core: short enough to lose, long enough to hand out."""
SHAPE_S: Mapping[str, float] = {"pretrain": 0.25, "finetune": 0.25}
OTHER_SHAPE_S = 0.05
ROW_S: Mapping[str, float] = {"pretrain": 0.003, "finetune": 0.003}
OTHER_ROW_S = 0.0003
MOST_ROWS = 2_000
MANIFEST = "manifest.json"
CHANGED = {
    "input": "the workloads are others",
    "market": "prices, assumptions or options are others",
    "program": "it was made by another version",
}


class PortfolioError(PlanningError):
    """A portfolio's work that cannot go on: a folder that cannot be written, a full disk."""

    code = "portfolio"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all.

    Raises
    ------
    PortfolioError
        It cannot be written (no space, no right).
    """
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise PortfolioError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="what is done is kept; make room and run the same command again to continue from there",
        ) from error


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as lines of JSON, whole or not at all; see `write_whole`."""
    write_whole(path, "".join(f"{json.dumps(row, default=str)}\n" for row in rows).encode())


@dataclass(frozen=True, slots=True)
class Block:
    """Workloads that are worked out together.

    Attributes
    ----------
    number : int
        Of the block; its results stand under it.
    rows : tuple of Row
        Shape after shape.
    """

    number: int
    rows: tuple[Row, ...]


def blocks_of(portfolio: Portfolio) -> list[Block]:
    """Cut the workloads into blocks; the same workloads are always cut in the same way.

    Workloads of one shape stay together, since a shape is worked out once, unless there are very many of them.
    """
    by_shape: dict[str, list[Row]] = defaultdict(list)
    for row, shape in zip(portfolio.rows, portfolio.shapes, strict=True):
        by_shape[shape].append(row)
    cut: list[list[Row]] = []
    left_s = 0.0
    for key in sorted(by_shape):
        kind = json.loads(key)["kind"] if key else ""
        for begin in range(0, len(by_shape[key]), MOST_ROWS):
            part = by_shape[key][begin : begin + MOST_ROWS]
            seconds = SHAPE_S.get(kind, OTHER_SHAPE_S) + ROW_S.get(kind, OTHER_ROW_S) * len(part)
            if not cut or left_s < seconds:
                cut.append([])
                left_s = max(TARGET_S, seconds)
            cut[-1] += part
            left_s -= seconds
    # The longest first would be best; what is certain is that the costly kinds do not all come last.
    return [Block(number, tuple(part)) for number, part in enumerate(cut)]


def part_path(folder: Path, number: int) -> Path:
    """Return where a block's answers stand."""
    return folder / f"part-{number:06d}.jsonl"


def _report_path(folder: Path, number: int) -> Path:
    return folder / f"report-{number:06d}.json"


@lru_cache(maxsize=2)
def _market(path: str) -> Market:
    market = pickle.loads(Path(path).read_bytes())  # noqa: S301  our own file, written by this run
    assert isinstance(market, Market)
    return market


def work(folder: str, block: Block) -> None:
    """Work a block out and leave its answers in the working folder.

    Parameters
    ----------
    folder : str
        The working folder, with the market in it.
    block : Block
        The workloads.
    """
    write_block(Path(folder), block.number, work_rows(block.rows, _market(str(Path(folder) / "market.pickle"))))


def write_block(folder: Path, number: int, answers: Answers) -> None:
    """Leave a block's report and then its answers: where the answers are, the block is done."""
    write_whole(_report_path(folder, number), json.dumps(record_of(answers)).encode())
    write_rows(part_path(folder, number), sorted(answers.rows, key=lambda row: int(row["row"])))


def record_of(answers: Answers) -> dict[str, Any]:
    """Return what JSON holds of answers, but for their rows."""
    record = asdict(replace(answers, rows=[]))
    for pool in record["pools"].values():
        pool["gpus_by_hour"] = pool["gpus_by_hour"].tolist()
    return record


def answers_of_record(record: Mapping[str, Any]) -> Answers:
    """Return the answers that a record holds."""
    pools = {
        key: Pool(**{**pool, "gpus_by_hour": np.array(pool["gpus_by_hour"])}) for key, pool in record["pools"].items()
    }
    return Answers(**{**record, "pools": pools})


def all_answers(folder: Path, numbers: Iterable[int]) -> Answers:
    """Return what the answers of blocks come to together, but for their rows."""
    whole = Answers()
    for number in numbers:
        whole.add(answers_of_record(json.loads(_report_path(folder, number).read_text())))
    return whole


def work_rows(rows: Sequence[Row], market: Market) -> Answers:
    """Answer each row exactly once.

    Where the arrays of a block meet something that they were not made for, its workloads are answered one by one; the one that is
    to blame is planned on its own, and if that fails too it is answered with what went wrong.
    """
    started = time.process_time()
    whole = Answers()
    together = []
    for asked in map(asked_of, rows):
        # What is paid for already, or was negotiated, is that workload's own: nothing of it is shared.
        if asked.workload is not None and asked.workload.has_own_terms:
            whole.add(by_its_own_plan(asked, market))
        else:
            together.append(asked)
    try:
        whole.add(answers_of(together, market))
    except Exception:  # noqa: BLE001  what is wrong with one workload must not take the others with it
        for asked in together:
            try:
                answers = replace(answers_of([asked], market), one_by_one=1)
            except Exception:  # noqa: BLE001  as above
                answers = by_its_own_plan(asked, market)
            whole.add(answers)
    whole.core_s = time.process_time() - started
    return whole


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
    write_whole(path / "market.pickle", pickle.dumps(market))
    _write_names(path, portfolio)
    write_whole(path / MANIFEST, json.dumps(manifest, indent=1).encode())
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
