"""Small tables in every text form, for commands whose answer is rows of facts."""

from __future__ import annotations

import io
import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.report.table import Table, table_of
from planner.report.values import csv_text, json_text
from pricing.commands.console import Output

if TYPE_CHECKING:
    from rich.console import Console

    from planner.assumptions import Assumption


NARROWEST = 60
PAGE_WIDTH = 110
ASCII = str.maketrans(
    {"─": "-", "━": "-", "│": "|", "–": "-", "—": "-", "•": "-", "×": "x", "≤": "<=", "≥": ">=", "→": "->", "µ": "u"}
)


def show_rows(
    output: Output,
    rows: Sequence[Mapping[str, Any]],
    key: str,
    tables: Sequence[Table],
    record: Mapping[str, Any] | None = None,
) -> None:
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
    record : mapping, optional
        The whole answer, for JSON; where it is left out, it is the rows alone.
    """
    match output.format:
        case "json":
            output.write(json_text(record or {"schema_version": 1, key: list(rows)}))
        case "csv":
            output.write(csv_text(list(rows[0]) if rows else [], rows))
        case _:
            show_text(output, tables)


def show_text(output: Output, tables: Sequence[Table], record: Mapping[str, Any] | None = None) -> None:
    """Write tables for people: Markdown where that was asked for, else for a terminal; or the record as JSON."""
    if record is not None and output.format == "json":
        output.write(json_text(record))
        return
    if output.format == "md":
        from planner.report.markdown import table_text

        output.write("\n\n".join(table_text(table) for table in tables))
        return
    from planner.report.terminal import render_tables

    buffer = io.StringIO()
    render_tables(tables, text_console(output, buffer))
    output.write(trimmed(buffer, is_ascii=shows_only_ascii(output)))


def text_console(output: Output, buffer: io.StringIO) -> Console:
    """Return a console that writes text as wide as the terminal or as COLUMNS says, or as a page where it goes elsewhere."""
    from rich.console import Console

    on_terminal = output.path is None and sys.stdout.isatty()
    page = (PAGE_WIDTH, 24)
    width = max(NARROWEST, shutil.get_terminal_size(page).columns) if on_terminal else _stated_width() or PAGE_WIDTH
    return Console(
        file=buffer, width=width, force_terminal=on_terminal and output.is_colored, no_color=not output.is_colored
    )


def _stated_width() -> int:
    """Return the width that COLUMNS states; 0 where it states none."""
    stated = os.environ.get("COLUMNS", "")
    return max(NARROWEST, int(stated)) if stated.isdecimal() and len(stated) < 5 and int(stated) else 0


def trimmed(buffer: io.StringIO, *, is_ascii: bool = False) -> str:
    """Return what was written, without blanks at the ends of lines; in ASCII alone where that was asked for."""
    text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
    return as_ascii(text) if is_ascii else text


def shows_only_ascii(output: Output) -> bool:
    """Tell whether what is written goes to a standard output that is not known to show UTF-8."""
    if output.path is not None:
        return False
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    encoding = str(getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    return "utf8" not in encoding or (locale.partition(".")[0] in {"C", "POSIX"} and "utf" not in locale.lower())


def as_ascii(text: str) -> str:
    """Write text in ASCII: lines as dashes, letters without their accents, anything else as a question mark.

    Examples
    --------
    >>> as_ascii("Zürich ── 3 µs …")
    'Zurich -- 3 us ...'
    """
    spelled = unicodedata.normalize("NFKD", text.translate(ASCII))
    return "".join(c for c in spelled if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def assumptions_table(title: str, rows: Sequence[Assumption]) -> Table:
    """Return assumptions with their ranges and sources."""
    from planner.assumptions import value_text

    return table_of(
        title,
        rows,
        {
            "assumption": lambda row: row.name,
            "value:": lambda row: value_text(row.value, row.unit),
            "unit": lambda row: row.unit,
            "range": lambda row: "" if row.low == row.high else f"{row.low:g} to {row.high:g}",
            "": lambda row: "set by you" if row.overridden else "weak" if row.weak else "",
            "source": lambda row: f"{row.source} ({row.as_of})" if row.as_of else row.source,
        },
        "change one with --set NAME=VALUE; weak: second-hand, or our own judgment",
        leaving=("range", "unit"),
        whole=("assumption", "range", ""),
    )
