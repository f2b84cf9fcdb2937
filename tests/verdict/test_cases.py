"""Questions with the answer of a careful buyer: `cases.yaml` holds the reason of each in words."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.plan import make_plan
from planner.report.because import reasons_for
from planner.report.headline import headline
from planner.report.record import plan_record
from planner.report.schema.plan import check_record
from planner.report.values import json_text
from pricing.facts.sellers import free_tiers
from pricing.facts.token_prices import token_prices
from tests.conftest import ROOT, TODAY
from tests.portfolio.equal import usual_market

CASES: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "verdict" / "cases.yaml").read_text(encoding="utf-8"))
KEYS = {"name", "workload", "choice", "not_choice", "status", "remarks", "says", "never_says", "nothing_fits", "why"}
QUICK = {
    "a consumer card for a weekend",
    "a demo with bursts",
    "eight H100 for 60 % of the time",
    "a thousand H100 for three years",
}


def _marked(case: dict[str, Any]) -> Any:
    return pytest.param(case, id=case["name"], marks=() if case["name"] in QUICK else pytest.mark.slow)


def test_each_case_has_a_reason_and_known_keys() -> None:
    for case in CASES:
        assert set(case) <= KEYS, case["name"]
        assert len(case["why"]) > 40, case["name"]
    assert {case["name"] for case in CASES} >= QUICK


@pytest.mark.parametrize("case", [_marked(case) for case in CASES])
def test_the_verdict_is_that_of_a_careful_buyer(case: dict[str, Any]) -> None:
    workload, market = Workload.model_validate(case["workload"]), usual_market()

    def planned() -> Any:
        return make_plan(
            workload,
            market.catalog,
            market.assumptions,
            today=TODAY,
            token_prices=token_prices(workload.model, TODAY) if isinstance(workload.model, str) else (),
            free_tiers=free_tiers(),
        )

    if case.get("nothing_fits"):
        with pytest.raises(NothingFitsError):
            planned()
        return
    plan = planned()
    assert plan.verdict.choice in case.get("choice", [plan.verdict.choice])
    assert plan.verdict.choice not in case.get("not_choice", [])
    assert plan.verdict.status == case.get("status", plan.verdict.status)
    assert set(case.get("remarks", [])) <= {remark.code.value for remark in plan.remarks}
    said = "\n".join((headline(plan), *(each.text for each in reasons_for(plan))))
    assert [part for part in case.get("says", []) if part not in said] == []
    assert [part for part in case.get("never_says", []) if part in said] == []
    check_record(json_text(plan_record(plan, top=5)), case["name"])
