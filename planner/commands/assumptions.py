"""``gpuplan assumptions``: every assumption with its range and source."""

from __future__ import annotations

from dataclasses import asdict

import click

from planner.commands.options import assumption_options, assumptions_of
from pricing.console import Output, Talk, common_options, output_options

__all__ = ["assumptions"]


@click.command()
@click.argument("part", required=False)
@assumption_options
@output_options("table", "json", "csv", "md")
@common_options
def assumptions(
    part: str | None, settings: tuple[str, ...], assumptions_file: str | None, *, output: Output, talk: Talk
) -> None:
    """List the assumptions whose name contains PART, with range, source and date."""
    from planner.commands.tables import show_rows
    from planner.errors import InputError
    from planner.report.table import Column, Table

    del talk
    assumptions = assumptions_of(settings, assumptions_file)
    rows = [row for row in assumptions.rows.values() if not part or part in row.name]
    if not rows:
        raise InputError(f"no assumption has {part!r} in its name", hint="`gpuplan assumptions` lists them all")
    table = Table(
        "",
        (
            Column("name", is_whole=True),
            Column("value", is_number=True),
            Column("unit"),
            Column("range"),
            Column(""),
            Column("source"),
        ),
        tuple(
            (
                row.name,
                f"{row.value:g}",
                row.unit,
                "" if row.low == row.high else f"{row.low:g} to {row.high:g}",
                "set by you" if row.overridden else "weak" if row.weak else "",
                f"{row.source} ({row.as_of})" if row.as_of else row.source,
            )
            for row in sorted(rows, key=lambda row: row.name)
        ),
        "change one with --set NAME=VALUE; weak: second-hand, or our own judgement",
    )
    show_rows(output, [asdict(row) for row in rows], "assumptions", [table])
