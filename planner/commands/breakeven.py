"""``gpuplan breakeven``: rent against buy from prices and hours stated by the user."""

from __future__ import annotations

import click

from planner.commands.tables import show_rows
from pricing.console import Output, Talk, common_options, output_options


@click.command()
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--horizon", type=click.IntRange(1, 600), metavar="MONTHS", envvar="GPUPLAN_HORIZON", help="Months to compare."
)
@click.option(
    "--draws",
    type=click.IntRange(100, 10_000_000),
    default=20_000,
    show_default=True,
    help="Random draws of the values that are stated as ranges.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the random draws."
)
@click.option(
    "--explain",
    is_flag=True,
    help="Also list every value in force, with defaults marked, and the cost of each year item by item.",
)
@click.option("--sobol", is_flag=True, help="Also show how much of the variance each range explains.")
@output_options("table", "json", "csv", "md")
@common_options
def breakeven(
    scenario: str, horizon: int | None, draws: int, seed: int, *, explain: bool, sobol: bool, output: Output, talk: Talk
) -> None:
    """Find from which month, utilization and rent on owning is cheaper, from your own numbers.

    SCENARIO is a YAML or JSON file (see examples/scenario-8x-h100.yaml), or - for standard input.
    """
    from planner.costs.scenario import Scenario
    from planner.costs.verdict import break_even_of
    from planner.inputs import read_document, validated
    from planner.report.scenario import explained_tables, inputs_in_force, month_rows, scenario_answer, scenario_tables
    from planner.sensitivity import scenario_record

    del talk
    document = read_document(scenario, example="scenario")
    if horizon:
        document.content["horizon_months"] = horizon
    stated = validated(document, Scenario)
    answer = scenario_answer(break_even_of(stated))
    answer["inputs"] = inputs_in_force(stated)
    answer |= scenario_record(stated, draws=draws, seed=seed, with_sobol=sobol)
    tables = [*scenario_tables(answer), *(explained_tables(answer) if explain else ())]
    show_rows(output, month_rows(answer), "months", tables, {"schema_version": 1, **answer})
