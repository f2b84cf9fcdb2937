"""What a group of workloads takes on every machine of an allowed market, and what rents cost it, until delivery and over the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.options.machine_hours import Hours, hours_of_runs
from planner.options.substitutes import cheapest_row
from planner.portfolio.costs import HorizonCosts, billed
from planner.portfolio.groups import Group
from planner.portfolio.market import AllowedMarket
from planner.portfolio.option_table import Bridges
from planner.supply.fleet_arrays import Fleets


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
    """Return when the fleets of a group are on, as `planner.options.machine_hours` spreads their work."""
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


def until_delivery_usd(
    allowed: AllowedMarket,
    offer: NDArray[np.intp],
    count: FloatArray,
    hours: Hours,
    stretch: FloatArray,
    until: HorizonCosts,
) -> FloatArray:
    """Return what the machines cost until owned servers are delivered, shape (2, offers, workloads).

    Of a machine it is a straight line in the hours paid, or one amount for what is paid ahead.
    """
    if hours.once or not until.months:
        return np.zeros((2, *count.shape))
    step, weekly = allowed.step_hours[offer], allowed.weekly_above_hours[offer]
    is_ahead = (allowed.term_months[offer] > 0) | (weekly > 0)
    usd_per_machine = until.bridges(
        {
            "usd_per_hour": allowed.price[offer],
            "term_months": allowed.term_months[offer],
            "weekly_above_hours": weekly,
            "minimum_hours": np.where(is_ahead, step, 0.0),
            "interruptible": allowed.terms.interruptible[offer].astype(float),
        }
    )
    paid_hours = np.where(is_ahead[:, None], 1.0, billed(hours.on * stretch, step[:, None]))
    return usd_per_machine[:, :, None] * count * paid_hours + until.storage(hours)


def cheapest_bridges(
    group: Group, offer: NDArray[np.intp], rented_usd: FloatArray, hosted_usd_per_month: FloatArray, until: HorizonCosts
) -> Bridges:
    """Return the cheapest bridge of each workload within its budget."""
    size, months = len(group.workloads), until.months
    if group.first.runs_once or not months:
        none = np.full(size, -1, dtype=np.intp)
        return Bridges(usd=np.zeros((2, size)), offer=none, tokens_usd_per_month=np.zeros(size))
    before_tax_usd = hosted_usd_per_month / (1.0 - until.assumptions["money.tax_share"])
    tokens_usd = before_tax_usd * until.kept[:, months][:, None, None]
    no_offer = np.full(len(hosted_usd_per_month) + 1, -1, dtype=np.intp)
    usd = np.concatenate([rented_usd, tokens_usd, np.full((2, 1, size), np.inf)], axis=1)  # row -1 is for none
    row = cheapest_row(usd[0], usd[1], group.max_usd_per_month * months)
    usd = usd[:, row, np.arange(size)]
    return Bridges(
        usd=usd,
        offer=np.concatenate([offer, no_offer])[row],
        tokens_usd_per_month=np.where(row >= len(offer), usd[1] / months, 0.0),
    )


def rents_usd(
    allowed: AllowedMarket,
    offer: NDArray[np.intp],
    count: FloatArray,
    hours: Hours,
    stretch: FloatArray,
    costs: HorizonCosts,
) -> FloatArray:
    """Return what the machines cost without storage, shape (2, offers, workloads)."""
    usd = np.zeros((2, *count.shape))
    price, upfront, term = allowed.price[offer], allowed.upfront[offer], allowed.term_months[offer]
    step, ahead = allowed.step_hours[offer], allowed.terms.is_block[offer]
    spot = allowed.terms.interruptible[offer] & ~ahead
    for chosen, weights in ((~ahead & ~spot, costs.use), (spot, costs.use_of_spot), (ahead, costs.ahead)):
        mine = np.flatnonzero((term == 0) & chosen)
        if mine.size:
            usd[:, mine] = costs.used(
                price[mine, None] * count[mine],
                hours.at(mine),
                stretch[mine],
                step[mine, None],
                weights=weights,
                weekly_above_hours=allowed.weekly_above_hours[offer][mine, None] if chosen is ahead else None,
            )
            usd[:, mine] += (upfront[mine, None] * count[mine]) * costs.upfront_ratio
    mine = np.flatnonzero(term > 0)
    if mine.size and not hours.once:
        usd_per_machine = costs.committed(price[mine], upfront[mine], term[mine], costs.months)
        usd[:, mine] = usd_per_machine[:, :, None] * count[mine]
    elif mine.size:
        for working in np.unique(hours.last_month[mine]):
            usd_per_machine = costs.committed(price[mine], upfront[mine], term[mine], int(working))
            usd[:, mine] = np.where(
                hours.last_month[mine] == working, usd_per_machine[:, :, None] * count[mine], usd[:, mine]
            )
    return usd
