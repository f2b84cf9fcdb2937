"""What a service's requests wait against their limits, and what it costs at each percentile for which these may hold."""

from __future__ import annotations

from collections.abc import Sequence

from planner.report.chart_rows import Rows
from planner.report.charts import OWN, RENT, TOKENS, Spec, chart_of
from planner.report.values import Record


def latency_of_plan(record: Record) -> Spec | None:
    """Return the latency of the verdict's machines, or of the best rented ones beside a hosted verdict; None where none was simulated."""
    beside = record["verdict"].get("at_other_percentiles") or ()
    shown = {record["verdict"]["option_id"], *(each["option_id"] for each in beside)}
    curves = (
        each["performance"].get("latency_curves")
        for each in record["options"]
        if each["id"] in shown and each["performance"]
    )
    found = next((each for each in curves if each), None)
    return latency_against_limits(found) if found else None


def latency_against_limits(curves: Sequence[Record]) -> Spec:
    """Return the share of the requests within each time, which is drawn over its limit so that all times share one axis."""
    rows: Rows = [
        {
            "what": f"{each['what']} (limit {each['limit_ms']:,.0f} ms)",
            "share": percentile,
            "of_limit": 100.0 * ms / each["limit_ms"],
            "ms": ms,
        }
        for each in curves
        for percentile, ms in zip(each["percentiles"], each["ms"], strict=True)
    ]
    names = list(dict.fromkeys(row["what"] for row in rows))
    x = {"field": "of_limit", "type": "quantitative", "title": "time, % of its limit"}
    return chart_of(
        "Latency against the limits",
        "Lines of the share of the requests answered within a time, for each time that has a limit; a dashed line marks the limits.",
        rows,
        "latency",
        layer=[
            {
                "data": {"name": "latency"},
                "mark": {"type": "line", "strokeWidth": 2.5},
                "encoding": {
                    "x": x,
                    "y": {"field": "share", "type": "quantitative", "title": "% of the requests within it", "scale": {"domain": [0, 100]}},
                    "order": {"field": "share", "type": "quantitative"},
                    "color": {"field": "what", "type": "nominal", "scale": {"domain": names, "range": [RENT, OWN, TOKENS][: len(names)]}, "legend": {"title": None}},
                    "tooltip": [{"field": "what"}, {"field": "share", "type": "quantitative", "title": "% of the requests"}, {"field": "ms", "type": "quantitative", "format": ",.0f"}],
                },
            },
            {
                "data": {"values": [{"of_limit": 100.0}]},
                "mark": {"type": "rule", "strokeDash": [5, 4], "color": "currentColor"},
                "encoding": {"x": x},
            },
        ],
    )  # fmt: skip


def percentile_costs(record: Record) -> Spec | None:
    """Return what the verdict's machines cost at each percentile; None where that is not known of at least two."""
    rows: Rows = [
        {"percentile": f"p{each['percentile']:g}", "usd": each["usd_per_month"], "machines": each["instance_count"]}
        for each in record["verdict"].get("at_other_percentiles") or ()
        if each["instance_count"]
    ]
    return costs_against_percentiles(rows) if len(rows) > 1 else None


def costs_against_percentiles(rows: Rows) -> Spec:
    """Return bars of what holding the limits for each percentile costs."""
    return chart_of(
        "Cost against the percentile",
        "Bars of what the machines cost a month, one for each percentile for which the limits hold.",
        rows,
        "percentile",
        data={"name": "percentile"},
        mark={"type": "bar", "color": RENT},
        encoding={
            "x": {"field": "percentile", "type": "nominal", "title": "limits hold at", "sort": None, "axis": {"labelAngle": 0}},
            "y": {"field": "usd", "type": "quantitative", "title": "USD a month", "axis": {"format": "~s"}},
            "tooltip": [{"field": "percentile"}, {"field": "machines", "type": "quantitative"}, {"field": "usd", "type": "quantitative", "format": ",.0f", "title": "USD a month"}],
        },
    )  # fmt: skip
