"""Use, its cost and the decision as one page that opens by a double click and asks for nothing from anywhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np

from planner.decision import Decision
from planner.report.chart_rows import Rows
from planner.report.charts import OWN, RENT, USD, Spec, by_name, chart_of, number
from planner.report.decision import LADDER_WORDS, decision_tables, ladder_steps
from planner.report.page.document import tables_page
from planner.report.usage.tables import usage_tables
from planner.usage.answer import Usage
from pricing.clock import HOURS_PER_MONTH

MOST_GROUPS = 15
REST = "(others)"
NO_NAME = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One chart and the numbers in it.

    Attributes
    ----------
    key : str
        Of its place in the page.
    title, caption : str
        What it shows.
    columns : tuple of (str, str)
        Keys of the rows, and their headings in a workbook, in order: words first, numbers after.
    rows : Rows
        The numbers.
    spec : Spec
        The chart, in Vega-Lite.
    """

    key: str
    title: str
    caption: str
    columns: tuple[tuple[str, str], ...]
    rows: Rows
    spec: Spec


def pictures(usage: Usage, decision: Decision | None, *, tag: str = "") -> tuple[Picture, ...]:
    """Return the pictures that this use has numbers for.

    Parameters
    ----------
    usage : Usage
        What was used.
    decision : Decision or None
        What to do about it.
    tag : str
        By whose values cost is divided; else by account.
    """
    shown = [_cost(usage, tag), _use(usage), _duration(usage), _waste(usage), _ladder(decision)]
    return tuple(picture for picture in shown if picture is not None and picture.rows)


def _picture(
    key: str, said: tuple[str, str], caption: str, columns: dict[str, str], rows: Rows, mark: Spec, **encoding: Spec
) -> Picture:
    """Return a picture by its title and description, the headings of its rows, and its marks."""
    spec = chart_of(*said, rows, key, mark=mark, encoding=encoding)
    return Picture(key=key, title=said[0], caption=caption, columns=tuple(columns.items()), rows=rows, spec=spec)


