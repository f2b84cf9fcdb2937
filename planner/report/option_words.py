"""How sentences about a verdict call an option: what it takes, where it is, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from planner.figures import duration, gpus_text, machines_text, percent, usd, usd_by_stage
from planner.options.option import Option, OptionKind
from planner.words import how_paid, seller
from pricing.units import HOURS_PER_MONTH

HEADS = {
    "rent": "Rent ",
    "buy": "Buy ",
    "cpu": "No GPU needed: ",
    "api": "No GPU of your own needed: ",
    "free": "A free tier is enough: ",
    "have": "Use what you have: ",
}

Named: TypeAlias = Option | Mapping[str, Any]
"""An option of a plan, or of its record."""
MACHINES = ("instance_count", "instance_type", "accelerator_count", "accelerator")
LATE_SHARE = 0.9
"""A break-even later than this part of the horizon comes about by the resale."""

NEARLY_ALL_SHARE = 0.98
MOST_SURE_SHARE = 0.99


def is_by_resale(month: float, months: int) -> bool:
    """Tell whether owning pays off so late in the horizon that only the resale at its end makes it."""
    return month > months * LATE_SHARE


def confidence(share: float) -> str:
    """Write a share of random draws: no number of them makes an answer certain.

    Examples
    --------
    >>> confidence(0.9985), confidence(0.55), confidence(0.0)
    ('over 99 %', '55 %', 'under 1 %')
    """
    if share < 1 - MOST_SURE_SHARE:
        return "under 1 %"
    return "over 99 %" if share > MOST_SURE_SHARE else percent(share)


def money(option: Option, *, once: bool) -> str:
    """Say what an option costs: for the run, or a month, at first and later where a credit or a commitment ends."""
    if once:
        took = f" of {duration(option.hours_per_run)}" if option.hours_per_run is not None else ""
        return f"{usd(option.total_usd)} USD for the run{took}"
    stages = option.stages
    if stages is not None:
        return usd_by_stage(stages.first_usd_per_month, stages.first_months, stages.then_usd_per_month)
    return f"{usd(option.usd_per_month)} USD a month"


def _of(option: Named, *names: str) -> list[Any]:
    return [option[name] if isinstance(option, Mapping) else getattr(option, name) for name in names]


def machines(option: Named) -> str:
    """Say what an option takes: machines, and the accelerators in them; of a hosted API the model."""
    kind, count, instance_type, accelerator_count, accelerator = _of(option, "kind", *MACHINES)
    if kind == OptionKind.API:
        return str(instance_type)
    return machines_text(count, instance_type, accelerator_count, accelerator)


def gpus(option: Named) -> str:
    """Say what an option takes as the headline has it: the GPUs first, then the machines that hold them."""
    return gpus_text(*_of(option, *MACHINES))


def degrees_of(layout: Mapping[str, Any]) -> list[str]:
    """Say over how many accelerators work is split, and how."""
    return [
        f"{name} {layout[name]}" for name in ("tensor", "pipeline", "data", "expert", "context") if layout[name] > 1
    ]


def place_of(option: Named) -> str:
    """Say who offers it and where; "global" is a seller that states no region."""
    provider, region = _of(option, "provider", "region")
    if provider == "own":
        return str(region)
    return f"{seller(provider)} {'' if region == 'global' else region}".strip()


def paid(option: Named) -> str:
    """Say how an option is paid for."""
    return how_paid(*_of(option, "purchase_option"))


def given_back(option: Named, kind: str) -> str:
    """Say for how much of the month machines are paid that follow the demand; who states hours has said so himself."""
    sort, run_hours, count, paid_hours = _of(option, "kind", "hours_per_run", "instance_count", "paid_hours_per_month")
    if sort not in {OptionKind.RENT, OptionKind.CPU} or run_hours is not None or kind == "gpu_hours" or not count:
        return ""
    share = paid_hours / (count * HOURS_PER_MONTH)
    return f" (idle machines given back: {percent(share)} of the month is paid)" if share < NEARLY_ALL_SHARE else ""


def label(option: Named) -> str:
    """Return an option in one line: machines, place, payment."""
    return _placed(option, machines(option))


def whole(option: Named) -> str:
    """Say what an option is: machines, where, and how they are paid for."""
    return f"buying {label(option)}" if _of(option, "kind") == [OptionKind.BUY] else label(option)


def heading(option: Mapping[str, Any]) -> str:
    """Return how a verdict for an option begins."""
    head = "Lease " if option["purchase_option"] == "lease" else HEADS[option["kind"]]
    text = _placed(option, gpus(option)) if option["kind"] == OptionKind.RENT else label(option)
    return head + (f"{text.removesuffix(', per token')}, paid per token" if option["kind"] == OptionKind.API else text)


def short_name(option: Mapping[str, Any]) -> str:
    """Return an option in a few words: accelerators or machines, seller, region, payment."""
    if option["kind"] == OptionKind.API:
        return f"{option['instance_type'].rpartition('/')[2]} at {seller(option['provider'])}"
    gpu_count = option["accelerators_total_count"]
    what = machines_text(option["instance_count"], option["instance_type"], 0, None)
    if option["accelerator"] and gpu_count >= 1 and gpu_count == int(gpu_count):
        what = f"{gpu_count:,.0f} x {option['accelerator']}"
    if option["kind"] == OptionKind.BUY:
        capex = option.get("capex_usd")
        return f"{what} {option['region']}" + (f", {usd(capex)} USD capex" if capex else "")
    return f"{what}, {place_of(option)}, {paid(option).replace(' years', ' y').replace(' year', ' y')}"


def _placed(option: Named, what: str) -> str:
    """Return what is taken, with where it stands and how it is paid for."""
    if _of(option, "kind") == [OptionKind.BUY]:
        return f"{what}, {place_of(option)}"
    return f"{what} at {place_of(option)}, {paid(option)}"
