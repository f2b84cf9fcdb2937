"""What was used, as one record: totals, groups, curves, commitments, savings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from planner.arrays import FloatArray
from planner.notes import Note
from planner.usage.bill import Bill
from planner.usage.curve import Curve
from planner.usage.elsewhere import Elsewhere
from planner.usage.faults import Fault
from planner.usage.hours import HourTable
from planner.usage.idle import Idle

COMMITTED = ("reserved", "savings_plan", "committed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Accelerator-hours of one basis, as one kind of file tells them.

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
    elsewhere: tuple[Elsewhere, ...]
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
