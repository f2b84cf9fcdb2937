"""Owned servers, at home or in colocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

from planner.assumptions import Assumptions
from planner.costs.buy import Site, buy_timeline, fits_at_home, ownership_terms
from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.options.book import BuyBook, hours_of_work
from planner.options.energy import owned_footprint
from planner.options.option import Option, OptionKind
from planner.options.schedule import Schedule, needed_share, schedule
from planner.options.unit_costs import unit_costs
from planner.supply.machines import Fleet, Machine

__all__ = ["OwnableServer", "owned_options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnableServer:
    """A server that can be bought.

    Attributes
    ----------
    machine : Machine
        What it can do.
    name : str
        How it is called in reports.
    price_usd : float
        With host, memory and fans.
    max_kw : float
        Highest draw.
    priced_on : date
        Date of the price.
    source : str
        Who states it.
    notes : tuple of str
        How price or power were worked out, where nobody quoted them.
    """

    machine: Machine
    name: str
    price_usd: float
    max_kw: float
    priced_on: date
    source: str
    notes: tuple[str, ...] = ()


def owned_options(
    servers: Sequence[OwnableServer],
    fleets: Mapping[Machine, Fleet],
    workload: Workload,
    work: Volume,
    beliefs: Assumptions,
    *,
    bridge_usd_per_month: float | None,
) -> list[Option]:
    """Return an option for each server that does the work, at each site that can feed it.

    Parameters
    ----------
    servers : sequence of OwnableServer
        What can be bought.
    fleets : mapping of Machine to Fleet
        Sized machines; those that cannot do the work are absent.
    workload, work : Workload, Volume
        What has to be done.
    beliefs : Assumptions
        Stated beliefs.
    bridge_usd_per_month : float or None
        Cheapest rent without a commitment, paid until the servers are delivered; None where nothing can be rented.
    """
    hours_per_month = beliefs["money.hours_per_month"]
    place, months = workload.own.place, workload.horizon_months
    options = []
    for server in servers:
        fleet = fleets.get(server.machine)
        if fleet is None:
            continue
        plan = schedule(fleet, work, months=months, hours_per_month=hours_per_month)
        options += [
            _option(
                server, plan, site, work, beliefs, place=place, months=months, bridge_usd_per_month=bridge_usd_per_month
            )
            for site in get_args(Site)
            if site != "home" or fits_at_home(plan.fleet.instance_count, server.max_kw, beliefs)
        ]
    return options


def _option(
    server: OwnableServer,
    plan: Schedule,
    site: Site,
    work: Volume,
    beliefs: Assumptions,
    *,
    place: str,
    months: int,
    bridge_usd_per_month: float | None,
) -> Option:
    lead_months = round(beliefs["own.lead_time_months"])
    notes = list(server.notes)
    reason = ""
    end = plan.last_month
    once = work.is_job and not work.runs_per_month
    if once:
        # Nobody waits for a server to start a job that rent would have finished: it counts from delivery, and is sold after.
        lead_months = 0
        reason = "a server is not bought for one run; it would arrive after the work is done elsewhere"
        notes.append("sold when the run is done, at the price of used hardware")
    elif lead_months >= end:
        reason = f"delivery takes {lead_months} months, the horizon ends after {end}"
        lead_months = 0
    elif site == "home" and not work.is_job:
        reason = "a service needs a second power feed and someone on call, which a home has not"
    if bridge_usd_per_month is not None and lead_months:
        notes.append(f"the first {lead_months} months, until delivery, are rented")
    fleet = plan.fleet
    timeline = buy_timeline(
        server_price_usd=server.price_usd,
        accelerator_count=fleet.machine.accelerator_count,
        server_max_kw=server.max_kw,
        server_count=fleet.instance_count,
        busy_share=plan.busy_share,
        useful_gpu_hours_per_month=plan.useful_gpu_hours,
        months=months,
        terms=ownership_terms(beliefs, site),
        lead_time_months=lead_months,
        bridge_rent_usd_per_month=(bridge_usd_per_month or 0.0) if lead_months else 0.0,
        sold_after_months=end,
        hours_per_month=hours_of(beliefs),
    )
    on_hours_per_month, run_hours, busy_ratio = hours_of_work(plan, hours_of(beliefs), once=once)
    costs = unit_costs(
        timeline,
        work,
        working_months=end,
        discount_rate_share_per_year=beliefs["money.discount_rate_share_per_year"],
    )
    busy_share = float(plan.busy_share[:end].mean())
    energy = owned_footprint(
        server.max_kw, site, place, server_count=fleet.instance_count, busy_share=busy_share, beliefs=beliefs
    )
    return Option(
        id=f"own/{server.name}/{site}",
        kind=OptionKind.BUY,
        provider="own",
        region="at home" if site == "home" else "in colocation",
        instance_type=server.name,
        purchase_option="purchase",
        fleet=fleet,
        paid_hours_per_month=fleet.instance_count * hours_of(beliefs),
        timeline=timeline,
        book=BuyBook(
            site=site,
            server_price_usd=server.price_usd,
            server_max_kw=server.max_kw,
            accelerator_count=fleet.machine.accelerator_count,
            server_count=fleet.instance_count,
            hours_per_month=on_hours_per_month,
            run_hours=run_hours,
            busy_ratio=busy_ratio,
        ),
        present_value_usd=costs.present_value_usd,
        usd_per_month=costs.usd_per_month,
        usd_per_useful_gpu_hour=costs.usd_per_useful_gpu_hour,
        usd_per_million_tokens=costs.usd_per_million_tokens,
        usd_per_thousand_images=costs.usd_per_thousand_images,
        utilisation_share=busy_share,
        kwh_per_month=energy.kwh_per_month,
        co2e_kg_per_month=energy.co2e_kg_per_month,
        needed_share=needed_share(plan, hours_of(beliefs)),
        hours_per_run=fleet.busy_hours_per_run,
        priced_on=server.priced_on,
        source=server.source,
        choosable=not reason,
        reason_not_chosen=reason,
        notes=tuple(notes),
    )


def hours_of(beliefs: Assumptions) -> float:
    """Return the clock hours of a month."""
    return beliefs["money.hours_per_month"]
