"""Charts as Vega-Lite specifications: plain dictionaries, the same for page, web app and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.report.chart_rows import KIND_WORDS, Rows

if TYPE_CHECKING:
    from planner.report.schema.option import LatencyCurve
    from planner.report.schema.plan import PlanRecord
    from planner.report.sensitivity import LiveBar


Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of the language; nothing is fetched from there."""
RENT, OWN, TOKENS, CPU, FREE = "#2f7fc1", "#c8690a", "#4f9a3c", "#8a6fc0", "#8c8c8c"
"""Colors that keep a contrast of 3 to 1 on white and on black, and differ for eyes that see no red or no green."""
COLORS = (RENT, OWN, TOKENS, CPU, FREE)
KIND_COLORS = {"rent": RENT, "buy": OWN, "api": TOKENS, "cpu": CPU, "free": FREE, "have": FREE}
KIND_SHAPES = {
    "rent": "circle",
    "buy": "square",
    "api": "triangle-up",
    "cpu": "diamond",
    "free": "cross",
    "have": "cross",
}
USD: Spec = {"format": "~s"}
INK = "currentColor"
LEGEND = {
    "labelColor": INK,
    "titleColor": INK,
    "orient": "bottom",
    "labelLimit": 400,
    "columns": 3,
    "symbolType": "stroke",
}
AXIS = {
    **{f"{part}Color": INK for part in ("label", "title", "tick", "domain", "grid")},
    "gridOpacity": 0.12,
    "titleFontWeight": "normal",
    "labelLimit": 220,
}


def chart_of(title: str, description: str, rows: Sequence[Mapping[str, Any]], dataset: str, **rest: Any) -> Spec:
    """Return a chart that takes the colors of the page around it, of layers or of one mark with its encoding."""
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 14, "fontWeight": 600, "color": INK},
        "description": description,
        "width": "container",
        "height": 300,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": None,
        "datasets": {dataset: rows},
        "config": {"font": "system-ui, sans-serif", "view": {"stroke": None}, "axis": AXIS, "legend": LEGEND},
        **({} if "layer" in rest else {"data": {"name": dataset}}),
        **rest,
    }


def layer(data: str | Rows, kind: str, encoding: Spec, **mark: Any) -> Spec:
    """Return a layer of marks of one kind, of a named dataset or of rows of its own."""
    source = {"name": data} if isinstance(data, str) else {"values": data}
    return {"data": source, "mark": {"type": kind, **mark}, "encoding": encoding}


def number(field: str, **rest: Any) -> Spec:
    """Return the encoding of a number."""
    return {"field": field, "type": "quantitative", **rest}


def by_name(names: Sequence[str], colors: Sequence[str] = COLORS, **legend: Any) -> Spec:
    """Return the encoding of names by colors."""
    scale = {"domain": list(names), "range": [colors[place % len(colors)] for place in range(len(names))]}
    return {"field": "what", "type": "nominal", "scale": scale, "legend": {"title": None, **legend}}


