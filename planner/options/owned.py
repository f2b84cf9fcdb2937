"""Owned servers, at home or in colocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.financing import financing_of
from planner.costs.inputs import Bridge, BuyInputs, Site
from planner.costs.servers import capex_usd, fits_at_home
from planner.costs.timeline import Timeline
from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.notes import Note, NoteCode
from planner.options.energy import own_place, owned_footprint
from planner.options.machine_hours import Schedule, hours_of_work, needed_share, schedule, spare_costs_usd_per_month
from planner.options.option import Option, OptionKind, Reason, ReasonCode, UnitCosts, unit_costs
from planner.options.rules import against_owning, is_licensed, needs_a_second, reasons_of
from planner.options.substitutes import lead_months_of
from planner.supply.machines import Fleet, Machine

ANYWHERE: tuple[Site, ...] = ("home", "colocation")
"""Where servers may stand unless the workload says where."""
OWNED_BY = {"cash": "purchase", "loan": "loan", "lease": "lease"}
"""What the options of owned servers say of how they are paid."""
REGIONS: dict[Site, str] = {"home": "at home", "colocation": "in colocation", "own_room": "in your own room"}


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
    notes : tuple of Note
        How price or power were worked out, where nobody quoted them.
    is_quoted : bool
        Whether this price was quoted to the user.
    """

    machine: Machine
    name: str
    price_usd: float
    max_kw: float
    priced_on: date
    source: str
    notes: tuple[Note, ...] = ()
    is_quoted: bool = False

    def option_id(self, site: Site) -> str:
        """Return the id of the option that it is at a site."""
        return f"own/{self.name}/{site}"


def owned_options(
    servers: Sequence[OwnableServer],
    fleets: Mapping[Machine, Fleet],
    workload: Workload,
    work: Volume,
    assumptions: Assumptions,
    *,
    bridge: Bridge | None,
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
    assumptions : Assumptions
        Stated assumptions.
    bridge : Bridge or None
        What does the work until the servers are delivered; None where nothing may.
    """
    hours_per_month = assumptions["money.hours_per_month"]
    months, once = workload.horizon_months, workload.runs_once
    plans = {
        machine: schedule(fleet, work, months=months, hours_per_month=hours_per_month)
        for machine, fleet in fleets.items()
    }
    until = Bridge() if once or bridge is None else bridge
    options = []
    for site in (workload.own.site,) if workload.own.site else ANYWHERE:
        rows = [
            (server, plan, _book(server, plan, site, hours_per_month, until, once=once))
            for server in servers
            if (plan := plans.get(server.machine)) is not None
            and (site != "home" or fits_at_home(plan.fleet.instance_count, server.max_kw, assumptions))
        ]
        if not rows:
            continue
        all_inputs, all_plans = [cost_inputs for *_, cost_inputs in rows], [plan for _, plan, _ in rows]
        costs_by_month = timelines(
            all_inputs,
            assumptions,
            months=months,
            once=once,
            useful_gpu_hours_per_month=np.stack([plan.useful_gpu_hours for plan in all_plans]),
        )
        all_costs = unit_costs(
            costs_by_month,
            work,
            working_months=[plan.last_month for plan in all_plans],
            discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
        )
        spares_usd = spare_costs_usd_per_month(
            all_inputs, [plan.fleet for plan in all_plans], assumptions, costs_by_month.total_usd(), months=months
        ).tolist()
        options += [
            _option(*row, (costs_by_month.at(index), costs, spares_usd[index]), workload, assumptions, has_bridge=bridge is not None)
            for index, (row, costs) in enumerate(zip(rows, all_costs, strict=True))
        ]  # fmt: skip
    return options


def _book(
    server: OwnableServer, plan: Schedule, site: Site, hours_per_month: float, bridge: Bridge, *, once: bool
) -> BuyInputs:
    on_hours_per_month, run_hours, busy_ratio = hours_of_work(plan, hours_per_month, once=once)
    return BuyInputs(
        site=site,
        server_price_usd=server.price_usd,
        server_max_kw=server.max_kw,
        accelerator_count=plan.fleet.machine.accelerator_count,
        server_count=plan.fleet.instance_count,
        hours_per_month=on_hours_per_month,
        run_hours=run_hours,
        busy_ratio=busy_ratio,
        bridge=bridge,
    )


def _option(
    server: OwnableServer,
    plan: Schedule,
    cost_inputs: BuyInputs,
    priced: tuple[Timeline, UnitCosts, float],
    workload: Workload,
    assumptions: Assumptions,
    *,
    has_bridge: bool,
) -> Option:
    site, (timeline, costs, spare_usd_per_month) = cost_inputs.site, priced
    hours_per_month = assumptions["money.hours_per_month"]
    lead_months = lead_months_of(assumptions)
    notes = list(server.notes)
    end = plan.last_month
    against = against_owning(
        site,
        workload,
        may_stand_there=is_licensed(server.machine, site),
        is_lonely=needs_a_second(workload) and plan.fleet.instance_count == 1,
        has_bridge=has_bridge,
        lead_months=lead_months,
        last_month=end,
    )
    reasons = reasons_of(against, 1)[0][:1]
    if workload.runs_once:
        notes.append(Note(NoteCode.SOLD_AFTER_RUN))  # it counts from delivery
    elif cost_inputs.bridge.option_id and 0 < lead_months < end:
        until_usd = timeline.component_usd("bridge_rent").sum() + timeline.component_usd("bridge_ahead").sum()
        notes.append(Note(NoteCode.UNTIL_DELIVERY, (lead_months, cost_inputs.bridge.option_id, float(until_usd))))
    fleet = plan.fleet
    capex = float(capex_usd(server.price_usd, fleet.instance_count, assumptions))
    limit = workload.constraints.max_capex_usd
    if limit is not None and capex > limit:
        reasons = (*reasons, Reason(ReasonCode.CAPEX_ABOVE_LIMIT, (capex, limit)))
    busy_share = float(plan.busy_share[:end].mean())
    energy = owned_footprint(
        server.max_kw,
        site,
        own_place(workload),
        server_count=fleet.instance_count,
        busy_share=busy_share,
        assumptions=assumptions,
    )
    return Option(
        id=server.option_id(site),
        kind=OptionKind.BUY,
        provider="own",
        region=REGIONS[site],
        instance_type=server.name,
        purchase_option=OWNED_BY[financing_of(assumptions).kind],
        fleet=fleet,
        paid_hours_per_month=fleet.instance_count * hours_per_month,
        timeline=timeline,
        capex_usd=capex,
        book=cost_inputs,
        **costs,
        spare_usd_per_month=spare_usd_per_month,
        utilisation_share=busy_share,
        kwh_per_month=energy.kwh_per_month,
        co2e_kg_per_month=energy.co2e_kg_per_month,
        grid_place=energy.grid.place,
        needed_share=needed_share(plan, hours_per_month),
        hours_per_run=fleet.busy_hours_per_run,
        priced_on=server.priced_on,
        source=server.source,
        is_quoted=server.is_quoted,
        not_recommended=reasons,
        notes=tuple(notes),
    )
