"""Planning, as the commands that need a plan do it: from what the command line names to a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from planner.assumptions import Assumptions
from planner.commands.ask import asked_workload, kind_of, workload_of_file
from planner.commands.options import PriceSource
from planner.commands.prices import catalog_of
from planner.demand.workload import Workload
from planner.inputs import read_text
from planner.plan import Plan, make_plan
from planner.report.record import plan_record, read_record
from planner.report.values import Record, plain
from planner.supply.calibration import Calibration
from planner.supply.candidates import places_told_apart
from pricing.catalog import Catalog
from pricing.console import Talk


def works_of(
    ctx: click.Context, sources: tuple[str, ...], overrides: dict[str, Any], horizon: int | None
) -> list[Workload]:
    """Return the workloads that are asked about, with what the options shared by all say.

    Parameters
    ----------
    ctx : click.Context
        Of the command, whose words may name a kind of work.
    sources : tuple of str
        The kind, or files.
    overrides : dict of str to Any
        Constraints that options state.
    horizon : int, optional
        Months, where an option states them.
    """
    if kind_of(ctx) is not None:
        stated = {f"constraints.{name}": value for name, value in overrides.items()}
        return [asked_workload(ctx, sources, stated | ({"horizon_months": horizon} if horizon else {}))]
    works = [workload_of_file(source) for source in sources]
    extra = {"horizon_months": horizon} if horizon else {}
    return [
        work.model_copy(update={"constraints": work.constraints.model_copy(update=overrides), **extra})
        for work in works
    ]


def planned(
    workload: Workload, catalog: Catalog, assumptions: Assumptions, today: date, calibration: Calibration | None = None
) -> Plan:
    """Return the plan of a workload, with the sellers of its model by the token and the free tiers.

    Parameters
    ----------
    workload : Workload
        The work.
    catalog : Catalog
        Offers.
    assumptions : Assumptions
        Stated assumptions.
    today : date
        The caller's today.
    calibration : Calibration, optional
        Constants of the user's own measured rows.
    """
    from planner.demand.models import resolve_model
    from planner.verdict.remarks import nearest_hosted_remark
    from pricing.free_tiers import free_tiers
    from pricing.token_prices import token_prices

    model = workload.model if isinstance(workload.model, str) and workload.kind in {"serve", "batch", "embed"} else None
    sellers = token_prices(model, today) if model else ()
    plan = make_plan(
        workload,
        catalog,
        assumptions,
        today=today,
        token_prices=sellers,
        free_tiers=free_tiers(),
        calibration=calibration,
    )
    if sellers or plan.workload.model is None:
        return plan
    architecture = resolve_model(plan.workload.model)
    near = nearest_hosted_remark(plan.in_force, architecture, lambda name: token_prices(name, today), assumptions)
    return replace(plan, remarks=(*plan.remarks, *near))


def planned_record(
    workload: Workload,
    prices: PriceSource,
    talk: Talk,
    assumptions: Assumptions,
    calibration: Calibration | None = None,
) -> Record:
    """Return the record of a workload's plan, at the prices that the command line asks for."""
    catalog = catalog_of(prices, talk, places_told_apart([workload.constraints]))
    record: Record = plain(plan_record(planned(workload, catalog, assumptions, prices.day, calibration)))
    return record


def written_plan(source: str) -> Record | None:
    """Return the plan of a file that holds one; None for a workload."""
    if not source.endswith(".json") or not Path(source).is_file():
        return None
    text, name = read_text(source)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None  # the reader of workloads says what is wrong
    is_plan = isinstance(content, dict) and ("verdict" in content or "plans" in content)
    return read_record(text, name) if is_plan else None
