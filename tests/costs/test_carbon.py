"""Energy and carbon: where, how much, on whose word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.carbon import footprint, grid_intensities, grid_intensity, place_of
from planner.errors import PlanningError
from pricing.regions import regions


def test_every_intensity_says_who_states_it_and_when_it_was_read() -> None:
    for row in grid_intensities().values():
        assert row.source, row.place
        assert row.source_url.startswith("https://")
        assert row.retrieved_on
        assert row.basis in {"life_cycle", "direct", "location_based"}
        assert 0 < row.g_co2e_per_kwh < 1500


def test_every_region_of_a_known_country_has_a_grid_of_that_country() -> None:
    for region in regions().values():
        place = place_of(provider=region.provider, region=region.region, city=region.city, country=region.country)
        if region.country is not None:
            assert place.split("-")[0] == region.country or place.startswith(f"{region.provider}/"), region


@pytest.mark.parametrize(
    ("city", "place"),
    [
        ("Northern Virginia", "US-Virginia"),
        ("West Virginia", "US-WestVirginia"),
        ("Washington DC", "US-DistrictOfColumbia"),
        ("Washington", "US-Washington"),
        ("Columbus", "US-Ohio"),
        ("Salt Lake City, Utah", "US-Utah"),
        ("somewhere", "US"),
    ],
)
def test_a_us_region_finds_its_state(city: str, place: str) -> None:
    assert place_of(provider="aws", region="x", city=city, country="US") == place


@given(share=st.floats(0, 1), pue=st.floats(1, 3), hours=st.floats(0, 744))
def test_emissions_are_energy_times_the_grids_intensity(share: float, pue: float, hours: float) -> None:
    found = footprint(max_kw=10, instance_count=2, hours_per_month=hours, busy_share=share, pue_ratio=pue, place="DE")
    assert found.kwh_per_month == pytest.approx(20 * (0.25 + 0.5 * share) * hours * pue)
    assert found.co2e_kg_per_month == pytest.approx(found.kwh_per_month * grid_intensity("DE").g_co2e_per_kwh / 1000)


def test_the_same_machine_emits_less_on_a_cleaner_grid() -> None:
    def kg(place: str) -> float:
        return footprint(
            max_kw=0.7, instance_count=1, hours_per_month=730, busy_share=1, pue_ratio=1.1, place=place
        ).co2e_kg_per_month

    assert kg("SE") < kg("DE") < kg("PL")


def test_a_site_that_makes_power_is_refused() -> None:
    with pytest.raises(PlanningError):
        footprint(max_kw=1, instance_count=1, hours_per_month=730, busy_share=1, pue_ratio=0.5, place="DE")
