"""``gpuplan diff``: what changed between two plans, with an exit status for CI."""

from __future__ import annotations

import click

from planner.commands.tables import show_text
from pricing.console import Output, Talk, common_options, output_options

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
    from planner.inputs import read_text
    from planner.report.difference import difference, difference_tables
    from planner.report.record import read_record

    del talk
    before, after = (read_record(*read_text(path)) for path in (old, new))
    changes = difference(before, after)
    show_text(output, difference_tables(changes), changes)
    return VERDICT_CHANGED if changes["verdict"]["changed"] else 0
