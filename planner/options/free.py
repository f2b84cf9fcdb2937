"""Free tiers: notebooks and credits that cost nothing up to a cap, where one run fits under it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import TokenInputs
from planner.demand.volume import Volume
from planner.demand.workload import Constraints, Workload
from planner.notes import Note, NoteCode
from planner.options.machine_hours import schedule
from planner.options.option import Option, OptionKind, Reason, ReasonCode
from planner.supply.machines import Fleet, Machine
from pricing.facts.accelerators import accelerators
from pricing.facts.dates import first_day
from pricing.facts.sellers import FreeTier

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

    @property
    def option_id(self) -> str:
        """The id of the option that it is."""
        return f"free/{self.tier.service}/{self.tier.plan}/{self.tier.accelerator}".replace(" ", "-")

    @property
    def provider(self) -> str:
        """Who offers it, and in which plan."""
        return f"{self.tier.service} ({self.tier.plan})" if self.tier.plan else self.tier.service

    @property
    def instance_type(self) -> str:
        """What it is used as."""
        return "notebook" if self.tier.kind == "quota" else "credit"

    @property
    def read_on(self) -> date:
        """The day for which its terms hold."""
        return first_day(self.tier.as_of) if self.tier.as_of else UNDATED_READ_ON

    def reasons_against(self, constraints: Constraints, run_hours: float = 0.0) -> Iterator[Reason]:
        """Say what speaks against it for runs of so many hours."""
        if not constraints.free_tiers:
            yield Reason(ReasonCode.FREE_TIER)
        if self.tier.quota_hours is None:
            yield Reason(ReasonCode.QUOTA_UNPUBLISHED)
        if self.tier.kind == "credit":
            yield Reason(ReasonCode.CREDIT)
        if self.tier.max_session_hours is not None and run_hours > self.tier.max_session_hours:
            yield Reason(ReasonCode.SESSION_TOO_SHORT, (self.tier.max_session_hours, run_hours))
        if self.machine.needs_xla:
            yield Reason(ReasonCode.NEEDS_XLA)

    def holds(self, run_hours: FloatArray | float, runs_per_month: FloatArray | float) -> NDArray[np.bool_]:
        """Return whether its cap, where one is published, holds a run and all runs of a month."""
        most = math.inf if self.tier.quota_hours is None else self.tier.quota_hours
        most_in_month = math.inf if self.tier.quota_hours is None else self.tier.quota_hours_per_month or 0.0
        return np.asarray((run_hours <= most) & (run_hours * runs_per_month <= most_in_month), dtype=bool)


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
    for offered in free:
        fleet, tier = fleets.get(offered.machine), offered.tier
        if fleet is None or fleet.instance_count != 1 or fleet.busy_hours_per_run is None:
            continue
        hours = fleet.busy_hours_per_run
        runs = work.runs_per_month or 1.0
        notes = [Note(NoteCode.TERMS_OF_FREE_TIERS)]
        if not offered.holds(hours, runs):
            continue
        if tier.quota_hours is not None:
            notes.append(Note(NoteCode.QUOTA_USED, (hours, tier.quota_hours, tier.period)))
        if tier.kind == "credit":
            notes.append(Note(NoteCode.MONTHLY_CREDIT, (tier.price_usd,)))
        plan = schedule(fleet, work, months=months, hours_per_month=assumptions["money.hours_per_month"])
        options.append(
            Option(
                id=offered.option_id,
                kind=OptionKind.FREE,
                provider=offered.provider,
                instance_type=offered.instance_type,
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
                priced_on=offered.read_on,
                source=f"{tier.source} ({tier.confidence.replace('_', ' ')})",
                tier="D",
                not_recommended=tuple(offered.reasons_against(workload.constraints, hours)),
                notes=tuple(notes),
            )
        )
    return options
