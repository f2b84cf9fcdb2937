"""Profiles: how demand moves over the 168 hours of a week, as relative rates with mean 1."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from planner.demand.workload import Profile

__all__ = ["elastic_share", "hourly_rates", "peak_over_mean_ratio"]

FloatArray = NDArray[np.float64]
_HOURS = 168


def hourly_rates(profile: Profile) -> FloatArray:
    """Return the relative rate of each hour of a week that begins on Monday at midnight.

    Returns
    -------
    FloatArray, shape (168,)
        Mean 1. ``steady`` is 1 throughout; ``office_hours`` is busy on weekdays from 8 to 18 with shoulders, and a tenth of
        that at night; ``batch_nights`` is busy from 22 to 6; ``bursty`` has one hour in twelve at four times the rest.

    Examples
    --------
    >>> rates = hourly_rates(Profile.OFFICE_HOURS)
    >>> round(float(rates.mean()), 9), round(float(rates.max()), 2)
    (1.0, 2.41)
    """
    hour = np.arange(_HOURS) % 24
    weekday = np.arange(_HOURS) // 24 < 5
    match profile:
        case Profile.STEADY:
            rates = np.ones(_HOURS)
        case Profile.OFFICE_HOURS:
            shoulder = ((hour >= 7) & (hour < 8)) | ((hour >= 18) & (hour < 21))
            rates = np.select([weekday & (hour >= 8) & (hour < 18), weekday & shoulder], [1.0, 0.5], 0.1)
        case Profile.BATCH_NIGHTS:
            rates = np.where((hour >= 22) | (hour < 6), 1.0, 0.05)
        case Profile.BURSTY:
            rates = np.where(np.arange(_HOURS) % 12 == 0, 4.0, 1.0)
    return np.asarray(rates / rates.mean(), dtype=float)


@lru_cache
def peak_over_mean_ratio(profile: Profile) -> float:
    """Return the busiest hour over the mean hour."""
    return float(hourly_rates(profile).max())


@lru_cache(maxsize=4096)
def elastic_share(profile: Profile, peak_over_mean: float, machine_count: int) -> float:
    """Return the machine hours of a fleet that follows demand hour by hour, over those of one that is always whole.

    Parameters
    ----------
    profile : Profile
        How demand moves; its shape is stretched so that the busiest hour is `peak_over_mean` times the mean.
    peak_over_mean : float
        Stated peak over stated mean, at least 1.
    machine_count : int
        Machines at the busiest hour; at least one stays up.

    Returns
    -------
    float
        Between ``1 / machine_count`` and 1.
    """
    rates = hourly_rates(profile)
    if rates.max() > 1.0 and peak_over_mean > 1.0:
        rates = np.maximum(1.0 + (rates - 1.0) * (peak_over_mean - 1.0) / (rates.max() - 1.0), 0.0)
    elif peak_over_mean > 1.0:
        # A steady profile with a stated peak: one busy hour a day carries it.
        rates = np.where(np.arange(_HOURS) % 24 == 12, peak_over_mean, (24.0 - peak_over_mean) / 23.0).clip(min=0.0)
    needed = np.maximum(np.ceil(rates / rates.max() * machine_count - 1e-9), 1.0)
    return float(needed.mean() / machine_count)
