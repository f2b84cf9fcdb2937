"""Plans in the form that was asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence

from planner.commands.tables import text_console, trimmed
from planner.plan import Plan
from planner.report.record import plan_record
from planner.report.values import Record, json_text, plain
from planner.report.view import explained, plan_view
from pricing.console import CommandLineError, Output

__all__ = ["show_plans", "show_records"]

SHOWN = 12


def show_plans(plans: Sequence[Plan], output: Output, *, top: int | None, explain: bool) -> None:
    """Write plans: as text one below the other, as JSON one object (or a list of them under ``plans``)."""
    show_records([plain(plan_record(plan, top=top)) for plan in plans], output, top=top, explain=explain)


def show_records(records: Sequence[Record], output: Output, *, top: int | None, explain: bool) -> None:
    """Write plans from their records."""
    match output.format:
        case "json":
            output.write(json_text(records[0] if len(records) == 1 else {"schema_version": 1, "plans": list(records)}))
        case "html":
            from planner.report.page import page

            output.write(page(_only(records, "an HTML page")))
        case "xlsx":
            from planner.report.workbook import workbook

            output.write(workbook(_only(records, "a workbook")))
        case "csv":
            from planner.report.sheet import options_csv

            output.write("".join(options_csv(record) for record in records))
        case "md":
            from planner.report.document import markdown

            output.write("\n".join(markdown(plan_view(record, top=top or SHOWN)) for record in records))
        case _:
            from planner.report.terminal import render

            buffer = io.StringIO()
            console = text_console(output, buffer)
            for index, record in enumerate(records):
                if index:
                    console.rule()
                detail = explained(record, record["verdict"]["option_id"]) if explain else None
                render(plan_view(record, top=top or SHOWN), console, explained=detail)
            output.write(trimmed(buffer))


def _only(records: Sequence[Record], form: str) -> Record:
    """Return the one plan that a file of this form can hold."""
    if len(records) != 1:
        raise CommandLineError(
            f"{form} holds one plan, {len(records)} were asked for", hint="run it once for each workload"
        )
    return records[0]
