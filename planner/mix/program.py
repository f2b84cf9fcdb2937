"""The program behind a mix: hours that are planned for together, and what each tier, limit and risk adds to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.milp import Program
from planner.tiers import DemandCurve, Limits, Tier


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
