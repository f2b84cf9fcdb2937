"""Use, its cost and the decision as one page that opens by a double click and asks for nothing from anywhere."""

from __future__ import annotations

from html import escape

from planner.decision import Decision
from planner.report.decision import decision_tables
from planner.report.page import tables_page
from planner.report.usage.pictures import pictures
from planner.report.usage.tables import usage_tables
from planner.usage.answer import Usage

CHART_ORDER = ("ladder", "cost", "use", "duration", "waste")
LONG_FROM = 9
"""Tables from here on are folded."""


def usage_page(usage: Usage, decision: Decision | None = None, *, tag: str = "") -> str:
    """Return the answer of ``gpuplan usage`` as HTML.

    Parameters
    ----------
    usage : Usage
        What was used.
    decision : Decision or None
        What to do about it; then its verdict is the headline.
    tag : str
        By whose values cost is divided.
    """
    by_key = {picture.key: picture for picture in pictures(usage, decision, tag=tag)}
    charts = {key: (by_key[key].caption, by_key[key].spec) for key in CHART_ORDER if key in by_key}
    whole, *tables = (decision_tables(decision) if decision else []) + usage_tables(usage, tag=tag)
    notes = "".join(f"<li>{escape(note)}</li>" for note in whole.note.split("; ") if note)
    below = f"<section><h2>Notes</h2><ul>{notes}</ul></section>" if notes else ""
    return tables_page(whole, tables, charts, long_from=LONG_FROM, below=below)
