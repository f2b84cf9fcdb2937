"""Allocated hours in which nothing worked: what bills and jobs hold, beside what counters saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray
from planner.usage.hours import HourTable
from pricing.units import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Hours of one accelerator that were allocated and not busy.

    Attributes
    ----------
    gpu : str
        Canonical name; empty for all together, where bill and counters name them differently.
    seen_gpu_hours, gpu_hours : float
        Allocated where the counters looked; and not busy of those. What no counter saw is not known to be idle.
    gpu_hours_per_month : float
        As in the hours of the clock in which both tell.
    """

    gpu: str
    seen_gpu_hours: float
    gpu_hours: float
    gpu_hours_per_month: float

    @property
    def share(self) -> float:
        """Not busy, of what was seen."""
        return self.gpu_hours / self.seen_gpu_hours


def idle_of(table: HourTable, holder: str, counter: str, spans: Callable[[str], tuple[int, int]]) -> tuple[Idle, ...]:
    """Return what was allocated and not busy, over the hours of the clock in which both sources tell.

    Parameters
    ----------
    table : HourTable
        With ``source``, ``basis``, ``state`` and ``gpu``; value ``gpu_hours``.
    holder, counter : str
        The sources of allocated and of busy hours.
    spans : callable
        Returns the first hour of a source and how many it has.
    """
    begin, count = spans(holder)
    begin_there, count_there = spans(counter)
    first, hours = max(begin, begin_there), min(begin + count, begin_there + count_there) - max(begin, begin_there)
    if hours <= 0:
        return ()
    used = table.equals("state", "used")

    def level(source: str, basis: str, gpu: str) -> FloatArray:
        mask = used & table.equals("source", source) & table.equals("basis", basis)
        return table.level("gpu_hours", first, hours, mask & table.equals("gpu", gpu) if gpu else mask)

    def names(source: str, basis: str) -> set[str]:
        return set(table.by("gpu", "gpu_hours", used & table.equals("source", source) & table.equals("basis", basis)))

    counted_names = names(counter, "busy") | names(counter, "present")
    alike = "" not in counted_names and counted_names <= names(holder, "allocated")
    idle_by_gpu = []
    for gpu in sorted(counted_names) if alike else [""]:
        held, busy, present = (
            level(holder, "allocated", gpu),
            level(counter, "busy", gpu),
            level(counter, "present", gpu),
        )
        tells = busy + present > 0
        if holder != counter and present.any():
            # A company's bill holds more than one cluster's counters see.
            held = np.minimum(held, present)
        seen = float(held[tells].sum())
        if seen > 0:
            idle = max(seen - float(busy[tells].sum()), 0.0)
            each_month = idle / int(tells.sum()) * HOURS_PER_MONTH
            idle_by_gpu.append(Idle(gpu=gpu, seen_gpu_hours=seen, gpu_hours=idle, gpu_hours_per_month=each_month))
    return tuple(idle_by_gpu)
