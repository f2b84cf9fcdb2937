"""Servers: their cost on the day they are ordered, the power they draw, and their residual value by age."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.arrays import FloatArray
from planner.costs.expression import Expr, choose, exp, log, maximum, minimum, name, number
from planner.costs.financing import financing_of

RESALE_AGES_MONTHS = (12, 24, 36, 48, 60)


def share_at(age_months: Expr) -> Expr:
    """Return the price of used hardware over its price when new, by straight lines between the logarithms of known shares.

    A server loses a share of its value each month rather than an amount, hence the logarithms. A known share of 0 is
    reached by a straight line of the share itself. No used server is dearer than a younger one, whatever the shares say.
    """
    ages, shares = [0.0, *map(float, RESALE_AGES_MONTHS)], [number(1.0)]
    for age in RESALE_AGES_MONTHS:
        share = name(f"own.resale_after_{age}_months_share")
        shares.append(minimum(share, shares[-1]) if len(shares) > 1 else share)
    by_line, by_log = shares[-1], log(shares[-1])
    for i in range(len(ages) - 1, 0, -1):
        part = (age_months - ages[i - 1]) / (ages[i] - ages[i - 1])
        here = age_months < ages[i]
        by_line = choose(here, shares[i - 1] + (shares[i] - shares[i - 1]) * part, by_line)
        by_log = choose(here, log(shares[i - 1]) + (log(shares[i]) - log(shares[i - 1])) * part, by_log)
    beyond = maximum(age_months - ages[-1], 0.0)
    falling = exp(by_log) * 10.0 ** (0.0 - name("own.resale_decline_log10_per_year") * beyond / 12.0)
    # Shares fall with age, so the last one is 0 where any is.
    return choose(shares[-1] <= 0, by_line, falling)


def fits_at_home(
    server_count: ArrayLike, server_max_kw: ArrayLike, assumptions: Mapping[str, float]
) -> NDArray[np.bool_]:
    """Tell whether the machines can be fed from the circuits of a flat or a small office."""
    return np.asarray(np.asarray(server_count) * np.asarray(server_max_kw) <= assumptions["site.home.max_kw"])


def server_power_kw(
    max_kw: ArrayLike, busy_share: ArrayLike, idle_share: ArrayLike, peak_share: ArrayLike
) -> FloatArray:
    """Return the mean draw of a server that is busy part of the time.

    Examples
    --------
    >>> server_power_kw(10.0, [0.0, 0.5, 1.0], 0.25, 0.75).tolist()
    [2.5, 5.0, 7.5]
    """
    idle = np.asarray(idle_share, dtype=float)
    span = np.asarray(peak_share, dtype=float) - idle
    return np.asarray(np.asarray(max_kw, dtype=float) * (idle + span * np.asarray(busy_share, dtype=float)))


def capex_usd(server_price_usd: ArrayLike, server_count: ArrayLike, assumptions: Mapping[str, float]) -> FloatArray:
    """Return what servers cost to buy: hardware, the network that joins them, installation; nothing where they are leased.

    Examples
    --------
    >>> cash = {"own.network_share": 0.2, "own.install_share": 0.05, "money.financing": 0.0, "money.tax_share": 0.0}
    >>> float(capex_usd(100_000.0, 1, cash))
    105000.0
    """
    if financing_of(assumptions).kind == "lease":
        return np.asarray(server_price_usd, dtype=float) * 0.0
    servers_usd = np.asarray(server_price_usd, dtype=float) * np.asarray(server_count, dtype=float)
    share = assumptions["own.network_share"]
    hardware_usd = np.where(np.asarray(server_count) > 1, servers_usd / (1.0 - share), servers_usd)
    return np.asarray(hardware_usd * (1.0 + assumptions["own.install_share"]))
