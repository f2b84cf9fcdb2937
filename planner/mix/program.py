"""The mixed-integer program behind a mix, solved by HiGHS through SciPy: what each tier and limit adds to it."""

from __future__ import annotations

import ctypes
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.arrays import FloatArray, IntArray
from planner.errors import PlanningError
from planner.mix.capacity import DemandCurve, Limits, Tier

INFEASIBLE, UNBOUNDED = 2, 3
"""Of SciPy's statuses."""
RELATIVE_GAP = 1e-7
"""How far from the best a mix may be, as a share of its cost."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best point that was found.

    Attributes
    ----------
    values : FloatArray, shape (columns,)
        The variables.
    gap_share : float
        How far the optimum may lie below, as a share of the cost; 0 is proven optimal.
    """

    values: FloatArray
    gap_share: float


class Program:
    """Columns (variables with costs and bounds) and rows (sums of columns within bounds), added block by block."""

    def __init__(self) -> None:
        self._cost: list[FloatArray] = []
        self._lower: list[FloatArray] = []
        self._upper: list[FloatArray] = []
        self._whole: list[NDArray[np.bool_]] = []
        self._row_lower: list[FloatArray] = []
        self._row_upper: list[FloatArray] = []
        self._entries: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.columns = 0
        self.rows = 0

    def add_columns(
        self,
        count: int,
        *,
        cost: ArrayLike = 0.0,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        whole: bool = False,
    ) -> IntArray:
        """Add variables and return their numbers."""
        for kept, value in ((self._cost, cost), (self._lower, lower), (self._upper, upper)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=float), (count,)))
        self._whole.append(np.full(count, whole))
        self.columns += count
        return np.arange(self.columns - count, self.columns)

    def add_rows(self, count: int, *, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf) -> IntArray:
        """Add sums, empty as yet, and return their numbers."""
        for kept, value in ((self._row_lower, lower), (self._row_upper, upper)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=float), (count,)))
        self.rows += count
        return np.arange(self.rows - count, self.rows)

    def put(self, rows: ArrayLike, columns: ArrayLike, factors: ArrayLike) -> None:
        """Add columns times factors to rows; the three are broadcast together."""
        r, c, f = np.broadcast_arrays(np.asarray(rows), np.asarray(columns), np.asarray(factors, dtype=float))
        self._entries.append((r.ravel().astype(np.int64), c.ravel().astype(np.int64), f.ravel()))

    def solve(self, *, time_limit_s: float = 60.0) -> Solution | None:
        """Minimise the cost.

        Returns
        -------
        Solution or None
            None where no point meets all rows.

        Raises
        ------
        PlanningError
            If the time runs out before any point is found, or the cost has no lower bound.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import coo_array

        rows, columns, factors = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = coo_array((factors, (rows, columns)), shape=(self.rows, self.columns)).tocsc()
        whole = np.concatenate(self._whole)
        start = time.perf_counter()
        with _silent_standard_output():
            result = milp(
                np.concatenate(self._cost),
                integrality=whole.astype(np.uint8),
                bounds=Bounds(np.concatenate(self._lower), np.concatenate(self._upper)),
                constraints=LinearConstraint(matrix, np.concatenate(self._row_lower), np.concatenate(self._row_upper)),
                options={"time_limit": time_limit_s, "mip_rel_gap": RELATIVE_GAP},
            )
        if result.status == INFEASIBLE:
            return None
        if result.status == UNBOUNDED:
            raise PlanningError("the cheapest mix has no lower bound: some tier must have a negative price")
        if result.x is None:
            if time.perf_counter() - start < time_limit_s:
                raise PlanningError(
                    f"the solver found no mix: {str(result.message).splitlines()[0]}",
                    hint="sizes and prices far apart are hard for it: state GPUs in thousands, or fewer tiers",
                )
            raise PlanningError(
                f"no mix was found within {time_limit_s:g} s",
                hint="use fewer hours or tiers, or allow more time",
            )
        gap = float(result.mip_gap or 0.0) if whole.any() else 0.0
        return Solution(np.asarray(result.x), max(gap, 0.0) if np.isfinite(gap) else 0.0)


@contextmanager
def _silent_standard_output() -> Iterator[None]:
    """Keep what HiGHS prints for its own makers off standard output, which is for data; it has no option for that."""
    try:
        kept = os.dup(1)
    except OSError:  # standard output is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


@dataclass(slots=True)
class Slots:
    """Hours that are planned for together: equal demand under the same terms is equal work, so only its frequency counts.

    `first_hour` is one of the hours of each slot.
    """

    demand: FloatArray
    hours: FloatArray
    first_hour: IntArray
    of_hour: IntArray


@dataclass(slots=True)
class TierColumns:
    """Where a tier's variables lie."""

    machines: IntArray
    begins: IntArray
    ends: IntArray
    units: IntArray
    taken: IntArray | None


def _terms(tier: Tier, hours: int) -> tuple[IntArray, IntArray]:
    """Return when a tier's machines may begin and when those end; the whole curve where a term is as long."""
    if not 0 < tier.term_hours < hours:
        return np.zeros(1, dtype=np.int64), np.array([hours])
    begins = np.arange(0, hours, tier.start_every_hours)
    return begins, np.minimum(begins + tier.term_hours, hours)


