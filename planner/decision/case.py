"""One accelerator on its way to a decision: its curve, what was paid for it by hour, and the cheapest mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.decision.year import HOURS_PER_YEAR, year_of
from planner.errors import NothingFitsError
from planner.mix import MixResult, cheapest_mix
from planner.mix_tiers import tiers_of_offers
from planner.options.owned import OwnableServer
from planner.tiers import DemandCurve, Tier, TierKind
from planner.usage.bill import PLAN_WORD
from planner.usage.summary import COMMITTED, Usage
from pricing.catalog import Catalog
from pricing.errors import PricingError

__all__ = ["Case", "case_of"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One accelerator on its way to a decision.

    Attributes
    ----------
    gpu : str
        Canonical name.
    level : FloatArray, shape (hours,)
        Accelerators in use; of a record of more than a year the last year.
    open_usd, fixed_usd : FloatArray, shape (hours,)
        Effective cost by hour: outside commitments; and of what was committed or reserved, used or not.
    tiers : tuple of Tier
        What can be chosen from.
    servers : tuple of OwnableServer
        That hold this accelerator.
    best : MixResult
        The cheapest mix for the whole curve.
    now_usd_per_hour : float
        The cheapest mix for the hours outside today's commitments.
    """

    gpu: str
    level: FloatArray
    open_usd: FloatArray
    fixed_usd: FloatArray
    tiers: tuple[Tier, ...]
    servers: tuple[OwnableServer, ...]
    best: MixResult
    now_usd_per_hour: float

    @property
    def hours(self) -> int:
        """Length of the curve that the mix is for."""
        return len(year_of(self.level))

    @property
    def open_usd_per_hour(self) -> float:
        """What an hour cost outside commitments."""
        return float(self.open_usd.mean())

    @property
    def paid_usd_per_hour(self) -> float:
        """What an hour cost in all."""
        return float(self.open_usd.mean() + self.fixed_usd.mean())

    @property
    def mix_usd_per_hour(self) -> float:
        """What an hour of the mix costs."""
        return self.best.total_usd / self.hours

    def machines(self) -> dict[str, float]:
        """Return how many of each tier are kept."""
        return {use.name: use.machines for use in self.best.tiers}


def case_of(
    usage: Usage, gpu: str, catalog: Catalog, servers: Sequence[OwnableServer], beliefs: Assumptions, months: int
) -> Case | str:
    """Return what is known of one accelerator and its cheapest mix, or why there is none.

    Parameters
    ----------
    usage : Usage
        From a bill.
    gpu : str
        One of its accelerators.
    catalog : Catalog
        Offers to choose from.
    servers : sequence of OwnableServer
        Servers to choose from.
    beliefs : Assumptions
        Ownership, money, spot.
    months : int
        Over which an owned server is counted.
    """
    try:
        offers = catalog.select(accelerators=[gpu])
    except PricingError:
        return "the catalogue does not know it"
    own = tuple(one for one in servers if one.machine.accelerator and one.machine.accelerator.name == gpu)
    try:
        tiers = tiers_of_offers(offers, own, beliefs, months=months)
    except NothingFitsError:
        return "no offer and no server of it is known"
    if not any(tier.kind is TierKind.ON_DEMAND for tier in tiers):
        return "no on-demand offer is left to serve its peaks"
    table = usage.table
    mine = table.equals("gpu", gpu)
    used, committed = table.equals("state", "used"), table.equals("option", *COMMITTED)

    def by_hour(values: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
        hour = table.hour[mask] - usage.first_hour
        inside = (hour >= 0) & (hour < usage.hours)
        level: FloatArray = np.bincount(hour[inside], weights=values[mask][inside], minlength=usage.hours).astype(float)
        return level[-HOURS_PER_YEAR:]

    level = usage.levels[gpu][-HOURS_PER_YEAR:]
    if not level.any():
        return "it was not used in the last year"
    # What is committed and not used could serve first: it is paid either way.
    left = np.maximum(level - by_hour(table.values["gpu_hours"], mine & committed), 0.0)
    best = cheapest_mix(DemandCurve(units=year_of(level)), tiers)
    now = cheapest_mix(DemandCurve(units=year_of(left)), tiers).total_usd if left.any() else 0.0
    effective = table.values["effective_usd"]
    open_now = used & ~committed
    return Case(
        gpu=gpu,
        level=level,
        open_usd=by_hour(effective, mine & open_now),
        fixed_usd=by_hour(effective, mine & ~open_now) + by_hour(*_plan_waste(usage, mine & used)),
        tiers=tiers,
        servers=own,
        best=best,
        now_usd_per_hour=now / len(year_of(level)),
    )


def _plan_waste(usage: Usage, mine: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the unused part of savings plans that falls to an accelerator, by row, and which rows have one.

    It is tied to no machine; it falls to each accelerator as far as the plan's use was of it, by cost.
    """
    table = usage.table
    plans = table.equals("gpu", PLAN_WORD)
    codes, cost = table.codes["commitment"], table.values["effective_usd"]
    count = len(table.words["commitment"])
    used = table.equals("state", "used")
    of_all = np.bincount(codes[used], weights=cost[used], minlength=count)
    of_it = np.bincount(codes[mine], weights=cost[mine], minlength=count)
    share = np.divide(of_it, of_all, out=np.zeros(count), where=of_all > 0)
    return cost * share[codes], plans
