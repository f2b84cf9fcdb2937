"""The answers of ``breakeven`` against a ledger kept month by month: each item of each month, and each draw."""

from __future__ import annotations

from typing import get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.financing import Depreciation
from planner.costs.timeline import Timeline
from planner.scenario.costs import break_even_of, present_value_of, sides_of
from planner.scenario.risk import scenario_record
from planner.scenario.schema import Scenario, typical_values, whole_months
from tests.published.scenario_ledger import ledger_present_values, ledger_timelines

DOLLARS = st.floats(0, 100_000)
SHARE = st.floats(0, 0.5)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    horizon = draw(st.integers(12, 60))
    months = st.integers(1, horizon - 1)
    step = st.fixed_dictionaries({"month": months, "change_share": st.floats(-0.5, 0.5)})
    return Scenario.model_validate(
        {
            "rent": {
                "usd_per_hour": draw(st.floats(0, 100)),
                "upfront_usd": draw(st.sampled_from([0, 9_000])),
                "term_months": draw(st.sampled_from([0, 0, 1, 7, 12])),
                "price_change_share_per_year": draw(st.floats(-0.4, 0.4)),
                "price_steps": draw(st.lists(step, max_size=2)),
            },
            "buy": {
                "capex_usd": draw(DOLLARS),
                "opex_usd_per_hour": draw(st.floats(0, 5)),
                "opex_charged": draw(st.sampled_from(["used_hours", "clock_hours"])),
                "power_kw": draw(st.floats(0, 2_000)),
                "colocation_usd_per_kw_month": draw(st.sampled_from([0, 150])),
                "staff_usd_per_year": draw(DOLLARS),
                "support_share_per_year": draw(SHARE),
                "resale_share": draw(SHARE),
                "life_months": draw(st.integers(1, 72)),
                "lead_time_months": draw(st.integers(0, 6)),
                "refresh_months": draw(st.lists(months, max_size=2)),
            },
            "use": {
                "hours_per_day": draw(st.sampled_from([8, 24])),
                "utilisation_share": draw(st.floats(0.05, 1)),
                "idle_hours": draw(st.sampled_from(["given_back", "paid"])),
            },
            "money": {
                "discount_rate_share_per_year": draw(SHARE),
                "tax_share": draw(st.sampled_from([0, 0.25])),
                "financing": draw(st.sampled_from(["cash", "loan", "lease"])),
                "loan_months": draw(st.sampled_from([None, 1, 24, 72])),
                "down_payment_share": draw(SHARE),
                "depreciation": draw(st.sampled_from(get_args(Depreciation))),
                "depreciation_years": draw(st.integers(1, 6)),
            },
            "horizon_months": horizon,
        }
    )


def assert_same_items(found: Timeline, ledger: Timeline) -> None:
    for item in {*found.components, *ledger.components}:
        np.testing.assert_allclose(found.component_usd(item), ledger.component_usd(item), rtol=1e-9, atol=1e-4)
    assert found.useful_gpu_hours.tolist() == ledger.useful_gpu_hours.tolist()


@given(stated=scenarios())
def test_each_item_of_each_month_is_that_of_a_ledger_kept_by_month(stated: Scenario) -> None:
    result = break_even_of(stated)
    rent, own = ledger_timelines(stated)
    assert_same_items(result.rent, rent)
    assert_same_items(result.buy, own)


@given(stated=scenarios(), wait_months=st.integers(0, 4))
def test_each_draw_comes_to_what_a_ledger_of_its_numbers_comes_to(stated: Scenario, wait_months: int) -> None:
    drawn = {
        "rent.usd_per_hour": np.array([1.0, 30.0, 4.5]),
        "rent.price_change_share_per_year": np.array([-0.2, 0.0, 0.1]),
        "buy.capex_usd": np.array([50_000.0, 1.0, 200_000.0]),
        "buy.resale_share": np.array([0.0, 0.3, 0.9]),
        "money.discount_rate_share_per_year": np.array([0.0, 0.08, 0.3]),
    }
    typical, months = typical_values(stated), whole_months(stated)
    sides = sides_of(
        stated, {**typical, **{name: value[:, None] for name, value in drawn.items()}}, months, wait_months=wait_months
    )
    for found, ledger in zip(sides, ledger_present_values(stated, {**typical, **drawn}, wait_months), strict=True):
        np.testing.assert_allclose(np.broadcast_to(present_value_of(found), 3), ledger, rtol=1e-9, atol=1e-3)


def test_a_lease_with_a_range_of_delivery_times_is_answered() -> None:
    """A drawn delivery beyond its range would come after the horizon: it is taken as the month before."""
    stated = Scenario.model_validate(
        {
            "rent": {"usd_per_hour": 10},
            "buy": {"capex_usd": 200_000, "lead_time_months": {"low": 6, "typical": 9, "high": 11}},
            "money": {"financing": "lease"},
            "horizon_months": 24,
        }
    )
    assert scenario_record(stated, draws=2_000)["risk"]["wait_months"] == 12
