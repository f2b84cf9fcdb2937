"""The view as Markdown, fit for a pull request or a wiki."""

from __future__ import annotations

import re
from dataclasses import fields

from planner.report.table import Table
from planner.report.view import View


def markdown(view: View) -> str:
    """Return the view as GitHub-flavoured Markdown; what came from outside cannot break out of its cell."""
    # Every table of the view, in the order of reading.
    tables = [part for field in fields(view) if isinstance(part := getattr(view, field.name), Table)]
    parts = [
        f"# {_inline(view.headline)}",
        f"_{_inline(view.title)}_",
        "\n".join(f"- {_inline(reason)}" for reason in view.because),
        *(table_text(table) for table in tables if table.rows or table.note),
    ]
    if view.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {_inline(note)}" for note in view.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _inline(text: str) -> str:
    """Escape what Markdown or HTML would read as its own."""
    flat = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", flat)


def table_text(table: Table) -> str:
    """Return one table under its title."""
    lines = [f"## {_inline(table.title)}", ""]
    if table.rows:
        lines.append("| " + " | ".join(_inline(column.heading) for column in table.columns) + " |")
        lines.append("| " + " | ".join("---:" if column.is_number else "---" for column in table.columns) + " |")
        lines += ["| " + " | ".join(_inline(cell) for cell in row) + " |" for row in table.rows]
        lines.append("")
    if table.note:
        lines.append(f"{_inline(table.note)}")
    return "\n".join(lines).rstrip()
