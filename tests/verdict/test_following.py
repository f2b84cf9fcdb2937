"""Machines that follow the demand: how many are on, what is paid, and what it costs to stay ready."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.plan import Plan, make_plan
from planner.report.remarks import variant_texts
from planner.traffic.autoscaling import Autoscaling, scheduled
from planner.verdict.autoscaling import Autoscaled, idle_shares
from tests.conftest import TODAY
from tests.verdict.test_confirmation import _catalog


@cache
def _plan(**serve: Any) -> Plan:
    work = {"kind": "serve", "model": "llama-3.1-8b", "constraints": {"max_capex_usd": 1}, "serve": serve}
    return make_plan(Workload.model_validate(work), _catalog("gpu-mi300x1-192gb"), default_assumptions(), today=TODAY)


def _following(**serve: Any) -> Autoscaled:
    found = _plan(**serve).variants.following
    assert found is not None
    return found


def test_machines_follow_the_week_and_starts_are_paid() -> None:
    found = _following(requests_per_s=60, traffic="code", spare_replicas=1)
    assert found.least_instance_count == 2  # one serves, one stands by
    assert found.most_instance_count > 3
    assert found.usd_per_month == pytest.approx(found.always_on_usd_per_month * found.paid_share)
    without_starts = _plan(requests_per_s=60, traffic="code", spare_replicas=1).chosen.usd_per_month
    assert without_starts < found.usd_per_month < 1.1 * without_starts
    assert f"Autoscaling takes 2 to {found.most_instance_count} machines" in variant_texts(_plan(requests_per_s=60, traffic="code", spare_replicas=1).variants)[-1]  # fmt: skip


def test_steady_demand_leaves_nothing_to_follow_and_nothing_to_say() -> None:
    found = _following(requests_per_s=60)
    assert found.least_instance_count == found.most_instance_count
    assert found.paid_share == 1.0
    assert found.to_zero.waiting_share == pytest.approx(0.0, abs=1e-6)
    assert not [
        each for each in variant_texts(_plan(requests_per_s=60).variants) if "utoscal" in each or "eady" in each
    ]


def test_rare_requests_make_staying_ready_a_cost_and_scaling_to_zero_a_wait() -> None:
    rare, rarer = (_following(requests_per_s=rate).to_zero for rate in (0.002, 0.0002))
    assert rarer.usd_per_month < rare.usd_per_month
    assert rarer.waiting_share > rare.waiting_share > 0.5
    said = variant_texts(_plan(requests_per_s=0.002).variants)
    assert any("Staying ready costs" in each and "would wait up to" in each for each in said)


@pytest.mark.parametrize("rate_per_minute", [0.03, 0.1, 0.3])
def test_the_share_of_idle_time_is_that_of_replicas_that_follow_such_requests(rate_per_minute: float) -> None:
    minutes = 8.0
    rng = np.random.default_rng(3)
    arrival_s = np.cumsum(rng.exponential(60.0 / rate_per_minute, 6_000))
    schedule = scheduled(arrival_s, Autoscaling(target_per_s=100.0, least_count=0, start_minutes=minutes))
    off, _ = idle_shares(np.array([rate_per_minute]), minutes)
    assert 1.0 - schedule.paid_counts.mean() == pytest.approx(float(off[0]), abs=0.03)
    assert schedule.ready_counts.max() == 1


def test_the_cost_of_autoscaling_is_the_verdicts_with_the_hours_of_starting() -> None:
    """Machines that start at once cost what the verdict says; the sentence tells what is added otherwise."""
    asked = {"requests_per_s": 60, "traffic": "code", "spare_replicas": 1}
    at_once, later = _plan(**asked, start_minutes=0), _plan(**asked, start_minutes=20)
    first, then = at_once.variants.following, later.variants.following
    assert first is not None
    assert then is not None
    option = next(option for option in at_once.options if option.id == first.option_id)
    assert first.usd_per_month == pytest.approx(option.usd_per_month, rel=1e-3)
    assert then.usd_per_month > first.usd_per_month
    assert "with the hours of starting, which the other figures leave out" in " ".join(variant_texts(later.variants))
