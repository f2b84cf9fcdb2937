"""Offers: what a row may say, and what the bundled rows say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from pricing.catalog import load_bundled
from pricing.errors import PricingError
from pricing.facts.accelerators import accelerators, families
from pricing.facts.offers import FLAGS, TERM_MONTHS, Launchable, Offer, Payment, PurchaseOption, offer_id

OFFERS = load_bundled().offers
COMMITMENTS = frozenset(TERM_MONTHS)

GOOD = Offer(
    provider="aws",
    instance_type="p5.48xlarge",
    region="us-east-1",
    accelerator="H100-SXM",
    accelerator_stated="H100",
    accelerator_count=8,
    accelerator_memory_gb=80,
    purchase_option=PurchaseOption.ON_DEMAND,
    price_usd_per_hour=55.04,
    source="a test",
    observed_on=date(2026, 7, 20),
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price_usd_per_hour": 0.0}, "price_usd_per_hour must be above 0, got 0"),
        ({"price_usd_per_hour": float("nan")}, "price_usd_per_hour must be above 0, got nan"),
        ({"price_usd_per_hour": float("inf")}, "price_usd_per_hour must be above 0, got inf"),
        ({"price_usd_per_hour": -3.0}, "price_usd_per_hour must be above 0, got -3"),
        ({"vcpus": 0.0}, "vcpus must be above 0, got 0"),
        ({"upfront_usd": -1.0}, "upfront_usd must not be negative, got -1"),
        ({"provider": ""}, "provider must not be empty"),
        ({"source": ""}, "source must not be empty"),
        ({"accelerator_count": 2.5}, "accelerator_count above 1 must be whole, got 2.5"),
        ({"accelerator_count": 0.0}, "accelerator_count is 0 and accelerator_stated is 'H100'"),
        ({"accelerator_stated": ""}, "although the source states none"),
        ({"zone_kind": "cloud"}, "zone_kind must be one of region, zone, local_zone, edge, got 'cloud'"),
        ({"flags": ("cheap",)}, "unknown flag 'cheap'"),
        ({"launchable": Launchable.NO}, "launchable_note must say why"),
        ({"purchase_option": PurchaseOption.RESERVED_1Y}, "term_months must be 12 for reserved_1y, got 0"),
        ({"term_months": 12, "interruptible": True}, "an interruptible offer has no term"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_in_words(change: dict[str, object], message: str) -> None:
    with pytest.raises(PricingError) as caught:
        replace(GOOD, **change)  # type: ignore[arg-type]
    assert message in caught.value.message


def test_every_bundled_offer_passes_its_own_checks() -> None:
    for offer in OFFERS:
        assert replace(offer) == offer


def test_no_bundled_price_is_zero_or_missing() -> None:
    assert min(offer.price_usd_per_hour for offer in OFFERS) > 0.01


def test_an_offer_has_one_identity_and_an_identity_one_offer() -> None:
    twice = [name for name, times in Counter(map(offer_id, OFFERS)).items() if times > 1]
    assert twice == []


def test_an_identity_is_readable_and_does_not_know_the_price() -> None:
    assert offer_id(GOOD) == "aws/us-east-1/p5.48xlarge/on_demand"
    assert offer_id(replace(GOOD, price_usd_per_hour=1.0, observed_on=date(2020, 1, 1))) == offer_id(GOOD)
    assert offer_id(replace(GOOD, zone="use1-az4")) == "aws/us-east-1@use1-az4/p5.48xlarge/on_demand"
    assert (
        offer_id(replace(GOOD, instance_type="NVIDIA H100 80GB HBM3"))
        == "aws/us-east-1/NVIDIA_H100_80GB_HBM3/on_demand"
    )


def test_commitments_of_one_option_that_are_paid_otherwise_are_different_offers() -> None:
    reserved = replace(GOOD, purchase_option=PurchaseOption.RESERVED_1Y, term_months=12, offering_class="standard")
    assert offer_id(reserved) == "aws/us-east-1/p5.48xlarge/reserved_1y"
    assert offer_id(replace(reserved, payment=Payment.ALL)) == "aws/us-east-1/p5.48xlarge/reserved_1y/all"
    assert (
        offer_id(replace(reserved, payment=Payment.PARTIAL, offering_class="convertible"))
        == "aws/us-east-1/p5.48xlarge/reserved_1y/convertible/partial"
    )


def test_every_offer_with_an_accelerator_resolves_or_says_that_it_does_not() -> None:
    known = accelerators()
    for offer in OFFERS:
        if not offer.accelerator_stated:
            assert offer.accelerator is None
            assert offer.accelerator_count == 0
        elif offer.accelerator is None:
            assert "accelerator_unknown" in offer.flags
        else:
            assert offer.accelerator in known
            assert (offer.accelerator in families()) == ("form_factor_unknown" in offer.flags)


def test_memory_that_a_source_states_is_that_of_the_accelerator_so_forty_and_eighty_never_mix() -> None:
    known = accelerators()
    for offer in OFFERS:
        if offer.accelerator is None or offer.accelerator_memory_gb is None:
            continue
        stated_gb = offer.accelerator_memory_gb / min(offer.accelerator_count, 1)
        assert stated_gb == pytest.approx(known[offer.accelerator].memory_nominal_gb, rel=0.1), offer_id(offer)


def test_the_unknown_accelerators_are_few_and_named() -> None:
    assert {offer.accelerator_stated for offer in OFFERS if offer.accelerator_stated and not offer.accelerator} <= {
        "Quadro RTX 5000",
        "RTX 4080",
    }


def test_no_commitment_spot_or_block_costs_more_than_on_demand() -> None:
    on_demand = {
        (o.provider, o.instance_type, o.region): o.price_usd_per_hour
        for o in OFFERS
        if o.purchase_option is PurchaseOption.ON_DEMAND
    }
    for offer in OFFERS:
        price = on_demand.get((offer.provider, offer.instance_type, offer.region))
        if price is not None:
            assert offer.price_usd_per_hour <= price * 1.0001, offer_id(offer)


def test_a_longer_commitment_of_the_same_day_is_not_dearer() -> None:
    pairs = {
        PurchaseOption.RESERVED_1Y: PurchaseOption.RESERVED_3Y,
        PurchaseOption.SAVINGS_PLAN_1Y: PurchaseOption.SAVINGS_PLAN_3Y,
    }
    by_key = {(o.provider, o.instance_type, o.region, o.purchase_option): o for o in OFFERS}
    compared = 0
    for (provider, instance_type, region, option), short in by_key.items():
        long = by_key.get((provider, instance_type, region, pairs[option])) if option in pairs else None
        if long is not None and long.observed_on == short.observed_on:
            compared += 1
            assert long.price_usd_per_hour <= short.price_usd_per_hour
    assert compared > 500


def test_the_terms_of_a_purchase_follow_its_kind() -> None:
    for offer in OFFERS:
        option = offer.purchase_option
        assert (offer.term_months > 0) == (option in COMMITMENTS)
        assert offer.interruptible == (option is PurchaseOption.SPOT)
        if option in COMMITMENTS:
            assert not offer.cancellable
        if option is PurchaseOption.CAPACITY_BLOCK:
            assert (offer.minimum_hours, offer.payment, offer.cancellable) == (24, Payment.ALL, False)
        if option is PurchaseOption.MARKETPLACE:
            assert offer.shared_host
        if option is PurchaseOption.CALENDAR:
            assert (offer.minimum_hours, offer.cancellable) == (24, False)
        if option is PurchaseOption.RESERVED_UNSPECIFIED:
            assert offer.launchable is Launchable.NO


def test_a_price_at_which_nothing_can_be_started_says_so() -> None:
    for offer in OFFERS:
        if {"excludes_host", "out_of_stock"} & set(offer.flags):
            assert offer.launchable is Launchable.NO
    told = {flag for o in OFFERS for flag in o.flags}
    assert {"excludes_host", "out_of_stock"} <= told


def test_what_google_prices_but_does_not_sell_on_demand_cannot_be_launched() -> None:
    refused = {o.instance_type for o in OFFERS if o.launchable is Launchable.NO and o.provider == "gcp"}
    assert refused == {"a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g", "a3-ultragpu-8g", "a4-highgpu-8g"}
    assert all(o.launchable is Launchable.YES for o in OFFERS if o.instance_type == "a3-highgpu-8g")
    spot = [o for o in OFFERS if o.instance_type == "a3-highgpu-1g" and o.purchase_option is PurchaseOption.SPOT]
    assert spot
    assert all(o.launchable is Launchable.YES for o in spot)


def test_flags_say_what_the_sources_warn_of() -> None:
    assert all(o.shared_host for o in OFFERS if o.provider == "vast")
    assert all(o.shared_host == (o.region == "community") for o in OFFERS if o.provider == "runpod")
    assert not any(o.shared_host for o in OFFERS if o.provider in {"aws", "gcp", "azure", "oci", "lambda"})
    assert {o.region for o in OFFERS if "local_zone" in o.flags} == {"us-east-1-dfw-2a"}
    used = {flag for offer in OFFERS for flag in offer.flags}
    assert used <= set(FLAGS)
    assert used >= {"spot_equals_on_demand", "lowest_ask", "lowest_zone", "community", "form_factor_unknown"}


def test_the_price_of_one_accelerator_is_its_share_of_the_instance() -> None:
    assert GOOD.accelerators_usd_per_hour == pytest.approx(6.88)
    slice_of_one = replace(
        GOOD, accelerator="L4", accelerator_stated="L4", accelerator_count=0.125, price_usd_per_hour=0.2
    )
    assert slice_of_one.accelerators_usd_per_hour == pytest.approx(1.6)
    cpu = replace(GOOD, accelerator=None, accelerator_stated="", accelerator_count=0)
    assert cpu.accelerators_usd_per_hour is None
