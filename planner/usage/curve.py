"""What a curve of hours says: mean, peak, base load, the load-duration curve, and how much it varies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.arrays import FloatArray

BASE_SHARE = 0.9
"""The base load is the level that is used, or exceeded, in this share of the hours."""
DURATION_SHARES = tuple(percent / 100 for percent in (0, 1, 2, 5, *range(10, 100, 10), 95, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Accelerators in use by hour.

    Attributes
    ----------
    hours : int
        Length.
    mean_gpus, peak_gpus, base_gpus : float
        See `BASE_SHARE`.
    utilisation_share : float
        Mean over peak: how busy a fleet would be that is as large as the busiest hour.
    variation_share : float
        Standard deviation over mean. Below 0.3 commit to machines, up to 0.6 to spend, above stay on demand
        (FinOps toolkit's rule of thumb).
    duration : tuple of (float, float)
        Share of the hours, and the level that is reached or exceeded in it.
    """

    hours: int
    mean_gpus: float
    peak_gpus: float
    base_gpus: float
    utilisation_share: float
    variation_share: float
    duration: tuple[tuple[float, float], ...]


def level_held(level: FloatArray, share: float) -> float:
    """Return the level that is reached or exceeded in a share of the hours.

    Parameters
    ----------
    level : FloatArray, shape (hours,)
        One hour or more.
    share : float
        0 is the peak, 1 the lowest hour.

    Examples
    --------
    >>> hours = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    >>> level_held(hours, 0.9), level_held(hours, 0.0)
    (2.0, 10.0)
    """
    rising = np.sort(level)
    return float(rising[min(math.floor((1.0 - share) * len(rising) + 1e-9), len(rising) - 1)])


def curve_of(level: FloatArray) -> Curve:
    """Return what a curve says, also of one that is 0 all the time; a share of nothing is 0."""
    mean, peak = float(level.mean()), float(level.max())
    return Curve(
        hours=len(level),
        mean_gpus=mean,
        peak_gpus=peak,
        base_gpus=level_held(level, BASE_SHARE),
        utilisation_share=mean / peak if peak > 0 else 0.0,
        variation_share=float(level.std()) / mean if mean > 0 else 0.0,
        duration=tuple((share, level_held(level, share)) for share in DURATION_SHARES),
    )
