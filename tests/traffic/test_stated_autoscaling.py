"""What a workload states of autoscaling: its bounds, its target, its start, and scaling to zero."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from planner.assumptions import default_assumptions
from planner.cli import main
from planner.demand.defaults import with_limits
from planner.demand.models import known_model
from planner.demand.workload import Workload
from planner.options.servers import own_machine
from planner.plan import Plan, make_plan
from planner.report.remarks import variant_texts
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Refusal
from planner.verdict.autoscaling import Autoscaled
from pricing.facts.accelerators import resolve
from tests.conftest import TODAY
from tests.verdict.test_confirmation import _catalog


@cache
def _plan(**serve: Any) -> Plan:
    work = {"kind": "serve", "model": "llama-3.1-8b", "constraints": {"max_capex_usd": 1}, "serve": serve}
    return make_plan(Workload.model_validate(work), _catalog("gpu-mi300x1-192gb"), default_assumptions(), today=TODAY)


def _following(plan: Plan) -> Autoscaled:
    assert plan.variants.following is not None
    return plan.variants.following


def test_more_replicas_that_stay_on_are_paid_for_in_the_quiet_hours() -> None:
    free, bound = _plan(requests_per_s=60, traffic="code"), _plan(requests_per_s=60, traffic="code", min_replicas=3)
    assert _following(free).least_instance_count == 1
    assert _following(bound).least_instance_count == 3
    assert bound.chosen.usd_per_month > free.chosen.usd_per_month
    assert _following(bound).most_instance_count == _following(free).most_instance_count
    more = _plan(requests_per_s=60, traffic="code", min_replicas=_following(free).most_instance_count + 2)
    assert more.chosen.fleet is not None
    assert more.chosen.fleet.instance_count == _following(free).most_instance_count + 2


def test_a_lower_target_takes_more_replicas_and_a_higher_one_changes_nothing() -> None:
    free = _plan(requests_per_s=60, traffic="code")
    reached = _following(free).target_requests_per_s
    low, high = (_plan(requests_per_s=60, traffic="code", target_requests_per_s=reached * each) for each in (0.5, 2.0))
    assert _following(low).most_instance_count >= 2 * _following(free).most_instance_count
    assert high.chosen.usd_per_month == free.chosen.usd_per_month


def test_machines_on_which_the_rate_takes_more_replicas_than_are_allowed_are_left_out() -> None:
    machines = [own_machine(resolve(name)[0], 1) for name in ("l4", "b200")]
    serve = {"requests_per_s": 20, "traffic": "chat", "max_replicas": 3}
    work = Workload.model_validate({"kind": "serve", "model": "llama-3.1-8b", "serve": serve})
    assumptions = default_assumptions()
    small, large = size(with_limits(work, assumptions), known_model("llama-3.1-8b"), machines, assumptions)
    assert isinstance(small, Refusal)
    assert (small.stage, small.reason.figures[1]) == ("max_replicas", 3)
    assert isinstance(large, Fleet)
    assert large.layout.data <= 3


def test_a_stated_start_is_paid_each_time() -> None:
    quick, slow = (_following(_plan(requests_per_s=60, traffic="code", start_minutes=each)) for each in (0.0, 30.0))
    assert (quick.start_minutes, slow.start_minutes) == (0.0, 30.0)
    assert slow.usd_per_month > quick.usd_per_month


def test_scaling_to_zero_is_a_choice_whose_wait_and_saving_are_told() -> None:
    ready, zero = _plan(requests_per_s=0.002), _plan(requests_per_s=0.002, min_replicas=0)
    assert _following(zero).least_instance_count == 0
    assert _following(zero).usd_per_month == _following(ready).to_zero.usd_per_month < _following(ready).usd_per_month
    said = " ".join(variant_texts(zero.variants))
    assert "Scaled to zero when idle, the service costs" in said
    assert "staying ready would cost" in said


def test_bounds_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_replicas: 3 is more than max_replicas: 2"):
        Workload.model_validate({"kind": "serve", "model": "llama-3.1-8b", "serve": {"requests_per_s": 1, "min_replicas": 3, "max_replicas": 2}})  # fmt: skip


def _replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str, **serve: Any) -> Any:
    """Return what a replay says of a log of two bursts with an idle hour between them."""
    log, workload = tmp_path / "log.csv", tmp_path / "w.json"
    at = [*range(0, 600, 2), *range(4200, 4800, 2)]
    log.write_text("time,input_tokens,output_tokens\n" + "".join(f"{each},500,50\n" for each in at))
    limits = {"requests_per_s": 0.5, "input_tokens": 500, "output_tokens": 50, "ttft_limit_ms": 60_000, "tpot_limit_ms": 100}  # fmt: skip
    workload.write_text(json.dumps({"kind": "serve", "model": "llama-3.1-8b", "serve": limits | serve}))
    assert main(["traffic", str(log), "--replay", str(workload), "--as-of", "2026-11-26", *words]) == 0
    said = capsys.readouterr().out
    return json.loads(said)["replay"] if "json" in words else said


@pytest.mark.slow
def test_a_replay_follows_what_the_workload_states_and_options_come_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = {"min_replicas": 2, "max_replicas": 4, "target_requests_per_s": 0.2, "start_minutes": 3.0}
    found = _replayed(tmp_path, capsys, "-f", "json", **stated)["autoscaling"]
    assert (found["min_replica_count"], found["max_replica_count"]) == (2, 3)  # 0.5 a second, 0.2 each
    assert (found["target_requests_per_s"], found["start_minutes"]) == (0.2, 3.0)
    words = ("--min-replicas", "0", "--start-minutes", "1", "-f", "json")
    found = _replayed(tmp_path, capsys, *words, **stated)["autoscaling"]
    assert (found["min_replica_count"], found["start_minutes"]) == (0, 1.0)
    assert found["to_zero"]["is_chosen"]
    assert 0.0 < found["to_zero"]["waiting_share"] < 0.5


@pytest.mark.slow
def test_a_replay_weighs_staying_ready_against_the_requests_that_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _replayed(tmp_path, capsys, "-f", "json")
    assert found["autoscaling"]["to_zero"]["staying_ready_usd_per_month"] > 0
    assert found["autoscaling"]["held_back_share"] == 0.0 < found["autoscaling"]["to_zero"]["waiting_share"]
    assert found["cheapest"]["spare_usd_per_month"] == found["cheapest"]["usd_per_month"]  # one machine, one spare
    said = " ".join(_replayed(tmp_path, capsys).split())
    assert "a month: scaled to zero when idle," in said
    assert "p95 no longer holds; a spare for" in said
