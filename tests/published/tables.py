"""Published figures, computed again: tables of studies and of textbook cases, judged row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from planner.errors import InputError, PlanningError
from planner.mix.capacity import DemandCurve, Tier, TierKind
from planner.mix.cheapest import cheapest_mix
from planner.uncertainty.draws import Draws, Uncertain
from planner.uncertainty.tornado import sobol
from tests.published.capital_cases import CAPITAL_TOPICS, Answer, Case
from tests.published.studies import study_value

__all__ = ["Judgement", "check_table", "checks_of", "table_kind"]

STUDY_COLUMNS = {"ref_id", "formula_id", "inputs_json", "reported_output_name", "reported_value", "abs_tol", "rel_tol"}
CASE_COLUMNS = {"case_id", "topic", "quantity", "inputs_json", "expected", "abs_tol", "rel_tol"}
RECOMPUTED_TOLERANCE = 1e-6
"""For rows whose source contradicts itself, which are held against the recomputed value (printed to 8 digits)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One row of a table, computed again.

    Attributes
    ----------
    id : str
        The row.
    formula : str
        What was computed.
    verdict : {'right', 'wrong', 'refused'}
        Within tolerance, outside of it, or not computed.
    expected, computed : object
        Both values; None is "there is none".
    error_share : float or None
        Largest relative error; None where there is nothing to divide by.
    note : str
        Why it was refused, or that the source contradicts itself.
    """

    id: str
    formula: str
    verdict: Literal["right", "wrong", "refused"]
    expected: Any
    computed: Any
    error_share: float | None
    note: str = ""


def table_kind(path: Path) -> Literal["studies", "cases", "measured"] | None:
    """Tell by its header what a table holds; None for a table of another shape."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = set(next(csv.reader(file), []))
    if header >= STUDY_COLUMNS:
        return "studies"
    if header >= CASE_COLUMNS:
        return "cases"
    return "measured" if path.name.startswith("measured_") else None


def check_table(path: Path) -> tuple[Judgement, ...]:
    """Compute every row of a table of studies or of cases again; see `checks_of`."""
    return tuple(check() for _, check in checks_of(path))


def checks_of(path: Path) -> list[tuple[str, Callable[[], Judgement]]]:
    """Return, for every row of a table of studies or of cases, its id and what computes it again.

    Parameters
    ----------
    path : Path
        CSV file of one of the two shapes.

    Raises
    ------
    InputError
        If the table has neither shape.
    """
    kind = table_kind(path)
    if kind not in {"studies", "cases"}:
        raise InputError(
            f"{path.name} is no table of studies or cases",
            where=str(path),
            hint=f"it needs the columns {', '.join(sorted(STUDY_COLUMNS))}, or {', '.join(sorted(CASE_COLUMNS))}",
        )
    judge, key = (_study, "ref_id") if kind == "studies" else (_case, "case_id")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row[key], partial(judge, row)) for row in csv.DictReader(file)]


def _study(row: Mapping[str, str]) -> Judgement:
    contradicts = row.get("status", "") == "inconsistent_in_source"
    expected: Answer = float(row["recomputed_value"] if contradicts else row["reported_value"])

    def compute() -> Answer:
        return study_value(
            row["formula_id"], json.loads(row["inputs_json"]), row["reported_output_name"], row.get("unit", "")
        )

    note = f"the source contradicts itself; it prints {row['reported_value']}" if contradicts else ""
    tolerance = (0.0, RECOMPUTED_TOLERANCE) if contradicts else _tolerance(row)
    return _judged(row["ref_id"], row["formula_id"], compute, expected, tolerance, note)


def _case(row: Mapping[str, str]) -> Judgement:
    try:
        expected: Answer = json.loads(row["expected"])
    except json.JSONDecodeError:
        expected = row["expected"]  # a name

    def compute() -> Answer:
        case = TOPICS.get(row["topic"])
        if case is None:
            raise PlanningError(f"no formula is known for topic {row['topic']!r}")
        return case(json.loads(row["inputs_json"]), row["quantity"])

    return _judged(row["case_id"], f"{row['topic']} {row['quantity']}", compute, expected, _tolerance(row), "")


