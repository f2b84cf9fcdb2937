"""HTTP for sources without an SDK: retries, `Retry-After`, many parts side by side, whole answers or an error."""

from __future__ import annotations

import email.utils
import json
import queue
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from pricing.clock import utc_now
from pricing.providers.contract import SHAPE_ERRORS, Fetched, PartFault, RawPage, Request, SourceError

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
TRIES: Final = 5
FIRST_PAUSE_S = 0.4
"""Doubled with each try; half of it is left to chance, so that many who failed together do not come back together."""

LONGEST_PAUSE_S: Final = 120.0
"""A source that asks for a longer pause is asked again by the next refresh."""

TIMEOUT_S: Final = 60.0


Job = Callable[[], Iterable[RawPage]]
Answer = TypeVar("Answer")
CHUNK_BYTES: Final = 1 << 18


class TryAgainError(Exception):
    """An answer that may be better in a moment.

    Parameters
    ----------
    message, reason : str
        What is told if it is not, and its machine-readable cause.
    pause_s : float or None
        How long the source itself asks to wait.
    """

    def __init__(self, message: str, reason: str, pause_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.pause_s = pause_s


def retried(request: Request, once: Callable[[float], T], where: str = "", tries: int = TRIES) -> T:
    """Ask until there is an answer, within the time limit.

    Parameters
    ----------
    request : Request
        Gives the time limit.
    once : callable
        Asks once, with the seconds that it may take; raises `TryAgainError` where asking again makes sense.
    where : str
        The address, for the message.
    tries : int
        How often at most.

    Raises
    ------
    SourceError
        Where there was none.
    """
    for attempt in range(1, tries + 1):
        try:
            return once(min(TIMEOUT_S, request.time_left_s()))
        except TryAgainError as error:
            message, reason, pause_s = str(error), error.reason, error.pause_s
        if attempt == tries:
            break
        if pause_s is None:
            pause_s = FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
        if pause_s > min(LONGEST_PAUSE_S, request.time_left_s()):
            message += f", and asks to wait {pause_s:.0f} s"
            break
        time.sleep(pause_s)
    raise SourceError(message, reason=reason, where=where)


def brief(error: BaseException) -> str:
    """Return what went wrong in one breath: the system's own words where there are some.

    Examples
    --------
    >>> brief(OSError("HTTPConnectionPool(host='h'): Max retries exceeded (Caused by: [Errno 111] Connection refused'))"))
    'Connection refused'
    """
    text = str(error)
    own = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return own[1] if own else text if len(text) < 160 else text[:157] + "..."


def retry_after_s(value: str | None) -> float | None:
    """Return the pause that a server asks for, as seconds or as a date; None where it says nothing readable.

    Examples
    --------
    >>> retry_after_s("2"), retry_after_s(None), retry_after_s("soon")
    (2.0, None, None)
    """
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=None) - utc_now()).total_seconds())


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


class Http:
    """A connection to one source, within the time that a request leaves.

    Parameters
    ----------
    request : Request
        Gives the time limit.
    headers : mapping, optional
        Sent with each question.
    """

    def __init__(self, request: Request, headers: Mapping[str, str] | None = None) -> None:
        import requests

        self._request = request
        self._was_reached = False
        self._is_given_up = False
        self._session = requests.Session()
        for name, value in {"User-Agent": "gpuplan (price refresh)", **dict(headers or {})}.items():
            self._session.headers[name] = value

    def __enter__(self) -> Self:
        """Use it as a context, so that its connections are closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._session.close()

    def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - parsed JSON
        """Return the parsed answer to a GET."""
        return self._ask("GET", url, params=params)

    def page(self, part: str, kind: str, url: str, params: Mapping[str, str] | None = None) -> RawPage:
        """Return the answer to a GET as a page of a part."""
        return RawPage(part=part, kind=kind, body=self.get_json(url, params), url=url, fetched_at=utc_now())

    def post_json(self, url: str, body: Any) -> Any:  # noqa: ANN401 - parsed JSON
        """Return the parsed answer to a POST of JSON."""
        return self._ask("POST", url, json=body)

    def download(self, url: str, target: Path, read: Callable[[Path], object] = lambda _path: None) -> None:
        """Bring a file onto disk as it comes, and read it; one that breaks off or has another shape is asked for again.

        Parameters
        ----------
        url : str
            Its address.
        target : Path
            Where it lands.
        read : callable
            Reads it; raises one of `SHAPE_ERRORS` where it is not what was asked for.
        """

        def once(timeout_s: float) -> None:
            with target.open("wb") as file:
                file.writelines(self._body("GET", url, timeout_s))
            try:
                read(target)
            except SHAPE_ERRORS as error:
                raise TryAgainError(f"the file is not what was asked for: {error}", "shape") from error

        self._retried(url, once)

    def _ask(self, method: str, url: str, **arguments: Any) -> Any:  # noqa: ANN401  the JSON of an answer
        def once(timeout_s: float) -> Any:  # noqa: ANN401  the JSON of an answer
            body = b"".join(self._body(method, url, timeout_s, **arguments))
            try:
                return json.loads(body)
            except (ValueError, RecursionError) as error:
                raise TryAgainError(f"the answer is no JSON or breaks off: {error}", "truncated") from error

        return self._retried(url, once)

    def _body(self, method: str, url: str, timeout_s: float, **arguments: Any) -> Iterator[bytes]:
        """Yield an answer as it comes: a server that sends a byte now and then is left at the time limit too."""
        with self._session.request(method, url, timeout=timeout_s, stream=True, **arguments) as response:
            _check(response, url)
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                yield chunk
                self._request.time_left_s()

    def _retried(self, url: str, once: Callable[[float], Answer]) -> Answer:
        import requests.exceptions as faults
        import urllib3.exceptions as body_faults

        def guarded(timeout_s: float) -> Answer:
            try:
                answer = once(timeout_s)
            except (faults.Timeout, body_faults.TimeoutError) as error:
                raise TryAgainError(f"no answer within {timeout_s:.0f} s", "timeout") from error
            except body_faults.HTTPError as error:
                raise TryAgainError(f"the answer breaks off: {error}", "truncated") from error
            except faults.RequestException as error:
                raise TryAgainError(f"cannot be reached: {brief(error)}", "unreachable") from error
            self._was_reached = True
            return answer

        # A host that was never reached, five times over, is tried once for each further part: 57 regions would take minutes.
        tries = 1 if self._is_given_up and not self._was_reached else TRIES
        try:
            return retried(self._request, guarded, where=url.split("?", 1)[0], tries=tries)
        except SourceError as error:
            self._is_given_up |= error.reason == "unreachable"
            raise


def get_pages(
    request: Request,
    part: str,
    urls: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> list[RawPage]:
    """Return the answers to a GET of each address, by the kind of page that it answers with."""
    with Http(request, headers) as http:
        return [http.page(part, kind, url, params) for kind, url in urls.items()]


def _check(response: requests.Response, url: str) -> None:
    status, where = int(response.status_code), url.split("?", 1)[0]
    if status in RETRIED_STATUSES:
        raise TryAgainError(f"answered {status}", f"http_{status}", retry_after_s(response.headers.get("Retry-After")))
    if status in {401, 403}:
        hint = "is the key right, and may it read prices?"
        raise SourceError(f"refused the credentials ({status})", reason=f"http_{status}", where=where, hint=hint)
    if status >= 400:
        words = response.raw.read1(200, decode_content=True).decode(errors="replace")
        raise SourceError(f"answered {status}: {words}", reason=f"http_{status}", where=where)
