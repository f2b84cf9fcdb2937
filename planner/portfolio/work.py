"""Work: what a group of workloads takes on every machine of an allowed market, before any money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.options.schedule import whole_months
from planner.portfolio.groups import Group
from planner.portfolio.money import HorizonCosts, Hours
from planner.supply.sizes.fleets import Fleets

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A group's work on every machine of an allowed market: fleets, and the hours in which they are on.

    Attributes
    ----------
    count : FloatArray, shape (machines, workloads)
        Machines, with those that run side by side where runs of a job overlap; 0 where the machine cannot do it.
    busy_hours : FloatArray
        Of one run; NaN for work that never ends.
    rented, owned : Hours
        Hours on, with and without the start of a rented machine.
    rented_count, owned_count : FloatArray
        Machines in both cases (a start may make one more run overlap).
    busy_share : FloatArray
        Busy share of the clock hours of owned machines.
    """

    fleets: Fleets
    busy_hours: FloatArray
    rented: Hours
    owned: Hours
    rented_count: FloatArray
    owned_count: FloatArray
    busy_share: FloatArray

    @property
    def run_hours(self) -> FloatArray:
        """Hours of one run, infinite for work that never ends."""
        return np.where(np.isnan(self.busy_hours), np.inf, self.busy_hours)


def work_of(group: Group, fleets: Fleets, costs: HorizonCosts) -> Work:
    """Return when the fleets of a group are on, as `planner.options.schedule` spreads their work."""
    months, clock = costs.months, costs.hours_per_month
    start = costs.assumptions["rent.start_hours"]
    count, busy = fleets.instance_count, fleets.busy_hours_per_run
    whole = np.full(count.shape, months)
    if not group.is_job:
        hours = Hours(on=clock * fleets.elastic_share, once=False, last_month=whole)
        return Work(fleets=fleets, busy_hours=busy, rented=hours, owned=hours, rented_count=count, owned_count=count, busy_share=fleets.utilisation_share)  # fmt: skip
    busy = np.where(count > 0, busy, 0.0)
    if group.first.runs_once:

        def once(extra: float) -> Hours:
            on = busy + extra
            return Hours(on=on, once=True, last_month=np.minimum(whole_months(on, clock), months).astype(np.int64))

        return Work(fleets=fleets, busy_hours=busy, rented=once(start), owned=once(0.0), rented_count=count, owned_count=count, busy_share=busy / clock)  # fmt: skip
    runs = group.runs_per_month

    def again(extra: float) -> tuple[Hours, FloatArray]:
        on = (busy + extra) * runs
        side_by_side = whole_months(on, clock)
        return Hours(on=on / side_by_side, once=False, last_month=whole), side_by_side

    (rented, by_rent), (owned, by_own) = again(start), again(0.0)
    return Work(
        fleets=fleets,
        busy_hours=busy,
        rented=rented,
        owned=owned,
        rented_count=count * by_rent,
        owned_count=count * by_own,
        busy_share=busy * runs / by_own / clock,
    )
