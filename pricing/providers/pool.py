"""Asking many parts of one source side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from pricing.providers.contract import SHAPE_ERRORS, Fetched, PartFault, RawPage, Request, SourceError

Job = Callable[[], Iterable[RawPage]]


def side_by_side(request: Request, jobs: Mapping[str, Job], *, workers: int = 8) -> Iterator[Fetched]:
    """Run one job for each part, a few at a time, and yield the pages of a part only when all of them are there.

    The threads are daemons: one that hangs in a socket when the time limit is reached does not keep the program from ending.

    Parameters
    ----------
    request : Request
        Gives the time limit; parts that are not done by then are faults.
    jobs : mapping of str to callable
        Part to what asks for it. A `SourceError` makes the part a fault; an answer of another shape is one too, and so is any other surprise.
    workers : int
        How many are asked at once.
    """
    waiting: queue.SimpleQueue[tuple[str, Job]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, list[Fetched]]] = queue.SimpleQueue()
    for part, job in jobs.items():
        waiting.put((part, job))
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            try:
                part, job = waiting.get_nowait()
            except queue.Empty:
                return
            done.put((part, _outcome(part, job)))

    for number in range(min(workers, len(jobs))):
        threading.Thread(target=work, name=f"ask-{number}", daemon=True).start()
    missing = set(jobs)
    try:
        while missing:
            try:
                part, answers = done.get(timeout=min(1.0, request.time_left_s()))
            except queue.Empty:
                continue
            missing.discard(part)
            yield from answers
    except SourceError as error:
        yield from (PartFault.of(part, error) for part in sorted(missing))
    finally:
        is_over.set()


def _outcome(part: str, job: Job) -> list[Fetched]:
    try:
        return list(job())
    except SourceError as error:
        return [PartFault.of(part, error)]
    except SHAPE_ERRORS as error:
        return [PartFault.of_shape(part, error)]
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs one part and is told by its name
        return [PartFault(part=part, reason="surprise", message=f"{type(error).__name__}: {error}")]
