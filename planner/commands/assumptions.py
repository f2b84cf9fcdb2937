"""``gpuplan assumptions``: every assumption with its range and source."""

from __future__ import annotations

from dataclasses import asdict

import click

from planner.commands.options import Settings, assumption_options
from planner.commands.tables import assumptions_table, show_rows
from planner.errors import InputError
from pricing.console import Output, Talk, common_options, output_options


@click.command()
@click.argument("part", required=False)
@assumption_options
@output_options("table", "json", "csv", "md")
@common_options
def assumptions(part: str | None, settings: Settings, *, output: Output, talk: Talk) -> None:
    """List the assumptions whose name contains PART, with range, source and date."""
    del talk
    assumptions = settings.assumptions()
    rows = [row for row in assumptions.rows.values() if not part or part in row.name]
    if not rows:
        raise InputError(f"no assumption has {part!r} in its name", hint="`gpuplan assumptions` lists them all")
    table = assumptions_table("", sorted(rows, key=lambda row: row.name))
    show_rows(output, [asdict(row) for row in rows], "assumptions", [table])
