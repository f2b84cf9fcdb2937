"""What a cluster's own records say, whatever wrote them: hours of a stated basis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.inputs.delimited import lines_of, rows_of
from planner.notes import Note
from planner.usage.faults import Fault, UsageError, refusal
from planner.usage.file_kinds import kind_of_header
from planner.usage.hours import HourTable, coded, parts_of_hours
from planner.usage.sources import Source
from pricing.errors import PricingError
from pricing.facts.accelerators import resolve_all

BLOCK = 1 << 18
"""Hours that stretches are cut into at a time."""
MOST_ROWS = 1 << 24
"""Hours and words that differ; more would take gigabytes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time with so many accelerators.

    Attributes
    ----------
    start_s, end_s : float
        Seconds since 1970.
    gpus : float
        Accelerators, or the part of one that was busy.
    basis : str
        A word of `planner.report.usage.tables.BASIS_MEANINGS`.
    gpu, account, region, tag : str
        Whose it was.
    """

    start_s: float
    end_s: float
    gpus: float
    basis: str
    gpu: str = ""
    account: str = ""
    region: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of one kind.

    Attributes
    ----------
    table : HourTable
        Words ``gpu``, ``account``, ``region``, ``tag``, ``basis``, ``source``; value ``gpu_hours``.
    rows : int
        Lines that were read.
    faults : tuple of Fault
        What is missing from the answer.
    notes : tuple of Note
        What has to be known of it.
    energy_kwh : float or None
        Where power was recorded.
    """

    table: HourTable
    rows: int
    faults: tuple[Fault, ...] = ()
    notes: tuple[Note, ...] = ()
    energy_kwh: float | None = None


def records_of(
    stretches: Sequence[Stretch], source: str, *, rows: int, faults: Sequence[Fault] = (), notes: Sequence[Note] = (),
) -> Records:  # fmt: skip
    """Return stretches of time as hours.

    Raises
    ------
    UsageError
        There is none, and something could not be read.
    """
    if faults and not stretches:
        raise refusal("no record can be read", faults)
    words = {kind: coded([getattr(stretch, kind) for stretch in stretches]) for kind in ("gpu", "account", "region", "tag", "basis")}  # fmt: skip
    start_s, end_s, gpus = np.array([(stretch.start_s, stretch.end_s, stretch.gpus) for stretch in stretches], dtype=float).reshape(-1, 3).T  # fmt: skip
    table = table_of(start_s, end_s, gpus, words, source)
    return Records(table=table, rows=rows, faults=tuple(faults), notes=tuple(notes))


def table_of(
    start_s: FloatArray, end_s: FloatArray, gpus: FloatArray, words: Mapping[str, tuple[IntArray, tuple[str, ...]]],
    source: str,
) -> HourTable:  # fmt: skip
    """Return stretches of time as hours, those of the same hour and words added up.

    Parameters
    ----------
    start_s, end_s : FloatArray, shape (stretches,)
        Seconds since 1970.
    gpus : FloatArray, shape (stretches,)
        Accelerators, or the part of one that was busy.
    words : mapping of str to (IntArray of shape (stretches,), tuple of str)
        For each kind of word which one each stretch has, and the words; see `planner.usage.hours.coded`.
    source : str
        ``slurm``, ``dcgm`` or ``plain``.
    """
    kinds = list(words)
    blocks: list[tuple[IntArray, FloatArray]] = []
    # A month of counters has millions of samples and thousands of hours: block by block the memory stays small.
    hours_before = np.cumsum(np.maximum(end_s - start_s, 0.0) / 3600.0 + 2.0)
    edges = np.searchsorted(hours_before, np.arange(BLOCK, hours_before[-1] if len(start_s) else 0.0, BLOCK))
    for first, last in pairwise([0, *np.unique(edges).tolist(), len(start_s)]):
        block = slice(first, last)
        hour, which, hours = parts_of_hours(start_s[block], end_s[block], gpus[block])
        blocks.append(_added_up(np.stack([hour, *(words[kind][0][block][which] for kind in kinds)]), hours))
        if sum(len(sums) for _, sums in blocks) > MOST_ROWS:
            blocks = [_merged(blocks)]
            if len(blocks[0][1]) > MOST_ROWS // 2:
                raise UsageError(
                    f"these records are of more than {MOST_ROWS // 2:,} hours of different accelerators and owners",
                    hint="give them in parts, by month or by owner",
                )
    keys, sums = _merged(blocks)
    none = np.zeros(len(sums), dtype=np.int64)
    codes = {kind: keys[number] for number, kind in enumerate(kinds, 1)} | {"source": none, "state": none}
    texts = {kind: words[kind][1] for kind in kinds} | {"source": (source,), "state": ("used",)}
    return HourTable(keys[0], codes, texts, {"gpu_hours": sums})


