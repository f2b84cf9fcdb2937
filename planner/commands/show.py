"""Plans in the form that was asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence

from planner.commands.tables import text_console, trimmed
from planner.plan import Plan
from planner.report.record import plan_record
from planner.report.table import Table
from planner.report.values import Record, json_text, plain
from planner.report.view import plan_view
from pricing.console import CommandLineError, Output

__all__ = ["show_plans", "show_records"]

SHOWN = 12
MOST_TOGETHER = 12
"""Plans in one page or workbook; each brings charts or ten sheets."""


def show_plans(plans: Sequence[Plan], output: Output, *, top: int | None, explain: bool) -> None:
    """Write plans: as text one below the other, as JSON one object (or a list of them under ``plans``)."""
    show_records([plain(plan_record(plan, top=top)) for plan in plans], output, top=top, explain=explain)


def show_records(records: Sequence[Record], output: Output, *, top: int | None, explain: bool) -> None:
    """Write plans from their records."""
    match output.format:
        case "json":
            output.write(json_text(records[0] if len(records) == 1 else {"schema_version": 1, "plans": list(records)}))
        case "html":
            from planner.report.page import page, pages

            _few(records, "a page")
            output.write(page(records[0]) if len(records) == 1 else pages(records))
        case "xlsx":
            from planner.report.workbook import workbook, workbook_of_many

            _few(records, "a workbook")
            output.write(workbook(records[0]) if len(records) == 1 else workbook_of_many(records))
        case "csv":
            from planner.report.sheet import options_csv

            output.write(options_csv(*records))
        case "md":
            from planner.report.document import markdown

            texts = [markdown(plan_view(record, top=top or SHOWN)) for record in records]
            if len(records) > 1:
                from planner.report.document import table_text
                from planner.report.overview import overview

                texts.insert(0, table_text(overview(records)) + "\n")
            output.write("\n".join(texts))
        case _:
            from planner.report.terminal import render

            buffer = io.StringIO()
            console = text_console(output, buffer)
            for index, record in enumerate(records):
                if index:
                    console.rule()
                detail = _explained(record) if explain else None
                render(plan_view(record, top=top or SHOWN), console, explained=detail)
            if len(records) > 1:
                from planner.report.overview import overview
                from planner.report.terminal import render_tables

                console.rule()
                render_tables([overview(records)], console)
            output.write(trimmed(buffer))


def _explained(record: Record) -> Table:
    """Return how the figures of the verdict come about."""
    from planner.report.explained import explained

    return explained(record, record["verdict"]["option_id"])


def _few(records: Sequence[Record], form: str) -> None:
    """Refuse more plans than a file of this form can be read with."""
    if len(records) > MOST_TOGETHER:
        raise CommandLineError(
            f"{form} holds at most {MOST_TOGETHER} plans, {len(records)} were asked for",
            where="--output",
            hint="-o plans.csv or plans.json holds any number; or run it for a few workloads at a time",
        )
