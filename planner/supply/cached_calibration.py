"""Constants that are remembered: many shapes of work ask for the same constants of the same machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.supply.calibration import Calibration


@dataclass(frozen=True, slots=True)
class RememberedCalibration(Calibration):
    """A calibration that looks each constant up once for the scopes of a machine and the tags of its work."""

    kept: dict[tuple[str, tuple[str, ...], tuple[str, ...]], float] = field(
        default_factory=dict, compare=False, repr=False
    )

    def value_at(self, name: str, machine_scopes: Sequence[str], tags: Sequence[str] = ()) -> float:
        """Return the constant for a machine and the tags of its work."""
        key = (name, tuple(machine_scopes), tuple(tags))
        if key not in self.kept:
            # A plain call of the parent by name: `super()` does not know a class that slots have made anew.
            self.kept[key] = Calibration.value_at(self, name, machine_scopes, tags)
        return self.kept[key]
