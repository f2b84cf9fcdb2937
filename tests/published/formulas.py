"""Formulas of papers and textbooks that the product has no use for: only published tables are checked with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.costs.expression import evaluate, name
from planner.costs.financing import lease_payment, level_payment
from planner.costs.spot import slowdown_ratio
from planner.errors import PlanningError

When = Literal["end", "begin"]
_PRINCIPAL, _RATE, _MONTHS, _BALLOON = (name(each) for each in ("principal", "rate", "months", "balloon"))
PAYMENTS = {
    "end": level_payment(_PRINCIPAL, _RATE, _MONTHS, _BALLOON),
    "begin": lease_payment(_PRINCIPAL, _RATE, _MONTHS, _BALLOON),
}


def payment_usd(
    principal_usd: ArrayLike,
    rate_share_per_year: ArrayLike,
    months: ArrayLike,
    *,
    balloon_usd: ArrayLike = 0.0,
    when: When = "end",
) -> FloatArray:
    """Return the product's level monthly payment of a loan, or, in advance, of a lease.

    Examples
    --------
    >>> float(payment_usd(10_000, 0.08, 10).round(2))
    1037.03
    """
    principal, rate, n, balloon = (
        np.asarray(each, dtype=float) for each in (principal_usd, rate_share_per_year, months, balloon_usd)
    )
    if not (np.all(n >= 1) and np.all(rate >= 0)):
        raise PlanningError(f"a loan needs a month or more and a rate of 0 or more, got {months!r} at {rate!r}")
    return evaluate(PAYMENTS[when], {"principal": principal, "rate": rate / 12.0, "months": n, "balloon": balloon})


def young_interval_hours(checkpoint_hours: ArrayLike, hours_between: ArrayLike) -> FloatArray:
    """Return the time between checkpoints that loses least, to first order: ``sqrt(2 * delta * M)``.

    Parameters
    ----------
    checkpoint_hours, hours_between : array_like
        Time to write a checkpoint (delta), and mean time between interruptions of the job (M).

    Examples
    --------
    >>> float(young_interval_hours(0.05, 6.0).round(6))
    0.774597
    """
    return np.asarray(np.sqrt(2.0 * np.asarray(checkpoint_hours) * np.asarray(hours_between)), dtype=float)


def break_even_hours_between_interruptions(
    *, checkpoint_hours: float, restart_hours: float, spot_usd_per_hour: float, on_demand_usd_per_hour: float
) -> float | None:
    """Return the mean time between interruptions below which on-demand is cheaper; None where spot never is cheaper.

    Examples
    --------
    >>> round(break_even_hours_between_interruptions(checkpoint_hours=0.05, restart_hours=0.25, spot_usd_per_hour=1.2,
    ...                                              on_demand_usd_per_hour=2.9), 4)
    0.5755
    """
    if not 0 < spot_usd_per_hour < on_demand_usd_per_hour:
        return None
    from scipy.optimize import brentq

    allowed = on_demand_usd_per_hour / spot_usd_per_hour

    def excess(log_mean: float) -> float:
        ratio = float(slowdown_ratio(checkpoint_hours, math.exp(log_mean), restart_hours))
        return min(ratio, 1e30) - allowed

    # The slowdown falls from beyond any price ratio towards 1 as interruptions become rare.
    scale = checkpoint_hours + restart_hours
    return math.exp(float(brentq(excess, math.log(scale / 500.0), math.log(scale * 1e9), xtol=1e-13)))


def tax_shield_usd(written_off_usd: FloatArray, tax_share: float, rate_share_per_year: float) -> float:
    """Return today's value of the tax that writing off saves, the first at the end of year 1.

    Examples
    --------
    >>> round(tax_shield_usd(np.array([100.0, 100.0]), 0.5, 0.25), 6)
    72.0
    """
    years = np.arange(1, len(written_off_usd) + 1)
    return float(np.sum(tax_share * written_off_usd / (1.0 + rate_share_per_year) ** years))


def after_tax_proceeds_usd(sale_usd: float, book_usd: float, tax_share: float) -> float:
    """Return what a sale leaves after tax: a gain over book value is taxed, a loss saves tax.

    Examples
    --------
    >>> after_tax_proceeds_usd(100.0, 40.0, 0.25)
    85.0
    """
    return sale_usd - tax_share * (sale_usd - book_usd)


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


def normal_difference(
    *, mean_a: float, sd_a: float, mean_b: float, sd_b: float, correlation: float = 0.0
) -> tuple[float, float]:
    """Return how probable it is that a costs less than b, and what choosing a is expected to be regretted by.

    Both costs are normal; ignoring that they move together changes the answer.

    Examples
    --------
    >>> p, regret = normal_difference(mean_a=540e3, sd_a=60e3, mean_b=620e3, sd_b=90e3, correlation=0.3)
    >>> round(p, 4), round(regret)
    (0.8078, 9761)
    """
    if not (sd_a >= 0 and sd_b >= 0 and -1 <= correlation <= 1):
        raise PlanningError("standard deviations must not be negative, and a correlation lies in -1..1")
    sd = math.sqrt(max(sd_a**2 + sd_b**2 - 2 * correlation * sd_a * sd_b, 0.0))
    gap = mean_b - mean_a
    if sd == 0:
        return (1.0 if gap > 0 else 0.0), max(-gap, 0.0)
    z = gap / sd
    below = 0.5 * math.erfc(-z / math.sqrt(2.0))
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return below, sd * density - gap * (1.0 - below)


def triangular_mean_and_sd(low: float, mode: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation of a triangular distribution.

    Examples
    --------
    >>> mean, sd = triangular_mean_and_sd(12_000, 18_000, 36_000)
    >>> mean, round(sd, 2)
    (22000.0, 5099.02)
    """
    if not low <= mode <= high:
        raise PlanningError("low, mode and high must rise")
    variance = (low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18.0
    return (low + mode + high) / 3.0, math.sqrt(variance)


def maximum_regret(cost_by_option: Mapping[str, Sequence[float]]) -> tuple[dict[str, float], str]:
    """Return the largest regret of each option over scenarios, and the option whose largest is smallest (Savage).

    Examples
    --------
    >>> maximum_regret({"rent": [260, 610, 980], "own": [540, 520, 500]})
    ({'rent': 480.0, 'own': 280.0}, 'own')
    """
    if not cost_by_option or len({len(costs) for costs in cost_by_option.values()}) != 1:
        raise PlanningError("every option needs a cost in every scenario")
    costs = np.array(list(cost_by_option.values()), dtype=float)
    worst = (costs - costs.min(axis=0)).max(axis=1)
    regret = dict(zip(cost_by_option, worst.tolist(), strict=True))
    return regret, min(regret, key=lambda name: regret[name])


def roots_between(function: Callable[[float], float], low: float, high: float, pieces: int = 64) -> tuple[float, ...]:
    """Return every root that a scan of an interval finds, for functions that are no straight line.

    Parameters
    ----------
    function : callable
        Saving of owning over whatever is varied; continuous.
    low, high : float
        The interval.
    pieces : int
        Parts in each of which one change of sign is looked for.

    Returns
    -------
    tuple of float
        Rising. Two roots within one piece escape.

    Raises
    ------
    PlanningError
        If the function is not finite somewhere on the interval.

    Examples
    --------
    >>> [round(root, 9) for root in roots_between(lambda x: (x - 0.2) * (x - 0.7), 0.0, 1.0)]
    [0.2, 0.7]
    """
    grid = np.linspace(low, high, pieces + 1)
    values = np.array([function(float(x)) for x in grid])
    if not np.isfinite(values).all():
        raise PlanningError(f"the saving has no value at {float(grid[~np.isfinite(values)][0]):g}")
    roots = [float(x) for x, v in zip(grid, values, strict=True) if v == 0]
    changes = np.flatnonzero(values[:-1] * values[1:] < 0)
    if len(changes):
        from scipy.optimize import brentq

        roots += [float(brentq(function, grid[i], grid[i + 1], xtol=1e-14, rtol=1e-14)) for i in changes]
    return tuple(sorted(roots))


def value_of_waiting_usd(
    *,
    capex: float,
    capex_next: float,
    pv_up: float,
    pv_down: float,
    p_up: float,
    rate: float,
    rent_bridge_cost: float = 0.0,
) -> tuple[float, float, float]:
    """Compare buying today with deciding a period later, when it is known what owning saves.

    Parameters
    ----------
    capex, capex_next : float
        Price of the hardware today and a period later.
    pv_up, pv_down, p_up : float
        What owning saves in a good and in a bad case, and the probability of the good one.
    rate : float
        Of the period.
    rent_bridge_cost : float
        What renting costs until then (NPV).

    Returns
    -------
    tuple of float
        Net present value of buying today, of waiting, and what waiting is worth (never negative).

    Examples
    --------
    >>> now, wait, worth = value_of_waiting_usd(capex=300e3, capex_next=220e3, pv_up=420e3, pv_down=180e3, p_up=0.55,
    ...                                         rate=0.10, rent_bridge_cost=5e3)
    >>> round(now), round(wait), round(worth)
    (12000, 95000, 83000)
    """
    if not (0 <= p_up <= 1 and rate > -1):
        raise PlanningError("a probability lies in 0..1 and a rate above -1")
    now = p_up * pv_up + (1 - p_up) * pv_down - capex
    later = p_up * max(pv_up - capex_next, 0.0) + (1 - p_up) * max(pv_down - capex_next, 0.0)
    wait = later / (1 + rate) - rent_bridge_cost
    return now, wait, max(wait - now, 0.0)
