"""Evidence: how wide the band around a figure is, and what stands behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from planner.arrays import FloatArray
from planner.notes import Note, NoteCode
from planner.supply.calibration import Calibration, scopes
from planner.supply.machines import NORMAL_80_PERCENT, Machine, Range


def band(typical: float, spread_log: float) -> Range:
    """Return the figure with its 80 % band, log-normal: ``typical x exp(-+ 1.28 sigma)``.

    Examples
    --------
    >>> found = band(100.0, 0.2)
    >>> round(found.low, 1), round(found.high, 1)
    (77.4, 129.2)
    """
    factor = math.exp(NORMAL_80_PERCENT * spread_log)
    return Range(low=typical / factor, typical=typical, high=typical * factor)


def slow_ratio(percentile: float, spread_log: float) -> float:
    """Return the time at a percentile of the speed band over the typical time.

    Examples
    --------
    >>> round(slow_ratio(80, 0.2), 3), slow_ratio(50, 0.2)
    (1.183, 1.0)
    """
    return math.exp(NormalDist().inv_cdf(percentile / 100.0) * spread_log)


def spread(calibration: Calibration, sort: str, constant: str, machine: Machine) -> float:
    """Return the standard deviation of the logarithm of measured over predicted, wider where evidence lies further away.

    Parameters
    ----------
    sort : str
        Which class of work (``serve.dense``, ``train.fp8`` ...), a constant named ``band.<sort>``.
    constant : str
        The constant whose distance from the machine tells how near the evidence is.
    """
    base = calibration.value(f"band.{sort}")
    distance = calibration.distance(constant, machine)
    elsewhere = calibration.value("band.elsewhere")
    # Without any measured row the start value itself is uncertain, however near its scope.
    unmeasured = calibration.constant(constant, scopes(machine)).row_count == 0
    return math.hypot(base, elsewhere * max(0, distance - 1), elsewhere if unmeasured else 0.0)


def basis_and_evidence(calibration: Calibration, constant: str, machine: Machine) -> tuple[str, Note]:
    """Return the Performance's basis, and a note on the measured rows behind it.

    ``measured_nearby`` where the user measured the accelerator himself, else ``calibrated`` or ``extrapolated``.
    """
    order = scopes(machine)
    own = calibration.own_rows(f"{constant.split('.', maxsplit=1)[0]}.pace_ratio", machine)
    if own is not None:
        return "measured_nearby", Note(NoteCode.OWN_ROWS, (own.row_count, own.scope, own.source))
    row = calibration.constant(constant, order)
    distance = calibration.distance(constant, machine)
    name = machine.accelerator.name if machine.accelerator else machine.processor or "CPU"
    if row.row_count == 0:
        return "extrapolated", Note(NoteCode.NOT_MEASURED, (name, row.scope))
    figures = (name, row.row_count, row.scope, row.blocks)
    if distance == 0:
        return "calibrated", Note(NoteCode.MEASURED_ROWS, figures)
    if distance == 1:
        return "calibrated", Note(NoteCode.MEASURED_ON_GENERATION, figures)
    return "extrapolated", Note(NoteCode.MEASURED_ELSEWHERE, figures)


def bases_of(
    calibration: Calibration, constant: str, machines: Sequence[Machine], count: FloatArray
) -> tuple[str, ...]:
    """Return the Performance's basis by machine; empty where no size (axis 1 of the count) is done on it."""
    is_used = np.any(count > 0, axis=1).tolist()
    return tuple(
        basis_and_evidence(calibration, constant, machine)[0] if used else ""
        for machine, used in zip(machines, is_used, strict=True)
    )
