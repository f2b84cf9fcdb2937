"""The decision: for each accelerator the cheapest mix for its curve, against what was paid for the same hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.costs.rivals import rivals
from planner.decision.answer import Decision, GpuDecision, OwnBreakEven, Part, SwitchOff
from planner.decision.case import Case, case_of
from planner.decision.resampling import resampled_costs_usd
from planner.decision.switch_off import switch_off_of
from planner.decision.year import HOURS_PER_YEAR, block_hours
from planner.errors import InputError, NothingFitsError
from planner.mix_tiers import owned_timeline_of
from planner.options.servers import ownable_servers
from planner.usage.choice import chosen_gpu
from planner.usage.curve import BASE_SHARE, level_held
from planner.usage.summary import Usage
from pricing.catalog import Catalog

__all__ = ["decide"]

FloatArray = NDArray[np.float64]
LEAST_SHARE = 0.01
"""An accelerator with less of the hours than this keeps what it has; nothing is decided for it."""
LEAST_SAVING_SHARE = 0.005
"""Who would save less than this of what was paid keeps what there is: bills and price lists are no more exact."""
HOLDS_WITHIN = 0.05
"""A decision holds in a resample where it costs no more than this above the best one for that resample."""
SEASONS_HOURS = 2 * HOURS_PER_YEAR


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
        No accelerator has both enough use and an offer: nothing can be compared. (Where everything is cheapest as it is, the decision
        has no accelerators, and saves nothing.)
    """
    if usage.effective_usd is None:
        raise InputError("a decision needs a bill: records alone do not say what was paid", where="--decide")
    catalog, scope_note = _scope(usage, catalog)
    wanted = chosen_gpu(usage, gpu) if gpu else ""
    servers = ownable_servers(beliefs)
    per_month = beliefs["money.hours_per_month"]
    cases: list[Case] = []
    fine: list[Case] = []
    kept: list[tuple[str, str]] = []
    for name, level in usage.levels.items():
        if wanted and name != wanted:
            continue
        if float(level.sum()) < LEAST_SHARE * usage.gpu_hours and not wanted:
            kept.append((name, "too little use"))
            continue
        case = case_of(usage, name, catalog, servers, beliefs, months)
        if isinstance(case, str):
            kept.append((name, case))
        elif case.paid_usd_per_hour - case.mix_usd_per_hour <= LEAST_SAVING_SHARE * case.paid_usd_per_hour:
            fine.append(case)
            kept.append((name, _why_fine(case, per_month)))
        else:
            cases.append(case)
    if not cases and not fine:
        raise NothingFitsError(
            "nothing can be decided: " + "; ".join(f"{name}: {why}" for name, why in kept),
            hint="see --provider, --gpu",
        )
    sure = resampled_costs_usd(cases, beliefs, resamples, seed)
    found = [
        _decided(case, beliefs, months, None if sure is None else sure[:, number, :])
        for number, case in enumerate(cases)
    ]
    window = min(usage.hours, HOURS_PER_YEAR)
    paid_by_hour = usage.table.level("effective_usd", usage.first_hour, usage.hours)[-window:]
    if wanted:
        paid = sum(case.paid_usd_per_hour for case in (*cases, *fine)) * per_month
    else:
        paid = float(paid_by_hour.mean()) * per_month
    changed = [case.gpu for case in cases]
    asked = [wanted] if wanted else list(usage.table.words["gpu"])
    switch_off = switch_off_of(usage, per_month / usage.hours, asked, changed)
    notes = _notes(usage, scope_note, months)
    providers = tuple(sorted({offer.provider for offer in catalog.offers}))
    saved = None if sure is None else (sure[0] - sure[1]).sum(axis=0) * per_month / HOURS_PER_YEAR
    holds = None if sure is None else _holds_share(sure.sum(axis=1))
    return _whole(found, kept, switch_off, saved, holds, paid, providers, notes)


def _why_fine(case: Case, hours_per_month: float) -> str:
    dearer = (case.mix_usd_per_hour - case.paid_usd_per_hour) * hours_per_month
    if dearer > LEAST_SAVING_SHARE * case.paid_usd_per_hour * hours_per_month:
        return f"what is paid now is {dearer:,.0f} USD a month less than any mix of these offers"
    return "what is paid now is what the cheapest mix of these offers costs"


def _holds_share(costs_usd: FloatArray) -> float:
    """Return in which share of the resamples the mix is nearly the best: paid, mix and best, shape (3, resamples)."""
    return float((costs_usd[1] <= costs_usd[2] * (1 + HOLDS_WITHIN)).mean())


