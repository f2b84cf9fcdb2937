"""Defaults: a job that states no deadline has one, unless it says on how many GPUs it runs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.defaults import with_limits
from planner.demand.workload import Workload

PRETRAIN = {"kind": "pretrain", "model": "m", "pretrain": {"tokens_b": 100}}
EMBED = {"kind": "embed", "model": "m", "embed": {"documents": 1000}}


@pytest.mark.parametrize(
    ("stated", "hours"),
    [
        (PRETRAIN, 90 * 24),
        (PRETRAIN | {"pretrain": {"tokens_b": 100, "deadline_days": 5}}, 120),
        (PRETRAIN | {"pretrain": {"tokens_b": 100, "gpu_count": 512}}, math.inf),
        (EMBED, 720),
        (EMBED | {"runs_per_month": 30}, 730 / 30),
    ],
)
def test_a_job_without_a_deadline_is_given_one(stated: dict[str, Any], hours: float) -> None:
    filled = with_limits(Workload.model_validate(stated), default_assumptions())
    assert filled.deadline_hours == pytest.approx(hours)
