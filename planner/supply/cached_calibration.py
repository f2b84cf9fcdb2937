"""Constants that are remembered: many shapes of work ask for the same constants of the same machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planner.supply.calibration import Calibration
from planner.supply.machines import Machine

MOST_LISTS = 64
"""Lists of machines whose columns are kept; beyond that all are forgotten."""


@dataclass(frozen=True, slots=True)
class RememberedCalibration(Calibration):
    """A calibration that keeps the columns of the lists of machines that it was asked for.

    Pass the same list again (not an equal one) to be answered from memory.
    """

    kept: dict[int, tuple[Sequence[Machine], dict[tuple[str, tuple[str, ...]], NDArray[np.float64]]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def column(self, name: str, machines: Sequence[Machine], tags: Sequence[str] = ()) -> NDArray[np.float64]:
        """Return the constant for each machine; the caller must not write into it."""
        found = self.kept.get(id(machines))
        if found is None or found[0] is not machines:
            if len(self.kept) >= MOST_LISTS:
                self.kept.clear()
            found = self.kept[id(machines)] = (machines, {})
        columns, key = found[1], (name, tuple(tags))
        if key not in columns:
            # A plain call of the parent by name: `super()` does not know a class that slots have made anew.
            columns[key] = Calibration.column(self, name, machines, tags)
        return columns[key]
