"""What a scenario costs month by month, written a second time: against it the answers of ``breakeven`` are checked.

Every number may be a float or an array of draws. Numbers go by their dotted names in ``scenario.yaml``; what is agreed on in
whole months (`Terms`) is the same for all draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from planner.arrays import FloatArray
from planner.costs.financing import Depreciation, depreciation_shares
from planner.costs.timeline import Timeline
from planner.scenario.schema import Scenario, typical_values, whole_months
from tests.published.formulas import payment_usd

Number: TypeAlias = float | FloatArray
Values: TypeAlias = Mapping[str, Number]
Entries: TypeAlias = dict[str, Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is agreed on and not drawn from a range.

    Attributes
    ----------
    horizon_months : int
        How far the books go.
    term_months : int
        Length of the renter's commitment; 0 without one.
    life_months, lead_time_months : int
        From delivery to the end of a server's life; from order to delivery.
    wait_months : int
        Months of renting before the hardware is ordered.
    refresh_months : tuple of int
        Months at which the hardware is bought again before the end of its life.
    price_steps : tuple of (month, share)
        Changes of the rent's price at the start of a month, besides the steady one.
    opex_charged : {'used_hours', 'clock_hours'}
        For which hours the owner pays running costs and power.
    idle_hours : {'given_back', 'paid'}
        Whether a renter returns the machine in hours without work (a schedule) or pays them (a load).
    financing : {'cash', 'loan', 'lease'}
        How the hardware is paid.
    loan_months : int
        Payments of a loan; it is paid off early when the hardware is sold.
    depreciation : Depreciation
        How it is written off, where there is tax.
    depreciation_years : int
        Over how many years.
    """

    horizon_months: int
    term_months: int = 0
    life_months: int = 60
    lead_time_months: int = 0
    wait_months: int = 0
    refresh_months: tuple[int, ...] = ()
    price_steps: tuple[tuple[int, float], ...] = ()
    opex_charged: Literal["used_hours", "clock_hours"] = "used_hours"
    idle_hours: Literal["given_back", "paid"] = "given_back"
    financing: Literal["cash", "loan", "lease"] = "cash"
    loan_months: int = 60
    depreciation: Depreciation = "straight_line"
    depreciation_years: int = 5


@dataclass(frozen=True, slots=True)
class Month:
    """What is paid in a month: evenly through it, and at its end.

    Months with the same even part share one `steady` mapping, so that it need not be added up again.
    """

    steady: Entries
    lumps: Entries


def used_hours(v: Values) -> Number:
    """Return the hours of work in a month."""
    return v["money.hours_per_month"] * v["use.hours_per_day"] / 24.0 * v["use.utilisation_share"]


def paid_hours(v: Values, terms: Terms) -> Number:
    """Return the hours of a month that a renter without a term pays."""
    if terms.idle_hours == "given_back":
        return used_hours(v)
    return v["money.hours_per_month"] * v["use.hours_per_day"] / 24.0


def rent_months(v: Values, terms: Terms) -> Iterator[Month]:
    """Yield what renting costs today and in each month.

    Without a term, hours are paid at the price of their month; with one, all clock hours at the price of the month in
    which the term began. A renewal that outlasts the horizon gets the upfront payment of the months beyond back.
    """
    horizon, term = terms.horizon_months, terms.term_months
    keep = 1.0 - v["money.tax_share"]
    upfront = v["rent.upfront_usd"] * keep
    given_back = terms.idle_hours == "given_back"
    name = "commitment" if term else "on_demand" if given_back else "kept_hours"
    hours = v["money.hours_per_month"] if term else paid_hours(v, terms)
    monthly_usd = v["rent.usd_per_hour"] * hours * keep
    locked: Number = 1.0
    steady: Entries = {}
    held = Month({}, {"upfront": upfront})
    for month, price in enumerate(price_path(v, terms), start=1):
        if not term or (month - 1) % term == 0:
            if term:
                # A term is paid in advance: with the last month of the one before it.
                held.lumps["upfront"] = upfront * price
            if price is not locked or not steady:
                locked = price
                steady = {name: monthly_usd * locked}
        yield held
        held = Month(steady, {})
    if term and horizon % term:
        held.lumps["upfront"] = -upfront * locked * (1.0 - horizon % term / term)
    yield held


