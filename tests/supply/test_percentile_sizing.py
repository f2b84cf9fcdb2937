"""A service is sized for the percentile of its limits; the simulation confirms it, and a portfolio counts the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.defaults import with_limits
from planner.demand.models import known_model
from planner.demand.workload import Serve, Workload
from planner.options.servers import own_machine
from planner.supply.calibration import default_calibration
from planner.supply.fleet import sizes
from planner.supply.fleet_arrays import amounts_of
from planner.supply.machines import Fleet, Machine
from planner.supply.serving import replicas as replica_rates
from planner.supply.serving.fleet import size_serving
from planner.supply.serving.replicas import replicas_for
from planner.supply.serving.tails import STEADY, Spread, late_times
from planner.traffic.confirm import confirmed
from pricing.facts.accelerators import resolve

ASSUMPTIONS = default_assumptions()


def _asked(model: str = "llama-3.1-70b", *, precision: str | None = None, **serve: Any) -> Workload:
    stated = {"requests_per_s": 20, "input_tokens": 1000, "output_tokens": 300, "ttft_limit_ms": 1000, "tpot_limit_ms": 50}  # fmt: skip
    return with_limits(
        Workload.model_validate(
            {"kind": "serve", "model": model, "precision": precision or (), "serve": stated | serve}
        ),
        ASSUMPTIONS,
    )


def _machine(name: str, count: int = 1) -> Machine:
    return own_machine(resolve(name)[0], count)


def _sized(asked: Workload, machine: Machine) -> Fleet:
    found = size_serving(asked, known_model(str(asked.model)), [machine], ASSUMPTIONS)[0]
    assert isinstance(found, Fleet)
    return found


@pytest.mark.parametrize("name", ["b200", "mi300x", "h200-sxm"])
def test_the_simulation_confirms_what_is_sized_for_the_95th_percentile(name: str) -> None:
    asked = _asked()
    fleet = _sized(asked, _machine(name))
    assert isinstance(asked.work, Serve)
    found = confirmed(asked.work, fleet, known_model("llama-3.1-70b"), ASSUMPTIONS, default_calibration())
    assert found is not None
    assert found.service.holds
    assert found.needed_count == found.replica_count == fleet.instance_count - fleet.spare_instance_count


@pytest.mark.parametrize(("name", "limit_ms"), [("mi300x", 9), ("l40s", 40)])
def test_stricter_percentiles_and_wider_lengths_never_take_fewer_machines(name: str, limit_ms: float) -> None:
    def count(**serve: Any) -> int:
        return _sized(_asked("llama-3.1-8b", requests_per_s=60, tpot_limit_ms=limit_ms, **serve), _machine(name)).instance_count  # fmt: skip

    by_percentile = [count(limit_percentile=held) for held in ("mean", 90, 95, 99)]
    assert by_percentile == sorted(by_percentile)
    assert by_percentile[0] < by_percentile[-1]
    by_variation = [count(input_tokens={"mean": 1000, "cv": cv}) for cv in (0, 1, 2)]
    assert by_variation == sorted(by_variation)


@pytest.mark.parametrize("stated", [{}, {"limit_percentile": 99}, {"concurrency": 40, "requests_per_s": None}])
def test_a_fleet_for_one_rate_does_not_depend_on_which_rates_were_asked_before(
    stated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    amount = "concurrency" if "concurrency" in stated else "requests_per_s"
    asked = [_asked("llama-3.1-8b", **(stated | {amount: many})) for many in (3, 300)]
    asked.append(_asked("llama-3.1-8b", **(stated | {amount: 300, "tpot_limit_ms": 8})))
    after_others = [_sized(each, _machine("mi300x")) for each in asked]
    monkeypatch.setattr(replica_rates, "FEW_MACHINES", 0)
    assert after_others == [_sized(each, _machine("mi300x")) for each in asked]
    few, many, tight = (each.instance_count for each in after_others)
    assert few < many < tight


@pytest.mark.parametrize("held", ["mean", 95, 99])
def test_a_portfolio_counts_the_machines_of_a_plan(held: str | int) -> None:
    machines = [_machine("b200"), _machine("h100-sxm", 8), _machine("l40s", 4)]
    asked = [_asked("llama-3.1-8b", limit_percentile=held, requests_per_s=rate) for rate in (0.3, 4.0, 25.0, 180.0)]
    arch = known_model("llama-3.1-8b")
    many = sizes(asked[0], arch, machines, ASSUMPTIONS, amounts_of(asked))
    for column, workload in enumerate(asked):
        one = size_serving(workload, arch, machines, ASSUMPTIONS)
        counts = [each.instance_count if isinstance(each, Fleet) else 0 for each in one]
        assert many.instance_count[:, column].tolist() == counts


def test_many_replicas_carry_more_each_than_one_alone() -> None:
    one, full = np.array([1.0]), np.array([2.0])
    counts = [float(replicas_for(rate, full, one)[0]) for rate in (0.5, 1.0, 1.01, 100.0, 10_000.0)]
    assert counts[:3] == [1.0, 1.0, 2.0]
    assert 50 < counts[3] < 58
    assert 5_000 < counts[4] < 5_100
    assert replicas_for(3.0, np.array([-1.0]), np.array([-1.0]))[0] == np.inf
    assert replicas_for(3.0, full, full)[0] == 2.0


def test_without_variation_and_at_the_mean_only_the_wait_for_prompts_is_added() -> None:
    def late(spread: Spread, replicas: float = np.inf) -> tuple[float, float]:
        shape = np.ones((1, 3))
        found = late_times(
            spread, np.array([[1.0, 8.0, 16.0]]), tpot_s=0.02 * shape, prefill_s=0.1 * shape, unloaded_s=0.12 * shape,
            step_s=0.015 * shape, rate_per_s=5.0 * shape, output_tokens=300.0, replicas=replicas,
        )  # fmt: skip
        return float(found.ttft_s[0, 1]), float(found.tpot_s[0, 1])

    ttft_s, tpot_s = late(STEADY)
    assert ttft_s == pytest.approx(0.12 + 0.1 * 0.5 / 0.5 / 2.0)  # M/D/1 at half load
    assert tpot_s == 0.02
    varied = Spread(input_cv=1.0, output_cv=1.0, arrival_ratio=1.0, score=1.645)
    assert late(varied)[0] > 1.5 * ttft_s
    assert late(varied)[1] > tpot_s
    assert late(varied, 1.0)[1] > late(varied)[1]


@pytest.mark.parametrize("rate_per_s", [1, 4])
def test_where_the_memory_is_short_its_variation_is_planned_for(rate_per_s: float, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("planner.traffic.confirm.LEAST_REQUESTS", 8_000)
    monkeypatch.setattr("planner.traffic.confirm.MOST_REQUESTS", 8_000)
    asked = _asked(precision="fp8", requests_per_s=rate_per_s, spare_replicas=0)
    assert asked.serve is not None
    fleet = _sized(asked, _machine("h100-sxm"))
    found = confirmed(asked.serve, fleet, known_model("llama-3.1-70b"), ASSUMPTIONS, default_calibration())
    assert found is not None
    assert found.needed_count is not None
    assert found.needed_count <= 1.15 * found.replica_count  # it was 1.6
