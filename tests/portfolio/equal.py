"""Holds a portfolio's answers against the plan that each workload would get on its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.options.option import ReasonCode
from planner.portfolio.answers import Answers, Asked
from planner.portfolio.cells import content_of_cells
from planner.portfolio.market import Market
from pricing.catalog import load_bundled
from pricing.errors import GpuplanError
from tests.conftest import ROOT, TODAY

CENT = 0.005

PASSED_OVER = {ReasonCode.MARGIN, ReasonCode.CONFIDENCE, ReasonCode.PAYS_OFF_LATE, ReasonCode.QUOTES}


def tables() -> ModuleType:
    """Return the generator of workload tables."""
    path = Path(ROOT) / "scripts" / "portfolio_tables.py"
    spec = importlib.util.spec_from_file_location("portfolio_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["portfolio_tables"] = module
    spec.loader.exec_module(module)
    return module


def market(settings: Mapping[str, float] | None = None, **more: Any) -> Market:
    """Return the bundled offers of a fixed day under the shipped assumptions, or others."""
    assumptions = default_assumptions()
    if settings:
        assumptions = assumptions.override(dict(settings), "--set")
    return Market(catalog=load_bundled(), assumptions=assumptions, today=TODAY, **more)


@cache
def usual_market() -> Market:
    """Return the market under the shipped assumptions; what one test has worked out of it serves the next."""
    return market()


def asked_rows(rows: Sequence[Mapping[str, Any]]) -> list[Asked]:
    """Return rows of a table as workloads."""
    contents = [content_of_cells(row) for row in rows]
    return [Asked(number, content, Workload.model_validate(content)) for number, content in enumerate(contents)]


def differences(asked: Sequence[Asked], answers: Answers, against: Market, sample: Sequence[int]) -> list[str]:
    """Return in words where answers differ from plans made one by one; empty where all are equal."""
    rows = {row["row"]: row for row in answers.rows}
    assert len(rows) == len(answers.rows) == len(asked)
    found = []
    for number in sample:
        workload = asked[number].workload
        assert workload is not None
        told = _difference(rows[number], workload, against)
        if told:
            found.append(f"row {number} {asked[number].content}: {told}")
    return found


def _difference(row: Mapping[str, Any], workload: Workload, against: Market) -> str:
    try:
        plan = against.plan(against.asked(workload))
    except NothingFitsError:
        return "" if row["status"] == "nothing_fits" else f"nothing fits, but {row['option_id']} was taken"
    except GpuplanError as error:
        return "" if row["status"] == "refused" else f"refused by the plan ({error.message}), but {row}"
    option = next(each for each in plan.options if each.id == plan.verdict.option_id)
    others = [each for each in plan.options if each.choosable and each.id != option.id]
    if row["status"] != "planned":
        return f"{row['status']} ({row['reason']}), but the plan takes {option.id}"
    wanted: dict[str, Any] = {
        "needs_gpu": plan.verdict.needs_gpu,
        "choice": plan.verdict.choice,
        "option_id": option.id,
        "provider": option.provider,
        "region": option.region,
        "instance_type": option.instance_type,
        "purchase_option": option.purchase_option,
        "accelerator": option.accelerator,
        "accelerators_total_count": option.accelerators_total_count,
        "instance_count": option.instance_count,
        "basis": option.fleet.performance.basis if option.fleet else None,
        "priced_on": option.priced_on,
    }
    told = [f"{name}: {row[name]!r} for {value!r}" for name, value in wanted.items() if row[name] != value]
    money = {
        "present_value_usd": option.present_value_usd,
        "total_usd": option.total_usd,
        "usd_per_month": option.usd_per_month,
        "runner_up_present_value_usd": others[0].present_value_usd if others else None,
        "hours_per_run": option.hours_per_run,
        "break_even_month": _month(plan),
    }
    for name, value in money.items():
        have = row[name]
        if (have is None) != (value is None) or (value is not None and abs(have - value) > CENT):
            told.append(f"{name}: {have!r} for {value!r}")
    return "; ".join(told)


def _month(plan: Any) -> float | None:
    """Return the month of the cheapest rent against the cheapest owned way, where both may be recommended."""
    # What binds may have been passed over: it is compared all the same.
    compared = [each for each in plan.options if {reason.code for reason in each.not_recommended} <= PASSED_OVER]
    by_cost = sorted(compared, key=lambda each: each.present_value_usd)
    rent = next((each for each in by_cost if each.kind == "rent"), None)
    owned = next((each for each in by_cost if each.kind == "buy"), None)
    if rent is None or owned is None or plan.verdict.choice not in {"rent", "buy"}:
        return None
    month: float | None = next(pair.month for pair in plan.break_evens if pair.rent_id == rent.id)
    return month
