"""Drawn beliefs move a timeline as making it again with these beliefs would."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planner.assumptions import Assumptions, default_assumptions
from planner.costs.buy import buy_timeline, ownership_terms
from planner.costs.drivers import Alternative, plan_costs, plan_inputs
from planner.costs.rent import rent_timeline
from planner.costs.timeline import Timeline
from planner.sensitivity import plan_risk, plan_tornado

BELIEFS = default_assumptions()
MONTHS = 36


def changed(name: str, value: float) -> Assumptions:
    return Assumptions({**BELIEFS.rows, name: replace(BELIEFS.rows[name], value=value)})


def rented(beliefs: Assumptions = BELIEFS, term: int = 0, upfront: float = 0.0, price: float = 25.0) -> Timeline:
    return rent_timeline(
        price_usd_per_hour=price,
        instance_count=1,
        paid_hours_per_month=438.0,
        useful_gpu_hours_per_month=3504.0,
        months=MONTHS,
        term_months=term,
        upfront_usd=upfront,
        price_change_share_per_year=beliefs["rent.price_change_share_per_year"],
        storage_usd_per_month=beliefs["rent.storage_gb"] * beliefs["rent.storage_usd_per_gb_month"],
    )


def owned(beliefs: Assumptions = BELIEFS) -> Timeline:
    return buy_timeline(
        server_price_usd=320_000.0,
        accelerator_count=8,
        server_max_kw=10.2,
        server_count=1,
        busy_share=0.6,
        useful_gpu_hours_per_month=3504.0,
        months=MONTHS,
        terms=ownership_terms(beliefs, "colocation"),
    )


def alternatives(**rent: Any) -> tuple[Alternative, Alternative]:
    return (
        Alternative(name="rent", timeline=rented(**rent), term_months=rent.get("term", 0)),
        Alternative(name="buy", timeline=owned(), site="colocation"),
    )


def test_typical_beliefs_give_the_timelines_present_values() -> None:
    pair = alternatives()
    draws = {one.name: np.array([one.typical]) for one in plan_inputs(pair, BELIEFS)}
    costs = plan_costs(pair, BELIEFS)(draws)[:, 0]
    assert costs == pytest.approx([float(one.timeline.present_value_usd(0.10)) for one in pair])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site.colocation.electricity_usd_per_kwh", 0.3),
        ("site.colocation.pue_ratio", 1.2),
        ("site.colocation.usd_per_kw_month", 300.0),
        ("site.colocation.support_share_per_year", 0.05),
        ("own.spares_share_per_year", 0.02),
        ("own.fte_usd_per_year", 150_000.0),
        ("own.gpus_per_fte", 32.0),
        ("own.resale_after_36_months_share", 0.2),
        ("rent.storage_gb", 900.0),
        ("money.discount_rate_share_per_year", 0.2),
    ],
)
def test_one_drawn_belief_costs_what_the_timeline_with_it_costs(name: str, value: float) -> None:
    costs = plan_costs(alternatives(), BELIEFS)({name: np.array([value])})[:, 0]
    with_it = changed(name, value)
    rate = with_it["money.discount_rate_share_per_year"]
    expected = [float(one.present_value_usd(rate)) for one in (rented(with_it), owned(with_it))]
    assert costs == pytest.approx(expected)


@pytest.mark.parametrize(("term", "upfront"), [(0, 0.0), (12, 0.0), (12, 20_000.0), (36, 0.0), (60, 0.0)])
def test_a_drawn_price_path_reaches_commitments_only_when_they_are_renewed(term: int, upfront: float) -> None:
    name = "rent.price_change_share_per_year"
    pair = alternatives(term=term, upfront=upfront)
    drawn = plan_costs(pair, BELIEFS)({name: np.array([0.4])})[0, 0]
    again = rented(changed(name, 0.4), term=term, upfront=upfront)
    assert drawn == pytest.approx(float(again.present_value_usd(0.10)))


def test_a_belief_that_the_user_has_set_is_not_drawn() -> None:
    stated = BELIEFS.override({"own.fte_usd_per_year": 180_000.0}, "--set")
    assert "own.fte_usd_per_year" in {one.name for one in plan_inputs(alternatives(), BELIEFS)}
    assert "own.fte_usd_per_year" not in {one.name for one in plan_inputs(alternatives(), stated)}


def test_a_plans_risk_is_that_of_its_options() -> None:
    found = plan_risk(alternatives(price=98.32), BELIEFS)
    assert found is not None
    assert found.names == ("rent", "buy")
    assert found.probability_cheapest_share[1] > 0.9
    assert sum(found.probability_cheapest_share) == pytest.approx(1.0)
    assert plan_risk(alternatives()[:1], BELIEFS) is None


def test_the_tornado_of_a_plan_is_quick_enough_for_every_plan() -> None:
    pair = alternatives()
    started = time.perf_counter()
    bars = plan_tornado(*pair, BELIEFS)
    assert time.perf_counter() - started < 0.5
    assert bars[0].name in {"rent.price_change_share_per_year", "risk.demand_ratio"}
