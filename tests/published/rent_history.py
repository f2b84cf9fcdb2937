"""How far rents moved within a year, from prices that were written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np

from planner.errors import PlanningError

__all__ = ["spread_of_changes", "yearly_changes"]

LEAST_DAYS, MOST_DAYS = 330, 400
"""Two observations count as a year apart within these bounds."""


def yearly_changes(observed: Sequence[tuple[date, float]]) -> tuple[float, ...]:
    """Return the change of a price between every two observations that lie about a year apart.

    Parameters
    ----------
    observed : sequence of (date, float)
        Days and prices of one offer, in any order.

    Returns
    -------
    tuple of float
        Changes as shares of the earlier price.

    Examples
    --------
    >>> yearly_changes([(date(2024, 1, 1), 10.0), (date(2024, 6, 1), 9.0), (date(2025, 1, 1), 8.0)])
    (-0.2,)
    """
    ordered = sorted(observed)
    return tuple(
        round(later / earlier - 1.0, 12)
        for i, (first, earlier) in enumerate(ordered)
        for last, later in ordered[i + 1 :]
        if LEAST_DAYS <= (last - first).days <= MOST_DAYS
    )


def spread_of_changes(series: Iterable[Sequence[tuple[date, float]]]) -> tuple[float, float, float]:
    """Return 10th percentile, median and 90th percentile of the yearly changes of many offers together.

    Raises
    ------
    PlanningError
        If no two observations lie a year apart.
    """
    changes = [change for observed in series for change in yearly_changes(observed)]
    if not changes:
        raise PlanningError("no two prices of one offer lie a year apart, so their spread is not known")
    low, median, high = np.percentile(changes, [10, 50, 90])
    return float(low), float(median), float(high)
