"""Rented machines, with or without accelerators, under each purchase option."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import RentInputs
from planner.costs.products import product_of
from planner.costs.timeline import Timeline
from planner.demand.volume import Volume
from planner.demand.workload import Serve, Workload
from planner.notes import Note, NoteCode
from planner.options.credits import lost_credits, with_credits
from planner.options.energy import rented_footprint
from planner.options.machine_hours import Schedule, hours_of_work, needed_share, schedule, spare_costs_usd_per_month
from planner.options.option import Option, OptionKind, Reason, ReasonCode, UnitCosts, unit_costs
from planner.options.price_evidence import Evidence
from planner.options.rules import RentTerms, against_renting, reasons_of, stretch_ratio
from planner.supply.candidates import Candidates
from planner.supply.machines import Fleet, Machine
from pricing.facts.offers import Offer, PurchaseOption

MS_PER_HOUR = 3.6e6
MOST_AWAKE_SHARE = 0.9
"""A service that is awake for more of the hours gains nothing by sleeping."""
SCALED_TO_ZERO = "/scaled_to_zero"


def _scaled_to_zero(offer: Offer, plan: Schedule, work: Volume, hours_per_month: float) -> Schedule | None:
    """Return the schedule of a serverless service that is paid only while it answers; None where that saves nothing or is no service.

    A replica is awake while it has a request, and requests come at random: of so many a second that each take so long, one is
    being answered for the share 1 - exp(-rate x time) of the hours. Bursts overlap more; the idle timeout, which is not stated, adds.
    """
    speed = plan.fleet.performance
    if offer.purchase_option is not PurchaseOption.SERVERLESS or plan.fleet.busy_hours_per_run is not None:
        return None
    if speed.ttft_ms is None or speed.tpot_ms is None or not work.request_count:
        return None
    output_tokens = work.output_tokens / work.request_count
    answer_hours = (speed.ttft_ms.typical + output_tokens * speed.tpot_ms.typical) / MS_PER_HOUR
    awake_share = -math.expm1(-work.request_count / hours_per_month / plan.fleet.instance_count * answer_hours)
    awake_hours = np.minimum(plan.on_hours, hours_per_month * awake_share)
    return replace(plan, on_hours=awake_hours) if awake_share < MOST_AWAKE_SHARE else None


def _against_sleeping(workload: Workload) -> tuple[Reason, ...]:
    """Say what speaks against a machine that sleeps between requests."""
    is_limited = isinstance(workload.work, Serve) and workload.work.ttft_limit_ms is not None
    return (Reason(ReasonCode.COLD_START_UNKNOWN),) if is_limited else ()


def planned_price_usd_per_hour(offer: Offer) -> float:
    """Return the price to plan with: spot by the median of its past, where one is kept, since one reading is luck."""
    if offer.interruptible and offer.price_median_usd_per_hour is not None:
        return offer.price_median_usd_per_hour
    return offer.price_usd_per_hour


def weekly_above_hours(offer: Offer) -> float:
    """Return the length beyond which an offer is sold by whole weeks; 0 for no such rule."""
    product = product_of(offer.provider, offer.purchase_option.value, offer.offering_class)
    return 24.0 * (product.weekly_above_days or 0.0) if product else 0.0


def _notes(offer: Offer, fleet: Fleet, overhead_ratio: float, *, scales_to_zero: bool) -> tuple[Note, ...]:
    notes = []
    if "spot_equals_on_demand" in offer.flags:
        notes.append(Note(NoteCode.SPOT_AT_ON_DEMAND))
    if offer.interruptible and offer.price_median_usd_per_hour is not None:
        figures = (offer.price_usd_per_hour, offer.price_high_usd_per_hour)
        notes.append(Note(NoteCode.MEDIAN_OF_SPOT, figures))
    if overhead_ratio > 1:
        notes.append(Note(NoteCode.STRETCHED_RUN, (overhead_ratio - 1,)))
    product = product_of(offer.provider, offer.purchase_option.value, offer.offering_class)
    if product is not None:
        notes.append(Note(NoteCode.COMMITMENT, (product,)))
        most = product.most_at_once_count
        if most and fleet.instance_count > most:
            blocks = math.ceil(fleet.instance_count / most)
            notes.append(Note(NoteCode.BLOCKS, (blocks, most)))
    if offer.purchase_option is PurchaseOption.SERVERLESS:
        is_warm = not fleet.busy_hours_per_run and not scales_to_zero
        notes.append(Note(NoteCode.SERVERLESS, (is_warm, scales_to_zero)))
    if "form_factor_unknown" in offer.flags:
        notes.append(Note(NoteCode.FORM_FACTOR_UNKNOWN))
    apart = fleet.performance.basis == "stated" and fleet.instance_count > 1 and fleet.machine.accelerator is not None
    if apart:
        notes.append(Note(NoteCode.SEPARATE_MACHINES, (fleet.instance_count,)))
    return tuple(notes)


NOT_NEGOTIATED = frozenset({PurchaseOption.SPOT, PurchaseOption.CAPACITY_BLOCK, PurchaseOption.MARKETPLACE})
"""Priced by supply and demand: a negotiated discount does not hold for them."""


def _kept_share(offer: Offer, workload: Workload) -> float:
    """Return what is left of a list price after the negotiated discount."""
    is_negotiated = offer.purchase_option not in NOT_NEGOTIATED and "private_quote" not in offer.flags
    return 1.0 - (workload.discounts.get(offer.provider, 0.0) if is_negotiated else 0.0)


def _book(
    offer: Offer, plan: Schedule, overhead_ratio: float, hours_per_month: float, workload: Workload, today: date
) -> RentInputs:
    on_hours_per_month, run_hours, _ = hours_of_work(plan, hours_per_month, once=workload.runs_once)
    kept_share = _kept_share(offer, workload)
    cost_inputs = RentInputs(
        price_usd_per_hour=planned_price_usd_per_hour(offer) * kept_share,
        upfront_usd=offer.upfront_usd * kept_share,
        instance_count=plan.fleet.instance_count,
        hours_per_month=on_hours_per_month,
        run_hours=run_hours,
        term_months=offer.term_months,
        minimum_hours=offer.minimum_hours,
        weekly_above_hours=weekly_above_hours(offer),
        paid_in_advance=offer.purchase_option is PurchaseOption.CAPACITY_BLOCK,
        overhead_ratio=overhead_ratio,
        interruptible=offer.interruptible,
    )
    return with_credits(cost_inputs, offer.provider, workload.have.credits, today)


def _own_terms(offer: Offer, cost_inputs: RentInputs, workload: Workload, today: date) -> Iterator[Note]:
    """Say what a price holds of the user's own terms."""
    if (share := 1.0 - _kept_share(offer, workload)) > 0:
        yield Note(NoteCode.DISCOUNT, (share, planned_price_usd_per_hour(offer)))
    if cost_inputs.credit_usd > 0:
        yield Note(NoteCode.CREDIT_FIRST, (cost_inputs.credit_usd, cost_inputs.credit_months))
        yield from lost_credits(
            cost_inputs, offer.provider, workload.have.credits, today, months=workload.horizon_months
        )


