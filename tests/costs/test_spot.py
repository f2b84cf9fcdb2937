"""Spot: the formula against a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.spot import (
    daly_interval_hours,
    slowdown_ratio,
    spot_overhead_ratio,
)
from planner.errors import PlanningError
from tests.published.formulas import break_even_hours_between_interruptions, young_interval_hours


def simulated_slowdown(
    checkpoint: float, mean: float, restart: float, interval: float, pieces: int, seed: int
) -> float:
    """Work through pieces that are lost whole when an interruption comes before their checkpoint is written."""
    rng = np.random.default_rng(seed)
    wall, until = 0.0, rng.exponential(mean)
    for _ in range(pieces):
        needed = interval + checkpoint
        while until < needed:
            wall += until
            # A restart may be interrupted itself, and then begins again.
            until = rng.exponential(mean)
            while until < restart:
                wall += until
                until = rng.exponential(mean)
            wall += restart
            until -= restart
        wall += needed
        until -= needed
    return wall / (pieces * interval)


@pytest.mark.parametrize(("checkpoint", "mean", "restart"), [(0.05, 6.0, 0.25), (0.1, 2.0, 0.5), (0.02, 24.0, 1.0)])
def test_the_formula_agrees_with_a_simulation(checkpoint: float, mean: float, restart: float) -> None:
    interval = float(daly_interval_hours(checkpoint, mean))
    simulated = simulated_slowdown(checkpoint, mean, restart, interval, pieces=40_000, seed=7)
    assert float(slowdown_ratio(checkpoint, mean, restart)) == pytest.approx(simulated, rel=0.02)


@given(checkpoint=st.floats(0.001, 0.5), mean=st.floats(1.5, 500), factor=st.floats(0.3, 3.0))
def test_no_other_interval_does_noticeably_better_than_dalys(checkpoint: float, mean: float, factor: float) -> None:
    best = float(slowdown_ratio(checkpoint, mean, 0.0))
    other = float(slowdown_ratio(checkpoint, mean, 0.0, factor * daly_interval_hours(checkpoint, mean)))
    assert best <= other * 1.002


@given(mean=st.floats(0.5, 1e4), checkpoint=st.floats(0.001, 0.2), restart=st.floats(0, 1))
def test_rarer_interruptions_never_slow_a_job(mean: float, checkpoint: float, restart: float) -> None:
    assert slowdown_ratio(checkpoint, 2 * mean, restart) <= slowdown_ratio(checkpoint, mean, restart) + 1e-12


def test_a_job_on_more_machines_loses_more_to_interruptions() -> None:
    ratios = spot_overhead_ratio(
        checkpoint_hours=0.05, hours_between_of_one=24, restart_hours=0.25, instance_count=[1, 4, 16]
    )
    assert (np.diff(ratios) > 0).all()


def test_dalys_interval_is_youngs_less_the_checkpoint_where_interruptions_are_rare() -> None:
    assert float(daly_interval_hours(0.01, 1e4)) == pytest.approx(
        float(young_interval_hours(0.01, 1e4)) - 0.01, rel=1e-3
    )


def test_at_the_break_even_spot_costs_what_on_demand_costs() -> None:
    mean = break_even_hours_between_interruptions(
        checkpoint_hours=0.05, restart_hours=0.25, spot_usd_per_hour=1.2, on_demand_usd_per_hour=2.9
    )
    assert mean is not None
    assert 1.2 * float(slowdown_ratio(0.05, mean, 0.25)) == pytest.approx(2.9, rel=1e-9)


def test_spot_at_the_price_of_on_demand_is_never_cheaper() -> None:
    assert (
        break_even_hours_between_interruptions(
            checkpoint_hours=0.05, restart_hours=0.25, spot_usd_per_hour=2.9, on_demand_usd_per_hour=2.9
        )
        is None
    )


def test_a_mean_time_of_zero_is_refused() -> None:
    with pytest.raises(PlanningError, match="above 0"):
        slowdown_ratio(0.05, 0.0, 0.1)
