"""What a service costs at each percentile for which its limits may hold."""

from __future__ import annotations

from planner.report.chart_rows import Rows
from planner.report.charts import RENT, Spec, chart_of
from planner.report.values import Record

__all__ = ["percentile_costs"]


def percentile_costs(record: Record) -> Spec | None:
    """Return what the verdict's machines cost at each percentile; None where that is not known of at least two."""
    rows: Rows = [
        {"percentile": f"p{each['percentile']:g}", "usd": each["usd_per_month"], "machines": each["instance_count"]}
        for each in record["verdict"].get("at_other_percentiles") or ()
        if each["instance_count"]
    ]
    if len(rows) < 2:
        return None
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