def rented_options(
    candidates: Candidates,
    fleets: Mapping[Machine, Fleet],
    workload: Workload,
    work: Volume,
    assumptions: Assumptions,
    evidence: Evidence,
    *,
    most_usd: float = math.inf,
) -> list[Option]:
    """Return an option for each offer whose machine does the work.

    Parameters
    ----------
    candidates : Candidates
        Offers, and the machine behind each.
    fleets : mapping of Machine to Fleet
        Sized machines; those that cannot do the work are absent.
    workload, work : Workload, Volume
        What has to be done.
    assumptions : Assumptions
        Stated assumptions.
    evidence : Evidence
        What speaks for and against the prices.
    most_usd : float
        Options of a higher present value are left out.
    """
    rents = _rents(candidates, fleets, workload, work, assumptions)
    if not rents:
        return []
    count = np.array([rent.fleet.instance_count for rent in rents])
    terms = RentTerms.of([rent.offer for rent in rents], [rent.fleet.machine for rent in rents], workload.constraints)
    stretch = stretch_ratio(terms.interruptible, count, workload, assumptions)
    rules = against_renting(
        terms,
        workload,
        count=count,
        run_hours=np.array([rent.fleet.busy_hours_per_run or math.inf for rent in rents]),
        stretch_ratio=stretch,
        deadline_hours=workload.deadline_hours,
    )
    against = reasons_of(rules, len(rents))
    months, hours_per_month = workload.horizon_months, assumptions["money.hours_per_month"]
    all_inputs = [
        _book(rent.offer, rent.plan, ratio, hours_per_month, workload, evidence.today)
        for rent, ratio in zip(rents, stretch.tolist(), strict=True)
    ]
    costs_by_month = timelines(
        all_inputs,
        assumptions,
        months=months,
        once=workload.runs_once,
        useful_gpu_hours_per_month=np.stack([rent.plan.useful_gpu_hours for rent in rents]),
    )
    spares_usd = spare_costs_usd_per_month(
        all_inputs, [rent.fleet for rent in rents], assumptions, costs_by_month.total_usd(), months=months
    ).tolist()
    all_costs = unit_costs(
        costs_by_month,
        work,
        working_months=[rent.plan.last_month for rent in rents],
        discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
    )
    return [
        _option(
            rent,
            all_inputs[index],
            (costs_by_month.at(index), costs, spares_usd[index]),
            against[index],
            workload,
            assumptions,
            evidence,
        )
        for index, (rent, costs) in enumerate(zip(rents, all_costs, strict=True))
        if costs["present_value_usd"] <= most_usd
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rent:
    """An offer, when its machines are on, and whether they sleep between requests."""

    option_id: str
    offer: Offer
    plan: Schedule
    scales_to_zero: bool = False

    @property
    def fleet(self) -> Fleet:
        return self.plan.fleet


def _rents(
    candidates: Candidates, fleets: Mapping[Machine, Fleet], workload: Workload, work: Volume, assumptions: Assumptions
) -> list[_Rent]:
    """Return the offers whose machine does the work, then those that may also be paid only while they answer."""
    hours_per_month, start_hours = assumptions["money.hours_per_month"], assumptions["rent.start_hours"]
    plans = {
        machine: schedule(
            fleet, work, months=workload.horizon_months, hours_per_month=hours_per_month, start_hours=start_hours
        )
        for machine, fleet in fleets.items()
    }
    behind = zip(candidates.ids, candidates.offers, map(plans.get, candidates.behind), strict=True)
    warm = [_Rent(option_id=name, offer=offer, plan=plan) for name, offer, plan in behind if plan is not None]
    asleep = [(rent, _scaled_to_zero(rent.offer, rent.plan, work, hours_per_month)) for rent in warm]
    return warm + [
        _Rent(option_id=rent.option_id + SCALED_TO_ZERO, offer=rent.offer, plan=plan, scales_to_zero=True)
        for rent, plan in asleep
        if plan is not None
    ]


def _option(
    rent: _Rent,
    cost_inputs: RentInputs,
    priced: tuple[Timeline, UnitCosts, float],
    against: Sequence[Reason],
    workload: Workload,
    assumptions: Assumptions,
    evidence: Evidence,
) -> Option:
    offer, plan, fleet = rent.offer, rent.plan, rent.fleet
    timeline, costs, spare_usd_per_month = priced
    hours_per_month = assumptions["money.hours_per_month"]
    paid = fleet.instance_count * (hours_per_month if offer.term_months else plan.mean_on_hours)
    units = max(fleet.machine.accelerator_count, 1.0) * paid
    busy_share = min(1.0, plan.mean_useful_gpu_hours / units) if units else None
    energy = rented_footprint(
        fleet.machine,
        offer.provider,
        offer.region,
        machine_hours_per_month=paid,
        busy_share=busy_share or 0.0,
        assumptions=assumptions,
    )
    run_hours = fleet.busy_hours_per_run
    return Option(
        id=rent.option_id,
        kind=OptionKind.RENT if fleet.machine.accelerator else OptionKind.CPU,
        provider=offer.provider,
        region=offer.region,
        instance_type=offer.instance_type,
        purchase_option=offer.purchase_option.value,
        fleet=fleet,
        price_usd_per_hour=cost_inputs.price_usd_per_hour,
        paid_hours_per_month=paid,
        timeline=timeline,
        book=cost_inputs,
        **costs,
        spare_usd_per_month=spare_usd_per_month,
        utilisation_share=busy_share,
        kwh_per_month=energy.kwh_per_month if energy else None,
        co2e_kg_per_month=energy.co2e_kg_per_month if energy else None,
        grid_place=energy.grid.place if energy else "",
        needed_share=needed_share(plan, hours_per_month),
        hours_per_run=None if run_hours is None else run_hours * cost_inputs.overhead_ratio,
        priced_on=offer.observed_on,
        source=offer.source,
        tier=evidence.tier(offer),
        is_quoted="private_quote" in offer.flags,
        staleness_count=evidence.staleness(offer),
        is_floor_price="floor_price" in offer.flags,
        most_accelerators=evidence.most_accelerators(offer, workload.constraints),
        not_recommended=(
            *evidence.against(offer, workload.constraints),
            *against,
            *(_against_sleeping(workload) if rent.scales_to_zero else ()),
        ),
        notes=(
            *_own_terms(offer, cost_inputs, workload, evidence.today),
            *_notes(offer, fleet, cost_inputs.overhead_ratio, scales_to_zero=rent.scales_to_zero),
        ),
    )
