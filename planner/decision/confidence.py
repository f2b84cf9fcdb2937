"""How sure a decision is: the record's weeks drawn again with other prices and demand, and what is given up where it is not sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.decision.case import Case
from planner.decision.curve import resampled_hours
from planner.errors import PlanningError
from planner.mix.capacity import DemandCurve, Tier, TierKind
from planner.mix.cheapest import cheapest_mix
from planner.uncertainty.assumptions import uncertain_of
from planner.uncertainty.draws import draw
from planner.verdict.weighing import clears_margin

SURE_SHARE = 0.8
"""Who may lose by a change in more than every fifth resample keeps what there is: it costs nothing and binds nobody."""
HOLDS_WITHIN = 0.05
"""A decision holds in a resample where it costs no more than this above the best one for that resample."""


def dispatched_usd(level: FloatArray, tiers: Sequence[Tier], machines: Mapping[str, float]) -> float:
    """Return the cost of serving a curve with machines that are there already, and the rest by the hour.

    Owned and committed machines work first, the cheapest hour first; then what is cheapest by the hour, spot up to its
    share of the demand.

    Parameters
    ----------
    level : FloatArray, shape (hours,)
        Accelerators needed.
    tiers : sequence of Tier
        All ways; one that is taken by the hour has to be without a limit, or the cost is infinite.
    machines : mapping of str to float
        How many of each owned or committed tier; none where it does not stand.

    Examples
    --------
    >>> from planner.mix.capacity import TierKind
    >>> own = Tier(name="own", kind=TierKind.OWNED, fixed_usd_per_machine_hour=2.0, units_per_machine=2)
    >>> rent = Tier(name="rent", kind=TierKind.ON_DEMAND, usd_per_unit_hour=3.0)
    >>> dispatched_usd(np.array([1.0, 4.0]), [own, rent], {"own": 1.0})
    10.0
    """
    left = level.astype(float)
    total = 0.0
    chosen = sorted((tier for tier in tiers if tier.is_chosen_once), key=lambda tier: tier.usd_per_unit_hour)
    for tier in chosen:
        count = machines.get(tier.name, 0.0)
        served = np.minimum(left, count * tier.units_per_machine * tier.availability_share)
        total += count * tier.fixed_usd_per_machine_hour * len(level)
        total += float(served.sum()) / tier.availability_share * tier.usd_per_unit_hour
        left = left - served
    hourly = [tier for tier in tiers if not tier.is_chosen_once]
    for tier in sorted(hourly, key=lambda tier: tier.usd_per_unit_hour / tier.availability_share):
        served = np.minimum(left, level * tier.max_share_of_demand)
        if tier.max_machines is not None:
            served = np.minimum(served, tier.max_machines * tier.units_per_machine * tier.availability_share)
        taken = served / tier.availability_share
        if tier.whole:
            taken = np.ceil(taken / tier.units_per_machine - 1e-9) * tier.units_per_machine
        total += float(taken.sum()) * tier.usd_per_unit_hour
        left = left - served
    return total if float(left.max(initial=0.0)) <= 1e-6 else float("inf")


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
    # Past price moves are as uncertain as future ones; the median is no change.
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


def without_doubtful_purchases(
    cases: Sequence[Case], assumptions: Assumptions, resamples: int, seed: int
) -> tuple[list[Case], FloatArray, list[Case]]:
    """Return the cases without purchases that are not sure enough, the costs of their mixes, and those where nothing is bought for that.

    Parameters
    ----------
    cases : sequence of Case
        With their cheapest mixes; at least one.
    assumptions : Assumptions
        With the margin and the confidence that a purchase takes.
    resamples, seed : int
        See `resampled_costs_usd`.

    Returns
    -------
    list of Case, FloatArray of shape (3, cases, resamples), list of Case
        The costs are what is paid, of the mix, and of the best, in USD a year.
    """
    lighter = [
        case.mixed(TierKind.COMMITTED, TierKind.SPOT) if TierKind.OWNED in case.kinds() else case for case in cases
    ]
    paid_usd, mix_usd, lighter_usd, best_usd = resampled_costs_usd(cases, lighter, assumptions, resamples, seed)
    taken, not_bought = list(cases), []
    for n, (case, other) in enumerate(zip(cases, lighter, strict=True)):
        if other is not case and not _owning_holds(case, paid_usd[n], mix_usd[n], lighter_usd[n], assumptions):
            not_bought.append(case)
            taken[n], mix_usd[n] = other, lighter_usd[n]
    return taken, np.stack([paid_usd, mix_usd, best_usd]), not_bought


def _owning_holds(
    case: Case, paid_usd: FloatArray, own_usd: FloatArray, lighter_usd: FloatArray, assumptions: Assumptions
) -> bool:
    """Tell whether to buy, as in a plan: cheaper by the margin than what binds nobody, and surely enough than all else (arrays by resample)."""
    free_usd_per_hour = min(case.paid_usd_per_hour, case.mixed(TierKind.SPOT).mix_usd_per_hour)
    if not clears_margin(case.mix_usd_per_hour, free_usd_per_hour, assumptions):
        return False
    share = float((own_usd < np.minimum(paid_usd, lighter_usd)).mean())
    return share >= assumptions["verdict.least_confidence_share"] and (own_usd < paid_usd).mean() >= SURE_SHARE


def with_sure_savings(
    cases: Sequence[Case], sure: FloatArray
) -> tuple[list[Case], FloatArray, list[tuple[Case, float]]]:
    """Return the cases whose mix saves surely enough, and the others with the share of resamples in which theirs does."""
    saves = ((sure[0] - sure[1]) > 0).mean(axis=1)
    held = np.flatnonzero(saves >= SURE_SHARE).tolist()
    doubtful = [(case, float(saves[n])) for n, case in enumerate(cases) if n not in held]
    return [cases[number] for number in held], sure[:, held, :], doubtful


def holds_share(costs_usd: FloatArray) -> float:
    """Return in which share of the resamples the mix is nearly the best: paid, mix and best of all, shape (3, resamples)."""
    return float((costs_usd[1] <= costs_usd[2] * (1 + HOLDS_WITHIN)).mean())
