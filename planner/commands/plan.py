"""``gpuplan plan`` and ``launch``: from a workload to a verdict, and the verdict as something that can be run."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.assumptions import Assumptions
from planner.commands.ask import AskCommand, asked_workload, kind_of, save_workload, workload_of_file
from planner.commands.catalog import catalog_of
from planner.commands.options import (
    Filters,
    PriceSource,
    Settings,
    Shown,
    assumption_options,
    calibration_of,
    calibration_option,
    detail_options,
    filter_options,
    horizon_option,
    kinds_and_files,
    store_options,
)
from planner.demand.workload import Workload
from planner.inputs.reading import read_text
from planner.plan import planned
from planner.report.record import plan_record, read_record
from planner.supply.calibration import Calibration
from planner.supply.candidates import place_key
from pricing.commands.console import CommandLineError, Output, Talk, common_options, output_options, write_output

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


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


def planned_record(
    workload: Workload,
    prices: PriceSource,
    talk: Talk,
    assumptions: Assumptions,
    calibration: Calibration | None = None,
) -> PlanRecord:
    """Return the record of a workload's plan, at the prices that the command line asks for."""
    catalog = catalog_of(prices, talk, place_key([workload.constraints]))
    return plan_record(planned(workload, catalog, assumptions, prices.day, calibration))


def written_plan(source: str) -> PlanRecord | None:
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


@click.command(cls=AskCommand)
@click.argument("workloads", metavar="KIND|WORKLOAD...", nargs=-1, required=True, shell_complete=kinds_and_files)
@click.option(
    "--save",
    "saved_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the question as a workload file.",
)
@horizon_option("Months to compare; taken from the workload where it is not given.")
@filter_options
@assumption_options
@calibration_option
@store_options
@detail_options
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    envvar="GPUPLAN_WORKERS",
    help="Processes for a table or folder of workloads; by default one per core.",
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
    filters: Filters,
    settings: Settings,
    calibration_files: tuple[str, ...],
    prices: PriceSource,
    detail: Shown,
    workers: int | None,
    engine_uri: str | None,
    saved_path: Path | None,
    *,
    output: Output,
    talk: Talk,
) -> int | None:
    """Recommend what a workload should run on: whether it needs a GPU, which, how many, where, how to pay, rent or buy.

    KIND is a kind of work, asked about in one line: its keys are options, and numbers may be 10k, 50M or 1T. WORKLOAD is a YAML or JSON
    file (`gpuplan init` writes one), or - for standard input; or many at once: a table (CSV, Parquet) with a workload a row, or a
    folder of files.
    """
    from planner.commands.show import refuse_too_many, show_plans
    from planner.portfolio.sources import is_portfolio
    from pricing.loading import by_region

    assumptions = settings.assumptions()
    calibration = calibration_of(calibration_files, assumptions)
    today = prices.day
    ctx = click.get_current_context()
    many = kind_of(ctx) is None and is_portfolio(workloads)
    if not many:
        _refuse_portfolio_options(output, workers)
        refuse_too_many(len(workloads), output)
    overrides = filters.stated()
    works = [] if many else works_of(ctx, workloads, overrides, horizon)
    if saved_path is not None:
        save_workload(works, saved_path, talk)
    place_of = by_region if many else place_key([work.constraints for work in works])
    catalog = catalog_of(prices, talk, place_of)
    if many:
        from planner.commands.portfolio import show_portfolio
        from planner.portfolio.market import Market

        market = Market(
            catalog=catalog,
            assumptions=assumptions,
            today=today,
            calibration=calibration,
            overrides=overrides,
            horizon_months=horizon,
        )
        return show_portfolio(workloads, output, talk, market, workers=workers, engine_uri=engine_uri)
    plans = [planned(work, catalog, assumptions, today, calibration) for work in works]
    show_plans(plans, output, detail, extra=_extra(ctx))
    return None


def _extra(ctx: click.Context) -> str:
    """Return the options of this command line that change the answer and that a plan does not know."""
    words = []
    for option, name in (("--store", "store_uri"), ("--max-age", "max_age_days")):
        if ctx.params.get(name) is not None:
            words += [option, str(ctx.params[name])]
    for file in ctx.params.get("calibration_files") or ():
        words += ["--calibration", file]
    return f" {shlex.join(words)}" if words else ""


def _refuse_portfolio_options(output: Output, workers: int | None) -> None:
    """Stop at what only a table or a folder of workloads can be asked for."""
    if output.format == "parquet":
        raise CommandLineError(
            "Parquet is for the answers of many workloads",
            hint="for single ones: json, csv, md, html or xlsx",
            where="--format",
        )
    if workers is not None and workers > 1 and not os.environ.get("GPUPLAN_WORKERS"):
        raise CommandLineError("one workload is planned by one process", hint="leave it out", where="--workers")


TARGETS = ("vllm", "sglang", "kubernetes", "terraform", "skypilot", "dstack")


@click.command(cls=AskCommand)
@click.argument("sources", metavar="PLAN.json|WORKLOAD|KIND", nargs=-1, required=True, shell_complete=kinds_and_files)
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="What to launch it with.")
@click.option("--option", "option_id", metavar="ID", help="Launch this option of the plan instead of its verdict.")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@horizon_option("Months to compare; taken from the workload where it is not given.")
@filter_options
@assumption_options
@calibration_option
@store_options
@common_options
def launch(
    sources: tuple[str, ...],
    target: str,
    option_id: str | None,
    path: Path | None,
    horizon: int | None,
    filters: Filters,
    settings: Settings,
    calibration_files: tuple[str, ...],
    prices: PriceSource,
    talk: Talk,
) -> None:
    """Write the verdict of a plan as an engine's command line, a manifest, infrastructure code or a task.

    PLAN.json is a saved plan (`gpuplan plan ... -o plan.json`); a WORKLOAD or a KIND with its options is planned first.
    Nothing is started, and nothing is bought: you read the file and run it.
    """
    from planner.launch.text import launch_text

    record = written_plan(sources[0]) if len(sources) == 1 else None
    if record is None:
        works = works_of(click.get_current_context(), sources, filters.stated(), horizon)
        if len(works) != 1:
            raise CommandLineError("one plan is launched at a time", where=sources[1], hint="name a single workload")
        assumptions = settings.assumptions()
        calibration = calibration_of(calibration_files, assumptions)
        record = planned_record(works[0], prices, talk, assumptions, calibration)
    write_output(launch_text(record, target, option_id), path)
    if path is not None:
        talk.say(f"written: read {path} before you run it")
