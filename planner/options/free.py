"""Free tiers: notebooks and credits that cost nothing up to a cap, where one run fits under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import TokenInputs
from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.notes import Note, NoteCode
from planner.options.option import Option, OptionKind
from planner.options.reason import Reason, ReasonCode
from planner.options.schedule import schedule
from planner.supply.machines import Fleet, Machine
from pricing.accelerators import accelerators
from pricing.dates import first_day
from pricing.free_tiers import FreeTier

__all__ = ["FreeMachine", "free_machines", "free_options"]

ONE_CALL_SERVICES = frozenset({"Hugging Face ZeroGPU"})
"""They lend an accelerator for a function call of a web page, not for a job."""
UNDATED_READ_ON = date(2026, 11, 21)
"""The day on which the undated sources of free tiers were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeMachine:
    """A machine that is offered for free, and under which cap.

    Attributes
    ----------
    machine : Machine
        What it can do.
    tier : FreeTier
        Whose it is, and for how long.
    """

    machine: Machine
    tier: FreeTier


def free_machines(tiers: Sequence[FreeTier]) -> tuple[FreeMachine, ...]:
    """Return the free tiers that lend whole accelerators known to us."""
    free = []
    for tier in tiers:
        accelerator = accelerators().get(tier.accelerator or "")
        count = tier.accelerator_count or 0.0
        if tier.free and accelerator is not None and count >= 1 and tier.service not in ONE_CALL_SERVICES:
            free.append(
                FreeMachine(
                    machine=Machine(accelerator=accelerator, accelerator_count=count, network="none"), tier=tier
                )
            )
    return tuple(free)


def free_options(
    free: Sequence[FreeMachine],
    fleets: Mapping[Machine, Fleet],
    workload: Workload,
    work: Volume,
    assumptions: Assumptions,
) -> list[Option]:
    """Return an option for each free tier under whose cap one machine does the job.

    Parameters
    ----------
    free : sequence of FreeMachine
        Free tiers.
    fleets : mapping of Machine to Fleet
        Sized machines.
    workload, work : Workload, Volume
        What has to be done; only jobs that end fit into a notebook.
    assumptions : Assumptions
        Stated assumptions.
    """
    # A free tier is no seller that one could name, and says nothing of its place.
    if not work.is_job or workload.constraints.names_sellers:
        return []
    months = workload.horizon_months
    options = []
    for each in free:
        fleet, tier = fleets.get(each.machine), each.tier
        if fleet is None or fleet.instance_count != 1 or fleet.busy_hours_per_run is None:
            continue
        hours = fleet.busy_hours_per_run
        runs = work.runs_per_month or 1.0
        notes = [Note(NoteCode.TERMS_OF_FREE_TIERS)]
        if tier.quota_hours is not None:
            month_hours = tier.quota_hours_per_month or 0.0
            if hours > tier.quota_hours or hours * runs > month_hours:
                continue
            notes.append(Note(NoteCode.QUOTA_USED, (hours, tier.quota_hours, tier.period)))
        reasons = [] if workload.constraints.free_tiers else [Reason(ReasonCode.FREE_TIER)]
        if tier.quota_hours is None:
            reasons.append(Reason(ReasonCode.QUOTA_UNPUBLISHED))
        if tier.kind == "credit":
            notes.append(Note(NoteCode.MONTHLY_CREDIT, (tier.price_usd,)))
            reasons.append(Reason(ReasonCode.CREDIT))
        if tier.max_session_hours is not None and hours > tier.max_session_hours:
            reasons.append(Reason(ReasonCode.SESSION_TOO_SHORT, (tier.max_session_hours, hours)))
        if each.machine.needs_xla:
            reasons.append(Reason(ReasonCode.NEEDS_XLA))
        plan = schedule(fleet, work, months=months, hours_per_month=assumptions["money.hours_per_month"])
        options.append(
            Option(
                id=f"free/{tier.service}/{tier.plan}/{tier.accelerator}".replace(" ", "-"),
                kind=OptionKind.FREE,
                provider=f"{tier.service} ({tier.plan})" if tier.plan else tier.service,
                instance_type="notebook" if tier.kind == "quota" else "credit",
                purchase_option="free",
                fleet=plan.fleet,
                price_usd_per_hour=0.0,
                timeline=timelines([TokenInputs()], assumptions, months=months).at(0),
                book=TokenInputs(),
                present_value_usd=0.0,
                usd_per_month=0.0,
                usd_per_useful_gpu_hour=0.0,
                usd_per_million_tokens=0.0 if work.tokens else None,
                hours_per_run=hours,
                priced_on=first_day(tier.as_of) if tier.as_of else UNDATED_READ_ON,
                source=f"{tier.source} ({tier.confidence.replace('_', ' ')})",
                tier="D",
                not_recommended=tuple(reasons),
                notes=tuple(notes),
            )
        )
    return options
