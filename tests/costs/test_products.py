"""Commitment products: the rules as they are sold."""

from __future__ import annotations

from planner.costs.products import commitment_products, product_of
from planner.notes import Note, NoteCode
from planner.report.notes import note_text
from pricing.facts.offers import Payment, PurchaseOption

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


def test_a_savings_plan_has_no_way_out_but_to_pay() -> None:
    assert "no way out" in note_text(Note(NoteCode.COMMITMENT, (PRODUCTS["azure-savings-plan"],)))


def test_offers_find_their_rules() -> None:
    found = product_of("gcp", "reserved_3y")
    assert found is not None
    assert found.product == "gcp-resource-commitment"
    assert product_of("aws", "on_demand") is None
    assert product_of("nobody", "reserved_1y") is None
