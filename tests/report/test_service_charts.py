"""What a service costs against the percentile of its limits, as a chart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.report.charts import latency_of_plan, percentile_costs
from planner.report.record import latency_curves
from planner.traffic.percentiles import Limits, service_of
from planner.traffic.simulation import Outcome


def _plan(verdict: Any, *options: Any) -> Any:
    """Return the parts of a plan's record that the charts read."""
    return {"verdict": verdict, "options": options}


def test_costs_are_shown_where_a_fleet_holds_the_limits() -> None:
    counts = ((50.0, 3), (90.0, 4), (95.0, 4), (99.0, 0))
    known = [{"percentile": p, "instance_count": n, "usd_per_month": 100.0 * n} for p, n in counts]
    chart = percentile_costs(_plan({"at_other_percentiles": known}))
    assert chart is not None
    rows = chart["datasets"]["percentile"]
    assert [(row["percentile"], row["usd"]) for row in rows] == [("p50", 300.0), ("p90", 400.0), ("p95", 400.0)]


def test_a_plan_that_serves_no_requests_has_no_such_chart() -> None:
    assert percentile_costs(_plan({})) is None


def test_the_share_of_requests_within_each_time_is_drawn_over_its_limit() -> None:
    ttft_s = np.arange(1, 1001) / 1e3
    outcome = Outcome(ttft_s=ttft_s, tpot_s=ttft_s / 10.0, total_s=ttft_s * 10.0, refused_count=0)
    limits = Limits(ttft_ms=500.0, tpot_ms=200.0, percentile=95.0)
    curves = latency_curves(service_of(outcome, limits), limits)
    assert [each["what"] for each in curves] == ["TTFT", "TPOT"]  # the total time has no limit
    record = _plan({"option_id": "a"}, {"id": "a", "performance": {"latency_curves": curves}})
    chart = latency_of_plan(record)
    assert chart is not None
    rows = [row for row in chart["datasets"]["latency"] if row["what"] == "TTFT (limit 500 ms)"]
    by_share = {row["share"]: row["of_limit"] for row in rows}
    assert by_share[50] == pytest.approx(100.0, abs=0.2)  # half of the requests are within the limit
    assert by_share[98] == pytest.approx(196.0, abs=0.2)
    assert chart["layer"][1]["data"]["values"] == [{"of_limit": 100.0}]


def test_a_plan_whose_machines_were_not_simulated_has_no_latency_chart() -> None:
    assert latency_of_plan(_plan({"option_id": "a"}, {"id": "a", "performance": None})) is None
