"""``gpuplan report``: a plan's JSON as another form, without planning again."""

from __future__ import annotations

import click

from pricing.console import Output, Talk, common_options, output_options


@click.command()
@click.argument("plan", metavar="PLAN.json")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", envvar="GPUPLAN_TOP", help="Also list the N cheapest options."
)
@click.option("--full", is_flag=True, help="Print all tables, not only the short answer.")
@click.option(
    "--explain", is_flag=True, help="Also show how each figure of the verdict is derived, and every assumption."
)
@output_options("table", "json", "csv", "md", "html", "xlsx")
@common_options
def report(plan: str, top: int | None, *, full: bool, explain: bool, output: Output, talk: Talk) -> None:
    """Write PLAN.json (from `gpuplan plan -o plan.json`, of one workload or several) in another form."""
    from planner.commands.show import show_records
    from planner.inputs import read_text
    from planner.report.record import read_records

    del talk
    text, name = read_text(plan)
    show_records(read_records(text, name), output, top=top, full=full, explain=explain)
