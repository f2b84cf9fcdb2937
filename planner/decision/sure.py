"""How sure a decision is, and what of it is given up where it is not sure enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.decision.case import Case
from planner.decision.resampling import resampled_costs_usd
from planner.tiers import TierKind

SURE_SHARE = 0.8
"""Who may lose by a change in more than every fifth resample keeps what there is: it costs nothing and binds nobody."""
HOLDS_WITHIN = 0.05
"""A decision holds in a resample where it costs no more than this above the best one for that resample."""


def bought_where_it_holds(
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
    if case.mix_usd_per_hour > (1.0 - assumptions["verdict.buy_margin_share"]) * free_usd_per_hour:
        return False
    share = float((own_usd < np.minimum(paid_usd, lighter_usd)).mean())
    return share >= assumptions["verdict.least_confidence_share"] and (own_usd < paid_usd).mean() >= SURE_SHARE


def those_that_hold(cases: Sequence[Case], sure: FloatArray) -> tuple[list[Case], FloatArray, list[tuple[Case, float]]]:
    """Return the cases whose mix saves surely enough, and the others with the share of resamples in which theirs does."""
    saves = ((sure[0] - sure[1]) > 0).mean(axis=1)
    held = np.flatnonzero(saves >= SURE_SHARE).tolist()
    doubtful = [(case, float(saves[n])) for n, case in enumerate(cases) if n not in held]
    return [cases[number] for number in held], sure[:, held, :], doubtful


def holds_share(costs_usd: FloatArray) -> float:
    """Return in which share of the resamples the mix is nearly the best: paid, mix and best of all, shape (3, resamples)."""
    return float((costs_usd[1] <= costs_usd[2] * (1 + HOLDS_WITHIN)).mean())
