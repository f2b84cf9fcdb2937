"""Used prices: what is left of the price of a server by its age, as a formula."""

from __future__ import annotations

from planner.costs.expression import Expr, choose, exp, log, maximum, minimum, name, number

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
