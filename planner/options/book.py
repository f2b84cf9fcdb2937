"""Books: the numbers from which an option's timeline was made, so that a report can make it anew with other inputs.

Beliefs (tariffs, shares, rates) are no part of a book: they are in the plan's list of assumptions. Every other argument of
`planner.costs.rent.rent_timeline`, `planner.costs.buy.buy_timeline` and `planner.costs.api.api_timeline` is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from planner.options.schedule import Schedule

__all__ = ["Book", "BuyBook", "RentBook", "TokenBook", "hours_of_work"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RentBook:
    """What a rented option's timeline was made from.

    Attributes
    ----------
    price_usd_per_hour, upfront_usd : float
        Of one instance.
    instance_count : int
        Instances.
    hours_per_month, run_hours : float
        Hours in which an instance is on: in each month, or in all for a job that is run once (the other one is 0).
    term_months, minimum_hours : float
        Length of the commitment, and the shortest time that is sold; 0 without one.
    paid_in_advance : bool
        Whether the hours of a month are paid when it begins.
    overhead_ratio : float
        Wall time over useful time of interruptible machines.
    """

    kind: Literal["rent"] = "rent"
    price_usd_per_hour: float
    upfront_usd: float
    instance_count: int
    hours_per_month: float
    run_hours: float
    term_months: float
    minimum_hours: float
    paid_in_advance: bool
    overhead_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyBook:
    """What an owned option's timeline was made from.

    Attributes
    ----------
    site : str
        ``home`` or ``colocation``.
    server_price_usd, server_max_kw : float
        Of one server.
    accelerator_count, server_count : float, int
        In one server, and servers.
    hours_per_month, run_hours : float
        Hours in which the machines are needed: in each month, or in all for a job that is run once (the other one is 0).
    busy_ratio : float
        Busy hours over needed hours.
    """

    kind: Literal["buy"] = "buy"
    site: str
    server_price_usd: float
    server_max_kw: float
    accelerator_count: float
    server_count: int
    hours_per_month: float
    run_hours: float
    busy_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBook:
    """What a hosted option's timeline was made from: its bill in each month, or for a job that is run once."""

    kind: Literal["tokens"] = "tokens"
    usd_per_month: float
    run_usd: float


Book: TypeAlias = RentBook | BuyBook | TokenBook


def hours_of_work(plan: Schedule, hours_per_month: float, *, once: bool) -> tuple[float, float, float]:
    """Return the hours on in each month, the hours on of a job that is run once, and busy hours over hours on.

    Parameters
    ----------
    plan : Schedule
        Months of work.
    hours_per_month : float
        Clock hours in a month.
    once : bool
        Whether the work is a job that is run once.
    """
    on_hours = float(plan.on_hours.sum())
    busy_ratio = float(plan.busy_share.sum()) * hours_per_month / on_hours if on_hours > 0 else 0.0
    return (0.0, on_hours, busy_ratio) if once else (float(plan.on_hours[0]), 0.0, busy_ratio)
