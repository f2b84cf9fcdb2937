"""Runs: on fewer or more machines, whole ones, in time or late; and on the documents that come after the first run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner import plan as planning
from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.inputs.reading import read_document
from planner.options.option import Option
from planner.plan import Plan, make_plan
from planner.report.because import reasons_for
from planner.report.record import plan_record
from planner.report.schema.plan import check_record
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet
from planner.verdict import variants
from planner.verdict.remarks import Remark, RemarkCode, tuning_remarks
from planner.verdict.runs import OtherCount, at_other_counts
from planner.verdict.supply import Correction, Supply, kin_of_machine
from pricing.catalog import load_bundled
from tests.conftest import EXAMPLES, TODAY

PlanOf = Callable[[str], Plan]


CREDIT = {"provider": "nebius", "expires": "2027-12-31"}


def _with_credit(usd: float) -> Workload:
    stated = {
        **read_document(str(EXAMPLES / "pretrain-7b.yaml")).content,
        "have": {"credits": [{**CREDIT, "usd": usd}]},
    }
    return Workload.model_validate(stated)


def _planned(work: Workload) -> Plan:
    return make_plan(work, load_bundled(), default_assumptions(), today=TODAY)


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


def test_a_run_at_another_count_costs_what_planning_with_that_count_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[Workload, Option, Supply]] = []

    def noted(*given: Any) -> tuple[OtherCount, ...]:
        handed.append(given)
        return at_other_counts(*given)

    monkeypatch.setattr(variants, "at_other_counts", noted)
    plan = _planned(_with_credit(20_000))
    ((work, taken, supply),) = handed
    assert taken.fleet is not None
    assert taken.credit_used_usd == 20_000
    machine = taken.fleet.machine
    for other in plan.variants.at_other_counts:
        fleet = estimate(work, supply.architecture, machine, round(other.accelerators_total_count), supply.assumptions)
        assert isinstance(fleet, Fleet)
        same = next(option for option in supply.options(work, {machine: fleet}) if option.id == taken.id)
        assert other.usd == pytest.approx(same.usd_per_run(work.runs_per_month))
        assert other.hours_per_run == pytest.approx(same.hours_per_run)


def test_a_credit_larger_than_the_bill_leaves_nothing_to_pay_and_a_plan_that_can_be_read() -> None:
    plan = _planned(_with_credit(1_000_000))
    assert plan.variants.at_other_counts
    assert all(0 <= other.usd < 1_000 for other in plan.variants.at_other_counts)  # storage is left
    check_record(json.dumps(plan_record(plan), default=str), "plan.json")


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


def test_a_tuned_engine_is_counted_with_what_the_simulation_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a simulation asks for three times the machines, it does so of both engines."""
    handed: list[tuple[Workload, Option, Supply]] = []

    def noted(*given: Any) -> tuple[Remark, ...]:
        handed.append(given)
        return tuning_remarks(*given)

    monkeypatch.setattr(planning, "tuning_remarks", noted)
    work = Workload.model_validate(read_document(str(EXAMPLES / "serve-llama-70b.yaml")).content)
    _planned(work)
    ((work, taken, supply),) = handed
    assert taken.fleet is not None
    kin = kin_of_machine(taken.fleet.machine)
    once, thrice = (replace(supply, corrections={kin: Correction(count_ratio=ratio)}) for ratio in (1.0, 3.0))
    (plain,), (corrected,) = (tuning_remarks(work, taken, each) for each in (once, thrice))
    spare = taken.fleet.spare_instance_count
    assert float(corrected.figures[2]) - spare == 3 * (float(plain.figures[2]) - spare)
