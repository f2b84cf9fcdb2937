"""A store read for a plan: of offers that differ in price and place alone the cheapest stands for all, and no answer changes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from planner.assumptions import default_assumptions
from planner.demand.workload import Constraints
from planner.options.price_evidence import Evidence
from planner.supply.candidates import find_candidates, place_key
from planner.usage.other_providers import provider_prices
from pricing.facts.offers import Launchable, Offer, Payment, PurchaseOption, identity_of
from pricing.loading import by_region, load
from pricing.refresh.gates import Market
from pricing.store.database import DuckDbEngine, Engine
from pricing.store.exchange import import_offers
from pricing.store.read import held_identities, read_cheapest, read_offers
from tests.pricing.store.conftest import DAY, land_day, offer, on_day

REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-nowhere-9")
WAYS: tuple[dict[str, Any], ...] = (
    {"purchase_option": PurchaseOption.ON_DEMAND},
    {"purchase_option": PurchaseOption.SPOT, "interruptible": True},
    {"purchase_option": PurchaseOption.RESERVED_1Y, "term_months": 12, "cancellable": False},
    {"purchase_option": PurchaseOption.RESERVED_1Y, "term_months": 12, "payment": Payment.ALL, "cancellable": False},
)
HARDWARE: tuple[dict[str, Any], ...] = (
    {"instance_type": "p5.48xlarge"},
    {"instance_type": "p4d.24xlarge", "accelerator": "A100-40GB-SXM", "accelerator_stated": "A100"},
    {"instance_type": "x9.large", "accelerator": None, "accelerator_stated": "A new one"},
    {"instance_type": "u9.large", "launchable": Launchable.NO, "launchable_note": "closed"},
)


def market() -> list[Offer]:
    """Return offers of every sort, region, zone and purchase option, at prices of no order."""
    dice = random.Random(3)
    return [
        offer(
            **hardware | way,
            region=region,
            zone=zone,
            price=round(dice.uniform(20, 40), 3),
            part=f"{way['purchase_option'].value}/{region}",
            flags=("community",) if zone == "z3" else (),
        )
        for hardware in HARDWARE
        for way in WAYS
        for region in REGIONS
        for zone in ("z1", "z2", "z3")
    ]


def filled(engine: Engine) -> list[Offer]:
    """Land a market, a younger answer of one region, and a file whose rows are of days of their own."""
    offers = market()
    land_day(engine, 0, offers)
    land_day(engine, 3, [each for each in offers if each.region == "us-west-2"])
    import_offers(engine, [replace(each, observed_on=DAY.date() - timedelta(days=400)) for each in offers[:7]], "mine")
    return offers


QUESTIONS = (
    Constraints(),
    Constraints(countries=("US",)),
    Constraints(countries=("EU", "US"), purchase=("spot", "reserved"), min_secure=True),
    Constraints(regions=("us-west-2",), gpus=("h100",)),
    Constraints(exclude_providers=("gcp",), purchase=("on_demand",)),
)


def test_a_plan_sees_the_same_candidates_counts_and_market(file_engine: DuckDbEngine) -> None:
    offers = filled(file_engine)
    assumptions, today = default_assumptions(), on_day(20)
    finest = load(str(file_engine.path), place_of=by_region)
    for constraints, max_age_days in ((QUESTIONS[0], 30), *((each, None) for each in QUESTIONS)):
        whole = load(str(file_engine.path), max_age_days=max_age_days)
        evidence = Evidence.of(whole.offers, assumptions, today=today)
        place_of = place_key([constraints])
        thin = load(str(file_engine.path), max_age_days=max_age_days, place_of=place_of)
        assert len(thin.offers) < len(whole.offers) - 50
        assert len(thin) == len(whole) >= len(offers) - 7
        assert Evidence.of(thin.offers, assumptions, today=today).market == evidence.market
        same = find_candidates(whole, constraints, evidence.is_old)
        assert find_candidates(thin, constraints, evidence.is_old) == same
        if max_age_days is None:
            assert find_candidates(finest, constraints, evidence.is_old) == same
        assert (thin.oldest_on, thin.newest_on, thin.dropped) == (whole.oldest_on, whole.newest_on, whole.dropped)
        assert thin.count(thin.out_of_window) == whole.count(whole.out_of_window)


def test_the_cheapest_of_each_sort_is_one_of_all_and_the_counts_add_up(engine: Engine) -> None:
    filled(engine)
    for as_of in (None, on_day(0), on_day(1), on_day(9)):
        everything = {identity_of(each): each for each in read_offers(engine, as_of)}
        found, counts = read_cheapest(engine, lambda _provider, region: region[:2], as_of)
        assert sum(counts.values()) == len(everything) == 240
        assert all(everything[identity_of(each)] == each for each in found)
        cheapest = min(each.price_usd_per_hour for each in everything.values() if each.region.startswith("eu"))
        assert min(each.price_usd_per_hour for each in found if each.region.startswith("eu")) == cheapest
        assert Market.of((), read_cheapest(engine, as_of=as_of)[0]) == Market.of((), everything.values())
        some = set(list(everything)[:5])
        assert held_identities(engine, [*some, "of|nobody"], as_of) == some


def test_hours_cost_the_same_elsewhere_where_the_cheapest_zone_stands_for_its_region(file_engine: DuckDbEngine) -> None:
    filled(file_engine)
    whole, thin = load(str(file_engine.path)), load(str(file_engine.path), place_of=by_region)
    assert len(thin.offers) < len(whole.offers) - 50
    hours = {"H100-SXM": 100.0, "A100-40GB-SXM": 9.0}
    assert provider_prices(thin, hours) == provider_prices(whole, hours) != ()


def test_an_empty_store_and_a_filter_that_leaves_nothing_have_no_cheapest(engine: Engine) -> None:
    engine.create()
    assert read_cheapest(engine) == ([], {})
    land_day(engine, 0, [offer()])
    assert read_cheapest(engine, filters={"provider": ["gcp"]}) == ([], {})
