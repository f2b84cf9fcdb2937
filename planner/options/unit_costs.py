"""What an option's timeline comes to, for the whole, a month, and a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from planner.costs.inputs import RentInputs
from planner.costs.timeline import Timeline
from planner.demand.volume import Volume

NEAR_A_MONTH = 0.05
"""What lasts to within a day or two of the horizon lasts to its end."""


class UnitCosts(TypedDict):
    """The figures of `planner.options.option.Option` that follow from money and work alone."""

    present_value_usd: float
    usd_per_month: float
    usd_per_useful_gpu_hour: float | None
    usd_per_million_tokens: float | None
    usd_per_thousand_images: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What a month costs at first, for how many months, and then."""

    first_usd_per_month: float
    first_months: float
    then_usd_per_month: float


def stages_of(rent: RentInputs, costs: Timeline) -> Stages | None:
    """Return what a month costs while a credit or another price of the first months lasts, and after.

    None where neither ends within the horizon, and for work that is run once, which has one bill. What is paid today for a
    term is in neither.
    """
    by_month, months = costs.by_month_usd()[1:], rent.first_months
    if not months and rent.credit_usd > 0:
        bill_usd = costs.component_usd("on_demand")[1] + costs.component_usd("commitment")[1]
        months = -float(costs.component_usd("credit").sum()) / bill_usd if bill_usd > 0 else 0.0
    if rent.run_hours or not 0 < months < costs.months - NEAR_A_MONTH:
        return None
    # The month in which it ends is of both kinds.
    first = by_month[0] if months >= 1 else (by_month[0] - (1.0 - months) * by_month[1]) / months
    then = (by_month.sum() - first * months) / (costs.months - months)
    return Stages(first_usd_per_month=float(first), first_months=months, then_usd_per_month=float(then))


def unit_costs(
    timelines: Timeline, work: Volume, *, working_months: Sequence[int], discount_rate_share_per_year: float
) -> list[UnitCosts]:
    """Return what each of many alternatives comes to, in their order.

    Parameters
    ----------
    timelines : Timeline
        One or more alternatives.
    work : Volume
        What is done in a month or a run.
    working_months : sequence of int
        Months in which there is work, of each; the mean month is taken over these.
    discount_rate_share_per_year : float
        For the present value; unit costs are plain money over plain work.
    """
    runs = work.runs(timelines.months)
    tokens, images = work.tokens * runs, work.images * runs
    worth_usd = timelines.present_value_usd(discount_rate_share_per_year)
    totals = zip(
        worth_usd.tolist(),
        timelines.total_usd().tolist(),
        timelines.useful_gpu_hours.sum(axis=-1).tolist(),
        working_months,
        strict=True,
    )
    return [
        UnitCosts(
            present_value_usd=worth,
            usd_per_month=total_usd / months,
            usd_per_useful_gpu_hour=total_usd / hours if hours > 0 else None,
            usd_per_million_tokens=total_usd / tokens * 1e6 if tokens > 0 else None,
            usd_per_thousand_images=total_usd / images * 1e3 if images > 0 else None,
        )
        for worth, total_usd, hours, months in totals
    ]
