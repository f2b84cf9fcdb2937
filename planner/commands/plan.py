"""``gpuplan plan``: from a workload to a verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
from pricing.console import Output, Talk, common_options, output_options

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
@output_options("table", "json", "csv", "md", "html", "xlsx")
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
    *,
    explain: bool,
    output: Output,
    talk: Talk,
) -> None:
    """Take a workload to a verdict: does it need a GPU, which, how many, where, how to pay, rent or buy.

    WORKLOAD is a YAML or JSON file (`gpuplan init` writes one), or - for standard input.
    """
    from planner.commands.prices import catalog_of
    from planner.commands.show import show_plans
    from planner.demand.workload import Workload
    from planner.inputs import read_document, validated
    from planner.plan import make_plan
    from pricing.free_tiers import free_tiers
    from pricing.token_prices import token_prices

    beliefs = beliefs_of(settings, assumptions_file)
    calibration = calibration_of(calibration_files, beliefs)
    today = day_of(as_of)
    works = [validated(read_document(source), Workload) for source in workloads]
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
    show_plans(plans, output, top=top, explain=explain)
