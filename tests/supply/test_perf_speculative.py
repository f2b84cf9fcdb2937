"""Speculative decoding trades idle arithmetic for fewer passes over the weights."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.assumptions import Assumptions, default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Serve, Workload
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Machine
from planner.supply.serving.candidates import demand_of
from planner.supply.serving.speed import accepted_tokens
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()
BOX = Machine(accelerator=accelerators()["H100-SXM"], accelerator_count=4, memory_gib=1024)


def _tpot_ms(drafted: int, rate: float, assumptions: Assumptions = ASSUMPTIONS) -> float:
    work = Serve(requests_per_s=rate, input_tokens=500, output_tokens=500, drafted_tokens=drafted)
    asked = Workload(kind="serve", model="llama-3.1-70b", precision=("fp8",), serve=work)
    fleet = estimate(asked, known_model("llama-3.1-70b"), BOX, 4, assumptions)
    assert isinstance(fleet, Fleet)
    assert fleet.performance.tpot_ms is not None
    assert ("speculative_decoding" in fleet.layout.techniques) == (drafted > 0)
    return fleet.performance.tpot_ms.typical


def test_a_lone_stream_is_sped_up_by_less_than_the_tokens_that_are_accepted() -> None:
    gain = _tpot_ms(0, 0.01) / _tpot_ms(4, 0.01)
    assert 1.2 < gain < accepted_tokens(4, ASSUMPTIONS["perf.draft_acceptance_share"])


def test_a_draft_that_is_never_accepted_only_costs() -> None:
    row = dataclasses.replace(ASSUMPTIONS.rows["perf.draft_acceptance_share"], value=0.0)
    hopeless = Assumptions({**ASSUMPTIONS.rows, "perf.draft_acceptance_share": row})
    assert _tpot_ms(4, 0.01, hopeless) > _tpot_ms(0, 0.01)


def test_checking_drafts_costs_more_of_its_gain_the_fuller_the_server_is() -> None:
    lone, busy = (_tpot_ms(0, rate) / _tpot_ms(4, rate) for rate in (0.01, 8.0))
    assert busy < lone


def test_sglang_takes_48_requests_at_once_with_drafts_unless_told_another_number() -> None:
    def most(stack: str, **more: int) -> float:
        work = Serve(requests_per_s=1, input_tokens=500, output_tokens=500, **more)
        return demand_of(
            Workload(kind="serve", model="llama-3.1-70b", serve=work, stack=stack), ASSUMPTIONS
        ).most_request_count

    assert most("sglang", drafted_tokens=3) == 48.0
    assert most("sglang", drafted_tokens=3, max_num_seqs=100) == 100.0
    assert most("sglang") == most("vllm", drafted_tokens=3) == math.inf


@given(st.integers(0, 16), st.floats(0, 1))
def test_accepted_tokens_lie_between_one_and_all(drafted: int, share: float) -> None:
    found = accepted_tokens(drafted, share)
    assert 1.0 - 1e-12 <= found <= drafted + 1.0 + 1e-9
    assert found <= accepted_tokens(drafted + 1, share) + 1e-12


def test_two_drafted_tokens_at_one_half_yield_one_and_three_quarters() -> None:
    assert accepted_tokens(2, 0.5) == pytest.approx(1 + 0.5 + 0.25)
