"""Capital budgeting: traps that spreadsheets and solvers fall into."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planner.costs import financing as depreciation
from planner.errors import PlanningError
from tests.published import finance
from tests.published.commitments import committed_bill, cost_with_refund_usd, payback_months
from tests.published.formulas import When, after_tax_proceeds_usd, balance_after_usd, payment_usd

FLOW = st.floats(min_value=1.0, max_value=1e5)
RATE = st.floats(min_value=0.0, max_value=0.5)


@given(st.lists(FLOW, min_size=1, max_size=20), st.floats(min_value=0.1, max_value=3.0))
def test_an_investment_with_one_change_of_sign_has_one_rate_of_return(flows: list[float], spent: float) -> None:
    cash = [-spent * sum(flows), *flows]
    rate = finance.internal_rate_of_return(cash)
    assert rate is not None
    assert finance.net_present_value(cash, rate) == pytest.approx(
        0.0, abs=1e-6 * sum(flows) * max(1.0, (1 + rate) ** -20)
    )


def test_several_rates_of_return_are_refused_and_named() -> None:
    with pytest.raises(PlanningError, match=r"2 rates of return \(25.00%, 400.00%\)"):
        finance.internal_rate_of_return([-1600, 10_000, -10_000])


@pytest.mark.parametrize("cash", [[1000, -3000, 2500], [100, 200], [-100, -200], [0.0, 0.0], [-5]])
def test_flows_without_a_rate_of_return_have_none_and_not_zero(cash: list[float]) -> None:
    assert finance.internal_rate_of_return(cash) is None


def test_a_rate_of_return_of_sixty_months_is_found() -> None:
    cash = [-250_000, *[7_000] * 60]
    assert finance.internal_rate_of_return(cash) == pytest.approx(npf.rate(60, 7_000, -250_000, 0))


def test_dated_flows_without_a_rate_have_none() -> None:
    assert finance.xirr([(date(2025, 1, 1), 100.0), (date(2026, 1, 1), 10.0)]) is None


@given(costs=st.lists(FLOW, min_size=2, max_size=8), rate=RATE)
def test_the_annuity_of_an_equivalent_annual_cost_is_worth_the_costs(costs: list[float], rate: float) -> None:
    annual = finance.equivalent_annual_cost(costs, rate)
    level = [0.0, *[annual] * (len(costs) - 1)]
    assert finance.net_present_value(level, rate) == pytest.approx(finance.net_present_value(costs, rate))


@given(st.lists(FLOW, min_size=1, max_size=20), st.floats(min_value=0.05, max_value=0.95))
def test_discounting_never_brings_the_payback_forward(flows: list[float], share: float) -> None:
    cash = [-share * sum(flows), *flows]
    plain, discounted = finance.payback_periods(cash), finance.payback_periods(cash, 0.1)
    assert plain is not None
    assert discounted is None or discounted >= plain - 1e-9


def test_a_payback_that_is_undone_later_does_not_count() -> None:
    assert finance.payback_periods([-100, 120, -50, 60]) == pytest.approx(2 + 30 / 60)


def test_costs_of_a_single_day_have_no_annual_equivalent() -> None:
    with pytest.raises(PlanningError, match="life of a year"):
        finance.equivalent_annual_cost([100.0], 0.1)


@pytest.mark.parametrize("rate", [-1.0, float("nan")])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(PlanningError, match="above -1"):
        finance.net_present_value([1.0, 2.0], rate)


@given(
    principal=st.floats(1e3, 1e6),
    rate=st.just(0.0) | st.floats(1e-3, 0.3),  # numpy-financial loses digits at smaller ones
    months=st.integers(1, 120),
    balloon=st.floats(0.0, 0.5),
    when=st.sampled_from(["end", "begin"]),
)
def test_payments_are_those_of_numpy_financial(
    principal: float, rate: float, months: int, balloon: float, when: When
) -> None:
    paid = float(payment_usd(principal, rate, months, balloon_usd=balloon * principal, when=when))
    expected = -npf.pmt(rate / 12, months, principal, -balloon * principal, when)
    assert paid == pytest.approx(float(expected), rel=1e-6)


@given(rate=st.floats(0.0, 0.3), months=st.integers(1, 120))
def test_a_loan_is_paid_off_after_its_last_payment(rate: float, months: int) -> None:
    """To a tenth of a cent: of a rate near 1e-8 a year doubles hold few digits, and 0.01 cents of 1,000 USD are left."""
    assert balance_after_usd(1000.0, rate, months, months) == pytest.approx(0.0, abs=1e-3)


def test_a_loan_without_months_is_refused() -> None:
    with pytest.raises(PlanningError, match="month or more"):
        payment_usd(1000.0, 0.1, 0)


@given(years=st.integers(1, 12), salvage=st.floats(0.0, 0.9))
def test_every_method_writes_off_the_whole_and_no_more(years: int, salvage: float) -> None:
    left = 1000.0 * salvage
    for written in (
        depreciation.straight_line_usd(1000.0, left, years),
        depreciation.sum_of_years_usd(1000.0, left, years),
        depreciation.declining_balance_usd(1000.0, left, years),
    ):
        assert written.sum() == pytest.approx(1000.0 - left)
        assert (written >= -1e-9).all()


def test_a_sale_below_book_value_saves_tax() -> None:
    assert after_tax_proceeds_usd(10.0, 30.0, 0.25) == 15.0


def test_a_life_of_zero_years_is_refused() -> None:
    with pytest.raises(PlanningError, match="a year or more"):
        depreciation.straight_line_usd(1000.0, 0.0, 0)


@given(
    use=st.lists(st.integers(0, 20), min_size=1, max_size=48),
    commitment=st.floats(0, 40),
    discount=st.floats(0.0, 0.9),
)
def test_a_commitment_bill_is_what_was_used_and_what_was_wasted(
    use: list[int], commitment: float, discount: float
) -> None:
    committed = 3.0 * (1 - discount)
    bill = committed_bill(
        use, commitment_usd_per_hour=commitment, committed_usd_per_hour=committed, on_demand_usd_per_hour=3.0
    )
    covered = np.minimum(np.array(use) * committed, commitment)
    beyond = (np.array(use) * committed - covered) / committed * 3.0
    assert bill.total_usd == pytest.approx(float(covered.sum() + beyond.sum()) + bill.unused_usd)
    assume(sum(use) > 0)
    assert bill.effective_savings_share <= discount + 1e-9


def test_an_upfront_payment_that_the_term_does_not_earn_back_has_no_payback() -> None:
    assert payback_months(upfront_usd=1e6, hourly_usd=7.5, on_demand_usd_per_hour=10.0, term_months=12) is None
    assert payback_months(upfront_usd=1e3, hourly_usd=10.5, on_demand_usd_per_hour=10.0, term_months=12) is None


def test_getting_out_after_the_term_is_refused() -> None:
    with pytest.raises(PlanningError, match="within the term"):
        cost_with_refund_usd(100.0, 12, 13)
