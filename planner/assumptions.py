"""Assumptions: stated assumptions, each with unit, range and source, each open to change.

The table lies in ``planner/facts/assumptions.csv``. A formula takes numbers; whoever calls it looks them up here, so
that the report can list which assumptions a verdict rests on and which of them the user has overridden.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from planner.errors import InputError
from planner.fact_rows import fact_rows
from pricing.errors import did_you_mean

CHOICES = " | "
"""Between the words of a unit that lists what may be chosen; the value is the place of a word, from 0 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One assumption.

    Attributes
    ----------
    name : str
        Dotted name whose last part ends with the unit (``site.colocation.pue_ratio``).
    value, low, high : float
        Typical value, and the 10th and 90th percentile (equal to `value` where no range is known).
    least, most : float
        Bounds outside of which the value means nothing; an override beyond them is refused.
    unit : str
        Unit in words.
    source, as_of : str
        Who says so, and when it was said.
    weak : bool
        True where the source is second-hand or our own judgment.
    notes : str
        What the user should know.
    overridden : bool
        True where the user has set the value.
    """

    name: str
    value: float
    low: float
    high: float
    least: float
    most: float
    unit: str
    source: str
    as_of: str
    weak: bool
    notes: str = ""
    overridden: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be; empty for a number."""
        return tuple(self.unit.split(CHOICES)) if CHOICES in self.unit else ()

    def stated(self, value: float, origin: str) -> Assumption:
        """Return the assumption as the user has stated it, without a range."""
        number = float(value)
        return replace(
            self, value=number, low=number, high=number, source=origin, as_of="", weak=False, overridden=True
        )


def value_text(value: float, unit: str) -> str:
    """Return an assumption's value as a person writes it.

    Examples
    --------
    >>> value_text(0.25, "share"), value_text(1.0, "cash | loan | lease")
    ('0.25', 'loan')
    """
    return unit.split(CHOICES)[round(value)] if CHOICES in unit else f"{value:g}"


IMPLIED_RATIOS: Mapping[str, Mapping[str, float]] = {
    "site.colocation.usd_per_kw_month": {
        "site.colocation.rack_usd_per_month": 0.0,
        "site.colocation.rack_usd_per_kw_month": 0.0,
        "site.colocation.wholesale_usd_per_kw_month": 1.0,
    }
}
"""What a stated value says of others that are not stated, over that value: a quotation for a kW holds at any size of deal."""


@dataclass(frozen=True, slots=True)
class Assumptions(Mapping[str, float]):
    """Assumptions by their dotted names; indexing gives the value.

    Examples
    --------
    >>> default_assumptions()["money.hours_per_month"]
    730.0
    >>> default_assumptions().override({"money.hours_per_month": 720}, "--set")["money.hours_per_month"]
    720.0
    """

    rows: Mapping[str, Assumption]

    def __getitem__(self, name: str) -> float:
        """Return the value of `name`; a name that does not exist is a bug of ours, hence KeyError."""
        return self.rows[name].value

    def __iter__(self) -> Iterator[str]:
        """Walk through the names."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Count the assumptions."""
        return len(self.rows)

    def override(self, values: Mapping[str, float], origin: str) -> Assumptions:
        """Return a copy in which the user's `values` stand.

        Parameters
        ----------
        values : mapping of str to float
            Dotted names and new values.
        origin : str
            Where they come from (``--set``, a file's name), shown as their source.

        Raises
        ------
        InputError
            All unknown names and impossible values at once.
        """
        faults = []
        rows = dict(self.rows)
        for name, value in values.items():
            row = rows.get(name)
            if row is None:
                faults.append(f"unknown assumption {name!r}{did_you_mean(name, rows, most=3)}")
            elif row.choices and value not in range(len(row.choices)):
                faults.append(f"{name} must be one of {', '.join(row.choices)}, got {value:g}")
            elif not math.isfinite(value) or not row.least <= value <= row.most:
                faults.append(f"{name} must lie between {row.least:g} and {row.most:g} {row.unit}, got {value:g}")
            else:
                rows[name] = row.stated(value, origin)
                for other, ratio in IMPLIED_RATIOS.get(name, {}).items():
                    if other not in values:
                        rows[other] = rows[other].stated(value * ratio, origin)
        if faults:
            raise InputError(
                "\n  ".join(faults), where=origin, hint="`gpuplan plan WORKLOAD --explain` lists every assumption"
            )
        return Assumptions(rows)


@dataclass(frozen=True, slots=True)
class TracedAssumptions(Assumptions):
    """Assumptions that note which of them were looked up, so that a report lists those that it rests on.

    Attributes
    ----------
    read : set of str
        Names looked up so far.
    """

    read: set[str] = field(default_factory=set, compare=False)

    def __getitem__(self, name: str) -> float:
        """Return the value of `name` and note that it was asked for."""
        self.read.add(name)
        return self.rows[name].value

    def used(self) -> tuple[Assumption, ...]:
        """Return the assumptions that were looked up, by name."""
        return tuple(self.rows[name] for name in sorted(self.read))


@cache
def default_assumptions() -> Assumptions:
    """Return the assumptions that the package ships."""
    rows: dict[str, Assumption] = {}
    for line in fact_rows("assumptions"):
        values: dict[str, Any] = {name: line[name] for name in ("name", "unit", "source", "as_of", "notes")}
        values |= {name: float(line[name] or line["value"]) for name in ("value", "low", "high")}
        values |= {"least": float(line["least"] or "-inf"), "most": float(line["most"] or "inf")}
        row = Assumption(**values, weak=line["weak"] == "yes")
        if row.name in rows:
            raise ValueError(f"assumption {row.name} appears twice in assumptions.csv")
        rows[row.name] = row
    return Assumptions(rows)


def stated_value(name: str, value: object, origin: str) -> float:
    """Return the number that a user states for an assumption: a number, one such as ``10k``, or one of its words.

    Examples
    --------
    >>> stated_value("money.hours_per_month", "0.72k", "--set")
    720.0
    """
    from planner.inputs.amount import quantity

    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"{name} must be a number, got {value!r}", where=origin)
    row = default_assumptions().rows.get(name)
    if row is None:
        return 0.0  # `Assumptions.override` refuses the name, with those that are near it
    choices = row.choices
    if value in choices:
        return float(choices.index(str(value)))
    written = quantity(value) if isinstance(value, str) else None
    try:
        return float(value) if written is None else written
    except ValueError:
        wanted = f"one of {', '.join(choices)}" if choices else "a number"
        raise InputError(f"{name} must be {wanted}, got {value!r}", where=origin) from None


def stated_values(settings: Iterable[str], origin: str, *, hint: str) -> dict[str, float]:
    """Return the values of assumptions that are stated as NAME=VALUE; `Assumptions.override` finds unknown names.

    Parameters
    ----------
    settings : iterable of str
        As typed.
    origin, hint : str
        Where they were typed, and an example of one, for errors.

    Examples
    --------
    >>> stated_values(["site.colocation.pue_ratio = 1.2"], "--set", hint="--set site.colocation.pue_ratio=1.2")
    {'site.colocation.pue_ratio': 1.2}
    """
    values = {}
    for setting in settings:
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals:
            raise InputError(f"NAME=VALUE was expected, got {setting[:80]!r}", where=origin, hint=hint)
        values[name] = stated_value(name, value, origin)
    return values
