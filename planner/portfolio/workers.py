"""Workers: blocks handed to processes of this machine, and what happens when one of these is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import islice
from multiprocessing import active_children, get_context
from typing import TypeVar

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
