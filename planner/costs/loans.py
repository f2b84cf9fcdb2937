"""Loans and leases: level payments, interest, balance.

Rates are nominal annual percentage rates; a month pays a twelfth of them, as lenders quote them. Discount rates, in
contrast, are effective (`planner.costs.timeline.discount_factors`).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from planner.costs.timeline import FloatArray
from planner.errors import PlanningError

__all__ = ["balance_after_usd", "interest_usd", "payment_usd"]

When = Literal["end", "begin"]


def payment_usd(
    principal_usd: ArrayLike,
    rate_share_per_year: ArrayLike,
    months: ArrayLike,
    *,
    balloon_usd: ArrayLike = 0.0,
    when: When = "end",
) -> FloatArray:
    """Return the level monthly payment of a loan or lease.

    Parameters
    ----------
    principal_usd : array_like
        Borrowed today.
    rate_share_per_year : array_like
        Nominal annual rate; 0 is allowed.
    months : array_like
        Number of payments, at least 1.
    balloon_usd : array_like
        Still owed after the last payment.
    when : {'end', 'begin'}
        Whether payments fall due at the end or at the beginning of a month (in advance).

    Returns
    -------
    FloatArray

    Raises
    ------
    PlanningError
        If there is no payment to be made, or the rate is below 0.

    Examples
    --------
    >>> float(payment_usd(10_000, 0.08, 10).round(2))
    1037.03
    """
    principal, rate, n, balloon = np.broadcast_arrays(
        np.asarray(principal_usd, dtype=float),
        np.asarray(rate_share_per_year, dtype=float) / 12.0,
        np.asarray(months, dtype=float),
        np.asarray(balloon_usd, dtype=float),
    )
    if not (np.all(n >= 1) and np.all(rate >= 0)):
        raise PlanningError(
            f"a loan needs a month or more and a rate of 0 or more, got {months!r} months at {rate_share_per_year!r}"
        )
    safe = np.where(rate > 0, rate, 1.0)
    # Growth less 1 without loss of digits, so that a tiny rate is as good as none.
    gained = np.expm1(n * np.log1p(safe))
    level = (principal * (1.0 + gained) - balloon) * safe / gained
    if when == "begin":
        level = level / (1.0 + safe)
    return np.asarray(np.where(rate > 0, level, (principal - balloon) / n))


def balance_after_usd(
    principal_usd: float, rate_share_per_year: float, months: int, month: int, *, balloon_usd: float = 0.0
) -> float:
    """Return what is owed after a month's payment, for payments at month ends.

    Examples
    --------
    >>> round(balance_after_usd(250_141.8, 0.09, 36, 12), 2)
    174115.95
    """
    if not 0 <= month <= months:
        raise PlanningError(f"the loan runs for {months} months; month {month} lies outside")
    rate = rate_share_per_year / 12.0
    level = float(payment_usd(principal_usd, rate_share_per_year, months, balloon_usd=balloon_usd))
    if rate == 0:
        return principal_usd - level * month
    gained = math.expm1(month * math.log1p(rate))
    return principal_usd * (1.0 + gained) - level * gained / rate


def interest_usd(
    principal_usd: float, rate_share_per_year: float, months: int, month: int, *, balloon_usd: float = 0.0
) -> float:
    """Return the interest within a month's payment; the first month is 1.

    Examples
    --------
    >>> round(interest_usd(250_141.8, 0.09, 36, 12), 2)
    1355.36
    """
    owed = balance_after_usd(principal_usd, rate_share_per_year, months, month - 1, balloon_usd=balloon_usd)
    return owed * rate_share_per_year / 12.0
