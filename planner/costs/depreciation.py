"""How hardware is written off for tax: shares of its price by year."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from planner.arrays import FloatArray
from planner.errors import PlanningError

Depreciation = Literal["straight_line", "declining_balance", "sum_of_years", "macrs5", "bonus"]

MACRS_5_SHARES = (0.20, 0.32, 0.192, 0.1152, 0.1152, 0.0576)
"""IRS Publication 946, table A-1: five-year property, half-year convention; six calendar years."""


def straight_line_usd(cost_usd: float, salvage_usd: float, years: int) -> FloatArray:
    """Write off the same amount each year, down to the salvage value.

    Examples
    --------
    >>> straight_line_usd(1000, 100, 3).tolist()
    [300.0, 300.0, 300.0]
    """
    _check(cost_usd, salvage_usd, years)
    return np.full(years, (cost_usd - salvage_usd) / years)


def sum_of_years_usd(cost_usd: float, salvage_usd: float, years: int) -> FloatArray:
    """Write off by the digits of the years, most in the first.

    Examples
    --------
    >>> sum_of_years_usd(700, 100, 3).tolist()
    [300.0, 200.0, 100.0]
    """
    _check(cost_usd, salvage_usd, years)
    digits = np.arange(years, 0, -1)
    return np.asarray((cost_usd - salvage_usd) * digits / digits.sum())


def declining_balance_usd(cost_usd: float, salvage_usd: float, years: int, *, switch: bool = True) -> FloatArray:
    """Write off twice the straight line's share of what is left, never below the salvage value.

    Parameters
    ----------
    cost_usd, salvage_usd : float
        Price and what is left at the end.
    years : int
        Life.
    switch : bool
        Whether to change to straight line over the years left once that writes off more.

    Examples
    --------
    >>> declining_balance_usd(1000, 0, 4).tolist()
    [500.0, 250.0, 125.0, 125.0]
    """
    _check(cost_usd, salvage_usd, years)
    book_usd, written = float(cost_usd), []
    for year in range(years):
        amount = book_usd * 2.0 / years
        if switch:
            amount = max(amount, (book_usd - salvage_usd) / (years - year))
        amount = min(amount, book_usd - salvage_usd)
        written.append(amount)
        book_usd -= amount
    return np.array(written)


def depreciation_shares(method: Depreciation, years: int = 5) -> FloatArray:
    """Return the share of the price that is written off in each tax year, down to nothing.

    Parameters
    ----------
    method : Depreciation
        ``macrs5`` and ``bonus`` (all in the first year) have their own years.
    years : int
        Life for the others.

    Examples
    --------
    >>> float(depreciation_shares("macrs5").sum().round(12))
    1.0
    """
    assert method in get_args(Depreciation)
    match method:
        case "straight_line":
            return straight_line_usd(1.0, 0.0, years)
        case "declining_balance":
            return declining_balance_usd(1.0, 0.0, years)
        case "sum_of_years":
            return sum_of_years_usd(1.0, 0.0, years)
        case "macrs5":
            return np.array(MACRS_5_SHARES)
        case "bonus":
            return np.array([1.0])


def _check(cost_usd: float, salvage_usd: float, years: int) -> None:
    if years < 1 or not 0 <= salvage_usd <= cost_usd:
        raise PlanningError(
            f"hardware is written off over a year or more, from its price to a salvage value between 0 and the price;"
            f" got {years} years, {cost_usd:g} and {salvage_usd:g} USD"
        )
