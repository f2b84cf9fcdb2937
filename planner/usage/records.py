"""What a cluster's own records say, whatever wrote them: hours of a stated basis."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.usage.faults import Fault, UsageError
from planner.usage.hours import HourTable, coded
from planner.usage.sources import Source
from planner.usage.times import parts_of_hours
from pricing.accelerators import resolve_all
from pricing.errors import PricingError

__all__ = ["BASES", "Records", "Stretch", "gpu_called", "records_of", "rows_of_file"]

BASES = {
    "allocated": "given to somebody: the machine ran and was paid for (bill), a job held it (Slurm), a pod did (Kubernetes)",
    "present": "the accelerator was there and reported",
    "busy": "a kernel ran on it, by time",
    "useful": "its multiprocessors had work, by time and share of them",
}
"""Words for four different hours; a number says which it is."""


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
        A word of `BASES`.
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
    notes : tuple of str
        What has to be known of it.
    energy_kwh : float or None
        Where power was recorded.
    """

    table: HourTable
    rows: int
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    energy_kwh: float | None = None


def records_of(
    stretches: Sequence[Stretch], source: str, *, rows: int, faults: Sequence[Fault] = (), notes: Sequence[str] = (),
    energy_kwh: float | None = None,
) -> Records:  # fmt: skip
    """Return stretches of time as hours.

    Raises
    ------
    UsageError
        There is none, and something could not be read.
    """
    if not stretches and faults:
        from planner.usage.faults import fault_text

        raise UsageError("no record can be read:\n  " + "\n  ".join(fault_text(one) for one in faults))
    starts = np.array([one.start_s for one in stretches], dtype=float)
    ends = np.array([one.end_s for one in stretches], dtype=float)
    hour, which, hours = parts_of_hours(starts, ends, np.array([one.gpus for one in stretches], dtype=float))
    codes, words = {}, {}
    for kind in ("gpu", "account", "region", "tag", "basis"):
        each, words[kind] = coded([getattr(one, kind) for one in stretches])
        codes[kind] = each[which]
    codes["source"], words["source"] = np.zeros(len(hour), dtype=np.int64), (source,)
    codes["state"], words["state"] = np.zeros(len(hour), dtype=np.int64), ("used",)
    table = HourTable(hour, codes, words, {"gpu_hours": hours})
    return Records(table=table, rows=rows, faults=tuple(faults), notes=tuple(notes), energy_kwh=energy_kwh)


def gpu_called(text: str) -> str:
    """Return the canonical name of an accelerator where a name means one alone, else the name as it stands.

    Examples
    --------
    >>> gpu_called("NVIDIA H100 80GB HBM3"), gpu_called("h100"), gpu_called("")
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
    """Return line numbers and cells of a text file, header included."""
    is_gzip = source.path.lower().endswith(".gz")
    with (
        gzip.open(source.path, "rt", encoding="utf-8-sig", errors="replace", newline="")
        if is_gzip
        else Path(source.path).open(encoding="utf-8-sig", errors="replace", newline="")
    ) as file:
        # Slurm quotes nothing; a name with a quotation mark in it must not swallow the lines after it.
        if delimiter == "|":
            reader = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(file, delimiter=delimiter)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
