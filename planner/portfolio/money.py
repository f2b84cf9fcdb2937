"""Money at many sizes: what one machine costs for an hour or a month, from the same timelines as a single plan.

A timeline of `planner.costs` is a straight line in the number of machines, and in the hours of each month: its slope is asked of
it once (a timeline of one machine, or of one hour), and every size is a product. Figures come in pairs: present value, and
plain sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.costs.buy import Site, buy_timeline, ownership_terms
from planner.costs.rent import billed_hours, rent_timeline
from planner.costs.timeline import Timeline, discount_factors, present_value_usd
from planner.options.owned import OwnableServer

__all__ = ["Hours", "Purse", "purse_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours in which machines are on, for every machine (axis 0) and workload (axis 1).

    Attributes
    ----------
    on : FloatArray
        Hours in each month; in all, for jobs that are run once.
    once : bool
        Whether these are jobs that are run once.
    last_month : IntArray
        The month in which the work ends, counted from 1.
    """

    on: FloatArray
    once: bool
    last_month: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """How money is counted over a horizon.

    Attributes
    ----------
    beliefs : Assumptions
        Stated beliefs, with the tariffs of the place.
    months : int
        Horizon.
    hours_per_month : float
        Clock hours of a month.
    use, ahead : FloatArray, shape (2, months)
        Cost of one hour in each month at 1 USD today, paid at its end, or when it begins.
    kept : FloatArray, shape (2, months + 1)
        Cost of 1 USD paid at the end of each of the first 0, 1, 2 ... months.
    upfront_ratio : float
        Cost of 1 USD paid today.
    """

    beliefs: Assumptions
    months: int
    hours_per_month: float
    use: FloatArray
    ahead: FloatArray
    kept: FloatArray
    upfront_ratio: float

    def used(
        self,
        usd_per_hour: FloatArray,
        hours: Hours,
        overhead_ratio: FloatArray,
        step_hours: FloatArray,
        *,
        in_advance: bool,
    ) -> FloatArray:
        """Return what hours cost that are paid as they are used, or bought ahead.

        Parameters
        ----------
        usd_per_hour : FloatArray, shape (offers, workloads)
            Of all machines of the fleet.
        overhead_ratio : FloatArray
            Wall time over useful time.
        step_hours : FloatArray, shape (offers, 1)
            Shortest time that is sold.

        Returns
        -------
        FloatArray, shape (2, offers, workloads)
        """
        weights = self.ahead if in_advance else self.use
        if not hours.once:
            return np.asarray(
                weights.sum(axis=1)[:, None, None]
                * (usd_per_hour * billed_hours(hours.on * overhead_ratio, step_hours))
            )
        until = np.concatenate([np.zeros((2, 1)), weights.cumsum(axis=1)], axis=1)
        padded = np.concatenate([weights, np.zeros((2, 1))], axis=1)
        full = np.minimum(np.floor(hours.on / self.hours_per_month), self.months).astype(np.intp)
        rest = np.where(full < self.months, hours.on - full * self.hours_per_month, 0.0)
        whole = billed_hours(self.hours_per_month * overhead_ratio, step_hours)
        part = billed_hours(rest * overhead_ratio, step_hours)
        return np.asarray(usd_per_hour * (whole * until[:, full] + part * padded[:, full]))

    def committed(
        self, price: FloatArray, upfront: FloatArray, term_months: FloatArray, working_months: int
    ) -> FloatArray:
        """Return what one machine under a commitment costs that is needed in the first so many months, shape (2, offers)."""
        hours = np.where(np.arange(self.months) < working_months, 1.0, 0.0)[None, :]
        timeline = rent_timeline(
            price_usd_per_hour=price,
            instance_count=1.0,
            paid_hours_per_month=hours,
            useful_gpu_hours_per_month=hours,
            months=self.months,
            upfront_usd=upfront,
            term_months=term_months,
            price_change_share_per_year=self.beliefs["rent.price_change_share_per_year"],
            support_share=self.beliefs["rent.support_share"],
            hours_per_month=self.hours_per_month,
        )
        return self.both(timeline)

    def storage(self, hours: Hours) -> FloatArray:
        """Return what storage and egress cost, shape (2, machines, workloads) or (2, 1, 1)."""
        beliefs = self.beliefs
        gb_usd = beliefs["rent.storage_gb"] * beliefs["rent.storage_usd_per_gb_month"]
        egress_usd = beliefs["rent.egress_gb_per_month"] * beliefs["rent.egress_usd_per_gb"]
        if not hours.once:
            return np.asarray((gb_usd + egress_usd) * self.kept[:, self.months][:, None, None])
        most = self.hours_per_month * self.months
        share = np.minimum(hours.on, most) / (self.hours_per_month * hours.last_month)
        # The bill counts a month that is begun by a hair, the schedule does not.
        begun = np.clip(np.ceil(hours.on / self.hours_per_month), 1, self.months).astype(np.intp)
        return np.asarray((gb_usd * share + egress_usd) * self.kept[:, begun])

    def owned(
        self,
        servers: Sequence[OwnableServer],
        site: Site,
        server_count: FloatArray,
        busy_share: FloatArray,
        bridge_usd_per_month: FloatArray,
        lead_months: int,
    ) -> FloatArray:
        """Return what owned servers cost at a site, shape (2, servers, workloads).

        Parameters
        ----------
        servers : sequence of OwnableServer
            The sorts, at least one.
        server_count, busy_share : FloatArray, shape (servers, workloads)
            How many, and the busy share of their hours.
        bridge_usd_per_month : FloatArray, shape (workloads,)
            Rent until delivery.
        """
        # Equal numbers of equal servers cost the same but for the power that work takes.
        most = float(server_count.max(initial=0.0)) + 1.0
        keys, of_workload = np.unique(np.arange(len(servers))[:, None] * most + server_count, return_inverse=True)
        sort, counts = (keys // most).astype(np.intp), keys % most
        idle, busy = (
            self.both(
                buy_timeline(
                    server_price_usd=np.array([server.price_usd for server in servers])[sort],
                    accelerator_count=np.array([server.machine.accelerator_count for server in servers])[sort],
                    server_max_kw=np.array([server.max_kw for server in servers])[sort],
                    server_count=counts,
                    busy_share=share,
                    useful_gpu_hours_per_month=0.0,
                    months=self.months,
                    terms=ownership_terms(self.beliefs, site),
                    lead_time_months=lead_months,
                    hours_per_month=self.hours_per_month,
                )
            )[:, of_workload.reshape(server_count.shape)]
            for share in (0.0, 1.0)
        )
        bridge = bridge_usd_per_month * self.kept[:, lead_months][:, None, None]
        return np.asarray(idle + busy_share * (busy - idle) + bridge)

    def both(self, timeline: Timeline) -> FloatArray:
        """Return present value and plain sum, along a first axis."""
        cash = timeline.by_month_usd()
        rate = self.beliefs["money.discount_rate_share_per_year"]
        return np.stack([present_value_usd(cash, rate), cash.sum(axis=-1)])


def purse_of(beliefs: Assumptions, months: int) -> Purse:
    """Return how money is counted over so many months."""
    hours_per_month = beliefs["money.hours_per_month"]
    rate = beliefs["money.discount_rate_share_per_year"]
    by_rate = np.stack([discount_factors(rate, months), np.ones(months + 1)])
    weights = {}
    for in_advance in (False, True):
        each = rent_timeline(
            price_usd_per_hour=np.ones(months),
            instance_count=1.0,
            paid_hours_per_month=np.eye(months),
            useful_gpu_hours_per_month=np.eye(months),
            months=months,
            paid_in_advance=in_advance,
            price_change_share_per_year=beliefs["rent.price_change_share_per_year"],
            support_share=beliefs["rent.support_share"],
            hours_per_month=hours_per_month,
        )
        weights[in_advance] = by_rate @ each.by_month_usd().T
    return Purse(
        beliefs=beliefs,
        months=months,
        hours_per_month=hours_per_month,
        use=weights[False],
        ahead=weights[True],
        kept=np.concatenate([np.zeros((2, 1)), by_rate[:, 1:].cumsum(axis=1)], axis=1),
        upfront_ratio=1.0 + beliefs["rent.support_share"],
    )