def _merged(blocks: Sequence[tuple[IntArray, FloatArray]]) -> tuple[IntArray, FloatArray]:
    return _added_up(np.concatenate([key for key, _ in blocks], axis=1), np.concatenate([x for _, x in blocks]))


def _added_up(keys: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return each key once, in order, and the sum of its values; keys of shape (parts, rows)."""
    if not len(values):
        return keys, values
    least = keys.min(axis=1)
    shape = tuple((keys.max(axis=1) - least + 1).tolist())
    if math.prod(shape) <= len(values):  # counting takes a fraction of the time of sorting
        flat = np.ravel_multi_index(keys - least[:, None], shape)
        there = np.flatnonzero(np.bincount(flat))
        sums = np.bincount(flat, weights=values).astype(float)
        sorted_keys: IntArray = np.stack(np.unravel_index(there, shape)) + least[:, None]
        return sorted_keys, sums[there]
    order = np.lexsort(keys[::-1])
    keys, values = keys[:, order], values[order]
    is_new = np.ones(len(values), dtype=bool)
    is_new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    begins = np.flatnonzero(is_new)
    return keys[:, begins], np.add.reduceat(values, begins)


def canonical_gpu(text: str) -> str:
    """Return the canonical name of an accelerator if the name means exactly one, else the name unchanged.

    Examples
    --------
    >>> canonical_gpu("NVIDIA H100 80GB HBM3"), canonical_gpu("h100"), canonical_gpu("")
    ('H100-SXM', 'h100', '')
    """
    if not text.strip():
        return ""
    try:
        names = {row.name for row in resolve_all(text)}
    except PricingError:
        return text.strip()
    return names.pop() if len(names) == 1 else text.strip()


def rows_of_file(source: Source, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Return line numbers and cells of a text file, with its first header; rows below other headers are reordered to match the first.

    Raises
    ------
    UsageError
        Files with different columns were joined.
    """
    # Slurm quotes nothing; a name with a quotation mark in it must not swallow the lines after it.
    lines = lines_of(source.path, source.name)
    header: list[str] | None = None
    order: list[int] | None = None
    latest: list[str] = []
    for line, row in rows_of(lines, source.name, delimiter=delimiter, is_quoted=delimiter != "|"):
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            header = latest = [] if row[0][:1].isdigit() else row  # jobs without a header begin with a number
            yield line, row
        elif row == latest:
            continue
        elif _is_another_header(row, header):
            latest, order = row, _places(row, header)
        elif order is None:
            yield line, row
        elif len(order) == len(row):
            yield line, [row[place] for place in order]
        else:
            raise UsageError(
                "a header above this line has other columns than the first one of the file",
                where=f"{source.name}:{line}",
                hint="cut the file at that header, and give both parts",
            )


def _is_another_header(row: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether a row below a header is a header too; records hold a time or a number, which begin with a digit."""
    if any(cell[:1].isdigit() for cell in row):
        return False
    names = row if len(row) > 1 else row[0].split()
    return kind_of_header(names) != "" or len(set(_names(names)) & set(_names(header))) > 1


def _places(row: Sequence[str], header: Sequence[str]) -> list[int] | None:
    """Return the places of the first header's columns in another header; None where the two are equal, empty where the columns differ."""
    names, first = _names(row), _names(header)
    if names == first:
        return None
    is_same = len(first) > 1 and sorted(names) == sorted(set(first))
    return [names.index(name) for name in first] if is_same else []


def _names(header: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in header]
