"""The plan as one page: a file that opens by a double click, asks for nothing from anywhere, and can be played with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from planner import __version__
from planner.costs.financing import CASH, Financing
from planner.report.charts import Spec
from planner.report.formulas import models_key, models_script
from planner.report.live import financing_of_plan, runs_once
from planner.report.overview import overview
from planner.report.page.body import data_script, figure_html, plan_parts, table_html
from planner.report.table import Table

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord

ENGINE = ("vega/vega.min.js", "vega/vega-lite.min.js", "vega/vega-embed.min.js")
"""The chart engine, in the order of loading; pinned by hash in ``assets/vega/SHA256SUMS``."""
Assets = Mapping[str, str]
Models = tuple[bool, Financing]
"""Whether the work is run once, and how hardware is paid: what the formulas of a page depend on."""


@cache
def asset(name: str) -> str:
    """Return the text of a bundled file."""
    return resources.files("planner").joinpath("report", "assets", *name.split("/")).read_text(encoding="utf-8")


def _in_script(text: str) -> str:
    """Return a script that cannot end the element that it stands in."""
    lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
    return "\n".join(lines).replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy(scripts: Iterable[str], styles: Iterable[str], *, served: bool = False) -> str:
    """Return a content security policy that allows these inline texts and nothing else.

    Parameters
    ----------
    scripts, styles : iterable of str
        Inline texts.
    served : bool
        Whether the page comes from our own server, which then may serve scripts, styles and forms.
    """
    own = "'self' " if served else ""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {own}{' '.join(map(_hash, scripts))}".strip(),
            f"style-src {own}{' '.join(map(_hash, styles))}".strip(),
            "img-src data:",
            "base-uri 'none'",
            "form-action " + ("'self'" if served else "'none'"),
        ]
    )


def page(record: PlanRecord, *, around: str = "", links: Assets | None = None) -> str:
    """Return a plan as HTML.

    Parameters
    ----------
    record : PlanRecord
        The plan, in JSON's own types.
    around : str
        HTML to stand above the plan (the web app's form).
    links : mapping of str to str, optional
        Addresses of scripts and styles by the names of their assets; without it everything is in the page.
    """
    body, data = plan_parts(record)
    whole = f'{around}<main id="main">{body}{_made_by(record)}</main>\n{data}'
    return html_document(record["verdict"]["headline"], whole, {_models(record)}, links)


def pages(records: Sequence[PlanRecord]) -> str:
    """Return several plans as one page: all verdicts in a table with their sum, then each plan with its own sliders."""
    table = overview(records)
    parts = [plan_parts(record, prefix=f"w{i}-", level=2) for i, record in enumerate(records, 1)]
    sections = "".join(f'<section class="plan" id="w{i}-main">{body}</section>' for i, (body, _) in enumerate(parts, 1))
    rows = table_html(table, "overview", level=2)
    for i in range(1, len(records) + 1):  # from a row of the table to its plan
        rows = rows.replace(f"<td class=n>{i}</td>", f'<td class=n><a href="#w{i}-main">{i}</a></td>', 1)
    title = f"{len(records)} workloads"
    whole = f'<main id="main"><header><h1>{title}</h1></header>{rows}{sections}{_made_by(records[0])}</main>\n'
    return html_document(
        title, whole + "\n".join(data for _, data in parts), {_models(record) for record in records}, None
    )


def _made_by(record: PlanRecord) -> str:
    return _footer(f"{record['program']} on {record['planned_on']}")


def _footer(made_by: str) -> str:
    return f"<footer><p>Made by {escape(made_by)}. This page works offline: keep it, mail it, print it.</p></footer>"


def tables_page(
    whole: Table,
    tables: Sequence[Table],
    charts: Mapping[str, tuple[str, Spec]],
    *,
    long_from: int = 1000,
    about: str = "",
    below: str = "",
) -> str:
    """Return tables and charts as HTML, without sliders.

    Parameters
    ----------
    whole : Table
        The headline and what stands below it.
    tables : sequence of Table
        All others.
    charts : mapping of str to (str, Spec)
        Captions and charts, by the keys of their places.
    long_from : int
        Tables from here on are folded.
    about, below : str
        HTML that ends the header, and the page.
    """
    first = "".join(f"<li>{escape(name)}: {escape(text)}</li>" for name, text in whole.rows)
    figures = "".join(figure_html(key, caption) for key, (caption, _) in charts.items())
    body = (
        f'<header><h1 id="headline">{escape(whole.title)}</h1><ul>{first}</ul>{about}</header>'
        f'<section class="charts" aria-label="Charts">{figures}</section>'
        f"{''.join(table_html(table, f'table-{i}', is_long=i >= long_from) for i, table in enumerate(tables))}"
        f"{below}{_footer(f'gpuplan {__version__}')}"
    )
    payload = {"once": False, "options": [], "charts": {key: spec for key, (_, spec) in charts.items()}}
    return html_document(whole.title, f'<main id="main">{body}</main>\n{data_script(payload)}', {(False, CASH)}, None)


def _models(record: PlanRecord) -> Models:
    return runs_once(record), financing_of_plan(record)


def html_document(title: str, whole: str, kinds: Collection[Models], links: Assets | None) -> str:
    """Return the page around its content, with scripts and styles in it or linked."""
    models = {
        f"page-{models_key(once=once, financing=financing)}.js": models_script(once=once, financing=financing)
        for once, financing in sorted(kinds, key=str)
    }
    if links is None:
        scripts = [_in_script(text) for text in (*map(asset, ENGINE), *models.values(), asset("page.js"))]
        style = asset("page.css")
        security = escape(policy(scripts, [style]), quote=True)
        head = f'<meta http-equiv="Content-Security-Policy" content="{security}">\n<meta name="referrer" content="no-referrer">\n<style>{style}</style>'
        foot = "\n".join(f"<script>{text}</script>" for text in scripts)
    else:
        head = f'<link rel="stylesheet" href="{escape(links["page.css"], quote=True)}">'
        foot = "\n".join(
            f'<script src="{escape(links.get(name, f"assets/{name}"), quote=True)}"></script>'
            for name in (*ENGINE, *models, "page.js")
        )
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{head}</head>\n<body>\n{whole}\n{foot}\n</body></html>\n"
    )
