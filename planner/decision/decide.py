"""The decision: for each accelerator the cheapest mix for its curve, against what was paid for the same hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.owned_against_rents import rivals
from planner.decision.answer import Decision, GpuDecision, Kept, Note, OwnBreakEven, Part
from planner.decision.case import LEAST_RECORD_HOURS, TODAY, Case, case_of
from planner.decision.confidence import dispatched_usd, holds_share, with_sure_savings, without_doubtful_purchases
from planner.decision.curve import HOURS_PER_YEAR, year_of
from planner.decision.place import Place, places_of
from planner.decision.savings import ladder_of, switch_off_of
from planner.errors import InputError, NothingFitsError
from planner.mix.from_catalog import owned_timeline_of
from planner.options.servers import ownable_servers
from planner.usage.answer import BASE_SHARE, Usage, level_held
from planner.usage.bill import PLAN_WORD
from planner.usage.charge_roles import FEE_ROLES
from planner.usage.summary import chosen_gpu
from pricing.catalog import Catalog
from pricing.facts.offers import offer_id

LEAST_SHARE = 0.01
"""An accelerator with less of the hours than this keeps what it has; nothing is decided for it."""
LEAST_SAVING_SHARE = 0.005
"""Who would save less than this of what was paid keeps what there is: bills and price lists are no more exact."""
ABOVE_LIST_SHARE = 0.02
"""By so much more than the price list an hour has to cost before the answer says so."""
DAYS_PER_YEAR = 365.25
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
    elsewhere: bool = False,
) -> Decision:
    """Decide for each kind of machine with enough use, place by place.

    Parameters
    ----------
    usage : Usage
        With a bill: without what was paid there is nothing to save.
    catalog : Catalog
        Offers to choose from.
    assumptions : Assumptions
        Ownership, money, spot, and how far prices and demand may go.
    gpu : str
        Only this accelerator.
    months : int
        Months over which an owned server is counted.
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
    elsewhere : bool
        Take offers wherever they are; else those of the bill's own providers at each machine's own place alone: a move is
        more than a price.

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
    sellers = {offer.provider for offer in catalog.offers}
    billed_by = () if elsewhere else usage.groups.get("provider", ())
    own_providers = tuple(group.name for group in billed_by if group.name in sellers)
    catalog = catalog.select(providers=own_providers) if own_providers else catalog
    wanted = chosen_gpu(usage, gpu) if gpu else ""
    servers = () if no_own else ownable_servers(assumptions, catalog.window)
    per_month = assumptions["money.hours_per_month"]
    ages = {offer_id(offer): max((today - offer.observed_on).days, 0) / DAYS_PER_YEAR for offer in catalog.offers} if today else {}  # fmt: skip
    priced = {offer_id(offer): offer.observed_on for offer in catalog.offers}
    priced |= {f"own {server.name}": server.priced_on for server in servers}
    cases: list[Case] = []
    fine: list[Case] = []
    kept: list[Kept] = []
    places = [place for place in places_of(usage, catalog) if not wanted or place.gpu == wanted]
    for place in places:
        name = _name(place, places)
        hours = float(usage.table.values["gpu_hours"][place.rows].sum())
        if hours < LEAST_SHARE * usage.gpu_hours and not wanted:
            kept.append(Kept(name=name, code="too_little_use"))
            continue
        case = case_of(usage, place, catalog, servers, assumptions, months, anywhere=elsewhere, basis=basis)
        if isinstance(case, str):
            kept.append(Kept(name=name, code=case))
        elif case.paid_usd_per_hour - case.mix_usd_per_hour <= LEAST_SAVING_SHARE * case.paid_usd_per_hour:
            kept.append(_why_fine(name, case, per_month))
            fine.append(case)
        else:
            cases.append(replace(case, price_age_years=ages))
    asked = [wanted] if wanted else list(usage.table.words["gpu"])
    if not cases and not fine and not switch_off_of(usage, per_month / usage.hours, asked, []):
        raise NothingFitsError(
            "nothing can be decided: " + "; ".join(f"{entry.name}: {entry.code.replace('_', ' ')}" for entry in kept),
            hint="see --provider, --gpu",
        )
    everything = [*cases, *fine]
    is_short = any(case.is_short for case in everything)
    sure, not_bought = None, list[Case]()
    if cases and resamples and not is_short:
        cases, sure, not_bought = without_doubtful_purchases(cases, assumptions, resamples, seed)
        cases, sure, doubtful = with_sure_savings(cases, sure)
        kept += [_why_doubtful(_name(case.place, places), case, share, per_month) for case, share in doubtful]
    decisions = [
        _decided(case, assumptions, months, None if sure is None else sure[:, number, :], priced)
        for number, case in enumerate(cases)
    ]
    paid = _paid_usd_per_hour(usage, everything, wanted) * per_month
    changed = [case.gpu for case in cases]
    sized = {case.gpu for case in cases if case.idle_gpus > 0}
    switch_off = switch_off_of(usage, per_month / usage.hours, asked, changed, sized)
    notes = _notes(usage, own_providers, everything, places, elsewhere=elsewhere)
    if servers:
        notes.append(Note(code="owned", amounts=(float(months), assumptions["own.lead_time_months"])))
    if not_bought:
        least = assumptions["verdict.least_confidence_share"]
        names = tuple(_name(case.place, places) for case in not_bought)
        notes.append(Note(code="not_bought", names=names, amounts=(assumptions["verdict.buy_margin_share"], least)))
    if (fees := _fees_usd_per_hour(usage)) > 0:
        notes.append(Note(code="fees", amounts=(fees * per_month,)))
    saving = sum(decision.saving_usd_per_month for decision in decisions)
    return Decision(
        gpus=tuple(sorted(decisions, key=lambda decision: -decision.paid_usd_per_month)),
        switch_off=switch_off,
        paid_usd_per_month=paid,
        after_usd_per_month=paid - saving,
        saving_usd_per_month=saving,
        now_saving_usd_per_month=sum(decision.now_saving_usd_per_month for decision in decisions),
        saving_share=saving / paid if paid > 0 else 0.0,
        kept=tuple(kept),
        providers=tuple(sorted({offer.provider for offer in catalog.offers})),
        resamples=sure.shape[-1] if sure is not None and cases else 0,
        notes=tuple(notes),
        ladder=ladder_of(everything, assumptions),
        oldest_price_on=min((offer.observed_on for offer in catalog.offers), default=None),
        is_short=is_short,
        **(_confidence(sure.sum(axis=1), per_month) if sure is not None and cases else {}),
    )


