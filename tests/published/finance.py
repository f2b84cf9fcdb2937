"""Capital budgeting: what a series of cash is worth, what it earns, and when it has paid for itself.

Signs are those of an investment: money spent is negative, money earned positive. Flow 0 is today. Timelines of costs
(`planner.costs.timeline`) use the opposite sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy_financial as npf
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.errors import PlanningError
from tests.published.formulas import roots_between

__all__ = [
    "equivalent_annual_cost",
    "equivalent_annual_cost_by_life",
    "internal_rate_of_return",
    "internal_rates_of_return",
    "modified_rate_of_return",
    "monthly_rate",
    "net_advantage_of_leasing",
    "net_present_value",
    "payback_periods",
    "profitability_index",
    "real_rate",
    "spreadsheet_npv",
    "weighted_cost_of_capital",
    "xirr",
    "xnpv",
]


def net_present_value(cash: ArrayLike, rate: float) -> float:
    """Discount by period and add up; flow 0 is not discounted.

    Examples
    --------
    >>> round(net_present_value([-40_000, 5_000, 8_000, 12_000, 30_000], 0.08), 2)
    3065.22
    """
    return float(npf.npv(_above(rate, -1.0), _flows(cash)))


def spreadsheet_npv(cash: ArrayLike, rate: float) -> float:
    """Return what a spreadsheet's NPV() returns: its first value is discounted by one period.

    Examples
    --------
    >>> round(spreadsheet_npv([-10_000, 3_000, 4_200, 6_800], 0.1), 2)
    1188.44
    """
    return net_present_value([0.0, *_flows(cash)], rate)


def internal_rates_of_return(cash: ArrayLike) -> tuple[float, ...]:
    """Return every rate above -1 at which the net present value is 0, rising; empty where there is none.

    Notes
    -----
    With ``x = 1 + rate`` the value is a polynomial in ``1/x``; its positive real roots are polished by Newton steps.
    Descartes' rule bounds their number by the number of changes of sign.

    Examples
    --------
    >>> [round(rate, 9) for rate in internal_rates_of_return([-1600, 10_000, -10_000])]
    [0.25, 4.0]
    """
    flows = np.trim_zeros(_flows(cash))
    if len(flows) < 2 or (flows > 0).all() or (flows < 0).all():
        return ()
    growth = np.polynomial.Polynomial(flows[::-1])  # in x, highest power first flow
    slope = growth.deriv()
    size = np.abs(flows).sum()
    found: list[float] = []
    for root in np.roots(flows):
        if abs(root.imag) > 1e-6 * abs(root) or root.real <= 0:
            continue
        x = float(root.real)
        for _ in range(8):
            if (steep := float(slope(x))) != 0:
                x -= float(growth(x)) / steep
        residual = abs(float(growth(x))) / max(1.0, x ** (len(flows) - 1))
        if x > 0 and residual < 1e-8 * size and all(abs(x - 1 - other) > 1e-7 for other in found):
            found.append(x - 1)
    return tuple(sorted(found))


def internal_rate_of_return(cash: ArrayLike) -> float | None:
    """Return the one rate at which the net present value is 0; None where there is none.

    Raises
    ------
    PlanningError
        If there are several, since none of them is then an answer.

    Examples
    --------
    >>> round(internal_rate_of_return([-4000, 2000, 4000]), 6)
    0.280776
    >>> internal_rate_of_return([1000, -3000, 2500]) is None
    True
    """
    rates = internal_rates_of_return(cash)
    if len(rates) > 1:
        listed = ", ".join(f"{rate:.2%}" for rate in rates)
        raise PlanningError(
            f"these flows have {len(rates)} rates of return ({listed}), so none is an answer",
            hint="compare net present values at your own cost of capital instead",
        )
    return rates[0] if rates else None


def modified_rate_of_return(cash: ArrayLike, finance_rate: float, reinvest_rate: float) -> float:
    """Return the rate of return when money is borrowed at one rate and reinvested at another.

    Examples
    --------
    >>> round(modified_rate_of_return([-120_000, 39_000, 30_000, 21_000, 37_000, 46_000], 0.10, 0.12), 6)
    0.126094
    """
    flows = _flows(cash)
    if not ((flows > 0).any() and (flows < 0).any()):
        raise PlanningError("a modified rate of return needs money spent and money earned")
    return float(npf.mirr(flows, _above(finance_rate, -1.0), _above(reinvest_rate, -1.0)))


def xnpv(flows: Sequence[tuple[date, float]], rate: float) -> float:
    """Discount dated flows to the first date by actual days over 365.

    Examples
    --------
    >>> round(xnpv([(date(2025, 1, 1), -100.0), (date(2026, 1, 1), 121.0)], 0.10), 9)
    10.0
    """
    first = min(day for day, _ in flows)
    return float(sum(cash / (1.0 + _above(rate, -1.0)) ** ((day - first).days / 365.0) for day, cash in flows))


def xirr(flows: Sequence[tuple[date, float]]) -> float | None:
    """Return the one effective annual rate at which dated flows are worth nothing; None where there is none.

    Raises
    ------
    PlanningError
        If there are several.

    Examples
    --------
    >>> round(xirr([(date(2025, 1, 1), -100.0), (date(2026, 1, 1), 110.0)]), 9)
    0.1
    """
    # By the logarithm of 1 + rate, so that -99 % and +9,900 % lie equally far away.
    logs = roots_between(lambda log: xnpv(flows, float(np.expm1(log))), np.log(1e-4), np.log(1e4), pieces=400)
    if len(logs) > 1:
        raise PlanningError(f"these flows have {len(logs)} rates of return, so none is an answer")
    return float(np.expm1(logs[0])) if logs else None


def monthly_rate(effective_annual_rate: float) -> float:
    """Return the rate of a month whose twelvefold compounding is the annual one.

    Examples
    --------
    >>> round(monthly_rate(0.1), 10)
    0.0079741404
    """
    return float((1.0 + _above(effective_annual_rate, -1.0)) ** (1.0 / 12.0) - 1.0)


def real_rate(nominal_rate: float, inflation: float) -> float:
    """Return the rate in money of constant worth (Fisher); not the difference of the two.

    Examples
    --------
    >>> round(real_rate(0.09, 0.025), 6)
    0.063415
    """
    return (1.0 + nominal_rate) / (1.0 + _above(inflation, -1.0)) - 1.0


def weighted_cost_of_capital(
    *, equity: float, debt: float, cost_equity: float, cost_debt_pre_tax: float, tax_share: float
) -> float:
    """Return what capital costs on average; interest saves tax.

    Examples
    --------
    >>> round(weighted_cost_of_capital(equity=60, debt=40, cost_equity=0.13, cost_debt_pre_tax=0.08, tax_share=0.21), 5)
    0.10328
    """
    if not (equity >= 0 and debt >= 0 and equity + debt > 0):
        raise PlanningError("equity and debt must not be negative, and not both 0")
    return (equity * cost_equity + debt * cost_debt_pre_tax * (1.0 - tax_share)) / (equity + debt)


def equivalent_annual_cost(costs: ArrayLike, rate: float) -> float:
    """Return the level yearly cost with the same present value: what makes unequal lives comparable.

    Parameters
    ----------
    costs : array_like
        Costs as positive numbers, the first today, then one a year; a resale is negative.
    rate : float
        A year; 0 gives the plain mean.

    Examples
    --------
    >>> round(equivalent_annual_cost([15_000, 5_000, 5_000, 5_000], 0.06), 2)
    10611.65
    """
    flows = _flows(costs)
    if len(flows) < 2:
        raise PlanningError("an equivalent annual cost needs a life of a year or more")
    annuity = np.sum((1.0 + _above(rate, -1.0)) ** -np.arange(1.0, len(flows)))
    return net_present_value(flows, rate) / float(annuity)


def equivalent_annual_cost_by_life(
    capex: float, running_by_year: Sequence[float], resale_by_year: Sequence[float], rate: float
) -> FloatArray:
    """Return the equivalent annual cost of keeping hardware one year, two years, and so on.

    Examples
    --------
    >>> equivalent_annual_cost_by_life(300, [30, 36], [180, 120], 0.1).round(3).tolist()
    [180.0, 148.571]
    """
    if len(running_by_year) != len(resale_by_year) or not running_by_year:
        raise PlanningError("running costs and resale values must be given for the same years, one or more")
    lives = range(1, len(running_by_year) + 1)
    costs = [
        [capex, *running_by_year[: life - 1], running_by_year[life - 1] - resale_by_year[life - 1]] for life in lives
    ]
    return np.array([equivalent_annual_cost(row, rate) for row in costs])


def payback_periods(cash: ArrayLike, rate: float = 0.0) -> float | None:
    """Return after how many periods the flows have paid for themselves for good; None where they never do.

    Inside a period the flow comes evenly. With a rate, flows are discounted first.

    Examples
    --------
    >>> round(payback_periods([-250_000, 90_000, 90_000, 90_000, 90_000]), 4)
    2.7778
    >>> payback_periods([-100_000, 30_000, 30_000, 30_000, 30_000], 0.15) is None
    True
    """
    flows = _flows(cash)
    sums = np.cumsum(flows / (1.0 + _above(rate, -1.0)) ** np.arange(len(flows)))
    behind = np.flatnonzero(sums < -1e-12 * np.abs(flows).sum())
    if len(behind) == 0:
        return 0.0
    last = int(behind[-1])
    if last == len(sums) - 1:
        return None
    return float(last + sums[last] / (sums[last] - sums[last + 1]))


def profitability_index(cash: ArrayLike, rate: float) -> float:
    """Return the present value of all later flows over the outlay of today.

    Examples
    --------
    >>> round(profitability_index([-100_000, 45_000, 45_000, 45_000], 0.10), 6)
    1.119083
    """
    flows = _flows(cash)
    if flows[0] >= 0:
        raise PlanningError("a profitability index needs an outlay today")
    return net_present_value([0.0, *flows[1:]], rate) / -float(flows[0])


def net_advantage_of_leasing(
    *,
    cost: float,
    lease_payment: float,
    years: int,
    pre_tax_debt: float,
    tax: float,
    salvage: float = 0.0,
    maintenance_if_owned: float = 0.0,
    in_advance: bool = True,
) -> tuple[float, float, float]:
    """Compare leasing with buying at the after-tax cost of debt.

    Owned hardware is written off in a straight line to nothing, so its sale is fully taxed. A payment in advance saves
    tax only at the end of its year.

    Returns
    -------
    tuple of float
        Net present value of the lease, of buying, and the lease's advantage; money spent is negative.

    Examples
    --------
    >>> lease, buy, gain = net_advantage_of_leasing(cost=300_000, lease_payment=86_000, years=4, pre_tax_debt=0.09,
    ...                                             tax=0.21, salvage=30_000, maintenance_if_owned=12_000)
    >>> round(gain, 2)
    10591.43
    """
    if years < 1:
        raise PlanningError(f"a lease runs for a year or more, got {years}")
    rate = pre_tax_debt * (1.0 - tax)
    lease = np.zeros(years + 1)
    lease[(0 if in_advance else 1) : (years if in_advance else years + 1)] -= lease_payment
    lease[1:] += tax * lease_payment
    own = np.zeros(years + 1)
    own[0] = -cost
    own[1:] += tax * cost / years - maintenance_if_owned * (1.0 - tax)
    own[-1] += salvage * (1.0 - tax)
    values = net_present_value(lease, rate), net_present_value(own, rate)
    return values[0], values[1], values[0] - values[1]


def _flows(cash: ArrayLike) -> FloatArray:
    flows = np.asarray(cash, dtype=float)
    if flows.ndim != 1 or not len(flows) or not np.isfinite(flows).all():
        raise PlanningError("cash flows must be a list of finite numbers")
    return flows


def _above(rate: float, least: float) -> float:
    if not rate > least or not np.isfinite(rate):
        raise PlanningError(f"a rate must be a number above {least:g}, got {rate:g}")
    return float(rate)
