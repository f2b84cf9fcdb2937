"""Plain HTTP for the sources that have no SDK: retries, `Retry-After`, whole answers or an error."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pricing.clock import utc_now
from pricing.providers.contract import Request, SourceError

__all__ = ["Http"]

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
TRIES: Final = 5
LONGEST_PAUSE_S: Final = 120.0
"""A source that asks for a longer pause is asked again by the next refresh."""

TIMEOUT_S: Final = 60.0
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
        self._session = niquests.Session()
        self._session.headers.update({"User-Agent": "gpuplan (price refresh)", **(headers or {})})
        self._session.trust_env = True

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
                raise _TryAgainError(f"the answer is no JSON or breaks off: {error}", "truncated") from error

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
                raise _TryAgainError(f"the file breaks off after {size} of {declared} bytes", "truncated")

    def _retried(self, url: str, once: Any) -> Any:  # noqa: ANN401 - whatever it returns
        import niquests

        place = url.split("?", 1)[0]
        for attempt in range(1, TRIES + 1):
            timeout_s = min(TIMEOUT_S, self._request.time_left_s())
            try:
                return once(timeout_s)
            except _TryAgainError as error:
                reason, message, pause_s = error.reason, str(error), error.pause_s
            except niquests.exceptions.Timeout:
                reason, message, pause_s = "timeout", f"no answer within {timeout_s:.0f} s", None
            except (niquests.exceptions.ChunkedEncodingError, niquests.exceptions.ContentDecodingError) as error:
                reason, message, pause_s = "truncated", f"the answer breaks off: {error}", None
            except niquests.exceptions.RequestException as error:
                reason, message, pause_s = "unreachable", f"cannot be reached: {error}", None
            if attempt == TRIES:
                break
            if pause_s is None:
                pause_s = 0.2 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
            if pause_s > min(LONGEST_PAUSE_S, self._request.time_left_s()):
                message += f", and asks to wait {pause_s:.0f} s"
                break
            time.sleep(pause_s)
        raise SourceError(message, reason=reason, where=place)


class _TryAgainError(Exception):
    def __init__(self, message: str, reason: str, pause_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.pause_s = pause_s


def _check(response: Any, url: str) -> None:  # noqa: ANN401 - niquests is imported late
    status = int(response.status_code)
    if status in RETRIED_STATUSES:
        pause_s = _retry_after_s(response.headers.get("Retry-After"))
        raise _TryAgainError(f"answered {status}", f"http_{status}", pause_s)
    if status in {401, 403}:
        raise SourceError(
            f"refused the credentials ({status})",
            reason=f"http_{status}",
            where=url.split("?", 1)[0],
            hint="is the key right, and may it read prices?",
        )
    if status >= 400:
        raise SourceError(
            f"answered {status}: {response.text[:200]}", reason=f"http_{status}", where=url.split("?", 1)[0]
        )


def _retry_after_s(value: str | None) -> float | None:
    """Return the pause that a server asks for, as seconds or as a date; None where it says nothing readable."""
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
