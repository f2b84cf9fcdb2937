"""Break-evens in one line: the formulas that studies print, and the marks that the timelines are checked against.

None of them knows months, refreshes or terms; where those matter, `planner.costs.breakeven` is the answer and these
are the approximation.
"""

from __future__ import annotations

import math

from planner.costs.timeline import discount_factors
from planner.errors import PlanningError

__all__ = [
    "api_break_even_months",
    "api_break_even_tokens_m",
    "blended_usd_per_million_tokens",
    "break_even_hours",
    "break_even_utilisation_share",
    "cost_per_useful_hour_usd",
    "declining_rent_present_value_usd",
    "economic_depreciation_usd",
    "energy_usd",
    "monthly_equivalent_cost_usd",
    "own_total_usd",
    "rent_of_equal_cost_usd_per_hour",
    "threshold_hours_per_day",
    "usd_per_million_tokens",
]

HOURS_PER_YEAR = 8760.0
HOURS_PER_MONTH = 730.0


def break_even_hours(*, capex_usd: float, rent_usd_per_hour: float, own_usd_per_hour: float) -> float | None:
    """Return the hours of use after which owning has cost less; None where an owned hour costs as much as a rented one.

    Examples
    --------
    >>> round(break_even_hours(capex_usd=833_806, rent_usd_per_hour=98.32, own_usd_per_hour=0.87), 2)
    8556.24
    """
    _not_negative(capex_usd=capex_usd, rent_usd_per_hour=rent_usd_per_hour, own_usd_per_hour=own_usd_per_hour)
    if rent_usd_per_hour <= own_usd_per_hour:
        return None
    return capex_usd / (rent_usd_per_hour - own_usd_per_hour)


def own_total_usd(
    *, capex_usd: float, own_usd_per_hour: float, years: float, year_hours: float = HOURS_PER_YEAR
) -> float:
    """Return what owning costs over years of clock hours.

    Examples
    --------
    >>> own_total_usd(capex_usd=461_567.5, own_usd_per_hour=12.6, years=5)
    1013447.5
    """
    _not_negative(capex_usd=capex_usd, own_usd_per_hour=own_usd_per_hour)
    _above_zero(years=years, year_hours=year_hours)
    return capex_usd + own_usd_per_hour * year_hours * years


def threshold_hours_per_day(
    *,
    capex_usd: float,
    rent_usd_per_hour: float,
    own_usd_per_hour: float,
    years: float,
    year_hours: float = HOURS_PER_YEAR,
    days_per_year: float = 365.0,
) -> float:
    """Return the hours of use a day from which on owning is cheaper, its running costs paid around the clock.

    Above 24, renting always wins.

    Examples
    --------
    >>> round(threshold_hours_per_day(capex_usd=461_567.5, rent_usd_per_hour=142.42, own_usd_per_hour=12.6, years=5), 3)
    3.899
    """
    _above_zero(rent_usd_per_hour=rent_usd_per_hour)
    total = own_total_usd(capex_usd=capex_usd, own_usd_per_hour=own_usd_per_hour, years=years, year_hours=year_hours)
    return total / (rent_usd_per_hour * days_per_year * years)


def usd_per_million_tokens(usd_per_hour: float, tokens_per_s: float) -> float:
    """Return the cost of a million tokens of a machine that never waits.

    Examples
    --------
    >>> round(usd_per_million_tokens(98.32, 30_576), 4)
    0.8932
    """
    _above_zero(tokens_per_s=tokens_per_s)
    return usd_per_hour / 3600.0 / tokens_per_s * 1e6


def monthly_equivalent_cost_usd(
    *,
    capex_usd: float,
    residual_usd: float,
    months: int,
    fixed_opex_usd_per_month: float = 0.0,
    rate_share_per_year: float = 0.0,
) -> float:
    """Return the level monthly cost of owning, apart from what use adds.

    Examples
    --------
    >>> round(monthly_equivalent_cost_usd(capex_usd=320_000, residual_usd=48_000, months=48,
    ...                                   fixed_opex_usd_per_month=6200, rate_share_per_year=0.12), 2)
    13736.61
    """
    if months < 1:
        raise PlanningError(f"hardware lives a month or longer, got {months}")
    factors = discount_factors(rate_share_per_year, months)
    return float((capex_usd - residual_usd * factors[-1]) / factors[1:].sum()) + fixed_opex_usd_per_month


def break_even_utilisation_share(
    *,
    fixed_usd_per_month: float,
    rent_usd_per_hour: float,
    own_usd_per_busy_hour: float,
    hours_per_month: float = HOURS_PER_MONTH,
) -> float | None:
    """Return the share of hours from which on owning is cheaper; above 1, and None, renting always wins.

    Examples
    --------
    >>> round(break_even_utilisation_share(fixed_usd_per_month=13_736.613485, rent_usd_per_hour=23.92,
    ...                                    own_usd_per_busy_hour=1.1), 6)
    0.824596
    """
    gap = rent_usd_per_hour - own_usd_per_busy_hour
    return fixed_usd_per_month / (hours_per_month * gap) if gap > 0 else None