def cost_over_time(rows: Rows, names: Sequence[str], month: float | None, colors: Sequence[str]) -> Spec:
    """Return what has been paid over time, with the month from which on owning stays cheaper.

    Parameters
    ----------
    rows : list of dict
        See `cost_over_time_rows`.
    names, colors : sequence of str
        The lines, in the order of the legend.
    month : float or None
        The crossing.
    """
    said = "owning never pays off" if month is None else f"owning pays off from month {month:.1f} on"
    at_month = number("month")
    paid = {
        "x": number("month", title="months from today", axis={"tickMinStep": 1}, scale={"nice": False}),
        "y": number("usd", title="USD", axis=USD),
        "color": by_name(names, colors),
        "order": number("step"),  # two points of one month are a lump: rows keep their own order
    }
    opacity = {"condition": {"test": "datum.label", "value": 1}, "value": 0}
    label = {"x": at_month, "text": {"field": "label"}}
    chart = chart_of(
        "Cost so far (NPV)",
        f"Lines of cost over months, one for renting and one for owning; {said}.",
        rows,
        "paid",
        layer=[
            layer("paid", "line", paid, strokeWidth=2.5, clip=True),
            layer("crossing", "rule", {"x": at_month, "opacity": opacity}, strokeDash=[5, 4], color=INK),
            layer("crossing", "text", label, align="left", dx=5, y=8, color=INK),
        ],
    )
    # Always one row, so that the axis has something to hold on to; without a crossing it is not drawn.
    chart["datasets"]["crossing"] = [{"month": month or 0.0, "label": "" if month is None else f"month {month:.1f}"}]
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
    x = number("needed_percent", title="time in use, %", scale={"domain": [0, 100]})
    y = number("usd_per_hour", title="rent of one instance, USD/h")
    curve = {"x": x, "y": {**y, "scale": {"domain": [0, {"expr": "equal_top"}]}}}
    said = {"field": "text"}
    above = {"text": said, "x": {"value": "width"}, "y": {"value": 10}}
    below = {"text": said, "x": {"value": 6}, "y": {"value": {"expr": "height - 10"}}}
    chart = chart_of(
        "Rent at which both cost the same",
        "The break-even rent over the share of time in use. Above the line owning is cheaper, "
        "below it renting; the dot is where you are.",
        rows,
        "equal",
        layer=[
            layer("equal", "line", curve, strokeWidth=2.5, color=OWN, clip=True),
            layer("here", "point", {"x": x, "y": y}, filled=True, size=140, color=RENT, opacity=1),
            layer("here", "text", {"x": x, "y": y, "text": {"field": "label"}}, dy=-13, color=INK),
            layer([{"text": "above: buy"}], "text", above, align="right", color=OWN, fontWeight=600),
            layer([{"text": "below: rent"}], "text", below, align="left", color=RENT, fontWeight=600),
        ],
    )
    at_plan = [row["usd_per_hour"] for row in rows if row["needed_percent"] >= needed_percent]
    chart["params"] = [{"name": "equal_top", "value": 2.5 * max(price_usd_per_hour, at_plan[0] if at_plan else 0.0)}]
    here = {"needed_percent": needed_percent, "usd_per_hour": price_usd_per_hour, "label": "you are here"}
    chart["datasets"]["here"] = [here]
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
    words = [KIND_WORDS[kind] for kind in kinds]
    log = {"type": "log", "nice": False}
    places: Spec = {
        "x": number("speed", title=axis, scale=log, axis={"grid": False}),
        "y": number("usd", title=f"NPV in USD, {months} months", scale=log, axis={**USD, "grid": False}),
    }
    shapes = {"domain": words, "range": [KIND_SHAPES[kind] for kind in kinds]}
    points: Spec = {
        **places,
        "color": {
            **by_name(words, [KIND_COLORS[kind] for kind in kinds], columns=5, symbolType="circle"),
            "field": "kind",
        },
        "shape": {"field": "kind", "type": "nominal", "scale": shapes, "legend": {"title": None, "columns": 5}},
        "size": {"condition": {"test": "datum.chosen", "value": 200}, "value": 50},
        "opacity": {"condition": {"test": "datum.choosable", "value": 0.85}, "value": 0.3},
        "tooltip": [
            {"field": "what", "title": "option"},
            {"field": "speed", "format": ".3~s", "title": axis},
            {"field": "usd", "format": ",.0f", "title": "USD"},
        ],
    }
    verdict = {"condition": {"test": "datum.chosen", "value": "the verdict"}, "value": ""}
    best = layer("speeds", "line", places, interpolate="step-after", color=INK, opacity=0.5)
    return chart_of(
        "Cost against speed",
        "Every option by speed and cost. The line joins those that no other option beats on both; lower left is better.",
        rows,
        "speeds",
        layer=[
            {**best, "transform": [{"filter": "datum.best"}]},
            layer("speeds", "point", points, filled=True),
            layer("speeds", "text", {**places, "text": verdict}, dx=10, align="left", color=INK, fontWeight=600),
        ],
    )


def tornado(bars: Sequence[LiveBar]) -> Spec:
    """Return what each assumption alone does to the saving of owning, the widest first."""
    at = number("at", title="saving of owning, NPV in USD", axis=USD)
    both_ends = {
        "y": {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 320}},
        "x": {**at, "field": "low_usd"},
        "x2": {"field": "high_usd"},
        "color": {"condition": {"test": "datum.turns_verdict", "value": OWN}, "value": FREE},
        "tooltip": [
            {"field": "name", "title": "assumption"},
            {"field": "low", "title": "low"},
            {"field": "low_usd", "format": ",.0f", "title": "saving at low"},
            {"field": "high", "title": "high"},
            {"field": "high_usd", "format": ",.0f", "title": "saving at high"},
        ],
    }
    planned_usd = bars[0]["base_usd"] if bars else 0
    return chart_of(
        "Which assumptions decide the verdict",
        "Bars show what owning saves when only one assumption is at the low or the high end of its range.",
        bars,
        "bars",
        height=70 + 20 * len(bars),
        layer=[
            layer("bars", "bar", both_ends, height=13),
            layer([{"at": 0}], "rule", {"x": at}, color=INK),
            layer([{"at": planned_usd}], "rule", {"x": at}, strokeDash=[4, 3], color=INK),
        ],
    )


def history_of_prices(rows: Rows) -> Spec:
    """Return what offers have cost over time.

    Parameters
    ----------
    rows : list of dict
        ``what``, ``day`` (ISO text) and ``usd_per_hour`` each.
    """
    return chart_of(
        "What offers like these have cost",
        "Hourly prices of the options compared, over time, as they were observed.",
        rows,
        "prices",
        mark={"type": "line", "interpolate": "step-after", "point": True},
        encoding={
            "x": {"field": "day", "type": "temporal", "title": None},
            "y": number("usd_per_hour", title="USD/h of one instance"),
            "color": by_name(list(dict.fromkeys(row["what"] for row in rows)), columns=1, labelLimit=600),
        },
    )


