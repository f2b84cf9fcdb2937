"""Asking many parts of one source side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from pricing.providers.contract import Fetched, PartFault, RawPage, Request, SourceError

__all__ = ["side_by_side"]


def side_by_side(
    request: Request, jobs: Mapping[str, Callable[[], Iterable[RawPage]]], *, workers: int = 8
) -> Iterator[Fetched]:
    """Run one job for each part, a few at a time, and yield the pages of a part only when all of them are there.

    Parameters
    ----------
    request : Request
        Gives the time limit; parts that are not done by then are faults.
    jobs : mapping of str to callable
        Part to what asks for it. A `SourceError` makes the part a fault; so does any other surprise, under its own name.
    workers : int
        How many are asked at once.
    """
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="ask")
    waiting: dict[Future[list[RawPage]], str] = {
        pool.submit(lambda job=job: list(job())): part for part, job in jobs.items()
    }
    try:
        while waiting:
            try:
                left_s = request.time_left_s()
            except SourceError as error:
                yield from (PartFault.of(part, error) for part in waiting.values())
                return
            done, _ = wait(waiting, timeout=min(left_s, 1.0), return_when=FIRST_COMPLETED)
            for future in done:
                part = waiting.pop(future)
                yield from _outcome(part, future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _outcome(part: str, future: Future[list[RawPage]]) -> Iterable[Fetched]:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, SourceError):
        return [PartFault.of(part, error)]
    return [PartFault(part=part, reason="surprise", message=f"{type(error).__name__}: {error}")]
