"""What a service costs against the percentile of its limits, as a chart."""

from __future__ import annotations

from planner.report.service_charts import percentile_costs


def test_costs_are_shown_where_a_fleet_holds_the_limits() -> None:
    counts = ((50.0, 3), (90.0, 4), (95.0, 4), (99.0, 0))
    known = [{"percentile": p, "instance_count": n, "usd_per_month": 100.0 * n} for p, n in counts]
    chart = percentile_costs({"verdict": {"at_other_percentiles": known}})
    assert chart is not None
    rows = chart["datasets"]["percentile"]
    assert [(row["percentile"], row["usd"]) for row in rows] == [("p50", 300.0), ("p90", 400.0), ("p95", 400.0)]


def test_a_plan_that_serves_no_requests_has_no_such_chart() -> None:
    assert percentile_costs({"verdict": {}}) is None
