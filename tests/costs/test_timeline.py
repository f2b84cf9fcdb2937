"""Timelines: signs, discounting, sums."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.timeline import COMPONENTS, Timeline, discount_factors, present_value_usd
from planner.errors import PlanningError
from planner.report.wording import COMPONENTS as COMPONENT_WORDS

MONEY = st.floats(min_value=-1e6, max_value=1e6)


def of(cash: list[float], name: str = "on_demand") -> Timeline:
    return Timeline((name,), np.array([cash]), np.ones(len(cash)))


def test_what_is_paid_today_is_not_discounted() -> None:
    assert present_value_usd([100.0, 0.0], 0.5) == 100.0


def test_a_payment_in_a_year_is_worth_less_by_the_yearly_rate() -> None:
    assert present_value_usd([0.0] * 12 + [121.0], 0.21) == pytest.approx(100.0)


@given(st.lists(MONEY, min_size=2, max_size=40), st.floats(min_value=-0.5, max_value=2.0))
def test_present_value_is_that_of_numpy_financial_at_the_monthly_rate(cash: list[float], rate: float) -> None:
    expected = npf.npv((1 + rate) ** (1 / 12) - 1, cash)
    assert float(present_value_usd(cash, rate)) == pytest.approx(expected, rel=1e-9, abs=1e-3)


def test_a_thousand_rates_and_many_alternatives_are_valued_at_once() -> None:
    cash = np.arange(12.0).reshape(3, 4)
    rates = np.linspace(0.0, 0.3, 5)
    values = present_value_usd(cash, rates)
    assert values.shape == (3, 5)
    assert values[1, 2] == pytest.approx(float(present_value_usd(cash[1], float(rates[2]))))


@pytest.mark.parametrize("rate", [-1.0, -2.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(PlanningError, match="discount rate"):
        discount_factors(rate, 12)


def test_a_cost_that_is_no_number_never_reaches_a_verdict() -> None:
    with pytest.raises(PlanningError, match="no finite number"):
        of([1.0, float("nan")])


def test_components_outside_the_list_are_a_bug() -> None:
    with pytest.raises(ValueError, match="components"):
        of([1.0, 2.0], "bribes")


def test_adding_two_timelines_unites_their_items() -> None:
    both = of([1.0, 2.0], "on_demand") + of([10.0, 20.0], "storage")
    assert both.components == ("on_demand", "storage")
    assert both.by_month_usd().tolist() == [11.0, 22.0]
    assert both.useful_gpu_hours.tolist() == [2.0, 2.0]


def test_timelines_of_different_length_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        of([1.0, 2.0]) + of([1.0, 2.0, 3.0])


def test_hours_that_nobody_uses_cost_infinitely_much_each() -> None:
    idle = Timeline(("staff",), np.ones((1, 3)), np.zeros(3))
    assert float(idle.usd_per_useful_gpu_hour()) == float("inf")


def test_every_component_has_a_meaning_for_the_reader() -> None:
    assert set(COMPONENTS) == set(COMPONENT_WORDS)
