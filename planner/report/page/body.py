"""What a page shows of one plan: header, sliders, charts, tables; and the numbers that its script plays with."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, get_args

from planner.costs.formulas import site_names
from planner.costs.inputs import Site
from planner.report.chart_rows import Rows, cost_over_time_rows, equal_price_rows, limit_rows, memory_rows, speed_rows
from planner.report.charts import (
    KIND_COLORS,
    OWN,
    RENT,
    Spec,
    cost_over_time,
    equal_price_over_use,
    history_of_prices,
    latency_of_plan,
    memory_of_one,
    percentile_costs,
    share_of_limits,
    speed_against_cost,
    tornado,
)
from planner.report.formulas import models_key
from planner.report.live import (
    Inputs,
    Live,
    Pair,
    binds,
    book_values,
    bridge_id_of,
    cost_inputs,
    crossing_month,
    site_of,
)
from planner.report.option_words import given_back, heading, label
from planner.report.page.head import answer_html, reasons_html
from planner.report.sensitivity import bars_of
from planner.report.short import short_answer
from planner.report.table import Table
from planner.report.values import plain
from planner.report.view import View, plan_view
from planner.report.words import how_paid
from planner.verdict.alternatives import SAME_SHARE

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import PlanRecord

ELECTRICITY_MOST_USD_PER_KWH = 0.5
OPTIONS_SHOWN = 60
"""Rows of the table of options."""
DAY = re.compile(r"\d{4}-\d\d-\d\d")
"""A date, which no line break parts."""
LEAST_MOVE_SHARE = 0.01
"""A price that moved less is a flat line, which shows nothing."""


def plan_parts(record: PlanRecord, *, prefix: str = "", level: int = 1) -> tuple[str, str]:
    """Return the HTML of a plan, and the element with its numbers for the script.

    Parameters
    ----------
    record : PlanRecord
        The plan, in JSON's own types.
    prefix : str
        What the ids of its elements start with, where a page holds several plans.
    level : int
        Of its headline; what stands below is one deeper.
    """
    view = plan_view(record, top=OPTIONS_SHOWN)
    live = Live(record)
    charts = _charts(live)
    return _body(view, live, charts, prefix, level), data_script(_payload(live, charts), prefix)


def data_script(payload: Mapping[str, Any], prefix: str = "") -> str:
    """Return the element with what the page's script reads; text in it cannot end it."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{prefix}plan">{data}</script>'


