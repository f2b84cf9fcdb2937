"""Blocks: the portfolio cut into pieces that can be worked out anywhere, in any order, and again."""

from __future__ import annotations

import json
import pickle
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from planner.portfolio.answers import Answers, answers_of, by_its_own_plan
from planner.portfolio.market import Market
from planner.portfolio.pools import Pool
from planner.portfolio.reading import Portfolio, Row, asked_of
from planner.portfolio.result import land, write_rows

TARGET_S = 1.0
"""A block takes about as long on one core: short enough to lose, long enough to hand out."""
SHAPE_S: Mapping[str, float] = {"pretrain": 0.25, "finetune": 0.25}
OTHER_SHAPE_S = 0.05
ROW_S: Mapping[str, float] = {"pretrain": 0.003, "finetune": 0.003}
OTHER_ROW_S = 0.0003
MOST_ROWS = 2_000


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
    landed(Path(folder), block.number, work_rows(block.rows, _market(str(Path(folder) / "market.pickle"))))


def landed(folder: Path, number: int, answers: Answers) -> None:
    """Leave a block's report and then its answers: where the answers are, the block is done."""
    land(_report_path(folder, number), json.dumps(record_of(answers)).encode())
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
