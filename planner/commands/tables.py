"""Small tables in every text form, for commands whose answer is rows of facts."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.report.sheet import csv_text
from planner.report.table import Table
from planner.report.values import json_text
from pricing.console import Output

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_rows", "show_text", "text_console", "trimmed"]

NARROWEST = 80
PAGE_WIDTH = 110


def show_rows(output: Output, rows: Sequence[Mapping[str, Any]], key: str, tables: Sequence[Table]) -> None:
    """Write rows as JSON (under `key`) or CSV, unrounded, or as tables of text.

    Parameters
    ----------
    output : Output
        Where to, and in which form.
    rows : sequence of mapping
        The facts; keys carry units.
    key : str
        What the rows are called in JSON.
    tables : sequence of Table
        The same for people.
    """
    match output.format:
        case "json":
            output.write(json_text({"schema_version": 1, key: list(rows)}))
        case "csv":
            output.write(csv_text(list(rows[0]) if rows else [], rows))
        case _:
            show_text(output, tables)


def show_text(output: Output, tables: Sequence[Table]) -> None:
    """Write tables for people: Markdown where that was asked for, else for a terminal."""
    if output.format == "md":
        from planner.report.document import table_text

        output.write("\n\n".join(table_text(table) for table in tables))
        return
    from planner.report.terminal import render_tables

    buffer = io.StringIO()
    render_tables(tables, text_console(output, buffer))
    output.write(trimmed(buffer))


def text_console(output: Output, buffer: io.StringIO) -> Console:
    """Return a console that writes text as wide as the terminal, or as a page where it goes elsewhere."""
    from rich.console import Console

    on_terminal = output.path is None and sys.stdout.isatty()
    width = max(NARROWEST, shutil.get_terminal_size().columns) if on_terminal else PAGE_WIDTH
    return Console(
        file=buffer, width=width, force_terminal=on_terminal and output.is_colored, no_color=not output.is_colored
    )


def trimmed(buffer: io.StringIO) -> str:
    """Return what was written, without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
