"""What does the work meanwhile: bridges until owned servers are delivered, and rents beside and after what is paid for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.arrays import FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import bridge_values, present_value_usd, timelines, values_of
from planner.costs.financing import UNFINANCED
from planner.costs.formulas import bridge_model
from planner.costs.inputs import Bridge, RentInputs, TokenInputs, bridge_of
from planner.demand.workload import Workload
from planner.options.option import Option, ReasonCode
from planner.options.rules import may_bridge


def lead_months_of(assumptions: Assumptions) -> int:
    """Return the whole months from order to work."""
    return round(assumptions["own.lead_time_months"])


def cheapest_bridge(options: Sequence[Option], assumptions: Assumptions, *, max_usd_per_month: float) -> Bridge | None:
    """Return the cheapest way to get the work done until servers are delivered; None where nothing may do it.

    Whatever may be recommended may bridge. So may a dated block that is long enough for the lead time, though it would not
    last for a service. The budget of a month holds for the bridge as well.

    Parameters
    ----------
    options : sequence of Option
        Rented and hosted options, with all that speaks against them.
    assumptions : Assumptions
        With the lead time.
    max_usd_per_month : float
        Budget; infinite for none.
    """
    lead_months = lead_months_of(assumptions)
    if not lead_months:
        return Bridge()
    bridges = list(_bridges(options, lead_months * assumptions["money.hours_per_month"]))
    if not bridges:
        return None
    numbers = [bridge_values(bridge) for bridge in bridges]
    columns = {name: np.array([values[name] for values in numbers])[:, None] for name in numbers[0]}
    model = bridge_model()
    values = values_of(model, columns, assumptions, horizon_months=float(lead_months))
    worth_usd, total_usd = present_value_usd(model, values, lead_months)
    row = int(cheapest_row(worth_usd, total_usd, max_usd_per_month * lead_months))
    return bridges[row] if row >= 0 else None


def cheapest_row(worth_usd: FloatArray, total_usd: FloatArray, most_usd: float | FloatArray) -> IntArray:
    """Return which bridge has the least present value within a budget; -1 where none is.

    Parameters
    ----------
    worth_usd, total_usd : FloatArray, shape (bridges,) or (bridges, workloads)
        Present values and plain sums; infinite for what may not bridge.
    most_usd : float or FloatArray
        Budget until delivery.

    Examples
    --------
    >>> cheapest_row(np.array([3.0, 1.0, 2.0]), np.array([4.0, 9.0, 5.0]), 5.0).item()
    2
    """
    within_usd = np.where(total_usd <= most_usd, worth_usd, np.inf)
    none = np.full((1, *within_usd.shape[1:]), np.inf)
    return np.asarray(np.concatenate([none, within_usd]).argmin(axis=0) - 1)


def _bridges(options: Sequence[Option], hours: float) -> Iterator[Bridge]:
    for option in options:
        cost_inputs = option.book
        is_block = isinstance(cost_inputs, RentInputs) and cost_inputs.weekly_above_hours > 0
        only_too_short = all(reason.code is ReasonCode.BLOCK_TOO_SHORT for reason in option.not_recommended)
        lasts = may_bridge(is_block, option.choosable, only_too_short, hours)
        if lasts and isinstance(cost_inputs, RentInputs | TokenInputs):
            yield bridge_of(option.id, cost_inputs)


@dataclass(frozen=True, slots=True)
class RestOfTheWork:
    """What does the part of the work that owned machines are too few for."""

    share: float
    option_id: str
    usd_per_month: float


NO_REST = RestOfTheWork(0.0, "", 0.0)


def rest_of(share: float, others: Sequence[Option]) -> RestOfTheWork | None:
    """Return the cheapest way to do a part of the work: tokens in proportion, rents in whole machines; None without one."""
    if share <= 0:
        return NO_REST
    rests = []
    for option in others:
        if option.choosable and not option.binds:
            machines = option.instance_count
            part = math.ceil(machines * share - 1e-9) / machines if machines else share
            rests.append(RestOfTheWork(share, option.id, option.usd_per_month * part))
    return min(rests, key=lambda rest: rest.usd_per_month, default=None)


def after_takeover(
    rent: RentInputs, others: Sequence[Option], workload: Workload, assumptions: Assumptions
) -> RentInputs | None:
    """Return this rent at the price at which it costs as much as the cheapest recommended option without a long commitment; None without one.

    The formulas add tax and storage, so the price of an instance is before tax and without storage. A private quote is for now: it takes
    over nothing later.
    """
    once = workload.runs_once
    months = 1 if once else workload.horizon_months
    bills = (
        (option.stated_usd(once=once) + option.credit_used_usd / months, option.id)
        for option in others
        if option.choosable and not option.binds and not option.is_quoted
    )
    least = min(bills, default=None)
    if least is None:
        return None
    least_usd, option_id = least
    free = replace(rent, price_usd_per_hour=0.0, first_usd_per_hour=0.0)
    stored = timelines([free], {**assumptions, **UNFINANCED}, months=workload.horizon_months, once=once).total_usd()
    hours = (rent.run_hours if once else rent.hours_per_month) or 1.0
    usd = max(before_tax_usd(least_usd, assumptions) - float(stored[0]) / months, 0.0)
    return replace(rent, price_usd_per_hour=usd / (rent.instance_count * hours), takes_over_id=option_id)


def before_tax_usd(usd: float, assumptions: Assumptions) -> float:
    """Return what a bill is before the tax that it saves."""
    return usd / (1.0 - assumptions["money.tax_share"])