def memory_of_one(rows: Rows, accelerator: str) -> Spec:
    """Return what fills the memory of one accelerator, as one bar.

    Parameters
    ----------
    rows : list of dict
        See `memory_rows`.
    accelerator : str
        Its name.
    """
    parts = [row["part"] for row in rows]
    colors = [*(RENT, OWN, TOKENS, CPU, "#b05a8a", "#5f7f8c")[: len(parts) - 1], "#c9ced4"]
    total, free = sum(row["gb"] for row in rows), rows[-1]["gb"]
    return chart_of(
        f"Memory of one {accelerator}: {total - free:,.0f} of {total:,.0f} GB",
        "One bar: what fills the memory of one accelerator, and what is free.",
        rows,
        "memory",
        height=150,
        mark={"type": "bar", "height": 34},
        encoding={
            "x": number("gb", title="GB", stack="zero", scale={"nice": False}),
            "order": number("step"),
            "color": {**by_name(parts, colors, symbolType="square"), "field": "part"},
            "tooltip": [{"field": "part", "title": "part"}, {"field": "gb", "format": ",.1f", "title": "GB"}],
        },
    )


def share_of_limits(rows: Rows) -> Spec:
    """Return how much of its limits an option takes; the dashed line is the limit.

    Parameters
    ----------
    rows : list of dict
        See `limit_rows`.
    """
    y = {"field": "what", "type": "nominal", "sort": None, "title": None}
    x = number("percent", title="% of the limit")
    widest = {"domainMax": max(125.0, *(row["percent"] * 1.25 for row in rows))}
    color = {"condition": {"test": "datum.over", "value": OWN}, "value": RENT}
    return chart_of(
        "Against the limits",
        "Bars show how much of each limit is used; the dashed line is the limit.",
        rows,
        "limits",
        height=80 + 22 * len(rows),
        layer=[
            layer("limits", "bar", {"y": y, "x": {**x, "scale": widest}, "color": color}, height=14),
            layer("limits", "text", {"y": y, "x": x, "text": {"field": "said"}}, align="left", dx=5, color=INK),
            layer([{"at": 100}], "rule", {"x": {**x, "field": "at"}}, strokeDash=[4, 3], color=INK),
        ],
    )


def latency_of_plan(record: PlanRecord) -> Spec | None:
    """Return the latency of the verdict's machines, or of the best rented ones beside a hosted verdict; None where none was simulated."""
    beside = record["verdict"].get("at_other_percentiles") or ()
    shown = {record["verdict"]["option_id"], *(other["option_id"] for other in beside)}
    simulated = (option["performance"] for option in record["options"] if option["id"] in shown)
    curves = next((speed["latency_curves"] for speed in simulated if speed and speed.get("latency_curves")), None)
    return latency_against_limits(curves) if curves else None


def latency_against_limits(curves: Sequence[LatencyCurve]) -> Spec:
    """Return the share of the requests within each time, which is drawn over its limit so that all times share one axis."""
    rows: Rows = [
        {
            "what": f"{curve['what']} (limit {curve['limit_ms']:,.0f} ms)",
            "share": percentile,
            "of_limit": 100.0 * ms / curve["limit_ms"],
            "ms": ms,
        }
        for curve in curves
        for percentile, ms in zip(curve["percentiles"], curve["ms"], strict=True)
    ]
    x = number("of_limit", title="time, % of its limit")
    lines = {
        "x": x,
        "y": number("share", title="% of the requests within it", scale={"domain": [0, 100]}),
        "order": number("share"),
        "color": by_name(list(dict.fromkeys(row["what"] for row in rows)), (RENT, OWN, TOKENS)),
        "tooltip": [{"field": "what"}, number("share", title="% of the requests"), number("ms", format=",.0f")],
    }
    return chart_of(
        "Latency against the limits",
        "Lines of the share of the requests answered within a time, for each time that has a limit; a dashed line marks the limits.",
        rows,
        "latency",
        layer=[
            layer("latency", "line", lines, strokeWidth=2.5),
            layer([{"of_limit": 100.0}], "rule", {"x": x}, strokeDash=[5, 4], color=INK),
        ],
    )


def percentile_costs(record: PlanRecord) -> Spec | None:
    """Return what the verdict's machines cost at each percentile; None where that is not known of at least two."""
    rows: Rows = [
        {"percentile": f"p{other['percentile']:g}", "usd": other["usd_per_month"], "machines": other["instance_count"]}
        for other in record["verdict"].get("at_other_percentiles") or ()
        if other["instance_count"]
    ]
    return costs_against_percentiles(rows) if len(rows) > 1 else None


def costs_against_percentiles(rows: Rows) -> Spec:
    """Return bars of what holding the limits for each percentile costs."""
    return chart_of(
        "Cost against the percentile",
        "Bars of what the machines cost a month, one for each percentile for which the limits hold.",
        rows,
        "percentile",
        mark={"type": "bar", "color": RENT},
        encoding={
            "x": {
                "field": "percentile",
                "type": "nominal",
                "title": "limits hold at",
                "sort": None,
                "axis": {"labelAngle": 0},
            },
            "y": number("usd", title="USD a month", axis=USD),
            "tooltip": [{"field": "percentile"}, number("machines"), number("usd", format=",.0f", title="USD a month")],
        },
    )
