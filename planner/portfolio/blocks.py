"""Blocks: the portfolio cut into pieces that can be worked out anywhere, in any order, and again."""

from __future__ import annotations

import json
import pickle
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from planner.portfolio.answers import Answers, answers_of, by_its_own_plan
from planner.portfolio.market import Market
from planner.portfolio.pools import Pool, united
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What working a block out took.

    Attributes
    ----------
    number, rows, shapes, evaluations, one_by_one : int
        See `planner.portfolio.answers.Answers`.
    core_s : float
        Of the processor.
    pools : dict
        Machines that could be shared.
    """

    number: int
    rows: int
    shapes: int
    evaluations: int
    one_by_one: int
    core_s: float
    pools: dict[str, Pool]


def blocks_of(portfolio: Portfolio) -> list[Block]:
    """Cut the workloads into blocks; the same workloads are always cut in the same way.

    Workloads of one shape stay together, since a shape is worked out once, unless there are very many of them.
    """
    by_shape: dict[str, list[Row]] = defaultdict(list)
    for row, shape in zip(portfolio.rows, portfolio.shapes, strict=True):
        by_shape[shape].append(row)
    cut: list[list[Row]] = []
    room = 0.0
    for key in sorted(by_shape):
        kind = json.loads(key)["kind"] if key else ""
        some = by_shape[key]
        for begin in range(0, len(some), MOST_ROWS):
            part = some[begin : begin + MOST_ROWS]
            seconds = SHAPE_S.get(kind, OTHER_SHAPE_S) + ROW_S.get(kind, OTHER_ROW_S) * len(part)
            if not cut or room < seconds:
                cut.append([])
                room = max(TARGET_S, seconds)
            cut[-1] += part
            room -= seconds
    # The longest first would be best; what is certain is that the costly kinds do not all come last.
    return [Block(number, tuple(part)) for number, part in enumerate(cut)]


def part_path(folder: Path, number: int) -> Path:
    """Return where a block's answers stand."""
    return folder / f"part-{number:06d}.jsonl"


def report_path(folder: Path, number: int) -> Path:
    """Return where a block's report stands."""
    return folder / f"report-{number:06d}.json"


@lru_cache(maxsize=2)
def _market(path: str) -> Market:
    market = pickle.loads(Path(path).read_bytes())  # noqa: S301  our own file, written by this run
    assert isinstance(market, Market)
    return market


def work(folder: str, block: Block) -> Report:
    """Work a block out and leave its answers in the working folder.

    Parameters
    ----------
    folder : str
        The working folder, with the market in it.
    block : Block
        The workloads.
    """
    started = time.process_time()
    answers = work_rows(block.rows, _market(str(Path(folder) / "market.pickle")))
    report = report_of(block.number, answers, time.process_time() - started)
    landed(Path(folder), report, answers.rows)
    return report


def report_of(number: int, answers: Answers, seconds: float) -> Report:
    """Return what working a block out took."""
    return Report(
        number=number,
        rows=len(answers.rows),
        shapes=answers.shapes,
        evaluations=answers.evaluations,
        one_by_one=answers.one_by_one,
        core_s=seconds,
        pools=answers.pools,
    )


def landed(folder: Path, report: Report, rows: Sequence[Mapping[str, Any]]) -> None:
    """Leave a block's report and then its answers: where the answers are, the block is done."""
    land(report_path(folder, report.number), json.dumps(record_of(report)).encode())
    write_rows(part_path(folder, report.number), sorted(rows, key=lambda row: int(row["row"])))


def record_of(report: Report) -> dict[str, Any]:
    """Return a report as JSON holds it."""
    record = asdict(report)
    for pool in record["pools"].values():
        pool["gpus_by_hour"] = [float(value) for value in pool["gpus_by_hour"]]
    return record


def report_of_record(record: Mapping[str, Any]) -> Report:
    """Return the report that a record holds."""
    pools = {
        key: Pool(**{**pool, "gpus_by_hour": np.array(pool["gpus_by_hour"])}) for key, pool in record["pools"].items()
    }
    return Report(**{**record, "pools": pools})


def reports_in(folder: Path, numbers: Iterable[int]) -> list[Report]:
    """Return the reports of blocks that are done."""
    return [report_of_record(json.loads(report_path(folder, number).read_text())) for number in numbers]


def work_rows(rows: Sequence[Row], market: Market) -> Answers:
    """Answer each row exactly once.

    Where the arrays of a block meet something that they were not made for, its workloads are answered one by one; the one that is
    to blame is planned on its own, and if that fails too it is answered with what went wrong.
    """
    every = [asked_of(row) for row in rows]
    # What is paid for already, or was negotiated, is that workload's own: nothing of it is shared.
    apart = [one for one in every if one.workload is not None and one.workload.has_own_terms]
    asked = [one for one in every if one.workload is None or not one.workload.has_own_terms]
    whole = Answers()
    for one in apart:
        whole.rows += by_its_own_plan(one, market).rows
        whole.one_by_one += 1
    with suppress(Exception):  # what is wrong with one workload must not take the others with it
        answers = answers_of(asked, market)
        answers.rows += whole.rows
        answers.one_by_one += whole.one_by_one
        return answers
    for one in asked:
        try:
            part = answers_of([one], market)
        except Exception:  # noqa: BLE001  as above
            part = by_its_own_plan(one, market)
        whole.rows += part.rows
        whole.evaluations += part.evaluations
        united(part.pools, whole.pools)
        whole.one_by_one += 1
    return whole
