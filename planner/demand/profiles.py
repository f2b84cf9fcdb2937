"""Profiles: how demand moves over the 168 hours of a week, as relative rates with mean 1."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from planner.demand.workload import Profile

__all__ = ["elastic_share", "elastic_shares", "hourly_rates", "peak_over_mean_ratio"]

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


def elastic_shares(profile: Profile, peak_over_mean: FloatArray, machine_count: FloatArray) -> FloatArray:
    """Return the machine hours of fleets that follow demand hour by hour, over those of fleets that are always whole.

    At least one machine stays up, so that a share lies between ``1 / machine_count`` and 1.

    Parameters
    ----------
    profile : Profile
        How demand moves; its shape is stretched so that the busiest hour is `peak_over_mean` times the mean.
    peak_over_mean : FloatArray, shape (sizes,)
        Stated peak over stated mean.
    machine_count : FloatArray, shape (machines, sizes)
        Machines at the busiest hour; where it is 0 the share is 1.

    Examples
    --------
    >>> elastic_shares(Profile.OFFICE_HOURS, np.array([2.4137931034482762]), np.array([[1.0], [10.0]])).round(4).tolist()
    [[1.0], [0.4155]]
    """
    rates = hourly_rates(profile)
    counts = Counter(rates.tolist())  # `np.unique` would load NumPy's masked arrays, a slow start for a plan
    levels, hours = np.array(list(counts)), np.array(list(counts.values()))
    if rates.max() > 1.0:
        stretched = np.maximum(1.0 + (levels[:, None] - 1.0) * (peak_over_mean - 1.0) / (rates.max() - 1.0), 0.0)
        by_size = np.where(peak_over_mean > 1.0, stretched, levels[:, None])
    else:
        # A steady profile with a stated peak: one busy hour a day carries it.
        levels, hours = np.array([0.0, 1.0]), np.array([len(rates) - len(rates) // 24, len(rates) // 24])
        rest = ((24.0 - peak_over_mean) / 23.0).clip(min=0.0)
        by_size = np.where(peak_over_mean > 1.0, np.stack([rest, peak_over_mean]), 1.0)
    relative = by_size / by_size.max(axis=0)
    needed = np.zeros_like(machine_count)
    for level, frequency in enumerate(hours):
        needed += frequency * np.maximum(np.ceil(relative[level] * machine_count - 1e-9), 1.0)
    mean = needed / len(rates)
    return np.divide(mean, machine_count, out=np.ones_like(machine_count), where=machine_count > 0)


@lru_cache(maxsize=4096)
def elastic_share(profile: Profile, peak_over_mean: float, machine_count: int) -> float:
    """Return `elastic_shares` of one fleet."""
    return float(elastic_shares(profile, np.array([peak_over_mean]), np.array([[float(machine_count)]]))[0, 0])
