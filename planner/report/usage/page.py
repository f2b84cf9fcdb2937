"""Use, its cost and the decision as one page that opens by a double click and asks for nothing from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from planner import __version__
from planner.costs.financing import CASH
from planner.decision import Decision
from planner.report.decision import decision_tables
from planner.report.page import html_document
from planner.report.page_body import data_script, figure_html, table_html
from planner.report.usage.pictures import pictures
from planner.report.usage.tables import usage_tables
from planner.usage.answer import Usage

CHART_ORDER = ("ladder", "cost", "use", "duration", "waste")


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
    shown = sorted(pictures(usage, decision, tag=tag), key=lambda picture: CHART_ORDER.index(picture.key))
    tables = [*(decision_tables(decision) if decision else ()), *usage_tables(usage, tag=tag)]
    whole, *rest = tables
    figures = "".join(figure_html(picture.key, picture.caption) for picture in shown)
    first = "".join(f"<li>{escape(name)}: {escape(said)}</li>" for name, said in whole.rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in _sentences(whole.note))
    body = (
        f'<header><h1 id="headline">{escape(whole.title)}</h1><ul>{first}</ul></header>'
        f'<section class="charts" aria-label="Charts">{figures}</section>'
        f"{''.join(table_html(table, f'table-{number}', is_long=number > LONG_FROM) for number, table in enumerate(rest))}"
        f"{f'<section><h2>Notes</h2><ul>{notes}</ul></section>' if notes else ''}"
        f"<footer><p>Made by gpuplan {escape(__version__)}. This page works offline: keep it, mail it, print it.</p></footer>"
    )
    payload = {"once": False, "options": [], "charts": {picture.key: picture.spec for picture in shown}}
    return html_document(whole.title, f'<main id="main">{body}</main>\n{data_script(payload)}', {(False, CASH)}, None)


LONG_FROM = 8
"""Tables from here on are folded."""


def _sentences(note: str) -> Sequence[str]:
    return [part for part in note.split("; ") if part]
