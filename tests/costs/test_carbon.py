"""Energy and carbon: where, how much, on whose word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.costs.carbon import footprint, grid_intensities, grid_intensity
from planner.errors import PlanningError
from planner.options.energy import owned_footprint, rented_footprint
from planner.supply.machines import Machine
from pricing.facts.accelerators import accelerators


def test_every_intensity_says_who_states_it_and_when_it_was_read() -> None:
    for row in grid_intensities().values():
        assert row.source, row.place
        assert row.source_url.startswith("https://")
        assert row.retrieved_on
        assert row.basis == "life_cycle"
        assert 0 < row.g_co2e_per_kwh < 1500


def test_all_intensities_are_on_one_basis_so_that_options_compare() -> None:
    assert {row.basis for row in grid_intensities().values()} == {"life_cycle"}
    assert not [row.place for row in grid_intensities().values() if len(row.place) != 2 and row.place != "World"]


def test_a_state_or_region_has_the_grid_of_its_country() -> None:
    assert grid_intensity("US-Texas") == grid_intensity("US") != grid_intensity("World")


def test_machines_of_one_country_emit_as_much_whoever_lets_them() -> None:
    """Virginia, Iowa and a server of one's own in Texas: before, they were on three bases, a factor of two apart."""
    numbers, machine = default_assumptions(), Machine(accelerator=accelerators()["H100-SXM"], accelerator_count=8.0)
    grids = {
        found.grid
        for provider, region in (("aws", "us-east-1"), ("gcp", "us-central1"), ("azure", "eastus"))
        if (
            found := rented_footprint(
                machine, provider, region, machine_hours_per_month=730, busy_share=1.0, assumptions=numbers
            )
        )
    }
    owned = owned_footprint(10.2, "colocation", "US-Texas", server_count=1, busy_share=1.0, assumptions=numbers)
    assert grids == {owned.grid}


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


def test_a_machine_without_accelerators_draws_by_its_cores_by_hand() -> None:
    """96 vCPUs are 48 cores of 5 W: 0.24 kW at most, of which 75 % when busy: 0.18 kW x 100 h x 1.1."""
    numbers = default_assumptions().override({"rent.cpu_w_per_core": 5.0, "rent.pue_ratio": 1.1}, "test")
    found = rented_footprint(
        Machine(accelerator=None, accelerator_count=0, vcpus=96), "aws", "us-east-1", machine_hours_per_month=100, busy_share=1.0,
        assumptions=numbers,
    )  # fmt: skip
    assert found is not None
    assert found.kwh_per_month == pytest.approx(0.18 * 100 * 1.1)
    assert found.grid.place == "US"
