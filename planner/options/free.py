"""Free tiers: notebooks and credits that cost nothing up to a cap, where one run fits under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from planner.assumptions import Assumptions
from planner.costs.api import api_timeline
from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.options.book import TokenBook
from planner.options.option import Option, OptionKind
from planner.options.schedule import schedule
from planner.supply.machines import Fleet, Machine
from pricing.accelerators import accelerators
from pricing.dates import first_day
from pricing.free_tiers import FreeTier

__all__ = ["LentMachine", "free_options", "lent_machines"]

ONE_CALL_SERVICES = frozenset({"Hugging Face ZeroGPU"})
"""They lend an accelerator for a function call of a web page, not for a job."""
UNDATED_READ_ON = date(2026, 11, 21)
"""The day on which the undated sources of free tiers were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LentMachine:
    """A machine that is lent for free, and under which cap.

    Attributes
    ----------
    machine : Machine
        What it can do.
    tier : FreeTier
        Whose it is, and for how long.
    """

    machine: Machine
    tier: FreeTier


def lent_machines(tiers: Sequence[FreeTier]) -> tuple[LentMachine, ...]:
    """Return the free tiers that lend whole accelerators known to us."""
    lent = []
    for tier in tiers:
        accelerator = accelerators().get(tier.accelerator or "")
        count = tier.accelerator_count or 0.0
        if tier.free and accelerator is not None and count >= 1 and tier.service not in ONE_CALL_SERVICES:
            lent.append(
                LentMachine(
                    machine=Machine(accelerator=accelerator, accelerator_count=count, network="none"), tier=tier
                )
            )
    return tuple(lent)


def free_options(
    lent: Sequence[LentMachine],
    fleets: Mapping[Machine, Fleet],
    workload: Workload,
    work: Volume,
    beliefs: Assumptions,
) -> list[Option]:
    """Return an option for each free tier under whose cap one machine does the job.

    Parameters
    ----------
    lent : sequence of LentMachine
        Free tiers.
    fleets : mapping of Machine to Fleet
        Sized machines.
    workload, work : Workload, Volume
        What has to be done; only jobs that end fit into a notebook.
    beliefs : Assumptions
        Stated beliefs.
    """
    # Who names providers asks for sellers, and a free tier is none.
    if not work.is_job or workload.constraints.providers:
        return []
    months = workload.horizon_months
    options = []
    for each in lent:
        fleet, tier = fleets.get(each.machine), each.tier
        if fleet is None or fleet.instance_count != 1 or fleet.busy_hours_per_run is None:
            continue
        hours = fleet.busy_hours_per_run
        runs = work.runs_per_month or 1.0
        notes = ["free tiers change without notice, promise nothing and often forbid commercial or unattended use"]
        if tier.quota_hours is not None:
            month_hours = tier.quota_hours_per_month or 0.0
            if hours > tier.quota_hours or hours * runs > month_hours:
                continue
            notes.append(f"takes {hours:.1f} of {tier.quota_hours:g} h a {tier.period}")
        reason = "" if tier.quota_hours is not None else "the hours it grants are not published"
        if tier.kind == "credit":
            notes.append(f"paid from a monthly credit; beyond it {tier.price_usd:g} USD/h")
            reason = reason or "a credit is a price reduction, and is gone when something else has used it"
        if tier.max_session_hours is not None and hours > tier.max_session_hours:
            reason = reason or f"a session ends after {tier.max_session_hours:g} h, the run takes {hours:.1f} h"
        if each.machine.accelerator is not None and each.machine.accelerator.vendor == "Google":
            reason = reason or "a TPU runs programs written for XLA, which most notebooks are not"
        plan = schedule(fleet, work, months=months, hours_per_month=beliefs["money.hours_per_month"])
        options.append(
            Option(
                id=f"free/{tier.service}/{tier.plan}/{tier.accelerator}".replace(" ", "-"),
                kind=OptionKind.FREE,
                provider=f"{tier.service} ({tier.plan})" if tier.plan else tier.service,
                instance_type="notebook" if tier.kind == "quota" else "credit",
                purchase_option="free",
                fleet=plan.fleet,
                price_usd_per_hour=0.0,
                timeline=api_timeline(plan.on_hours * 0.0),
                book=TokenBook(usd_per_month=0.0, run_usd=0.0),
                present_value_usd=0.0,
                usd_per_month=0.0,
                usd_per_useful_gpu_hour=0.0,
                usd_per_million_tokens=0.0 if work.tokens else None,
                hours_per_run=hours,
                priced_on=first_day(tier.as_of) if tier.as_of else UNDATED_READ_ON,
                source=f"{tier.source} ({tier.confidence.replace('_', ' ')})",
                choosable=not reason,
                reason_not_chosen=reason,
                notes=tuple(notes),
            )
        )
    return options
