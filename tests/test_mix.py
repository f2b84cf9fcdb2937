"""The cheapest mix against brute force, closed forms and its own laws."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import NothingFitsError, PlanningError
from planner.mix.capacity import DemandCurve, Limits, Tier, TierKind
from planner.mix.cheapest import cheapest_mix, single_tier_costs_usd
from tests.published.capital_cases import reserved_units_normal

OWN = Tier(name="own", kind=TierKind.OWNED, fixed_usd_per_machine_hour=1.1, usd_per_unit_hour=0.15, max_machines=4)
RESERVED = Tier(name="reserved", kind=TierKind.COMMITTED, fixed_usd_per_machine_hour=1.9)
SPOT = Tier(name="spot", kind=TierKind.SPOT, usd_per_unit_hour=1.4, max_share_of_demand=0.4, availability_share=0.8)
ON_DEMAND = Tier(name="on demand", kind=TierKind.ON_DEMAND, usd_per_unit_hour=3.4)
DAY = np.array([2, 2, 2, 3, 3, 4, 6, 9, 11, 12, 12, 11, 10, 11, 12, 12, 10, 8, 6, 5, 4, 3, 2, 2], dtype=float)


def brute_force_usd(
    demand: list[int], own_fixed: float, own_use: float, reserved: float, on_demand: float, most: int
) -> float:
    costs = []
    for own, held in itertools.product(range(most + 1), range(max(demand) + 1)):
        cost = len(demand) * (own * own_fixed + held * reserved)
        for units in demand:
            rest = max(units - held, 0)  # prepaid first: its next hour costs nothing
            mine = min(rest, own) if own_use < on_demand else 0
            cost += mine * own_use + (rest - mine) * on_demand
        costs.append(cost)
    return min(costs)


@settings(max_examples=40, deadline=None)
@given(
    demand=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    own_fixed=st.floats(0.1, 4),
    own_use=st.floats(0, 1),
    reserved=st.floats(0.1, 4),
    on_demand=st.floats(1.5, 6),
)
def test_no_combination_of_whole_units_is_cheaper(
    demand: list[int], own_fixed: float, own_use: float, reserved: float, on_demand: float
) -> None:
    tiers = [
        replace(OWN, fixed_usd_per_machine_hour=own_fixed, usd_per_unit_hour=own_use, max_machines=3),
        replace(RESERVED, fixed_usd_per_machine_hour=reserved),
        replace(ON_DEMAND, usd_per_unit_hour=on_demand),
    ]
    mix = cheapest_mix(DemandCurve(units=np.array(demand, dtype=float)), tiers)
    assert mix.total_usd == pytest.approx(
        brute_force_usd(demand, own_fixed, own_use, reserved, on_demand, 3), rel=1e-6, abs=1e-6
    )


@settings(max_examples=40, deadline=None)
@given(
    demand=st.lists(st.floats(0, 40), min_size=1, max_size=30),
    deferrable=st.sampled_from([0.0, 0.3]),
    per_machine=st.sampled_from([1, 4]),
)
def test_the_mix_is_never_dearer_than_its_best_single_tier(
    demand: list[float], deferrable: float, per_machine: int
) -> None:
    curve = DemandCurve(units=np.array(demand), deferrable_share=deferrable, deadline_hours=4)
    tiers = [
        OWN,
        replace(RESERVED, units_per_machine=per_machine),
        SPOT,
        replace(ON_DEMAND, units_per_machine=per_machine),
    ]
    mix = cheapest_mix(curve, tiers)
    assert mix.total_usd <= min(mix.single_tier_usd.values()) * (1 + 1e-6) + 1e-6
    assert set(mix.single_tier_usd) >= {"reserved", "on demand"}


def test_the_reserved_cut_of_a_normal_demand_is_the_news_vendors() -> None:
    demand = np.random.default_rng(0).normal(40.0, 12.0, 200_000).clip(min=0)
    tiers = [replace(RESERVED, fixed_usd_per_machine_hour=1.85), replace(ON_DEMAND, usd_per_unit_hour=2.99)]
    mix = cheapest_mix(DemandCurve(units=np.round(demand, 1)), tiers)
    units, usd_per_hour = reserved_units_normal(mean=40, sd=12, reserved_usd_per_hour=1.85, on_demand_usd_per_hour=2.99)
    assert mix.tiers[0].machines == pytest.approx(units, abs=0.7)
    assert mix.total_usd / 200_000 == pytest.approx(usd_per_hour, rel=2e-3)


def test_prepaid_machines_work_before_owned_ones_which_still_draw_power() -> None:
    mix = cheapest_mix(DemandCurve(units=DAY), [OWN, RESERVED, ON_DEMAND])
    own, reserved, _ = mix.dispatch_units
    assert mix.total_usd == pytest.approx(382.9)
    assert (reserved[own > 0] == pytest.approx(2.0)) if (own > 0).any() else False


def test_every_hour_is_served_and_the_bill_adds_up() -> None:
    mix = cheapest_mix(DemandCurve(units=DAY), [OWN, RESERVED, SPOT, ON_DEMAND])
    served = mix.dispatch_units.T @ np.array([1, 1, SPOT.availability_share, 1])
    assert (served >= DAY - 1e-6).all()
    assert sum(use.fixed_usd + use.variable_usd for use in mix.tiers) == pytest.approx(mix.total_usd)


def test_committed_machines_are_idle_where_less_is_needed() -> None:
    demand = np.array([8.0, 16.0, 24.0, 40.0])
    kept = replace(RESERVED, fixed_usd_per_machine_hour=16.0, usd_per_unit_hour=0.0, units_per_machine=8)
    mix = cheapest_mix(
        DemandCurve(units=demand), [kept, replace(ON_DEMAND, usd_per_unit_hour=6.5, units_per_machine=8)]
    )
    assert [(use.machines, use.unit_hours, use.idle_unit_hours) for use in mix.tiers] == [(3, 72, 24), (0, 16, 0)]


def test_spot_carries_no_more_than_its_part_of_each_hour() -> None:
    mix = cheapest_mix(DemandCurve(units=DAY), [SPOT, ON_DEMAND])
    assert (mix.dispatch_units[0] * SPOT.availability_share <= 0.4 * DAY + 1e-6).all()


def test_machines_come_whole() -> None:
    boxes = replace(ON_DEMAND, units_per_machine=8)
    mix = cheapest_mix(DemandCurve(units=np.array([1.0, 9.0])), [boxes])
    assert mix.total_usd == pytest.approx(3.4 * 8 * 3)
    assert mix.tiers[0].idle_unit_hours == pytest.approx(14.0)


def test_a_savings_plan_may_be_any_amount() -> None:
    plan = replace(RESERVED, whole=False)
    mix = cheapest_mix(DemandCurve(units=np.array([2.5, 2.5])), [plan, ON_DEMAND])
    assert mix.tiers[0].machines == pytest.approx(2.5)


def test_work_that_can_wait_flattens_the_curve() -> None:
    curve = DemandCurve(units=np.array([8.0, 0.0] * 12))
    rigid = cheapest_mix(curve, [RESERVED, ON_DEMAND]).total_usd
    waiting = cheapest_mix(replace(curve, deferrable_share=1.0, deadline_hours=1), [RESERVED, ON_DEMAND])
    assert waiting.total_usd == pytest.approx(4 * 1.9 * 24)
    assert waiting.total_usd < rigid


def test_nothing_is_served_before_it_came_or_after_its_deadline() -> None:
    units = np.random.default_rng(1).integers(0, 12, 60).astype(float)
    mix = cheapest_mix(DemandCurve(units=units, deferrable_share=1.0, deadline_hours=6), [RESERVED, ON_DEMAND])
    done, arrived = mix.dispatch_units.sum(axis=0).cumsum(), units.cumsum()
    assert (done[6:] >= arrived[:-6] - 1e-6).all()
    assert done[-1] == pytest.approx(arrived[-1], abs=1e-6)


def test_short_terms_follow_the_season() -> None:
    units = np.concatenate([np.zeros(24), np.full(24, 5.0), np.zeros(24)])
    daily = replace(RESERVED, name="by the day", term_hours=24, start_every_hours=24, fixed_usd_per_machine_hour=2.5)
    mix = cheapest_mix(DemandCurve(units=units), [RESERVED, daily, ON_DEMAND])
    assert mix.total_usd == pytest.approx(5 * 24 * 2.5)


def test_power_and_budget_limit_what_is_owned() -> None:
    own = replace(
        OWN, max_machines=None, capex_usd_per_machine=40_000, kw_per_machine=1.3, fixed_usd_per_machine_hour=0.5
    )
    curve = DemandCurve(units=np.full(24, 10.0))
    free = cheapest_mix(curve, [own, ON_DEMAND])
    by_budget = cheapest_mix(curve, [own, ON_DEMAND], Limits(max_capex_usd=200_000))
    by_power = cheapest_mix(curve, [own, ON_DEMAND], Limits(max_kw=4.0))
    assert [mix.tiers[0].machines for mix in (free, by_budget, by_power)] == [10, 5, 3]


def test_demand_above_every_limit_names_the_hour_and_what_is_reached() -> None:
    with pytest.raises(NothingFitsError, match="hour 6 needs 6 units, and all tiers together reach 4"):
        cheapest_mix(DemandCurve(units=DAY), [OWN])


def test_a_budget_that_forbids_everything_is_told() -> None:
    own = replace(OWN, max_machines=None, capex_usd_per_machine=40_000)
    with pytest.raises(NothingFitsError, match="within the limits"):
        cheapest_mix(DemandCurve(units=DAY), [own], Limits(max_capex_usd=1000))


@pytest.mark.parametrize("units", [np.array([-1.0]), np.array([np.nan]), np.zeros(0)])
def test_demand_that_is_none_is_refused(units: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    with pytest.raises(PlanningError):
        DemandCurve(units=units)


def test_two_tiers_of_one_name_are_refused() -> None:
    with pytest.raises(PlanningError, match="its own name"):
        cheapest_mix(DemandCurve(units=DAY), [OWN, OWN])


def test_a_tier_that_cannot_do_it_alone_is_not_among_the_single_ones() -> None:
    assert set(single_tier_costs_usd(DemandCurve(units=DAY), [OWN, RESERVED, SPOT, ON_DEMAND])) == {
        "reserved",
        "on demand",
    }


def test_terms_that_overlap_are_begun_as_the_demand_rises_and_falls() -> None:
    reserved = replace(RESERVED, fixed_usd_per_machine_hour=1.0, term_hours=4, start_every_hours=2)
    mix = cheapest_mix(DemandCurve(units=np.array([1.0, 1, 2, 2, 2, 2, 1, 1])), [reserved])
    assert mix.total_usd == pytest.approx(3 * 4)  # from the hours 0, 2 and 4
    assert mix.tiers[0].machines == 2
    assert mix.tiers[0].idle_unit_hours == pytest.approx(0)


@settings(max_examples=10)
@given(
    st.lists(st.integers(0, 4), min_size=6, max_size=30),
    st.integers(1, 12),
    st.integers(1, 6),
    st.integers(1, 8),
    st.integers(2, 5),
)
def test_hours_planned_for_together_cost_what_they_cost_one_by_one(
    demand: list[int], term: int, every: int, other_term: int, most: int
) -> None:
    tiers = [
        replace(RESERVED, term_hours=term, start_every_hours=every, max_machines=most),
        replace(RESERVED, name="longer", fixed_usd_per_machine_hour=1.2, term_hours=other_term, units_per_machine=2),
        ON_DEMAND,
    ]
    curve = DemandCurve(units=np.array(demand, dtype=float))
    together = cheapest_mix(curve, tiers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.mix.cheapest.periods", lambda _tiers, hours: np.arange(hours))
        one_by_one = cheapest_mix(curve, tiers)
    assert together.total_usd == pytest.approx(one_by_one.total_usd, rel=1e-6, abs=1e-6)
    assert (together.dispatch_units.sum(axis=0) >= np.array(demand) - 1e-6).all()


def test_a_curve_of_decades_with_terms_of_years_is_a_small_program() -> None:
    year = replace(RESERVED, term_hours=8760)
    week = np.tile(np.repeat([100.0, 320.0], 84), 596)[:100_000]
    mix = cheapest_mix(DemandCurve(units=week), [year, ON_DEMAND], time_limit_s=30)
    assert mix.gap_share < 1e-6
    assert mix.tiers[0].machines >= 100
    assert mix.total_usd < mix.single_tier_usd["on demand"]


def test_more_different_hours_than_a_solver_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.mix.cheapest.MOST_UNKNOWNS", 50)
    curve = DemandCurve(units=np.arange(1.0, 101.0))
    with pytest.raises(PlanningError, match="different hours"):
        cheapest_mix(curve, [RESERVED, ON_DEMAND])
    monkeypatch.setattr("planner.mix.cheapest.MOST_LEVELS", 10)
    rounded = cheapest_mix(curve, [RESERVED, ON_DEMAND])
    assert rounded.rounded_to_units == 10


@pytest.mark.parametrize("size", [1e6, 1e7, 1e9])
def test_sizes_beyond_whole_numbers_are_answered(size: float) -> None:
    mix = cheapest_mix(DemandCurve(units=DAY * size), [replace(OWN, max_machines=None), RESERVED, SPOT, ON_DEMAND])
    small = cheapest_mix(DemandCurve(units=DAY * 1e4), [replace(OWN, max_machines=None), RESERVED, SPOT, ON_DEMAND])
    assert mix.total_usd / size == pytest.approx(small.total_usd / 1e4, rel=1e-3)


def test_a_time_that_is_too_short_is_told() -> None:
    tiers = [replace(RESERVED, term_hours=500, start_every_hours=1, units_per_machine=7), ON_DEMAND]
    units = np.random.default_rng(0).gamma(2.0, 10.0, 3000)
    with pytest.raises(PlanningError, match="no mix was found within"):
        cheapest_mix(DemandCurve(units=units), tiers, time_limit_s=0.001)
