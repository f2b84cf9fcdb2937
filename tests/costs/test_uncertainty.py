"""Uncertain numbers: drawn together, judged together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import PlanningError
from planner.uncertainty.draws import (
    Draws,
    Uncertain,
    draw,
    risk,
)
from planner.uncertainty.tornado import sobol
from tests.published.formulas import maximum_regret, normal_difference, value_of_waiting_usd

Z90 = 1.2815515655446004
FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def normal(name: str, mean: float, sd: float) -> Uncertain:
    return Uncertain(name=name, low=mean - Z90 * sd, typical=mean, high=mean + Z90 * sd)


def as_costs(draws: Draws) -> FloatArray:
    return np.stack([draws["rent"], draws["own"]])


RENT, OWN = normal("rent", 620e3, 90e3), normal("own", 540e3, 60e3)


def test_draws_agree_with_the_closed_form_for_normal_costs() -> None:
    found = risk(("rent", "buy"), as_costs, [RENT, OWN], correlations={("rent", "own"): 0.3}, draws=200_000, seed=3)
    probability, regret = normal_difference(mean_a=540e3, sd_a=60e3, mean_b=620e3, sd_b=90e3, correlation=0.3)
    assert found.probability_cheapest_share[1] == pytest.approx(probability, abs=0.004)
    assert found.expected_regret_usd[1] == pytest.approx(regret, rel=0.02)
    assert found.value_of_knowing_usd == min(found.expected_regret_usd)
    sd = (90e3**2 + 60e3**2 - 2 * 0.3 * 90e3 * 60e3) ** 0.5
    assert found.saving_p5_usd == pytest.approx(80e3 - 1.645 * sd, rel=0.02)
    assert found.saving_p95_usd == pytest.approx(80e3 + 1.645 * sd, rel=0.02)


def test_numbers_that_move_together_leave_less_to_regret() -> None:
    regrets = [
        risk(
            ("rent", "buy"), as_costs, [RENT, OWN], correlations={("rent", "own"): r}, draws=50_000
        ).value_of_knowing_usd
        for r in (-0.5, 0.0, 0.8)
    ]
    assert regrets == sorted(regrets, reverse=True)


@settings(max_examples=25)
@given(spread=st.floats(0.0, 2.0), wider=st.floats(0.0, 2.0))
def test_more_uncertainty_never_makes_the_value_of_knowing_negative_or_smaller(spread: float, wider: float) -> None:
    low, high = min(spread, wider), max(spread, wider)
    values = [
        risk(
            ("rent", "buy"), as_costs, [normal("rent", 600.0, 100 * s), normal("own", 580.0, 60 * s)], draws=4_000
        ).value_of_knowing_usd
        for s in (low, high)
    ]
    assert 0.0 <= values[0] <= values[1] + 1e-6


def test_the_same_seed_gives_the_same_figures_and_chunks_do_not_matter_to_the_law() -> None:
    one = risk(("rent", "buy"), as_costs, [RENT, OWN], draws=20_000, seed=5)
    assert one == risk(("rent", "buy"), as_costs, [RENT, OWN], draws=20_000, seed=5)
    other = risk(("rent", "buy"), as_costs, [RENT, OWN], draws=20_000, seed=5, chunk=1_000)
    assert other.expected_usd == pytest.approx(one.expected_usd, rel=0.01)


@pytest.mark.parametrize("kind", ["amount", "change", "free"])
def test_low_typical_and_high_are_percentiles(kind: str) -> None:
    one = Uncertain(name="x", low=0.1, typical=0.2, high=0.6, kind=kind)  # type: ignore[arg-type]
    values = draw([one], {}, 200_000, np.random.default_rng(0))["x"]
    assert np.percentile(values, [10, 50, 90]) == pytest.approx([0.1, 0.2, 0.6], rel=0.02)


def test_a_share_never_leaves_its_bounds_and_a_price_never_turns_negative() -> None:
    share = Uncertain(name="share", low=0.5, typical=0.9, high=0.99, most=1.0, least=0.0)
    price = Uncertain(name="price", low=0.1, typical=3.0, high=30.0, kind="amount")
    drawn = draw([share, price], {}, 50_000, np.random.default_rng(0))
    assert drawn["share"].max() <= 1.0
    assert drawn["price"].min() > 0.0


def test_correlations_that_contradict_each_other_are_refused() -> None:
    inputs = [normal(name, 0.0, 1.0) for name in "abc"]
    with pytest.raises(PlanningError, match="contradict"):
        draw(inputs, {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}, 10, np.random.default_rng(0))


def test_certain_costs_have_no_risk() -> None:
    found = risk(("rent", "buy"), lambda _: np.array([[3.0, 3.0], [2.0, 2.0]]), [], draws=2)
    assert found.probability_cheapest_share == (0.0, 1.0)
    assert found.value_of_knowing_usd == 0.0
    assert found.saving_p50_usd == pytest.approx(1.0, abs=1e-6)


def test_waiting_is_worth_nothing_where_it_only_costs_rent() -> None:
    _, _, worth = value_of_waiting_usd(
        capex=100.0, capex_next=100.0, pv_up=200.0, pv_down=200.0, p_up=0.5, rate=0.1, rent_bridge_cost=5.0
    )
    assert worth == 0.0


def test_the_least_largest_regret_is_chosen() -> None:
    regret, choice = maximum_regret({"a": [1, 9], "b": [5, 5], "c": [8, 1]})
    assert (regret, choice) == ({"a": 8.0, "b": 4.0, "c": 7.0}, "b")


def test_options_with_missing_scenarios_are_refused() -> None:
    with pytest.raises(PlanningError, match="every scenario"):
        maximum_regret({"a": [1, 2], "b": [1]})


def test_a_single_number_explains_all_of_the_variance() -> None:
    rent = Uncertain(name="rent", low=1.0, typical=2.0, high=3.0)
    (index,) = sobol(lambda draws: np.stack([draws["rent"], 0 * draws["rent"]]), [rent], points=64)
    assert (index.name, index.first_order_share, index.total_share) == ("rent", 1.0, 1.0)
