"""The catalogue: filters and their funnel, dates, and what was known on a day."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.catalog import Catalog, load_bundled
from pricing.errors import PricingError
from pricing.facts.offers import PurchaseOption, offer_id
from pricing.facts.regions import country_of

ALL = load_bundled()


def test_the_funnel_tells_what_each_filter_left() -> None:
    found = ALL.select(accelerators=["H100"], countries=["US"], purchase=["on_demand"], count=8, max_usd_per_hour=60)
    names = [step.name for step in found.funnel]
    assert names.pop(2).startswith("in a stated place (not stated by ")
    assert names == [
        "offers",
        "H100",
        "in US",
        "on_demand",
        "8 accelerators",
        "at most 60 USD an hour",
    ]
    counts = [step.offer_count for step in found.funnel]
    assert counts[0] == len(ALL)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(found.offers) > 0
    assert {o.instance_type for o in found.offers} == {"p5.48xlarge", "H100 SXM InfiniBand 3.2 Tbps (8 GPUs)"}


def test_nothing_left_is_an_empty_catalogue_with_its_funnel() -> None:
    found = ALL.select(accelerators=["H100-SXM"], max_usd_per_hour=0.01)
    assert found.offers == ()
    assert found.funnel[-1].offer_count == 0
    assert found.oldest_on is found.newest_on is None


@settings(deadline=None, max_examples=40)
@given(
    st.sets(st.sampled_from(["aws", "gcp", "azure", "runpod", "vast"]), max_size=2),
    st.sets(st.sampled_from(["US", "DE", "JP"]), max_size=2),
    st.none() | st.sampled_from([1.0, 8.0]),
    st.none() | st.floats(0.5, 100),
    st.none() | st.sampled_from([20.0, 70.0]),
    st.booleans(),
)
def test_filters_meet_in_any_order(
    providers: set[str],
    countries: set[str],
    count: float | None,
    most: float | None,
    least_gib: float | None,
    secure: bool,
) -> None:
    found = ALL.select(
        providers=providers,
        countries=countries,
        count=count,
        max_usd_per_hour=most,
        min_memory_gib=least_gib,
        secure=secure,
    )
    by_hand = [
        o
        for o in ALL.offers
        if (not providers or o.provider in providers)
        and (not countries or country_of(o.provider, o.region) in countries)
        and (count is None or o.accelerator_count == count)
        and (most is None or o.price_usd_per_hour <= most)
        and (least_gib is None or ALL.accelerator_gib(o) >= least_gib)
        and not (secure and o.shared_host)
    ]
    assert list(found.offers) == by_hand


def test_a_purchase_word_may_stand_for_all_terms_of_a_product() -> None:
    found = ALL.select(purchase=["reserved"])
    reserved = {option for option in PurchaseOption if option.value.startswith("reserved_")}
    assert {o.purchase_option for o in found.offers} == reserved - {PurchaseOption.RESERVED_5Y}  # no source lists one
    assert {o.purchase_option for o in ALL.select(purchase=[PurchaseOption.SPOT]).offers} == {PurchaseOption.SPOT}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"providers": ["azzure", "gpc"]}, "did you mean gcp, gcore?"),
        ({"providers": ["Amazon"]}, "did you mean aws?"),
        ({"regions": ["us-east1", "us-esat-1"]}, "did you mean us-west-1, us-east-1"),
        ({"countries": ["Germny"]}, "unknown country 'Germny'; did you mean Germany or"),
        ({"countries": ["XX"]}, "unknown country 'XX'"),
        ({"purchase": ["ondemand"]}, "did you mean on_demand?"),
        ({"purchase": ["on"]}, "unknown purchase option 'on'"),
        ({"accelerators": ["H1000"]}, "unknown accelerator 'H1000'"),
    ],
)
def test_a_word_that_no_offer_knows_is_told_with_the_nearest(filters: dict[str, list[str]], message: str) -> None:
    with pytest.raises(PricingError) as caught:
        ALL.select(**filters)  # type: ignore[arg-type]
    assert message in caught.value.message


def test_words_are_taken_in_any_letter_case() -> None:
    assert (
        ALL.select(providers=["AWS"], countries=["us"]).offers == ALL.select(providers=["aws"], countries=["US"]).offers
    )


def test_an_offer_whose_place_is_not_told_is_in_no_country() -> None:
    everywhere = {o.provider for o in ALL.offers if country_of(o.provider, o.region) is None}
    assert "verda" in everywhere
    found = ALL.select(countries=["US"])
    assert all(country_of(o.provider, o.region) == "US" for o in found.offers)
    nowhere = ALL.select(providers=["verda", "coreweave"], countries=["US"]).dropped[1]
    assert nowhere.reason == "offers not in a stated place (not stated by coreweave, verda)"


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("EU", {"DE", "FI", "PL"}, {"NO", "GB", "CH"}),
        ("EEA", {"DE", "NO"}, {"GB", "CH"}),
        ("Europe", {"DE", "NO", "GB"}, {"US", "IL"}),
        ("north-america", {"US", "CA", "MX"}, {"BR"}),
        ("APAC", {"JP", "IN", "SG", "AU"}, {"AE", "IL", "US"}),
    ],
)
def test_a_group_of_countries_stands_for_its_members(name: str, inside: set[str], outside: set[str]) -> None:
    found = {country_of(o.provider, o.region) for o in ALL.select(countries=[name]).offers}
    assert inside <= found
    assert not outside & found


def test_a_country_without_offers_is_a_country_and_leaves_none() -> None:
    assert not ALL.select(countries=["NP"]).offers


def test_a_slice_has_its_own_memory_and_not_the_whole_cards() -> None:
    slices = [o for o in ALL.offers if o.instance_type == "g6f.large"]
    assert slices
    assert all(ALL.accelerator_gib(o) == pytest.approx(3e9 / 2**30) for o in slices)
    assert not any(o.instance_type == "g6f.large" for o in ALL.select(min_memory_gib=20).offers)


def test_a_price_that_is_missing_never_wins_a_sort() -> None:
    cheapest = min(ALL.select(accelerators=["H100"]).offers, key=lambda o: o.price_usd_per_hour)
    assert cheapest.price_usd_per_hour > 0.5


def test_dates_are_those_of_the_prices() -> None:
    assert ALL.oldest_on == min(o.observed_on for o in ALL.offers) == date(2025, 4, 4)
    assert ALL.newest_on == date(2026, 10, 10)
    assert ALL.snapshot == "bundled-2026-10-10"


def test_as_of_a_day_shows_no_price_of_a_later_day() -> None:
    for day in (date(2024, 6, 1), date(2025, 5, 1), date(2026, 7, 29), date(2027, 1, 1)):
        then = ALL.as_of(day)
        assert all(o.observed_on <= day for o in then.offers)
        assert then.funnel[-1].offer_count == len(then)
        assert len(then) <= len(ALL)


def test_as_of_a_day_before_a_cut_shows_the_price_before_the_cut() -> None:
    def p5(catalog: Catalog) -> float:
        return next(
            o.price_usd_per_hour for o in catalog.offers if offer_id(o) == "aws/us-east-1/p5.48xlarge/on_demand"
        )

    assert p5(ALL.as_of(date(2025, 5, 1))) == 98.32
    assert p5(ALL) == 55.04


def test_as_of_today_is_the_whole_catalogue() -> None:
    assert ALL.as_of(date(2026, 11, 21)).offers == ALL.offers
