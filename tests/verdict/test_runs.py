"""Runs: on fewer or more machines, whole ones, in time or late; and on the documents that come after the first run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planner.assumptions import default_assumptions
from planner.plan import Plan
from planner.report.because import reasons_for
from planner.verdict.remarks import RemarkCode

PlanOf = Callable[[str], Plan]


def _said(plan: Plan) -> str:
    return " ".join(reason.text for reason in reasons_for(plan))


def test_a_run_on_fewer_gpus_is_on_whole_machines_and_says_when_it_is_late(plan_of: PlanOf) -> None:
    """Half of 3 machines with 8 GPUs are 2: at the same speed for each GPU they take at least half as long again."""
    plan = plan_of("pretrain-7b")
    taken, (fewer, more) = plan.chosen, plan.variants.at_other_counts
    assert taken.hours_per_run is not None
    assert fewer.accelerators_total_count % taken.accelerator_count == 0
    for other in (fewer, more):
        gpu_hours = other.accelerators_total_count * other.hours_per_run
        ratio = gpu_hours / (taken.accelerators_total_count * taken.hours_per_run)
        assert 0.9 < ratio < 1.2
        assert other.usd == pytest.approx(taken.present_value_usd * ratio, rel=0.02)
    assert fewer.deadline_hours == 720
    assert fewer.hours_per_run > 720
    assert "a run, past the deadline; 48 take" in _said(plan)


def test_the_utilization_over_the_whole_run_is_that_of_the_days_and_gpus_that_are_stated(plan_of: PlanOf) -> None:
    """6 FLOP for each parameter and token, and the causal half of attention, over peak x GPUs x time."""
    plan = plan_of("pretrain-7b")
    taken = plan.chosen
    assert taken.hours_per_run is not None
    linear = 6 * (6.738e9 - 32000 * 4096)
    attention = 6 * 32 * 4096 * 4096
    peak = 2.25e15 * taken.accelerators_total_count * taken.hours_per_run * 3600
    (remark,) = (each for each in plan.remarks if each.code is RemarkCode.MFU)
    assert remark.figures[3] == pytest.approx((linear + attention) * 1e12 / peak, rel=0.01)


def test_no_number_of_machines_is_told_that_nobody_would_rent(plan_of: PlanOf) -> None:
    said = _said(plan_of("pretrain-7b"))
    assert "CPUs alone are too slow for it." in said
    assert "17,647" not in said


def test_later_documents_cost_what_a_run_over_them_alone_costs(plan_of: PlanOf) -> None:
    """A tenth of the documents takes a tenth of the hours, and as long to start: machine and storage are paid for both."""
    plan = plan_of("embed-10m-documents")
    taken, later = plan.chosen, plan.variants.later_run
    assert later is not None
    assert taken.hours_per_run is not None
    start_hours = default_assumptions()["rent.start_hours"]
    ratio = (taken.hours_per_run / 10 + start_hours) / (taken.hours_per_run + start_hours)
    assert later.document_count == 1_000_000
    assert later.usd == pytest.approx(taken.total_usd * ratio, rel=0.02)
    assert "After the first run, 1,000,000 new documents cost about 0.1" in _said(plan)


def test_a_deadline_that_nobody_has_stated_is_called_a_default(plan_of: PlanOf) -> None:
    assert "before the deadline of 30.0 days, which is only a default." in _said(plan_of("qlora-llama-8b-notebook"))
    assert "before the deadline of 24.0 h." in _said(plan_of("lora-llama-8b"))
