"""Constants: the calibration's columns in the shapes that the formulas take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.supply.calibration import Calibration
from planner.supply.communication import Links
from planner.supply.machines import Machine
from planner.supply.serving import ServingConstants
from planner.supply.training import TrainingConstants
from planner.supply.training_hardware import matmul_ceiling_share

__all__ = ["links", "serving_constants", "take", "training_constants"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Columns = TypeVar("Columns", Links, ServingConstants, TrainingConstants)


def take(columns: Columns, index: NDArray[np.intp] | IntArray) -> Columns:
    """Return the entries at `index` of every column."""
    names = columns.__dataclass_fields__
    return type(columns)(**{name: np.asarray(getattr(columns, name))[index] for name in names})


def links(calibration: Calibration, machines: Sequence[Machine], *, serving: bool = False) -> Links:
    """Return the achieved shares and latencies of the machines' links; engines' collectives differ from training's."""
    prefix = "serve_link" if serving else "link"
    return Links(**_columns(calibration, prefix, tuple(Links.__dataclass_fields__), machines))


def serving_constants(
    calibration: Calibration, machines: Sequence[Machine], tags: Sequence[str] = ()
) -> ServingConstants:
    """Return the serving constants of the machines for work with these tags."""
    return ServingConstants(
        **_columns(calibration, "serve", tuple(ServingConstants.__dataclass_fields__), machines, tags)
    )


def training_constants(
    calibration: Calibration, machines: Sequence[Machine], tags: Sequence[str] = ()
) -> TrainingConstants:
    """Return the training constants of the machines for work with these tags; `matmul_share` is of the data sheet's peak."""
    columns = _columns(calibration, "train", tuple(TrainingConstants.__dataclass_fields__), machines, tags)
    ceilings = np.asarray([matmul_ceiling_share(machine) for machine in machines], dtype=float)
    return TrainingConstants(**{**columns, "matmul_share": columns["matmul_share"] * ceilings})


def _columns(
    calibration: Calibration,
    prefix: str,
    names: Sequence[str],
    machines: Sequence[Machine],
    tags: Sequence[str] = (),
) -> dict[str, FloatArray]:
    found = calibration.columns([f"{prefix}.{name}" for name in names], machines, tags)
    return {name: found[f"{prefix}.{name}"] for name in names}
