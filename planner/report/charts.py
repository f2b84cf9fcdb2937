"""Charts as Vega-Lite specifications: plain dictionaries, the same for page, web app and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planner.report.chart_rows import KIND_WORDS, Rows

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of the language; nothing is fetched from there."""
RENT, OWN, TOKENS, CPU, FREE = "#2f7fc1", "#c8690a", "#4f9a3c", "#8a6fc0", "#8c8c8c"
"""Colours that keep a contrast of 3 to 1 on white and on black, and differ for eyes that see no red or no green."""
KIND_COLOURS = {"rent": RENT, "buy": OWN, "api": TOKENS, "cpu": CPU, "free": FREE, "have": FREE}
KIND_SHAPES = {
    "rent": "circle",
    "buy": "square",
    "api": "triangle-up",
    "cpu": "diamond",
    "free": "cross",
    "have": "cross",
}


def chart_of(title: str, description: str, rows: Rows, dataset: str, **rest: Any) -> Spec:
    """Return a chart that takes the colours of the page around it."""
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 14, "fontWeight": 600, "color": "currentColor"},
        "description": description,
        "width": "container",
        "height": 300,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": None,
        "datasets": {dataset: rows},
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": "currentColor",
                "titleColor": "currentColor",
                "tickColor": "currentColor",
                "domainColor": "currentColor",
                "gridColor": "currentColor",
                "gridOpacity": 0.12,
                "titleFontWeight": "normal",
                "labelLimit": 220,
            },
            "legend": {
                "labelColor": "currentColor",
                "titleColor": "currentColor",
                "orient": "bottom",
                "labelLimit": 400,
                "columns": 3,
                "symbolType": "stroke",
            },
        },
        **rest,
    }


def cost_over_time(rows: Rows, names: Sequence[str], month: float | None, colours: Sequence[str]) -> Spec:
    """Return what has been paid over time, with the month from which on owning stays cheaper.

    Parameters
    ----------
    rows : list of dict
        See `cost_over_time_rows`.
    names, colours : sequence of str
        The lines, in the order of the legend.
    month : float or None
        The crossing.
    """
    said = "owning never pays off" if month is None else f"owning pays off from month {month:.1f} on"
    # Always one row, so that the axis has something to hold on to; without a crossing it is not drawn.
    crossing: Rows = [{"month": month or 0.0, "label": "" if month is None else f"month {month:.1f}"}]
    chart = chart_of(
        "Cost so far (NPV)",
        f"Lines of cost over months, one for renting and one for owning; {said}.",
        rows,
        "paid",
        layer=[
            {
                "data": {"name": "paid"},
                "mark": {"type": "line", "strokeWidth": 2.5, "clip": True},
                "encoding": {
                    "x": {
                        "field": "month",
                        "type": "quantitative",
                        "title": "months from today",
                        "axis": {"tickMinStep": 1},
                        "scale": {"nice": False},
                    },
                    "y": {
                        "field": "usd",
                        "type": "quantitative",
                        "title": "USD",
                        "axis": {"format": "~s"},
                    },
                    "color": {
                        "field": "what",
                        "type": "nominal",
                        "scale": {"domain": list(names), "range": list(colours)},
                        "legend": {"title": None},
                    },
                    # Two points of one month are a lump: rows keep their own order.
                    "order": {"field": "step", "type": "quantitative"},
                },
            },
            {
                "data": {"name": "crossing"},
                "mark": {"type": "rule", "strokeDash": [5, 4], "color": "currentColor"},
                "encoding": {
                    "x": {"field": "month", "type": "quantitative"},
                    "opacity": {"condition": {"test": "datum.label", "value": 1}, "value": 0},
                },
            },
            {
                "data": {"name": "crossing"},
                "mark": {"type": "text", "align": "left", "dx": 5, "y": 8, "color": "currentColor"},
                "encoding": {"x": {"field": "month", "type": "quantitative"}, "text": {"field": "label"}},
            },
        ],
    )
    chart["datasets"]["crossing"] = crossing
    return chart


