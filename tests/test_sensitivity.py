"""What turns a scenario's verdict, and how sure it is."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from planner.errors import PlanningError
from planner.scenario.costs import break_even_of
from planner.scenario.risk import (
    scenario_costs,
    scenario_inputs,
    scenario_record,
    scenario_risk,
    scenario_sobol,
    scenario_tornado,
    scenario_value_of_waiting_usd,
)
from planner.scenario.schema import Scenario
from planner.uncertainty.tornado import sobol

RANGED: dict[str, Any] = {
    "rent": {
        "usd_per_hour": {"low": 18, "typical": 23.92, "high": 30},
        "price_change_share_per_year": {"low": -0.2, "typical": 0, "high": 0.2},
    },
    "buy": {
        "capex_usd": {"low": 280_000, "typical": 320_000, "high": 350_000},
        "opex_usd_per_hour": 1.1,
        "staff_usd_per_year": 40_000,
        "resale_share": {"low": 0.05, "typical": 0.15, "high": 0.3},
    },
    "use": {"utilisation_share": {"low": 0.4, "typical": 0.7, "high": 0.95}},
    "money": {"discount_rate_share_per_year": 0.1},
}


def ranged(**changes: dict[str, Any]) -> Scenario:
    return Scenario.model_validate({name: {**RANGED[name], **changes.get(name, {})} for name in RANGED})


def test_at_typical_values_the_draws_cost_what_the_timeline_costs() -> None:
    stated = ranged()
    result = break_even_of(stated)
    costs = scenario_costs(stated)({one.name: np.array([one.typical]) for one in scenario_inputs(stated)})
    assert costs[:, 0] == pytest.approx(
        [float(result.rent.present_value_usd(0.1)), float(result.buy.present_value_usd(0.1))]
    )


def test_each_draw_costs_what_a_scenario_of_these_numbers_costs() -> None:
    stated = ranged(buy={"life_months": {"low": 24, "typical": 36, "high": 60}})
    costs = scenario_costs(stated)
    lives = np.array([24.0, 36.0, 47.6])
    drawn = costs({"buy.life_months": lives, "rent.usd_per_hour": np.array([20.0, 23.0, 29.0])})
    for i, (life, price) in enumerate([(24, 20.0), (36, 23.0), (48, 29.0)]):
        alone = break_even_of(ranged(buy={"life_months": life}, rent={"usd_per_hour": price}))
        assert drawn[1, i] == pytest.approx(float(alone.buy.present_value_usd(0.1)))
        assert drawn[0, i] == pytest.approx(float(alone.rent.present_value_usd(0.1)))


def test_plain_numbers_have_no_risk_to_tell() -> None:
    plain = Scenario.model_validate({"rent": {"usd_per_hour": 10}, "buy": {"capex_usd": 1000}})
    assert scenario_risk(plain) is None
    assert scenario_tornado(plain) == ()
    assert scenario_sobol(plain) == ()


def test_the_tornado_is_widest_first_and_marks_what_turns_the_verdict() -> None:
    bars = scenario_tornado(ranged())
    widths = [abs(bar.saving_at_high_usd - bar.saving_at_low_usd) for bar in bars]
    assert widths == sorted(widths, reverse=True)
    assert {bar.name for bar in bars} == {one.name for one in scenario_inputs(ranged())}
    base = break_even_of(ranged()).break_even.saving_usd
    for bar in bars:
        sides = {saving > 0 for saving in (base, bar.saving_at_low_usd, bar.saving_at_high_usd)}
        assert bar.turns_verdict == (len(sides) > 1)


def test_a_dearer_rent_speaks_for_owning_in_every_draw() -> None:
    cheap = scenario_risk(ranged(rent={"usd_per_hour": {"low": 6, "typical": 7, "high": 8}}))
    dear = scenario_risk(ranged(rent={"usd_per_hour": {"low": 60, "typical": 70, "high": 80}}))
    assert cheap is not None
    assert dear is not None
    assert cheap.probability_cheapest_share[1] < 0.1
    assert dear.probability_cheapest_share[1] > 0.9


def test_volatility_widens_the_spread_and_leaves_the_mean() -> None:
    def spread(volatility: float) -> tuple[float, float]:
        found = scenario_risk(ranged(rent={"price_volatility_share_per_year": volatility}), draws=50_000)
        assert found is not None
        return found.saving_p95_usd - found.saving_p5_usd, found.expected_usd[0]

    calm, wild = spread(0.0), spread(0.4)
    assert wild[0] > calm[0] * 1.1
    assert wild[1] == pytest.approx(calm[1], rel=0.02)


def test_sobol_shares_of_an_additive_saving_add_up_to_one() -> None:
    additive = Scenario.model_validate(
        {
            "rent": {"usd_per_hour": {"low": 18, "typical": 24, "high": 30}},
            "buy": {"capex_usd": 320_000, "staff_usd_per_year": {"low": 10_000, "typical": 50_000, "high": 90_000}},
        }
    )
    found = scenario_sobol(additive, points=1024)
    assert sum(index.first_order_share for index in found) == pytest.approx(1.0, abs=0.05)
    # Sd of the rent: 6 USD x 43,800 h; of the staff: 40,000 USD x 5 years.
    expected = (6 * 43_800) ** 2 / ((6 * 43_800) ** 2 + (40_000 * 5) ** 2)
    shares = {index.name: index.first_order_share for index in found}
    assert shares["rent.usd_per_hour"] == pytest.approx(expected, abs=0.05)


def test_sobol_needs_a_power_of_two() -> None:
    with pytest.raises(PlanningError, match="power of two"):
        sobol(lambda _: np.zeros((2, 1)), scenario_inputs(ranged()), points=1000)


def test_memory_does_not_grow_with_the_number_of_draws() -> None:
    stated, peaks = ranged(), []
    scenario_risk(stated, draws=40_000)
    for draws in (40_000, 400_000):
        tracemalloc.start()
        scenario_risk(stated, draws=draws)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2


def test_the_record_tells_probability_regret_and_what_turns_the_verdict() -> None:
    record = scenario_record(ranged(), with_sobol=True)
    assert set(record) == {"risk", "tornado", "sobol"}
    assert 0 < record["risk"]["probability_buy_cheaper_share"] < 1
    assert set(record["risk"]["regret_usd"]) == {"rent", "buy"}
    assert record["risk"]["saving_p5_usd"] < record["risk"]["saving_p50_usd"] < record["risk"]["saving_p95_usd"]
    plain = Scenario.model_validate({"rent": {"usd_per_hour": 10}, "buy": {"capex_usd": 1000}})
    assert scenario_record(plain) == {}


def test_buying_later_rents_first_and_is_paid_when_it_is_ordered() -> None:
    certain = Scenario.model_validate(
        {"rent": {"usd_per_hour": 10}, "buy": {"capex_usd": 100_000}, "horizon_months": 24}
    )
    now, later = (scenario_costs(certain, wait_months=months)({})[:, 0] for months in (0, 6))
    assert now.tolist() == [10 * 730 * 24, 100_000]
    assert later.tolist() == [10 * 730 * 24, 100_000 + 6 * 10 * 730]


def test_waiting_is_worth_most_where_most_is_unknown() -> None:
    def worth(low: float, high: float) -> float:
        return scenario_value_of_waiting_usd(ranged(rent={"usd_per_hour": {"low": low, "typical": 24, "high": high}}))

    assert worth(10, 40) > worth(23, 25) >= 0.0


def test_waiting_beyond_the_horizon_is_refused() -> None:
    with pytest.raises(PlanningError, match="reaches the horizon"):
        scenario_value_of_waiting_usd(ranged(), wait_months=60)
