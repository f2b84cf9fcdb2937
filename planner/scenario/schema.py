"""A scenario: rent against buy from prices and hours that the user states, with no model of the work.

The classes are the schema of ``scenario.yaml``. Every amount is a number or a range ``{low, typical, high}``; the
verdict is worked out at the typical values, the ranges feed `planner.scenario.risk`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from planner.costs.financing import Depreciation
from planner.inputs.amount import Amount, Section, Spread, plain

Usd = Annotated[Spread, Amount(least=0, most=1e13)]
Share = Annotated[Spread, Amount(least=0, most=1)]
Change = Annotated[Spread, Amount(least=-1, most=100, above=True)]
WholeMonths = Annotated[Spread, Amount(least=0, most=600, whole=True)]


class PriceStep(Section):
    """A change of the rent from the start of a month on."""

    month: Annotated[int, Field(ge=1, le=600)]
    change_share: Annotated[float, Field(gt=-1, le=100)]


class Rent(Section):
    """What renting costs.

    Attributes
    ----------
    usd_per_hour : Spread
        Price of an hour, besides an upfront payment.
    upfront_usd : Spread
        Paid at the start of each term; without a term, once.
    term_months : Spread
        Length of the commitment, whose clock hours are paid whether used or not; 0 pays hours used.
    price_change_share_per_year : Spread
        How the price moves; a term keeps the price of its first month.
    price_volatility_share_per_year : Spread
        Standard deviation of a year's change around that, for drawn price paths; the verdict itself does not use it.
    price_steps : tuple of PriceStep
        Changes that are known or feared, by month.
    """

    usd_per_hour: Usd
    upfront_usd: Usd = plain(0)
    term_months: WholeMonths = plain(0)
    price_change_share_per_year: Change = plain(0)
    price_volatility_share_per_year: Annotated[Spread, Amount(least=0, most=5)] = plain(0)
    price_steps: tuple[PriceStep, ...] = ()


class Buy(Section):
    """What owning costs.

    Attributes
    ----------
    capex_usd : Spread
        Hardware.
    opex_usd_per_hour : Spread
        Running costs of an hour.
    opex_charged : str
        Whether running costs and power are paid for ``used_hours`` or for ``clock_hours``.
    power_kw, pue, electricity_usd_per_kwh : Spread
        Draw, power of the site over power of the machines, tariff.
    colocation_usd_per_kw_month, staff_usd_per_year, support_share_per_year : Spread
        Space, people, and a support contract as a share of the hardware's price.
    resale_share : Spread
        What the hardware brings when its life or the horizon ends, as a share of its price.
    life_months, lead_time_months : Spread
        From delivery to replacement; from order to delivery, bridged by renting.
    refresh_months : tuple of int
        Months at which the hardware is bought again besides.
    """

    capex_usd: Usd
    opex_usd_per_hour: Usd = plain(0)
    opex_charged: Literal["used_hours", "clock_hours"] = "used_hours"
    power_kw: Annotated[Spread, Amount(least=0, most=1e9)] = plain(0)
    electricity_usd_per_kwh: Annotated[Spread, Amount(least=0, most=100)] = plain(0.10)
    pue: Annotated[Spread, Amount(least=1, most=10)] = plain(1.3)
    colocation_usd_per_kw_month: Usd = plain(0)
    staff_usd_per_year: Usd = plain(0)
    support_share_per_year: Share = plain(0)
    resale_share: Share = plain(0)
    life_months: Annotated[Spread, Amount(least=1, most=600, whole=True)] = plain(60)
    refresh_months: tuple[Annotated[int, Field(ge=1, le=600)], ...] = ()
    lead_time_months: WholeMonths = plain(0)


class Use(Section):
    """How much the machine works.

    Attributes
    ----------
    hours_per_day : Spread
        Hours a day in which it is needed: a schedule.
    utilisation_share : Spread
        Share of these hours in which it works.
    idle_hours : str
        Whether a renter hands the machine back in hours without work (``given_back``), or pays them because the load
        cannot be gathered into fewer hours (``paid``).
    """

    hours_per_day: Annotated[Spread, Amount(least=0, most=24, above=True)] = plain(24)
    utilisation_share: Annotated[Spread, Amount(least=0, most=1, above=True)] = plain(1)
    idle_hours: Literal["given_back", "paid"] = "given_back"


class Money(Section):
    """How money is counted.

    Attributes
    ----------
    discount_rate_share_per_year : Spread
        Effective annual rate; 0 adds up plain dollars.
    hours_per_month : Spread
        Clock hours in a month; studies use 720, 730 and 744.
    tax_share : Spread
        Of profit; costs, depreciation and interest lower it.
    financing : str
        ``cash``, ``loan`` or ``lease``.
    loan_rate_share_per_year : Spread
        Nominal annual rate of the loan or lease.
    loan_months : int, optional
        Payments of the loan; without it, the life of the hardware.
    down_payment_share : Spread
        Own money in a loan.
    depreciation, depreciation_years : str, int
        How hardware is written off, where there is tax.
    """

    discount_rate_share_per_year: Change = plain(0)
    hours_per_month: Annotated[Spread, Amount(least=0, most=744, above=True)] = plain(730)
    tax_share: Annotated[Spread, Amount(least=0, most=0.95)] = plain(0)
    financing: Literal["cash", "loan", "lease"] = "cash"
    loan_rate_share_per_year: Annotated[Spread, Amount(least=0, most=2)] = plain(0.105)
    loan_months: Annotated[int, Field(ge=1, le=600)] | None = None
    down_payment_share: Share = plain(0)
    depreciation: Depreciation = "straight_line"
    depreciation_years: Annotated[int, Field(ge=1, le=50)] = 5


class Scenario(Section):
    """Rent against buy, as the user states it.

    Attributes
    ----------
    rent, buy, use, money : Rent, Buy, Use, Money
        The two sides, the work, and how money is counted.
    horizon_months : int
        How far the comparison looks.
    """

    rent: Rent
    buy: Buy
    use: Use = Use()
    money: Money = Money()
    horizon_months: Annotated[int, Field(ge=1, le=600)] = 60

    @model_validator(mode="after")
    def _fits_in_time(self) -> Scenario:
        faults = []
        if (term := self.rent.term_months.high) > self.horizon_months:
            faults.append(
                f"rent.term_months ({term:g}) is longer than horizon_months ({self.horizon_months}):"
                f" the rest of the term would be paid beyond the horizon; set horizon_months to {term:g} or more"
            )
        if (lead := self.buy.lead_time_months.high) >= self.horizon_months:
            faults.append(
                f"buy.lead_time_months ({lead:g}) reaches horizon_months ({self.horizon_months}):"
                " nothing would be owned; lengthen the horizon"
            )
        late = [month for month in self.buy.refresh_months if month >= self.horizon_months]
        if late:
            faults.append(
                f"buy.refresh_months {late} must lie before horizon_months ({self.horizon_months}):"
                " hardware bought then would never be used"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self


def spreads(scenario: Scenario) -> dict[str, Spread]:
    """Return every amount of a scenario by its dotted name."""
    return dict(_amounts(scenario, ""))


def bounds() -> dict[str, Amount]:
    """Return what every amount of a scenario may be, by its dotted name."""
    limits: dict[str, Amount] = {}
    for prefix, section in (("rent", Rent), ("buy", Buy), ("use", Use), ("money", Money)):
        for name, field in section.model_fields.items():
            limits |= {f"{prefix}.{name}": limit for limit in field.metadata if isinstance(limit, Amount)}
    return limits


def typical_values(scenario: Scenario) -> dict[str, float]:
    """Return the typical value of every amount by its dotted name."""
    return {name: spread.typical for name, spread in spreads(scenario).items()}


def whole_months(scenario: Scenario) -> dict[str, int]:
    """Return the typical values that are whole months by their dotted names."""
    values = typical_values(scenario)
    return {name: round(values[name]) for name in WHOLE_MONTH_NAMES}


WHOLE_MONTH_NAMES = ("rent.term_months", "buy.life_months", "buy.lead_time_months")
"""Amounts that are rounded to whole months when they are drawn."""


def _amounts(section: Section, prefix: str) -> Iterator[tuple[str, Spread]]:
    for name in type(section).model_fields:
        value: Any = getattr(section, name)
        if isinstance(value, Spread):
            yield prefix + name, value
        elif isinstance(value, Section):
            yield from _amounts(value, f"{prefix}{name}.")