def price_path(v: Values, terms: Terms) -> Iterator[Number]:
    """Yield the rent of each month over today's: a steady change, agreed steps, and a drawn walk where there is one.

    Months with the same price yield the same object.
    """
    step = (1.0 + v["rent.price_change_share_per_year"]) ** (1.0 / 12.0)
    walk = v.get("rent.walk")
    path: Number = 1.0
    for month in range(1, terms.horizon_months + 1):
        for at, share in terms.price_steps:
            path = path * (1.0 + share) if at == month else path
        yield path if walk is None else path * np.asarray(walk)[month - 1]
        if not _always_one(step):
            path = path * step


def own_months(v: Values, terms: Terms) -> Iterator[Month]:
    """Yield what owning costs today and in each month.

    Hardware is ordered today and works from the month after the lead time on; until then the work is rented by the
    hour. At the end of its life, and in each refresh month, it is sold and bought again; at the horizon it is sold.
    """
    keep = 1.0 - v["money.tax_share"]
    running = {name: usd * keep for name, usd in _running_usd(v, terms).items()}
    lumps: list[Entries] = [{} for _ in range(terms.horizon_months + 1)]
    for machine in _machines(terms):
        for month, entries in _machine_lumps(v, terms, machine):
            for name, usd in entries.items():
                lumps[month][name] = lumps[month].get(name, 0.0) + usd
    rent_usd = v["rent.usd_per_hour"] * paid_hours(v, terms) * keep
    bridge = "bridge_rent" if terms.idle_hours == "given_back" else "bridge_fixed"
    yield Month({}, lumps[0])
    prices = price_path(v, terms)
    for month in range(1, terms.horizon_months + 1):
        waits = month <= terms.wait_months + terms.lead_time_months
        yield Month({bridge: rent_usd * next(prices)} if waits else running, lumps[month])


def present_value_of_months(months: Iterator[Month], discount_rate_share_per_year: Number) -> Number:
    """Discount and add up what `rent_months` or `own_months` yields, keeping no month."""
    step = (1.0 + discount_rate_share_per_year) ** (-1.0 / 12.0)
    factor: Number = 1.0
    total: Number = 0.0
    steady: Entries = {}
    steady_usd: Number = 0.0
    for month in months:
        if month.steady is not steady:
            steady, steady_usd = month.steady, _sum(month.steady)
        total = total + (steady_usd + _sum(month.lumps)) * factor
        factor = factor * step
    return total


def timeline_of_months(months: Iterator[Month], useful_hours_per_month: float) -> Timeline:
    """Return what `rent_months` or `own_months` yields for plain numbers as a timeline."""
    kept = list(months)
    names = tuple(dict.fromkeys(name for month in kept for name in (*month.steady, *month.lumps)))
    cash = np.array(
        [[float(month.steady.get(name, 0.0) + month.lumps.get(name, 0.0)) for month in kept] for name in names]
    )
    useful = np.full(len(kept), useful_hours_per_month)
    useful[0] = 0.0
    return Timeline(names, cash, useful)


@dataclass(frozen=True, slots=True)
class _Machine:
    """When a server is ordered, begins to work, and is sold."""

    ordered: int
    delivered: int
    sold: int


def _machines(terms: Terms) -> Iterator[_Machine]:
    """Yield the servers of the horizon, one after the other."""
    ordered, delivered = terms.wait_months, terms.wait_months + terms.lead_time_months
    while True:
        ends = [delivered + terms.life_months, terms.horizon_months]
        ends += [month for month in terms.refresh_months if month > delivered]
        yield _Machine(ordered, delivered, min(ends))
        if min(ends) >= terms.horizon_months:
            return
        ordered = delivered = min(ends)


def _running_usd(v: Values, terms: Terms) -> Entries:
    """Return what an owner pays each month besides the hardware, before tax."""
    with_use = terms.opex_charged == "used_hours"
    hours = used_hours(v) if with_use else v["money.hours_per_month"]
    kwh_usd = v["buy.power_kw"] * v["buy.pue"] * v["buy.electricity_usd_per_kwh"]
    return {
        "running_with_use" if with_use else "running": v["buy.opex_usd_per_hour"] * hours,
        "busy_power" if with_use else "idle_power": kwh_usd * hours,
        "colocation": v["buy.power_kw"] * v["buy.colocation_usd_per_kw_month"],
        "staff": v["buy.staff_usd_per_year"] / 12.0,
        "support": v["buy.capex_usd"] * v["buy.support_share_per_year"] / 12.0,
    }


