"""One owned server against many rents: from which share of the time on it wins, and why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray
from planner.costs.breakeven import crossings
from planner.costs.timeline import Timeline
from planner.errors import PlanningError
from planner.notes import Note, NoteCode
from pricing.clock import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A rent held against an owned server.

    Attributes
    ----------
    usd_per_gpu_hour : float
        The rent, paid for hours used only.
    utilisation_share : float or None
        Share of the clock hours from which on owning is cheaper over the horizon; None for never.
    full_use_month : float or None
        Month from which on an always busy server has cost less (NPV); None for never.
    because : Note
        Why, with the figures.
    """

    usd_per_gpu_hour: float
    utilisation_share: float | None
    full_use_month: float | None
    because: Note


def own_usd_per_gpu_hour(
    busy: Timeline,
    *,
    gpu_count: float,
    utilisation_share: float | FloatArray = 1.0,
    discount_rate_share_per_year: float = 0.0,
    hours_per_month: float = HOURS_PER_MONTH,
) -> FloatArray:
    """Return what an hour of work costs on an owned server, by the share of hours in which it works.

    Parameters
    ----------
    busy : Timeline
        The server when it works all the time (a busy share of 1, no lead time).
    gpu_count : float
        Accelerators in it.
    utilisation_share : float or FloatArray
        Above 0.
    discount_rate_share_per_year, hours_per_month : float
        How money and hours are counted.
    """
    share = np.asarray(utilisation_share, dtype=float)
    if not np.all(share > 0):
        raise PlanningError("an hour of work has a cost only where there is work: the share must be above 0")
    fixed, with_use = busy.usd_per_clock_hour(discount_rate_share_per_year, hours_per_month)
    return np.asarray((fixed / share + with_use) / gpu_count)


def rivals(
    busy: Timeline,
    prices_usd_per_gpu_hour: Sequence[float],
    *,
    gpu_count: float,
    discount_rate_share_per_year: float = 0.0,
    hours_per_month: float = HOURS_PER_MONTH,
) -> tuple[Rival, ...]:
    """Hold rents that are paid by the hour used against an owned server.

    Parameters
    ----------
    busy : Timeline
        The server when it works all the time (a busy share of 1, no lead time).
    prices_usd_per_gpu_hour : sequence of float
        The rents.
    gpu_count : float
        Accelerators in the server.
    discount_rate_share_per_year, hours_per_month : float
        How money and hours are counted.

    Returns
    -------
    tuple of Rival
        In the order of the prices.
    """
    rate = discount_rate_share_per_year
    fixed, with_use = (usd / gpu_count for usd in busy.usd_per_clock_hour(rate, hours_per_month))
    results = []
    for price in prices_usd_per_gpu_hour:
        share = None
        if price > with_use and fixed <= price - with_use:
            share = max(fixed / (price - with_use), 0.0)
        month, _ = crossings(_hourly_rent(price * gpu_count * hours_per_month, busy), busy, rate)
        results.append(
            Rival(
                usd_per_gpu_hour=price,
                utilisation_share=share,
                full_use_month=month,
                because=Note(NoteCode.OWNED_HOUR, (fixed + with_use, price, share)),
            )
        )
    return tuple(results)


def _hourly_rent(usd_per_month: float, like: Timeline) -> Timeline:
    cash = np.zeros((1, like.months + 1))
    cash[0, 1:] = usd_per_month
    return Timeline(("on_demand",), cash, like.useful_gpu_hours)