def _name(place: Place, places: Sequence[Place]) -> str:
    """Return what to call a place: its accelerator, and where there are several of it, which."""
    several = sum(other.gpu == place.gpu for other in places) > 1
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


def _fees_usd_per_hour(usage: Usage) -> float:
    table = usage.table
    by_hour = table.level("effective_usd", usage.first_hour, usage.hours, table.equals("role", *FEE_ROLES))
    return float(by_hour[-HOURS_PER_YEAR:].mean())


def _why_doubtful(name: str, case: Case, saves_share: float, per_month: float) -> Kept:
    saving = (case.paid_usd_per_hour - case.mix_usd_per_hour) * per_month
    if saving <= LEAST_SAVING_SHARE * case.paid_usd_per_hour * per_month:
        return _why_fine(name, case, per_month)
    return Kept(name=name, code="close_call", usd_per_month=saving, saves_share=saves_share, mix=case.mix)


def _why_fine(name: str, case: Case, hours_per_month: float) -> Kept:
    if all(used.startswith(TODAY) for used in case.mix):
        return Kept(name=name, code="cheapest_already")
    dearer = (case.mix_usd_per_hour - case.paid_usd_per_hour) * hours_per_month
    is_dearer = dearer > LEAST_SAVING_SHARE * case.paid_usd_per_hour * hours_per_month
    return Kept(name=name, code="dearer" if is_dearer else "as_dear", usd_per_month=dearer, mix=case.mix)


def _decided(
    case: Case, assumptions: Assumptions, months: int, sure: FloatArray | None, priced: Mapping[str, date]
) -> GpuDecision:
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
            priced_on=priced.get(use.name),
        )
        for use in case.best.tiers
        if use.machines > 0 or use.unit_hours > 1e-9
    )
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
        place=case.place.name,
        gpus_per_machine=case.place.gpus_per_machine,
        idle_gpus=case.idle_gpus,
        capex_usd=sum(use.machines * by_name[use.name].capex_usd_per_machine for use in case.best.tiers),
        spot_share=case.spot_share,
        trend_first_gpus=case.trend.first_gpus if case.trend else None,
        trend_last_gpus=case.trend.last_gpus if case.trend else None,
        recent_hours=len(case.level),
        **_going_on(case, per_month),
        **(_confidence(sure, per_month) if sure is not None else {}),
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
    server = min(case.servers, key=lambda server: server.price_usd / server.machine.accelerator_count)
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


def _confidence(costs_usd: FloatArray, hours_per_month: float) -> dict[str, Any]:
    """Return the range of the saving and how sure it is, from what is paid, the mix and the best, shape (3, resamples)."""
    saved = (costs_usd[0] - costs_usd[1]) * hours_per_month / HOURS_PER_YEAR
    low, high = (float(x) for x in np.quantile(saved, [0.1, 0.9]))
    return {
        "saving_low_usd_per_month": low,
        "saving_high_usd_per_month": high,
        "holds_share": holds_share(costs_usd),
        "saves_share": float((saved > 0).mean()),
    }


def _notes(
    usage: Usage, own_providers: tuple[str, ...], cases: Sequence[Case], places: Sequence[Place], *, elsewhere: bool
) -> list[Note]:
    days = usage.hours / 24
    spot = {case.gpu: case.spot_share for case in cases if case.spot_share > 0}
    notes = []
    if any(case.is_short for case in cases):
        notes.append(Note(code="short", amounts=(days, LEAST_RECORD_HOURS / 24)))
    notes += [
        Note(code="trend", names=(case.gpu,), amounts=(case.trend.first_gpus, case.trend.last_gpus, case.trend.hours / 24, case.trend.recent_hours / 24))
        for case in cases
        if case.trend
    ]  # fmt: skip
    if own_providers:
        notes.append(Note(code="own_providers", names=own_providers))
    if usage.hours < HOURS_PER_YEAR:
        notes.append(Note(code="repeated", amounts=(days,)))
    if usage.hours < SEASONS_HOURS:
        notes.append(Note(code="no_seasons", amounts=(days,)))
    notes.append(Note(code="spot", names=tuple(spot), amounts=tuple(spot.values())) if spot else Note(code="no_spot"))
    notes.append(Note(code="commitments"))
    notes.append(Note(code="elsewhere" if elsewhere else "same_place"))
    above = {
        _name(case.place, places): case.above_list_ratio - 1.0
        for case in cases
        if case.above_list_ratio >= 1.0 + ABOVE_LIST_SHARE
    }
    if above:
        notes.append(Note(code="above_list", names=tuple(above), amounts=tuple(above.values())))
    moved = {_name(case.place, places): case.moved_ratio - 1.0 for case in cases if case.moved_ratio != 1.0}
    if moved:
        notes.append(Note(code="price_moved", names=tuple(moved), amounts=tuple(moved.values())))
    return notes