def equal_price_over_use(rows: Rows, needed_percent: float, price_usd_per_hour: float) -> Spec:
    """Return the break-even curve: above it owning is cheaper, below it renting; the plan itself is a point.

    Parameters
    ----------
    rows : list of dict
        See `equal_price_rows`.
    needed_percent, price_usd_per_hour : float
        The plan.
    """
    axes: Spec = {
        "x": {
            "field": "needed_percent",
            "type": "quantitative",
            "title": "time in use, %",
            "scale": {"domain": [0, 100]},
        },
        "y": {"field": "usd_per_hour", "type": "quantitative", "title": "rent of one instance, USD/h"},
    }
    chart = chart_of(
        "Rent at which both cost the same",
        "The break-even rent over the share of time in use. Above the line owning is cheaper, "
        "below it renting; the dot is where you are.",
        rows,
        "equal",
        layer=[
            {
                "data": {"name": "equal"},
                "mark": {"type": "line", "strokeWidth": 2.5, "color": OWN, "clip": True},
                "encoding": {**axes, "y": {**axes["y"], "scale": {"domain": [0, {"expr": "equal_top"}]}}},
            },
            {
                "data": {"name": "here"},
                "mark": {"type": "point", "filled": True, "size": 140, "color": RENT, "opacity": 1},
                "encoding": axes,
            },
            {
                "data": {"name": "here"},
                "mark": {"type": "text", "dy": -13, "color": "currentColor"},
                "encoding": {**axes, "text": {"field": "label"}},
            },
            {
                "data": {"values": [{"text": "above: buy"}]},
                "mark": {"type": "text", "align": "right", "color": OWN, "fontWeight": 600},
                "encoding": {
                    "text": {"field": "text"},
                    "x": {"value": "width"},
                    "y": {"value": 10},
                },
            },
            {
                "data": {"values": [{"text": "below: rent"}]},
                "mark": {"type": "text", "align": "left", "color": RENT, "fontWeight": 600},
                "encoding": {
                    "text": {"field": "text"},
                    "x": {"value": 6},
                    "y": {"value": {"expr": "height - 10"}},
                },
            },
        ],
    )
    at_plan = [row["usd_per_hour"] for row in rows if row["needed_percent"] >= needed_percent]
    chart["params"] = [{"name": "equal_top", "value": 2.5 * max(price_usd_per_hour, at_plan[0] if at_plan else 0.0)}]
    chart["datasets"]["here"] = [
        {"needed_percent": needed_percent, "usd_per_hour": price_usd_per_hour, "label": "you are here"}
    ]
    return chart


def speed_against_cost(axis: str, rows: Rows, months: int) -> Spec:
    """Return cost against speed; the line joins options that none beats in both.

    Parameters
    ----------
    axis : str
        What the speed is.
    rows : list of dict
        See `speed_rows`.
    months : int
        Horizon.
    """
    kinds = [kind for kind in KIND_WORDS if any(row["kind"] == KIND_WORDS[kind] for row in rows)]
    x = {
        "field": "speed",
        "type": "quantitative",
        "title": axis,
        "scale": {"type": "log", "nice": False},
        "axis": {"grid": False},
    }
    y = {
        "field": "usd",
        "type": "quantitative",
        "title": f"NPV in USD, {months} months",
        "scale": {"type": "log", "nice": False},
        "axis": {"format": "~s", "grid": False},
    }
    words = [KIND_WORDS[kind] for kind in kinds]
    return chart_of(
        "Cost against speed",
        "Every option by speed and cost. The line joins those that no other option beats on both; lower left is better.",
        rows,
        "speeds",
        layer=[
            {
                "data": {"name": "speeds"},
                "transform": [{"filter": "datum.best"}],
                "mark": {"type": "line", "interpolate": "step-after", "color": "currentColor", "opacity": 0.5},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"name": "speeds"},
                "mark": {"type": "point", "filled": True},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": {
                        "field": "kind",
                        "type": "nominal",
                        "scale": {"domain": words, "range": [KIND_COLOURS[kind] for kind in kinds]},
                        "legend": {"title": None, "columns": 5, "symbolType": "circle"},
                    },
                    "shape": {
                        "field": "kind",
                        "type": "nominal",
                        "scale": {"domain": words, "range": [KIND_SHAPES[kind] for kind in kinds]},
                        "legend": {"title": None, "columns": 5},
                    },
                    "size": {"condition": {"test": "datum.chosen", "value": 200}, "value": 50},
                    "opacity": {"condition": {"test": "datum.choosable", "value": 0.85}, "value": 0.3},
                    "tooltip": [
                        {"field": "what", "title": "option"},
                        {"field": "speed", "format": ".3~s", "title": axis},
                        {"field": "usd", "format": ",.0f", "title": "USD"},
                    ],
                },
            },
            {
                "data": {"name": "speeds"},
                "mark": {"type": "text", "dx": 10, "align": "left", "color": "currentColor", "fontWeight": 600},
                "encoding": {
                    "x": x,
                    "y": y,
                    "text": {"condition": {"test": "datum.chosen", "value": "the verdict"}, "value": ""},
                },
            },
        ],
    )


