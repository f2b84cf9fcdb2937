"""Constraints on place and provider hold for sellers of tokens and free tiers as for machines."""

from __future__ import annotations

from datetime import date

import pytest

from planner.demand.workload import Constraints
from planner.options.hosted import admitted_sellers
from pricing.facts.token_prices import TokenPrice

SELLERS = [
    TokenPrice(
        provider=provider,
        model_id="m",
        input_usd_per_million_tokens=1.0,
        output_usd_per_million_tokens=2.0,
        priced_on=date(2026, 11, 1),
        source="test",
    )
    for provider in ("novita", "ovhcloud", "huggingface_ovhcloud", "groq", "mistral")
]


@pytest.mark.parametrize(
    ("constraints", "left", "told"),
    [
        ({}, {"novita", "ovhcloud", "huggingface_ovhcloud", "groq", "mistral"}, []),
        ({"countries": ["EU"]}, {"ovhcloud", "huggingface_ovhcloud", "mistral"}, ["not known to compute in EU"]),
        ({"countries": ["us"]}, {"novita"}, ["not known to compute in us"]),
        ({"providers": ["groq"]}, {"groq"}, ["not from groq"]),
        ({"providers": ["groq"], "countries": ["FR"]}, set(), ["not from groq", "not known to compute in FR"]),
        ({"regions": ["us-east-1"]}, set(), ["not known to compute in us-east-1"]),
    ],
)
def test_a_seller_outside_the_places_that_are_allowed_is_left_out_and_told(
    constraints: dict[str, list[str]], left: set[str], told: list[str]
) -> None:
    kept, dropped = admitted_sellers(SELLERS, Constraints.model_validate(constraints))
    assert {price.provider for price in kept} == left
    assert [each.reason.split(" sellers ")[-1].removeprefix("prices per token ") for each in dropped] == told
    assert len(kept) + sum(each.count for each in dropped) == len(SELLERS)


@pytest.mark.parametrize("named", [{"providers": ["aws"]}, {"countries": ["DE"]}, {"regions": ["eu-central-1"]}])
def test_who_names_sellers_or_places_means_no_free_tier(named: dict[str, list[str]]) -> None:
    assert Constraints.model_validate(named).names_sellers
    assert not Constraints().names_sellers
