"""Owning: hardware, power, place, people, and what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.costs.servers import fits_at_home
from planner.costs.timeline import Timeline
from planner.errors import PlanningError
from tests.published.owning import OwnershipTerms, ResaleCurve, buy_timeline, ownership_terms

NOTHING_LEFT = ResaleCurve(ages_months=(1,), shares=(0.0,), decline_log10_per_year=0.0)
BARE = OwnershipTerms(electricity_usd_per_kwh=0.0, resale=NOTHING_LEFT, life_months=600)


def own(terms: OwnershipTerms = BARE, **changes: Any) -> Timeline:
    stated: dict[str, Any] = {
        "server_price_usd": 300_000.0,
        "accelerator_count": 8,
        "server_max_kw": 10.0,
        "server_count": 1,
        "busy_share": 0.6,
        "useful_gpu_hours_per_month": 3504.0,
        "months": 36,
        "terms": terms,
    }
    return buy_timeline(**{**stated, **changes})


def test_with_nothing_else_owning_costs_the_server() -> None:
    assert float(own().total_usd()) == 300_000.0


def test_power_runs_from_idle_to_full_with_the_busy_share_and_the_sites_overhead() -> None:
    terms = replace(BARE, electricity_usd_per_kwh=0.1, pue_ratio=1.5, idle_power_share=0.2, busy_power_share=0.8)
    # 10 kW x (0.2 + 0.6 x 0.6) = 5.6 kW, x 1.5 x 730 h x 0.10 USD
    assert float(own(terms).by_month_usd()[1]) == pytest.approx(5.6 * 1.5 * 730 * 0.1)


def test_the_network_is_paid_only_where_there_is_more_than_one_server() -> None:
    terms = replace(BARE, network_share=0.2)
    assert float(own(terms).component_usd("network").sum()) == 0.0
    # A fifth of the whole is a quarter of the servers.
    assert float(own(terms, server_count=4).component_usd("network").sum()) == pytest.approx(4 * 300_000 * 0.25)


def test_staff_has_a_floor_and_grows_with_the_fleet() -> None:
    terms = replace(BARE, fte_usd_per_year=120_000.0, gpus_per_fte=64.0, staff_floor_fte=0.25)
    assert float(own(terms).component_usd("staff")[1]) == pytest.approx(0.25 * 10_000)
    assert float(own(terms, server_count=8).component_usd("staff")[1]) == pytest.approx(10_000)


def test_until_delivery_the_work_is_rented_and_nothing_else_runs() -> None:
    terms = replace(BARE, fte_usd_per_year=120_000.0)
    paid = own(terms, lead_time_months=3, bridge_rent_usd_per_month=20_000.0)
    assert paid.component_usd("bridge_rent")[:5].tolist() == [0.0, 20_000.0, 20_000.0, 20_000.0, 0.0]
    assert paid.component_usd("staff")[3] == 0.0
    assert paid.component_usd("staff")[4] > 0.0


def test_a_worn_out_server_is_sold_and_bought_again() -> None:
    curve = ResaleCurve(ages_months=(12,), shares=(0.5,), decline_log10_per_year=0.0)
    paid = own(replace(BARE, life_months=12, resale=curve, selling_cost_share=0.1), months=24)
    assert paid.component_usd("refresh")[12] == 300_000.0
    assert paid.component_usd("resale")[[12, 24]].tolist() == [-135_000.0, -135_000.0]


def test_what_is_left_is_sold_at_its_age_since_delivery() -> None:
    curve = ResaleCurve(ages_months=(30, 36), shares=(0.4, 0.2), decline_log10_per_year=0.0)
    paid = own(replace(BARE, resale=curve), lead_time_months=6)
    assert paid.component_usd("resale")[36] == pytest.approx(-0.4 * 300_000)


def test_hardware_of_a_finished_job_is_sold_when_the_job_ends() -> None:
    curve = ResaleCurve(ages_months=(3,), shares=(0.8,), decline_log10_per_year=0.0)
    terms = replace(BARE, resale=curve, fte_usd_per_year=120_000.0)
    paid = own(terms, sold_after_months=3)
    assert paid.component_usd("resale")[3] == pytest.approx(-240_000)
    assert not paid.by_month_usd()[4:].any()


@given(count=st.integers(min_value=2, max_value=50))
def test_twice_the_price_of_everything_is_twice_the_cost(count: int) -> None:
    terms = ownership_terms(default_assumptions(), "colocation")
    dear = replace(
        terms,
        electricity_usd_per_kwh=2 * terms.electricity_usd_per_kwh,
        colocation_usd_per_kw_month=2 * terms.colocation_usd_per_kw_month,
        rack_usd_per_month=2 * terms.rack_usd_per_month,
        rack_usd_per_kw_month=2 * terms.rack_usd_per_kw_month,
        wholesale_usd_per_kw_month=2 * terms.wholesale_usd_per_kw_month,
        fte_usd_per_year=2 * terms.fte_usd_per_year,
        software_usd_per_gpu_year=2 * terms.software_usd_per_gpu_year,
    )
    once = own(terms, server_count=count, bridge_rent_usd_per_month=5.0, lead_time_months=1)
    twice = own(dear, server_count=count, server_price_usd=600_000, bridge_rent_usd_per_month=10.0, lead_time_months=1)
    assert twice.by_month_usd() == pytest.approx(2 * once.by_month_usd())


@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_more_work_never_costs_less(low: float, high: float) -> None:
    terms = ownership_terms(default_assumptions(), "home")
    low, high = min(low, high), max(low, high)
    assert own(terms, busy_share=low).total_usd() <= own(terms, busy_share=high).total_usd()


def test_many_fleets_at_once_cost_what_each_costs_alone() -> None:
    terms = ownership_terms(default_assumptions(), "colocation")
    together = own(terms, server_price_usd=[300_000, 350_000], server_count=[1, 3], busy_share=[0.3, 0.9])
    assert together.at(1).by_month_usd() == pytest.approx(
        own(terms, server_price_usd=350_000, server_count=3, busy_share=0.9).by_month_usd()
    )


def test_a_lead_time_that_reaches_the_end_is_refused_in_words() -> None:
    with pytest.raises(PlanningError, match="arrives after 36 months"):
        own(lead_time_months=36)


@pytest.mark.parametrize("change", [{"server_price_usd": -1.0}, {"busy_share": 1.5}, {"busy_share": -0.1}])
def test_impossible_servers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PlanningError):
        own(**change)


def test_terms_that_no_site_can_have_are_refused_all_at_once() -> None:
    with pytest.raises(PlanningError, match=r"pue_ratio.*life_months.*electricity"):
        OwnershipTerms(electricity_usd_per_kwh=-1.0, pue_ratio=0.5, life_months=0, resale=NOTHING_LEFT)


def test_a_desktop_fits_at_home_and_a_rack_server_does_not() -> None:
    assert fits_at_home(1, 0.8, default_assumptions())
    assert not fits_at_home(1, 10.2, default_assumptions())


def test_a_resale_curve_falls() -> None:
    with pytest.raises(PlanningError, match="must fall"):
        ResaleCurve(ages_months=(12, 24), shares=(0.5, 0.6), decline_log10_per_year=0.1)
    with pytest.raises(PlanningError, match="must rise"):
        ResaleCurve(ages_months=(24, 12), shares=(0.5, 0.4), decline_log10_per_year=0.1)


@given(age=st.floats(0, 120), older=st.floats(0, 120))
def test_an_older_server_never_brings_more(age: float, older: float) -> None:
    curve = ownership_terms(default_assumptions(), "colocation").resale
    assert curve.share_at(max(age, older)) <= curve.share_at(min(age, older)) + 1e-12
