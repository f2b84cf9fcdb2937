"""A portfolio from its sources to its result: read, cut, work out, put together, count."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from planner.portfolio.answers import Answers
from planner.portfolio.blocks import Block, all_answers, blocks_of, landed, work
from planner.portfolio.folder import open_folder
from planner.portfolio.market import Market
from planner.portfolio.pools import Shared, shared_capacity
from planner.portfolio.reading import Portfolio, read_portfolio
from planner.portfolio.result import PortfolioError
from planner.portfolio.totals import Totals, totals_of, write_result
from planner.portfolio.workers import run_blocks

if TYPE_CHECKING:
    from planner.engine import Engine


@dataclass(slots=True)
class Watcher:
    """Who is told how the run goes; by default nobody.

    Attributes
    ----------
    say : callable
        Gets a sentence that the user should read.
    progress : callable
        Gets workloads done and workloads in all.
    """

    say: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _done, _all: None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioResult:
    """What came out.

    Attributes
    ----------
    totals : Totals
        By team.
    shared : tuple of Shared
        What workloads that share machines would pay together.
    output : Path or None
        Where all answers stand.
    shapes, evaluations, one_by_one : int
        See `planner.portfolio.answers.Answers`.
    read_s, work_s, core_s, rest_s : float
        Seconds of reading, of working out (on the clock, and of all workers together), and of putting together.
    blocks, kept_blocks : int
        All blocks, and those that an earlier run had done.
    """

    totals: Totals
    shared: tuple[Shared, ...]
    output: Path | None
    shapes: int
    evaluations: int
    one_by_one: int
    read_s: float
    work_s: float
    core_s: float
    rest_s: float
    blocks: int
    kept_blocks: int


def plan_portfolio(
    sources: Sequence[str],
    market: Market,
    output: Path | None = None,
    *,
    workers: int = 1,
    engine: Engine | None = None,
    watcher: Watcher | None = None,
) -> PortfolioResult:
    """Answer each workload exactly once.

    Parameters
    ----------
    sources : sequence of str
        Tables, folders and files of workloads.
    market : Market
        What they are planned against.
    output : Path, optional
        Result, ``.parquet`` or ``.csv``; a run that is cut off goes on from the working folder beside it. Without it, only
        the totals are told.
    workers : int
        Processes of this machine.
    engine : Engine, optional
        A Spark cluster, which works the blocks out instead.
    watcher : Watcher, optional
        Who is told how it goes.

    Raises
    ------
    InputError
        Sources that cannot be read; see `planner.portfolio.reading.read_portfolio`.
    PortfolioError
        A place that cannot be written. What is done is kept.
    """
    watcher = watcher or Watcher()
    started = time.perf_counter()
    portfolio = read_portfolio(sources)
    blocks = blocks_of(portfolio)
    read_s = time.perf_counter() - started
    with ExitStack() as stack:
        if output is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gpuplan-"))) / "work"
        else:
            if output.is_dir() or not output.resolve().parent.is_dir():
                raise PortfolioError(
                    "cannot be written: its folder does not exist, or it is a folder itself", where=str(output)
                )
            place = output.resolve().with_name(f".{output.name}.gpuplan")
        folder = open_folder(place, portfolio, blocks, market)
        if folder.note:
            watcher.say(folder.note)
        work_s = _work(portfolio, blocks, market, folder.path, folder.kept, workers, engine, watcher)
        began = time.perf_counter()
        answers = all_answers(folder.path, [block.number for block in blocks])
        totals = totals_of(folder.path)
        if totals.whole.workloads != len(portfolio.rows):
            raise AssertionError(f"{len(portfolio.rows)} workloads were asked, {totals.whole.workloads} answered")
        shared = shared_capacity(answers.pools, market)
        if output is not None:
            write_result(folder.path, output)
            folder.remove()
    return PortfolioResult(
        totals=totals,
        shared=shared,
        output=output,
        shapes=answers.shapes,
        evaluations=answers.evaluations,
        one_by_one=answers.one_by_one,
        read_s=read_s,
        work_s=work_s,
        core_s=answers.core_s,
        rest_s=time.perf_counter() - began,
        blocks=len(blocks),
        kept_blocks=len(folder.kept),
    )


def _work(
    portfolio: Portfolio, blocks: Sequence[Block], market: Market, place: Path, kept: frozenset[int], workers: int,
    engine: Engine | None, watcher: Watcher,
) -> float:  # fmt: skip
    """Work out what is left, and return the seconds that it took."""
    started = time.perf_counter()
    count = sum(len(block.rows) for block in blocks if block.number in kept)
    watcher.progress(count, len(portfolio.rows))

    def done(block: Block, _: object = None) -> None:
        nonlocal count
        count += len(block.rows)
        watcher.progress(count, len(portfolio.rows))

    def given_up(block: Block, reason: str) -> None:
        answers = Answers(rows=[{"row": row.row, "status": "failed", "reason": reason} for row in block.rows])
        landed(place, block.number, answers)
        done(block)

    left = [block for block in blocks if block.number not in kept]
    if engine is not None and engine.spark is not None:
        from planner.portfolio.spark import run_on_spark

        run_on_spark(engine, left, market, place, done=done)
    else:
        run_blocks(
            left,
            partial(work, str(place)),
            workers=max(1, min(workers, len(left))),
            done=done,
            given_up=given_up,
            said=watcher.say,
        )
    return time.perf_counter() - started
