from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.sections import Lengths, mean_tokens, tokens_at
from planner.demand.workload import Workload
from planner.options.servers import own_machine
from planner.supply.calibration import default_calibration
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Layout
from planner.supply.serving.stacks import DEFAULT_STACK
from planner.traffic.percentiles import Limits, service_of
from planner.traffic.simulation import Requests, Routing, simulated
from planner.traffic.step_times import StepTimes, times_of_layout
from planner.traffic.streams import drawn_requests
from pricing.facts.accelerators import resolve

PLAIN = StepTimes(
    batch_s=[0.01] + [0.01 + 0.0005 * batch for batch in range(1, 65)],
    cached_s=1e-7,
    prompt_s=[0.0, *(0.01 * grid for grid in range(1, 400))],
    mixed_s=0.002,
    capacity_tokens=40_000.0,
    most_requests=64,
    chunk_tokens=2048,
)


SIZES: tuple[tuple[int, Routing], ...] = ((2, "least_loaded"), (2, "round_robin"), (4, "least_loaded"))


def _times(tensor: int = 1) -> StepTimes:
    machine = own_machine(resolve("b200")[0], 8)
    layout = Layout(tensor=tensor, precision="fp8", kv_precision="bf16")
    return times_of_layout(
        machine, layout, known_model("llama-3.1-70b"), default_assumptions(), default_calibration(),
        longest_tokens=32_768, typical_tokens=1150.0,
    )  # fmt: skip


def test_every_request_is_answered_once_and_in_order_of_its_own_times() -> None:
    requests = drawn_requests(800, 200, rate_per_s=8, count=3000, length_cv=(1.5, 1.5), longest_tokens=20_000, seed=3)
    outcome = simulated(requests, PLAIN, 2)
    assert outcome.refused_count == 0
    assert (outcome.ttft_s > 0).all()
    assert (outcome.total_s >= outcome.ttft_s).all()
    answered = outcome.total_s - outcome.ttft_s
    more = requests.output_tokens > 1
    assert outcome.tpot_s[more] * (requests.output_tokens[more] - 1) == pytest.approx(answered[more])


def test_the_same_requests_give_the_same_times() -> None:
    requests = drawn_requests(800, 200, rate_per_s=8, count=500, length_cv=(1.0, 1.0), seed=3)
    first, second = simulated(requests, PLAIN, 2), simulated(requests, PLAIN, 2)
    assert first.total_s.tolist() == second.total_s.tolist()


def test_a_full_cache_puts_the_youngest_back_and_still_answers_all() -> None:
    small = replace(PLAIN, capacity_tokens=3_000.0)
    requests = drawn_requests(300, 400, rate_per_s=3, count=400, length_cv=(0.5, 0.5), longest_tokens=2_500, seed=3)
    crowded, roomy = simulated(requests, small, 1), simulated(requests, PLAIN, 1)
    assert not np.isnan(crowded.total_s).any()
    assert crowded.total_s.mean() > 1.5 * roomy.total_s.mean()


def test_a_request_longer_than_the_cache_is_refused_and_misses_every_limit() -> None:
    requests = Requests(
        arrival_s=np.array([0.0, 1.0]), input_tokens=np.array([50_000, 100]), output_tokens=np.array([10, 10]),
        cached_tokens=np.array([0, 0]),
    )  # fmt: skip
    service = service_of(simulated(requests, PLAIN, 1), Limits(ttft_ms=1e6))
    assert (service.refused_count, service.over_ttft_share, service.holds) == (1, 0.5, False)


