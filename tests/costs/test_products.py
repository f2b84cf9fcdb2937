"""Commitment products: the rules as they are sold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.products import (
    block_days,
    commitment_products,
    exit_costs_usd,
    product_of,
    why_not_together,
)
from planner.errors import PlanningError
from pricing.offers import Payment, PurchaseOption

PRODUCTS = commitment_products()


def test_every_product_is_priced_under_a_known_purchase_option_and_says_its_source() -> None:
    for product in PRODUCTS.values():
        assert set(product.purchase_options) <= {option.value for option in PurchaseOption}, product.product
        assert set(product.payments) <= {payment.value for payment in Payment}, product.product
        assert set(product.excludes) <= set(PRODUCTS), product.product
        assert product.basis in {"usage", "spend", "capacity"}
        assert product.source
        assert product.as_of


def test_only_standard_reserved_instances_can_be_sold() -> None:
    assert [name for name, product in PRODUCTS.items() if product.can_be_sold] == ["aws-reserved-standard"]


def test_googles_flexible_commitments_do_not_touch_accelerators() -> None:
    assert not PRODUCTS["gcp-flexible-commitment"].covers_accelerators
    assert not PRODUCTS["gcp-sustained-use"].covers_accelerators


def test_savings_plans_do_not_apply_to_capacity_blocks_either_way_round() -> None:
    block = PRODUCTS["aws-capacity-block"]
    for name in ("aws-savings-plan-compute", "aws-savings-plan-ec2-instance", "aws-reserved-standard"):
        assert why_not_together(PRODUCTS[name], block)
        assert why_not_together(block, PRODUCTS[name])
    assert not why_not_together(PRODUCTS["azure-reservation"], PRODUCTS["azure-savings-plan"])


@given(monthly=st.floats(1, 1e6), exit_month=st.integers(0, 36), price=st.floats(0, 1))
def test_no_way_out_costs_more_than_staying(monthly: float, exit_month: int, price: float) -> None:
    for product in PRODUCTS.values():
        costs = exit_costs_usd(product, monthly, 36, exit_month, resale_price_share=price)
        assert min(costs.values()) <= costs["kept"]
        assert min(costs.values()) >= monthly * exit_month - 1e-6


def test_refunds_of_the_year_count_against_azures_cap() -> None:
    costs = exit_costs_usd(PRODUCTS["azure-reservation"], 10_400.0, 36, 14, refunded_before_usd=30_000.0)
    assert costs["refunded"] == pytest.approx(374_400 - 20_000)


def test_a_savings_plan_has_no_way_out_but_to_pay() -> None:
    assert set(exit_costs_usd(PRODUCTS["azure-savings-plan"], 100.0, 12, 3)) == {"kept"}
    assert "no way out" in PRODUCTS["azure-savings-plan"].way_out


def test_offers_find_their_rules() -> None:
    found = product_of("gcp", "reserved_3y")
    assert found is not None
    assert found.product == "gcp-resource-commitment"
    assert product_of("aws", "on_demand") is None
    assert product_of("nobody", "reserved_1y") is None


@given(st.floats(0.1, 182 * 24))
def test_a_block_holds_the_hours_and_is_one_that_is_sold(hours: float) -> None:
    days = block_days(hours)
    assert days * 24 >= hours - 1e-6
    assert days <= 14 or days % 7 == 0


@pytest.mark.parametrize("hours", [0.0, -5.0, 182 * 24 + 1])
def test_blocks_that_nobody_sells_are_refused(hours: float) -> None:
    with pytest.raises(PlanningError):
        block_days(hours)
