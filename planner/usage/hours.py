"""Accelerator-hours by hour and by whatever else is known of them, from stretches of time as records write them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

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


MOST_COUNTED = 1 << 22
Mask: TypeAlias = "NDArray[np.bool_] | slice"
ALL = slice(None)


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
    """Return a time in seconds since 1970; None for text that is no time (Slurm's ``Unknown``).

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
    """Return a time as `seconds_of_text`; None also for a time before `SINCE_S` or after `UNTIL_S`."""
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


@dataclass(frozen=True, slots=True)
class HourTable:
    """Sums for each hour and combination of words.

    Attributes
    ----------
    hour : IntArray, shape (rows,)
        Hours since 1970-01-01 00:00 UTC.
    codes : mapping of str to IntArray, shape (rows,)
        For each kind of word (``gpu``, ``account``) which of `words` it is.
    words : mapping of str to tuple of str
        The words themselves.
    values : mapping of str to FloatArray, shape (rows,)
        Sums; names carry units.
    """

    hour: IntArray
    codes: Mapping[str, IntArray]
    words: Mapping[str, tuple[str, ...]]
    values: Mapping[str, FloatArray]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.hour)

    def where(self, mask: NDArray[np.bool_]) -> HourTable:
        """Return the rows of a mask."""
        return HourTable(
            self.hour[mask],
            {name: codes[mask] for name, codes in self.codes.items()},
            self.words,
            {name: values[mask] for name, values in self.values.items()},
        )

    def equals(self, kind: str, *wanted: str) -> NDArray[np.bool_]:
        """Return which rows have one of these words."""
        chosen = [number for number, word in enumerate(self.words[kind]) if word in wanted]
        return np.isin(self.codes[kind], chosen)

    def combinations(self, kinds: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Return which combinations of words there are, shape (kinds, combinations), in the order of their codes, and each row's."""
        shape = [max(len(self.words[kind]), 1) for kind in kinds]
        flat = np.ravel_multi_index([self.codes[kind] for kind in kinds], shape)
        # Counting takes a tenth of the time of sorting, as there are few combinations and many rows.
        there = np.flatnonzero(np.bincount(flat)) if math.prod(shape) <= MOST_COUNTED else np.unique(flat)
        return np.stack(np.unravel_index(there, shape)), np.searchsorted(there, flat)

    def total(self, value: str, mask: Mask = ALL) -> float:
        """Return the sum of a value."""
        return float(np.sum(self.values[value][mask]))

    def by(self, kind: str, value: str, mask: Mask = ALL) -> dict[str, float]:
        """Return the sum of a value for each word that occurs."""
        codes, words = self.codes[kind][mask], self.words[kind]
        sums = np.bincount(codes, weights=self.values[value][mask], minlength=len(words))
        return {words[code]: float(sums[code]) for code in np.flatnonzero(np.bincount(codes))}

    def level(self, value: str, first_hour: int, hours: int, mask: Mask = ALL) -> FloatArray:
        """Return the sum of a value in each hour of a span of time; hours without a row are 0."""
        hour, values = self.hour[mask], self.values[value][mask]
        inside = (hour >= first_hour) & (hour < first_hour + hours)
        return np.bincount(hour[inside] - first_hour, weights=values[inside], minlength=hours).astype(float)


def coded(texts: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Return texts as numbers of words, the words sorted.

    Examples
    --------
    >>> codes, words = coded(["b", "a", "b"])
    >>> codes.tolist(), words
    ([1, 0, 1], ('a', 'b'))
    """
    words = tuple(sorted(set(texts)))
    place = {word: number for number, word in enumerate(words)}
    return np.array([place[text] for text in texts], dtype=np.int64), words


def spread_evenly(
    hour: IntArray, span: IntArray, values: Mapping[str, FloatArray]
) -> tuple[IntArray, IntArray, dict[str, FloatArray]]:
    """Spread charges of several hours evenly over them.

    Parameters
    ----------
    hour, span : IntArray, shape (rows,)
        First hour, and for how many.
    values : mapping of str to FloatArray, shape (rows,)
        What is spread.

    Returns
    -------
    IntArray, IntArray, dict of str to FloatArray
        The hours, the row that each came from, and the parts; their sums are those of `values`.

    Examples
    --------
    >>> hours, rows, parts = spread_evenly(np.array([10, 20]), np.array([1, 2]), {"usd": np.array([5.0, 8.0])})
    >>> hours.tolist(), rows.tolist(), parts["usd"].tolist()
    ([10, 20, 21], [0, 1, 1], [5.0, 4.0, 4.0])
    """
    row = np.repeat(np.arange(len(hour)), span)
    first = np.repeat(np.cumsum(span) - span, span)
    within = np.arange(len(row)) - first
    return hour[row] + within, row, {name: amounts[row] / span[row] for name, amounts in values.items()}


def concatenated(tables: Sequence[HourTable]) -> HourTable:
    """Return several tables as one; a kind of word that a table lacks is empty there, a value is 0."""
    if len(tables) == 1:
        return tables[0]
    kinds = sorted({kind for table in tables for kind in table.codes})
    names = sorted({name for table in tables for name in table.values})
    words = {kind: tuple(sorted({w for t in tables for w in t.words.get(kind, ("",))})) for kind in kinds}
    codes = {}
    for kind in kinds:
        place = {word: number for number, word in enumerate(words[kind])}
        parts = []
        for table in tables:
            lookup = np.array([place[word] for word in table.words.get(kind, ("",))], dtype=np.int64)
            of = table.codes.get(kind)
            parts.append(lookup[of] if of is not None else np.full(len(table), lookup[0], dtype=np.int64))
        codes[kind] = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return HourTable(
        np.concatenate([table.hour for table in tables]) if tables else np.zeros(0, dtype=np.int64),
        codes,
        words,
        {name: np.concatenate([table.values.get(name, np.zeros(len(table))) for table in tables]) for name in names},
    )
