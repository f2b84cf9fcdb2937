"""Plans in the form that was asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from planner.commands.options import Shown
from planner.commands.output import shows_only_ascii, text_console, trimmed
from planner.plan import Plan
from planner.report.record import plan_record
from planner.report.table import Table
from planner.report.values import json_text
from planner.report.view import plan_view
from pricing.commands.console import CommandLineError, Output

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


SHOWN = 12
MOST_TOGETHER = 12
"""Plans in one page or workbook; each brings charts or ten sheets."""


def show_plans(plans: Sequence[Plan], output: Output, detail: Shown, *, extra: str = "") -> None:
    """Write plans: as text one below the other, as JSON one object (or a list of them under ``plans``).

    Parameters
    ----------
    plans : sequence of Plan
        What was planned.
    output : Output
        Where to, and in which form.
    detail : Shown
        How much of each.
    extra : str
        Options of the command line that a plan does not know, for the command that asks again.
    """
    is_short = output.format == "table" and not (detail.full or detail.explain)
    top = detail.top_count or (0 if is_short else None)
    records = [plan_record(plan, top=top) for plan in plans]
    for record in records:
        record["verdict"]["command"] += extra
    show_records(records, output, detail)


def show_records(records: Sequence[PlanRecord], output: Output, detail: Shown) -> None:
    """Write plans from their records; see `show_plans`."""
    refuse_too_many(len(records), output)
    match output.format:
        case "json":
            output.write(json_text(records[0] if len(records) == 1 else {"schema_version": 1, "plans": list(records)}))
        case "html":
            from planner.report.page.document import page, pages

            output.write(page(records[0]) if len(records) == 1 else pages(records))
        case "xlsx":
            from planner.report.workbook.file import workbook, workbook_of_many

            output.write(workbook(records[0]) if len(records) == 1 else workbook_of_many(records))
        case "csv":
            from planner.report.values import options_csv

            output.write(options_csv(*records))
        case "md":
            from planner.report.markdown import markdown

            texts = [markdown(plan_view(record, top=detail.top_count or SHOWN)) for record in records]
            if len(records) > 1:
                from planner.report.markdown import table_text
                from planner.report.overview import overview

                texts.insert(0, table_text(overview(records)) + "\n")
            output.write("\n".join(texts))
        case _:
            from planner.report.short import short_answer
            from planner.report.terminal import render, render_short

            buffer = io.StringIO()
            console = text_console(output, buffer)
            for index, record in enumerate(records):
                if index:
                    console.rule()
                if detail.full or detail.explain:
                    derived = _explained(record) if detail.explain else None
                    render(plan_view(record, top=detail.top_count or SHOWN), console, explained=derived)
                else:
                    below = plan_view(record, top=detail.top_count).options if detail.top_count else None
                    render_short(short_answer(record), console, below=below)
            if len(records) > 1:
                from planner.report.overview import overview
                from planner.report.terminal import render_tables

                console.rule()
                render_tables([overview(records)], console)
            output.write(trimmed(buffer, is_ascii=shows_only_ascii(output)))


def _explained(record: PlanRecord) -> Table:
    """Return how the figures of the verdict come about."""
    from planner.report.explained import explained

    return explained(record, record["verdict"]["option_id"])


def refuse_too_many(count: int, output: Output) -> None:
    """Refuse more plans than a file of this form can be read with."""
    form = {"html": "a page", "xlsx": "a workbook"}.get(output.format)
    if form and count > MOST_TOGETHER:
        raise CommandLineError(
            f"{form} holds at most {MOST_TOGETHER} plans, {count} were asked for",
            where="--output",
            hint="-o plans.csv or plans.json holds any number; or run it for a few workloads at a time",
        )
