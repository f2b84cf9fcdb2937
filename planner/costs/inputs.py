"""An option's own numbers: with the assumptions, all that the formulas of its money (`planner.costs.formulas`) take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Site = Literal["home", "colocation", "own_room"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RentInputs:
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
    weekly_above_hours : float
        Length beyond which a dated block is sold by whole weeks; 0 for no such rule.
    paid_in_advance : bool
        Whether the hours of a month (of a whole run, for a job that is run once) are paid when it begins.
    overhead_ratio : float
        Wall time over useful time of interruptible machines.
    interruptible : bool
        Whether it is spot, whose price has a yearly change of its own.
    first_months, first_usd_per_hour : float
        For so many months another price holds: of what is paid for already, or is one's own.
    credit_usd, credit_months : float
        Credit with the provider, and the months in which it can be used.
    takes_over_id : str
        The option whose price holds after `first_months`; empty where it is this option's own.
    """

    kind: Literal["rent"] = "rent"
    price_usd_per_hour: float
    upfront_usd: float = 0.0
    instance_count: int = 1
    hours_per_month: float = 0.0
    run_hours: float = 0.0
    term_months: float = 0.0
    minimum_hours: float = 0.0
    weekly_above_hours: float = 0.0
    paid_in_advance: bool = False
    overhead_ratio: float = 1.0
    interruptible: bool = False
    first_months: float = 0.0
    first_usd_per_hour: float = 0.0
    credit_usd: float = 0.0
    credit_months: float = 0.0
    takes_over_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What does the work until owned servers are delivered: rented machines, or a hosted API.

    Attributes
    ----------
    option_id : str
        The option that does; empty where nothing has to, or nothing may.
    usd_per_hour : float
        Of all its machines together, today.
    hours_per_month : float
        Hours paid in each month where they are paid as used.
    minimum_hours, term_months, weekly_above_hours, interruptible
        As in `RentInputs`.
    tokens_usd_per_month : float
        Bill of a hosted API.
    """

    option_id: str = ""
    usd_per_hour: float = 0.0
    hours_per_month: float = 0.0
    minimum_hours: float = 0.0
    term_months: float = 0.0
    weekly_above_hours: float = 0.0
    interruptible: bool = False
    tokens_usd_per_month: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyInputs:
    """What an owned option's timeline was made from.

    Attributes
    ----------
    site : {'home', 'colocation', 'own_room'}
        Where the servers stand.
    server_price_usd, server_max_kw : float
        Of one server.
    accelerator_count, server_count : float, int
        In one server, and servers.
    hours_per_month, run_hours : float
        Hours in use: in each month, or in all for a job that is run once (the other one is 0).
    busy_ratio : float
        Busy hours over needed hours.
    bridge : Bridge
        What does the work until delivery.
    """

    kind: Literal["buy"] = "buy"
    site: Site
    server_price_usd: float
    server_max_kw: float
    accelerator_count: float
    server_count: int = 1
    hours_per_month: float = 0.0
    run_hours: float = 0.0
    busy_ratio: float = 1.0
    bridge: Bridge = field(default_factory=Bridge)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInputs:
    """What a hosted option's timeline was made from: its bill in each month, or for a job that is run once."""

    kind: Literal["tokens"] = "tokens"
    usd_per_month: float = 0.0
    run_usd: float = 0.0


CostInputs: TypeAlias = RentInputs | BuyInputs | TokenInputs


def other_id_of(cost_inputs: CostInputs | None) -> str:
    """Return the option whose price is a part of these costs: that of a bridge, or of what takes over; empty without one."""
    match cost_inputs:
        case BuyInputs():
            return cost_inputs.bridge.option_id
        case RentInputs():
            return cost_inputs.takes_over_id
        case _:
            return ""


def bridge_of(option_id: str, cost_inputs: RentInputs | TokenInputs) -> Bridge:
    """Return a rented or hosted option as a bridge.

    Examples
    --------
    >>> bridge_of("a", RentInputs(price_usd_per_hour=10.0, instance_count=2, hours_per_month=400.0)).usd_per_hour
    20.0
    """
    if isinstance(cost_inputs, TokenInputs):
        return Bridge(option_id=option_id, tokens_usd_per_month=cost_inputs.usd_per_month)
    return Bridge(
        option_id=option_id,
        usd_per_hour=cost_inputs.price_usd_per_hour * cost_inputs.instance_count,
        hours_per_month=cost_inputs.hours_per_month * cost_inputs.overhead_ratio,
        minimum_hours=cost_inputs.minimum_hours,
        term_months=cost_inputs.term_months,
        weekly_above_hours=cost_inputs.weekly_above_hours,
        interruptible=cost_inputs.interruptible,
    )