def _scope(usage: Usage, catalog: Catalog) -> tuple[Catalog, str]:
    ours = [group.name for group in usage.groups.get("provider", ()) if group.name]
    there = {offer.provider for offer in catalog.offers}
    known = [name for name in ours if name in there]
    # A catalogue that was narrowed by its user stays as it is.
    if any(step.name.startswith("from ") for step in catalog.funnel) or not known:
        return catalog, ""
    note = f"offers of the bill's own providers were considered ({', '.join(known)}); --provider names others"
    return catalog.select(providers=known), note


def _decided(case: Case, beliefs: Assumptions, months: int, sure: FloatArray | None) -> GpuDecision:
    per_month = beliefs["money.hours_per_month"]
    of_curve = per_month / case.hours
    open_now, paid = case.open_usd_per_hour * per_month, case.paid_usd_per_hour * per_month
    mixed = case.mix_usd_per_hour * per_month
    by_name = {tier.name: tier for tier in case.tiers}
    parts = tuple(
        Part(
            kind=by_name[use.name].kind.value,
            name=use.name,
            machines=use.machines,
            gpus=use.machines * by_name[use.name].units_per_machine,
            gpu_hours_per_month=use.unit_hours * of_curve,
            idle_gpu_hours_per_month=use.idle_unit_hours * of_curve,
            usd_per_month=(use.fixed_usd + use.variable_usd) * of_curve,
        )
        for use in case.best.tiers
        if use.machines > 0 or use.unit_hours > 1e-9
    )
    low = high = holds = saves = None
    if sure is not None:
        saved = (sure[0] - sure[1]) * per_month / HOURS_PER_YEAR
        low, high = (float(x) for x in np.quantile(saved, [0.1, 0.9]))
        holds = _holds_share(sure)
        saves = float((saved > 0).mean())
    return GpuDecision(
        gpu=case.gpu,
        mean_gpus=float(case.level.mean()),
        peak_gpus=float(case.level.max()),
        base_gpus=level_held(case.level, BASE_SHARE),
        paid_usd_per_month=paid,
        mix_usd_per_month=mixed,
        saving_usd_per_month=paid - mixed,
        now_paid_usd_per_month=open_now,
        now_saving_usd_per_month=max(open_now - case.now_usd_per_hour * per_month, 0.0),
        parts=parts,
        break_even=_own_break_even(case, beliefs, months),
        saving_low_usd_per_month=low,
        saving_high_usd_per_month=high,
        holds_share=holds,
        saves_share=saves,
    )


def _own_break_even(case: Case, beliefs: Assumptions, months: int) -> OwnBreakEven | None:
    if not case.servers:
        return None
    server = min(case.servers, key=lambda one: one.price_usd / one.machine.accelerator_count)
    price = case.paid_usd_per_hour / float(case.level.mean())
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
    base = level_held(case.level, BASE_SHARE)
    return OwnBreakEven(
        server=server.name,
        paid_usd_per_gpu_hour=price,
        utilisation_share=rival.utilisation_share,
        month=rival.full_use_month,
        base_use_share=float(np.minimum(case.level, base).mean() / base) if base > 0 else 0.0,
        because=rival.because,
    )


def _whole(
    found: Sequence[GpuDecision], kept: Sequence[tuple[str, str]], switch_off: tuple[SwitchOff, ...],
    saved_usd_per_month: FloatArray | None, holds_share: float | None, paid_usd_per_month: float,
    providers: tuple[str, ...], notes: Sequence[str],
) -> Decision:  # fmt: skip
    saving = sum(one.saving_usd_per_month for one in found)
    low = high = None
    if saved_usd_per_month is not None:
        low, high = (float(x) for x in np.quantile(saved_usd_per_month, [0.1, 0.9]))
    return Decision(
        gpus=tuple(sorted(found, key=lambda one: -one.paid_usd_per_month)),
        switch_off=switch_off,
        paid_usd_per_month=paid_usd_per_month,
        after_usd_per_month=paid_usd_per_month - saving,
        saving_usd_per_month=saving,
        now_saving_usd_per_month=sum(one.now_saving_usd_per_month for one in found),
        saving_share=saving / paid_usd_per_month if paid_usd_per_month > 0 else 0.0,
        saving_low_usd_per_month=low,
        saving_high_usd_per_month=high,
        holds_share=holds_share,
        kept=tuple(kept),
        providers=providers,
        resamples=0 if saved_usd_per_month is None else len(saved_usd_per_month),
        notes=tuple(notes),
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
        notes.insert(
            0,
            f"{days:.0f} days are a weak ground to own or to commit on: the resamples draw days, and know nothing of weeks",
        )
    notes.append(
        "today's commitments are paid until they end: the whole saving comes then, what the hours outside them could save at once is told apart"
    )
    notes.append(f"an owned server stands in colocation over {months} months and is counted as if delivered at once")
    notes.append("offers may be in other regions than the use is; data transfer and migration are not in the saving")
    return notes
