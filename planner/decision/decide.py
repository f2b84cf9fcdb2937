"""The decision: for each accelerator the cheapest mix for its curve, against what was paid for the same hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.costs.rivals import rivals
from planner.decision.answer import Decision, GpuDecision, OwnBreakEven, Part, SwitchOff
from planner.decision.case import LEAST_RECORD_HOURS, TODAY, Case, case_of
from planner.decision.dispatch import dispatched_usd
from planner.decision.ladder import ladder_of
from planner.decision.place import Place, places_of
from planner.decision.resampling import resampled_costs_usd
from planner.decision.switch_off import switch_off_of
from planner.decision.year import HOURS_PER_YEAR, year_of
from planner.errors import InputError, NothingFitsError
from planner.mix_tiers import owned_timeline_of
from planner.options.servers import ownable_servers
from planner.tiers import TierKind
from planner.usage.bill import PLAN_WORD
from planner.usage.choice import chosen_gpu
from planner.usage.curve import BASE_SHARE, level_held
from planner.usage.summary import Usage
from pricing.catalog import Catalog

__all__ = ["decide"]

FloatArray = NDArray[np.float64]
LEAST_SHARE = 0.01
"""An accelerator with less of the hours than this keeps what it has; nothing is decided for it."""
SURE_SHARE = 0.8
"""Who may lose by a change in more than every fifth resample keeps what there is: it costs nothing and binds nobody."""
LEAST_SAVING_SHARE = 0.005
"""Who would save less than this of what was paid keeps what there is: bills and price lists are no more exact."""
HOLDS_WITHIN = 0.05
"""A decision holds in a resample where it costs no more than this above the best one for that resample."""
SEASONS_HOURS = 2 * HOURS_PER_YEAR


def decide(  # noqa: PLR0913 - the options of the command, each by name
    usage: Usage,
    catalog: Catalog,
    assumptions: Assumptions,
    *,
    gpu: str = "",
    months: int = 36,
    resamples: int = 100,
    seed: int = 0,
    no_own: bool = False,
    basis: str = "",
    today: date | None = None,
) -> Decision:
    """Decide for each kind of machine with enough use, place by place.

    Parameters
    ----------
    usage : Usage
        With a bill: without what was paid there is nothing to save.
    catalog : Catalog
        Offers to choose from. Where it still holds every provider, those of the bill are taken: a move to another
        provider is more than a price.
    assumptions : Assumptions
        Ownership, money, spot, and how far prices and demand may go.
    gpu : str
        Only this accelerator.
    months : int
        Over which an owned server is counted.
    resamples : int
        0 for none.
    seed : int
        Of the resamples.
    no_own : bool
        Leave out buying.
    basis : str
        ``allocated`` sizes for all that ran; else, where counters looked, machines on which nothing worked are left out.
    today : date, optional
        By which prices have an age; the resamples let an old price have moved on since.

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
    anywhere = any(step.name.startswith(("from ", "in ")) and "own data" not in step.name for step in catalog.funnel)
    anywhere &= not scope_note
    wanted = chosen_gpu(usage, gpu) if gpu else ""
    servers = () if no_own else ownable_servers(assumptions, catalog.window)
    per_month = assumptions["money.hours_per_month"]
    cases: list[Case] = []
    fine: list[Case] = []
    kept: list[tuple[str, str]] = []
    places = [place for place in places_of(usage, catalog) if not wanted or place.gpu == wanted]
    for place in places:
        name = _name(place, places)
        hours = float(usage.table.values["gpu_hours"][place.rows].sum())
        if hours < LEAST_SHARE * usage.gpu_hours and not wanted:
            kept.append((name, "too little use"))
            continue
        case = case_of(usage, place, catalog, servers, assumptions, months, anywhere=anywhere, basis=basis, today=today)
        if isinstance(case, str):
            kept.append((name, case))
        elif case.paid_usd_per_hour - case.mix_usd_per_hour <= LEAST_SAVING_SHARE * case.paid_usd_per_hour:
            kept.append((name, _why_fine(case, per_month)))
            fine.append(case)
        else:
            cases.append(case)
    asked = [wanted] if wanted else list(usage.table.words["gpu"])
    if not cases and not fine and not switch_off_of(usage, per_month / usage.hours, asked, []):
        raise NothingFitsError(
            "nothing can be decided: " + "; ".join(f"{name}: {why}" for name, why in kept),
            hint="see --provider, --gpu",
        )
    everything = [*cases, *fine]
    is_short = any(case.is_short for case in everything)
    sure = None if is_short else resampled_costs_usd(cases, assumptions, resamples, seed)
    if sure is not None:
        # Who is not sure to save by owning may be by a commitment.
        held = set(_sure_of(sure))
        lighter = [case if n in held else _without_own(case) for n, case in enumerate(cases)]
        if any(new is not old for new, old in zip(lighter, cases, strict=True)):
            again = resampled_costs_usd(lighter, assumptions, resamples, seed)
            better = [n for n in _sure_of(again) if n not in held] if again is not None else []
            for n in better:
                cases[n], sure[:, n, :] = lighter[n], again[:, n, :] if again is not None else sure[:, n, :]
        cases, sure, doubtful = _those_that_hold(cases, sure, per_month)
        kept += [(_name(case.place, places), why) for case, why in doubtful]
    found = [
        _decided(case, assumptions, months, None if sure is None else sure[:, number, :])
        for number, case in enumerate(cases)
    ]
    paid = _paid_usd_per_hour(usage, everything, wanted) * per_month
    changed = [case.gpu for case in cases]
    sized = {case.gpu for case in cases if case.idle_gpus > 0}
    switch_off = switch_off_of(usage, per_month / usage.hours, asked, changed, sized)
    notes = _notes(usage, scope_note, months, everything, anywhere=anywhere)
    providers = tuple(sorted({offer.provider for offer in catalog.offers}))
    has_any = sure is not None and len(cases) > 0
    saved = (sure[0] - sure[1]).sum(axis=0) * per_month / HOURS_PER_YEAR if sure is not None and has_any else None
    holds = _holds_share(sure.sum(axis=1)) if sure is not None and has_any else None
    whole = _whole(found, kept, switch_off, saved, holds, paid, providers, notes)
    return replace(
        whole,
        ladder=ladder_of(everything, assumptions),
        oldest_price_on=min((offer.observed_on for offer in catalog.offers), default=None),
        is_short=is_short,
    )


