"""``gpuplan plan``: from a workload to a verdict."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from planner.commands.ask import AskCommand, kind_of, save_workload
from planner.commands.completion import kinds_and_files
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
    store_options,
)
from pricing.console import CommandLineError, Output, Talk, common_options, output_options


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
    from planner.commands.planning import planned, works_of
    from planner.commands.prices import catalog_of
    from planner.commands.show import refuse_too_many, show_plans
    from planner.portfolio.sources import is_portfolio
    from planner.supply.candidates import places_told_apart
    from pricing.latest import by_region

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
    place_of = by_region if many else places_told_apart([work.constraints for work in works])
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
