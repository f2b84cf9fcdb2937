"""What an option of a record costs, as a reader is told it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.costs.timeline import Timeline
from planner.figures import usd_by_stage


def chosen_of(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the option that a plan takes; None where it takes none."""
    return next((option for option in record["options"] if option["id"] == record["verdict"]["option_id"]), None)


def items_usd(timeline: Timeline) -> dict[str, float]:
    """Return the sum of each item of a timeline that is paid at all."""
    by_month = {name: timeline.component_usd(name) for name in timeline.components}
    return {name: float(cells.sum()) for name, cells in by_month.items() if cells.any()}


def stated_usd(option: Mapping[str, Any], *, once: bool) -> float:
    """Return the cost that a reader is told: of the run, or of the mean month; older plans state no run's but its NPV."""
    cost = option["cost"]
    return float((cost.get("total_usd") or cost["present_value_usd"]) if once else cost["usd_per_month"])


def range_usd(option: Mapping[str, Any], *, once: bool) -> tuple[float, float] | None:
    """Return the 10th and 90th percentile of that cost; None where no draws were made."""
    cost = option["cost"]
    low, high = cost.get("low_usd_per_month"), cost.get("high_usd_per_month")
    if low is None or high is None:
        return None
    ratio = stated_usd(option, once=once) / cost["usd_per_month"] if cost["usd_per_month"] else 1.0
    return low * ratio, high * ratio


def stage_words(option: Mapping[str, Any]) -> str:
    """Return what a month costs at first and then, where a credit or a commitment ends; else an empty text."""
    stages = option["cost"].get("stages")
    return usd_by_stage(**stages) if stages else ""
