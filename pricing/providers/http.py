"""Plain HTTP for the sources that have no SDK: retries, `Retry-After`, whole answers or an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from pricing.clock import utc_now
from pricing.providers.contract import SHAPE_ERRORS, RawPage, Request, SourceError
from pricing.providers.retry import RETRIED_STATUSES, TRIES, TryAgainError, brief, retried, retry_after_s

if TYPE_CHECKING:
    import requests

Answer = TypeVar("Answer")
CHUNK_BYTES: Final = 1 << 18


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
