"""Charts of the verdict alone: what fills its memory, and how much of its limits it takes."""

from __future__ import annotations

from planner.report.chart_rows import Rows
from planner.report.charts import CPU, OWN, RENT, TOKENS, Spec, chart_of


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
    colours = [*(RENT, OWN, TOKENS, CPU, "#b05a8a", "#5f7f8c")[: len(parts) - 1], "#c9ced4"]
    total, free = sum(row["gb"] for row in rows), rows[-1]["gb"]
    chart = chart_of(
        f"Memory of one {accelerator}: {total - free:,.0f} of {total:,.0f} GB",
        "One bar: what fills the memory of one accelerator, and what is free.",
        rows,
        "memory",
        data={"name": "memory"},
        mark={"type": "bar", "height": 34},
        encoding={
            "x": {"field": "gb", "type": "quantitative", "title": "GB", "stack": "zero", "scale": {"nice": False}},
            "order": {"field": "step", "type": "quantitative"},
            "color": {
                "field": "part",
                "type": "nominal",
                "scale": {"domain": parts, "range": colours},
                "legend": {"title": None, "symbolType": "square"},
            },
            "tooltip": [{"field": "part", "title": "part"}, {"field": "gb", "format": ",.1f", "title": "GB"}],
        },
    )
    chart["height"] = 150
    return chart


def share_of_limits(rows: Rows) -> Spec:
    """Return how much of its limits an option takes; the dashed line is the limit.

    Parameters
    ----------
    rows : list of dict
        See `limit_rows`.
    """
    y = {"field": "what", "type": "nominal", "sort": None, "title": None}
    x = {"type": "quantitative", "title": "% of the limit"}
    chart = chart_of(
        "Against the limits",
        "Bars show how much of each limit is used; the dashed line is the limit.",
        rows,
        "limits",
        layer=[
            {
                "data": {"name": "limits"},
                "mark": {"type": "bar", "height": 14},
                "encoding": {
                    "y": y,
                    "x": {
                        **x,
                        "field": "percent",
                        "scale": {"domainMax": max(125.0, *(row["percent"] * 1.25 for row in rows))},
                    },
                    "color": {"condition": {"test": "datum.over", "value": OWN}, "value": RENT},
                },
            },
            {
                "data": {"name": "limits"},
                "mark": {"type": "text", "align": "left", "dx": 5, "color": "currentColor"},
                "encoding": {"y": y, "x": {**x, "field": "percent"}, "text": {"field": "said"}},
            },
            {
                "data": {"values": [{"at": 100}]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": "currentColor"},
                "encoding": {"x": {**x, "field": "at"}},
            },
        ],
    )
    chart["height"] = 80 + 22 * len(rows)
    return chart
