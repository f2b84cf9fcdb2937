"""How hardware is paid, financed and written off for tax: items of an option's formulas that replace the plain purchase.

Rates of loans and leases are nominal annual percentage rates; a month pays a twelfth of them, as lenders quote them. Discount
rates, in contrast, are effective (`planner.costs.timeline.discount_factors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np

from planner.arrays import FloatArray
from planner.costs.expression import Expr, Value, both, choose, either, floor, maximum, name, number
from planner.errors import PlanningError

Depreciation = Literal["straight_line", "declining_balance", "sum_of_years", "macrs5", "bonus"]

MACRS_5_SHARES = (0.20, 0.32, 0.192, 0.1152, 0.1152, 0.0576)
"""IRS Publication 946, table A-1: five-year property, half-year convention; six calendar years."""


LEAST_RATE = 1e-9
"""Monthly rates below this are no interest: rounding would spoil the formula, and no lender quotes them."""
FinancingKind = Literal["cash", "loan", "lease"]
PURCHASE = ("servers", "network", "install", "refresh")
UNTAXED = (*PURCHASE, "resale")
UNFINANCED = {"money.tax_share": 0.0, "money.financing": 0.0}
"""Overrides for costs before tax, paid in cash."""
now, last, lead, life = (name(text) for text in ("month", "last_month", "lead_months", "own.life_months"))
TAX = name("money.tax_share")
RATE = name("money.loan_rate_share_per_year") / 12.0
COST = 1.0 + name("own.install_share")
"""What hardware costs with its installation, over its price."""
SALE = 1.0 - name("own.selling_cost_share")
IS_REFRESH = both(both(now > lead, now < last), floor((now - lead) / life).equals((now - lead) / life))
"""Whether worn-out servers are sold at the end of the month, and new ones bought."""
IS_SALE = either(IS_REFRESH, now.equals(last))


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


@dataclass(frozen=True, slots=True)
class Financing:
    """What shapes the formulas: how hardware is paid, and how it is written off where there is tax.

    Attributes
    ----------
    kind : {'cash', 'loan', 'lease'}
        How hardware is paid.
    depreciation : Depreciation or None
        How it is written off; None without tax.
    years : int
        Over how many years, for the methods that ask; 0 without tax.
    """

    kind: FinancingKind = "cash"
    depreciation: Depreciation | None = None
    years: int = 0

    @property
    def key(self) -> str:
        """A word for it, for file names; empty for cash without tax."""
        return "" if self == CASH else f"-{self.kind}-{self.depreciation or 'untaxed'}-{self.years}"


CASH = Financing()


def financing_of(assumptions: Mapping[str, float]) -> Financing:
    """Return how hardware is paid and written off."""
    kind = get_args(FinancingKind)[round(assumptions["money.financing"])]
    if not assumptions["money.tax_share"]:
        return Financing(kind)
    method = get_args(Depreciation)[round(assumptions["money.depreciation"])]
    return Financing(kind, method, round(assumptions["money.depreciation_years"]))


def after_tax(lines: Mapping[str, Expr], financing: Financing) -> dict[str, Expr]:
    """Return items less the tax that they save; hardware itself is written off over years instead."""
    if financing.depreciation is None:
        return dict(lines)
    return {item: usd if item in UNTAXED else (1.0 - TAX) * usd for item, usd in lines.items()}


def financed(
    scalars: Mapping[str, Expr], lines: Mapping[str, Expr], financing: Financing
) -> tuple[dict[str, Expr], dict[str, Expr]]:
    """Return figures and items of owning, with those of a loan, a lease and of tax in place of a purchase in cash."""
    figures, items = dict(scalars), dict(lines)
    match financing.kind:
        case "loan":
            figures |= _loan_scalars()
            items = _loan_lines(items, is_taxed=financing.depreciation is not None) | _without(items, PURCHASE)
        case "lease":
            figures |= _lease_scalars()
            items = {"lease": _lease_line()} | _without(items, UNTAXED)
    items = {
        # What a loan saves in tax is its interest: its items count it themselves.
        item: usd if item in {"down_payment", "loan", "loan_payoff"} else after_tax({item: usd}, financing)[item]
        for item, usd in items.items()
    }
    if financing.depreciation is not None and financing.kind != "lease":
        shares = [float(share) for share in depreciation_shares(financing.depreciation, financing.years)]
        figures |= _book_scalars(shares)
        items |= _written_off_lines(lines["resale"], shares)
    return figures, items


def _without(items: Mapping[str, Expr], names: tuple[str, ...]) -> dict[str, Expr]:
    return {item: usd for item, usd in items.items() if item not in names}


def _price_ratio(bought_month: Expr) -> Expr:
    """Return the price of servers over that of today's."""
    return (1.0 + name("own.refresh_price_change_share_per_year")) ** (bought_month / 12.0)


