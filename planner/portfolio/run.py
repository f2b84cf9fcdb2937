"""A portfolio from its sources to its result: read, cut, worked out by processes of this machine, put together, counted."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from planner.portfolio.answers import Answers
from planner.portfolio.blocks import Block, PortfolioError, all_answers, blocks_of, open_folder, work, write_block
from planner.portfolio.market import Market
from planner.portfolio.pools import Shared, shared_capacity
from planner.portfolio.reading import Portfolio, read_portfolio
from planner.portfolio.totals import Totals, totals_of, write_result

if TYPE_CHECKING:
    from planner.engine.session import Engine

T = TypeVar("T")
R = TypeVar("R")

WATCH_S = 1.0
MOST_KILLS = 3
"""A piece of work that takes its worker with it so many times is given up."""


def run_blocks(
    tasks: Sequence[T],
    do: Callable[[T], R],
    *,
    workers: int,
    done: Callable[[T, R], None],
    given_up: Callable[[T, str], None],
    said: Callable[[str], None] = lambda _: None,
) -> None:
    """Do every task once; a worker that is killed is replaced, and what it had in hand is done again.

    Parameters
    ----------
    tasks : sequence
        Pieces of work; doing one twice does no harm.
    do : callable
        Does one; has to be known by name to other processes where there are several workers.
    workers : int
        Processes; 1 works here, without another process.
    done : callable
        Gets each task and its result, in any order.
    given_up : callable
        Gets a task that killed its worker `MOST_KILLS` times, and why it was given up.
    said : callable
        Gets what the user should know on the way.
    """
    if workers == 1:
        for task in tasks:
            done(task, do(task))
        return
    left = list(range(len(tasks)))
    kills = dict.fromkeys(left, 0)
    while left:
        # Nobody says which of the tasks in hand had the killed worker; alone, the next killing tells.
        suspects = [number for number in left if kills[number]]
        turn = [number for number in left if not kills[number]] or suspects[:1]
        in_hand: set[int] = set()
        try:
            with closing(_results(turn, tasks, do, min(workers, len(turn)), in_hand)) as results:
                for number, result in results:
                    done(tasks[number], result)
                    left.remove(number)
                    in_hand.remove(number)
        except BrokenProcessPool:
            for number in in_hand:
                kills[number] += 1
            said(f"a worker was killed; what it had in hand is done again ({len(left):,} blocks left)")
            for number in [task_number for task_number in in_hand if kills[task_number] >= MOST_KILLS]:
                given_up(
                    tasks[number],
                    f"its worker ended {MOST_KILLS} times before it was done (killed, perhaps for want of memory)",
                )
                left.remove(number)


def _results(
    turn: Sequence[int], tasks: Sequence[T], do: Callable[[T], R], workers: int, in_hand: set[int]
) -> Generator[tuple[int, R], None, None]:
    """Yield each task's number and result as they come; `in_hand` holds those that are handed out."""
    waiting = iter(turn)
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(os.getpid(),)
    )
    futures: dict[Future[R], int] = {}

    def hand_out(most: int) -> None:
        for number in islice(waiting, most):
            in_hand.add(number)
            futures[pool.submit(do, tasks[number])] = number

    try:
        # One more than there are workers, so that none waits for this process.
        hand_out(workers + 1)
        while futures:
            finished, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in finished:
                # Asked before the next one is handed out: a broken pool takes nothing more.
                result = future.result()
                yield futures.pop(future), result
                hand_out(1)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in active_children():
            process.terminate()


def _begin_worker(parent: int) -> None:
    """Leave Ctrl-C to the process that is asked, and do not outlive it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
        write_block(place, block.number, answers)
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