def _name(place: Place, places: Sequence[Place]) -> str:
    """Return what to call a place: its accelerator, and where there are several of it, which."""
    several = sum(one.gpu == place.gpu for one in places) > 1
    return f"{place.gpu} ({place.name})" if several and place.name else place.gpu


def _paid_usd_per_hour(usage: Usage, cases: Sequence[Case], wanted: str) -> float:
    """Return what an hour costs: of each case in what counts of its record, of the rest on average."""
    ours = sum(case.paid_usd_per_hour for case in cases)
    if wanted:
        return ours
    window = min(usage.hours, HOURS_PER_YEAR)
    rest = np.ones(len(usage.table), dtype=bool)
    for case in cases:
        rest &= ~case.place.rows
    table = usage.table
    plans = table.equals("gpu", PLAN_WORD)
    by_hour = table.level("effective_usd", usage.first_hour, usage.hours, rest & ~plans)[-window:]
    return ours + float(by_hour.mean())


def _why_doubtful(case: Case, saves_share: float, per_month: float) -> str:
    names = ", ".join(use.name for use in case.best.tiers if use.fixed_usd + use.variable_usd > 0)
    saving = (case.paid_usd_per_hour - case.mix_usd_per_hour) * per_month
    return (
        f"a close call: the cheapest mix ({names}) would save {saving:,.0f} USD a month, but saves anything in only {saves_share:.0%} "
        f"of the resamples; in {1 - saves_share:.0%} keeping what there is costs no more"
    )


def _sure_of(sure: FloatArray) -> list[int]:
    """Return which cases save in enough of the resamples."""
    return np.flatnonzero(((sure[0] - sure[1]) > 0).mean(axis=1) >= SURE_SHARE).tolist()


def _without_own(case: Case) -> Case:
    """Return the same with the cheapest mix that buys nothing, where that saves anything."""
    if not any(use.machines and use.name.startswith("own ") for use in case.best.tiers):
        return case
    lighter = case.mixed(TierKind.COMMITTED, TierKind.SPOT)
    saves = lighter.paid_usd_per_hour - lighter.mix_usd_per_hour > LEAST_SAVING_SHARE * case.paid_usd_per_hour
    return lighter if saves else case


def _those_that_hold(
    cases: Sequence[Case], sure: FloatArray, per_month: float
) -> tuple[list[Case], FloatArray, list[tuple[Case, str]]]:
    """Return the cases whose mix saves surely enough, and the others with the reason to keep what there is."""
    saves = ((sure[0] - sure[1]) > 0).mean(axis=1)
    held = _sure_of(sure)
    doubtful = [
        (case, _why_doubtful(case, float(saves[n]), per_month)) for n, case in enumerate(cases) if n not in held
    ]
    return [cases[number] for number in held], sure[:, held, :], doubtful