def tornado(bars: Rows) -> Spec:
    """Return what each assumption alone does to the saving of owning, the widest first.

    Parameters
    ----------
    bars : list of dict
        ``name``, ``low_usd``, ``high_usd``, ``base_usd`` and ``turns_verdict`` each.
    """
    y = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 320}}
    zero = {"type": "quantitative", "title": "saving of owning, NPV in USD", "axis": {"format": "~s"}}
    chart = chart_of(
        "Which assumptions decide the verdict",
        "Bars show what owning saves when only one assumption is at the low or the high end of its range.",
        bars,
        "bars",
        layer=[
            {
                "data": {"name": "bars"},
                "mark": {"type": "bar", "height": 13},
                "encoding": {
                    "y": y,
                    "x": {**zero, "field": "low_usd"},
                    "x2": {"field": "high_usd"},
                    "color": {
                        "condition": {"test": "datum.turns_verdict", "value": OWN},
                        "value": FREE,
                    },
                    "tooltip": [
                        {"field": "name", "title": "assumption"},
                        {"field": "low", "title": "low"},
                        {"field": "low_usd", "format": ",.0f", "title": "saving at low"},
                        {"field": "high", "title": "high"},
                        {"field": "high_usd", "format": ",.0f", "title": "saving at high"},
                    ],
                },
            },
            {
                "data": {"values": [{"at": 0}]},
                "mark": {"type": "rule", "color": "currentColor"},
                "encoding": {"x": {**zero, "field": "at"}},
            },
            {
                "data": {"values": [{"at": bars[0]["base_usd"] if bars else 0}]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "currentColor"},
                "encoding": {"x": {**zero, "field": "at"}},
            },
        ],
    )
    chart["height"] = 70 + 20 * len(bars)
    return chart


def history_of_prices(rows: Rows) -> Spec:
    """Return what offers have cost over time.

    Parameters
    ----------
    rows : list of dict
        ``what``, ``day`` (ISO text) and ``usd_per_hour`` each.
    """
    names = list(dict.fromkeys(row["what"] for row in rows))
    return chart_of(
        "What offers like these have cost",
        "Hourly prices of the options compared, over time, as they were observed.",
        rows,
        "prices",
        data={"name": "prices"},
        mark={"type": "line", "interpolate": "step-after", "point": True},
        encoding={
            "x": {"field": "day", "type": "temporal", "title": None},
            "y": {"field": "usd_per_hour", "type": "quantitative", "title": "USD/h of one instance"},
            "color": {
                "field": "what",
                "type": "nominal",
                "scale": {"domain": names, "range": [RENT, OWN, TOKENS, CPU][: len(names)]},
                "legend": {"title": None, "columns": 1, "labelLimit": 600},
            },
        },
    )
