"""Workers: blocks handed to processes of this machine, and what happens when one of these is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from planner.errors import InputError

__all__ = ["MOST_KILLS", "run_blocks"]

T = TypeVar("T")
R = TypeVar("R")

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
        in_hand: list[int] = []
        try:
            # One worker of a pool would be this very process, which no killing may take along.
            for number, result in _results(turn, tasks, do, max(2, min(workers, len(turn))), in_hand):
                done(tasks[number], result)
                left.remove(number)
                in_hand.remove(number)
        except _killed() as error:
            _end_workers()
            for number in in_hand:
                kills[number] += 1
            said(f"a worker was killed; its work is done again ({len(left):,} blocks left)")
            for number in [one for one in in_hand if kills[one] >= MOST_KILLS]:
                given_up(tasks[number], f"its worker was killed {MOST_KILLS} times: {str(error).splitlines()[0]}")
                left.remove(number)
        except BaseException:
            _end_workers()
            raise


def _results(
    turn: Sequence[int], tasks: Sequence[T], do: Callable[[T], R], workers: int, in_hand: list[int]
) -> Iterator[tuple[int, R]]:
    """Yield each task's number and result as they come; `in_hand` holds those that are handed out."""
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise InputError(
            f"several workers need {error.name}, which is not installed",
            hint="pip install 'gpuplan[usage]', or --workers 1",
            where="--workers",
        ) from None

    def handed_out() -> Iterator[object]:
        for number in turn:
            in_hand.append(number)
            yield delayed(_numbered)(do, number, tasks[number])

    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", pre_dispatch=workers, batch_size=1)
    yield from pool(handed_out())


def _numbered(do: Callable[[T], R], number: int, task: T) -> tuple[int, R]:
    return number, do(task)


def _killed() -> type[Exception]:
    from concurrent.futures.process import BrokenProcessPool

    return BrokenProcessPool


def _end_workers() -> None:
    """Leave no process behind: those of a broken pool cannot be used, those of an interrupted one should not go on."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
