"""Work: what a group of workloads takes on every machine of an allowed market, before any money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray
from planner.options.schedule import Hours, hours_of_runs
from planner.portfolio.groups import Group
from planner.portfolio.money import HorizonCosts
from planner.supply.sizes.fleets import Fleets


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A group's work on every machine of an allowed market: fleets, and the hours in which they are on.

    Attributes
    ----------
    fleets : Fleets
        The machines, without those of runs that overlap.
    busy_hours : FloatArray
        Of one run; NaN for work that never ends.
    rented, owned : Hours
        Hours on, with and without the start of a rented machine (which may make one more run overlap).
    busy_share : FloatArray
        Busy share of the clock hours of owned machines.
    """

    fleets: Fleets
    busy_hours: FloatArray
    rented: Hours
    owned: Hours
    busy_share: FloatArray

    @property
    def rented_count(self) -> FloatArray:
        """Rented machines, with those of runs that overlap."""
        return self.fleets.instance_count * self.rented.side_by_side

    @property
    def owned_count(self) -> FloatArray:
        """Owned machines, with those of runs that overlap."""
        return self.fleets.instance_count * self.owned.side_by_side

    @property
    def run_hours(self) -> FloatArray:
        """Hours of one run, infinite for work that never ends."""
        return np.where(np.isnan(self.busy_hours), np.inf, self.busy_hours)


def work_of(group: Group, fleets: Fleets, costs: HorizonCosts) -> Work:
    """Return when the fleets of a group are on, as `planner.options.schedule` spreads their work."""
    months, clock, once = costs.months, costs.hours_per_month, group.first.runs_once
    shape = fleets.instance_count.shape
    if not group.is_job:
        hours = Hours(
            on=clock * fleets.elastic_share, once=False, last_month=np.full(shape, months), side_by_side=np.ones(shape)
        )
        return Work(fleets=fleets, busy_hours=fleets.busy_hours_per_run, rented=hours, owned=hours, busy_share=fleets.utilisation_share)  # fmt: skip
    busy, runs = np.where(fleets.instance_count > 0, fleets.busy_hours_per_run, 0.0), group.runs_per_month
    rented, owned = (
        hours_of_runs(busy, runs, once=once, start_hours=start_hours, months=months, hours_per_month=clock)
        for start_hours in (costs.assumptions["rent.start_hours"], 0.0)
    )
    busy_share = busy * (1.0 if once else runs) / owned.side_by_side / clock
    return Work(fleets=fleets, busy_hours=busy, rented=rented, owned=owned, busy_share=busy_share)