def _machine_lumps(v: Values, terms: Terms, machine: _Machine) -> Iterator[tuple[int, Entries]]:
    """Yield what buying, financing, writing off and selling one server costs, with the month of each."""
    capex, tax = v["buy.capex_usd"], v["money.tax_share"]
    rate = v["money.loan_rate_share_per_year"]
    sale = capex * v["buy.resale_share"]
    if terms.financing == "lease":
        # The lessor buys, is paid in advance, and takes the hardware back at its resale value.
        months = machine.sold - machine.delivered
        level = payment_usd(capex, rate, months, balloon_usd=sale, when="begin") * (1.0 - tax)
        for month in range(machine.delivered, machine.sold):
            yield month, {"lease": level}
        return
    if terms.financing == "cash":
        yield machine.ordered, {"refresh" if machine.ordered > terms.wait_months else "servers": capex}
    else:
        yield machine.ordered, {"down_payment": capex * v["money.down_payment_share"]}
        yield from _loan_lumps(capex * (1.0 - v["money.down_payment_share"]), rate, tax, terms.loan_months, machine)
    book: Number = 1.0 * capex
    if not _always_zero(tax):
        for year, share in enumerate(depreciation_shares(terms.depreciation, terms.depreciation_years), start=1):
            month = machine.delivered + 12 * year
            if month > machine.sold:
                break
            yield month, {"depreciation_tax_shield": -tax * share * capex}
            book = book - share * capex
        yield machine.sold, {"tax_on_resale": tax * (sale - book)}
    yield machine.sold, {"resale": -sale}


def _loan_lumps(
    principal: Number, rate: Number, tax: Number, loan_months: int, machine: _Machine
) -> Iterator[tuple[int, Entries]]:
    """Yield payments at month ends, less the tax that interest saves, and the rest when the server is sold."""
    level, monthly = payment_usd(principal, rate, loan_months), rate / 12.0
    end, balance = machine.ordered + loan_months, principal
    for month in range(machine.ordered + 1, min(end, machine.sold) + 1):
        interest = balance * monthly
        balance = balance - (level - interest)
        yield month, {"loan": level - tax * interest}
    if machine.sold < end:
        yield machine.sold, {"loan_payoff": balance}


def terms_of(scenario: Scenario, wait_months: int = 0) -> Terms:
    """Return what is agreed on in a scenario."""
    months = whole_months(scenario)
    life = months["buy.life_months"]
    return Terms(
        horizon_months=scenario.horizon_months,
        term_months=months["rent.term_months"],
        life_months=life,
        lead_time_months=months["buy.lead_time_months"],
        wait_months=wait_months,
        refresh_months=scenario.buy.refresh_months,
        price_steps=tuple((step.month, step.change_share) for step in scenario.rent.price_steps),
        opex_charged=scenario.buy.opex_charged,
        idle_hours=scenario.use.idle_hours,
        financing=scenario.money.financing,
        loan_months=scenario.money.loan_months or life,
        depreciation=scenario.money.depreciation,
        depreciation_years=scenario.money.depreciation_years,
    )


def ledger_timelines(scenario: Scenario) -> tuple[Timeline, Timeline]:
    """Return renting and owning at the typical values."""
    values, terms = typical_values(scenario), terms_of(scenario)
    hours = float(used_hours(values))
    return timeline_of_months(rent_months(values, terms), hours), timeline_of_months(own_months(values, terms), hours)


def ledger_present_values(scenario: Scenario, values: Values, wait_months: int = 0) -> tuple[Number, Number]:
    """Return renting and owning at given values, today."""
    terms, rate = terms_of(scenario, wait_months), values["money.discount_rate_share_per_year"]
    return (
        present_value_of_months(rent_months(values, terms), rate),
        present_value_of_months(own_months(values, terms), rate),
    )


def _sum(entries: Entries) -> Number:
    total: Number = 0.0
    for usd in entries.values():
        total = total + usd
    return total


def _always_zero(value: Number) -> bool:
    return np.ndim(value) == 0 and float(value) == 0.0


def _always_one(value: Number) -> bool:
    return np.ndim(value) == 0 and float(value) == 1.0
