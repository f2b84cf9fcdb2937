"""The newest catalogue: the store's offers, and the bundled ones of every part that has not answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pricing.catalog import Catalog, load_bundled
from pricing.facts.offers import PurchaseOption, identity_of
from pricing.loading import load
from pricing.providers import load_provider
from pricing.store.database import DuckDbEngine
from pricing.store.exchange import import_offers
from pricing.store.parts import PartAnswer
from tests.pricing.store.conftest import DAY, land_day, offer


def counted(catalog: Catalog, **wanted: str) -> int:
    return sum(all(getattr(each, name) == value for name, value in wanted.items()) for each in catalog.offers)


def bundled(**wanted: str) -> int:
    return counted(load_bundled(), **wanted)


def loaded(engine: DuckDbEngine) -> Catalog:
    return load(str(engine.path))


def test_an_answered_part_replaces_its_own_bundled_offers_and_no_others(file_engine: DuckDbEngine) -> None:
    reserved: dict[str, Any] = {"purchase_option": PurchaseOption.RESERVED_1Y, "term_months": 12, "cancellable": False}
    land_day(file_engine, 0, [offer(), offer(region="eu-west-2", part="on_demand/eu-west-2", **reserved)])
    catalog = loaded(file_engine)
    assert counted(catalog, provider="aws", region="us-east-1", purchase_option="on_demand") == 1
    assert (
        counted(catalog, provider="aws", region="us-east-1", purchase_option="reserved_1y") == 0
    )  # the same price list
    for still in (
        {"purchase_option": "spot"},
        {"purchase_option": "capacity_block"},
        {"purchase_option": "on_demand", "region": "eu-west-1"},
    ):
        assert counted(catalog, provider="aws", **still) == bundled(provider="aws", **still) > 0
    assert any("aws in part" in note and "capacity_block" in note for note in catalog.notes)


@pytest.mark.parametrize(
    "answer",
    [
        PartAnswer(part="prices/eastus", status="failed", reason="shape", row_count=9),
        PartAnswer(part="prices/eastus"),  # answered, and told no offer
        PartAnswer(part="sizes", row_count=9),
    ],
)
def test_a_part_that_told_no_offer_replaces_nothing(file_engine: DuckDbEngine, answer: PartAnswer) -> None:
    land_day(file_engine, 0, [], answer, provider="azure")
    assert counted(loaded(file_engine), provider="azure") == bundled(provider="azure")


@pytest.mark.parametrize("provider", ["runpod", "hyperstack", "vultr", "vast", "nebius"])
def test_a_source_replaces_the_purchase_options_that_it_tells_and_no_others(
    file_engine: DuckDbEngine, provider: str
) -> None:
    find = load_provider(provider).part_of or (lambda _offer: "all")
    on_list = [each for each in load_bundled().offers if each.provider == provider]
    told = on_list[0].purchase_option
    row = offer(provider=provider, region="somewhere", part=find(on_list[0]), purchase_option=told)
    land_day(file_engine, 0, [row], provider=provider)
    catalog = loaded(file_engine)
    for option in {each.purchase_option for each in on_list} - {told}:
        assert counted(catalog, provider=provider, purchase_option=option) == bundled(
            provider=provider, purchase_option=option
        )
    left = [each for each in on_list if each.purchase_option == told and find(each) != row.part]
    assert counted(catalog, provider=provider, purchase_option=told) == 1 + len(left)


def test_one_zone_that_answered_leaves_the_bundled_offers_of_the_others(file_engine: DuckDbEngine) -> None:
    row = offer(provider="scaleway", region="fr-par-1", part="servers/fr-par-1")
    land_day(file_engine, 0, [row], provider="scaleway")
    catalog = loaded(file_engine)
    assert counted(catalog, provider="scaleway", region="fr-par-1") == 1
    for region in ("pl-waw-2", "fr-par-2", "global"):
        assert counted(catalog, provider="scaleway", region=region) == bundled(provider="scaleway", region=region) > 0


@pytest.mark.parametrize("part", ["", "on_demand/us-east-1"])
def test_an_imported_offer_replaces_that_offer_alone(file_engine: DuckDbEngine, part: str) -> None:
    known = next(each for each in load_bundled().offers if each.provider == "aws" and each.accelerator)
    import_offers(file_engine, [replace(known, price_usd_per_hour=known.price_usd_per_hour * 0.9, part=part)], "mine")
    catalog = loaded(file_engine)
    assert counted(catalog, provider="aws") == bundled(provider="aws")
    (found,) = [each for each in catalog.offers if identity_of(each) == identity_of(known)]
    assert found.price_usd_per_hour == pytest.approx(known.price_usd_per_hour * 0.9)


def test_no_offer_stands_twice_where_the_store_files_it_under_another_part(file_engine: DuckDbEngine) -> None:
    known = [each for each in load_bundled().offers if each.provider == "aws" and each.purchase_option == "reserved_1y"]
    land_day(file_engine, 0, [replace(each, part=f"reserved/{each.region}") for each in known[:9]])
    assert max(Counter(identity_of(each) for each in loaded(file_engine).offers).values()) == 1


def test_before_the_first_refresh_the_bundled_offers_of_that_day_answer(file_engine: DuckDbEngine) -> None:
    land_day(file_engine, 0, [offer()])
    before = load(str(file_engine.path), DAY.date() - timedelta(days=1))
    assert counted(before, provider="aws") > 100


def test_an_outage_of_hundreds_of_parts_is_told_in_a_few_notes(file_engine: DuckDbEngine) -> None:
    offers = [offer(region=f"r{number}", part=f"spot/r{number}") for number in range(60)]  # 20 days old, and spot
    land_day(file_engine, 0, offers)
    notes = loaded(file_engine).notes
    assert "and 55 more parts are too old: gpuplan prices status" in notes
    assert len(notes) <= 8
