"""Runs: the same run on fewer or more machines, and a later one on new documents alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from planner.costs.evaluate import timelines
from planner.costs.inputs import RentInputs
from planner.demand.volume import volume
from planner.demand.workload import Embed, Workload
from planner.options.credits import with_credits
from planner.options.machine_hours import hours_of_work, schedule
from planner.options.option import Option
from planner.options.rules import stretch_ratio
from planner.supply.calibration import slow_ratio
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet
from planner.verdict.supply import Supply
from pricing.facts.offers import PurchaseOption

COUNT_RATIOS = (0.5, 2.0)
LARGEST_BOX = 8
"""GPUs of one server that clouds sell in all sizes."""
LATER_DOCUMENTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCount:
    """One run on fewer or more of the machines of the verdict, whole ones, at its price.

    Attributes
    ----------
    accelerators_total_count, hours_per_run, usd : float
        GPUs, how long the run takes on them, and what it costs.
    late_hours : float
        How long it takes at the slow end of the speed band at which a deadline has to be met.
    deadline_hours : float or None
        The deadline; None where there is none.
    """

    accelerators_total_count: float
    hours_per_run: float
    usd: float
    late_hours: float
    deadline_hours: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterRun:
    """A run on the documents that come after those of the first run, done the same way.

    Attributes
    ----------
    document_count : float
        New documents.
    usd : float
        What the run costs, starting the machines included.
    """

    document_count: float
    usd: float


def at_other_counts(workload: Workload, taken: Option, supply: Supply) -> tuple[OtherCount, ...]:
    """Return the run on half and twice the GPUs at the verdict's price for each: in whole boxes, or in one of another size.

    Parameters
    ----------
    workload : Workload
        The work, with the limits in force.
    taken : Option
        The verdict.
    supply : Supply
        What may do the work.
    """
    fleet, price_usd = taken.fleet, taken.price_usd_per_hour
    by_the_hour = taken.purchase_option in {PurchaseOption.ON_DEMAND, PurchaseOption.SPOT}
    if fleet is None or not fleet.busy_hours_per_run or price_usd is None or not by_the_hour:
        return ()
    months, runs = workload.horizon_months, workload.runs_per_month
    machine, total, counts = fleet.machine, taken.accelerators_total_count, []
    usd_per_gpu_hour = price_usd / machine.accelerator_count if total else 0.0
    deadline_hours = workload.deadline_hours if math.isfinite(workload.deadline_hours) else None
    for ratio in COUNT_RATIOS:
        gpus = round(total * ratio)
        if gpus < 1 or gpus != total * ratio:
            continue
        is_joined = machine.network_gb_per_s_each_way > 0 and gpus >= machine.accelerator_count
        if is_joined:
            gpus = math.ceil(gpus / machine.accelerator_count) * round(machine.accelerator_count)
        if gpus == total:
            continue
        box = machine if is_joined else replace(machine, accelerator_count=float(gpus))
        if not is_joined and gpus > LARGEST_BOX:
            continue
        other = estimate(workload, supply.architecture, box, gpus, supply.assumptions, calibration=supply.calibration)
        if isinstance(other, Fleet) and other.busy_hours_per_run:
            rent = _rent_of(workload, taken, other, usd_per_gpu_hour * box.accelerator_count, supply)
            run_hours = other.busy_hours_per_run * rent.overhead_ratio
            costs = timelines([rent], supply.assumptions, months=months, once=workload.runs_once)
            usd = float(costs.total_usd()[0])
            slow = slow_ratio(
                supply.assumptions["perf.deadline_band_percentile"], other.performance.rate_per_s.spread_log
            )
            counts.append(
                OtherCount(
                    accelerators_total_count=gpus,
                    hours_per_run=run_hours,
                    usd=usd / (months * runs) if runs else usd,
                    late_hours=run_hours * slow,
                    deadline_hours=deadline_hours,
                )
            )
    return tuple(counts)


def _rent_of(workload: Workload, taken: Option, other: Fleet, price_usd_per_hour: float, supply: Supply) -> RentInputs:
    """Return the rent of another fleet from the verdict's seller, whose credits pay first."""
    assert isinstance(taken.book, RentInputs)
    assumptions, months = supply.assumptions, workload.horizon_months
    clock, start_hours = assumptions["money.hours_per_month"], assumptions["rent.start_hours"]
    plan = schedule(other, volume(workload, clock), months=months, hours_per_month=clock, start_hours=start_hours)
    hours_per_month, run_hours, _ = hours_of_work(plan, clock, once=workload.runs_once)
    count = plan.fleet.instance_count
    stretch = stretch_ratio(np.array([taken.book.interruptible]), np.array([count]), workload, assumptions)
    rent = replace(
        taken.book,
        price_usd_per_hour=price_usd_per_hour,
        instance_count=count,
        hours_per_month=hours_per_month,
        run_hours=run_hours,
        overhead_ratio=float(stretch[0]),
        credit_usd=0.0,
        credit_months=0.0,
    )
    return with_credits(rent, taken.provider, workload.have.credits, supply.evidence.today)


def later_run(workload: Workload, taken: Option, supply: Supply) -> LaterRun | None:
    """Return what new documents cost after a single run over those that are there; None for other work.

    Parameters
    ----------
    workload : Workload
        The work, with the limits in force.
    taken : Option
        The verdict.
    supply : Supply
        What may do the work: at least what the verdict takes.
    """
    work = workload.work
    if not isinstance(work, Embed) or not workload.runs_once:
        return None
    asked = workload.model_copy(update={"embed": work.model_copy(update={"documents": LATER_DOCUMENTS})})
    options = supply.options(asked, supply.sized(asked)[0])
    same = next((option for option in options if option.id == taken.id), None)
    return LaterRun(document_count=float(LATER_DOCUMENTS), usd=same.total_usd) if same else None
