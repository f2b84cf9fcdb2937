"""Stretches of time as parts of hours, and times as records write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.usage.faults import UsageError

MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds, a thousand times more microseconds, and so on: as seconds they would lie after the
year 5000."""
SLASHES = re.compile(r"^(\d{4})/(\d\d)/(\d\d)")
SINCE_S, UNTIL_S = 946_684_800, 4_102_444_800
"""2000 and 2100: no accelerator was used before, and a time after is mistyped."""
LONGEST_S = 366 * 86_400
"""One record holds for a year at most; a longer one has a mistyped end, and would be spread over ages."""


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"no time zone is called {name!r}", where="--timezone", hint="Europe/Berlin, UTC") from error


def seconds_of_text(text: str, zone: ZoneInfo) -> float | None:
    """Return a time in seconds since 1970; None for what is no time (Slurm's ``Unknown``).

    Parameters
    ----------
    text : str
        ISO 8601 with or without zone, or seconds, milliseconds, microseconds or nanoseconds since 1970.
    zone : ZoneInfo
        Of times that do not say theirs.

    Examples
    --------
    >>> seconds_of_text("1970-01-01T01:00:00+01:00", ZoneInfo("UTC")), seconds_of_text("Unknown", ZoneInfo("UTC"))
    (0.0, None)
    """
    word = text.strip()
    try:
        number = float(word)
    except ValueError:
        pass
    else:
        if not np.isfinite(number):
            return None
        for _ in range(3):
            number = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
        return number
    try:
        time = datetime.fromisoformat(SLASHES.sub(r"\1-\2-\3", word.replace(" UTC", "+00:00")))
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def time_of_text(text: str, zone: ZoneInfo) -> float | None:
    """Return a time as `seconds_of_text`; None also for one that lies outside of `SINCE_S` and `UNTIL_S`."""
    seconds = seconds_of_text(text, zone)
    return seconds if seconds is not None and SINCE_S <= seconds <= UNTIL_S else None


def parts_of_hours(start_s: FloatArray, end_s: FloatArray, amount: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Cut stretches of time at full hours.

    Parameters
    ----------
    start_s, end_s : FloatArray, shape (stretches,)
        Seconds since 1970; a stretch that ends before it starts has no part.
    amount : FloatArray, shape (stretches,)
        What is there all the while (accelerators).

    Returns
    -------
    IntArray, IntArray, FloatArray, shape (parts,)
        The hour (since 1970), the stretch, and amount times hours.

    Examples
    --------
    >>> hour, stretch, hours = parts_of_hours(np.array([1800.0]), np.array([9000.0]), np.array([4.0]))
    >>> hour.tolist(), hours.tolist()
    ([0, 1, 2], [2.0, 4.0, 2.0])
    """
    first = np.floor(start_s / 3600).astype(np.int64)
    last = np.ceil(end_s / 3600).astype(np.int64)
    count = np.where(end_s > start_s, np.maximum(last - first, 0), 0)
    stretch = np.repeat(np.arange(len(start_s)), count)
    within = np.arange(len(stretch)) - np.repeat(np.cumsum(count) - count, count)
    hour = first[stretch] + within
    begins = np.maximum(start_s[stretch], hour * 3600.0)
    ends = np.minimum(end_s[stretch], (hour + 1) * 3600.0)
    return hour, stretch, np.asarray((ends - begins) / 3600.0 * amount[stretch])