def test_a_prompt_that_was_read_before_starts_sooner() -> None:
    cold = drawn_requests(1500, 100, rate_per_s=2, count=300, seed=1)
    warm = replace(cold, cached_tokens=cold.input_tokens // 2)
    gain_s = simulated(cold, PLAIN, 1).ttft_s.mean() - simulated(warm, PLAIN, 1).ttft_s.mean()
    assert gain_s > 0.9 * 750 / 256 * 0.01


def test_a_long_prompt_is_read_in_chunks_while_others_are_answered() -> None:
    requests = Requests(
        arrival_s=np.array([0.0, 1.0]), input_tokens=np.array([10, 20_000]), output_tokens=np.array([500, 2]),
        cached_tokens=np.array([0, 0]),
    )  # fmt: skip
    outcome = simulated(requests, PLAIN, 1)
    assert outcome.ttft_s[1] == pytest.approx(20_000 / 256 * 0.01 + 10 * (0.0105 + 0.002), rel=0.05)
    # One token a step, ten of them as long as a chunk: no pause as long as the whole prompt.
    alone = simulated(Requests(
        arrival_s=requests.arrival_s[:1], input_tokens=requests.input_tokens[:1], output_tokens=requests.output_tokens[:1],
        cached_tokens=requests.cached_tokens[:1],
    ), PLAIN, 1)  # fmt: skip
    assert outcome.total_s[0] - alone.total_s[0] == pytest.approx(20_000 / 256 * 0.01 + 10 * 0.002, rel=0.01)


def test_more_replicas_and_better_routing_never_lengthen_the_tail() -> None:
    requests = drawn_requests(800, 200, rate_per_s=9, count=4000, length_cv=(1.5, 1.5), longest_tokens=20_000, seed=3)
    p99 = {
        (count, routing): service_of(simulated(requests, PLAIN, count, routing=routing), Limits()).ttft_ms.p99
        for count, routing in SIZES
    }
    assert p99[4, "least_loaded"] < p99[2, "least_loaded"] < p99[2, "round_robin"]


def test_tails_grow_with_the_variation_of_lengths_and_of_arrivals() -> None:
    times = _times()
    tails = [
        service_of(
            simulated(
                drawn_requests(1000, 300, rate_per_s=5, count=2500, length_cv=(cv, cv), arrival_cv=gaps, longest_tokens=32_768), times, 1
            ),
            Limits(),
        ).ttft_ms.p95
        for cv, gaps in ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (2.0, 3.0))
    ]  # fmt: skip
    assert all(after > 1.1 * before for before, after in pairwise(tails))


def test_an_unloaded_replica_takes_the_times_of_the_product_s_own_formula() -> None:
    """A plan's estimate of a nearly idle replica and one simulated request agree, but for the steps that it waits."""
    machine = own_machine(resolve("b200")[0], 1)
    serve = {"requests_per_s": 0.01, "input_tokens": 4000, "output_tokens": 300}
    work = Workload.model_validate({"kind": "serve", "model": "llama-3.1-70b", "precision": "fp8", "serve": serve})
    fleet = estimate(work, known_model("llama-3.1-70b"), machine, 1, default_assumptions())
    assert isinstance(fleet, Fleet)
    assert fleet.performance.tpot_ms
    assert fleet.performance.ttft_ms
    requests = drawn_requests(4000, 300, rate_per_s=0.01, count=20)
    service = service_of(simulated(requests, _times(), 1), Limits())
    # The plan counts a request's own prompt among those that interrupt it.
    assert service.tpot_ms.mean == pytest.approx(fleet.performance.tpot_ms.typical, rel=0.05)
    steps = float(default_calibration().column("serve.wait_steps_ratio", [machine], DEFAULT_STACK.tags)[0])
    waited_ms = steps * fleet.performance.tpot_ms.typical
    assert service.ttft_ms.mean == pytest.approx(fleet.performance.ttft_ms.typical - waited_ms, rel=0.15)


def test_quantiles_of_a_log_normal_give_its_lengths_back() -> None:
    scores = np.array([-2.0, 0.0, 1.0, 2.5])
    whole = Lengths(mean=1000, cv=1.2)
    p50, p90, p99 = tokens_at(whole, np.array([0.0, 1.2815515655446004, 2.3263478740408408]))
    stated = Lengths(p50=p50, p90=p90, p99=p99)
    assert tokens_at(stated, scores) == pytest.approx(tokens_at(whole, scores))
    assert mean_tokens(stated) == pytest.approx(1000, rel=0.005)


@pytest.mark.parametrize(
    ("stated", "fault"),
    [
        ({"p50": 10}, "at least two"),
        ({"mean": 10, "p90": 20}, "not both"),
        ({"p50": 10, "p90": 5}, "must not fall"),
        ({"cv": 1, "p50": 10, "p90": 20}, "belongs to a mean"),
    ],
)
def test_lengths_that_contradict_themselves_are_refused(stated: dict[str, float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Lengths.model_validate(stated)
