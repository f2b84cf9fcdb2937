"""Spot machines: what interruptions cost in time, and thereby in money.

References
----------
J. W. Young, A first order approximation to the optimum checkpoint interval, CACM 17 (1974) 530.
J. T. Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS 22 (2006) 303, eq. 20, 37.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.errors import PlanningError

NOTHING_DONE_RATIO = 1e6


def daly_interval_hours(checkpoint_hours: ArrayLike, hours_between: ArrayLike) -> FloatArray:
    """Return the time of work between checkpoints that loses least, to higher order; the checkpoint comes on top.

    Where writing a checkpoint takes longer than twice the time between interruptions, the interval is that time.

    Examples
    --------
    >>> float(daly_interval_hours(0.05, 6.0).round(6))
    0.741622
    """
    delta, mean = _positive(checkpoint_hours, hours_between)
    x = delta / (2.0 * mean)
    interval = np.sqrt(2.0 * delta * mean) * (1.0 + np.sqrt(x) / 3.0 + x / 9.0) - delta
    return np.asarray(np.where(delta < 2.0 * mean, interval, mean))


def slowdown_ratio(
    checkpoint_hours: ArrayLike,
    hours_between: ArrayLike,
    restart_hours: ArrayLike,
    interval_hours: ArrayLike | None = None,
) -> FloatArray:
    """Return wall time over useful time of a job that is interrupted at random and goes on from its last checkpoint.

    Parameters
    ----------
    checkpoint_hours, hours_between, restart_hours : array_like
        Time to write a checkpoint, mean time between interruptions of the job, and time from an interruption until
        work goes on (a machine found again, the checkpoint loaded).
    interval_hours : array_like, optional
        Time of work between checkpoints; Daly's without it.

    Returns
    -------
    FloatArray
        ``M * exp(R / M) * (exp((tau + delta) / M) - 1) / tau``, infinite where no work gets done.

    Examples
    --------
    >>> float(slowdown_ratio(0.05, 6.0, 0.25).round(6))
    1.189585
    """
    delta, mean = _positive(checkpoint_hours, hours_between)
    restart = np.asarray(restart_hours, dtype=float)
    tau = daly_interval_hours(delta, mean) if interval_hours is None else np.asarray(interval_hours, dtype=float)
    with np.errstate(over="ignore"):
        ratio = mean * np.exp(restart / mean) * np.expm1((tau + delta) / mean) / tau
    return np.asarray(ratio)


def cluster_hours_between_interruptions(hours_between_of_one: ArrayLike, machines: ArrayLike) -> FloatArray:
    """Return the mean time between interruptions of a job that stops when any of its machines does.

    Examples
    --------
    >>> float(cluster_hours_between_interruptions(24.0, 8))
    3.0
    """
    mean, count = _positive(hours_between_of_one, machines)
    return np.asarray(mean / count)


def spot_overhead_ratio(
    *, checkpoint_hours: float, hours_between_of_one: float, restart_hours: float, instance_count: ArrayLike
) -> FloatArray:
    """Return by how much interruptions stretch the hours of jobs on one or more spot machines each.

    At most `NOTHING_DONE_RATIO`: so many machines are taken back before any work gets done, and money still counts.

    Examples
    --------
    >>> spot_overhead_ratio(checkpoint_hours=0.05, hours_between_of_one=24, restart_hours=0.25,
    ...                     instance_count=[1, 8]).round(3).tolist()
    [1.079, 1.312]
    """
    mean = cluster_hours_between_interruptions(hours_between_of_one, instance_count)
    return np.minimum(slowdown_ratio(checkpoint_hours, mean, restart_hours), NOTHING_DONE_RATIO)


def _positive(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not (np.all(a > 0) and np.all(b > 0)):
        raise PlanningError(f"times and counts must be above 0, got {first!r} and {second!r}")
    return a, b
