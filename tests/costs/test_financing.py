"""Loans, leases, tax and depreciation of a plan: against the books of a scenario, a second route by hand, and each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.costs.evaluate import model_of, own_values, run, timelines, values_of
from planner.costs.financing import Depreciation, Financing, FinancingKind, financing_of
from planner.costs.inputs import BuyInputs, CostInputs, RentInputs, TokenInputs
from planner.costs.timeline import Timeline
from planner.report.formulas import spreadsheet
from planner.report.workbook.options import month_total
from tests.published.scenario_ledger import Terms, own_months, timeline_of_months

FINANCE = ("down_payment", "loan", "loan_payoff", "lease", "depreciation_tax_shield", "tax_on_resale", "resale")
SERVER = BuyInputs(
    site="colocation", server_price_usd=250_000.0, server_max_kw=10.0, accelerator_count=8, hours_per_month=500.0
)
KINDS, METHODS = get_args(FinancingKind), get_args(Depreciation)
BARE = {
    "own.selling_cost_share": 0.0,
    **{f"own.resale_after_{age}_months_share": 0.4 for age in (12, 24, 36, 48, 60)},
}


def assumed(**changes: float) -> dict[str, float]:
    return dict(default_assumptions()) | {name.replace("__", "."): value for name, value in changes.items()}


def cost(
    cost_inputs: CostInputs, assumptions: Mapping[str, float], months: int = 36, *, once: bool = False
) -> Timeline:
    return timelines([cost_inputs], assumptions, months=months, once=once).at(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("horizon", "life", "lead", "payments"), [(36, 60, 0, 0), (36, 60, 3, 24), (60, 24, 12, 36), (72, 24, 0, 12)])  # fmt: skip
def test_a_plan_finances_and_taxes_hardware_as_a_scenario_does(
    kind: str, method: Depreciation, horizon: int, life: int, lead: int, payments: int
) -> None:
    numbers = assumed(
        money__financing=KINDS.index(kind), money__depreciation=METHODS.index(method), money__depreciation_years=6,
        money__tax_share=0.25, money__loan_months=payments, money__down_payment_share=0.2,
        own__life_months=life, own__lead_time_months=lead,
    ) | BARE  # fmt: skip
    share = 0.4 ** (min(life, horizon - lead) / 12.0) if min(life, horizon - lead) < 12 else 0.4
    terms = Terms(
        horizon_months=horizon, life_months=life, lead_time_months=lead, financing=kind,  # type: ignore[arg-type]
        loan_months=payments or life, depreciation=method, depreciation_years=6,
    )  # fmt: skip
    none = dict.fromkeys(
        ("buy.opex_usd_per_hour", "buy.power_kw", "buy.electricity_usd_per_kwh", "buy.colocation_usd_per_kw_month",
         "buy.staff_usd_per_year", "buy.support_share_per_year", "rent.usd_per_hour", "rent.price_change_share_per_year"), 0.0
    )  # fmt: skip
    stated = none | {
        "buy.capex_usd": 250_000.0, "buy.pue": 1.0, "buy.resale_share": share, "money.tax_share": 0.25,
        "money.loan_rate_share_per_year": numbers["money.loan_rate_share_per_year"], "money.down_payment_share": 0.2,
        "money.hours_per_month": 730.0, "use.hours_per_day": 24.0, "use.utilisation_share": 1.0,
    }  # fmt: skip
    scenario = timeline_of_months(own_months(stated, terms), 1.0)
    plan = cost(SERVER, numbers, horizon)
    for item in FINANCE:
        np.testing.assert_allclose(
            plan.component_usd(item), scenario.component_usd(item), rtol=1e-9, atol=1e-6, err_msg=item
        )


def test_a_taxed_loan_comes_to_what_a_book_kept_by_hand_comes_to() -> None:
    """250,000 USD, 20 % down, 48 payments at 9 %, written off over 5 years, sold after 36 months; tax 30 %."""
    numbers = assumed(
        money__financing=1, money__tax_share=0.3, money__loan_months=48, money__loan_rate_share_per_year=0.09,
        money__down_payment_share=0.2, money__discount_rate_share_per_year=0.08, own__lead_time_months=0,
    ) | BARE  # fmt: skip
    cash = [50_000.0] + [0.0] * 36
    payment = 200_000.0 * 0.0075 / (1 - 1.0075**-48)
    balance = 200_000.0
    for month in range(1, 37):
        interest = balance * 0.0075
        balance -= payment - interest
        cash[month] += payment - 0.3 * interest
    for month in (12, 24, 36):
        cash[month] -= 0.3 * 50_000.0
    cash[36] += balance - 100_000.0 + 0.3 * (100_000.0 - 100_000.0)  # sold for 40 %, which is its book value
    by_hand = sum(usd / 1.08 ** (month / 12) for month, usd in enumerate(cash))
    timeline = cost(SERVER, numbers)
    found = sum(float(timeline.component_usd(item) @ 1.08 ** (-np.arange(37) / 12)) for item in FINANCE)
    assert found == pytest.approx(by_hand, abs=0.01)


@pytest.mark.parametrize("kind", ["loan", "lease"])
def test_borrowing_at_the_discount_rate_costs_what_cash_costs(kind: str) -> None:
    rate = 12 * (1.1 ** (1 / 12) - 1)
    same = assumed(money__loan_rate_share_per_year=rate, own__lead_time_months=0, own__life_months=18)
    financed = cost(SERVER, same | {"money.financing": KINDS.index(kind)}).present_value_usd(0.1)
    assert float(financed) == pytest.approx(float(cost(SERVER, same).present_value_usd(0.1)), abs=0.01)


BILLS = (
    RentInputs(price_usd_per_hour=20.0, hours_per_month=500.0),
    RentInputs(price_usd_per_hour=20.0, hours_per_month=500.0, term_months=12, upfront_usd=9_000.0),
    TokenInputs(usd_per_month=4_000.0),
)


@pytest.mark.parametrize("bill", BILLS)
def test_tax_takes_its_share_off_every_bill(bill: CostInputs) -> None:
    before, after = (cost(bill, assumed(money__tax_share=tax)).by_month_usd() for tax in (0.0, 0.3))
    np.testing.assert_allclose(after, 0.7 * before)


def test_cash_without_tax_has_no_item_of_financing_and_reads_nothing_else() -> None:
    model = model_of("buy", default_assumptions(), once=False)
    assert not {*model.lines} & {*FINANCE[:-1]}
    assert not {name for name in model.names if name.startswith("money.")} - {"money.hours_per_month", "money.discount_rate_share_per_year"}  # fmt: skip


def calculated(text: str, cells: Mapping[str, Any]) -> Any:
    """Work out the text of a cell as a spreadsheet would, with names for cells."""
    python = re.sub(r"(?<![<>])=", "==", text.replace("^", "**"))
    functions = {
        "IF": lambda a, b, c: b if a else c, "INT": np.floor, "ABS": np.abs, "EXP": np.exp, "LN": np.log,
        "MIN": min, "MAX": max, "AND": lambda *all_of: all(all_of), "OR": lambda *any_of: any(any_of),
    }  # fmt: skip
    with np.errstate(all="ignore"):
        return eval(python, {"__builtins__": {}}, {**functions, **cells})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_workbook_has_formulas_that_fit_into_a_cell_and_come_to_the_plan(kind: str, method: str) -> None:
    numbers = assumed(
        money__financing=KINDS.index(kind), money__depreciation=METHODS.index(method), money__tax_share=0.25,
        money__down_payment_share=0.1, own__life_months=17, own__refresh_price_change_share_per_year=-0.2,
    )  # fmt: skip
    assert financing_of(numbers) == Financing(kind, method, 5)  # type: ignore[arg-type]
    model = model_of("buy", numbers, once=False)
    values = values_of(model, own_values(SERVER), numbers, horizon_months=48.0, site="colocation")
    lines = run(model, values, 60)
    names = {name: f"cell_{at}" for at, name in enumerate([*values, *model.scalars, "month"])}
    cells = {names[name]: value for name, value in values.items()}
    for name, expr in model.scalars.items():
        cells[names[name]] = calculated(spreadsheet(expr, names.__getitem__), cells)
    whole = spreadsheet(month_total(model, {}), names.__getitem__, over_months=True)
    assert len(whole) < 8_000
    total = calculated(whole, {**cells, names["month"]: np.arange(61.0)})
    np.testing.assert_allclose(total, lines["total"], rtol=1e-9, atol=0.005)
