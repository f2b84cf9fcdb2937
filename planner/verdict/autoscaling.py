"""Following: rented machines that follow the demand over the week, what of their hours is paid, and what staying ready costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.inputs import RentInputs
from planner.demand.architecture import Architecture
from planner.demand.profiles import week_of_rates
from planner.demand.requirements import peak_requests_per_s
from planner.demand.workload import Serve
from planner.options.option import Option, OptionKind
from planner.traffic.autoscaling import KEPT_MINUTES, start_minutes

MINUTES_PER_HOUR = 60.0
MOST_EXPONENT = 500.0
"""Beyond it no gap is that long, and the exponential has no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledToZero:
    """Machines that are all given back when no request has come for `KEPT_MINUTES`.

    Attributes
    ----------
    paid_share : float
        Machine hours that are paid, over those of machines that are always on.
    usd_per_month : float
        What they cost.
    staying_ready_usd_per_month : float
        What it costs to keep a machine on instead.
    waiting_share : float
        Requests that find nothing on, or come before it has started.
    """

    paid_share: float
    usd_per_month: float
    staying_ready_usd_per_month: float
    waiting_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaled:
    """Machines of an option that follow the demand from hour to hour.

    Attributes
    ----------
    option_id : str
        The option; it is paid by the hour.
    least_instance_count, most_instance_count : int
        Machines at the quietest and at the busiest hour, those that stand by counted; none where the service scales to zero.
    target_requests_per_s : float
        Rate for which each replica is asked for.
    start_minutes : float
        From asking for a replica until it serves; paid.
    paid_share : float
        Machine hours that are paid, starts counted, over those of machines that are always on.
    usd_per_month, always_on_usd_per_month : float
        What both cost.
    to_zero : ScaledToZero
        The same without a machine that stays on.
    """

    option_id: str
    least_instance_count: int
    most_instance_count: int
    target_requests_per_s: float
    start_minutes: float
    paid_share: float
    usd_per_month: float
    always_on_usd_per_month: float
    to_zero: ScaledToZero


def autoscaled(work: Serve, option: Option, arch: Architecture | None, assumptions: Assumptions) -> Autoscaled | None:
    """Return how an option's machines follow the demand; None of machines that are paid whether they serve or not.

    Parameters
    ----------
    work : Serve
        With its rates and the hours of its week.
    option : Option
        As sized for the busiest hour.
    """
    inputs, fleet = option.book, option.fleet
    if option.kind is not OptionKind.RENT or not isinstance(inputs, RentInputs) or fleet is None or arch is None:
        return None
    if inputs.term_months or inputs.paid_in_advance or inputs.run_hours or not inputs.hours_per_month:
        return None
    spare, most, peak = fleet.spare_instance_count, fleet.instance_count, peak_requests_per_s(work)
    rates = work.requests_per_s * week_of_rates(work.profile, np.array([peak / work.requests_per_s]))[0]
    replicas = max(fleet.layout.data, 1)
    least = math.ceil((work.min_replicas or 1) * (most - spare) / replicas - 1e-9)
    needed = np.maximum(np.ceil(rates / rates.max() * (most - spare) - 1e-9), float(least))
    minutes = work.start_minutes
    if minutes is None:
        minutes = start_minutes(arch, fleet.layout.precision, assumptions, is_rented=True)
    # The week begins again: its first hour follows the last.
    started = np.maximum(needed - np.roll(needed, 1), 0.0) * minutes / MINUTES_PER_HOUR
    off, waiting = (np.where(needed == 1.0, share, 0.0) for share in idle_shares(rates * 60.0, minutes))
    on = needed + spare
    paid, paid_to_zero = (min(float((machines + started).mean()) / most, 1.0) for machines in (on, on * (1.0 - off)))
    always_usd = option.usd_per_month * assumptions["money.hours_per_month"] / inputs.hours_per_month
    to_zero = ScaledToZero(
        paid_share=paid_to_zero, usd_per_month=always_usd * paid_to_zero,
        staying_ready_usd_per_month=always_usd * (paid - paid_to_zero),
        waiting_share=min(float((rates * waiting).sum() / rates.sum()), 1.0),
    )  # fmt: skip
    share = to_zero.paid_share if work.min_replicas == 0 else paid
    return Autoscaled(
        option_id=option.id, least_instance_count=0 if work.min_replicas == 0 else int(on.min()), most_instance_count=most,
        target_requests_per_s=peak / replicas, start_minutes=minutes, paid_share=share, usd_per_month=always_usd * share,
        always_on_usd_per_month=always_usd, to_zero=to_zero,
    )  # fmt: skip


def idle_shares(rate_per_minute: FloatArray, minutes: float) -> tuple[FloatArray, FloatArray]:
    """Return which share of the time nothing is on, and which share of the requests waits for a start.

    Requests come at random. Machines are kept until none has come for `KEPT_MINUTES`; the first such gap of a Poisson process
    comes after ``(e^(rate x kept) - 1) / rate`` on average. Then it takes ``1 / rate`` until the next request, which waits for
    a start, with all that come meanwhile.

    Parameters
    ----------
    rate_per_minute : FloatArray
        Of requests.
    minutes : float
        That a start takes.

    Examples
    --------
    >>> off, waiting = idle_shares(np.array([0.0, 0.01, 10.0]), 8.0)
    >>> off.round(3).tolist(), waiting.round(3).tolist()
    ([1.0, 0.884, 0.0], [1.0, 0.955, 0.0])
    """
    cycle = np.exp(np.minimum(rate_per_minute * KEPT_MINUTES, MOST_EXPONENT)) + rate_per_minute * minutes
    return np.asarray(1.0 / cycle), np.asarray(np.minimum((1.0 + rate_per_minute * minutes) / cycle, 1.0))
