"""Lines of counters, a whole file at a time: what has a million of them is read by columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.arrays import FloatArray, IntArray

FAST_FROM_BYTES = 1 << 20
"""Smaller files are read line by line, without Arrow."""

MOST_KEYS = 1 << 22
MOST_VALUE = 1e9
"""Above what any counter of percent or watts can mean."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A file's lines.

    Attributes
    ----------
    which : IntArray, shape (lines,)
        Places in `kinds`.
    kinds : list of list of str
        Words (metric and labels) that lines have, each combination once.
    at_s : FloatArray, shape (lines,)
        When.
    values : tuple of FloatArray, each of shape (lines,)
        What, by column; NaN where nothing was measured.
    """

    which: IntArray
    kinds: list[list[str]]
    at_s: FloatArray
    values: tuple[FloatArray, ...]


def lines_by_column(
    path: str, time: str, values: Sequence[str], words: Sequence[str], time_of: Callable[[str], float | None]
) -> Lines | None:
    """Return a file's lines; None for one that is small, or in which anything is odd: who reads it line by line can say what.

    Parameters
    ----------
    path : str
        CSV, perhaps compressed.
    time : str
        Column of times.
    values, words : sequence of str
        Columns of numbers, and of words.
    time_of : callable
        Reads a time.
    """
    if Path(path).stat().st_size < FAST_FROM_BYTES:
        return None
    try:
        import pyarrow as pa
        import pyarrow.csv as arrow_csv
    except ImportError:
        return None
    word = pa.dictionary(pa.int32(), pa.string())
    columns = [time, *values, *words]
    types = dict.fromkeys(columns, word) | dict.fromkeys(values, pa.float64())
    options = arrow_csv.ConvertOptions(column_types=types, include_columns=columns, strings_can_be_null=False)
    try:
        table = arrow_csv.read_csv(path, convert_options=options).combine_chunks()
    except (pa.ArrowException, KeyError, OSError):
        return None

    def coded(name: str) -> tuple[IntArray, list[str]]:
        chunks = table[name].unify_dictionaries().chunks
        codes = [np.from_dlpack(chunk.indices).astype(np.int64) for chunk in chunks]
        return np.concatenate(codes), chunks[0].dictionary.to_pylist()

    if not len(table):
        return None
    # Arrow's own way to make a scalar imports pandas, which takes longer than all columns do.
    nothing = pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(np.full(1, np.nan))])[0]
    measured = tuple(
        np.concatenate([np.from_dlpack(chunk.fill_null(nothing)) for chunk in table[value].chunks]) for value in values
    )
    times, texts = coded(time)
    moments = [time_of(text) for text in texts]
    if None in moments or any((np.abs(measure) > MOST_VALUE).any() for measure in measured):
        return None
    coded_words = [coded(name) for name in words]
    key, count = np.zeros(len(table), dtype=np.int64), 1
    for codes, names in coded_words:
        key, count = _numbered(key * len(names) + codes, count * len(names))
    first = np.zeros(count, dtype=np.int64)
    first[key] = np.arange(len(key))
    kinds = [[names[codes[place]] for codes, names in coded_words] for place in first]
    return Lines(key, kinds, np.array(moments, dtype=float)[times], measured)


def _numbered(key: IntArray, count: int) -> tuple[IntArray, int]:
    """Return keys below a number as places among those that occur, and how many do."""
    if count > MOST_KEYS:
        values, places = np.unique(key, return_inverse=True)
        return places.ravel(), len(values)
    occurs = np.zeros(count, dtype=bool)
    occurs[key] = True
    return (np.cumsum(occurs) - 1)[key], int(occurs.sum())
