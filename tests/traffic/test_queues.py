"""The simulation against queueing theory: one request at a time is an M/G/1 queue with the answer's steps as service."""

from __future__ import annotations

import numpy as np
import pytest

from planner.traffic.simulation import Requests, simulated
from planner.traffic.step_times import StepTimes

STEPS = 100
"""Steps of the mean answer, of 1 s together."""
ONE_AT_A_TIME = StepTimes(batch_s=[0.0, 1.0 / STEPS], prompt_s=[0.0] * 3, capacity_tokens=1e9, most_requests=1)


def _mean_wait_s(arrival_s: np.ndarray, service_steps: np.ndarray) -> float:
    ones = np.ones(len(arrival_s), dtype=np.int64)
    # The first token comes out of the step that reads the prompt, which takes no time here.
    requests = Requests(
        arrival_s=arrival_s, input_tokens=ones, output_tokens=service_steps + 1, cached_tokens=np.zeros_like(ones)
    )
    return float(simulated(requests, ONE_AT_A_TIME, 1).ttft_s.mean())


def _even_arrivals(count: int, load: float, seed: int) -> np.ndarray:
    return np.asarray(np.cumsum(np.random.default_rng(seed).exponential(1.0 / load, count)))


@pytest.mark.parametrize("load", [0.5])
def test_equal_answers_wait_as_in_an_m_d_1_queue(load: float) -> None:
    arrival_s = _even_arrivals(40_000, load, seed=2)
    wait_s = _mean_wait_s(arrival_s, np.full(40_000, STEPS))
    assert wait_s == pytest.approx(load / (2.0 * (1.0 - load)), rel=0.02)


@pytest.mark.parametrize("load", [0.5])
def test_answers_of_many_lengths_wait_as_in_an_m_g_1_queue(load: float) -> None:
    arrival_s = _even_arrivals(40_000, load, seed=2)
    steps = np.maximum(1, np.rint(np.random.default_rng(8).exponential(STEPS, 40_000))).astype(np.int64)
    service_s = steps / STEPS
    theory_s = load * np.mean(service_s**2) / (2.0 * (1.0 - load * service_s.mean()))
    assert _mean_wait_s(arrival_s, steps) == pytest.approx(theory_s, rel=0.02)


def test_every_wait_is_that_of_lindley_s_recursion() -> None:
    rng = np.random.default_rng(3)
    arrival_s, steps = _even_arrivals(2_000, 0.8, seed=4), rng.integers(1, 200, 2_000)
    ones = np.ones(2_000, dtype=np.int64)
    requests = Requests(
        arrival_s=arrival_s, input_tokens=ones, output_tokens=steps + 1, cached_tokens=np.zeros_like(ones)
    )
    waits, free_s = [], 0.0
    for at, service in zip(arrival_s, steps / STEPS, strict=True):
        waits.append(max(free_s - at, 0.0))
        free_s = max(free_s, at) + service
    assert simulated(requests, ONE_AT_A_TIME, 1).ttft_s == pytest.approx(np.array(waits), abs=1e-6)
