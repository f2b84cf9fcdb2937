"""From many accelerators to one: which one is meant, and its use as a workload."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.usage.answer import Usage
from planner.usage.curve import level_held
from pricing.accelerators import resolve_all
from pricing.errors import PricingError
from pricing.units import HOURS_PER_MONTH

SIZE_SHARE = 0.01
"""A workload is as large as the level that is exceeded in one hour of a hundred; a single spike makes no fleet."""


def chosen_gpu(usage: Usage, wanted: str) -> str:
    """Return the accelerator that is meant.

    Parameters
    ----------
    usage : Usage
        What was used.
    wanted : str
        As people write it; empty where there is one alone.

    Raises
    ------
    InputError
        There are several and none was named, or it was not used.
    """
    names = [name for name, level in usage.levels.items() if level.any()]
    there = ", ".join(name or "(not told)" for name in names)
    if not wanted:
        if len(names) == 1:
            return names[0]
        raise InputError(
            f"{len(names)} kinds of accelerators were used, and a curve is of one",
            where="--gpu",
            hint=f"there are {there}",
        )
    if wanted in names:
        return wanted
    try:
        meant = {row.name for row in resolve_all(wanted)}
    except PricingError:
        meant = set()
    matches = [name for name in names if name in meant or name.lower() == wanted.lower()]
    if len(matches) != 1:
        raise InputError(f"{wanted} was not used, or means several", where="--gpu", hint=f"there are {there}")
    return matches[0]


def workload_text(gpu: str, level: NDArray[np.float64], basis: str) -> str:
    """Return a curve as a workload of kind ``gpu_hours``: a fleet, and the hours a month in which it works.

    Examples
    --------
    >>> print(workload_text("H100-SXM", np.array([8.0, 0.0]), "allocated").splitlines()[-1].strip())
    gpu_hours: {gpu: H100-SXM, count: 8, hours_per_month: 365}
    """
    count = max(1, math.ceil(level_held(level, SIZE_SHARE)))
    hours = min(float(level.mean()) * HOURS_PER_MONTH / count, HOURS_PER_MONTH)
    return (
        f"# From {len(level):,} hours of {basis} use: {level.mean():.1f} GPUs on average, {level.max():.1f} at the peak.\n"
        f"# count is exceeded in one hour of a hundred.\n"
        "kind: gpu_hours\n"
        f"gpu_hours: {{gpu: {gpu or 'H100-SXM'}, count: {count}, hours_per_month: {hours:.6g}}}\n"
    )
