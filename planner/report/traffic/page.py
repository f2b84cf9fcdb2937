"""The traffic of a log as one page and as rows by hour: its rate, its lengths, and the GPUs that follow it."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from planner.report.chart_rows import Rows
from planner.report.charts import (
    RENT,
    Spec,
    by_name,
    chart_of,
    costs_against_percentiles,
    latency_against_limits,
    number,
)
from planner.report.page.document import tables_page
from planner.report.record import latency_curves
from planner.report.traffic.fleet import ReplayedFleet
from planner.report.traffic.tables import traffic_tables
from planner.traffic.autoscaling import Autoscaled
from planner.traffic.replay import Fewest
from planner.traffic.request_log import RequestLog
from planner.traffic.summary import TrafficSummary

HOUR_S, MINUTE_S = 3600.0, 60.0
HOURS = number("hour", title="hours from the first request", scale={"nice": False})
MOST_POINTS = 1500
LENGTH_BINS = 60


def hourly_rows(log: RequestLog, fleet: ReplayedFleet | None) -> Rows:
    """Return each hour of the log: requests, tokens, and the accelerators that autoscaling pays in it."""
    requests = log.requests
    hour = (requests.arrival_s // HOUR_S).astype(np.int64)
    hours = int(hour[-1]) + 1
    counts = np.bincount(hour, minlength=hours)
    inputs, outputs = (np.bincount(hour, tokens, hours) for tokens in (requests.input_tokens, requests.output_tokens))
    scaled, best = (fleet.replay.autoscaled, fleet.best()) if fleet else (None, None)
    paid = scaled.hourly_counts() if scaled else ()
    return [
        {
            "hour": place,
            "request_count": int(counts[place]),
            "input_tokens": int(inputs[place]),
            "output_tokens": int(outputs[place]),
            "accelerator_count": paid[place] * best.replica_accelerator_count if best and place < len(paid) else None,
        }
        for place in range(hours)
    ]


def traffic_page(log: RequestLog, summary: TrafficSummary, fleet: ReplayedFleet | None) -> str:
    """Return a log's traffic, and its replay where there is one, as HTML."""
    charts = {"rate": _rate(log), "lengths": _lengths(log)}
    if fleet and (curves := latency_curves(fleet.replay.service, fleet.limits)):
        charts["latency"] = latency_against_limits(curves)
    if fleet and len(costs := _costs(fleet)) > 1:
        charts["percentile"] = costs_against_percentiles(costs)
    if fleet and (scaled := fleet.replay.autoscaled) and (best := fleet.best()):
        charts["gpus"] = _accelerators(scaled, best)
    whole, *tables = traffic_tables(summary, fleet)
    captioned = {key: (CAPTIONS[key], chart) for key, chart in charts.items()}
    return tables_page(whole, tables, captioned, about=f"<p>{escape(whole.note)}</p>")


CAPTIONS = {
    "rate": "Requests per second by minute; in a long log, by longer intervals.",
    "lengths": "How many requests have prompts and answers of each length; the axis is logarithmic.",
    "latency": "How many of the requests of the log are answered within each time, drawn over its limit (dashed line), on the plan's fleet.",
    "percentile": "What the cheapest fleet that meets the limits for that percentage of the requests costs a month.",
    "gpus": "GPUs paid for in each hour: a fleet of fixed size against one that follows the requests.",
}


def _costs(fleet: ReplayedFleet) -> Rows:
    """Return what the cheapest fleet that holds the limits costs at each percentile that was searched."""
    targets = (fleet.target, *(other for other, _ in fleet.replay.others))
    rows: Rows = []
    for percentile, _ in fleet.replay.fewest:
        costs = [
            (usd, target.machines_of(fewest))
            for target in targets
            if (fewest := fleet.replay.fewest_on(target)[percentile])
            and (usd := fleet.usd_per_month(target, fewest)) is not None
        ]
        if costs:
            usd, machines = min(costs)
            rows.append({"percentile": f"p{percentile:g}", "usd": usd, "machines": machines})
    return rows


def _rate(log: RequestLog) -> Spec:
    at = log.requests.arrival_s
    width_s = MINUTE_S * math.ceil(max(float(at[-1]), MINUTE_S) / MINUTE_S / MOST_POINTS)
    counts = np.bincount((at // width_s).astype(np.int64))
    rows: Rows = [{"hour": i * width_s / HOUR_S, "rate": float(count) / width_s} for i, count in enumerate(counts)]
    return chart_of(
        "Requests per second",
        "A line of requests per second over the hours of the log.",
        rows,
        "rate",
        mark={"type": "line", "interpolate": "step-after", "color": RENT},
        encoding={"x": HOURS, "y": number("rate", title="requests/s")},
    )


def _lengths(log: RequestLog) -> Spec:
    requests = log.requests
    edges = np.geomspace(1.0, max(requests.longest_tokens, 2) * 1.001, LENGTH_BINS)
    rows: Rows = []
    for name, tokens in (("prompt", requests.input_tokens), ("answer", requests.output_tokens)):
        counts, _ = np.histogram(tokens, edges)
        rows += [
            {"what": name, "tokens": float(edge), "share": 100.0 * float(count) / len(tokens)}
            for edge, count in zip(edges, counts, strict=False)
        ]
    return chart_of(
        "Lengths of prompts and answers",
        "Two lines: the share of requests by the tokens of their prompts and of their answers.",
        rows,
        "lengths",
        mark={"type": "line", "interpolate": "step-after"},
        encoding={
            "x": number("tokens", title="tokens", scale={"type": "log"}),
            "y": number("share", title="% of the requests"),
            "color": by_name(("prompt", "answer")),
        },
    )


def _accelerators(scaled: Autoscaled, best: Fewest) -> Spec:
    hourly = [replicas * best.replica_accelerator_count for replicas in scaled.hourly_counts()]
    # A last point, so that the last hour is as wide as the others.
    rows: Rows = [
        {"what": name, "hour": place, "gpus": value}
        for name, values in (("autoscaled", hourly), ("fixed", [best.accelerator_count] * len(hourly)))
        for place, value in enumerate([*values, values[-1]])
    ]
    return chart_of(
        "GPUs by hour",
        "Two lines over the hours of the log: GPUs of a fleet that follows the requests, and of one of fixed size.",
        rows,
        "gpus",
        mark={"type": "line", "interpolate": "step-after", "strokeWidth": 2.5},
        encoding={"x": HOURS, "y": number("gpus", title="GPUs"), "color": by_name(("autoscaled", "fixed"))},
    )
