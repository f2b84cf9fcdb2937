"""Demand curves: how many accelerators are needed in each hour, from a table or a named profile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.delimited import rows_of
from planner.demand.profiles import hourly_rates
from planner.demand.workload import Profile
from planner.errors import InputError

AMOUNT_COLUMNS = ("gpus", "units", "demand", "gpu_count", "accelerators")
MOST_HOURS = 1_000_000
MOST_FAULTS = 10


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
