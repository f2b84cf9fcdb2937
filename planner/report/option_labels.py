"""How page and workbook name an option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from planner.figures import gpus_text, machines_text, usd_by_stage
from planner.words import how_paid, seller

HEADS = {
    "rent": "Rent ",
    "buy": "Buy ",
    "cpu": "No GPU needed: ",
    "api": "No GPU of your own needed: ",
    "free": "A free tier is enough: ",
    "have": "Use what you have: ",
}


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


def label(option: Mapping[str, Any]) -> str:
    """Return an option in one line: machines, place, payment."""
    if option["kind"] == "api":
        place = f"{seller(option['provider'])} {'' if option['region'] == 'global' else option['region']}".strip()
        return f"{option['instance_type']} at {place}, per token"
    return _placed(option, machines_text)


def _placed(option: Mapping[str, Any], words: Callable[[int, str, float, str | None], str]) -> str:
    """Return the machines in words, with where they stand and how they are paid for."""
    machines = words(
        option["instance_count"], option["instance_type"], option["accelerator_count"], option["accelerator"]
    )
    if option["kind"] == "buy":
        return f"{machines}, {option['region']}"
    place = f"{option['provider']} {'' if option['region'] == 'global' else option['region']}".strip()
    return f"{machines} at {place}, {how_paid(option['purchase_option'])}"


def heading(option: Mapping[str, Any]) -> str:
    """Return how a verdict for an option begins."""
    text = _placed(option, gpus_text) if option["kind"] == "rent" else label(option)
    head = "Lease " if option["purchase_option"] == "lease" else HEADS[option["kind"]]
    return head + (f"{text.removesuffix(', per token')}, paid per token" if option["kind"] == "api" else text)
