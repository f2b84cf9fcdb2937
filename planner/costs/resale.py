"""What used hardware brings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from planner.costs.timeline import FloatArray
from planner.errors import PlanningError

__all__ = ["ResaleCurve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResaleCurve:
    """Price of a used server over its price when new, by age.

    Attributes
    ----------
    ages_months : tuple of float
        Ages at which the share is known, rising, above 0.
    shares : tuple of float
        Share of the price when new at these ages.
    decline_log10_per_year : float
        Fall beyond the last age, in powers of ten a year.

    Raises
    ------
    PlanningError
        If ages do not rise, or a share is not in 0..1 or grows with age.

    Examples
    --------
    >>> curve = ResaleCurve(ages_months=(12, 36), shares=(0.64, 0.25), decline_log10_per_year=0.14)
    >>> curve.share_at([0, 6, 12, 24, 36, 48]).round(4).tolist()
    [1.0, 0.8, 0.64, 0.4, 0.25, 0.1811]
    """

    ages_months: tuple[float, ...]
    shares: tuple[float, ...]
    decline_log10_per_year: float

    def __post_init__(self) -> None:
        """Refuse a curve that does not fall."""
        ages, shares = (0.0, *self.ages_months), (1.0, *self.shares)
        if len(ages) != len(shares) or any(b <= a for a, b in pairwise(ages)):
            raise PlanningError(f"ages of a resale curve must rise and have one share each, got {self.ages_months}")
        if any(not 0 <= share <= 1 for share in shares) or any(b > a for a, b in pairwise(shares)):
            raise PlanningError(f"shares of a resale curve must fall from 1 towards 0, got {self.shares}")

    def share_at(self, age_months: ArrayLike) -> FloatArray:
        """Return the share at an age or ages, by straight lines between the logarithms of the known shares.

        A server loses a share of its value each month rather than an amount, hence the logarithms. A known share of 0
        is reached by a straight line of the share itself.
        """
        age = np.asarray(age_months, dtype=float)
        ages = np.array([0.0, *self.ages_months])
        shares = np.array([1.0, *self.shares])
        plain = np.interp(age, ages, shares)
        if (shares <= 0).any():
            return np.asarray(plain)
        by_log = np.exp(np.interp(age, ages, np.log(shares)))
        beyond = np.maximum(age - ages[-1], 0.0)
        return np.asarray(by_log * 10.0 ** (-self.decline_log10_per_year * beyond / 12.0))
