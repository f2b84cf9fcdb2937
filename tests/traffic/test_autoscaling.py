"""Replicas that follow a log: what is paid, what is ready, and what the requests wait."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.traffic.autoscaling import Autoscaling, autoscaled, cheapest_autoscaled, scheduled, start_minutes
from planner.traffic.percentiles import Limits
from planner.traffic.simulation import Requests, simulated
from planner.traffic.streams import drawn_requests
from tests.traffic.test_lanes import PLAIN

LIMITS = Limits(ttft_ms=1_000.0, tpot_ms=50.0, percentile=95.0)


def _day(*rates: float, minutes: int = 10) -> Requests:
    """Return requests whose rate changes every so many minutes."""
    parts = []
    for place, rate in enumerate(rates):
        drawn = drawn_requests(800, 200, rate_per_s=rate, count=round(rate * minutes * 60), length_cv=(0.5, 0.5), seed=place)  # fmt: skip
        at = drawn.arrival_s * minutes * 60 / drawn.arrival_s[-1] * 0.999 + place * minutes * 60
        parts.append(replace(drawn, arrival_s=at))
    return Requests(**{name: np.concatenate([getattr(each, name) for each in parts]) for name in ("arrival_s", "input_tokens", "output_tokens", "cached_tokens")})  # fmt: skip


def test_a_replica_is_paid_from_the_minute_after_it_is_needed_and_ready_after_its_start() -> None:
    arrivals = np.repeat(np.arange(12) * 60.0, [60, 60, *[240] * 4, *[60] * 6])
    found = scheduled(arrivals, Autoscaling(target_per_s=2.0, start_minutes=1.5))
    assert found.paid_counts.tolist() == [1, 1, 1, *[2] * 8, 1]  # kept for five minutes after the last that needed it
    assert found.ready_counts.tolist() == [*[1] * 5, *[2] * 6, 1]


def test_replicas_stay_within_their_bounds() -> None:
    arrivals = np.repeat([0.0, 60.0, 600.0], [600, 1, 1])
    found = scheduled(arrivals, Autoscaling(target_per_s=1.0, least_count=2, most_count=4))
    assert (found.paid_counts.max(), found.paid_counts.min()) == (4, 2)


def test_as_many_ready_replicas_as_there_are_change_nothing() -> None:
    requests = _day(4.0)
    every = np.full(len(requests.arrival_s), 3)
    plain, stated = simulated(requests, PLAIN, 3), simulated(requests, PLAIN, 3, ready_counts=every)
    assert np.array_equal(plain.ttft_s, stated.ttft_s)
    fewer = simulated(requests, PLAIN, 3, ready_counts=every - 2)
    assert np.array_equal(fewer.ttft_s, simulated(requests, PLAIN, 1).ttft_s)


def test_a_request_that_finds_no_replica_waits_for_one_to_start() -> None:
    lone = Requests(
        arrival_s=np.array([0.0, 3_000.0]), input_tokens=np.array([100, 100]), output_tokens=np.array([10, 10]),
        cached_tokens=np.array([0, 0]),
    )  # fmt: skip
    rule = Autoscaling(target_per_s=1.0, least_count=0, start_minutes=4.0)
    found = autoscaled(lone, PLAIN, LIMITS, rule, fixed_count=1)
    assert found.held_back_share == 0.5
    assert 180_000 < found.service.ttft_ms.p99 < 300_000
    assert found.paid_share() < 0.3
    assert autoscaled(lone, PLAIN, LIMITS, replace(rule, least_count=1), fixed_count=1).held_back_share == 0.0


def test_a_slow_rise_is_followed_for_less_and_a_start_that_takes_too_long_is_not_called_a_saving() -> None:
    requests = _day(2.0, 4.0, 8.0, 4.0, 2.0)
    rule = Autoscaling(target_per_s=2.0, start_minutes=1.0, most_count=4)
    found = cheapest_autoscaled(requests, PLAIN, LIMITS, rule, fixed_count=4)
    assert found.service.holds
    assert 0.3 < found.paid_share() < 0.95
    assert found.paid_share(4) == 1.0  # all four stand on one machine
    assert len(found.hourly_counts()) == 1
    leap = _day(1.0, 12.0, 1.0, minutes=5)
    late = cheapest_autoscaled(leap, PLAIN, LIMITS, replace(rule, start_minutes=25.0), fixed_count=4)
    assert not late.service.holds


@pytest.mark.parametrize(("name", "least", "most"), [("llama-3.1-8b", 5.5, 6), ("llama-3.1-70b", 7, 9)])
def test_larger_models_take_longer_to_start_and_rented_machines_longer_than_ones_own(
    name: str, least: float, most: float
) -> None:
    arch, assumptions = known_model(name), default_assumptions()
    rented = start_minutes(arch, "bf16", assumptions, is_rented=True)
    assert least < rented < most
    own = start_minutes(arch, "bf16", assumptions, is_rented=False)
    assert rented - own == pytest.approx(assumptions["serve.start_machine_minutes"])