def figure_html(key: str, caption: str, prefix: str = "") -> str:
    """Return the place of a chart."""
    return (
        f'<figure id="{prefix}figure-{key}"><div class="chart" id="{prefix}chart-{key}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _charts(live: Live) -> dict[str, Spec]:
    """Return the charts that this plan has something to show in, by the id of their place in the page."""
    record, pair = live.record, live.pair()
    chosen = live.by_id.get(record["verdict"]["option_id"])
    charts: dict[str, Spec | None] = {}
    if chosen is not None and (memory := memory_rows(chosen)):
        charts["memory"] = memory_of_one(memory, chosen["accelerator"] or chosen["instance_type"])
    if chosen is not None and (limits := limit_rows(record, chosen)):
        charts["limits"] = share_of_limits(limits)
    if pair is not None:
        charts |= _pair_charts(live, pair, chosen)
    axis, speeds = speed_rows(record)
    bars, history = bars_of(live), _history(record)
    charts |= {
        "speed": speed_against_cost(axis, speeds, record["horizon_months"]) if speeds else None,
        "tornado": tornado(bars) if bars else None,
        "history": history_of_prices(history) if history else None,
        "latency": latency_of_plan(record),
        "percentile": percentile_costs(record),
    }
    return {key: chart for key, chart in charts.items() if chart}


def _pair_charts(live: Live, pair: Pair, chosen: OptionRecord | None) -> dict[str, Spec | None]:
    """Return what renting and owning cost over time, beside a verdict that is neither, and where they cost the same."""
    rent, own = pair
    shown = {"rent": live.cost(rent, live.planned), "own": live.cost(own, live.planned)}
    colors = [RENT, OWN]
    if chosen is not None and chosen["kind"] not in {"rent", "buy"}:
        shown["the verdict"] = live.cost(chosen, live.planned)
        colors.append(KIND_COLORS[chosen["kind"]])
    months = live.record["horizon_months"]
    if live.once:  # after the run there is nothing to see
        months = min(months, int(max(cost.lines["last_month"] for cost in shown.values())) + 2)
    month = crossing_month(shown["rent"], shown["own"])
    charts: dict[str, Spec | None] = {
        "paid": cost_over_time(cost_over_time_rows(shown, months), list(shown), month, colors)
    }
    price, needed = rent["price_usd_per_hour"], own["needed_share"]
    if not live.once and cost_inputs(rent)["kind"] == "rent" and price is not None:
        curve = equal_price_rows(shown["rent"], shown["own"], price, needed)
        charts["equal"] = equal_price_over_use(curve, needed * 100, price)
    return charts


def _history(record: PlanRecord) -> Rows:
    """Return the observed prices of the options compared, of those whose price has moved."""
    options = {option["id"]: option for option in record["options"]}
    return [
        {"what": _machine(options[line["option_id"]]), "day": point["day"], "usd_per_hour": point["usd_per_hour"]}
        for line in record.get("price_history") or ()
        if line["option_id"] in options and _moves([point["usd_per_hour"] for point in line["points"]])
        for point in line["points"]
    ]


def _machine(option: OptionRecord) -> str:
    """Return whose price one instance has."""
    return f"{option['instance_type']}, {option['provider']} {option['region']}, {how_paid(option['purchase_option'])}"


def _moves(prices: Sequence[float]) -> bool:
    """Tell whether a price has a history worth a chart."""
    return max(prices) > (1 + LEAST_MOVE_SHARE) * min(prices)


def _payload(live: Live, charts: Mapping[str, Spec]) -> dict[str, Any]:
    """Return what the script needs: numbers of the options, assumptions, charts."""
    record, pair = live.record, live.pair()
    options = [
        {
            "id": option["id"],
            "kind": option["kind"],
            "model": cost_inputs(option)["kind"],
            "label": label(option),
            "head": heading(option),
            "hours": option["hours_per_run"],
            "given_back": given_back(option, record["workload"]["kind"]),
            "binds": binds(option),
            "choosable": option["choosable"],
            "staged": bool(option["cost"].get("stages")),
            "eligible": live.is_eligible(option, Inputs(horizon_months=10**6)),
            "bridge": bridge_id_of(option),
            "needed": option["needed_share"],
            "book": book_values(option),
            "site": site_of(option) or None,
        }
        for option in live.options
    ]
    names = {name for site in ("home", "colocation") for name in site_names(site).values()}
    parts = ("money.", "own.", "rent.", "verdict.")
    used = {key: value for key, value in live.assumptions.items() if key.startswith(parts)}
    return dict(
        plain(
            {
                "horizon_months": record["horizon_months"],
                "months": live.months,
                "once": live.once,
                "same_share": SAME_SHARE,
                "model": models_key(once=live.once, financing=live.financing),
                "headline": record["verdict"]["headline"],
                "choice": record["verdict"]["option_id"],
                "assumptions": used | {name: live.assumptions[name] for name in sorted(names)},
                "sites": {site: site_names(site) for site in get_args(Site)},
                "options": options,
                "rent": pair[0]["id"] if pair else None,
                "own": pair[1]["id"] if pair else None,
                "compared": _compared(live),
                "charts": charts,
            }
        )
    )


CAPTIONS = {
    "memory": "What fills the memory of one accelerator of the verdict, as planned.",
    "limits": "How much of each limit the verdict takes; TTFT and TPOT are simulated where percentiles are given.",
    "latency": "How many of the requests the machines answer within each time, drawn over its limit (dashed line), simulated at the busiest rate with the spares lost. Beside a hosted verdict these are the best rented machines.",
    "percentile": "What these machines would cost a month if the limits had to hold for that percentage of the requests, spares included.",
    "paid": "What renting and owning have cost up to each month, discounted to today. Steps are purchases, refreshes and sales.",
    "equal": "The break-even curve: for each share of time in use, the rent at which both cost the same.",
    "speed": "Each option by its speed and its cost over the horizon; the line joins those that no other option beats on both. Pale ones are not recommended.",
    "tornado": "What owning saves over the rent it is compared with, when only one assumption moves through its range. Colored bars change which side is cheaper; the dashed line is the plan.",
    "history": "Hourly prices of one instance as they were observed: of the offers compared, else of the cheapest with a known history.",
}


def _body(view: View, live: Live, charts: Mapping[str, Spec], prefix: str, level: int) -> str:
    answer = short_answer(live.record)
    figures = {key: figure_html(key, CAPTIONS[key], prefix) for key in charts}
    first = "".join(figures.pop(key) for key in ("memory", "limits") if key in figures)
    notes = "".join(f"<li>{escape(note)}</li>" for note in view.notes)
    tables = (view.options, view.break_evens, view.turns, view.assumptions, view.sources, view.funnel)
    below = level + 1
    return (
        f"{answer_html(live.record, answer, prefix, level)}"
        f"{table_html(view.alternatives, f'{prefix}table-alternatives', level=below)}"
        f"{reasons_html(live.record, answer, below)}"
        f"{_section(first, 'Memory and limits')}"
        f"{_controls(live, prefix, below)}"
        f"{_section(''.join(figures.values()), 'Charts')}"
        f"{''.join(table_html(table, f'{prefix}table-{i}', level=below, is_long=i >= 3) for i, table in enumerate(tables))}"
        f"{f'<section><h{below}>Notes</h{below}><ul>{notes}</ul></section>' if notes else ''}"
    )


def _section(figures: str, name: str) -> str:
    return f'<section class="charts" aria-label="{name}">{figures}</section>' if figures else ""


def _controls(live: Live, prefix: str, level: int) -> str:
    """Return the sliders; without a rent and a server to compare there is nothing to move."""
    pair = live.pair()
    if pair is None:
        return ""
    rent, own = pair
    site = site_names(site_of(own) or "colocation")
    tariff = live.assumptions[site["site.electricity_usd_per_kwh"]]
    price = rent["price_usd_per_hour"] or 1.0
    needed = own["needed_share"] * 100
    choices = "".join(
        f'<option value="{escape(name, quote=True)}"{" selected" if name == rent["id"] else ""}>{escape(label(live.by_id[name]))}</option>'
        for name in _compared(live)
    )
    first = live.assumptions["own.resale_after_12_months_share"]
    most_resale = min(2.0, 1 / first) if first > 0 else 2.0
    sliders = [
        ("horizon", "Horizon", "months", 1, live.months, 1, live.record["horizon_months"]),
        ("price", "Rent of one instance", "USD/h", 0, _nice(price * 4), _nice(price * 4) / 400, price),
        ("electricity", "Electricity for owned servers", "USD/kWh", 0, max(ELECTRICITY_MOST_USD_PER_KWH, _nice(2 * tariff)), 0.001, tariff),
        ("resale", "Resale price, against the plan", "times", 0, round(most_resale, 2), 0.01, 1),
    ]  # fmt: skip
    if not live.once:
        sliders.insert(0, ("needed", "Time in use", "%", 1, 100, 0.5, needed))
    rows = "".join(
        f'<div class="slider"><label for="{prefix}{key}">{escape(words)}</label>'
        f'<input type="range" id="{prefix}{key}" min="{least:g}" max="{most:g}" step="any" data-step="{step:g}" value="{value!r}">'
        f'<output for="{prefix}{key}" id="{prefix}{key}-shown" data-unit="{escape(unit)}"></output></div>'
        for key, words, unit, least, most, step, value in sliders
    )
    return (
        f'<section class="controls" aria-labelledby="{prefix}controls-title" id="{prefix}controls" hidden>'
        f'<h{level} id="{prefix}controls-title">What if</h{level}>'
        f'<div class="slider wide"><label for="{prefix}compared">Rent to compare with owning</label>'
        f'<select id="{prefix}compared">{choices}</select></div>'
        f'{rows}<p id="{prefix}pair" class="said"></p><p id="{prefix}live" class="live" role="status" aria-live="polite"></p>'
        f'<p class="buttons"><button type="button" id="{prefix}reset">Back to the plan</button></p></section>'
    )


def _compared(live: Live) -> list[str]:
    """Return the rents that owning can be compared with."""
    return [pair["rent_id"] for pair in live.record["break_evens"] if pair["rent_id"] in live.by_id]


def _nice(value: float) -> float:
    """Return a round number at or above."""
    step = 10.0 ** math.floor(math.log10(value)) / 2 if value > 0 else 1.0
    return math.ceil(value / step) * step


def table_html(table: Table, key: str, *, level: int = 2, is_long: bool = False) -> str:
    """Return a table that sorts by a click on a heading; long ones are folded."""
    if not table.rows and not table.note:
        return ""
    title = f"<h{level}>{escape(table.title)}</h{level}>"
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    if not table.rows:
        return f"<section>{title}{note}</section>"
    heads = "".join(
        f'<th scope="col"{" class=n" if column.is_number else ""}><button type="button">{escape(column.name or ("Kind" if not index else "mark"))}'
        f"{f'<small>{escape(column.unit)}</small>' if column.unit else ''}</button></th>"
        for index, column in enumerate(table.columns)
    )
    rows = "".join(_row(table, row) for row in table.rows)
    grid = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title, quote=True)}">'
        f'<table id="{key}"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
    if is_long:
        return f"<section><details><summary>{title}</summary>{grid}{note}</details></section>"
    return f"<section>{title}{grid}{note}</section>"


def _row(table: Table, row: Sequence[str]) -> str:
    kind = ""
    if table.columns[0].name == "#":
        marks = {"*": ' class="chosen"', "?": ' class="barred"', "": ' class="total"'}
        kind = marks.get(row[0][-1:], "")
    elif row[0].startswith(("> ", "? ")):
        kind = ' class="chosen"' if row[0][0] == ">" else ' class="barred"'
    cells = "".join(
        f"<td{' class=n' if column.is_number else ' class=day' if DAY.fullmatch(cell) else ''}>{escape(cell)}</td>"
        for column, cell in zip(table.columns, row, strict=True)
    )
    return f"<tr{kind}>{cells}</tr>"
