"""A model that nobody hosts: what the nearest one in size costs by the token."""

from __future__ import annotations

import math

from planner.demand.models import resolve_model
from planner.demand.parameters import parameter_count
from planner.demand.workload import Workload
from planner.plan import planned
from planner.report.because import reasons_for
from planner.verdict.remarks import RemarkCode
from tests.conftest import TODAY
from tests.portfolio.equal import usual_market

BATCH = {"kind": "batch", "batch": {"requests": 1000, "input_tokens": 500, "output_tokens": 100}}


def _remarks(model: str, **more: object) -> list[tuple[float | str, ...]]:
    market = usual_market()
    workload = Workload.model_validate(BATCH | {"model": model} | more)
    plan = planned(workload, market.catalog, market.assumptions, TODAY, None)
    found = [remark.figures for remark in plan.remarks if remark.code is RemarkCode.NEAREST_HOSTED]
    assert any("the nearest in size" in reason.text for reason in reasons_for(plan)) == bool(found)
    return found


def test_where_nobody_hosts_a_model_the_nearest_in_size_is_named_with_its_cost() -> None:
    ((name, _, cost, _),) = _remarks("mistral-small-24b")
    sizes = [parameter_count(resolve_model(str(each))) for each in (name, "mistral-small-24b")]
    assert abs(math.log(sizes[0] / sizes[1])) <= math.log(1.5)
    assert 0 < float(cost) < 1  # 0.6 million tokens


def test_a_model_that_is_hosted_needs_no_stand_in() -> None:
    assert not _remarks("llama-3.1-8b")


def test_no_stand_in_is_named_that_the_constraints_forbid() -> None:
    assert not _remarks("mistral-small-24b", constraints={"providers": ["aws"], "countries": ["US"]})
