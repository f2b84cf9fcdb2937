"""Loans and leases: level payments, interest, balance.

Rates are nominal annual percentage rates; a month pays a twelfth of them, as lenders quote them. Discount rates, in
contrast, are effective (`planner.costs.timeline.discount_factors`).
"""

from __future__ import annotations

from planner.costs.expression import Expr, Value, choose, maximum, number

LEAST_RATE = 1e-9
"""Monthly rates below this are no interest: rounding would spoil the formula, and no lender quotes them."""


def annuity(rate: Value, months: Value) -> Expr:
    """Return what a dollar at the end of each of so many months is worth today, at a monthly rate."""
    per_month, count = number(rate), number(months)
    return choose(
        per_month > LEAST_RATE, (1.0 - (1.0 + per_month) ** (0.0 - count)) / maximum(per_month, LEAST_RATE), count
    )


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
