"""The break-even curve: how verdict, month and price of equal cost move with the share of hours used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.costs.breakeven import break_even
from planner.costs.timeline import COMPONENTS, Timeline, discount_factors
from planner.errors import PlanningError
from pricing.units import HOURS_PER_MONTH

SHARES = tuple(percent / 100 for percent in range(5, 101, 5))
"""Shares of the clock hours at which a curve is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Rent and buy at one share of the hours.

    Attributes
    ----------
    utilisation_share : float
        Share of the clock hours with work.
    breakeven_usd_per_hour : float or None
        Hourly rent at which both cost the same over the horizon; None where no rent does.
    breakeven_month : float or None
        Month from which on owning stays cheaper (NPV); None for never.
    rent_usd_per_used_hour, buy_usd_per_used_hour : float
        Cost of an hour of work on either side.
    """

    utilisation_share: float
    breakeven_usd_per_hour: float | None
    breakeven_month: float | None
    rent_usd_per_used_hour: float
    buy_usd_per_used_hour: float


def at_utilisation(timeline: Timeline, now_share: float, then_share: float) -> Timeline:
    """Return a timeline for another share of hours used: what moves with use is scaled, the rest stays."""
    if not now_share > 0:
        raise PlanningError("a timeline without use cannot be scaled to some")
    ratio = then_share / now_share
    scale = np.array([ratio if COMPONENTS[name].with_use else 1.0 for name in timeline.components])
    return Timeline(timeline.components, timeline.cash_usd * scale[:, None], timeline.useful_gpu_hours * ratio)


def utilisation_curve(
    rent: Timeline,
    buy: Timeline,
    *,
    utilisation_share: float,
    price_usd_per_hour: float,
    discount_rate_share_per_year: float = 0.0,
    hours_per_month: float = HOURS_PER_MONTH,
    shares: Sequence[float] = SHARES,
) -> tuple[CurvePoint, ...]:
    """Compare one rented with one owned alternative over shares of the hours used.

    Parameters
    ----------
    rent, buy : Timeline
        Of the same months.
    utilisation_share, price_usd_per_hour : float
        Share and hourly price that they were made with.
    discount_rate_share_per_year, hours_per_month : float
        How money and hours are counted.
    shares : sequence of float
        Above 0.

    Returns
    -------
    tuple of CurvePoint
        In the order of the shares.
    """
    rate = discount_rate_share_per_year
    clock_hours = float(discount_factors(rate, rent.months)[1:].sum()) * hours_per_month
    points = []
    for share in shares:
        rented, owned = (at_utilisation(side, utilisation_share, share) for side in (rent, buy))
        result = break_even(
            rented,
            owned,
            discount_rate_share_per_year=rate,
            utilisation_share=share,
            price_usd_per_hour=price_usd_per_hour,
        )
        points.append(
            CurvePoint(
                utilisation_share=share,
                breakeven_usd_per_hour=result.price_usd_per_hour,
                breakeven_month=result.discounted_month,
                rent_usd_per_used_hour=float(rented.present_value_usd(rate)) / (clock_hours * share),
                buy_usd_per_used_hour=float(owned.present_value_usd(rate)) / (clock_hours * share),
            )
        )
    return tuple(points)
