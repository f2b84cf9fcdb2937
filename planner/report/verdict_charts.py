"""Charts of the verdict alone: what fills its memory, and how much of its limits it takes."""

from __future__ import annotations

from planner.report.chart_rows import Rows
from planner.report.charts import CPU, INK, OWN, RENT, TOKENS, Spec, by_name, chart_of, layer, number


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
