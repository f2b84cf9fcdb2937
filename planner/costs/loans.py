"""Loans and leases: level payments, interest, balance.

Rates are nominal annual percentage rates; a month pays a twelfth of them, as lenders quote them. Discount rates, in
contrast, are effective (`planner.costs.timeline.discount_factors`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from planner.costs.expression import Expr, Value, choose, evaluate, maximum, name, number
from planner.costs.timeline import FloatArray
from planner.errors import PlanningError

When = Literal["end", "begin"]
LEAST_RATE = 1e-9
"""Monthly rates below this are no interest: rounding would spoil the formula, and no lender quotes them."""


def annuity(rate: Value, months: Value) -> Expr:
    """Return what a dollar at the end of each of so many months is worth today, at a monthly rate."""
    each, count = number(rate), number(months)
    return choose(each > LEAST_RATE, (1.0 - (1.0 + each) ** (0.0 - count)) / maximum(each, LEAST_RATE), count)


def level_payment(principal: Value, rate: Value, months: Value, balloon: Value = 0.0) -> Expr:
    """Return the level payment at the end of each month that leaves the balloon owed."""
    left = number(balloon) * (1.0 + number(rate)) ** (0.0 - number(months))
    return (number(principal) - left) / annuity(rate, months)


def lease_payment(price: Value, rate: Value, months: Value, taken_back_at: Value) -> Expr:
    """Return the payment in advance of each month to a lessor who buys the hardware and takes it back at a value."""
    return level_payment(price, rate, months, taken_back_at) / (1.0 + number(rate))


def loan_payment(level: Value, rate: Value, left: Value, tax: Value) -> Expr:
    """Return a payment less the tax that its interest saves; it is one of so many that are left, itself counted."""
    interest_share = 1.0 - (1.0 + number(rate)) ** (0.0 - number(left))
    return number(level) * (1.0 - number(tax) * interest_share)


def owed(level: Value, rate: Value, left: Value) -> Expr:
    """Return what is still owed when so many payments are left."""
    return number(level) * annuity(rate, left)


LEVEL_PAYMENT = level_payment(name("principal"), name("rate"), name("months"), name("balloon"))
LEASE_PAYMENT = lease_payment(name("principal"), name("rate"), name("months"), name("balloon"))
LOAN_PAYMENT = loan_payment(name("level"), name("rate"), name("left"), name("tax"))
OWED = owed(name("level"), name("rate"), name("left"))


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
    formula = LEASE_PAYMENT if when == "begin" else LEVEL_PAYMENT
    return evaluate(formula, {"principal": principal, "rate": rate, "months": n, "balloon": balloon})
