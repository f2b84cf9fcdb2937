"""What does the work that what is paid for already does not do: a part of it beside that, and all of it afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.financing import UNFINANCED
from planner.costs.inputs import RentInputs
from planner.demand.workload import Workload
from planner.options.option import Option


@dataclass(frozen=True, slots=True)
class Rest:
    """What does the part of the work that owned machines are too few for."""

    share: float
    option_id: str
    usd_per_month: float


NO_REST = Rest(0.0, "", 0.0)


def rest_of(share: float, others: Sequence[Option]) -> Rest | None:
    """Return the cheapest way to do a part of the work: tokens in proportion, rents in whole machines; None without one."""
    if share <= 0:
        return NO_REST
    rests = []
    for option in others:
        if option.choosable and not option.binds:
            machines = option.instance_count
            part = math.ceil(machines * share - 1e-9) / machines if machines else share
            rests.append(Rest(share, option.id, option.usd_per_month * part))
    return min(rests, key=lambda rest: rest.usd_per_month, default=None)


def takes_over_usd_per_hour(
    rent: RentInputs, others: Sequence[Option], workload: Workload, assumptions: Assumptions
) -> float | None:
    """Return the price of an instance at which a book costs what the cheapest option does that may be recommended and does not bind for years.

    A book's formulas add tax and storage, so that it is before tax, and without storage. A private quote is for now: it takes
    over nothing later.
    """
    once = workload.runs_once
    months = 1 if once else workload.horizon_months
    bills = (
        option.stated_usd(once=once) + option.credit_used_usd / months
        for option in others
        if option.choosable and not option.binds and not option.is_quoted
    )
    least = min(bills, default=None)
    if least is None:
        return None
    free = replace(rent, price_usd_per_hour=0.0, first_usd_per_hour=0.0)
    stored = timelines([free], {**assumptions, **UNFINANCED}, months=workload.horizon_months, once=once).total_usd()
    hours = (rent.run_hours if once else rent.hours_per_month) or 1.0
    return max(before_tax_usd(least, assumptions) - float(stored[0]) / months, 0.0) / (rent.instance_count * hours)


def before_tax_usd(usd: float, assumptions: Assumptions) -> float:
    """Return what a bill is before the tax that it saves."""
    return usd / (1.0 - assumptions["money.tax_share"])
