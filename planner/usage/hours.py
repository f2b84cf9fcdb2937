"""Accelerator-hours by hour and by whatever else is known of them, as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray, IntArray

MOST_COUNTED = 1 << 22
Mask: TypeAlias = "NDArray[np.bool_] | slice"
ALL = slice(None)


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
