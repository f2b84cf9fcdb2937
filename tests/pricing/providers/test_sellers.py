"""What each smaller seller's own shape means: the figures behind the traps of its fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from pricing.clock import today
from pricing.facts.offers import Launchable, Payment
from pricing.facts.regions import country_of
from pricing.providers import PROVIDERS, load_provider
from pricing.providers.contract import Request
from tests.loopback.clouds import CLOUDS
from tests.loopback.gpuhunt import GpuhuntCatalogs
from tests.loopback.listed import ListedCloud
from tests.pricing.providers.conftest import Ask, Gathered


@pytest.fixture
def gathered(request: pytest.FixtureRequest, ask: Ask) -> Iterator[Gathered]:
    with CLOUDS[request.param]() as cloud:
        yield ask(request.param, cloud)


of = pytest.mark.parametrize


@of("gathered", ["verda"], indirect=True)
def test_verda_prices_are_text_and_the_memory_is_that_of_all_gpus(gathered: Gathered) -> None:
    offer = gathered.the("8H100.80S.176V", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.accelerator_memory_gb) == ("H100-SXM", 8, 80)
    assert offer.price_usd_per_hour == 31.424
    assert gathered.the("8H100.80S.176V", "spot").interruptible


@of("gathered", ["verda"], indirect=True)
def test_what_verda_does_not_sell_as_spot_has_no_spot_price(gathered: Gathered) -> None:
    spot = {offer.instance_type for offer in gathered.offers if offer.purchase_option == "spot"}
    assert not spot & {"1L40S.20V", "1B300.30V"}  # a price of 0, and null
    assert not gathered.refused


@of("gathered", ["oci"], indirect=True)
def test_a_part_number_of_oracle_prices_each_gpu_of_its_shapes(gathered: Gathered) -> None:
    offer = gathered.the("BM.GPU.H100.8", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.price_usd_per_hour) == ("H100-SXM", 8, 80.0)
    (part,) = offer.price_parts
    assert (part.sku_id, part.quantity, part.price_usd_per_hour) == ("B98415", 8, 10)
    assert gathered.the("VM.GPU.A10.2", "on_demand").price_usd_per_hour == 4.0


@of("gathered", ["oci"], indirect=True)
def test_licenses_and_machines_at_the_buyers_own_place_are_no_offers_of_oracle(gathered: Gathered) -> None:
    skus = {sku for offer in gathered.offers for sku in offer.source_sku_ids}
    assert not skus & {"B111824", "B111830", "B110965", "B111455", "B108806", "B109493"}


def test_a_part_number_that_now_names_another_gpu_is_refused(ask: Ask) -> None:
    with CLOUDS["oci"]() as cloud:
        assert isinstance(cloud, ListedCloud)
        items = cloud.body("/pls/apex/cetools/api/v1/products/?currencyCode=USD")["items"]
        (h200,) = [item for item in items if item["partNumber"] == "B110519"]
        h200["displayName"] = "OCI - Compute - GPU - H300"
        gathered = ask("oci", cloud)
    assert [row.reason for row in gathered.refused] == ["renamed"]
    assert "BM.GPU.H200.8" not in {offer.instance_type for offer in gathered.offers}


@of("gathered", ["vultr"], indirect=True)
def test_a_vultr_plan_costs_what_its_location_says(gathered: Gathered) -> None:
    assert gathered.the("vcg-a100-12c-120g-80vram", "on_demand", "ewr").price_usd_per_hour == 2.397
    assert gathered.the("vcg-a100-12c-120g-80vram", "on_demand", "fra").price_usd_per_hour == 2.6


@of("gathered", ["vultr"], indirect=True)
def test_a_vultr_slice_is_an_eighth_of_a_gpu(gathered: Gathered) -> None:
    offer = gathered.the("vcg-a40-3c-15g-6vram", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.accelerator_memory_gb) == ("A40", 0.125, 6)


@of("gathered", ["vultr"], indirect=True)
def test_a_vultr_plan_that_names_its_gpu_in_its_id_alone_is_read_from_there(gathered: Gathered) -> None:
    single, node = (
        gathered.the("vcg-a40-24c-120g-48vram", "on_demand"),
        gathered.the("vcg-mi355x-252c-2872g-2304vram", "spot"),
    )
    assert (single.accelerator, single.accelerator_count) == ("A40", 1)
    assert (node.accelerator, node.accelerator_count) == ("MI355X", 8)
    assert gathered.the("vbm-256c-2048gb-8-mi300x-gpu", "on_demand").accelerator_count == 8


@of("gathered", ["vultr"], indirect=True)
def test_a_vultr_machine_that_is_sold_preemptible_alone_has_no_on_demand_price(gathered: Gathered) -> None:
    options = {
        offer.purchase_option for offer in gathered.offers if offer.instance_type == "vbm-112c-2048gb-8-h100-gpu"
    }
    assert options == {"spot"}
    offer = gathered.the("vbm-112c-2048gb-8-h100-gpu", "spot")
    assert (offer.accelerator, offer.region, offer.price_usd_per_hour) == ("H100-SXM", "sea", 18.4)
    nowhere = gathered.the("vbm-256c-3072gb-8-b200-gpu", "spot")
    assert (nowhere.region, nowhere.launchable) == ("global", Launchable.NO)


def test_pages_that_go_in_a_circle_end(ask: Ask) -> None:
    with CLOUDS["vultr"]() as cloud:
        assert isinstance(cloud, ListedCloud)
        cloud.body("/v2/plans?type=all&cursor=bmV4dA%3D%3D")["meta"]["links"]["next"] = "bmV4dA=="
        gathered = ask("vultr", cloud)
    assert [(fault.part, fault.reason) for fault in gathered.faults] == [("plans", "shape")]


@of("gathered", ["vast"], indirect=True)
def test_of_a_market_the_lowest_ask_of_verified_hosts_stands_for_a_machine_in_a_country(gathered: Gathered) -> None:
    offer = gathered.the("1x H100 SXM 80GB", "marketplace", "US")
    assert offer.price_usd_per_hour == 1.973  # not the 0.90 of a host that nobody verified, nor the 0.95 that is rented
    assert "lowest_ask" in offer.flags
    assert gathered.the("1x H100 SXM 80GB", "marketplace", "CZ").price_usd_per_hour == 2.05
    assert gathered.the("8x H100 SXM 80GB", "marketplace", "VN").accelerator_count == 8


@of(
    ("provider", "region", "country"),
    [
        ("vast", "CZ", "CZ"),
        ("vast", "marketplace", None),
        ("vultr", "fra", "DE"),
        ("scaleway", "pl-waw-2", "PL"),
        ("hyperstack", "NORWAY-1", "NO"),
        ("digitalocean", "tor1", "CA"),
        ("nebius", "eu-north1", "FI"),
        ("nobody", "XX", None),
    ],
)
def test_regions_lie_in_countries(provider: str, region: str, country: str | None) -> None:
    assert country_of(provider, region) == country


@of("gathered", ["vast"], indirect=True)
def test_a_host_that_does_not_tell_its_place_is_kept_on_the_market(gathered: Gathered) -> None:
    assert gathered.the("1x A100 SXM4 80GB", "marketplace").region == "marketplace"
    assert gathered.the("1x A100 SXM4 40GB", "marketplace").accelerator == "A100-40GB-SXM"


def test_an_answer_that_is_cut_at_its_limit_is_a_fault(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricing.providers.vast.MOST_ASKS", 2)
    with CLOUDS["vast"]() as cloud:
        gathered = ask("vast", cloud)
    assert {fault.part: fault.reason for fault in gathered.faults} == {"asks/1": "truncated", "asks/8": "truncated"}


@of("gathered", ["hyperstack"], indirect=True)
def test_the_price_book_of_hyperstack_is_by_the_gpu(gathered: Gathered) -> None:
    offer = gathered.the("n3-H100x8", "on_demand")
    assert (offer.accelerator, offer.price_usd_per_hour, offer.region) == ("H100-PCIe", 20.0, "CANADA-1")
    assert gathered.the("n3-H100x1-spot", "spot").price_usd_per_hour == 2.0
    assert gathered.the("n3-H100-SXM5x8", "on_demand").launchable is Launchable.NO


def test_a_flavor_without_a_price_is_told(ask: Ask) -> None:
    with CLOUDS["hyperstack"]() as cloud:
        assert isinstance(cloud, ListedCloud)
        book = cloud.body("/v1/pricebook")
        book[:] = [row for row in book if row["name"] != "L40"]
        gathered = ask("hyperstack", cloud)
    assert [(row.reason, row.identity) for row in gathered.refused] == [("no_price", "NORWAY-1 n3-L40x1")]


@of("gathered", ["digitalocean"], indirect=True)
def test_the_memory_of_a_droplet_is_that_of_all_its_gpus(gathered: Gathered) -> None:
    offer = gathered.the("gpu-h100x8-640gb", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.accelerator_memory_gb) == ("H100-SXM", 8, 80)
    assert (offer.region, offer.price_usd_per_hour, offer.memory_gib) == ("nyc2", 35.28, 1920)
    assert gathered.the("gpu-mi300x8-1536gb", "on_demand").launchable is Launchable.NO


@of("name", ["hyperstack", "digitalocean"])
def test_without_a_key_a_source_is_skipped_and_not_asked(name: str, ask: Ask) -> None:
    gathered = ask(name, settings={})
    (fault,) = gathered.faults
    assert (fault.status, fault.reason) == ("skipped", "credentials")
    assert "needs" in fault.message


@of("gathered", ["scaleway"], indirect=True)
def test_euros_become_dollars_at_the_rate_that_the_user_gives(gathered: Gathered) -> None:
    offer = gathered.the("H100-SXM-8-80G", "on_demand", "fr-par-2")
    assert offer.price_usd_per_hour == pytest.approx(25.3308 * 1.16)
    assert (offer.accelerator, offer.accelerator_count, offer.memory_gib) == ("H100-SXM", 8, 960)
    assert "1.16 USD" in offer.source
    assert offer.payment is Payment.NONE
    assert gathered.the("RENDER-S", "on_demand").launchable is Launchable.NO


def test_without_a_rate_of_exchange_nothing_is_asked_and_the_way_out_is_told(ask: Ask) -> None:
    with CLOUDS["scaleway"]() as cloud:
        gathered = ask("scaleway", settings={"GPUPLAN_SCALEWAY_URL": cloud.url})
        assert not cloud.asked
    assert {(fault.status, fault.reason) for fault in gathered.faults} == {("skipped", "exchange_rate")}
    assert all("GPUPLAN_USD_PER_EUR" in fault.message for fault in gathered.faults)


@of(
    "rate",
    [
        "1.16",
        "116@2026-11-20",
        "one@2026-11-20",
        "nan@2026-11-20",
        "1.16@2026-02-30",
        f"1.16@{date(2020, 1, 1)}",
        "1.16@9999-01-01",
    ],
)
def test_a_rate_that_is_none_or_old_fails_the_source(rate: str, ask: Ask) -> None:
    with CLOUDS["scaleway"]() as cloud:
        gathered = ask("scaleway", settings={"GPUPLAN_SCALEWAY_URL": cloud.url, "GPUPLAN_USD_PER_EUR": rate})
    assert not gathered.offers
    assert {(fault.status, fault.reason) for fault in gathered.faults} == {("failed", "rate")}


def test_prices_of_a_published_catalog_are_as_old_as_its_version(ask: Ask) -> None:
    day = today() - timedelta(days=9)
    with GpuhuntCatalogs() as cloud:
        cloud.version = f"{day:%Y%m%d}-2"
        gathered = ask("nebius", cloud)
    assert {offer.observed_on for offer in gathered.offers} == {day}
    offer = gathered.the("gpu-h100-sxm 8gpu-128vcpu-1600gb", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.price_usd_per_hour) == ("H100-SXM", 8, 36.0)
    assert gathered.the("gpu-h100-sxm 8gpu-128vcpu-1600gb", "spot").interruptible


@of("version", ["latest", "", "2026", "20261399", "20261121/../.."])
def test_a_version_that_is_no_day_fails_the_catalog(version: str, ask: Ask) -> None:
    with GpuhuntCatalogs() as cloud:
        cloud.version = version
        gathered = ask("nebius", cloud)
    assert not gathered.offers
    assert gathered.reasons() == {"shape"}


def test_an_archive_that_is_none_fails_the_catalog(ask: Ask) -> None:
    from tests.loopback.server import Fault

    with GpuhuntCatalogs() as cloud:
        cloud.faults.append(Fault(match="catalog.zip", change=lambda _: b"<html>maintenance</html>", times=9))
        gathered = ask("nebius", cloud)
    assert gathered.reasons() == {"shape"}


def test_a_key_is_not_asked_for_on_the_loopback() -> None:
    assert Request(settings={}).key("SOME_KEY", "http://127.0.0.1:9") == "anonymous"


def test_every_source_is_told_on_its_page_with_its_settings() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
    for name in PROVIDERS:
        provider = load_provider(name)
        assert f"`{name}`" in page
        assert all(setting in page for setting in provider.endpoints)
