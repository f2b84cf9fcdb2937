"""Renting: hours used, hours promised, hours bought ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.timeline import Timeline
from planner.errors import PlanningError
from tests.published.renting import by_month, rent_timeline

ONCE = [100.0] + [0.0] * 35


def rent(**changes: Any) -> Timeline:
    stated: dict[str, Any] = {
        "price_usd_per_hour": 10.0,
        "instance_count": 2,
        "paid_hours_per_month": 365.0,
        "useful_gpu_hours_per_month": 365.0 * 16,
        "months": 36,
    }
    return rent_timeline(**{**stated, **changes})


def test_on_demand_pays_the_hours_used() -> None:
    assert float(rent().total_usd()) == 10.0 * 2 * 365 * 36


def test_a_commitment_pays_every_hour_of_its_term_whatever_is_used() -> None:
    assert float(rent(term_months=12).total_usd()) == pytest.approx(10.0 * 2 * 730 * 36)


def test_a_job_run_once_pays_the_whole_first_term_and_no_renewal() -> None:
    assert float(rent(term_months=12, paid_hours_per_month=ONCE, useful_gpu_hours_per_month=ONCE).total_usd()) == (
        pytest.approx(10.0 * 2 * 730 * 12)
    )


def test_a_first_term_that_outlasts_the_horizon_is_paid_to_its_end() -> None:
    long = rent(term_months=60)
    assert float(long.total_usd()) == pytest.approx(10.0 * 2 * 730 * 60)
    assert float(long.component_usd("rest_of_term")[-1]) == pytest.approx(10.0 * 2 * 730 * 24)


def test_a_renewal_that_outlasts_the_horizon_counts_for_the_months_inside() -> None:
    upfront = 10.0 * 730 * 24
    paid = rent(term_months=24, upfront_usd=upfront)
    assert float(paid.component_usd("upfront").sum()) == pytest.approx(2 * upfront * 36 / 24)
    assert float(paid.total_usd()) == pytest.approx(10.0 * 2 * 730 * 36)


@given(share=st.floats(min_value=0.0, max_value=1.0), term=st.sampled_from([1, 12, 36]))
def test_paying_part_of_a_term_upfront_changes_when_is_paid_and_not_what(share: float, term: int) -> None:
    upfront = share * 10.0 * 730 * term
    assert float(rent(term_months=term, upfront_usd=upfront).total_usd()) == pytest.approx(
        float(rent(term_months=term).total_usd())
    )


@given(share=st.floats(min_value=0.01, max_value=1.0), rate=st.floats(min_value=0.01, max_value=0.5))
def test_money_upfront_bears_the_cost_of_capital(share: float, rate: float) -> None:
    upfront = share * 10.0 * 730 * 36
    assert rent(term_months=36, upfront_usd=upfront).present_value_usd(rate) > rent(term_months=36).present_value_usd(
        rate
    )


def test_a_term_keeps_the_price_of_its_first_month_and_a_renewal_pays_the_new_one() -> None:
    paid = rent(term_months=12, price_change_share_per_year=0.5).by_month_usd()
    monthly = 10.0 * 2 * 730
    assert paid[[1, 12, 13, 24, 25]] == pytest.approx(np.array([1, 1, 1.5, 1.5, 2.25]) * monthly)


def test_a_stated_price_path_stands_instead_of_a_steady_change() -> None:
    path = [1.0] * 6 + [0.56] * 30
    assert float(rent(price_path=path).total_usd()) == pytest.approx(10.0 * 2 * 365 * sum(path))


def test_capacity_blocks_are_bought_by_the_day_and_paid_ahead() -> None:
    paid = rent(paid_hours_per_month=[25.0] + [0.0] * 35, minimum_hours=24, paid_in_advance=True, instance_count=1)
    assert paid.by_month_usd()[:2].tolist() == [10.0 * 48, 0.0]


def test_interruptions_stretch_the_hours_that_are_paid() -> None:
    assert rent(overhead_ratio=1.25).total_usd() == pytest.approx(1.25 * rent().total_usd())


def test_storage_is_billed_while_there_is_work_and_support_is_a_share_of_machines() -> None:
    paid = rent(
        paid_hours_per_month=ONCE,
        useful_gpu_hours_per_month=ONCE,
        storage_usd_per_month=14.0,
        egress_usd_per_month=9.0,
        support_share=0.1,
    )
    assert float(paid.component_usd("storage").sum()) == 14.0
    assert float(paid.component_usd("egress").sum()) == 9.0
    assert float(paid.component_usd("support_of_use").sum()) == pytest.approx(0.1 * 10 * 2 * 100)


def test_many_offers_at_once_cost_what_each_costs_alone() -> None:
    terms, prices, upfronts = [0, 12, 36, 60], [10.0, 7.0, 5.0, 4.0], [0.0, 1000.0, 50_000.0, 0.0]
    together = rent(
        price_usd_per_hour=prices, term_months=terms, upfront_usd=upfronts, price_change_share_per_year=-0.1
    )
    for i in range(4):
        alone = rent(
            price_usd_per_hour=prices[i],
            term_months=terms[i],
            upfront_usd=upfronts[i],
            price_change_share_per_year=-0.1,
        )
        assert together.at(i).by_month_usd() == pytest.approx(alone.by_month_usd())


@pytest.mark.parametrize(
    "change",
    [{"price_usd_per_hour": -1.0}, {"price_usd_per_hour": float("nan")}, {"instance_count": -1}, {"term_months": -12}],
)
def test_a_negative_or_missing_price_count_or_term_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(PlanningError, match="must not be negative"):
        rent(**change)


def test_an_upfront_payment_beyond_the_effective_price_is_refused() -> None:
    with pytest.raises(PlanningError, match="upfront payment is larger"):
        rent(term_months=12, upfront_usd=1e6)


def test_values_by_month_are_not_mistaken_for_values_by_option() -> None:
    assert by_month([1.0, 2.0, 3.0], 3, 1).shape == (3, 3)
    assert by_month([1.0, 2.0, 3.0], 3, 0).shape == (3,)
    with pytest.raises(ValueError, match="must have 4 months"):
        by_month([1.0, 2.0, 3.0], 4, 0)
