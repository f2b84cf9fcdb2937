"""The decision: for each accelerator the cheapest mix for its curve, against what was paid for the same hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.costs.rivals import rivals
from planner.costs.uncertainty import Uncertain, draw
from planner.decision.answer import Decision, GpuDecision, OwnBreakEven, Part, SwitchOff
from planner.decision.dispatch import dispatched_usd
from planner.decision.year import HOURS_PER_YEAR, block_hours, resampled_hours, year_of
from planner.errors import InputError, NothingFitsError, PlanningError
from planner.mix import MixResult, cheapest_mix
from planner.mix_tiers import owned_timeline_of, tiers_of_offers
from planner.options.owned import OwnableServer
from planner.options.servers import ownable_servers
from planner.tiers import DemandCurve, Tier, TierKind
from planner.usage.choice import chosen_gpu
from planner.usage.curve import level_held
from planner.usage.summary import COMMITTED, Usage
from pricing.catalog import Catalog
from pricing.errors import PricingError

__all__ = ["decide"]

FloatArray = NDArray[np.float64]
LEAST_SHARE = 0.01
"""An accelerator with less of the hours than this keeps what it has; nothing is decided for it."""
HOLDS_WITHIN = 0.05
"""A decision holds in a resample where it costs no more than this above the best one for that resample."""
SEASONS_HOURS = 2 * HOURS_PER_YEAR


@dataclass(slots=True)
class _Case:
    """One accelerator on its way to a decision."""

    gpu: str
    level: FloatArray
    held: FloatArray
    open_usd: FloatArray
    fixed_usd: FloatArray
    tiers: tuple[Tier, ...]
    servers: tuple[OwnableServer, ...]
    best: MixResult
    now: MixResult | None

    def dearer_usd(self, hours_per_month: float) -> float:
        """Return by how much the mix is dearer than what was paid, a month."""
        paid = float(self.open_usd.sum() + self.fixed_usd.sum()) / len(self.level)
        return (self.best.total_usd / HOURS_PER_YEAR - paid) * hours_per_month

    def machines(self) -> dict[str, float]:
        return {use.name: use.machines for use in self.best.tiers}


def decide(
    usage: Usage,
    catalog: Catalog,
    beliefs: Assumptions,
    *,
    gpu: str = "",
    months: int = 36,
    resamples: int = 100,
    seed: int = 0,
) -> Decision:
    """Decide for each accelerator with enough use.

    Parameters
    ----------
    usage : Usage
        With a bill: without what was paid there is nothing to save.
    catalog : Catalog
        Offers to choose from. Where it still holds every provider, those of the bill are taken: a move to another
        provider is more than a price.
    beliefs : Assumptions
        Ownership, money, spot, and how far prices and demand may go.
    gpu : str
        Only this accelerator.
    months : int
        Over which an owned server is counted.
    resamples : int
        0 for none.
    seed : int
        Of the resamples.

    Raises
    ------
    InputError
        There is no bill.
    NothingFitsError
        No accelerator has both enough use and an offer.
    """
    if usage.effective_usd is None:
        raise InputError("a decision needs a bill: records alone do not say what was paid", where="--decide")
    catalog, scope_note = _scope(usage, catalog)
    wanted = chosen_gpu(usage, gpu) if gpu else ""
    servers = ownable_servers(beliefs)
    cases, kept = [], []
    for name, level in usage.levels.items():
        if wanted and name != wanted:
            continue
        if float(level.sum()) < LEAST_SHARE * usage.gpu_hours and not wanted:
            kept.append((name, "too little use"))
            continue
        case = _case(usage, name, level, catalog, servers, beliefs, months)
        if isinstance(case, str):
            kept.append((name, case))
        elif (dearer := case.dearer_usd(beliefs["money.hours_per_month"])) > 0:
            kept.append((name, f"what is paid now is {dearer:,.0f} USD a month less than any mix of these offers"))
        else:
            cases.append(case)
    if not cases:
        raise NothingFitsError(
            "nothing is to be changed, or can be: " + "; ".join(f"{name}: {why}" for name, why in kept),
            hint="see --provider, --gpu",
        )
    to_months = beliefs["money.hours_per_month"] / usage.hours
    sure = _resampled(cases, beliefs, resamples, seed)
    found = [
        _decided(case, beliefs, months, to_months, None if sure is None else sure[:, number, :])
        for number, case in enumerate(cases)
    ]
    return _whole(
        usage,
        found,
        kept,
        sure,
        to_months,
        catalog,
        scope_note,
        wanted,
        months,
        beliefs["money.hours_per_month"] / HOURS_PER_YEAR,
    )


def _scope(usage: Usage, catalog: Catalog) -> tuple[Catalog, str]:
    ours = [group.name for group in usage.groups.get("provider", ()) if group.name]
    there = {offer.provider for offer in catalog.offers}
    known = [name for name in ours if name in there]
    # A catalogue that was narrowed by its user stays as it is.
    if any(step.name.startswith("from ") for step in catalog.funnel) or not known:
        return catalog, ""
    note = f"offers of the bill's own providers were considered ({', '.join(known)}); --provider names others"
    return catalog.select(providers=known), note


def _case(
    usage: Usage,
    gpu: str,
    level: FloatArray,
    catalog: Catalog,
    servers: Sequence[OwnableServer],
    beliefs: Assumptions,
    months: int,
) -> _Case | str:
    """Return what is known of one accelerator and its cheapest mix, or why there is none."""
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

    def by_hour(value: str, mask: NDArray[np.bool_]) -> FloatArray:
        return table.level(value, usage.first_hour, usage.hours, mine & mask)

    held = by_hour("gpu_hours", committed)
    left = np.maximum(level - held, 0.0)
    best = cheapest_mix(DemandCurve(units=year_of(level)), tiers)
    now = cheapest_mix(DemandCurve(units=year_of(left)), tiers) if left.any() else None
    open_now = used & ~committed
    return _Case(
        gpu=gpu,
        level=level,
        held=held,
        open_usd=by_hour("effective_usd", open_now),
        fixed_usd=by_hour("effective_usd", ~open_now),
        tiers=tiers,
        servers=own,
        best=best,
        now=now,
    )


def _resampled(cases: Sequence[_Case], beliefs: Assumptions, resamples: int, seed: int) -> FloatArray | None:
    """Return paid, mix and best cost of each resample and case in USD a year, shape (3, cases, resamples).

    Each resample draws weeks of the record, and how prices and demand go on; all accelerators share both.
    """
    if resamples == 0:
        return None
    rng = np.random.default_rng(seed)
    inputs = [_uncertain(beliefs, name) for name in ("risk.server_price_ratio", "risk.demand_ratio")]
    inputs.append(_uncertain(beliefs, "rent.price_change_share_per_year"))
    together = {
        ("rent.price_change_share_per_year", "risk.demand_ratio"): beliefs["risk.correlation_rent_demand_share"]
    }
    drawn = draw(inputs, together, resamples, rng)
    costs = np.zeros((3, len(cases), resamples))
    hours = len(cases[0].level)
    for number in range(resamples):
        picked = resampled_hours(hours, rng)
        rent = (1.0 + drawn["rent.price_change_share_per_year"][number]) ** 0.5  # the mean of a year is its middle
        server, demand = drawn["risk.server_price_ratio"][number], drawn["risk.demand_ratio"][number]
        for row, case in enumerate(cases):
            tiers = [_repriced(tier, rent, server) for tier in case.tiers]
            level = np.ceil(case.level[picked] * demand - 1e-9)
            costs[0, row, number] = float(case.open_usd[picked].sum()) * demand * rent + float(
                case.fixed_usd[picked].sum()
            )
            costs[1, row, number] = dispatched_usd(level, tiers, case.machines())
            try:
                best = cheapest_mix(DemandCurve(units=level), tiers, time_limit_s=5.0).total_usd if level.any() else 0.0
            except PlanningError:
                best = costs[1, row, number]
            costs[2, row, number] = min(best, costs[1, row, number])
    return costs


def _uncertain(beliefs: Assumptions, name: str) -> Uncertain:
    row = beliefs.rows[name]
    kind: Literal["amount", "change"] = "amount" if name.endswith("_ratio") else "change"
    return Uncertain(name=name, low=row.low, typical=row.value, high=row.high, kind=kind)


def _repriced(tier: Tier, rent_ratio: float, server_ratio: float) -> Tier:
    """Return a tier at other prices; a commitment holds its price, which is what it is bought for."""
    match tier.kind:
        case TierKind.OWNED:
            return replace(tier, fixed_usd_per_machine_hour=tier.fixed_usd_per_machine_hour * server_ratio)
        case TierKind.COMMITTED:
            return tier
        case _:
            return replace(tier, usd_per_unit_hour=tier.usd_per_unit_hour * rent_ratio)


def _decided(case: _Case, beliefs: Assumptions, months: int, to_months: float, sure: FloatArray | None) -> GpuDecision:
    a_year_to_month = beliefs["money.hours_per_month"] / HOURS_PER_YEAR
    open_now = float(case.open_usd.sum()) * to_months
    paid = open_now + float(case.fixed_usd.sum()) * to_months
    mixed = case.best.total_usd * a_year_to_month
    by_name = {tier.name: tier for tier in case.tiers}
    parts = tuple(
        Part(
            kind=by_name[use.name].kind.value,
            name=use.name,
            machines=use.machines,
            gpus=use.machines * by_name[use.name].units_per_machine,
            gpu_hours_per_month=use.unit_hours * a_year_to_month,
            idle_gpu_hours_per_month=use.idle_unit_hours * a_year_to_month,
            usd_per_month=(use.fixed_usd + use.variable_usd) * a_year_to_month,
        )
        for use in case.best.tiers
        if use.machines > 0 or use.unit_hours > 1e-9
    )
    now_cost = (case.now.total_usd if case.now else 0.0) * a_year_to_month
    low = high = holds = saves = None
    if sure is not None:
        saved = (sure[0] - sure[1]) * a_year_to_month
        low, high = (float(x) for x in np.quantile(saved, [0.1, 0.9]))
        holds = float((sure[1] <= sure[2] * (1 + HOLDS_WITHIN)).mean())
        saves = float((saved > 0).mean())
    return GpuDecision(
        gpu=case.gpu,
        mean_gpus=float(case.level.mean()),
        peak_gpus=float(case.level.max()),
        base_gpus=level_held(case.level, 0.9),
        paid_usd_per_month=paid,
        mix_usd_per_month=mixed,
        saving_usd_per_month=paid - mixed,
        now_paid_usd_per_month=open_now,
        now_saving_usd_per_month=max(open_now - now_cost, 0.0),
        parts=parts,
        break_even=_own_break_even(case, paid, beliefs, months, to_months),
        saving_low_usd_per_month=low,
        saving_high_usd_per_month=high,
        holds_share=holds,
        saves_share=saves,
    )


def _own_break_even(
    case: _Case, paid_usd_per_month: float, beliefs: Assumptions, months: int, to_months: float
) -> OwnBreakEven | None:
    if not case.servers:
        return None
    server = min(case.servers, key=lambda one: one.price_usd / one.machine.accelerator_count)
    price = paid_usd_per_month / (float(case.level.sum()) * to_months)
    if price <= 0:
        return None
    busy = owned_timeline_of(server, beliefs, months=months)
    rival = rivals(
        busy,
        [price],
        gpu_count=server.machine.accelerator_count,
        discount_rate_share_per_year=beliefs["money.discount_rate_share_per_year"],
        hours_per_month=beliefs["money.hours_per_month"],
    )[0]
    base = level_held(case.level, 0.9)
    return OwnBreakEven(
        server=server.name,
        paid_usd_per_gpu_hour=price,
        utilisation_share=rival.utilisation_share,
        month=rival.full_use_month,
        base_use_share=float(np.minimum(case.level, base).mean() / base) if base > 0 else 0.0,
        because=rival.because,
    )


def _switch_off(usage: Usage, to_months: float) -> tuple[SwitchOff, ...]:
    found = []
    if usage.commitments is not None:
        table = usage.table
        hours = table.by("commitment", "gpu_hours", table.equals("state", "unused"))
        found += [
            SwitchOff(
                what=f"commitment {name or '(no name)'}: {unused / (used + unused):.0%} of it is not used",
                usd_per_month=unused * to_months,
                gpu_hours_per_month=hours.get(name, 0.0) * to_months,
                when="at its end, or by exchange or sale where its terms allow it; do not renew this part",
                is_saved_by_mix=True,
            )
            for name, used, unused in usage.commitments.by_commitment
            if unused > 0
        ]
        reserved = usage.commitments.unused_reservation_usd
        if reserved > 0:
            found.append(
                SwitchOff(
                    what="capacity reservations that nothing runs in",
                    usd_per_month=reserved * to_months,
                    gpu_hours_per_month=max(usage.unused_gpu_hours - usage.commitments.unused_gpu_hours, 0.0)
                    * to_months,
                    when="now: cancel them",
                    is_saved_by_mix=True,
                )
            )
    if usage.idle_share and usage.effective_usd is not None:
        each = (usage.effective_usd - (usage.unused_usd or 0.0)) / usage.gpu_hours
        idle = usage.idle_share * usage.gpu_hours * to_months
        found.append(
            SwitchOff(
                what=f"allocated and not busy: {usage.idle_share:.0%} of the hours, by the cluster's own counters",
                usd_per_month=idle * each,
                gpu_hours_per_month=idle,
                when="as jobs allow: time limits on idle allocations, smaller allocations, sharing",
                is_saved_by_mix=False,
            )
        )
    return tuple(sorted(found, key=lambda one: -one.usd_per_month))


def _whole(
    usage: Usage,
    found: Sequence[GpuDecision],
    kept: Sequence[tuple[str, str]],
    sure: FloatArray | None,
    to_months: float,
    catalog: Catalog,
    scope_note: str,
    wanted: str,
    months: int,
    a_year_to_month: float,
) -> Decision:
    assert usage.effective_usd is not None
    decided_paid = sum(one.paid_usd_per_month for one in found)
    switch_off = _switch_off(usage, to_months)
    plan_waste = usage.table.total("effective_usd", usage.table.equals("gpu", "any (savings plan)")) * to_months
    # A savings plan's unused rest is of no accelerator; nobody would buy that part again.
    total_paid = decided_paid if wanted else usage.effective_usd * to_months
    extra = 0.0 if wanted else plan_waste
    saving = sum(one.saving_usd_per_month for one in found) + extra
    low = high = holds = None
    resamples = 0
    if sure is not None:
        resamples = sure.shape[2]
        saved = (sure[0] - sure[1]).sum(axis=0) * a_year_to_month + extra
        low, high = (float(x) for x in np.quantile(saved, [0.1, 0.9]))
        holds = float((sure[1].sum(axis=0) <= sure[2].sum(axis=0) * (1 + HOLDS_WITHIN)).mean())
    return Decision(
        gpus=tuple(sorted(found, key=lambda one: -one.paid_usd_per_month)),
        switch_off=switch_off,
        paid_usd_per_month=total_paid,
        after_usd_per_month=total_paid - saving,
        saving_usd_per_month=saving,
        now_saving_usd_per_month=sum(one.now_saving_usd_per_month for one in found),
        saving_share=saving / total_paid if total_paid > 0 else 0.0,
        saving_low_usd_per_month=low,
        saving_high_usd_per_month=high,
        holds_share=holds,
        kept=tuple(kept),
        providers=tuple(sorted({offer.provider for offer in catalog.offers})),
        resamples=resamples,
        notes=tuple(_notes(usage, scope_note, months)),
    )


def _notes(usage: Usage, scope_note: str, months: int) -> list[str]:
    notes = [scope_note] if scope_note else []
    days = usage.hours / 24
    if usage.hours < HOURS_PER_YEAR:
        notes.append(f"{days:.0f} days of use are repeated to a year")
    if usage.hours < SEASONS_HOURS:
        notes.append(
            f"{days:.0f} days cannot show seasons or growth; the resamples move demand as risk.demand_ratio says"
        )
    if block_hours(usage.hours) < 168:
        notes.append("less than two weeks were recorded: the resamples draw days, and know nothing of weeks")
    notes.append(
        "today's commitments are paid until they end: the whole saving comes then, the part that comes at once is told apart"
    )
    notes.append(f"an owned server stands in colocation over {months} months and is counted as if delivered at once")
    notes.append("offers may be in other regions than the use is; data transfer and migration are not in the saving")
    return notes
