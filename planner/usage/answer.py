"""What was used, as one record: totals, groups, curves, idle hours, commitments, savings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from planner.arrays import FloatArray
from planner.notes import Note
from planner.usage.bill import Bill
from planner.usage.faults import Fault
from planner.usage.hours import HourTable
from planner.usage.other_providers import ProviderPrice
from pricing.clock import HOURS_PER_MONTH

BASE_SHARE = 0.9
"""The base load is the level that is used, or exceeded, in this share of the hours."""
DURATION_SHARES = tuple(percent / 100 for percent in (0, 1, 2, 5, *range(10, 100, 10), 95, 100))


COMMITTED = ("reserved", "savings_plan", "committed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Accelerators in use by hour.

    Attributes
    ----------
    hours : int
        Length.
    mean_gpus, peak_gpus, base_gpus : float
        See `BASE_SHARE`.
    utilisation_share : float
        Mean over peak: how busy a fleet would be that is as large as the busiest hour.
    variation_share : float
        Standard deviation over mean. Below 0.3 commit to machines, up to 0.6 to spend, above stay on demand
        (FinOps toolkit's rule of thumb).
    duration : tuple of (float, float)
        Share of the hours, and the level that is reached or exceeded in it.
    """

    hours: int
    mean_gpus: float
    peak_gpus: float
    base_gpus: float
    utilisation_share: float
    variation_share: float
    duration: tuple[tuple[float, float], ...]


def level_held(level: FloatArray, share: float) -> float:
    """Return the level that is reached or exceeded in a share of the hours.

    Parameters
    ----------
    level : FloatArray, shape (hours,)
        One hour or more.
    share : float
        0 is the peak, 1 the lowest hour.

    Examples
    --------
    >>> hours = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    >>> level_held(hours, 0.9), level_held(hours, 0.0)
    (2.0, 10.0)
    """
    rising = np.sort(level)
    return float(rising[min(math.floor((1.0 - share) * len(rising) + 1e-9), len(rising) - 1)])


def curve_of(level: FloatArray) -> Curve:
    """Return what a curve says, also of one that is 0 all the time; a share of nothing is 0."""
    mean, peak = float(level.mean()), float(level.max())
    return Curve(
        hours=len(level),
        mean_gpus=mean,
        peak_gpus=peak,
        base_gpus=level_held(level, BASE_SHARE),
        utilisation_share=mean / peak if peak > 0 else 0.0,
        variation_share=float(level.std()) / mean if mean > 0 else 0.0,
        duration=tuple((share, level_held(level, share)) for share in DURATION_SHARES),
    )


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
    """Return what was allocated and not busy, over the clock hours that both sources cover.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Accelerator-hours of one basis, from one kind of file.

    Attributes
    ----------
    source : str
        ``bill``, ``slurm``, ``dcgm`` or ``plain``.
    basis : str
        ``allocated``, ``present``, ``busy`` or ``useful`` (`planner.report.usage.tables.BASIS_MEANINGS`).
    gpu_hours : float
        In all.
    curve : Curve
        By hour.
    """

    source: str
    basis: str
    gpu_hours: float
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One account, tag, region, accelerator or purchase option.

    Attributes
    ----------
    name : str
        Empty where nothing is told.
    gpu_hours, unused_gpu_hours : float
        Allocated; and paid under a commitment or reservation that nothing used.
    effective_usd, list_usd, unused_usd : float or None
        Amortised cost, unused commitments included; what the used hours cost at list price; the unused part of the cost.
        None where no bill was read.
    usd_per_gpu_hour : float or None
        Effective cost of an allocated hour.
    """

    name: str
    gpu_hours: float
    unused_gpu_hours: float
    effective_usd: float | None = None
    list_usd: float | None = None
    unused_usd: float | None = None
    usd_per_gpu_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitments:
    """How commitments were used.

    Attributes
    ----------
    coverage_share : float or None
        Allocated hours under a commitment, of those under one or on demand; spot cannot be committed to.
    utilisation_share : float or None
        Cost of what was used, of all that was committed.
    used_usd, unused_usd : float
        The two parts.
    used_gpu_hours, unused_gpu_hours : float
        The same in hours; what a savings plan left unused has none.
    unused_reservation_usd : float
        Capacity that was reserved without a discount, paid and not used; part of the waste, not of `unused_usd`.
    by_commitment : tuple of (str, float, float)
        Name, used and unused cost, the most wasteful first.
    """

    coverage_share: float | None
    utilisation_share: float | None
    used_usd: float
    unused_usd: float
    used_gpu_hours: float
    unused_gpu_hours: float
    unused_reservation_usd: float
    by_commitment: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was really used.

    Attributes
    ----------
    measures : tuple of Measure
        Hours by basis; the first is the one that groups and curve are of.
    first_hour, hours : int
        Span of time of the first measure's source: first hour since 1970 (UTC), and how many. A bill's is that of all its
        charges of use, of accelerators or not.
    gpu_hours, unused_gpu_hours : float
        Of the first measure.
    effective_usd, list_usd, contracted_usd, unused_usd : float or None
        From the bill; see `Group`.
    savings_rate_share : float or None
        1 less effective cost over the list price of the used hours; below 0 unused commitments ate the discounts.
    groups : mapping of str to tuple of Group
        By ``gpu``, ``option``, ``account``, ``region``, ``provider``, ``tag``.
    levels : mapping of str to FloatArray, shape (hours,)
        Accelerators in use by hour, of each kind.
    level : FloatArray, shape (hours,)
        Of all kinds.
    commitments : Commitments or None
        Where the bill has any.
    elsewhere : tuple of Elsewhere
        The same hours at each provider.
    idle : tuple of Idle
        The same for each accelerator.
    idle_gpu_hours, idle_share : float or None
        Allocated hours that were not busy, where both were recorded; and their share of the allocated hours that the
        counters saw.
    bill : Bill or None
        What was read.
    faults, notes
        What is missing, and what has to be known.
    table : HourTable
        Everything by hour.
    """

    measures: tuple[Measure, ...]
    first_hour: int
    hours: int
    gpu_hours: float
    unused_gpu_hours: float
    effective_usd: float | None
    list_usd: float | None
    contracted_usd: float | None
    unused_usd: float | None
    savings_rate_share: float | None
    groups: Mapping[str, tuple[Group, ...]]
    levels: Mapping[str, FloatArray] = field(repr=False)
    level: FloatArray = field(repr=False)
    commitments: Commitments | None
    elsewhere: tuple[ProviderPrice, ...]
    idle: tuple[Idle, ...]
    idle_gpu_hours: float | None
    idle_share: float | None
    bill: Bill | None = field(repr=False)
    energy_kwh: float | None
    faults: tuple[Fault, ...]
    notes: tuple[Note, ...]
    table: HourTable = field(repr=False)
    counters: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict, repr=False)

    def counted(self, gpu: str) -> tuple[FloatArray, FloatArray]:
        """Return the accelerators that counters saw busy and present in each hour; zeros where none looked."""
        names = [name for name in self.counters if name == gpu] or [name for name in self.counters if not name]
        if names:
            return self.counters[names[0]]
        return np.zeros(self.hours), np.zeros(self.hours)