def rent_of_equal_cost_usd_per_hour(
    *,
    fixed_usd_per_month: float,
    utilisation_share: float,
    own_usd_per_busy_hour: float,
    hours_per_month: float = HOURS_PER_MONTH,
) -> float:
    """Return the rent at which both cost the same for a share of hours used.

    Examples
    --------
    >>> round(rent_of_equal_cost_usd_per_hour(fixed_usd_per_month=13_736.613485, utilisation_share=0.6,
    ...                                       own_usd_per_busy_hour=1.1), 4)
    32.4621
    """
    _above_zero(utilisation_share=utilisation_share)
    return fixed_usd_per_month / (hours_per_month * utilisation_share) + own_usd_per_busy_hour


def cost_per_useful_hour_usd(
    *, fixed_usd_per_clock_hour: float, utilisation_share: float, own_usd_per_busy_hour: float = 0.0
) -> float:
    """Return the cost of an hour of work: fixed costs are spread over fewer hours the less is done.

    Examples
    --------
    >>> cost_per_useful_hour_usd(fixed_usd_per_clock_hour=21.78, utilisation_share=0.33)
    66.0
    """
    _above_zero(utilisation_share=utilisation_share)
    return fixed_usd_per_clock_hour / utilisation_share + own_usd_per_busy_hour


def declining_rent_present_value_usd(
    *, rent_usd_per_month: float, price_change_share_per_year: float, rate_share_per_year: float, months: int
) -> float:
    """Return the present value of a rent whose price moves steadily: a growing annuity.

    The first month is paid at today's price. The price may rise as well.

    Examples
    --------
    >>> round(declining_rent_present_value_usd(rent_usd_per_month=17_000, price_change_share_per_year=-0.25,
    ...                                        rate_share_per_year=0.1, months=36), 2)
    366731.64
    """
    if not (price_change_share_per_year > -1 and rate_share_per_year > -1):
        raise PlanningError("a yearly change and a rate must be above -1")
    growth = (1.0 + price_change_share_per_year) ** (1.0 / 12.0)
    discount = (1.0 + rate_share_per_year) ** (-1.0 / 12.0)
    ratio = growth * discount
    terms = months if math.isclose(ratio, 1.0, rel_tol=1e-14) else (1.0 - math.pow(ratio, months)) / (1.0 - ratio)
    return float(rent_usd_per_month * discount * terms)


def blended_usd_per_million_tokens(usd_per_million_in: float, usd_per_million_out: float, input_share: float) -> float:
    """Return the price of a million tokens of which a share is input.

    Examples
    --------
    >>> round(blended_usd_per_million_tokens(1.25, 10.0, 1 / 3), 6)
    7.083333
    """
    if not 0 <= input_share <= 1:
        raise PlanningError(f"the input's share must lie in 0..1, got {input_share:g}")
    return usd_per_million_in * input_share + usd_per_million_out * (1.0 - input_share)


def api_break_even_tokens_m(fixed_usd_per_month: float, usd_per_million_tokens: float) -> float:
    """Return the million tokens a month at which an own machine costs what the API would.

    Compare with what the machine can produce: beyond that, the break-even is out of reach.

    Examples
    --------
    >>> round(api_break_even_tokens_m(7_800, 7.083333333), 3)
    1101.176
    """
    _above_zero(usd_per_million_tokens=usd_per_million_tokens)
    return fixed_usd_per_month / usd_per_million_tokens


def api_break_even_months(
    *, capex_usd: float, tokens_m_per_month: float, usd_per_million_tokens: float, own_usd_per_month: float
) -> float | None:
    """Return after how many months a machine has paid for itself in API bills; None where it never does.

    Examples
    --------
    >>> round(api_break_even_months(capex_usd=2000, tokens_m_per_month=114.048, usd_per_million_tokens=7.0833333,
    ...                             own_usd_per_month=13.2), 3)
    2.517
    """
    saved = tokens_m_per_month * usd_per_million_tokens - own_usd_per_month
    return capex_usd / saved if saved > 0 else None


def energy_usd(kw: float, hours: float, usd_per_kwh: float, pue: float = 1.0) -> float:
    """Return the bill for a draw over hours, with the site's overhead on top.

    Examples
    --------
    >>> round(energy_usd(4.8, 176, 0.15), 2)
    126.72
    """
    _not_negative(kw=kw, hours=hours, usd_per_kwh=usd_per_kwh)
    if pue < 1:
        raise PlanningError(f"power of a site over power of its machines is at least 1, got {pue:g}")
    return kw * hours * usd_per_kwh * pue


def economic_depreciation_usd(
    *,
    chip_value_usd: float,
    chip_hours: float,
    value_decline_log10_per_year: float,
    interconnect_share_of_total: float = 0.0,
    year_hours: float = 8766.0,
) -> float:
    """Return the value that chips and their network lose while they are used (Epoch AI, arXiv:2405.21015).

    Examples
    --------
    >>> round(economic_depreciation_usd(chip_value_usd=30_000, chip_hours=8766, value_decline_log10_per_year=0.14,
    ...                                 interconnect_share_of_total=0.19))
    11939
    """
    if not 0 <= interconnect_share_of_total < 1:
        raise PlanningError("the network's share of all hardware must be at least 0 and below 1")
    chips = chip_value_usd * value_decline_log10_per_year * math.log(10.0) / year_hours * chip_hours
    return chips * (1.0 + interconnect_share_of_total / (1.0 - interconnect_share_of_total))


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not value >= 0:
            raise PlanningError(f"{name} must not be negative, got {value:g}")


def _above_zero(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise PlanningError(f"{name} must be above 0, got {value:g}")