def _why_fine(case: Case, hours_per_month: float) -> str:
    if all(use.name.startswith(TODAY) for use in case.best.tiers if use.fixed_usd + use.variable_usd > 0):
        return "no offer for this machine at its place costs less than what is paid now"
    dearer = (case.mix_usd_per_hour - case.paid_usd_per_hour) * hours_per_month
    if dearer > LEAST_SAVING_SHARE * case.paid_usd_per_hour * hours_per_month:
        return f"what is paid now is {dearer:,.0f} USD a month less than any mix of these offers"
    return "what is paid now is what the cheapest mix of these offers costs"


def _holds_share(costs_usd: FloatArray) -> float:
    """Return in which share of the resamples the mix is nearly the best: paid, mix and best of all, shape (3, resamples)."""
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


def _decided(case: Case, assumptions: Assumptions, months: int, sure: FloatArray | None) -> GpuDecision:
    per_month = assumptions["money.hours_per_month"]
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
        break_even=_own_break_even(case, assumptions, months),
        saving_low_usd_per_month=low,
        saving_high_usd_per_month=high,
        holds_share=holds,
        saves_share=saves,
        place=case.place.name,
        gpus_per_machine=case.place.gpus_per_machine,
        idle_gpus=case.idle_gpus,
        capex_usd=sum(use.machines * by_name[use.name].capex_usd_per_machine for use in case.best.tiers),
        spot_share=case.spot_share,
        trend_first_gpus=case.trend.first_gpus if case.trend else None,
        trend_last_gpus=case.trend.last_gpus if case.trend else None,
        recent_hours=len(case.level),
        **_going_on(case, per_month),
    )


def _going_on(case: Case, per_month: float) -> dict[str, float]:
    """Return what the mix costs where the trend goes on, and what the mix for that would."""
    later = case.going_on()
    if later is None:
        return {}
    level = year_of(later.level)
    return {
        "going_on_gpus": float(later.level.mean()),
        "going_on_usd_per_month": dispatched_usd(level, case.tiers, case.machines()) / len(level) * per_month,
        "going_on_best_usd_per_month": later.mix_usd_per_hour * per_month,
    }


def _own_break_even(case: Case, assumptions: Assumptions, months: int) -> OwnBreakEven | None:
    if not case.servers:
        return None
    server = min(case.servers, key=lambda one: one.price_usd / one.machine.accelerator_count)
    price = case.paid_usd_per_hour / float(case.level.mean())
    if price <= 0:
        return None
    busy = owned_timeline_of(server, assumptions, months=months)
    rival = rivals(
        busy,
        [price],
        gpu_count=server.machine.accelerator_count,
        discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
        hours_per_month=assumptions["money.hours_per_month"],
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


def _notes(usage: Usage, scope_note: str, months: int, cases: Sequence[Case], *, anywhere: bool) -> list[str]:
    notes = [scope_note] if scope_note else []
    days = usage.hours / 24
    for case in cases:
        if case.trend:
            way = "grew" if case.trend.last_gpus > case.trend.first_gpus else "shrank"
            notes.insert(
                0,
                f"use of {case.gpu} {way} from {case.trend.first_gpus:.0f} to {case.trend.last_gpus:.0f} GPUs in {case.trend.hours / 24:.0f} days: "
                f"sized for its last {case.trend.recent_hours / 24:.0f} days, which is what runs now; if that goes on, this is "
                f"{'too small' if way == 'grew' else 'too large'} before a commitment ends",
            )  # fmt: skip
    if any(case.is_short for case in cases):
        notes.insert(
            0,
            f"{days:.0f} day{'s' if round(days) != 1 else ''} are a weak ground: nothing is owned or committed to on less than {LEAST_RECORD_HOURS // 24} days, and how sure the rest is cannot be said",
        )
    if usage.hours < HOURS_PER_YEAR:
        notes.append(f"{days:.0f} days of use are repeated to a year")
    if usage.hours < SEASONS_HOURS:
        notes.append(f"{days:.0f} days cannot show seasons; the resamples move demand as risk.demand_ratio says")
    if any(case.spot_share > 0 for case in cases):
        shares = ", ".join(f"{case.spot_share:.0%} of {case.gpu}" for case in cases if case.spot_share > 0)
        notes.append(
            f"spot is taken for {shares} at most: as much as ran on it already, or mix.spot_share where that is set"
        )
    else:
        notes.append(
            "nothing ran on spot, so no spot is advised; --set mix.spot_share=0.3 allows it for 30 % of the demand"
        )
    notes.append(
        "today's commitments are paid until they end: the whole saving comes then, what the hours outside them could save at once is told apart"
    )
    notes.append(f"an owned server stands in colocation over {months} months and is counted as if delivered at once")
    if anywhere:
        notes.append(
            "offers may be in other regions than the use is; data transfer and migration are not in the saving"
        )
    else:
        notes.append(
            "each machine is compared with the same shape in its own region; --provider or --region look elsewhere"
        )
    return notes
