"""What a user may ask of a mix."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from planner.assumptions import default_assumptions
from planner.demand.profiles import curve_from_csv, curve_from_profile
from planner.demand.workload import Profile
from planner.errors import InputError
from planner.mix.cheapest import cheapest_mix
from planner.mix.request import MixRequest, owned_tier
from tests.published.owning import buy_timeline, ownership_terms

TIERS = [
    {"name": "1 year", "kind": "committed", "fixed_usd_per_machine_hour": 16.0, "gpus_per_machine": 8},
    {"name": "on demand", "kind": "on_demand", "usd_per_gpu_hour": 3.4, "gpus_per_machine": 8},
]


def request(demand: dict[str, Any], **more: Any) -> MixRequest:
    return MixRequest.model_validate({"demand": demand, "tiers": TIERS, **more})


def no_file(name: str) -> str:
    raise AssertionError(name)


@pytest.mark.parametrize("profile", list(Profile))
def test_every_named_profile_has_its_cheapest_mix(profile: Profile) -> None:
    asked = request({"profile": profile.value, "peak_gpus": 64})
    curve = asked.curve(no_file)
    mix = cheapest_mix(curve, asked.stated_tiers(), asked.stated_limits())
    assert curve.units.shape == (8760,)
    assert curve.units.max() == pytest.approx(64)
    assert mix.total_usd <= min(mix.single_tier_usd.values()) * (1 + 1e-9)


def test_a_steady_demand_is_committed_and_a_rare_one_rented_by_the_hour() -> None:
    steady = request({"profile": "steady", "mean_gpus": 64})
    rare = request({"gpus_by_hour": [64.0] + [0.0] * 99})
    machines = [cheapest_mix(asked.curve(no_file), asked.stated_tiers()).tiers[0].machines for asked in (steady, rare)]
    assert machines == [8, 0]


def test_a_csv_file_is_read_by_its_column_of_gpus() -> None:
    asked = request({"csv": "demand.csv"})
    assert asked.curve(
        {"demand.csv": "timestamp,gpus\n2026-01-01T00,3\n2026-01-01T01,5\n"}.__getitem__
    ).units.tolist() == [3, 5]


def test_scenarios_of_a_csv_file_become_rows() -> None:
    text = "scenario,hour,gpus\nlow,0,1\nlow,1,2\nhigh,0,5\nhigh,1,6\n"
    assert curve_from_csv(text).tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("hour,gpus\n", "no hours"),
        ("hour,people\n0,3\n", "no column"),
        ("hour,gpus\n0,three\n1,-4\n2,nan\n", r"line 2: 'three' is not a number\n  line 3: .*-4\n  line 4"),
        ("hour,gpus\n0\n", "too few columns"),
        ("scenario,gpus\na,1\na,2\nb,1\n", "equally many hours"),
    ],
)
def test_a_broken_csv_file_tells_all_its_faults_with_their_lines(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        curve_from_csv(text, "demand.csv")


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ({}, "one of profile"),
        ({"profile": "steady"}, "mean_gpus or peak_gpus"),
        ({"profile": "steady", "mean_gpus": 1, "peak_gpus": 2}, "not both"),
        ({"profile": "steady", "mean_gpus": 1, "csv": "x"}, "one of profile"),
        ({"profile": "weekly", "mean_gpus": 1}, "office_hours"),
        ({"gpus_by_hour": [1, -2]}, "greater than or equal to 0"),
        ({"gpus_by_hour": [1], "deferrable_share": 0.5}, "deadline_hours"),
    ],
)
def test_a_demand_that_is_none_is_refused_in_words(demand: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        request(demand)


def test_a_request_needs_prices_or_an_accelerator() -> None:
    with pytest.raises(ValidationError, match="state tiers"):
        MixRequest.model_validate({"demand": {"profile": "steady", "mean_gpus": 1}})
    with pytest.raises(ValidationError, match="its own name"):
        MixRequest.model_validate({"demand": {"profile": "steady", "mean_gpus": 1}, "tiers": [TIERS[0], TIERS[0]]})


def test_a_profile_without_size_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        curve_from_profile(Profile.STEADY, mean_gpus=0.0)


def test_an_owned_tier_that_always_works_costs_what_its_timeline_costs() -> None:
    timeline = buy_timeline(
        server_price_usd=320_000,
        accelerator_count=8,
        server_max_kw=10.2,
        server_count=1,
        busy_share=1.0,
        useful_gpu_hours_per_month=5840,
        months=36,
        terms=ownership_terms(default_assumptions(), "colocation"),
    )
    tier = owned_tier(
        "own", timeline, gpus_per_machine=8, capex_usd=320_000, max_kw=10.2, discount_rate_share_per_year=0.1
    )
    per_gpu_hour = tier.fixed_usd_per_machine_hour / 8 + tier.usd_per_unit_hour
    assert per_gpu_hour == pytest.approx(float(timeline.usd_per_useful_gpu_hour(0.1)))


@pytest.mark.parametrize("text", ["gpus,scenario\n1,a\n1,{long}\n1,{long}\n", "{long},b\n1,2\n", "gpus\n1\n{long}\n"])
def test_a_fault_of_a_demand_file_is_short_however_long_its_cells_are(text: str) -> None:
    with pytest.raises(InputError) as refused:
        curve_from_csv(text.replace("{long}", "x" * 100_000))
    assert len(refused.value.message) < 400
