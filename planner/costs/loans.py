"""Loans and leases: level payments, interest, balance.

Rates are nominal annual percentage rates; a month pays a twelfth of them, as lenders quote them. Discount rates, in
contrast, are effective (`planner.costs.timeline.discount_factors`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from planner.costs.timeline import FloatArray
from planner.errors import PlanningError

__all__ = ["payment_usd"]

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
