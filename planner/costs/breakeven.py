"""Where renting and owning cost the same: in months, in utilization, in the price of the rent, and as a curve."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from planner.arrays import FloatArray
from planner.costs.timeline import COMPONENTS, Timeline, discount_factors
from planner.errors import PlanningError
from pricing.clock import HOURS_PER_MONTH

Cheaper = Literal["buy", "rent"]


SHARES = tuple(percent / 100 for percent in range(5, 101, 5))
"""Shares of the clock hours at which a curve is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A point at which the cheaper side changes.

    Attributes
    ----------
    at : float
        Months from today, or the value of whatever was varied.
    cheaper_after : {'buy', 'rent'}
        The side that is cheaper beyond it.
    """

    at: float
    cheaper_after: Cheaper


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """When, from which utilisation and from which rent on owning is cheaper; None is never.

    Attributes
    ----------
    saving_usd : float
        Present value of the rent less that of owning; above 0 owning is cheaper over the horizon.
    month : float or None
        From this month to the end of the horizon, what has been paid for owning stays at or below what has been paid
        for renting. Inside a month running costs are spread evenly; purchases and sales happen at its end.
    discounted_month : float or None
        The same with money discounted to today. It exists exactly where `saving_usd` is not negative.
    crossings, discounted_crossings : tuple of Crossing
        Every month at which the cheaper side changes; a refresh, a term or a resale can bring more than one.
    utilisation_share : float or None
        From this share of the clock hours up to 1 owning is cheaper over the horizon; 0 where it always is.
    utilisation_crossings : tuple of Crossing
        The share at which the cheaper side changes, with its direction (against a commitment, which is paid used or
        not, work makes owning dearer).
    price_usd_per_hour : float or None
        The rent above which owning is cheaper over the horizon; None where no rent is high enough.
    """

    saving_usd: float
    month: float | None
    discounted_month: float | None
    crossings: tuple[Crossing, ...]
    discounted_crossings: tuple[Crossing, ...]
    utilisation_share: float | None
    utilisation_crossings: tuple[Crossing, ...]
    price_usd_per_hour: float | None


def crossings(
    rent: Timeline, buy: Timeline, discount_rate_share_per_year: float = 0.0
) -> tuple[float | None, tuple[Crossing, ...]]:
    """Return from which month on owning stays cheaper, and every month at which the cheaper side changes.

    Parameters
    ----------
    rent, buy : Timeline
        One alternative each, of the same months.
    discount_rate_share_per_year : float
        Rate by which what is paid in a month counts less.

    Returns
    -------
    float or None
        See `BreakEven.month`.
    tuple of Crossing
        In order of time.
    """
    if rent.months != buy.months:
        raise ValueError(f"timelines of {rent.months} and {buy.months} months cannot be compared")
    factor = discount_factors(discount_rate_share_per_year, rent.months)
    lumps = (rent.lumps_by_month_usd() - buy.lumps_by_month_usd()) * factor
    steady = (rent.by_month_usd() - buy.by_month_usd()) * factor - lumps
    # What owning has saved, before and after the lumps at the end of each month.
    after = np.cumsum(steady + lumps)
    before = after - lumps
    paid = np.cumsum(np.abs(lumps) + np.abs(steady))[-1]
    return _walk(before, after, tolerance=max(1e-12 * float(paid), sys.float_info.min))


def _walk(before: FloatArray, after: FloatArray, tolerance: float) -> tuple[float | None, tuple[Crossing, ...]]:
    """Follow the saving from knot to knot; `after[0]` is today."""
    knots = [(0.0, float(after[0]), True)]
    for month in range(1, len(after)):
        knots += [(float(month), float(before[month]), False), (float(month), float(after[month]), True)]
    # As long as both sides have paid the same, there is no cheaper one to change.
    first = next((i for i, (_, value, _) in enumerate(knots) if abs(value) > tolerance), None)
    if first is None:
        return 0.0, ()
    changes: list[Crossing] = []
    _, value, _ = knots[first]
    owning = value > 0
    for at, target, is_lump in knots[first + 1 :]:
        reached = target > -tolerance if owning else target >= -tolerance
        if reached != owning:
            when = at if is_lump else at - 1.0 + min(max(value / (value - target), 0.0), 1.0)
            if changes and changes[-1].at == when:
                changes.pop()  # touched, and not crossed
            else:
                changes.append(Crossing(at=when, cheaper_after="buy" if reached else "rent"))
            owning = reached
        value = target
    if not owning:
        return None, tuple(changes)
    return (changes[-1].at if changes else 0.0), tuple(changes)


def break_even(
    rent: Timeline,
    buy: Timeline,
    *,
    discount_rate_share_per_year: float = 0.0,
    utilisation_share: float = 1.0,
    price_usd_per_hour: float = 0.0,
) -> BreakEven:
    """Compare one rented with one owned alternative.

    Utilisation and price are closed forms: each item of a timeline either moves with use (with the rent) in
    proportion, or not at all (`planner.costs.timeline.COMPONENTS`), so the saving is a straight line in both. Whole
    billing steps (the days of a Capacity Block) are smoothed by that.

    Parameters
    ----------
    rent, buy : Timeline
        One alternative each, of the same months.
    discount_rate_share_per_year : float
        Effective annual rate.
    utilisation_share : float
        Share of the clock hours in which the work of these timelines runs.
    price_usd_per_hour : float
        Price that the rent's timeline was made with; scaled to find the price of equal cost.

    Returns
    -------
    BreakEven
    """
    rate = discount_rate_share_per_year
    saving = float(rent.present_value_usd(rate) - buy.present_value_usd(rate))
    month, plain_crossings = crossings(rent, buy)
    discounted_month, discounted = (month, plain_crossings) if rate == 0 else crossings(rent, buy, rate)
    slope = float(rent.present_value_of_usd(rate, with_use=True) - buy.present_value_of_usd(rate, with_use=True))
    share, share_crossings = _share_of_equal_cost(saving - slope, slope, utilisation_share)
    rises = float(
        rent.present_value_of_usd(rate, with_rent_price=True) - buy.present_value_of_usd(rate, with_rent_price=True)
    )
    price = None
    if rises > 0 and price_usd_per_hour > 0:
        price = max(price_usd_per_hour * (1.0 - saving / rises), 0.0)
    return BreakEven(
        saving_usd=saving,
        month=month,
        discounted_month=discounted_month,
        crossings=plain_crossings,
        discounted_crossings=discounted,
        utilisation_share=share,
        utilisation_crossings=share_crossings,
        price_usd_per_hour=price,
    )


def _share_of_equal_cost(
    saving_idle_usd: float, saving_of_use_usd: float, utilisation_share: float
) -> tuple[float | None, tuple[Crossing, ...]]:
    """Find where ``saving_idle + saving_of_use * share / utilisation_share`` is 0, for shares in 0..1."""
    if utilisation_share <= 0:
        return (0.0 if saving_idle_usd >= 0 else None), ()
    slope = saving_of_use_usd / utilisation_share
    at = -saving_idle_usd / slope if slope else np.inf
    crossing = (Crossing(at=at, cheaper_after="buy" if slope > 0 else "rent"),) if 0 < at <= 1 else ()
    if saving_idle_usd >= 0 and saving_idle_usd + slope >= 0:
        return 0.0, crossing
    return (at if crossing and slope > 0 else None), crossing


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
