"""``gpuplan report`` and ``diff``: a saved plan in another form, and what changed between two."""

from __future__ import annotations

import click

from planner.commands.options import Shown, detail_options
from planner.commands.output import show_text
from pricing.commands.console import Output, Talk, common_options, output_options


@click.command()
@click.argument("plan", metavar="PLAN.json")
@detail_options
@output_options("table", "json", "csv", "md", "html", "xlsx")
@common_options
def report(plan: str, detail: Shown, output: Output, talk: Talk) -> None:
    """Write PLAN.json (from `gpuplan plan -o plan.json`, of one workload or several) in another form."""
    from planner.commands.show import show_records
    from planner.inputs.reading import read_text
    from planner.report.record import read_records

    del talk
    text, name = read_text(plan)
    show_records(read_records(text, name), output, detail)


VERDICT_CHANGED = 7
"""Exit status when another option is to be taken; 1 to 6 mean other things everywhere in this program."""


@click.command()
@click.argument("old", metavar="OLD.json")
@click.argument("new", metavar="NEW.json")
@output_options("table", "json", "md")
@common_options
def diff(old: str, new: str, *, output: Output, talk: Talk) -> int:
    """Show what changed from one plan to another, and which price, assumption or part of the workload caused it.

    OLD.json and NEW.json come from `gpuplan plan -o`. The exit status is 0 while the verdict takes the same option, and 7
    when it takes another, so that a scheduled job can alert someone.
    """
    from planner.inputs.reading import read_text
    from planner.report.difference import difference, difference_tables
    from planner.report.record import read_record

    del talk
    before, after = (read_record(*read_text(path)) for path in (old, new))
    changes = difference(before, after)
    show_text(output, difference_tables(changes), changes)
    return VERDICT_CHANGED if changes["verdict"]["changed"] else 0
