"""Plain HTTP for the sources that have no SDK: retries, `Retry-After`, whole answers or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pricing.providers.contract import Request, SourceError
from pricing.providers.retry import RETRIED_STATUSES, TRIES, TryAgainError, brief, retried, retry_after_s

__all__ = ["Http"]

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
        import niquests

        self._request = request
        self._was_reached = False
        self._is_given_up = False
        self._session = niquests.Session()
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

    def post_json(self, url: str, body: Any) -> Any:  # noqa: ANN401 - parsed JSON
        """Return the parsed answer to a POST of JSON."""
        return self._ask("POST", url, json=body)

    def download(self, url: str, target: Path) -> None:
        """Bring a file onto disk as it comes; a file that breaks off is asked for again, and never handed on."""
        self._retried(url, lambda timeout: self._download_once(url, target, timeout))

    def _ask(self, method: str, url: str, **arguments: Any) -> Any:  # noqa: ANN401
        def once(timeout_s: float) -> Any:  # noqa: ANN401
            response = self._session.request(method, url, timeout=timeout_s, **arguments)
            _check(response, url)
            try:
                return response.json()
            except ValueError as error:
                raise TryAgainError(f"the answer is no JSON or breaks off: {error}", "truncated") from error

        return self._retried(url, once)

    def _download_once(self, url: str, target: Path, timeout_s: float) -> None:
        with self._session.get(url, timeout=timeout_s, stream=True) as response:
            _check(response, url)
            declared = response.headers.get("Content-Length")
            is_packed = bool(response.headers.get("Content-Encoding"))
            size = 0
            with target.open("wb") as file:
                for chunk in response.iter_content(CHUNK_BYTES):
                    size += file.write(chunk)
                    self._request.time_left_s()
            if declared is not None and not is_packed and size != int(declared):
                raise TryAgainError(f"the file breaks off after {size} of {declared} bytes", "truncated")

    def _retried(self, url: str, once: Callable[[float], Any]) -> Any:  # noqa: ANN401 - whatever it returns
        import niquests.exceptions as faults

        def guarded(timeout_s: float) -> Any:  # noqa: ANN401
            try:
                answer = once(timeout_s)
            except faults.Timeout as error:
                raise TryAgainError(f"no answer within {timeout_s:.0f} s", "timeout") from error
            except (faults.ChunkedEncodingError, faults.ContentDecodingError) as error:
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


def _check(response: Any, url: str) -> None:  # noqa: ANN401 - niquests is imported late
    status, where = int(response.status_code), url.split("?", 1)[0]
    if status in RETRIED_STATUSES:
        raise TryAgainError(f"answered {status}", f"http_{status}", retry_after_s(response.headers.get("Retry-After")))
    if status in {401, 403}:
        hint = "is the key right, and may it read prices?"
        raise SourceError(f"refused the credentials ({status})", reason=f"http_{status}", where=where, hint=hint)
    if status >= 400:
        raise SourceError(f"answered {status}: {response.text[:200]}", reason=f"http_{status}", where=where)
