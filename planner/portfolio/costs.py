"""Money at many sizes: what one machine costs for an hour or a month, from the same formulas as a single plan.

A timeline of `planner.costs.formulas` is a straight line in the number of machines, and in the hours of each month: its slope is asked of
it once (a timeline of one machine, or of one hour), and every size is a product. Figures come in pairs: present value, and
plain sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import Value, bridge_values, model_of, own_values, present_value_usd, run, values_of
from planner.costs.expression import evaluate
from planner.costs.formulas import BILLED_HOURS, SENT_USD, STORED_USD, bridge_model, rent_model
from planner.costs.inputs import Bridge, BuyInputs, RentInputs, Site, TokenInputs
from planner.options.machine_hours import Hours
from planner.options.owned import OwnableServer

AN_HOUR = RentInputs(price_usd_per_hour=1.0, hours_per_month=1.0)
NOT_KEPT = {"rent.storage_gb": 0.0, "rent.egress_gb_per_month": 0.0}
"""Storage is that of a workload, not of a machine (`HorizonCosts.storage`)."""


@dataclass(frozen=True)
class HorizonCosts:
    """How money is counted over a horizon.

    Attributes
    ----------
    assumptions : Assumptions
        Stated assumptions, with the tariffs of the place.
    months : int
        Horizon.
    """

    assumptions: Assumptions
    months: int

    @cached_property
    def hours_per_month(self) -> float:
        """Clock hours of a month."""
        return self.assumptions["money.hours_per_month"]

    @cached_property
    def use(self) -> FloatArray:
        """Cost of one hour in each month at 1 USD today, paid at its end, shape (2, months)."""
        return self._by_month(AN_HOUR)[:, 1:]

    @cached_property
    def use_of_spot(self) -> FloatArray:
        """The same of spot."""
        return self._by_month(replace(AN_HOUR, interruptible=True))[:, 1:]

    @cached_property
    def ahead(self) -> FloatArray:
        """The same of an hour that is paid when its month begins."""
        return self._by_month(replace(AN_HOUR, paid_in_advance=True))[:, :-1]

    @cached_property
    def kept(self) -> FloatArray:
        """Cost of 1 USD billed at the end of each of the first 0, 1, 2 ... months, shape (2, months + 1)."""
        horizons = np.arange(self.months + 1.0)[:, None]
        return self.both("tokens", own_values(TokenInputs(usd_per_month=1.0)), horizon_months=horizons)

    @cached_property
    def kept_once(self) -> FloatArray:
        """Cost of 1 USD billed for a run, shape (2, 1)."""
        return self.both("tokens", own_values(TokenInputs(run_usd=1.0)), once=True)

    @cached_property
    def upfront_ratio(self) -> float:
        """Cost of 1 USD paid today."""
        return float(self.both("rent", own_values(RentInputs(price_usd_per_hour=0.0, upfront_usd=1.0)))[0, 0])

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
        stored, sent = (float(evaluate(usd, self.assumptions)) for usd in (STORED_USD, SENT_USD))
        if not hours.once:
            return np.asarray((stored + sent) * self.kept[:, self.months][:, None, None])
        run_hours: dict[str, Value] = {"book.run_hours": hours.on, "last_month": hours.last_month.astype(float)}
        values = {**run_hours, "input.use_ratio": 1.0, "money.hours_per_month": self.hours_per_month}
        share = evaluate(rent_model(once=True).scalars["stored_ratio"], values)
        return np.asarray((stored * share + sent) * self.kept[:, hours.last_month])

    def tokens(self, usd_per_run: FloatArray, runs_per_month: FloatArray) -> FloatArray:
        """Return what a hosted API costs that takes so much for a run, shape (2, workloads); 0 runs a month are one in all."""
        monthly = usd_per_run * runs_per_month * self.kept[:, self.months][:, None]
        return np.where(runs_per_month > 0, monthly, usd_per_run * self.kept_once)

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

    def bridges(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Return what bridges over the horizon cost that are on for one hour a month, after tax, shape (2, offers).

        Parameters
        ----------
        columns : mapping of str to FloatArray, shape (offers,)
            Numbers of `planner.costs.inputs.Bridge`.
        """
        numbers = {f"book.bridge_{name}": column[:, None] for name, column in columns.items()}
        own = bridge_values(Bridge(hours_per_month=1.0)) | numbers
        model, stated = bridge_model(), {**self.assumptions, **NOT_KEPT}
        before_tax = present_value_usd(model, values_of(model, own, stated, horizon_months=self.months), self.months)
        return np.stack(before_tax) * (1.0 - self.assumptions["money.tax_share"])

    def both(
        self,
        kind: str,
        own: Mapping[str, Value],
        site: str = "",
        *,
        once: bool = False,
        horizon_months: Value | None = None,
    ) -> FloatArray:
        """Return present value and plain sum, along a first axis; storage and bridges are counted apart."""
        model, horizon = (
            model_of(kind, self.assumptions, once=once),
            self.months if horizon_months is None else horizon_months,
        )
        values = values_of(model, own, {**self.assumptions, **NOT_KEPT}, horizon_months=horizon, site=site)
        return np.stack(present_value_usd(model, values, self.months))

    def _by_month(self, rent: RentInputs) -> FloatArray:
        """Return what a rent costs in each month without storage, its present value and as it is, shape (2, months + 1)."""
        model = model_of("rent", self.assumptions, once=False)
        values = values_of(model, own_values(rent), {**self.assumptions, **NOT_KEPT}, horizon_months=float(self.months))
        by_month = run(model, values, self.months)
        return np.stack([by_month["discount_ratio"] * by_month["total"], by_month["total"]])


def billed(
    hours: FloatArray | float, minimum_hours: FloatArray, weekly_above_hours: FloatArray | None = None
) -> FloatArray:
    """Return hours rounded up to what is sold (`planner.costs.formulas.billed_hours`)."""
    weekly = 0.0 if weekly_above_hours is None else weekly_above_hours
    return evaluate(BILLED_HOURS, {"hours": hours, "minimum_hours": minimum_hours, "weekly_above_hours": weekly})
