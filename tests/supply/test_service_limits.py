"""Limits of a service: tested once, at the rate that is planned; filled in where none is stated; spares stand by beyond them."""

from __future__ import annotations

from typing import Any

import pytest

from planner.assumptions import Assumptions, default_assumptions
from planner.demand.defaults import with_limits
from planner.demand.models import resolve_model
from planner.demand.workload import Workload
from planner.report.notes import note_text
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Machine, Refusal
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()
H100X8 = Machine(accelerator=accelerators()["H100-SXM"], accelerator_count=8.0, memory_gib=2048)
XEON = Machine(
    accelerator=None, accelerator_count=0.0, vcpus=96, memory_gib=768, processor="Intel Xeon 8488C (Sapphire Rapids)"
)


def workload(model: str = "llama-3.1-70b", **serve: Any) -> Workload:
    stated = {"requests_per_s": 12.0, "input_tokens": 1000, "output_tokens": 300, **serve}
    return Workload.model_validate({"kind": "serve", "model": model, "precision": "fp8", "serve": stated})


def sized(
    asked: Workload, machine: Machine = H100X8, assumptions: Assumptions = ASSUMPTIONS, **more: Any
) -> Fleet | Refusal:
    filled = with_limits(asked, assumptions)
    assert filled.model is not None
    return size(filled, resolve_model(filled.model), [machine], assumptions, **more)[0]


def fleet(asked: Workload, assumptions: Assumptions = ASSUMPTIONS) -> Fleet:
    found = sized(asked, assumptions=assumptions)
    assert isinstance(found, Fleet), found
    return found


def tpot_ms(found: Fleet) -> float:
    assert found.performance.tpot_ms is not None
    return found.performance.tpot_ms.typical


@pytest.mark.parametrize("times", [1.001, 1.1, 2.0])
@pytest.mark.parametrize(("model", "rate"), [("llama-3.1-70b", 12.0), ("llama-3.1-8b", 150.0), ("mixtral-8x7b", 60.0)])
def test_a_limit_on_the_mean_that_is_met_without_it_adds_no_machine(model: str, rate: float, times: float) -> None:
    free = ASSUMPTIONS.override({"serve.tpot_limit_ms": 1e9, "serve.ttft_limit_ms": 1e9}, "test")
    serve = {"requests_per_s": rate, "spare_replicas": 0, "limit_percentile": "mean"}
    unlimited = fleet(workload(model, **serve), free)
    limited = fleet(workload(model, **serve, tpot_limit_ms=tpot_ms(unlimited) * times), free)
    assert limited.instance_count == unlimited.instance_count
    assert tpot_ms(limited) <= tpot_ms(unlimited) * times


def test_limits_hold_at_the_percentile_of_the_speed_band_that_is_stated() -> None:
    careful = ASSUMPTIONS.override({"serve.limit_band_percentile": 90}, "test")
    found = fleet(workload(tpot_limit_ms=50), careful)
    assert found.performance.tpot_ms is not None
    assert found.performance.tpot_ms.high <= 50.0
    assert found.instance_count >= fleet(workload(tpot_limit_ms=50)).instance_count


def test_a_service_without_limits_is_held_to_those_that_any_chat_would_ask_for() -> None:
    filled = with_limits(workload(), ASSUMPTIONS).serve
    assert filled is not None
    assert (filled.ttft_limit_ms, filled.tpot_limit_ms, filled.spare_replicas) == (2000.0, 100.0, 0)
    slow = sized(workload(requests_per_s=0.01).model_copy(update={"precision": ()}), XEON)
    assert isinstance(slow, Refusal)
    assert slow.stage in {"tpot", "ttft"}


def test_a_stated_limit_brings_a_spare_and_leaves_the_other_limit_at_its_default() -> None:
    filled = with_limits(workload(tpot_limit_ms=40), ASSUMPTIONS).serve
    assert filled is not None
    assert (filled.ttft_limit_ms, filled.tpot_limit_ms, filled.spare_replicas) == (2000.0, 40.0, 1)
    assert with_limits(workload(tpot_limit_ms=40, spare_replicas=0), ASSUMPTIONS).serve.spare_replicas == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("spares", [1, 3])
def test_spares_are_whole_machines_beside_those_that_the_rate_takes(spares: int) -> None:
    bare, spared = (fleet(workload(tpot_limit_ms=60, spare_replicas=n)) for n in (0, spares))
    assert spared.instance_count == bare.instance_count + spares
    assert spared.spare_instance_count == spares
    assert spared.performance == bare.performance
    useful = [each.utilisation_share * each.accelerators_used for each in (bare, spared)]
    assert useful[0] == pytest.approx(useful[1])


def test_spares_count_against_max_gpus() -> None:
    bare = fleet(workload(tpot_limit_ms=60, spare_replicas=0))
    most = round(bare.instance_count * 8)
    refused = sized(workload(tpot_limit_ms=60), max_accelerators=most)
    assert isinstance(refused, Refusal)
    assert refused.stage == "max_gpus"
    assert "spare" in note_text(refused.reason)
