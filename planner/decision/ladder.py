"""The ladder: what each further purchase option would save, from on demand alone to commitments, spot and owned servers."""

from __future__ import annotations

from collections.abc import Sequence

from planner.assumptions import Assumptions
from planner.decision.answer import Step
from planner.decision.case import Case
from planner.tiers import Tier, TierKind

STEPS = (
    (TierKind.ON_DEMAND, ()),
    (TierKind.COMMITTED, (TierKind.COMMITTED,)),
    (TierKind.SPOT, (TierKind.COMMITTED, TierKind.SPOT)),
    (TierKind.OWNED, (TierKind.COMMITTED, TierKind.SPOT, TierKind.OWNED)),
)


def ladder_of(cases: Sequence[Case], assumptions: Assumptions) -> tuple[Step, ...]:
    """Return the steps that add anything; the first is on demand alone.

    Parameters
    ----------
    cases : sequence of Case
        All machines that were looked at, changed or not.
    assumptions : Assumptions
        Hours of a month.
    """
    per_month = assumptions["money.hours_per_month"]
    paid = sum(case.paid_usd_per_hour for case in cases) * per_month
    steps: list[Step] = []
    for kind, kinds in STEPS:
        if kind is not TierKind.ON_DEMAND and not any(tier.kind is kind for case in cases for tier in case.tiers):
            continue
        mixes = [case.mixed(*kinds) for case in cases]
        usd = sum(case.mix_usd_per_hour for case in mixes) * per_month
        chosen = [(case, tier, case.machines().get(tier.name, 0.0)) for case in mixes for tier in case.tiers]
        fixed = sum(
            count * tier.fixed_usd_per_machine_hour for _, tier, count in chosen if tier.kind is TierKind.COMMITTED
        )
        shares = [
            share
            for case, tier, count in chosen
            if tier.kind is kind and count > 0 and (share := _break_even(case, tier)) is not None
        ]
        steps.append(
            Step(
                kind=kind.value,
                usd_per_month=usd,
                saving_usd_per_month=paid - usd,
                committed_usd_per_month=fixed * per_month,
                capex_usd=sum(count * tier.capex_usd_per_machine for _, tier, count in chosen),
                break_even_use_share=max(shares, default=None),
            )
        )
    return tuple(steps)


def _break_even(case: Case, tier: Tier) -> float | None:
    """Return from which share of the hours on a machine that is always paid costs less than on demand."""
    prices = [other.usd_per_unit_hour for other in case.tiers if other.kind is TierKind.ON_DEMAND]
    fixed = tier.fixed_usd_per_machine_hour / tier.units_per_machine
    saved = min(prices) - tier.usd_per_unit_hour
    return fixed / saved if saved > 0 and fixed > 0 else None
