"""``gpuplan report``: a plan's JSON as another form, without planning again."""

from __future__ import annotations

import click

from planner.commands.options import Shown, detail_options
from pricing.console import Output, Talk, common_options, output_options


@click.command()
@click.argument("plan", metavar="PLAN.json")
@detail_options
@output_options("table", "json", "csv", "md", "html", "xlsx")
@common_options
def report(plan: str, detail: Shown, output: Output, talk: Talk) -> None:
    """Write PLAN.json (from `gpuplan plan -o plan.json`, of one workload or several) in another form."""
    from planner.commands.show import show_records
    from planner.inputs import read_text
    from planner.report.record import read_records

    del talk
    text, name = read_text(plan)
    show_records(read_records(text, name), output, detail)