def _cost(usage: Usage, tag: str) -> Picture | None:
    """Cost by owner and accelerator, the dearest owners first."""
    if usage.effective_usd is None:
        return None
    by_tag = any(group.name for group in usage.groups.get("tag", ()))
    kind = "tag" if by_tag else "account"
    table = usage.table
    owners, gpus = table.words[kind], table.words["gpu"]
    pairs: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    used = table.equals("state", "used")
    codes = table.codes[kind] * len(gpus) + table.codes["gpu"]
    size = len(owners) * len(gpus)
    usd = np.bincount(codes, weights=table.values["effective_usd"], minlength=size)
    hours = np.bincount(codes[used], weights=table.values["gpu_hours"][used], minlength=size)
    shown = {group.name for group in usage.groups.get(kind, ())[:MOST_GROUPS]} or {""}
    for place in np.flatnonzero((usd != 0) | (hours != 0)):
        owner, gpu = owners[place // len(gpus)], gpus[place % len(gpus)]
        pair = pairs[(owner or NO_NAME) if owner in shown else REST, gpu]
        pair[0] += float(usd[place])
        pair[1] += float(hours[place])
    rows: Rows = [
        {"who": who, "what": gpu, "usd": money, "gpu_hours": worked} for (who, gpu), (money, worked) in pairs.items()
    ]
    rows.sort(key=lambda row: (-row["usd"], row["who"], row["what"]))
    name = f"tag {tag}" if by_tag and tag else kind
    order = {"field": "usd", "op": "sum", "order": "descending"}
    return _picture(
        "cost",
        (f"Cost by {name} and accelerator", f"Bars of cost, one for each {name}, divided by accelerator."),
        "Effective cost in USD, unused commitments included.",
        {"who": name, "what": "accelerator", "gpu_hours": "used, GPU-h", "usd": "cost, USD"},
        rows,
        {"type": "bar"},
        y={"field": "who", "type": "nominal", "title": None, "sort": order},
        x=number("usd", title="USD", aggregate="sum", axis=USD),
        color=by_name(list(dict.fromkeys(row["what"] for row in rows)), symbolType="square"),
    )


def _use(usage: Usage) -> Picture | None:
    """Mean accelerators by day: what ran, and, where counters looked, what was busy."""
    lines = {usage.measures[0].basis: usage.level}
    busy = sum((busy for busy, _ in usage.counters.values()), start=np.zeros(usage.hours))
    if busy.any():
        lines["busy"] = busy
    rows: Rows = []
    for what, level in lines.items():
        day = (usage.first_hour + np.arange(usage.hours)) // 24
        first = int(day[0])
        sums, counts = np.bincount(day - first, weights=level), np.bincount(day - first)
        rows += [
            {"day": datetime.fromtimestamp((first + place) * 86_400, UTC).date().isoformat(), "what": what, "gpus": float(total / count)}
            for place, (total, count) in enumerate(zip(sums, counts, strict=True))
        ]  # fmt: skip
    return _picture(
        "use",
        ("Accelerators by day", f"Lines of accelerators by day: {', '.join(lines)}."),
        "Mean of each day's hours. The gap between allocated and busy was paid for and idle.",
        {"day": "day", "what": "hours", "gpus": "GPUs, mean"},
        rows,
        {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "point": len(rows) < 40},
        x={"field": "day", "type": "temporal", "title": "day (UTC)"},
        y=number("gpus", title="GPUs, mean of the day"),
        color=by_name(list(lines), symbolType="square"),
    )


def _duration(usage: Usage) -> Picture:
    rows: Rows = [
        {"what": measure.basis, "share": 100 * share, "gpus": level}
        for measure in usage.measures
        for share, level in measure.curve.duration
    ]
    names = list(dict.fromkeys(row["what"] for row in rows))
    return _picture(
        "duration",
        ("Load-duration curve", "Lines that fall: the accelerators that are needed in at least a share of the hours."),
        "What is needed in most hours is worth owning or committing to; the tip is worth renting by the hour.",
        {"what": "hours", "share": "% of the hours", "gpus": "GPUs, at least"},
        rows,
        {"type": "line", "interpolate": "step-after", "strokeWidth": 2.5},
        x=number("share", title="% of the hours"),
        y=number("gpus", title="GPUs, at least"),
        color=by_name(names, symbolType="square"),
    )


def _waste(usage: Usage) -> Picture | None:
    """Return what was paid and did nothing, by the month."""
    if usage.effective_usd is None:
        return None
    to_months = HOURS_PER_MONTH / usage.hours
    rows: Rows = []
    if usage.commitments is not None:
        rows += [
            {"what": "commitments not used", "usd": usage.commitments.unused_usd * to_months},
            {"what": "reserved capacity not used", "usd": usage.commitments.unused_reservation_usd * to_months},
        ]
    if usage.gpu_hours > 0:
        hour_usd = (usage.effective_usd - (usage.unused_usd or 0.0)) / usage.gpu_hours
        rows += [
            {"what": f"{idle.gpu or 'accelerators'} allocated and not busy", "usd": idle.gpu_hours_per_month * hour_usd}
            for idle in usage.idle
        ]
    rows = [row for row in rows if row["usd"] > 0]
    return _picture(
        "waste",
        ("Paid for and not used", "Bars of cost a month, one for each kind of waste."),
        "A month's cost of unused commitments and reservations, and of machines that the counters saw idle (at the mean price of an hour).",
        {"what": "what", "usd": "USD a month"},
        rows,
        {"type": "bar", "color": OWN},
        y={"field": "what", "type": "nominal", "title": None, "sort": "-x"},
        x=number("usd", title="USD a month", axis=USD),
    )


def _ladder(decision: Decision | None) -> Picture | None:
    if decision is None or len(decision.ladder) < 2:
        return None
    paid = decision.ladder[0].usd_per_month + decision.ladder[0].saving_usd_per_month
    rows: Rows = [{"what": "paid today", "usd": paid, "saves": 0.0, "committed": None, "capex": None}]
    rows += [
        {
            "what": LADDER_WORDS[step.kind],
            "usd": step.usd_per_month,
            "saves": step.saving_usd_per_month,
            "committed": step.committed_usd_per_month,
            "capex": step.capex_usd,
        }
        for step in ladder_steps(decision)
    ]
    return _picture(
        "ladder",
        (
            "The ladder: what each further purchase option would cost",
            "Bars of cost a month: what is paid today, the cheapest mix with each further purchase option, and what is recommended.",
        ),
        "Each step is the cheapest mix of that option and those above, for the machines that were considered; what is recommended saves in most simulated futures too.",
        {
            "what": "with",
            "usd": "cost, USD a month",
            "saves": "saves, USD a month",
            "committed": "committed, USD a month",
            "capex": "capex, USD",
        },
        rows,
        {"type": "bar", "color": RENT},
        y={"field": "what", "type": "nominal", "title": None, "sort": None},
        x=number("usd", title="USD a month", axis=USD),
    )


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
