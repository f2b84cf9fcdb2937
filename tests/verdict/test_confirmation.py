"""The fleets of the cheapest options are simulated: too few machines become more, too many fewer, and what cannot hold is not recommended."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.options.option import ReasonCode
from planner.plan import Plan, make_plan
from planner.report.record import plan_record
from planner.supply.machines import with_more
from planner.verdict.supply import Correction
from pricing.catalog import Catalog, load_bundled
from tests.conftest import TODAY

QWEN = {"kind": "serve", "model": "qwen3-30b-a3b", "serve": {"requests_per_s": 100, "input_tokens": 1000, "output_tokens": 300}}  # fmt: skip
CODE = {
    "kind": "serve",
    "model": "llama-3.1-8b",
    "serve": {"requests_per_s": 19, "traffic": "code", "profile": "steady"},
}


@cache
def _catalog(*instance_types: str) -> Catalog:
    bundled = load_bundled()
    return replace(bundled, offers=tuple(each for each in bundled.offers if each.instance_type in instance_types))


@cache
def _plan(name: str, *instance_types: str, in_full: bool = True, **serve: Any) -> Plan:
    work: dict[str, Any] = {"qwen": QWEN, "code": CODE}[name]
    work = {**work, "serve": {**work["serve"], **serve}}
    return make_plan(
        Workload.model_validate(work | {"constraints": {"max_capex_usd": 1}}), _catalog(*instance_types or ("gpu-mi300x1-192gb",)),
        default_assumptions(), today=TODAY, in_full=in_full,
    )  # fmt: skip


def _replicas(plan: Plan) -> int:
    fleet = plan.chosen.fleet
    assert fleet is not None
    return fleet.layout.data


def test_where_the_formula_asks_for_too_many_the_plan_has_the_fewest_that_hold_in_the_simulation() -> None:
    confirmed, formula = _plan("qwen"), _plan("qwen", in_full=False)
    assert _replicas(confirmed) < _replicas(formula)
    assert confirmed.confirmed[confirmed.chosen.id].service.holds
    assert confirmed.chosen.usd_per_month < formula.chosen.usd_per_month


def test_where_the_formula_asks_for_too_few_the_plan_has_more() -> None:
    """At which rates the two differ moves with every fit: somewhere where one replica no longer does they have to."""
    pairs = [
        [_plan("code", in_full=in_full, requests_per_s=rate) for in_full in (True, False)] for rate in range(15, 30, 2)
    ]
    more = [confirmed for confirmed, formula in pairs if _replicas(confirmed) > _replicas(formula)]
    assert more
    assert all(confirmed.confirmed[confirmed.chosen.id].service.holds for confirmed in more)
    assert not any(formula.confirmed for _, formula in pairs)


def test_sellers_of_the_same_accelerators_are_sized_alike() -> None:
    plan = _plan("code", "gpu-mi300x1-192gb", "1x AMD MI300X", "gpu_1x_h100_sxm5", "g4-standard-48")
    counts: dict[tuple[str | None, float], set[int]] = {}
    for option in plan.options:
        if option.fleet:
            counts.setdefault((option.accelerator, option.accelerator_count), set()).add(option.instance_count)
    assert len(counts) > 1
    assert all(len(found) == 1 for found in counts.values())


def test_the_record_has_percentiles_of_every_simulated_option_and_the_stated_one_among_the_costs() -> None:
    plan = _plan("code")
    record: Any = plan_record(plan)
    speed = next(each for each in record["options"] if each["id"] == plan.chosen.id)["performance"]
    assert speed["ttft_p50_ms"] < speed["ttft_p90_ms"] < speed["ttft_p95_ms"] < speed["ttft_p99_ms"]
    assert speed["over_tpot_limit_share"] <= 0.05
    costs = {each["percentile"]: each for each in record["verdict"]["at_other_percentiles"]}
    assert costs[95.0]["instance_count"] == plan.chosen.instance_count
    assert costs[95.0]["usd_per_month"] == pytest.approx(plan.chosen.usd_per_month)
    counts = [costs[each]["instance_count"] for each in (50.0, 90.0, 95.0, 99.0)]
    assert counts == sorted(counts)


def test_a_correction_changes_the_limits_that_the_formula_is_asked_for_and_nothing_else() -> None:
    stated = Workload.model_validate(QWEN | {"serve": {**QWEN["serve"], "ttft_limit_ms": 1000, "tpot_limit_ms": 50}})  # type: ignore[dict-item]
    asked = Correction(ttft_ratio=0.5, tpot_ratio=1.2).applied(stated).serve
    assert asked is not None
    assert stated.serve is not None
    assert (asked.ttft_limit_ms, asked.tpot_limit_ms) == (500, 60)
    assert asked.model_copy(update={"ttft_limit_ms": 1000, "tpot_limit_ms": 50}) == stated.serve


def test_more_machines_serve_more_and_are_used_less() -> None:
    fleet = _plan("code").chosen.fleet
    assert fleet is not None
    more = with_more(fleet, fleet.instance_count)
    assert (more.instance_count, more.layout.data) == (2 * fleet.instance_count, 2 * fleet.layout.data)
    assert more.performance.rate_per_s.typical == pytest.approx(2 * fleet.performance.rate_per_s.typical)
    assert more.utilisation_share == pytest.approx(fleet.utilisation_share / 2)


@pytest.mark.slow
def test_machines_that_miss_a_limit_whatever_their_number_are_not_recommended_beside_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    types = ("gpu-mi300x1-192gb", "gpu_1x_gh200")
    best = _plan("qwen", *types).chosen

    def settled(service: Any, fleet: Any) -> tuple[Correction, None]:
        return Correction(late_ratio=1.3 if service.machine.accelerator.name == best.accelerator else 1.0), None

    monkeypatch.setattr("planner.verdict.confirmation._settled", settled)
    plan = make_plan(Workload.model_validate(QWEN), _catalog(*types), default_assumptions(), today=TODAY)
    late = next(option for option in plan.options if option.id == best.id)
    assert [each.code for each in late.not_recommended] == [ReasonCode.LIMITS_MISSED]
    assert plan.chosen.accelerator != best.accelerator


def test_machines_whose_cache_is_too_small_for_many_requests_are_not_recommended() -> None:
    serve = {
        "requests_per_s": 1e-4,
        "input_tokens": {"p50": 700, "p99": 9000},
        "output_tokens": 300,
        "limit_percentile": "mean",
    }
    work = {"kind": "serve", "model": "deepseek-v3", "serve": {**serve, "drafted_tokens": 3, "max_num_seqs": 1}}
    plan = make_plan(Workload.model_validate(work), load_bundled(), default_assumptions(), today=TODAY)
    late = [option for option in plan.options if option.fleet and option.fleet.late_ratio == float("inf")]
    assert late
    assert all(ReasonCode.LIMITS_MISSED in {each.code for each in option.not_recommended} for option in late)
    assert plan.chosen not in late
