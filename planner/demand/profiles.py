"""Demand over the 168 hours of a week: relative rates with mean 1, and how many accelerators are needed in each hour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from planner.arrays import FloatArray
from planner.demand.service import extremes_of_week
from planner.demand.workload import Profile
from planner.errors import InputError
from planner.inputs.delimited import rows_of

_HOURS = 168
BUSIEST_HOUR = 14
"""Of a day in a public week; which hour it is changes no cost."""


WEEKEND_PEAK_OVER_MEAN = {Profile.PUBLIC_CODE: 0.7}
"""Busiest hour of a weekend over the mean of the week, where the trace tells it (planner/facts/traffic_profiles.csv)."""
AMOUNT_COLUMNS = ("gpus", "units", "demand", "gpu_count", "accelerators")
MOST_HOURS = 1_000_000
MOST_FAULTS = 10


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


def curve_from_profile(
    profile: Profile, *, hours: int = 8760, mean_gpus: float | None = None, peak_gpus: float | None = None
) -> FloatArray:
    """Return a weekly profile, repeated, at a stated mean or peak.

    Parameters
    ----------
    profile : Profile
        How demand moves over a week that begins on Monday at midnight.
    hours : int
        Length of the curve.
    mean_gpus, peak_gpus : float, optional
        Exactly one of them.

    Returns
    -------
    FloatArray, shape (hours,)

    Raises
    ------
    InputError
        If both or neither are stated, or one is not above 0.

    Examples
    --------
    >>> week = curve_from_profile(Profile.OFFICE_HOURS, hours=168, peak_gpus=10)
    >>> float(week.max()), round(float(week.min()), 6)
    (10.0, 1.0)
    """
    if (mean_gpus is None) == (peak_gpus is None):
        raise InputError("state mean_gpus or peak_gpus of the profile, and not both")
    size = mean_gpus if peak_gpus is None else peak_gpus
    assert size is not None
    if not (size > 0 and math.isfinite(size)):
        raise InputError(f"a profile needs a size above 0, got {size:g}")
    rates = hourly_rates(profile)
    if peak_gpus is not None:
        rates = rates / rates.max()
    return np.asarray(np.resize(rates, hours) * size)


def curve_from_csv(text: str, name: str = "demand") -> FloatArray:
    """Read demand by hour from CSV text.

    Parameters
    ----------
    text : str
        One hour a line, in order. With a header, the column ``gpus`` (or ``units``, ``demand``) counts; a column
        ``scenario`` makes one curve of each of its values. Without a header, the last column counts.
    name : str
        Of the file, for messages.

    Returns
    -------
    FloatArray, shape (hours,) or (scenarios, hours)

    Raises
    ------
    InputError
        All lines (up to ten) that hold no number, a negative or an infinite one; scenarios of different length; an
        empty file.

    Examples
    --------
    >>> curve_from_csv("gpus;4;6.5".replace(";", chr(10))).tolist()
    [4.0, 6.5]
    """
    lines = [(number, row) for number, row in rows_of(text.lstrip("\ufeff").splitlines(), name) if any(row)]
    if not lines:
        raise InputError("the demand file is empty", where=name, hint="one line an hour: hour,gpus")
    header = [cell.strip().lower() for cell in lines[0][1]]
    has_header = not _is_number(header[-1])
    amount, scenario = _columns(header, name) if has_header else (-1, None)
    body = lines[1:] if has_header else lines
    if not body:
        raise InputError("the demand file has a header and no hours", where=name)
    if len(body) > MOST_HOURS:
        raise InputError(f"the demand file has {len(body):,} lines; {MOST_HOURS:,} are the most", where=name)
    faults: list[str] = []
    curves: dict[str, list[float]] = {}
    for number, row in body:
        value = _amount(row, amount)
        if isinstance(value, str):
            faults.append(f"line {number}: {value}")
            continue
        key = row[scenario].strip() if scenario is not None and scenario < len(row) else ""
        curves.setdefault(key, []).append(value)
    if faults:
        more = f"\n  and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        raise InputError("\n  ".join(faults[:MOST_FAULTS]) + more, where=name)
    lengths = {key: len(values) for key, values in curves.items()}
    if len(set(lengths.values())) > 1:
        stated = ", ".join(f"{key[:60]!r}: {hours:,}" for key, hours in list(lengths.items())[:MOST_FAULTS])
        raise InputError(f"scenarios must have equally many hours, got {stated}", where=name)
    units = np.array(list(curves.values()))
    return np.asarray(units[0] if len(units) == 1 else units)


def _columns(header: Sequence[str], name: str) -> tuple[int, int | None]:
    amounts = [i for i, column in enumerate(header) if column in AMOUNT_COLUMNS]
    if not amounts:
        raise InputError(
            f"no column of the demand file says how many accelerators are needed; it has {', '.join(header)[:200]}",
            where=f"{name}:1",
            hint="name it gpus",
        )
    return amounts[0], header.index("scenario") if "scenario" in header else None


def _amount(row: Sequence[str], column: int) -> float | str:
    """Return the number of a row, or what is wrong with it."""
    try:
        value = float(row[column])
    except IndexError:
        return "too few columns"
    except ValueError:
        return f"{row[column][:60]!r} is not a number"
    if not math.isfinite(value) or value < 0:
        return f"demand must be a finite number and not negative, got {value:g}"
    return value


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
