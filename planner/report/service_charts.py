"""What a service's requests wait against their limits, and what it costs at each percentile for which these may hold."""

from __future__ import annotations

from collections.abc import Sequence

from planner.report.chart_rows import Rows
from planner.report.charts import INK, OWN, RENT, TOKENS, USD, Spec, by_name, chart_of, layer, number
from planner.report.values import Record


def latency_of_plan(record: Record) -> Spec | None:
    """Return the latency of the verdict's machines, or of the best rented ones beside a hosted verdict; None where none was simulated."""
    beside = record["verdict"].get("at_other_percentiles") or ()
    shown = {record["verdict"]["option_id"], *(other["option_id"] for other in beside)}
    simulated = (option["performance"] for option in record["options"] if option["id"] in shown)
    curves = next((speed["latency_curves"] for speed in simulated if speed and speed.get("latency_curves")), None)
    return latency_against_limits(curves) if curves else None


def latency_against_limits(curves: Sequence[Record]) -> Spec:
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


def percentile_costs(record: Record) -> Spec | None:
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
