"""Calibration: the few numbers that are fitted rather than derived, the rows they came from, and the band that follows.

The table lies in ``planner/facts/calibration.csv`` and is written by ``scripts/calibrate.py``. A constant is looked up by the
accelerator's name, then by its generation, then by its maker, then for all: the further away, the weaker the evidence. Portfolios ask for the same constants
of the same machines many times, so they are cached.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist

import numpy as np

from planner.arrays import FloatArray
from planner.fact_rows import fact_rows
from planner.notes import Note, NoteCode
from planner.supply.hardware import cpu_numbers
from planner.supply.machines import NORMAL_80_PERCENT, Machine, Range
from pricing.facts.accelerators import card_of

OWN_ROWS = "your own rows"
"""The value of `Constant.blocks` for constants from the user's own measurements."""
STACK_TAGS = frozenset({"@default", "@default-moe", "@submission"})
"""Tags of how text is served; a machine that the user measured has the pace of his own stack, whatever these say."""
_WORK = {"train": "training", "image": "image generation"}
"""What a user's own rows speak of, by the first part of the constant's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One fitted number.

    Attributes
    ----------
    name, scope : str
        What it is, and for which accelerator, generation or maker it holds (``*`` for all).
    value : float
        The number.
    unit : str
        Its unit in words.
    row_count : int
        Measured rows behind it; 0 for a starting value from the literature.
    blocks, stack, fitted_on, source : str
        Which tables they stand in, the software, the day of the fit, and who says so.
    """

    name: str
    scope: str
    value: float
    unit: str
    row_count: int
    blocks: str
    stack: str
    fitted_on: str
    source: str


def scopes(machine: Machine) -> tuple[str, ...]:
    """Return the scopes in which a machine's constants are looked up, nearest first."""
    chip = machine.accelerator
    if chip is None:
        return (f"cpu-{cpu_numbers(machine).instructions}", "cpu", "*")
    if chip.architecture.startswith("cpu"):
        return (chip.name, chip.architecture, "cpu", "*")
    return (card_of(chip.name), chip.architecture, chip.vendor, "*")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants by name and scope."""

    rows: Mapping[tuple[str, str], Constant]

    def constant(self, name: str, machine_scopes: Sequence[str]) -> Constant:
        """Return the nearest constant; a name without any row is a bug of ours, hence KeyError."""
        for scope in (*machine_scopes, "*"):
            row = self.rows.get((name, scope))
            if row is not None:
                return row
        raise KeyError(name)

    def ratio(self, name: str, tags: Sequence[str]) -> float:
        """Return by how much the tags of the work (``@moe``, ``@fp8``, an engine's ``@vllm``) change a constant; 1 without rows."""
        ratios = [self.rows[name, tag].value for tag in tags if (name, tag) in self.rows]
        return math.prod(ratios)

    def value_at(self, name: str, machine_scopes: Sequence[str], tags: Sequence[str] = ()) -> float:
        """Return the constant for a machine and the tags of its work; a tag may hold for one generation (``@fp8|Hopper``)."""
        if not STACK_TAGS.isdisjoint(tags) and self._is_own("serve.pace_ratio", machine_scopes):
            tags = [tag for tag in tags if tag not in STACK_TAGS]
        narrowed = [f"{tag}|{machine_scopes[1]}" for tag in tags if "|" not in tag] if len(machine_scopes) > 1 else []
        return self.constant(name, machine_scopes).value * self.ratio(name, [*tags, *narrowed])

    def column(self, name: str, machines: Sequence[Machine], tags: Sequence[str] = ()) -> FloatArray:
        """Return the constant for each machine."""
        return self.columns([name], machines, tags)[name]

    def columns(
        self, names: Sequence[str], machines: Sequence[Machine], tags: Sequence[str] = ()
    ) -> dict[str, FloatArray]:
        """Return several constants for each machine; machines share few scopes, so each is looked up once."""
        keys = [scopes(machine) for machine in machines]
        order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        index = np.asarray([order[key] for key in keys], dtype=np.intp)
        return {
            name: np.asarray([self.value_at(name, key, tags) for key in order], dtype=float)[index] for name in names
        }

    def value(self, name: str) -> float:
        """Return a constant that holds for all."""
        return self.rows[name, "*"].value

    def distance(self, name: str, machine: Machine) -> int:
        """Return how far the nearest constant lies: 0 same accelerator, 1 its generation, 2 its maker, 3 none of them."""
        order = scopes(machine)
        scope = self.constant(name, order).scope
        return order.index(scope) if scope in order else len(order)

    def own_rows(self, name: str, machine: Machine) -> Constant | None:
        """Return the constant that the user's own rows gave for the machine's accelerator, if they did."""
        order = scopes(machine)
        return self.rows[name, order[0]] if self._is_own(name, order) else None

    def _is_own(self, name: str, machine_scopes: Sequence[str]) -> bool:
        """Return whether the user's own rows gave the constant of the machine itself."""
        row = self.rows.get((name, machine_scopes[0])) if machine_scopes else None
        return row is not None and row.blocks == OWN_ROWS

    def notes(self) -> tuple[Note, ...]:
        """Return what the user's own rows changed; nothing for the shipped constants."""
        shipped = default_calibration()
        notes = []
        for (name, scope), row in sorted(self.rows.items()):
            if row.blocks == OWN_ROWS:
                change = shipped.constant(name, (scope,)).value / row.value - 1.0
                work = _WORK.get(name.split(".", maxsplit=1)[0], "serving")
                notes.append(Note(NoteCode.CALIBRATED_ON_OWN_ROWS, (work, scope, row.row_count, row.source, change)))
        return tuple(notes)

    def without(self, some: Collection[str]) -> Calibration:
        """Return a copy without what stands for these tags, by themselves or in one generation."""
        return Calibration({key: row for key, row in self.rows.items() if key[1].split("|")[0] not in some})

    def with_rows(self, rows: Mapping[tuple[str, str], Constant]) -> Calibration:
        """Return a copy in which `rows` stand as well, in place of those of the same name and scope."""
        return Calibration({**self.rows, **rows})

    def replaced(self, values: Mapping[tuple[str, str], float]) -> Calibration:
        """Return a copy in which some constants have other values (a fit's trial, a user's own measurement)."""
        rows = dict(self.rows)
        for (name, scope), value in values.items():
            base = rows.get((name, scope)) or self.constant(name, (scope,))
            rows[name, scope] = Constant(
                name=name, scope=scope, value=value, unit=base.unit, row_count=base.row_count, blocks=base.blocks,
                stack=base.stack, fitted_on=base.fitted_on, source=base.source,
            )  # fmt: skip
        return Calibration(rows)


@cache
def default_calibration() -> Calibration:
    """Return the constants that the package ships."""
    rows: dict[tuple[str, str], Constant] = {}
    for line in fact_rows("calibration"):
        row = Constant(
            name=line["name"],
            scope=line["scope"],
            value=float(line["value"]),
            unit=line["unit"],
            row_count=int(line["row_count"] or 0),
            blocks=line["blocks"],
            stack=line["stack"],
            fitted_on=line["fitted_on"],
            source=line["source"],
        )
        if (row.name, row.scope) in rows:
            raise ValueError(f"constant {row.name} for {row.scope} appears twice in calibration.csv")
        rows[row.name, row.scope] = row
    return Calibration(rows)


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

    ``measured_nearby`` where the user has measured the accelerator, else ``calibrated`` or ``extrapolated``.
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
