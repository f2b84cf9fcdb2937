"""Sellers: the tier follows from facts, and says which."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pricing.catalog import load_bundled
from pricing.errors import PricingError
from pricing.facts.offers import Launchable, Offer
from pricing.facts.sellers import GOOD_RATINGS, RATINGS, TIERS, Seller, sellers, tier_of
from pricing.tables import read_facts

PLAIN = Seller(provider="p", kind="neocloud", source="s", observed_on=date(2026, 10, 1))
RATED: dict[str, Any] = {"rated_on": date(2026, 9, 23), "earlier_rated_on": date(2025, 11, 6)}
STATED = {"sla": "99.9%", "node_sizes_stated": True, "regions_stated": True}


def test_every_bundled_seller_is_a_row_that_its_own_checks_accept_and_has_a_tier_with_a_reason() -> None:
    for row in sellers().values():
        assert replace(row) == row
        assert row.tier.letter in TIERS
        assert row.tier.reason


def test_every_provider_of_a_bundled_offer_is_known() -> None:
    assert {offer.provider for offer in read_facts(Offer, "offers.csv")} <= set(sellers())


@pytest.mark.parametrize("rating", RATINGS)
@pytest.mark.parametrize(("kind", "good"), [("hyperscaler", "A"), ("neocloud", "B"), ("api", "B")])
def test_bronze_or_better_is_a_or_b_and_anything_else_is_c(rating: str, kind: str, good: str) -> None:
    seller = replace(PLAIN, kind=kind, rating=rating, **RATED)
    assert seller.tier.letter == (good if rating in GOOD_RATINGS else "C")


@pytest.mark.parametrize(
    ("facts", "letter"),
    [
        ({"rating": "unavailable", "earlier_rating": "silver"}, "B"),
        ({"rating": "", "earlier_rating": "bronze"}, "B"),
        ({"rating": "underperform", "earlier_rating": "gold"}, "C"),
        (STATED, "B"),
        ({**STATED, "sla": ""}, "C"),
        ({**STATED, "node_sizes_stated": False}, "C"),
        ({**STATED, "regions_stated": False}, "C"),
        ({**STATED, "rating": "gold", "kind": "marketplace"}, "D"),
        ({**STATED, "rating": "gold", "kind": "aggregator"}, "D"),
        ({**STATED, "rating": "gold", "shares_accelerators": True}, "D"),
    ],
)
def test_the_tier_follows_from_the_facts(facts: dict[str, Any], letter: str) -> None:
    assert replace(PLAIN, **RATED, **facts).tier.letter == letter


def test_the_reason_of_a_price_list_says_what_is_missing() -> None:
    assert replace(PLAIN, sla="99.9%").tier.reason == "not rated; node sizes, regions not stated"


@pytest.mark.parametrize(
    ("provider", "letter"),
    [
        *((name, "A") for name in ("aws", "azure", "gcp", "oci", "google", "aws-bedrock")),
        *((name, "B") for name in ("coreweave", "nebius", "lambda", "huggingface_nebius")),
        *((name, "C") for name in ("runpod", "ibm", "a-new-cloud")),
        *((name, "D") for name in ("packet-ai", "vast", "prime-intellect", "Kaggle")),
    ],
)
def test_a_seller_has_its_tier_under_each_name_by_which_it_is_listed(provider: str, letter: str) -> None:
    assert tier_of(provider).letter == letter


def test_a_community_host_is_d_whoever_brokers_it() -> None:
    offer = next(row for row in load_bundled().offers if row.provider == "runpod" and row.shared_host)
    assert offer.launchable is not Launchable.NO
    assert tier_of(offer.provider, shared_host=offer.shared_host).letter == "D"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "shop"}, "kind must be one of"),
        ({"rating": "tin", **RATED}, "rating must be one of"),
        ({"rating": "gold"}, "rating needs its day"),
        ({"country": "UKR"}, "two capital letters"),
    ],
)
def test_a_seller_that_cannot_be_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(PricingError, match=text):
        replace(PLAIN, **change)
