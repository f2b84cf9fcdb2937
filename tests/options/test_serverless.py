"""Serverless machines: always warm, or paid only while they answer."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.options.option import ReasonCode
from planner.plan import Plan, make_plan
from pricing.catalog import load_bundled
from tests.conftest import TODAY

OFFER = next(o for o in load_bundled().offers if o.provider == "modal" and o.accelerator == "L40S")


def _plan(requests_per_s: float) -> Plan:
    work = {
        "kind": "serve",
        "model": "llama-3.1-8b",
        "serve": {"requests_per_s": requests_per_s, "input_tokens": 500, "output_tokens": 200, "spare_replicas": 0},
        "constraints": {"providers": ["modal"]},
    }
    return make_plan(
        Workload.model_validate(work), replace(load_bundled(), offers=(OFFER,)), default_assumptions(), today=TODAY
    )


def test_a_service_with_few_requests_is_shown_asleep_too_with_its_cold_start_unknown() -> None:
    warm, asleep = sorted((o for o in _plan(0.01).options if o.provider == "modal"), key=lambda option: len(option.id))
    assert asleep.id == f"{warm.id}/scaled_to_zero"
    assert asleep.fleet is not None
    speed = asleep.fleet.performance
    assert speed.ttft_ms is not None
    assert speed.tpot_ms is not None
    answer_s = (speed.ttft_ms.typical + 200 * speed.tpot_ms.typical) / 1000
    assert asleep.paid_hours_per_month == pytest.approx(730 * (1 - math.exp(-0.01 * answer_s)), rel=1e-6)
    assert warm.paid_hours_per_month == 730
    assert ReasonCode.COLD_START_UNKNOWN in {reason.code for reason in asleep.not_recommended}
    assert ReasonCode.COLD_START_UNKNOWN not in {reason.code for reason in warm.not_recommended}


def test_a_service_that_is_hardly_ever_idle_gains_nothing_by_sleeping() -> None:
    assert not [option for option in _plan(5.0).options if option.id.endswith("/scaled_to_zero")]
