"""A plan that is worked out anew takes what planning again takes."""

from __future__ import annotations

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.options.option import ReasonCode
from planner.plan import Plan, make_plan
from planner.report.live import Inputs, Live, binds
from planner.report.record import plan_record
from pricing.catalog import load_bundled
from tests.conftest import TODAY


@pytest.mark.parametrize(
    ("gpu", "tier", "planned_months", "asked_months"),
    [("a100-80gb", "B", 24, 48), ("h100-sxm", "A", 36, 12), ("h100-sxm", "B", 12, 36)],
)
def test_the_choice_at_another_horizon_is_that_of_planning_again(
    gpu: str, tier: str, planned_months: int, asked_months: int
) -> None:
    """Unless only draws tell them apart: a plan that is worked out anew has none."""

    def plan_for(months: int) -> Plan:
        work = {"kind": "gpu_hours", "gpu_hours": {"gpu": gpu, "count": 8, "hours_per_month": 730}}
        stated = Workload.model_validate({**work, "constraints": {"min_tier": tier}, "horizon_months": months})
        return make_plan(stated, load_bundled(), default_assumptions(), today=TODAY)

    live, again = Live(plan_record(plan_for(planned_months))), plan_for(asked_months)
    asked = Inputs(horizon_months=asked_months)
    taken = live.by_id[live.choice(live.costs(asked), asked)]
    reasons = {reason.code for _, reason in again.verdict.passed_over}
    if not reasons & {ReasonCode.CONFIDENCE, ReasonCode.QUOTES}:
        assert (taken["kind"], taken["provider"], binds(taken)) == (
            again.chosen.kind,
            again.chosen.provider,
            again.chosen.binds,
        )