def periods(tiers: Sequence[Tier], hours: int) -> IntArray:
    """Return for each hour the number of its period, in which no term begins or ends."""
    changes = np.zeros(hours + 1, dtype=np.int64)
    for tier in tiers:
        if tier.is_chosen_once:
            changes[np.concatenate(_terms(tier, hours))] = 1
    return np.cumsum(changes[:hours])


def slots_of(curve: DemandCurve, period: IntArray) -> Slots:
    """Return the hours that are planned for together."""
    levels, level = np.unique(curve.units, return_inverse=True)
    _, first, slot, counts = np.unique(
        period * len(levels) + level, return_index=True, return_inverse=True, return_counts=True
    )
    return Slots(demand=curve.units[first], hours=counts.astype(float), first_hour=first, of_hour=slot)


def add_tier(program: Program, tier: Tier, slots: Slots, hours: int, served: IntArray, pay: IntArray) -> TierColumns:
    """Add a tier's machines and the units that work in each slot."""
    count = len(slots.demand)
    none = np.zeros(0, dtype=np.int64)
    most = math.inf if tier.max_machines is None else float(tier.max_machines)
    limit = slots.demand * tier.max_share_of_demand / tier.availability_share
    units = program.add_columns(count, upper=limit if tier.max_share_of_demand < 1 else np.inf)
    program.put(served, units, tier.availability_share)
    if not tier.is_chosen_once:
        if tier.units_per_machine == 1 or not tier.whole:
            program.put(pay, units, slots.hours * tier.usd_per_unit_hour)
            if math.isfinite(most):
                cap = program.add_rows(count, upper=most * tier.units_per_machine)
                program.put(cap, units, 1.0)
            return TierColumns(none, none, none, units, None)
        taken = program.add_columns(count, upper=most, whole=True)
        program.put(pay, taken, slots.hours * tier.usd_per_unit_hour * tier.units_per_machine)
        within = program.add_rows(count, upper=0.0)
        program.put(within, units, 1.0)
        program.put(within, taken, -tier.units_per_machine)
        return TierColumns(none, none, none, units, taken)
    program.put(pay, units, slots.hours * tier.usd_per_unit_hour)
    short = 0 < tier.term_hours < hours
    begins, ends = _terms(tier, hours)
    machines = program.add_columns(len(begins), upper=most, whole=tier.whole)
    paid = tier.fixed_usd_per_machine_hour * (tier.term_hours if short else hours)
    program.put(pay, machines, paid)
    within = program.add_rows(count, upper=0.0)
    program.put(within, units, 1.0)
    if short:
        breaks, present = _add_present(program, machines, begins, ends, hours, most)
        there = present[np.searchsorted(breaks, slots.first_hour, side="right") - 1]
        program.put(within, there, -tier.units_per_machine)
    else:
        program.put(within, machines, -tier.units_per_machine)
    return TierColumns(machines, begins, ends, units, None)


def _add_present(
    program: Program, machines: IntArray, begins: IntArray, ends: IntArray, hours: int, most: float
) -> tuple[IntArray, IntArray]:
    """Add how many machines there are between one begin or end of a term and the next; return those hours, and the numbers.

    The program then grows with the hours, and not with the hours times the terms that overlap in each.
    """
    breaks = np.unique(np.concatenate([begins, ends[ends < hours]]))
    present = program.add_columns(len(breaks), upper=most)
    change = program.add_rows(len(breaks), lower=0.0, upper=0.0)
    program.put(change, present, 1.0)
    program.put(change[1:], present[:-1], -1.0)
    program.put(change[np.searchsorted(breaks, begins)], machines, -1.0)
    over = ends < hours
    program.put(change[np.searchsorted(breaks, ends[over])], machines[over], 1.0)
    return breaks, present


def add_waiting(program: Program, curve: DemandCurve, slots: Slots, served: IntArray) -> None:
    """Let part of the demand wait: what has been served lies between what has arrived and what has fallen due."""
    arrived = np.cumsum(curve.units * curve.deferrable_share)
    due = np.concatenate([np.zeros(curve.deadline_hours), arrived])[: len(arrived)]
    due[-1] = arrived[-1]  # nothing is left over at the end of the curve
    done = program.add_columns(len(arrived), lower=due, upper=arrived)
    here = served[slots.of_hour]
    program.put(here, done, -1.0)
    program.put(here[1:], done[:-1], 1.0)


def add_limits(program: Program, tiers: Sequence[Tier], columns: Sequence[TierColumns], limits: Limits) -> None:
    """Add what all machines may cost to buy, and the power that they may draw."""
    for limit, of_machine in (
        (limits.max_capex_usd, [tier.capex_usd_per_machine for tier in tiers]),
        (limits.max_kw, [tier.kw_per_machine for tier in tiers]),
    ):
        if math.isfinite(limit):
            row = program.add_rows(1, upper=limit)
            for tier_columns, per_machine in zip(columns, of_machine, strict=True):
                program.put(row, tier_columns.machines, per_machine)
