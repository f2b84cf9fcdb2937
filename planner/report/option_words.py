"""How sentences about a verdict call an option: what it takes, where it is, what it costs."""

from __future__ import annotations

from planner.figures import duration, gpus_text, machines_text, percent, usd, usd_by_stage
from planner.options.option import Option, OptionKind
from planner.words import how_paid

LATE_SHARE = 0.9
"""A break-even later than this part of the horizon comes about by the resale."""

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


def machines(option: Option) -> str:
    """Say what an option takes: machines, and the accelerators in them."""
    return machines_text(option.instance_count, option.instance_type, option.accelerator_count, option.accelerator)


def gpus(option: Option) -> str:
    """Say what an option takes as the headline has it: the GPUs first, then the machines that hold them."""
    return gpus_text(option.instance_count, option.instance_type, option.accelerator_count, option.accelerator)


def place_of(option: Option) -> str:
    """Say who offers it and where; "global" is a seller that states no region."""
    if option.provider == "own":
        return option.region
    return f"{option.provider} {'' if option.region == 'global' else option.region}".strip()


def whole(option: Option) -> str:
    """Say what an option is: machines, where, and how they are paid for."""
    if option.kind is OptionKind.BUY:
        return f"buying {machines(option)}, {option.region}"
    return f"{machines(option)} at {place_of(option)}, {how_paid(option.purchase_option)}"