def _replaced_month(servers: Expr) -> Expr:
    """Return the month in which servers were bought, by how many were worn out before; the first are ordered today."""
    return choose(servers >= 1, lead + servers * life, 0.0)


def _loan_scalars() -> dict[str, Expr]:
    months = choose(name("money.loan_months") > 0, name("money.loan_months"), life)
    principal = name("hardware_usd") * COST * (1.0 - name("money.down_payment_share"))
    return {
        "loan_payments": months,
        "loan_usd_per_month": level_payment(principal, RATE, name("loan_payments")),
    }


def _loan_lines(lines: Mapping[str, Expr], *, is_taxed: bool) -> dict[str, Expr]:
    """Return payments at month ends, and what is still owed when the servers are sold."""
    ordered = _replaced_month(floor((now - 1 - lead) / life))
    level, made = name("loan_usd_per_month") * _price_ratio(ordered), now - ordered
    left = name("loan_payments") - made
    bought = number(0.0)
    for item in PURCHASE:
        bought = bought + lines[item]
    pays = both(both(now >= 1, now <= last), left >= 0)
    payment = loan_payment(level, RATE, left + 1.0, TAX if is_taxed else 0.0)
    return {
        "down_payment": bought * name("money.down_payment_share"),
        "loan": choose(pays, payment, 0.0),
        "loan_payoff": choose(both(IS_SALE, left > 0), owed(level, RATE, left), 0.0),
    }


def _lease_scalars() -> dict[str, Expr]:
    whole, rest = name("resale_share_at_replacement") * SALE, name("resale_share_at_end") * SALE
    months = maximum(last - name("last_bought_month"), 1.0)
    return {
        "lease_share_of_a_life": lease_payment(COST, RATE, life, whole),
        "lease_share_at_the_end": lease_payment(COST, RATE, months, rest),
    }


def _lease_line() -> Expr:
    """Return what a lessor takes at the beginning of each month."""
    ordered = _replaced_month(floor((now - lead) / life))
    is_whole = now < name("last_bought_month")
    share = choose(is_whole, name("lease_share_of_a_life"), name("lease_share_at_the_end"))
    return choose(both(now >= lead, now < last), name("hardware_usd") * _price_ratio(ordered) * share, 0.0)


def _book_scalars(shares: list[float]) -> dict[str, Expr]:
    """Return what is not written off yet when servers are sold, as a share of their cost."""

    def left(months: Expr) -> Expr:
        share = number(1.0)
        for year, written in enumerate(shares, start=1):
            share = share - choose(months >= 12.0 * year, written, 0.0)
        return share

    return {
        "book_share_at_replacement": left(life),
        "book_share_at_end": left(last - name("last_bought_month")),
    }


def _written_off_lines(resale: Expr, shares: list[float]) -> dict[str, Expr]:
    """Return the tax that writing off saves at the end of each year at work, and the tax on what a sale brings above book value."""
    worn_out = floor((now - 1 - lead) / life)
    years = (now - lead - worn_out * life) / 12.0
    share = number(0.0)
    first = 1
    for written, same in groupby(shares):
        after = first + len(list(same))
        share = share + choose(both(years >= first, years < after), written, 0.0)
        first = after
    cost_usd = name("hardware_usd") * COST
    is_year_end = both(both(now > lead, now <= last), floor(years).equals(years))
    saved = TAX * (share * cost_usd * _price_ratio(_replaced_month(worn_out)))
    book_share = choose(IS_REFRESH, name("book_share_at_replacement"), name("book_share_at_end"))
    book_usd = book_share * cost_usd * _price_ratio(_replaced_month(worn_out))
    return {
        "depreciation_tax_shield": choose(is_year_end, 0.0 - saved, 0.0),
        "tax_on_resale": choose(IS_SALE, TAX * (0.0 - resale - book_usd), 0.0),
    }
