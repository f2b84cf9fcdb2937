"""What a curve says, and laws that hold for every curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from planner.usage.answer import curve_of, level_held
from planner.usage.hours import parts_of_hours, spread_evenly

levels = arrays(float, st.integers(1, 200), elements=st.floats(0, 1000, width=32))


def test_office_hours_have_a_low_base_and_a_high_peak() -> None:
    day = np.array([2.0] * 8 + [10.0] * 12 + [2.0] * 4)
    curve = curve_of(np.tile(day, 10))
    assert (curve.base_gpus, curve.peak_gpus, curve.mean_gpus) == (2.0, 10.0, 6.0)
    assert curve.utilisation_share == pytest.approx(0.6)


def test_shares_of_a_curve_without_use_are_0() -> None:
    curve = curve_of(np.zeros(5))
    assert (curve.hours, curve.peak_gpus, curve.utilisation_share, curve.variation_share) == (5, 0.0, 0.0, 0.0)


@given(levels, st.floats(0, 1), st.floats(0, 1))
def test_more_of_the_hours_never_hold_a_higher_level(level: np.ndarray, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert level_held(level, high) <= level_held(level, low)


@given(levels)
def test_the_peak_is_held_in_no_hour_less_and_the_lowest_in_all(level: np.ndarray) -> None:
    assert level_held(level, 0.0) == level.max()
    assert level_held(level, 1.0) == level.min()


@given(levels)
def test_the_base_is_reached_in_at_least_nine_hours_of_ten(level: np.ndarray) -> None:
    assert (level >= level_held(level, 0.9)).mean() >= 0.9 - 1e-12


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 800), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_spreading_a_charge_changes_no_sum(charges: list[tuple[int, int, float]]) -> None:
    hour, span, usd = (np.array(column) for column in zip(*charges, strict=True))
    hours, rows, parts = spread_evenly(hour, span, {"usd": usd.astype(float)})
    assert len(hours) == span.sum()
    assert np.bincount(rows, weights=parts["usd"], minlength=len(charges)) == pytest.approx(usd, abs=1e-6)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 64))
def test_parts_of_hours_add_up_to_the_stretch(start: float, length: float, gpus: float) -> None:
    hour, _, hours = parts_of_hours(np.array([start]), np.array([start + length]), np.array([gpus]))
    assert hours.sum() == pytest.approx(length / 3600 * gpus, abs=1e-6)
    assert (hours <= gpus + 1e-9).all()
    assert len(set(hour.tolist())) == len(hour)
