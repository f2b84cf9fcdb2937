"""The other bundled facts: history, regions, processors, ownership, electricity, free tiers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pricing.catalog import load_bundled
from pricing.cells import columns
from pricing.errors import PricingError
from pricing.facts.accelerator_rows import Accelerator, Slice
from pricing.facts.accelerators import accelerators
from pricing.facts.instances import InstanceAccelerator, InstanceCores, InstanceNetwork
from pricing.facts.offers import Offer, offer_id
from pricing.facts.ownership import (
    USD_PER_EUR_2024,
    AcceleratorQuote,
    OwnershipInput,
    ResaleQuote,
    ServerQuote,
    accelerator_quotes,
    derived_quote,
    electricity_tariff,
    electricity_tariffs,
    ownership_inputs,
    server_quotes,
)
from pricing.facts.price_history import PricePoint, points, price_history
from pricing.facts.processors import Processor, processor_of, processors
from pricing.facts.regions import HOSTED, Country, Region, countries_named, country_of, regions
from pricing.facts.sellers import FreeTier, Seller, free_tiers
from pricing.facts.token_prices import TuningPrice
from pricing.tables import facts_path, read_rows, text_of_rows
from tests.pricing.residual_values import residual_curve, residual_evidence, sold_over_asked_ratios

OFFERS = load_bundled().offers


def test_every_price_point_is_above_zero_and_dated() -> None:
    for rows in price_history().values():
        assert all(replace(row) == row for row in rows)
        assert [row.observed_on for row in rows] == sorted(row.observed_on for row in rows)


def test_the_history_of_an_offer_shows_its_price_going_down_and_of_another_going_up() -> None:
    by_id = {offer_id(o): o for o in OFFERS}
    h100 = points(by_id["aws/us-east-1/p5.48xlarge/on_demand"])
    assert (h100[0].price_usd_per_hour, h100[-1].price_usd_per_hour) == (98.32, 55.04)
    block = points(by_id["aws/us-east-1/p5.48xlarge/capacity_block"])
    assert block[-1].price_usd_per_hour > block[0].price_usd_per_hour
    assert points(by_id["packet-ai/global/NVIDIA_A100/on_demand"]) == ()


def test_the_last_price_point_of_an_offer_is_its_price() -> None:
    checked = 0
    for offer in OFFERS:
        rows = points(offer)
        if rows and rows[-1].observed_on == offer.observed_on:
            checked += 1
            assert rows[-1].price_usd_per_hour == pytest.approx(offer.price_usd_per_hour, rel=1e-3), offer_id(offer)
    assert checked > 20


def test_every_region_with_an_offer_has_a_country_unless_its_price_holds_everywhere() -> None:
    for provider, region in {(o.provider, o.region) for o in OFFERS}:
        row = regions()[provider, region]
        if region in {"global", "secure", "community", "marketplace"}:
            assert row.country is None or row.weak
        elif provider in {"aws", "gcp", "azure"}:  # others tell the country alone
            assert row.country is not None
            assert row.city


@pytest.mark.parametrize(
    ("provider", "region", "country"),
    [
        ("aws", "eu-north-1", "SE"),
        ("aws", "ap-southeast-2", "AU"),
        ("gcp", "europe-west4", "NL"),
        ("gcp", "us-east5", "US"),
        ("azure", "northeurope", "IE"),
        ("azure", "westeurope", "NL"),
        ("azure", "southeastasia", "SG"),
        ("azure", "uksouth", "GB"),
        ("verda", "global", None),
        ("nobody", "nowhere", None),
    ],
)
def test_a_region_lies_in_its_country(provider: str, region: str, country: str | None) -> None:
    assert country_of(provider, region) == country


@pytest.mark.parametrize("country", ["USA", "us", "1A", ""])
def test_a_country_is_two_capital_letters(country: str) -> None:
    with pytest.raises(PricingError, match="two capital letters"):
        Region(provider="p", region="r", country=country, source="s", observed_on=date(2026, 11, 1))


@pytest.mark.parametrize(
    ("provider", "country"), [("ovhcloud", "FR"), ("novita", "US"), ("mistral", "FR"), ("google-vertex", None)]
)
def test_a_seller_of_tokens_is_where_it_says_that_it_computes(provider: str, country: str | None) -> None:
    assert country_of(provider, HOSTED) == country


def test_names_of_countries_are_taken_as_people_write_them() -> None:
    assert countries_named(["de", "France", "UK", "usa"]) == {"DE", "FR", "GB", "US"}
    assert countries_named(["EU"]) < countries_named(["EEA"]) < countries_named(["europe"])
    assert countries_named(["South_America"]) >= {"BR", "CL"}


def test_every_processor_that_an_offer_names_is_known() -> None:
    assert {o.processor for o in OFFERS if o.processor} <= set(processors())
    assert processor_of("") is None
    for row in processors().values():
        assert replace(row) == row


def test_processor_figures_are_those_of_their_sources() -> None:
    sapphire = processor_of("Intel Xeon 8488C (Sapphire Rapids)")
    assert sapphire is not None
    assert sapphire.memory_bandwidth_gb_per_s == pytest.approx(307.2)
    # 32 cores at 2 GHz: 4 TFLOP/s AVX-512, 131 AMX bf16, 262 AMX int8.
    at_2_ghz = replace(sapphire, sustained_ghz=2.0)
    assert at_2_ghz.peak_flop_per_s("fp32", 32) == pytest.approx(4.1e12, rel=0.01)
    assert at_2_ghz.peak_flop_per_s("bf16", 32) == pytest.approx(131e12, rel=0.01)
    assert at_2_ghz.peak_flop_per_s("int8", 32) == pytest.approx(262e12, rel=0.01)
    milan = processor_of("AMD EPYC 7763v (Milan) or newer")
    assert milan is not None
    assert milan.peak_flop_per_s("bf16", 32) is None


def test_a_machine_has_its_share_of_the_sockets_bandwidth() -> None:
    sapphire = processor_of("Intel Xeon 8488C (Sapphire Rapids)")
    assert sapphire is not None
    assert (sapphire.sockets(2), sapphire.sockets(48), sapphire.sockets(49), sapphire.sockets(96)) == (1, 1, 2, 2)


def test_every_ownership_input_is_in_order_and_weak_ones_say_so() -> None:
    for row in ownership_inputs():
        assert replace(row) == row
    weak = {row.input_id for row in ownership_inputs() if row.weak}
    assert {"IN066", "IN103", "IN117", "IN119"} <= weak  # secondary articles, used-card prices, judgements
    assert not {"IN001", "IN075", "IN085"} & weak


def test_an_ownership_input_without_a_figure_or_out_of_order_is_refused() -> None:
    row = ownership_inputs()[0]
    with pytest.raises(PricingError, match="all missing"):
        replace(row, low=None, typical=None, high=None)
    with pytest.raises(PricingError, match="must not fall"):
        OwnershipInput(
            input_id="x", key="k", category="c", scope="s", low=2, high=1, unit="u", source="s", as_of="2026"
        )


def test_server_quotes_name_known_accelerators_and_their_kind_of_price() -> None:
    for quote in server_quotes():
        assert replace(quote) == quote
        assert quote.accelerator in accelerators()
    by_name = {quote.name: quote for quote in server_quotes()}
    assert by_name["Lenovo SR680a V3 8x H200"].price_usd == 277897.75
    assert by_name["8x H100 NVL SR675 V3 list"].price_kind == "list"
    assert not by_name["HGX A100 80GB baseboard x8"].complete


def test_a_server_costs_more_than_its_cards() -> None:
    card = next(q for q in accelerator_quotes() if q.accelerator == "RTX 4090" and q.condition == "new")
    server = derived_quote("RTX 4090", 4)
    assert server.price_usd == pytest.approx(4 * card.price_usd * 1.64)
    assert server.price_low_usd <= server.price_usd <= server.price_high_usd
    assert server.weak
    assert server.price_kind == "derived"
    assert "Epoch" in server.source


def test_a_server_of_cards_without_a_price_is_not_guessed() -> None:
    with pytest.raises(PricingError, match="no purchase price of MI300X is known"):
        derived_quote("MI300X", 8)


def test_a_quote_outside_its_own_range_is_refused() -> None:
    with pytest.raises(PricingError, match="must lie between"):
        ServerQuote(
            name="s",
            accelerator="T4",
            accelerator_count=1,
            price_usd=5,
            price_low_usd=6,
            price_high_usd=7,
            price_kind="street",
            source="s",
            as_of="2026",
        )


def test_what_is_left_of_a_price_falls_with_age() -> None:
    curve = residual_curve()
    assert [point.age_months for point in curve] == [12, 24, 36, 48, 60]
    shares = [point.residual_share for point in curve]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < point.low_share <= point.residual_share <= point.high_share < 1 for point in curve)


def test_what_is_left_after_three_and_five_years_by_hand() -> None:
    """Curves say 22.5 % (A100), 30 % and 46 % (H100) at 36 months, and an L40S sold for 6,795 of 7,569 USD is 89.8 %.

    At five years a curve says 12.5 % and an A100 of 54 months sold for 22.2 % of its price.
    """
    at = {point.age_months: point for point in residual_curve()}
    assert at[36].residual_share == pytest.approx((0.30 + 0.46) / 2)
    assert at[36].low_share == pytest.approx(0.225 + 0.3 * (0.30 - 0.225))
    assert at[60].residual_share == pytest.approx((0.125 + 0.222) / 2)


def test_cards_sell_for_half_to_three_quarters_of_what_is_asked_by_hand() -> None:
    ratios = [11_500 / 22_500, 24_500 / 35_898, 3_650 / 5_200, 26_250 / 37_089, 6_795 / 9_199]
    assert sold_over_asked_ratios() == pytest.approx(ratios)


def test_what_was_asked_or_recalled_is_no_evidence_of_what_is_left() -> None:
    assert {quote.basis for _, _, quote in residual_evidence()} == {"sold", "curve"}
    assert not any(quote.is_recalled for _, _, quote in residual_evidence())


def test_a_server_that_is_phased_out_or_only_listed_is_not_for_sale_and_a_range_is_not_firm() -> None:
    by_name = {quote.name: quote for quote in server_quotes()}
    assert not by_name["Lenovo SR680a V3 8x H100"].is_for_sale
    assert not by_name["DGX B200"].is_for_sale
    assert by_name["8-GPU HGX B200 server"].is_for_sale
    assert not by_name["8-GPU HGX B200 server"].is_firm
    assert by_name["Exeton 8x HGX B200 configuration"].is_firm


def test_the_newest_tariff_of_a_place_counts_and_euro_become_dollars() -> None:
    tariffs = electricity_tariffs()
    assert tariffs["US-NewYork"].energy_usd_per_kwh == 0.1914  # April 2025, not the average of 2023
    assert tariffs["DE"].energy_usd_per_kwh == pytest.approx(0.233 * USD_PER_EUR_2024)
    assert "USD per EUR" in tariffs["DE"].notes
    assert tariffs["US"].customer == "commercial"  # the dearer business price, not the industrial average
    for tariff in tariffs.values():
        assert replace(tariff) == tariff
        assert 0.03 < tariff.energy_usd_per_kwh < 0.5


@pytest.mark.parametrize(
    ("place", "known"),
    [
        ("US-Texas", "US-Texas"),
        ("US-Guam", "US"),
        ("DE", "DE"),
        ("NL", "EU"),
        ("GB", "Europe"),
        ("SG", "Asia"),
        ("AQ", "World"),
    ],
)
def test_a_place_without_a_tariff_takes_that_of_the_next_larger_one(place: str, known: str) -> None:
    assert electricity_tariff(place).place == known


def test_every_country_with_an_offer_has_a_tariff_nearer_than_the_world() -> None:
    lands = {country_of(o.provider, o.region) for o in OFFERS} - {None}
    for country in lands:
        assert country is not None
        assert electricity_tariff(country).place != "World", country


def test_free_tiers_are_free_up_to_a_quota() -> None:
    by_name = {(t.service, t.accelerator_stated): t for t in free_tiers() if not t.superseded}
    kaggle = by_name["Kaggle", "T4"]
    assert kaggle.free
    assert (kaggle.accelerator, kaggle.accelerator_count, kaggle.quota_hours, kaggle.period) == ("T4", 2, 30, "week")
    assert kaggle.quota_hours_per_month == pytest.approx(130.4, abs=0.1)
    assert by_name["Modal", "L4"].kind == "credit"
    assert by_name["Modal", "L4"].free


def test_what_is_unknown_or_superseded_or_paid_is_not_free() -> None:
    for tier in free_tiers():
        assert replace(tier) == tier
        if tier.superseded or tier.kind in {"hourly", "subscription", "units"}:
            assert not tier.free
        if tier.price_usd is None:
            assert not tier.free
        if tier.accelerator_stated:
            assert tier.accelerator in accelerators()
    assert any(tier.superseded for tier in free_tiers())


def test_a_quota_without_a_period_is_refused() -> None:
    with pytest.raises(PricingError, match="quota_hours needs a period"):
        FreeTier(service="s", plan="p", kind="quota", quota_hours=3, confidence="official", source="s")


def test_no_fact_is_dated_after_the_survey() -> None:
    assert all(o.observed_on <= date(2026, 11, 21) for o in OFFERS)


TABLES: dict[str, type[Any]] = {
    "accelerator_quotes.csv": AcceleratorQuote,
    "accelerator_slices.csv": Slice,
    "accelerators.csv": Accelerator,
    "accelerators_by_hand.csv": Accelerator,
    "free_tiers.csv": FreeTier,
    "instance_accelerators.csv": InstanceAccelerator,
    "instance_cores.csv": InstanceCores,
    "instance_networks.csv": InstanceNetwork,
    "offers.csv": Offer,
    "ownership_inputs.csv": OwnershipInput,
    "price_history.csv": PricePoint,
    "processors.csv": Processor,
    "regions.csv": Region,
    "countries.csv": Country,
    "resale_quotes.csv": ResaleQuote,
    "sellers.csv": Seller,
    "server_quotes.csv": ServerQuote,
    "tuning_prices.csv": TuningPrice,
}


def test_every_table_in_the_folder_has_a_row_type_and_no_other() -> None:
    assert {path.name for path in facts_path("").iterdir() if path.suffix == ".csv"} == set(TABLES)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_is_written_as_it_is_read(name: str) -> None:
    text = facts_path(name).read_text(encoding="utf-8")
    row_type = TABLES[name]
    rows: list[Any] = read_rows(row_type, text, where=name)
    assert rows
    assert text_of_rows(row_type, rows) == text


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_readme_names_every_table_with_all_its_columns(name: str) -> None:
    readme = facts_path("README.md").read_text(encoding="utf-8")
    row_type = TABLES[name]
    assert f"| `{name}` | `{row_type.__module__}.{row_type.__name__}` |" in readme
    listed = " ".join(readme.split())
    assert f"{', '.join(column.name for column in columns(row_type))} " in listed + " "


def test_the_readme_counts_the_rows() -> None:
    readme = facts_path("README.md").read_text(encoding="utf-8")
    with_accelerators = sum(bool(offer.accelerator_stated) for offer in OFFERS)
    assert f"{len(OFFERS):,} priced offers of {len({o.provider for o in OFFERS})} providers" in readme
    assert f"{with_accelerators:,} with accelerators, {len(OFFERS) - with_accelerators:,} CPU-only" in readme
