"""``gpuplan plan``: from a workload to a verdict."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from planner.commands.options import (
    belief_options,
    beliefs_of,
    calibration_of,
    calibration_option,
    day_of,
    filter_options,
    split_names,
    store_options,
)
from pricing.console import CommandLineError, Output, Talk, common_options, output_options

if TYPE_CHECKING:
    from planner.plan import Plan

__all__ = ["plan"]


@click.command()
@click.argument("workloads", metavar="WORKLOAD...", nargs=-1, required=True)
@click.option(
    "--horizon",
    type=click.IntRange(1, 600),
    metavar="MONTHS",
    envvar="GPUPLAN_HORIZON",
    help="How far the comparison looks; without it, what the workload says.",
)
@filter_options
@belief_options
@calibration_option
@store_options
@click.option("--top", type=click.IntRange(min=1), metavar="N", envvar="GPUPLAN_TOP", help="Options to show.")
@click.option("--explain", is_flag=True, help="Walk through the figures of the verdict, and list every assumption.")
@click.option(
    "--second-opinion", is_flag=True, help="Also ask aiconfigurator, where installed, about the verdict's machines."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    envvar="GPUPLAN_WORKERS",
    help="Processes for a table or folder of workloads; as many as cores.",
)
@click.option(
    "--engine",
    "engine_uri",
    metavar="URI",
    envvar="GPUPLAN_ENGINE",
    help="Spark cluster for a table or folder of workloads: sc://host:15002.",
)
@output_options("table", "json", "csv", "md", "html", "xlsx", "parquet")
@common_options
def plan(
    workloads: tuple[str, ...],
    horizon: int | None,
    providers: tuple[str, ...],
    regions: tuple[str, ...],
    countries: tuple[str, ...],
    purchase: str | None,
    settings: tuple[str, ...],
    assumptions_file: str | None,
    calibration_files: tuple[str, ...],
    store_uri: str | None,
    as_of: datetime | None,
    max_age_days: int | None,
    top: int | None,
    workers: int | None,
    engine_uri: str | None,
    *,
    explain: bool,
    second_opinion: bool,
    output: Output,
    talk: Talk,
) -> int | None:
    """Take a workload to a verdict: does it need a GPU, which, how many, where, how to pay, rent or buy.

    WORKLOAD is a YAML or JSON file (`gpuplan init` writes one), or - for standard input; or many at once: a table (CSV, Parquet)
    with a workload a row, or a folder of files.
    """
    from planner.commands.prices import catalog_of
    from planner.commands.show import show_plans
    from planner.demand.workload import Workload
    from planner.inputs import read_document, validated
    from planner.plan import make_plan
    from planner.portfolio.sources import is_portfolio
    from pricing.free_tiers import free_tiers
    from pricing.token_prices import token_prices

    beliefs = beliefs_of(settings, assumptions_file)
    calibration = calibration_of(calibration_files, beliefs)
    today = day_of(as_of)
    many = is_portfolio(workloads)
    if not many:
        _refuse_portfolio_options(output, workers)
    works = [] if many else [validated(read_document(source), Workload) for source in workloads]
    catalog = catalog_of(store_uri, as_of, max_age_days, talk)
    overrides: dict[str, Any] = {
        name: value
        for name, value in (
            ("providers", providers),
            ("regions", regions),
            ("countries", countries),
            ("purchase", split_names(purchase)),
        )
        if value
    }
    if many:
        if second_opinion:
            raise CommandLineError("a second opinion is asked for one workload at a time", where="--second-opinion")
        from planner.commands.portfolio import show_portfolio

        return show_portfolio(
            workloads,
            output,
            talk,
            catalog=catalog,
            beliefs=beliefs,
            calibration=calibration,
            today=today,
            overrides=overrides,
            horizon=horizon,
            workers=workers,
            engine_uri=engine_uri,
        )
    plans = []
    for work in works:
        constraints = work.constraints.model_copy(update=overrides)
        asked = work.model_copy(update={"constraints": constraints, **({"horizon_months": horizon} if horizon else {})})
        hosted = (
            token_prices(asked.model, today)
            if isinstance(asked.model, str) and asked.kind in {"serve", "batch", "embed"}
            else ()
        )
        plans.append(
            make_plan(
                asked,
                catalog,
                beliefs,
                today=today,
                token_prices=hosted,
                free_tiers=free_tiers(),
                calibration=calibration,
            )
        )
    if second_opinion:
        talk.say("asking aiconfigurator ...")
        plans = [_with_second_opinion(each) for each in plans]
    show_plans(plans, output, top=top, explain=explain)
    return None


def _refuse_portfolio_options(output: Output, workers: int | None) -> None:
    """Stop at what only a table or a folder of workloads can be asked for."""
    if output.format == "parquet":
        raise CommandLineError(
            "Parquet holds the answers of many workloads",
            hint="for single ones: json, csv, md, html or xlsx",
            where="--format",
        )
    if workers is not None and workers > 1 and not os.environ.get("GPUPLAN_WORKERS"):
        raise CommandLineError("one workload is planned by one process", hint="leave it away", where="--workers")


def _with_second_opinion(plan: Plan) -> Plan:
    """Return a plan with what aiconfigurator says of the verdict's machines, in the notes and as a value of its own."""
    from planner.demand.models import resolve_model
    from planner.second_opinion.beside import second_opinion

    chosen = next((option for option in plan.options if option.id == plan.verdict.option_id), None)
    model = plan.workload.model
    opinion = second_opinion(
        plan.workload, None if model is None else resolve_model(model), chosen.fleet if chosen else None
    )
    return replace(plan, second_opinion=opinion, notes=(*plan.notes, opinion.sentence()))
