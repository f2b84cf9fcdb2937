"""A plan that is worked out anew takes what planning again takes."""

from __future__ import annotations

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.options.option import ReasonCode
from planner.plan import Plan, make_plan
from planner.report.live import Inputs, Live
from planner.report.record import plan_record
from pricing.catalog import load_bundled
from tests.conftest import TODAY


@pytest.mark.parametrize(
    ("gpu", "tier", "hours_per_month", "planned_months", "asked_months"),
    [
        pytest.param("h100-sxm", "A", 730, 36, 12, id="a-server-pays-off-late"),
        pytest.param("a100-80gb", "A", 450, 24, 48, id="a-reservation-has-the-margin-then-only"),
        pytest.param("a100-80gb", "A", 730, 12, 12, id="two-cost-the-same-but-for-rounding"),
        pytest.param("h100-sxm", "B", 730, 12, 36, id="nothing-binding-is-cheaper"),
    ],
)
def test_the_choice_at_another_horizon_is_that_of_planning_again(
    gpu: str, tier: str, hours_per_month: float, planned_months: int, asked_months: int
) -> None:
    """Unless only draws tell them apart: a plan that is worked out anew has none."""

    def plan_for(months: int) -> Plan:
        work = {"kind": "gpu_hours", "gpu_hours": {"gpu": gpu, "count": 8, "hours_per_month": hours_per_month}}
        stated = Workload.model_validate({**work, "constraints": {"min_tier": tier}, "horizon_months": months})
        return make_plan(stated, load_bundled(), default_assumptions(), today=TODAY)

    live, again = Live(plan_record(plan_for(planned_months))), plan_for(asked_months)
    asked = Inputs(horizon_months=asked_months)
    reasons = {reason.code for _, reason in again.verdict.passed_over}
    assert not reasons & {ReasonCode.CONFIDENCE, ReasonCode.QUOTES}
    assert live.choice(live.costs(asked), asked) == again.chosen.id
