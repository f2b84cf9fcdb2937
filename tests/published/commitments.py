"""Commitments: what is paid for hours promised, what is left of a discount, and what getting out costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from planner.costs.timeline import discount_factors
from planner.errors import PlanningError

__all__ = [
    "CommitmentBill",
    "break_even_utilisation_share",
    "committed_bill",
    "committed_rate_usd_per_hour",
    "cost_if_kept_usd",
    "cost_with_refund_usd",
    "cost_with_resale_usd",
    "effective_savings_share",
    "payback_months",
    "present_value_of_saving_usd",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentBill:
    """What hours with a spend commitment cost.

    Attributes
    ----------
    total_usd : float
        Commitment and what went beyond it.
    unused_usd : float
        Commitment that no usage took up.
    on_demand_equivalent_usd : float
        The same usage without a commitment.
    """

    total_usd: float
    unused_usd: float
    on_demand_equivalent_usd: float

    @property
    def effective_savings_share(self) -> float:
        """One less cost over what on-demand would have cost; negative where the commitment lost money."""
        return effective_savings_share(self.total_usd, self.on_demand_equivalent_usd)


def committed_bill(
    instances_by_hour: ArrayLike,
    *,
    commitment_usd_per_hour: float,
    committed_usd_per_hour: float,
    on_demand_usd_per_hour: float,
) -> CommitmentBill:
    """Bill hours under a spend commitment, hour by hour: unused commitment is never carried over.

    Parameters
    ----------
    instances_by_hour : array_like, shape (hours,)
        Instances in use.
    commitment_usd_per_hour : float
        Promised spend; 0 bills everything on demand.
    committed_usd_per_hour, on_demand_usd_per_hour : float
        Price of an instance under the commitment and beyond it.

    Examples
    --------
    >>> bill = committed_bill([4, 4, 2, 0, 6, 5], commitment_usd_per_hour=8, committed_usd_per_hour=2,
    ...                       on_demand_usd_per_hour=3)
    >>> bill.total_usd, bill.unused_usd, round(bill.effective_savings_share, 6)
    (57.0, 12.0, 0.095238)
    """
    use = np.asarray(instances_by_hour, dtype=float)
    if not (np.all(use >= 0) and commitment_usd_per_hour >= 0 and 0 < committed_usd_per_hour <= on_demand_usd_per_hour):
        raise PlanningError(
            "usage and commitment must not be negative, and the committed price must lie between 0 and the on-demand price"
        )
    drawn = use * committed_usd_per_hour
    beyond = np.maximum(drawn - commitment_usd_per_hour, 0.0) * (on_demand_usd_per_hour / committed_usd_per_hour)
    return CommitmentBill(
        total_usd=float(len(use) * commitment_usd_per_hour + beyond.sum()),
        unused_usd=float(np.maximum(commitment_usd_per_hour - drawn, 0.0).sum()),
        on_demand_equivalent_usd=float(use.sum() * on_demand_usd_per_hour),
    )


def effective_savings_share(cost_usd: float, on_demand_equivalent_usd: float) -> float:
    """Return one less cost over the on-demand equivalent (the FinOps effective savings rate).

    Examples
    --------
    >>> round(effective_savings_share(80.0, 100.0), 9)
    0.2
    """
    if not on_demand_equivalent_usd > 0:
        raise PlanningError("a savings rate needs usage that would cost something on demand")
    return 1.0 - cost_usd / on_demand_equivalent_usd


def committed_rate_usd_per_hour(
    *, upfront_usd: float, hourly_usd: float, term_months: int, hours_per_month: float = 730.0
) -> float:
    """Return the price of a committed hour with the upfront payment spread over the term.

    Examples
    --------
    >>> round(committed_rate_usd_per_hour(upfront_usd=100_000, hourly_usd=7.5, term_months=36), 6)
    11.305175
    """
    if term_months < 1:
        raise PlanningError(f"a term is a month or longer, got {term_months}")
    return upfront_usd / (term_months * hours_per_month) + hourly_usd


def break_even_utilisation_share(committed_usd_per_hour: float, on_demand_usd_per_hour: float) -> float:
    """Return the share of hours from which on a use-it-or-lose-it commitment is cheaper; above 1 it never is.

    Examples
    --------
    >>> round(break_even_utilisation_share(62.92, 98.32), 6)
    0.639951
    """
    if not on_demand_usd_per_hour > 0:
        raise PlanningError("the on-demand price must be above 0")
    return committed_usd_per_hour / on_demand_usd_per_hour


def payback_months(
    *,
    upfront_usd: float,
    hourly_usd: float,
    on_demand_usd_per_hour: float,
    term_months: int,
    utilisation_share: float = 1.0,
    hours_per_month: float = 730.0,
) -> float | None:
    """Return after how many months an upfront payment has been saved; None where the term ends first.

    Examples
    --------
    >>> round(payback_months(upfront_usd=100_000, hourly_usd=7.5, on_demand_usd_per_hour=32.77, term_months=36), 4)
    5.4209
    """
    saved = hours_per_month * (on_demand_usd_per_hour * utilisation_share - hourly_usd)
    if saved <= 0:
        return None
    months = upfront_usd / saved
    return months if months <= term_months else None


def present_value_of_saving_usd(
    *,
    upfront_usd: float,
    hourly_usd: float,
    on_demand_usd_per_hour: float,
    term_months: int,
    rate_share_per_year: float,
    utilisation_share: float = 1.0,
    hours_per_month: float = 730.0,
) -> float:
    """Return today's value of what a commitment saves over its term; the upfront part bears the cost of capital.

    Examples
    --------
    >>> round(present_value_of_saving_usd(upfront_usd=100_000, hourly_usd=7.5, on_demand_usd_per_hour=32.77,
    ...                                   term_months=36, rate_share_per_year=0.09), 2)
    483094.99
    """
    annuity = float(discount_factors(rate_share_per_year, term_months)[1:].sum())
    saved = hours_per_month * (on_demand_usd_per_hour * utilisation_share - hourly_usd)
    return saved * annuity - upfront_usd


def cost_if_kept_usd(monthly_usd: float, term_months: int) -> float:
    """Return what a commitment costs that is kept to its end, used or not.

    Examples
    --------
    >>> cost_if_kept_usd(10_400.0, 36)
    374400.0
    """
    return monthly_usd * term_months


def cost_with_refund_usd(
    monthly_usd: float,
    term_months: int,
    exit_month: int,
    *,
    refund_cap_usd: float = float("inf"),
    termination_fee_share: float = 0.0,
) -> float:
    """Return the cost of a commitment that is handed back: the rest, less a fee, up to a cap (Azure reservations).

    Examples
    --------
    >>> cost_with_refund_usd(10_400.0, 36, 14, refund_cap_usd=50_000.0)
    324400.0
    """
    rest = _rest_usd(monthly_usd, term_months, exit_month)
    return cost_if_kept_usd(monthly_usd, term_months) - min(rest * (1.0 - termination_fee_share), refund_cap_usd)


def cost_with_resale_usd(
    monthly_usd: float,
    term_months: int,
    exit_month: int,
    *,
    resale_price_share: float,
    marketplace_fee_share: float,
) -> float:
    """Return the cost of a commitment whose rest is sold (AWS standard reserved instances on the marketplace).

    Parameters
    ----------
    monthly_usd, term_months, exit_month : float, int, int
        Payment, term, and the month after which the rest is sold.
    resale_price_share : float
        What buyers pay for the rest, as a share of it.
    marketplace_fee_share : float
        Of the selling price.

    Examples
    --------
    >>> round(cost_with_resale_usd(10_400.0, 36, 14, resale_price_share=0.6, marketplace_fee_share=0.12), 2)
    253593.6
    """
    rest = _rest_usd(monthly_usd, term_months, exit_month)
    return cost_if_kept_usd(monthly_usd, term_months) - rest * resale_price_share * (1.0 - marketplace_fee_share)


def _rest_usd(monthly_usd: float, term_months: int, exit_month: int) -> float:
    if not 0 <= exit_month <= term_months:
        raise PlanningError(f"the exit must lie within the term of {term_months} months, got month {exit_month}")
    return monthly_usd * (term_months - exit_month)
