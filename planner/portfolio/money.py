"""Money at many sizes: what one machine costs for an hour or a month, from the same formulas as a single plan.

A timeline of `planner.costs.formulas` is a straight line in the number of machines, and in the hours of each month: its slope is asked of
it once (a timeline of one machine, or of one hour), and every size is a product. Figures come in pairs: present value, and
plain sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.costs.evaluate import Value, model_of, own_values, present_value_usd, run, values_of
from planner.costs.expression import evaluate
from planner.costs.formulas import BILLED_HOURS
from planner.costs.inputs import BuyInputs, RentInputs, Site
from planner.costs.timeline import FloatArray, discount_factors
from planner.options.owned import OwnableServer

IntArray = NDArray[np.int64]

NOT_KEPT = {"rent.storage_gb": 0.0, "rent.egress_gb_per_month": 0.0}
"""Storage is that of a workload, not of a machine (`HorizonCosts.storage`)."""


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
class HorizonCosts:
    """How money is counted over a horizon.

    Attributes
    ----------
    assumptions : Assumptions
        Stated assumptions, with the tariffs of the place.
    months : int
        Horizon.
    hours_per_month : float
        Clock hours of a month.
    use, use_of_spot, ahead : FloatArray, shape (2, months)
        Cost of one hour in each month at 1 USD today, paid at its end (on demand or spot), or when it begins.
    kept : FloatArray, shape (2, months + 1)
        Cost of 1 USD paid at the end of each of the first 0, 1, 2 ... months.
    upfront_ratio : float
        Cost of 1 USD paid today.
    """

    assumptions: Assumptions
    months: int
    hours_per_month: float
    use: FloatArray
    use_of_spot: FloatArray
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
        weights: FloatArray,
        weekly_above_hours: FloatArray | None = None,
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
        weights : FloatArray
            `use`, `use_of_spot` or `ahead`.
        weekly_above_hours : FloatArray, shape (offers, 1), optional
            Of dated blocks, which are bought ahead: length beyond which they are sold by whole weeks.

        Returns
        -------
        FloatArray, shape (2, offers, workloads)
        """
        if not hours.once:
            return np.asarray(
                weights.sum(axis=1)[:, None, None]
                * (usd_per_hour * billed(hours.on * overhead_ratio, step_hours, weekly_above_hours))
            )
        if weekly_above_hours is not None:
            # A run is one block, bought as a whole when it begins.
            block = billed(hours.on * overhead_ratio, step_hours, weekly_above_hours)
            return np.asarray(weights[:, 0][:, None, None] * (usd_per_hour * block))
        until = np.concatenate([np.zeros((2, 1)), weights.cumsum(axis=1)], axis=1)
        padded = np.concatenate([weights, np.zeros((2, 1))], axis=1)
        full = np.minimum(np.floor(hours.on / self.hours_per_month), self.months).astype(np.intp)
        rest = np.where(full < self.months, hours.on - full * self.hours_per_month, 0.0)
        whole = billed(self.hours_per_month * overhead_ratio, step_hours)
        part = billed(rest * overhead_ratio, step_hours)
        return np.asarray(usd_per_hour * (whole * until[:, full] + part * padded[:, full]))

    def committed(
        self, price: FloatArray, upfront: FloatArray, term_months: FloatArray, working_months: int
    ) -> FloatArray:
        """Return what one machine under a commitment costs that is needed in the first so many months, shape (2, offers)."""
        once = working_months < self.months
        own: dict[str, Value] = {
            **own_values(RentInputs(price_usd_per_hour=0.0, run_hours=working_months * self.hours_per_month)),
            "book.price_usd_per_hour": price[:, None],
            "book.upfront_usd": upfront[:, None],
            "book.term_months": term_months[:, None],
        }
        return self.both("rent", own, once=once)

    def storage(self, hours: Hours) -> FloatArray:
        """Return what storage and egress cost, shape (2, machines, workloads) or (2, 1, 1)."""
        assumptions = self.assumptions
        gb_usd = assumptions["rent.storage_gb"] * assumptions["rent.storage_usd_per_gb_month"]
        egress_usd = assumptions["rent.egress_gb_per_month"] * assumptions["rent.egress_usd_per_gb"]
        if not hours.once:
            return np.asarray((gb_usd + egress_usd) * self.kept[:, self.months][:, None, None])
        most = self.hours_per_month * self.months
        share = np.minimum(hours.on, most) / (self.hours_per_month * hours.last_month)
        return np.asarray((gb_usd * share + egress_usd) * self.kept[:, hours.last_month])

    def owned(
        self,
        servers: Sequence[OwnableServer],
        site: Site,
        server_count: FloatArray,
        busy_share: FloatArray,
    ) -> FloatArray:
        """Return what owned servers cost at a site without the bridge until delivery, shape (2, servers, workloads).

        Parameters
        ----------
        servers : sequence of OwnableServer
            The sorts, at least one.
        server_count, busy_share : FloatArray, shape (servers, workloads)
            How many, and the busy share of their hours.
        """
        # Equal numbers of equal servers cost the same but for the power that work takes.
        most = float(server_count.max(initial=0.0)) + 1.0
        keys, of_workload = np.unique(np.arange(len(servers))[:, None] * most + server_count, return_inverse=True)
        sort, counts = (keys // most).astype(np.intp), keys % most
        first = BuyInputs(site=site, server_price_usd=0.0, server_max_kw=0.0, accelerator_count=0.0)
        numbers: dict[str, Value] = {
            **own_values(first),
            "book.server_price_usd": np.array([server.price_usd for server in servers])[sort][:, None],
            "book.accelerator_count": np.array([server.machine.accelerator_count for server in servers])[sort][:, None],
            "book.server_max_kw": np.array([server.max_kw for server in servers])[sort][:, None],
            "book.server_count": counts[:, None],
        }
        idle, busy = (
            self.both("buy", {**numbers, "book.hours_per_month": hours}, site)[
                :, of_workload.reshape(server_count.shape)
            ]
            for hours in (0.0, self.hours_per_month)
        )
        return np.asarray(idle + busy_share * (busy - idle))

    def both(self, kind: str, own: Mapping[str, Value], site: str = "", *, once: bool = False) -> FloatArray:
        """Return present value and plain sum, along a first axis; storage and bridges are counted apart."""
        model = model_of(kind, self.assumptions, once=once)
        values = values_of(model, own, {**self.assumptions, **NOT_KEPT}, horizon_months=float(self.months), site=site)
        return np.stack(present_value_usd(model, values, self.months))


def billed(
    hours: FloatArray | float, minimum_hours: FloatArray, weekly_above_hours: FloatArray | None = None
) -> FloatArray:
    """Return hours rounded up to what is sold (`planner.costs.formulas.billed_hours`)."""
    weekly = 0.0 if weekly_above_hours is None else weekly_above_hours
    return evaluate(BILLED_HOURS, {"hours": hours, "minimum_hours": minimum_hours, "weekly_above_hours": weekly})


def horizon_costs(assumptions: Assumptions, months: int) -> HorizonCosts:
    """Return how money is counted over so many months."""
    hours_per_month = assumptions["money.hours_per_month"]
    rate = assumptions["money.discount_rate_share_per_year"]
    by_rate = np.stack([discount_factors(rate, months), np.ones(months + 1)])
    keep = 1.0 - assumptions["money.tax_share"]

    def of_an_hour(*, in_advance: bool, interruptible: bool) -> FloatArray:
        """Return the cost of one hour in each month at 1 USD."""
        cost_inputs = RentInputs(
            price_usd_per_hour=1.0, hours_per_month=1.0, paid_in_advance=in_advance, interruptible=interruptible
        )
        model = model_of("rent", assumptions, once=False)
        values = values_of(model, own_values(cost_inputs), {**assumptions, **NOT_KEPT}, horizon_months=float(months))
        each = by_rate * run(model, values, months)["total"]
        return each[:, :-1] if in_advance else each[:, 1:]

    return HorizonCosts(
        assumptions=assumptions,
        months=months,
        hours_per_month=hours_per_month,
        use=of_an_hour(in_advance=False, interruptible=False),
        use_of_spot=of_an_hour(in_advance=False, interruptible=True),
        ahead=of_an_hour(in_advance=True, interruptible=False),
        kept=np.concatenate([np.zeros((2, 1)), keep * by_rate[:, 1:].cumsum(axis=1)], axis=1),
        upfront_ratio=keep * (1.0 + assumptions["rent.support_share"]),
    )
