"""Asking again: what to do with an answer that may be better in a moment."""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable
from typing import Final, TypeVar

from pricing.clock import utc_now
from pricing.providers.contract import Request, SourceError

T = TypeVar("T")

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
TRIES: Final = 5
FIRST_PAUSE_S = 0.4
"""Doubled with each try; half of it is left to chance, so that many who failed together do not come back together."""

LONGEST_PAUSE_S: Final = 120.0
"""A source that asks for a longer pause is asked again by the next refresh."""

TIMEOUT_S: Final = 60.0


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
