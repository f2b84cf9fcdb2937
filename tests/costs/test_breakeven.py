"""Break-even: month, utilisation and price, with their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.costs.breakeven import break_even, crossings
from planner.costs.timeline import Timeline
from planner.errors import PlanningError
from tests.published.formulas import roots_between
from tests.published.owning import buy_timeline, ownership_terms
from tests.published.renting import rent_timeline

PRICE = st.floats(min_value=0.5, max_value=200.0)
SHARE = st.floats(min_value=0.02, max_value=1.0)
RATE = st.floats(min_value=0.0, max_value=0.4)
MONTHS = 48


def rented(price: float, share: float = 0.6, term_months: int = 0, months: int = MONTHS) -> Timeline:
    return rent_timeline(
        price_usd_per_hour=price,
        instance_count=1,
        paid_hours_per_month=730 * share,
        useful_gpu_hours_per_month=5840 * share,
        months=months,
        term_months=term_months,
    )


def owned(share: float = 0.6, lead: int = 0, bridge_usd_per_month: float = 0.0, months: int = MONTHS) -> Timeline:
    return buy_timeline(
        server_price_usd=320_000,
        accelerator_count=8,
        server_max_kw=10.2,
        server_count=1,
        busy_share=share,
        useful_gpu_hours_per_month=5840 * share,
        months=months,
        terms=ownership_terms(default_assumptions(), "colocation"),
        lead_time_months=lead,
        bridge_rent_usd_per_month=bridge_usd_per_month,
    )


def lines(rent_per_month: float, capex: float, own_per_month: float, months: int = 72) -> tuple[Timeline, Timeline]:
    rent, own = np.zeros((1, months + 1)), np.zeros((2, months + 1))
    rent[0, 1:], own[0, 0], own[1, 1:] = rent_per_month, capex, own_per_month
    hours = np.zeros(months + 1)
    return Timeline(("on_demand",), rent, hours), Timeline(("servers", "running"), own, hours)


@given(cheap=PRICE, dear=PRICE, rate=RATE)
def test_a_dearer_rent_never_delays_the_break_even(cheap: float, dear: float, rate: float) -> None:
    cheap, dear = min(cheap, dear), max(cheap, dear)
    early, _ = crossings(rented(dear), owned(), rate)
    late, _ = crossings(rented(cheap), owned(), rate)
    assert late is None or (early is not None and early <= late + 1e-9)


@given(price=PRICE, share=SHARE, rate=RATE)
def test_at_the_price_of_equal_cost_both_cost_the_same(price: float, share: float, rate: float) -> None:
    found = break_even(rented(price, share), owned(share), discount_rate_share_per_year=rate, price_usd_per_hour=price)
    assert found.price_usd_per_hour is not None
    even = rented(found.price_usd_per_hour, share).present_value_usd(rate)
    assert float(even) == pytest.approx(float(owned(share).present_value_usd(rate)), rel=1e-9)


@given(price=PRICE, share=SHARE, rate=RATE)
def test_at_the_utilisation_of_equal_cost_both_cost_the_same(price: float, share: float, rate: float) -> None:
    found = break_even(rented(price, share), owned(share), discount_rate_share_per_year=rate, utilisation_share=share)
    for crossing in found.utilisation_crossings:
        rent, own = rented(price, crossing.at), owned(crossing.at)
        assert float(rent.present_value_usd(rate)) == pytest.approx(float(own.present_value_usd(rate)), rel=1e-9)
    if found.utilisation_share is None:
        assert rented(price, 1.0).present_value_usd(rate) < owned(1.0).present_value_usd(rate)


@given(price=PRICE, rate=RATE)
def test_the_price_of_equal_cost_holds_where_the_lead_time_is_bridged_by_the_same_rent(
    price: float, rate: float
) -> None:
    own = owned(0.6, 3, price * 730 * 0.6)
    found = break_even(rented(price), own, discount_rate_share_per_year=rate, price_usd_per_hour=price)
    p = found.price_usd_per_hour
    assert p is not None
    assert float(rented(p).present_value_usd(rate)) == pytest.approx(
        float(owned(0.6, 3, p * 730 * 0.6).present_value_usd(rate)), rel=1e-9
    )


@given(price=PRICE, share=SHARE, rate=RATE)
def test_owning_breaks_even_exactly_where_it_saves_money_over_the_horizon(
    price: float, share: float, rate: float
) -> None:
    found = break_even(rented(price, share), owned(share), discount_rate_share_per_year=rate)
    if abs(found.saving_usd) > 1e-3:
        assert (found.discounted_month is not None) == (found.saving_usd > 0)


@given(
    factor=st.floats(min_value=1e-3, max_value=1e3), rent=PRICE, capex=st.just(0.0) | st.floats(1e-3, 1e6), own=PRICE
)
def test_multiplying_all_prices_changes_no_break_even(factor: float, rent: float, capex: float, own: float) -> None:
    once, _ = crossings(*lines(rent, capex, own))
    scaled, _ = crossings(*lines(rent * factor, capex * factor, own * factor))
    assert (once is None) == (scaled is None)
    if once is not None and scaled is not None:
        assert scaled == pytest.approx(once, rel=1e-6)


def test_against_a_commitment_more_work_speaks_for_renting() -> None:
    # A commitment is paid used or not, an owned server draws more power with work.
    rent, own = rented(6.6, 0.5, term_months=12), owned(0.5)
    found = break_even(rent, own, utilisation_share=0.5)
    assert [crossing.cheaper_after for crossing in found.utilisation_crossings] in ([], ["rent"])


def test_a_refresh_crosses_again_and_every_crossing_is_told() -> None:
    rent, own = lines(5000, 100_000, 1000)
    own.cash_usd[0, 36] += 100_000
    month, found = crossings(rent, own)
    assert month == pytest.approx(50.0)
    assert [(one.at, one.cheaper_after) for one in found] == [(25.0, "buy"), (36.0, "rent"), (50.0, "buy")]


def test_never_is_an_answer() -> None:
    month, found = crossings(*lines(1000, 100_000, 1000))
    assert (month, found) == (None, ())


def test_owning_for_nothing_is_cheaper_from_today_on() -> None:
    month, found = crossings(*lines(1000, 0.0, 0.0))
    assert (month, found) == (0.0, ())


def test_two_equal_alternatives_have_no_crossing() -> None:
    assert crossings(*lines(1000, 0.0, 1000)) == (0.0, ())


def test_discounting_delays_the_break_even_of_money_spent_today() -> None:
    plain, _ = crossings(*lines(5000, 100_000, 1000))
    discounted, _ = crossings(*lines(5000, 100_000, 1000), 0.15)
    assert plain is not None
    assert discounted is not None
    assert discounted > plain


def test_a_touch_without_a_change_of_sides_is_no_crossing() -> None:
    rent, own = lines(1000, 10_000, 0)
    own.cash_usd[0, 10] += 5_000  # even for an instant, then behind again
    month, found = crossings(rent, own)
    assert month == pytest.approx(15.0)
    assert [one.at for one in found] == [15.0]


def test_every_root_of_a_saving_that_is_no_straight_line_is_found() -> None:
    assert roots_between(lambda x: np.sin(10 * x), 0.1, 1.0) == pytest.approx([np.pi / 10, np.pi / 5, 3 * np.pi / 10])


def test_a_saving_without_a_value_is_refused_and_not_skipped() -> None:
    with pytest.raises(PlanningError, match="no value at"):
        roots_between(lambda x: float("nan") if x > 0.5 else x, 0.0, 1.0)


def test_timelines_of_different_horizons_are_not_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        crossings(rented(10, months=12), owned(months=24))