def _tolerance(row: Mapping[str, str]) -> tuple[float, float]:
    return float(row["abs_tol"] or 0.0), float(row["rel_tol"] or 0.0)


def _judged(
    row_id: str,
    formula: str,
    compute: Callable[[], Answer],
    expected: Answer,
    tolerance: tuple[float, float],
    note: str,
) -> Judgement:
    try:
        computed = compute()
    except PlanningError as error:
        return Judgement(
            id=row_id,
            formula=formula,
            verdict="refused",
            expected=expected,
            computed=None,
            error_share=None,
            note=error.message,
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        return Judgement(
            id=row_id,
            formula=formula,
            verdict="refused",
            expected=expected,
            computed=None,
            error_share=None,
            note=f"the inputs cannot be read: {error!r}",
        )
    pairs = list(_pairs(computed, expected))
    right = all(_agrees(got, wanted, *tolerance) for got, wanted in pairs)
    errors = [
        abs(got - wanted) / abs(wanted)
        for got, wanted in pairs
        if isinstance(got, int | float) and isinstance(wanted, int | float) and wanted
    ]
    return Judgement(
        id=row_id,
        formula=formula,
        verdict="right" if right else "wrong",
        expected=expected,
        computed=computed,
        error_share=max(errors, default=None),
        note=note,
    )


def _pairs(computed: Any, expected: Any) -> Iterator[tuple[Any, Any]]:
    """Walk through two answers side by side; parts without a partner meet a text that nothing equals."""
    if isinstance(expected, list) and isinstance(computed, Sequence) and not isinstance(computed, str):
        if len(expected) != len(computed):
            yield f"{len(computed)} values", f"{len(expected)} values"
            return
        for got, wanted in zip(computed, expected, strict=True):
            yield from _pairs(got, wanted)
    elif isinstance(expected, dict) and isinstance(computed, dict):
        if set(expected) != set(computed):
            yield sorted(computed), sorted(expected)
            return
        for name, wanted in expected.items():
            yield from _pairs(computed[name], wanted)
    else:
        yield computed, expected


def _agrees(got: object, wanted: object, absolute: float, relative: float) -> bool:
    if isinstance(got, int | float) and isinstance(wanted, int | float):
        return abs(got - wanted) <= max(absolute, relative * abs(wanted))
    return got == wanted


def _mix(x: Mapping[str, Any], quantity: str) -> Answer:
    tiers = [
        Tier(
            name="own",
            kind=TierKind.OWNED,
            fixed_usd_per_machine_hour=x["own_fixed_per_hour"],
            usd_per_unit_hour=x["own_var_per_busy_hour"],
            max_machines=x.get("own_max_units"),
        ),
        Tier(name="reserved", kind=TierKind.COMMITTED, fixed_usd_per_machine_hour=x["reserved_rate"]),
        Tier(name="on demand", kind=TierKind.ON_DEMAND, usd_per_unit_hour=x["on_demand_rate"]),
    ]
    mix = cheapest_mix(DemandCurve(units=np.asarray(x["demand_by_hour"], dtype=float)), tiers)
    machines = {use.name: use.machines for use in mix.tiers}
    return {"own_units": machines["own"], "reserved_units": machines["reserved"]}.get(quantity, mix.total_usd)


def _sobol_linear(x: Mapping[str, Any], _quantity: str) -> Answer:
    inputs = [
        Uncertain(name=f"x{i}", low=-1.2815515655446004 * sd, typical=0.0, high=1.2815515655446004 * sd)
        for i, sd in enumerate(x["sd"])
    ]

    def evaluate(draws: Draws) -> np.ndarray[Any, np.dtype[np.float64]]:
        total = sum(factor * draws[one.name] for factor, one in zip(x["coef"], inputs, strict=True))
        return np.stack([np.asarray(total), np.zeros_like(np.asarray(total))])

    found = {index.name: index.first_order_share for index in sobol(evaluate, inputs, points=8192)}
    return [found[one.name] for one in inputs]


TOPICS: dict[str, Case] = {**CAPITAL_TOPICS, "mix_integer": _mix, "sobol_linear": _sobol_linear}
"""Textbook cases by topic, with those that need a solver or draws."""
