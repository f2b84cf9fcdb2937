"""Profiles: how demand moves over the 168 hours of a week, as relative rates with mean 1."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from planner.arrays import FloatArray
from planner.demand.traffic_kinds import extremes_of_week
from planner.demand.workload import Profile

_HOURS = 168
BUSIEST_HOUR = 14
"""Of a day in a public week; which hour it is changes no cost."""


def hourly_rates(profile: Profile) -> FloatArray:
    """Return the relative rate of each hour of a week that begins on Monday at midnight.

    Returns
    -------
    FloatArray, shape (168,)
        Mean 1. ``steady`` is 1 throughout; ``office_hours`` is busy on weekdays from 8 to 18 with shoulders, and a tenth of
        that at night; ``batch_nights`` is busy from 22 to 6; ``bursty`` has one hour in twelve at four times the rest; ``public_chat``,
        ``public_code``, ``public_api`` and ``public_reasoning`` have the busiest and the quietest hour of a public trace.

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
        case _:
            rates = _public_week(profile)
    return np.asarray(rates / rates.mean(), dtype=float)


WEEKEND_PEAK_OVER_MEAN = {Profile.PUBLIC_CODE: 0.7}
"""Busiest hour of a weekend over the mean of the week, where the trace tells it (planner/facts/traffic_profiles.csv)."""


def _public_week(profile: Profile) -> FloatArray:
    """Return a week between the busiest and the quietest hour of a trace: a wave over each day, as narrow as makes its mean 1."""
    peak, trough = extremes_of_week(profile)
    hours = np.arange(_HOURS)
    wave = (1.0 + np.cos(2.0 * np.pi * (hours % 24 - BUSIEST_HOUR) / 24.0)) / 2.0
    height = np.where(hours // 24 < 5, peak, WEEKEND_PEAK_OVER_MEAN.get(profile, peak)) - trough
    low, high = 0.0, 20.0
    for _ in range(60):
        power = (low + high) / 2.0
        low, high = (power, high) if float((trough + height * wave**power).mean()) > 1.0 else (low, power)
    return np.asarray(trough + height * wave**high, dtype=float)


@lru_cache
def peak_over_mean_ratio(profile: Profile) -> float:
    """Return the busiest hour over the mean hour."""
    return float(hourly_rates(profile).max())


def _shape(profile: Profile) -> FloatArray:
    """Return the hours of a week; of a steady one, the hour of each day on which a stated peak falls."""
    rates = hourly_rates(profile)
    return rates if rates.max() > 1.0 else np.asarray(np.arange(_HOURS) % 24 == 12, dtype=float)


def _stretched(shape: FloatArray, peak_over_mean: FloatArray) -> FloatArray:
    """Return the rates of hours so that the busiest is `peak_over_mean` times the mean; as they are where that is 1."""
    highest = shape.max()
    if highest > 1.0:
        stretched = np.maximum(1.0 + (shape - 1.0) * (peak_over_mean - 1.0) / (highest - 1.0), 0.0)
        return np.asarray(np.where(peak_over_mean > 1.0, stretched, shape))
    rest = ((24.0 - peak_over_mean) / 23.0).clip(min=0.0)
    return np.asarray(np.where(peak_over_mean > 1.0, np.where(shape > 0, peak_over_mean, rest), 1.0))


def week_of_rates(profile: Profile, peak_over_mean: FloatArray) -> FloatArray:
    """Return the rate of each hour of the week over its mean, shape (sizes, 168).

    Parameters
    ----------
    peak_over_mean : FloatArray, shape (sizes,)
        Stated peak over stated mean.

    Examples
    --------
    >>> week_of_rates(Profile.STEADY, np.array([1.0, 2.0]))[:, [0, 12]].round(3).tolist()
    [[1.0, 1.0], [0.957, 2.0]]
    """
    return _stretched(_shape(profile)[None, :], np.asarray(peak_over_mean, dtype=float)[:, None])


def elastic_shares(
    profile: Profile, peak_over_mean: FloatArray, machine_count: FloatArray, least_count: FloatArray | float = 1.0
) -> FloatArray:
    """Return the machine hours of fleets that follow demand hour by hour, over those of fleets that are always whole.

    At least one machine stays up, so that a share lies between ``1 / machine_count`` and 1; more where `least_count` says so.

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
    shape = _shape(profile)
    counts = Counter(shape.tolist())  # `np.unique` would load NumPy's masked arrays, a slow start for a plan
    levels, hours = np.array(list(counts)), np.array(list(counts.values()))
    by_size = _stretched(levels[:, None], peak_over_mean)
    relative = by_size / by_size.max(axis=0)
    needed = np.zeros_like(machine_count)
    for level, frequency in enumerate(hours):
        needed += frequency * np.maximum(np.ceil(relative[level] * machine_count - 1e-9), least_count)
    mean = needed / _HOURS
    return np.divide(mean, machine_count, out=np.ones_like(machine_count), where=machine_count > 0)
