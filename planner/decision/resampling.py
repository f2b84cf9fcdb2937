"""How sure a decision is: the record's weeks drawn again, with other prices and another demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.uncertainty import draw
from planner.decision.case import Case
from planner.decision.dispatch import dispatched_usd
from planner.decision.year import resampled_hours
from planner.drawn import uncertain_of
from planner.errors import PlanningError
from planner.mix.mix import cheapest_mix
from planner.tiers import DemandCurve, Tier, TierKind


def resampled_costs_usd(
    cases: Sequence[Case], lighter: Sequence[Case], assumptions: Assumptions, resamples: int, seed: int
) -> FloatArray:
    """Return paid, mix, lighter mix and best cost of each resample and case in USD a year, shape (4, cases, resamples).

    The best is the cheapest of keeping what there is, the mix, and any other mix. Each resample draws weeks of the record, and how prices and demand go on; all accelerators share both.

    Parameters
    ----------
    cases : sequence of Case
        Those with curves of one length share the weeks that are drawn.
    lighter : sequence of Case
        The same with the mix that buys nothing.
    assumptions : Assumptions
        How far rents, server prices and demand may go.
    resamples : int
        How many, at least one.
    seed : int
        The same draws the same.
    """
    rng = np.random.default_rng(seed)
    names = ("risk.server_price_ratio", "risk.demand_ratio", "rent.price_change_share_per_year")
    inputs = [uncertain_of(assumptions.rows[name]) for name in names]
    together = {
        ("rent.price_change_share_per_year", "risk.demand_ratio"): assumptions["risk.correlation_rent_demand_share"]
    }
    drawn = draw(inputs, together, resamples, rng)
    # How a price went since it was seen is known as little as how it will go on; in the middle it stands where it stood.
    price = inputs[-1]
    since = (1.0 + draw([price], {}, resamples, np.random.default_rng([seed, 1]))[price.name]) / (1.0 + price.typical)
    costs = np.zeros((4, len(cases), resamples))
    lengths = sorted({len(case.level) for case in cases})
    for number in range(resamples):
        weeks = {hours: resampled_hours(hours, rng) for hours in lengths}
        rent = (1.0 + drawn["rent.price_change_share_per_year"][number]) ** 0.5  # the mean of a year is its middle
        server, demand = drawn["risk.server_price_ratio"][number], drawn["risk.demand_ratio"][number]
        for row, case in enumerate(cases):
            picked = weeks[len(case.level)]
            tiers = [
                _repriced(tier, rent, server, since[number] ** case.price_age_years.get(tier.name, 0.0))
                for tier in case.tiers
            ]
            before = case.level[picked]
            level = _scaled(before, demand, rng)
            # Who needs more pays more, as for the rest; what is committed is paid either way.
            ratio = np.divide(level, before, out=np.ones(len(level)), where=before > 0)
            open_usd, fixed_usd = case.open_usd[picked] * ratio, case.fixed_usd[picked]
            costs[0, row, number] = float(open_usd.sum()) * rent + float(fixed_usd.sum())
            costs[1, row, number] = dispatched_usd(level, tiers, case.machines())
            costs[2, row, number] = dispatched_usd(level, tiers, lighter[row].machines())
            try:
                best = cheapest_mix(DemandCurve(units=level), tiers, time_limit_s=5.0).total_usd if level.any() else 0.0
            except PlanningError:
                best = costs[1, row, number]
            costs[3, row, number] = min(best, *costs[:3, row, number])
    return costs


def _scaled(level: FloatArray, demand_ratio: float, rng: np.random.Generator) -> FloatArray:
    """Return another demand in the steps of the record (a fleet of 8-GPU machines moves by 8), right on average.

    Rounding up would make every fleet a machine larger, and every mix dearer than what was paid.
    """
    near = np.rint(level)
    step = float(np.gcd.reduce(near.astype(np.int64))) if np.allclose(level, near, atol=1e-6) else 1.0
    if demand_ratio == 1.0 or step == 0.0:
        return level
    return step * np.floor(level * demand_ratio / step + rng.random(len(level)))


def _repriced(tier: Tier, rent_ratio: float, server_ratio: float, aged_ratio: float) -> Tier:
    """Return a tier at other prices; a commitment holds the price that it is bought at, which is what it is bought for."""
    match tier.kind:
        case TierKind.OWNED:
            fixed, hourly = server_ratio, 1.0
        case TierKind.COMMITTED:
            fixed, hourly = aged_ratio, aged_ratio
        case _:
            fixed, hourly = 1.0, rent_ratio * aged_ratio
    return replace(
        tier,
        fixed_usd_per_machine_hour=tier.fixed_usd_per_machine_hour * fixed,
        usd_per_unit_hour=tier.usd_per_unit_hour * hourly,
    )
