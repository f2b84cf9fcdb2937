"""Timelines: what an alternative costs, month by month and item by item.

Column 0 is today and is never discounted; column t is paid at the end of month t. Money out is positive, money in
(a resale, a refund) is negative.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.errors import PlanningError


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """What an item of a timeline is, and with what it moves.

    Attributes
    ----------
    lump : bool
        Paid at one instant (a purchase) and not evenly through the month.
    with_use : bool
        Proportional to the hours used.
    with_rent_price : bool
        Proportional to the hourly price of the rent.
    """

    lump: bool = False
    with_use: bool = False
    with_rent_price: bool = False


COMPONENTS: dict[str, Component] = {
    # renting
    "on_demand": Component(with_use=True, with_rent_price=True),
    "kept_hours": Component(with_rent_price=True),
    "in_advance": Component(lump=True, with_use=True, with_rent_price=True),
    "commitment": Component(with_rent_price=True),
    "upfront": Component(lump=True),
    "credit": Component(),
    "rest_of_term": Component(lump=True, with_rent_price=True),
    "support_of_use": Component(with_use=True, with_rent_price=True),
    "support_of_commitment": Component(with_rent_price=True),
    "support_of_upfront": Component(lump=True),
    "storage": Component(),
    "egress": Component(),
    "fees": Component(),
    # buying
    "servers": Component(lump=True),
    "network": Component(lump=True),
    "install": Component(lump=True),
    "refresh": Component(lump=True),
    "resale": Component(lump=True),
    "idle_power": Component(),
    "busy_power": Component(with_use=True),
    "colocation": Component(),
    "staff": Component(),
    "support": Component(),
    "spares": Component(),
    "software": Component(),
    "running": Component(),
    "running_with_use": Component(with_use=True),
    "bridge_rent": Component(with_use=True, with_rent_price=True),
    "bridge_ahead": Component(lump=True, with_rent_price=True),
    "bridge_fixed": Component(with_rent_price=True),
    # financing and tax
    "down_payment": Component(lump=True),
    "loan": Component(),
    "loan_payoff": Component(lump=True),
    "lease": Component(lump=True),
    "depreciation_tax_shield": Component(lump=True),
    "tax_on_resale": Component(lump=True),
    # paid services
    "tokens": Component(with_use=True),
}
"""Every item that a timeline may hold, by name."""


def discount_factors(discount_rate_share_per_year: ArrayLike, months: int) -> FloatArray:
    """Return what a dollar at the end of each month is worth today.

    Parameters
    ----------
    discount_rate_share_per_year : array_like
        Effective annual rate or rates, above -1; the monthly rate is ``(1 + r)**(1/12) - 1``.
    months : int
        Horizon.

    Returns
    -------
    FloatArray, shape of the rate + (months + 1,)
        Column 0 is 1.

    Raises
    ------
    PlanningError
        If a rate is not a number above -1.

    Examples
    --------
    >>> discount_factors(0.21, 24)[[0, 12, 24]].round(6).tolist()
    [1.0, 0.826446, 0.683013]
    """
    rate: object = discount_rate_share_per_year
    if isinstance(rate, float):
        return _factors_of_one(rate, months)
    return _factors(discount_rate_share_per_year, months)


@lru_cache(maxsize=64)
def _factors_of_one(rate: float, months: int) -> FloatArray:
    """Return the factors of a single rate, which thousands of timelines of one plan share; nobody may write into them."""
    factors = _factors(rate, months)
    factors.flags.writeable = False
    return factors


def _factors(discount_rate_share_per_year: ArrayLike, months: int) -> FloatArray:
    rate = np.asarray(discount_rate_share_per_year, dtype=float)
    if not np.all(np.isfinite(rate)) or np.any(rate <= -1):
        raise PlanningError(
            f"a discount rate must be a number above -1 (0.1 is 10 % a year), got {discount_rate_share_per_year!r}"
        )
    factors: FloatArray = (1.0 + rate[..., None]) ** (-np.arange(months + 1) / 12.0)
    return factors


def present_value_usd(cash_usd: ArrayLike, discount_rate_share_per_year: ArrayLike) -> FloatArray:
    """Discount monthly cash to today and add it up.

    Parameters
    ----------
    cash_usd : array_like, shape (..., months + 1)
        Paid at the end of each month; column 0 is paid today.
    discount_rate_share_per_year : array_like, shape rates
        Effective annual rate or rates.

    Returns
    -------
    FloatArray, shape (...) + rates
        One value for each row of cash and each rate.

    Examples
    --------
    >>> float(present_value_usd([100.0] + [0.0] * 11 + [110.0], 0.10).round(6))
    200.0
    """
    cash = np.asarray(cash_usd, dtype=float)
    factors = discount_factors(discount_rate_share_per_year, cash.shape[-1] - 1)
    rows, rates = cash.reshape(-1, cash.shape[-1]), factors.reshape(-1, factors.shape[-1])
    # Equal rows give equal sums in any position; the faster `inner` does not guarantee that.
    return np.asarray(np.einsum("im,jm->ij", rows, rates).reshape(cash.shape[:-1] + factors.shape[:-1]))


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Cash by component and month of one alternative, or of many at once.

    Attributes
    ----------
    components : tuple of str
        Items, each a key of `COMPONENTS`.
    cash_usd : FloatArray, shape (..., components, months + 1)
        Money out; column 0 is today. Leading axes, where there are any, count alternatives.
    useful_gpu_hours : FloatArray, shape (..., months + 1)
        Accelerator hours of useful work done in each month; column 0 is 0.

    Raises
    ------
    PlanningError
        If a value is not finite; this keeps NaN out of every verdict.
    """

    components: tuple[str, ...]
    cash_usd: FloatArray
    useful_gpu_hours: FloatArray = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit, unknown items, and numbers that are none."""
        unknown = [name for name in self.components if name not in COMPONENTS]
        if unknown or len(set(self.components)) != len(self.components):
            raise ValueError(f"components must be known and different, got {self.components}")
        if self.cash_usd.ndim < 2 or self.cash_usd.shape[-2] != len(self.components):
            raise ValueError(f"cash of shape {self.cash_usd.shape} does not hold {len(self.components)} components")
        if self.useful_gpu_hours.shape[-1] != self.cash_usd.shape[-1]:
            raise ValueError("cash and useful hours must cover the same months")
        if not np.isfinite(self.cash_usd).all() or not np.isfinite(self.useful_gpu_hours).all():
            raise PlanningError("a cost came out as no finite number; a price, a rate or a count is far too large")

    @property
    def months(self) -> int:
        """Horizon."""
        return int(self.cash_usd.shape[-1]) - 1

    def component_usd(self, name: str) -> FloatArray:
        """Return the months of one item, zeros where the timeline has no such item."""
        if name in self.components:
            return np.asarray(self.cash_usd[..., self.components.index(name), :])
        return np.zeros(self.cash_usd.shape[:-2] + self.cash_usd.shape[-1:])

    def by_month_usd(self) -> FloatArray:
        """Return all items together, shape (..., months + 1)."""
        return np.asarray(self.cash_usd.sum(axis=-2))

    def lumps_by_month_usd(self) -> FloatArray:
        """Return what is paid at one instant, shape (..., months + 1)."""
        return self._where([COMPONENTS[name].lump for name in self.components])

    def cumulative_usd(self) -> FloatArray:
        """Return what has been paid up to the end of each month, undiscounted."""
        return np.asarray(self.by_month_usd().cumsum(axis=-1))

    def total_usd(self) -> FloatArray:
        """Return all cash of the horizon, undiscounted."""
        return np.asarray(self.cash_usd.sum(axis=(-2, -1)))

    def present_value_usd(self, discount_rate_share_per_year: ArrayLike = 0.0) -> FloatArray:
        """Return all cash of the horizon, discounted to today; see the function of that name."""
        return present_value_usd(self.by_month_usd(), discount_rate_share_per_year)

    def usd_per_useful_gpu_hour(self, discount_rate_share_per_year: float = 0.0) -> FloatArray:
        """Return present value of cost over present value of useful hours; infinite where there are none.

        Hours are discounted like money, so that an hour next year is not worth more than a dollar next year; with
        a rate of 0 this is plain cost over plain hours.
        """
        hours = present_value_usd(self.useful_gpu_hours, discount_rate_share_per_year)
        cost = self.present_value_usd(discount_rate_share_per_year)
        none = np.full(np.broadcast_shapes(cost.shape, hours.shape), np.inf)
        return np.asarray(np.divide(cost, hours, out=none, where=hours > 0))

    def at(self, index: int) -> Timeline:
        """Return one alternative out of many."""
        if self.cash_usd.ndim == 2:
            raise ValueError("this timeline holds one alternative only")
        hours = self.useful_gpu_hours if self.useful_gpu_hours.ndim == 1 else self.useful_gpu_hours[index]
        return Timeline(self.components, self.cash_usd[index], hours)

    def present_value_of_usd(
        self, discount_rate_share_per_year: float, *, with_use: bool | None = None, with_rent_price: bool | None = None
    ) -> FloatArray:
        """Return the present value of the items that do (or do not) move with use, or with the price of the rent."""
        chosen = [
            (with_use is None or COMPONENTS[name].with_use is with_use)
            and (with_rent_price is None or COMPONENTS[name].with_rent_price is with_rent_price)
            for name in self.components
        ]
        return present_value_usd(self._where(chosen), discount_rate_share_per_year)

    def usd_per_clock_hour(self, discount_rate_share_per_year: float, hours_per_month: float) -> tuple[float, float]:
        """Return the level cost of an hour, worked or not, and what an hour of work adds: annuities of the present value."""
        rate = discount_rate_share_per_year
        hours = float(discount_factors(rate, self.months)[1:].sum()) * hours_per_month
        idle, work = (float(self.present_value_of_usd(rate, with_use=with_use)) / hours for with_use in (False, True))
        return idle, work

    def __add__(self, other: Timeline) -> Timeline:
        """Return both together: same months, items united, useful hours added."""
        if other.months != self.months:
            raise ValueError(f"timelines of {self.months} and {other.months} months cannot be added")
        names = (*self.components, *(name for name in other.components if name not in self.components))
        cash = np.stack([self.component_usd(name) + other.component_usd(name) for name in names], axis=-2)
        return Timeline(names, cash, self.useful_gpu_hours + other.useful_gpu_hours)

    def _where(self, chosen: list[bool]) -> FloatArray:
        return np.asarray(self.cash_usd[..., np.asarray(chosen, dtype=bool), :].sum(axis=-2))
