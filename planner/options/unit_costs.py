"""What an option's timeline comes to, for the whole, a month, and a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.costs.timeline import Timeline
from planner.demand.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """The figures of `planner.options.option.Option` that follow from money and work alone."""

    present_value_usd: float
    usd_per_month: float
    usd_per_useful_gpu_hour: float | None
    usd_per_million_tokens: float | None
    usd_per_thousand_images: float | None


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
    found = zip(
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
        for worth, total_usd, hours, months in found
    ]
