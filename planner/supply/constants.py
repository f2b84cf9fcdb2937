"""Constants: the calibration's columns in the shapes that the formulas take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray, IntArray
from planner.supply.calibration import Calibration, scopes
from planner.supply.communication import Links
from planner.supply.machines import Machine

Columns = TypeVar("Columns")
"""A dataclass whose fields are arrays, one entry a machine."""


def take(columns: Columns, index: NDArray[np.intp] | IntArray) -> Columns:
    """Return the entries at `index` of every column."""
    names = [field.name for field in fields(columns)]  # type: ignore[arg-type]  # only dataclasses are passed
    return type(columns)(**{name: np.asarray(getattr(columns, name))[index] for name in names})


def links(calibration: Calibration, machines: Sequence[Machine], *, serving: bool = False) -> Links:
    """Return the achieved shares and latencies of the machines' links; engines' collectives differ from training's."""
    prefix = "serve_link" if serving else "link"
    return Links(**columns_of(calibration, prefix, tuple(Links.__dataclass_fields__), machines))


def columns_of(
    calibration: Calibration,
    prefix: str,
    names: Sequence[str],
    machines: Sequence[Machine],
    tags: Sequence[str] = (),
) -> dict[str, FloatArray]:
    """Return the constants ``prefix.name`` of the machines for work with these tags, by name."""
    columns = calibration.columns([f"{prefix}.{name}" for name in names], machines, tags)
    return {name: columns[f"{prefix}.{name}"] for name in names}


def constants_by_tags(
    kind: type[Columns],
    calibration: Calibration,
    prefix: str,
    machines: Sequence[Machine],
    tags: Sequence[Sequence[str]],
) -> Columns:
    """Return the constants ``prefix.name`` of a dataclass, each machine's for work with tags of its own; equal ones are looked up once."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # only dataclasses are passed
    places = [(scopes(machine), tuple(how)) for machine, how in zip(machines, tags, strict=True)]
    values = {
        (where, how): [calibration.value_at(f"{prefix}.{name}", where, how) for name in names]
        for where, how in dict.fromkeys(places)
    }
    table = np.asarray([values[place] for place in places], dtype=float).reshape(-1, len(names))
    return kind(**dict(zip(names, table.T, strict=True)))
