"""What each further purchase option saves, from on demand alone to owned servers, and what is paid for and does nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from planner.assumptions import Assumptions
from planner.decision.answer import Step, SwitchOff
from planner.decision.case import Case
from planner.mix.capacity import Tier, TierKind
from planner.usage.answer import COMMITTED, Usage

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


def switch_off_of(
    usage: Usage, to_months: float, gpus: Collection[str], changed: Collection[str], sized: Collection[str] = ()
) -> tuple[SwitchOff, ...]:
    """Return what is paid for and does nothing, the dearest first.

    Parameters
    ----------
    usage : Usage
        From a bill, perhaps with counters.
    to_months : float
        A month's hours over those of the record.
    gpus : collection of str
        The accelerators that are asked about.
    changed : collection of str
        Those for which a mix was found: its saving holds what they leave unused already.
    sized : collection of str
        Those whose mix is for the machines on which something worked.
    """
    items = [*_commitments(usage, to_months, gpus, changed)]
    usd_per_hour = _usd_per_used_hour(usage)
    items += [
        SwitchOff(
            code="idle",
            name=idle.gpu,
            share=idle.share,
            seen_gpu_hours=idle.seen_gpu_hours,
            usd_per_month=idle.gpu_hours_per_month * usd_per_hour.get(idle.gpu, usd_per_hour[""]),
            gpu_hours_per_month=idle.gpu_hours_per_month,
            is_saved_by_mix=idle.gpu in sized or (not idle.gpu and bool(sized)),
        )
        for idle in usage.idle
        if idle.gpu_hours > 0 and (not idle.gpu or idle.gpu in gpus)
    ]
    return tuple(sorted(items, key=lambda idle: -idle.usd_per_month))


def _usd_per_used_hour(usage: Usage) -> dict[str, float]:
    """Return what an hour in use cost, by accelerator and (under no name) of all; what nothing used is told apart."""
    table = usage.table
    used = table.equals("state", "used")
    hours, cost = table.by("gpu", "gpu_hours", used), table.by("gpu", "effective_usd", used)
    by_gpu = {name: cost[name] / value for name, value in hours.items() if name and value > 0}
    total = sum(hours.values())
    return by_gpu | {"": sum(cost.values()) / total if total > 0 else 0.0}


def _commitments(
    usage: Usage, to_months: float, gpus: Collection[str], changed: Collection[str]
) -> Iterator[SwitchOff]:
    if usage.commitments is None:
        return
    table = usage.table
    hours = table.by("commitment", "gpu_hours", table.equals("state", "unused"))
    asked, moved = (set(table.by("commitment", "gpu_hours", table.equals("gpu", *names))) for names in (gpus, changed))
    for name, used, unused in usage.commitments.by_commitment:
        if unused > 0 and name in asked:
            yield SwitchOff(
                code="unused_commitment",
                name=name,
                share=unused / (used + unused),
                usd_per_month=unused * to_months,
                gpu_hours_per_month=hours.get(name, 0.0) * to_months,
                is_saved_by_mix=name in moved,
            )
    reserved = table.equals("state", "unused") & ~table.equals("option", *COMMITTED) & table.equals("gpu", *gpus)
    if (cost := table.total("effective_usd", reserved)) > 0:
        yield SwitchOff(
            code="unused_reservation",
            usd_per_month=cost * to_months,
            gpu_hours_per_month=table.total("gpu_hours", reserved) * to_months,
            is_saved_by_mix=not table.total("effective_usd", reserved & ~table.equals("gpu", *changed)),
        )
