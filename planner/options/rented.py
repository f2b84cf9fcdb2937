"""Rented machines, with or without accelerators, under each purchase option."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from planner.assumptions import Assumptions
from planner.costs.products import product_of
from planner.costs.rent import rent_timeline
from planner.costs.spot import spot_overhead_ratio
from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.options.book import RentBook, hours_of_work
from planner.options.energy import rented_footprint
from planner.options.option import Option, OptionKind
from planner.options.schedule import Schedule, needed_share, schedule
from planner.options.unit_costs import unit_costs
from planner.supply.candidates import Candidates
from planner.supply.machines import Fleet, Machine
from pricing.offers import Offer, PurchaseOption, offer_id

__all__ = ["rented_options"]

MOST_OF_A_DEADLINE_ON_SPOT = 0.5
"""A run on a machine that can be taken back leaves as much time again, so that it can be repeated."""
LONGEST_CAPACITY_BLOCK_HOURS = 182 * 24.0
"""AWS sells blocks of at most 182 days."""


def _reason_not_chosen(offer: Offer, schedule_: Schedule, workload: Workload, overhead_ratio: float) -> str:
    """Say why an offer is a hint and no recommendation; empty where it may be recommended."""
    asked_for = offer.purchase_option in workload.constraints.purchase
    endless = schedule_.fleet.busy_hours_per_run is None
    if offer.interruptible and endless and not asked_for:
        return "the provider can take the machines back at any time"
    if offer.purchase_option is PurchaseOption.CAPACITY_BLOCK:
        hours = schedule_.fleet.busy_hours_per_run
        if hours is None or hours > LONGEST_CAPACITY_BLOCK_HOURS:
            return "sold in dated blocks of at most 182 days at a price of the day, so it cannot be planned for longer"
    deadline = workload.deadline_hours
    hours = schedule_.fleet.busy_hours_per_run
    if hours is not None and offer.interruptible and deadline < math.inf and not asked_for:
        if schedule_.fleet.instance_count > 1:
            return "one machine taken back stops all of them, and nobody promises another before the deadline"
        if hours * overhead_ratio > deadline * MOST_OF_A_DEADLINE_ON_SPOT:
            return "taken back near the end, it could not be done again before the deadline"
    named = offer.provider in workload.constraints.providers
    if not named and "lowest_ask" in offer.flags:
        return "a stranger's machine at the lowest ask of one day, not a price list"
    if not named and "community" in offer.flags:
        return "a community host, without the guarantees of a data centre"
    return ""


def planned_price_usd_per_hour(offer: Offer) -> float:
    """Return the price to plan with: spot by the median of its past, where one is kept, since one reading is luck."""
    if offer.interruptible and offer.price_median_usd_per_hour is not None:
        return offer.price_median_usd_per_hour
    return offer.price_usd_per_hour


def _notes(offer: Offer, fleet: Fleet, overhead_ratio: float) -> tuple[str, ...]:
    notes = []
    if "spot_equals_on_demand" in offer.flags:
        notes.append("spot costs as much as on demand here: no discounted capacity on the day of the price")
    if offer.interruptible and offer.price_median_usd_per_hour is not None:
        high = f", in the dearest tenth {offer.price_high_usd_per_hour:g}" if offer.price_high_usd_per_hour else ""
        notes.append(
            f"planned with the median of 90 days; {offer.price_usd_per_hour:g} USD/h at the last reading{high}"
        )
    if overhead_ratio > 1:
        notes.append(f"interruptions and checkpoints stretch the run by {overhead_ratio - 1:.0%}")
    product = product_of(offer.provider, offer.purchase_option.value, offer.offering_class)
    if product is not None:
        notes.append(f"{product.product}: {product.way_out}")
    if "form_factor_unknown" in offer.flags:
        notes.append("the source does not tell the form factor; planned with the slowest of its kind")
    apart = fleet.performance.basis == "stated" and fleet.instance_count > 1 and fleet.machine.accelerator is not None
    if apart:
        notes.append(f"{fleet.instance_count} separate machines: no fast link joins their accelerators")
    return tuple(notes)


def rented_options(
    candidates: Candidates, fleets: Mapping[Machine, Fleet], workload: Workload, work: Volume, beliefs: Assumptions
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
    beliefs : Assumptions
        Stated beliefs.
    """
    months = workload.horizon_months
    machine_of = candidates.machine_by_id
    hours_per_month = beliefs["money.hours_per_month"]
    discount = beliefs["money.discount_rate_share_per_year"]
    plans: dict[Machine, Schedule] = {
        machine: schedule(
            fleet,
            work,
            months=months,
            hours_per_month=hours_per_month,
            start_hours=beliefs["rent.start_hours"],
        )
        for machine, fleet in fleets.items()
    }
    behind = ((offer, plans.get(machine_of[offer_id(offer)])) for offer in candidates.offers)
    rows = [(offer, plan) for offer, plan in behind if plan is not None]
    if not rows:
        return []
    # A service runs on while one machine is replaced by another; a job loses what it did since its last checkpoint.
    interrupted = np.array([o.interruptible and plan.fleet.busy_hours_per_run is not None for o, plan in rows])
    gang = np.array([plan.fleet.instance_count for _, plan in rows])
    stretch = np.where(
        interrupted,
        spot_overhead_ratio(
            checkpoint_hours=beliefs["rent.spot_checkpoint_hours"],
            hours_between_of_one=beliefs["rent.spot_hours_between_interruptions"],
            restart_hours=beliefs["rent.spot_restart_hours"],
            instance_count=gang,
        ),
        1.0,
    )
    # Data of a job that is run once is stored while it runs; all other work keeps it.
    once = workload.runs_once
    kept = np.array(
        [float(plan.on_hours.sum()) / (hours_per_month * plan.last_month) if once else 1.0 for _, plan in rows]
    )
    timelines = rent_timeline(
        price_usd_per_hour=np.array([planned_price_usd_per_hour(offer) for offer, _ in rows]),
        instance_count=gang,
        paid_hours_per_month=np.stack([plan.on_hours for _, plan in rows]),
        useful_gpu_hours_per_month=np.stack([plan.useful_gpu_hours for _, plan in rows]),
        months=months,
        upfront_usd=np.array([offer.upfront_usd for offer, _ in rows]),
        term_months=np.array([offer.term_months for offer, _ in rows]),
        minimum_hours=np.array([offer.minimum_hours for offer, _ in rows]),
        paid_in_advance=np.array([offer.purchase_option is PurchaseOption.CAPACITY_BLOCK for offer, _ in rows]),
        price_change_share_per_year=beliefs["rent.price_change_share_per_year"],
        overhead_ratio=stretch,
        storage_usd_per_month=beliefs["rent.storage_gb"] * beliefs["rent.storage_usd_per_gb_month"] * kept,
        egress_usd_per_month=beliefs["rent.egress_gb_per_month"] * beliefs["rent.egress_usd_per_gb"],
        support_share=beliefs["rent.support_share"],
        hours_per_month=hours_per_month,
    )
    options = []
    for index, (offer, plan) in enumerate(rows):
        fleet = plan.fleet
        timeline = timelines.at(index)
        paid = fleet.instance_count * (
            hours_per_month if offer.term_months else float(plan.on_hours[: plan.last_month].mean())
        )
        reason = _reason_not_chosen(offer, plan, workload, float(stretch[index]))
        working = plan.last_month
        costs = unit_costs(timeline, work, working_months=working, discount_rate_share_per_year=discount)
        units = max(fleet.machine.accelerator_count, 1.0) * paid
        used = float(plan.useful_gpu_hours.sum()) / working
        busy_share = min(1.0, used / units) if units else None
        energy = rented_footprint(
            fleet.machine,
            offer.provider,
            offer.region,
            machine_hours_per_month=paid,
            busy_share=busy_share or 0.0,
            beliefs=beliefs,
        )
        on_hours_per_month, run_hours, _ = hours_of_work(plan, hours_per_month, once=once)
        options.append(
            Option(
                id=offer_id(offer),
                kind=OptionKind.RENT if fleet.machine.accelerator else OptionKind.CPU,
                provider=offer.provider,
                region=offer.region,
                instance_type=offer.instance_type,
                purchase_option=offer.purchase_option.value,
                fleet=fleet,
                price_usd_per_hour=planned_price_usd_per_hour(offer),
                paid_hours_per_month=paid,
                timeline=timeline,
                book=RentBook(
                    price_usd_per_hour=planned_price_usd_per_hour(offer),
                    upfront_usd=offer.upfront_usd,
                    instance_count=fleet.instance_count,
                    hours_per_month=on_hours_per_month,
                    run_hours=run_hours,
                    term_months=offer.term_months,
                    minimum_hours=offer.minimum_hours,
                    paid_in_advance=offer.purchase_option is PurchaseOption.CAPACITY_BLOCK,
                    overhead_ratio=float(stretch[index]),
                ),
                present_value_usd=costs.present_value_usd,
                usd_per_month=costs.usd_per_month,
                usd_per_useful_gpu_hour=costs.usd_per_useful_gpu_hour,
                usd_per_million_tokens=costs.usd_per_million_tokens,
                usd_per_thousand_images=costs.usd_per_thousand_images,
                utilisation_share=busy_share,
                kwh_per_month=energy.kwh_per_month if energy else None,
                co2e_kg_per_month=energy.co2e_kg_per_month if energy else None,
                needed_share=needed_share(plan, hours_per_month),
                hours_per_run=None
                if fleet.busy_hours_per_run is None
                else fleet.busy_hours_per_run * float(stretch[index]),
                priced_on=offer.observed_on,
                source=offer.source,
                choosable=not reason,
                reason_not_chosen=reason,
                notes=_notes(offer, fleet, float(stretch[index])),
            )
        )
    return options
