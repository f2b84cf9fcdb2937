"""Goodput: the share of clock hours in which a training job moves forward, apart from its steady speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.assumptions import Assumptions


def goodput_share(accelerators: ArrayLike, assumptions: Assumptions) -> FloatArray:
    """Return productive over clock time: evaluation and checkpoints, and failures that grow with the accelerators.

    ``G = g - n x (failures per accelerator and day) x (hours lost each) / 24``, at least a tenth. Source of the failure rate:
    the Llama 3 report (arXiv:2407.21783), one interruption per about 2,000 accelerator days.

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> round(float(goodput_share(16384, default_assumptions())), 2)
    0.78
    """
    lost = (
        np.asarray(accelerators, dtype=float)
        * assumptions["perf.failures_per_accelerator_day"]
        * assumptions["perf.restart_hours"]
        / 24.0
    )
    return np.asarray(np.maximum(assumptions["perf.training_goodput_share"] - lost, 0.1), dtype=float)
