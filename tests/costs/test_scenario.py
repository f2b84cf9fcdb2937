"""Scenarios: what a user may state, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from planner.report.scenario import scenario_answer
from planner.scenario.costs import break_even_of
from planner.scenario.schema import Scenario, bounds, spreads

LENOVO: dict[str, Any] = {
    "rent": {"usd_per_hour": 98.32},
    "buy": {"capex_usd": 833806, "opex_usd_per_hour": 0.87, "opex_charged": "used_hours"},
}


def scenario(**sections: dict[str, Any] | int) -> Scenario:
    merged: dict[str, Any] = {**LENOVO}
    for name, value in sections.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return Scenario.model_validate(merged)


def answer(**sections: dict[str, Any] | int) -> dict[str, Any]:
    return scenario_answer(break_even_of(scenario(**sections)))


def test_the_lenovo_study_of_2025_comes_out() -> None:
    record = answer()
    assert record["breakeven_hours"] == pytest.approx(8556.2442, abs=1e-3)
    assert record["breakeven_months"] == pytest.approx(8556.2442 / 730, abs=1e-6)
    assert record["recommendation"] == "buy"


def test_with_the_studys_own_months_of_720_hours_its_print_comes_out() -> None:
    assert answer(money={"hours_per_month": 720})["breakeven_months"] == pytest.approx(11.9, abs=0.06)


@pytest.mark.parametrize(("hours_per_day", "years"), [(4, 5.9), (8, 2.9)])
def test_fewer_hours_a_day_stretch_the_time_and_not_the_hours(hours_per_day: int, years: float) -> None:
    record = answer(use={"hours_per_day": hours_per_day}, buy={"life_months": 120}, horizon_months=120)
    assert record["breakeven_months"] / 12 == pytest.approx(years, abs=0.06)
    assert record["breakeven_hours"] == pytest.approx(8556.2442, abs=1e-3)


def test_a_break_even_beyond_the_horizon_is_no_break_even_but_its_hours_are_told() -> None:
    record = answer(use={"hours_per_day": 4})
    assert record["breakeven_hours"] is None
    assert record["simple_breakeven_hours"] == pytest.approx(8556.2442, abs=1e-3)
    assert "within 60 months (one machine kept for good would take 70)" in record["headline"]


def test_opex_by_the_clock_is_paid_in_idle_hours_too() -> None:
    used = answer(use={"hours_per_day": 8})
    clock = answer(use={"hours_per_day": 8}, buy={"opex_charged": "clock_hours"})
    assert clock["buy"]["total_usd"] - used["buy"]["total_usd"] == pytest.approx(0.87 * 730 * 60 * 2 / 3)


def test_a_load_that_cannot_be_gathered_pays_the_rented_hours_it_waits() -> None:
    schedule = answer(use={"utilisation_share": 0.6})
    load = answer(use={"utilisation_share": 0.6, "idle_hours": "paid"})
    assert load["rent"]["total_usd"] == pytest.approx(schedule["rent"]["total_usd"] / 0.6)
    assert load["breakeven_months"] < schedule["breakeven_months"]


def test_owning_that_never_pays_is_null_and_recommends_renting() -> None:
    record = answer(rent={"usd_per_hour": 0.5})
    assert (record["breakeven_months"], record["breakeven_hours"], record["recommendation"]) == (None, None, "rent")
    assert record["breakeven_utilisation_share"] is None
    assert "never" in record["headline"]


def test_months_add_up_to_the_total_and_begin_with_today() -> None:
    record = answer(buy={"resale_share": 0.2, "refresh_months": [24]})
    months = record["buy"]["by_month"]
    assert months[0] == {
        "month": 0, "cost_usd": 833806.0, "cumulative_usd": 833806.0, "components_usd": {"servers": 833806.0},
    }  # fmt: skip
    assert sum(month["cost_usd"] for month in months) == pytest.approx(record["buy"]["total_usd"])
    assert months[24]["cost_usd"] == pytest.approx(0.8 * 833806 + 0.87 * 730)


def test_a_free_rent_still_tells_the_price_of_equal_cost() -> None:
    record = answer(rent={"usd_per_hour": 0})
    assert record["breakeven_usd_per_hour"] == pytest.approx(833806 / (730 * 60) + 0.87)


def test_a_purchase_of_less_than_any_coin_is_answered() -> None:
    """Amounts so small that their tolerance rounds to zero."""
    record = answer(
        rent={"usd_per_hour": 1},
        buy={"capex_usd": 2.2250738585e-313, "opex_usd_per_hour": 1, "resale_share": 0, "lead_time_months": 0},
        use={"utilisation_share": 1},
        money={"discount_rate_share_per_year": 0, "financing": "loan", "tax_share": 0.21},
    )
    assert record["saving_usd"] == pytest.approx(0)


AMOUNT = st.floats(min_value=0.0, max_value=1e6)


@given(
    price=st.floats(min_value=0.1, max_value=200),
    capex=AMOUNT,
    opex=st.floats(min_value=0, max_value=20),
    rate=st.floats(min_value=0, max_value=0.3),
    share=st.floats(min_value=0.05, max_value=1),
    resale=st.floats(min_value=0, max_value=1),
    lead=st.integers(min_value=0, max_value=12),
    financing=st.sampled_from(["cash", "loan", "lease"]),
    tax=st.sampled_from([0.0, 0.21]),
)
def test_at_the_rent_of_equal_cost_neither_side_saves(
    price: float,
    capex: float,
    opex: float,
    rate: float,
    share: float,
    resale: float,
    lead: int,
    financing: str,
    tax: float,
) -> None:
    sections: dict[str, Any] = {
        "rent": {"usd_per_hour": price},
        "buy": {"capex_usd": capex, "opex_usd_per_hour": opex, "resale_share": resale, "lead_time_months": lead},
        "use": {"utilisation_share": share},
        "money": {"discount_rate_share_per_year": rate, "financing": financing, "tax_share": tax},
    }
    even = break_even_of(Scenario.model_validate(sections)).break_even.price_usd_per_hour
    assert even is not None
    if even > 0:
        result = break_even_of(Scenario.model_validate({**sections, "rent": {"usd_per_hour": even}}))
        assert result.break_even.saving_usd == pytest.approx(0.0, abs=1e-6 * (capex + 1))


@pytest.mark.slow
@given(factor=st.floats(min_value=1e-3, max_value=1e3))
def test_prices_in_another_currency_change_no_verdict(factor: float) -> None:
    sections = {
        "rent": {"usd_per_hour": 23.92 * factor},
        "buy": {
            "capex_usd": 320_000 * factor,
            "opex_usd_per_hour": 1.1 * factor,
            "staff_usd_per_year": 30_000 * factor,
            "support_share_per_year": 0.12,
            "resale_share": 0.15,
        },
        "money": {"discount_rate_share_per_year": 0.1, "tax_share": 0.21, "financing": "loan"},
    }
    record = scenario_answer(break_even_of(Scenario.model_validate(sections)))
    assert record["recommendation"] == "buy"
    assert record["breakeven_utilisation_share"] == pytest.approx(reference()["breakeven_utilisation_share"], rel=1e-6)
    assert record["breakeven_months"] == pytest.approx(reference()["breakeven_months"], rel=1e-6)


def reference() -> dict[str, Any]:
    return scenario_answer(
        break_even_of(
            Scenario.model_validate(
                {
                    "rent": {"usd_per_hour": 23.92},
                    "buy": {
                        "capex_usd": 320_000,
                        "opex_usd_per_hour": 1.1,
                        "staff_usd_per_year": 30_000,
                        "support_share_per_year": 0.12,
                        "resale_share": 0.15,
                    },
                    "money": {"discount_rate_share_per_year": 0.1, "tax_share": 0.21, "financing": "loan"},
                }
            )
        )
    )


def test_a_loan_at_the_rate_of_discount_costs_what_cash_costs() -> None:
    apr = 12 * (1.1 ** (1 / 12) - 1)
    money = {"discount_rate_share_per_year": 0.1, "loan_rate_share_per_year": apr}
    values = {
        financing: answer(money={**money, "financing": financing}, buy={"resale_share": 0.2})["buy"][
            "present_value_usd"
        ]
        for financing in ("cash", "loan", "lease")
    }
    assert values["loan"] == pytest.approx(values["cash"])
    assert values["lease"] == pytest.approx(values["cash"])


def test_a_loan_longer_than_the_life_is_paid_off_when_the_server_is_sold() -> None:
    long = answer(money={"financing": "loan", "loan_months": 120, "loan_rate_share_per_year": 0})
    assert long["buy"]["by_component_usd"]["loan"] + long["buy"]["by_component_usd"]["loan_payoff"] == pytest.approx(
        833806
    )


def test_tax_on_both_sides_with_expensing_at_once_leaves_the_undiscounted_verdict() -> None:
    plain = answer(buy={"resale_share": 0.1})
    taxed = answer(buy={"resale_share": 0.1}, money={"tax_share": 0.21, "depreciation": "bonus"})
    assert taxed["saving_usd"] == pytest.approx(plain["saving_usd"] * 0.79)


def test_faster_write_off_is_worth_more() -> None:
    taxed = {"tax_share": 0.21, "discount_rate_share_per_year": 0.1}
    costs = [
        answer(money={**taxed, "depreciation": method})["buy"]["present_value_usd"]
        for method in ("bonus", "macrs5", "straight_line")
    ]
    assert costs == sorted(costs)


def test_a_commitment_with_an_upfront_payment_is_renewed_with_it() -> None:
    record = answer(rent={"term_months": 24, "upfront_usd": 1000}, horizon_months=48)
    assert record["rent"]["by_component_usd"]["upfront"] == 2000


def test_announced_price_steps_count_from_their_month() -> None:
    record = answer(rent={"price_steps": [{"month": 13, "change_share": -0.44}]}, horizon_months=24)
    assert record["rent"]["total_usd"] == pytest.approx(98.32 * 730 * (12 + 12 * 0.56))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"rent": {"usd_per_hour": -1}}, "must not be below 0"),
        ({"rent": {"usd_per_hour": float("nan")}}, "finite"),
        ({"rent": {"usd_per_hour": "dear"}}, "number or {low, typical, high}"),
        ({"rent": {"usd_per_hour": True}}, "number or {low, typical, high}"),
        ({"rent": {"usd_per_hour": {"low": 3, "typical": 2, "high": 4}}}, "must rise"),
        ({"rent": {"usd_per_hour": {"low": 1, "typical": 2}}}, "Field required"),
        ({"buy": {"life_months": 0}}, "must not be below 1"),
        ({"buy": {"life_months": 36.5}}, "whole number"),
        ({"buy": {"pue": 0.9}}, "must not be below 1"),
        ({"buy": {"resale_share": 1.2}}, "must not be above 1"),
        ({"buy": {"colour": "black"}}, "Extra inputs"),
        ({"use": {"hours_per_day": 25}}, "must not be above 24"),
        ({"use": {"utilisation_share": 0}}, "must be above 0"),
        ({"money": {"discount_rate_share_per_year": -1}}, "must be above -1"),
        ({"money": {"financing": "barter"}}, "cash"),
        ({"rent": {"term_months": 72}}, "longer than horizon_months"),
        ({"buy": {"lead_time_months": 60}}, "nothing would be owned"),
        ({"buy": {"refresh_months": [60]}}, "never be used"),
    ],
)
def test_what_cannot_be_is_refused_in_words(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        scenario(**sections)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        scenario(rent={"usd_per_hour": -1}, buy={"life_months": 0, "colour": "black"})
    assert caught.value.error_count() == 3


def test_published_studies_with_nothing_but_hardware_can_be_stated() -> None:
    assert answer(buy={"resale_share": 0, "staff_usd_per_year": 0}, money={"discount_rate_share_per_year": 0})


def test_the_schema_takes_numbers_and_ranges_and_refuses_the_rest() -> None:
    validator = Draft202012Validator(Scenario.model_json_schema())
    assert validator.is_valid({**LENOVO, "rent": {"usd_per_hour": {"low": 80, "typical": 98.32, "high": 110}}})
    assert not validator.is_valid({**LENOVO, "rent": {"usd_per_hour": -1}})
    assert not validator.is_valid({**LENOVO, "colour": 1})


def test_every_amount_has_its_bounds() -> None:
    assert set(spreads(scenario())) == set(bounds())


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_a_number_that_no_machine_holds_is_told_with_its_key(number: int) -> None:
    with pytest.raises(ValidationError, match="must be a number below 1e308") as refused:
        scenario(rent={"usd_per_hour": number}, buy={"power_kw": {"low": 0, "typical": 1, "high": abs(number)}})
    assert [fault["loc"] for fault in refused.value.errors()] == [("rent", "usd_per_hour"), ("buy", "power_kw")]
