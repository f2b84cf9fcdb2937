"""The traps of Google, Azure, RunPod, Lambda and typed rate cards, with one real figure each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricing.facts.offers import Launchable, identity_of
from pricing.refresh.gates import judge
from tests.loopback.azure import AzureCloud
from tests.loopback.gcp import GcpCloud
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.runpod import RunpodCloud
from tests.loopback.server import Fault
from tests.pricing.providers.conftest import Ask

CARDS = Path(__file__).parents[2] / "fixtures" / "rate_card"


@pytest.mark.slow
def test_google_a_price_is_the_sum_of_its_parts_and_keeps_them(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offer = ask("gcp", cloud).the("a2-highgpu-1g", "on_demand")
    assert offer.price_usd_per_hour == pytest.approx(3.673385, abs=1e-5)  # as Google lists the whole machine
    assert [part.name for part in offer.price_parts] == ["core", "memory", "accelerator"]
    summed = sum(part.quantity * part.price_usd_per_hour for part in offer.price_parts)
    assert offer.price_usd_per_hour == pytest.approx(summed)
    assert len(offer.source_sku_ids) == 3


@pytest.mark.slow
def test_google_local_disks_that_come_with_a_machine_are_paid_for(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offer = ask("gcp", cloud).the("a3-highgpu-8g", "on_demand", "us-central1")
    (disk,) = [part for part in offer.price_parts if part.name == "local_ssd"]
    assert disk.quantity == 6000.0
    assert disk.price_usd_per_hour == pytest.approx(0.08 / 730)
    assert offer.price_usd_per_hour == pytest.approx(88.49 + 6000 * 0.08 / 730, abs=0.005)


@pytest.mark.slow
def test_google_flex_start_and_calendar_are_told_from_on_demand_whose_usage_type_they_carry(ask: Ask) -> None:
    with GcpCloud() as cloud:
        gathered = ask("gcp", cloud)
    prices = {
        offer.purchase_option.value: offer.price_usd_per_hour
        for offer in gathered.offers
        if offer.instance_type == "a3-highgpu-8g" and offer.region == "us-central1"
    }
    assert prices["flex_start"] < prices["calendar"] < prices["on_demand"]
    assert prices["reserved_3y"] < prices["reserved_1y"] < prices["on_demand"]
    assert len(prices) == 6


# Worked out by hand from tests/fixtures/gcp: cores, GiB of memory (x 1.073741824 where the SKU is rated per decimal GB),
# accelerators, GiB of disk (a month's price / 730).
GOOGLE_PRICES = {
    ("a2-highgpu-1g", "flex_start", "us-central1"): 2.020379,  # 12 x .01739 + 85 x .00233 + 1.613649: no disk
    ("a2-highgpu-1g", "spot", "us-central1"): 1.927680,
    ("a2-ultragpu-1g", "on_demand", "us-central1"): 5.068798,  # as Google lists the whole machine, its disk included
    ("a3-highgpu-8g", "flex_start", "us-central1"): 38.451457,  # 1872 x 1.073741824 x .000952; its own disk SKU
    ("a3-highgpu-8g", "flex_start", "europe-west4"): 38.451457,  # the plain disk SKU, on demand
    ("a3-highgpu-8g", "calendar", "us-central1"): 44.300381,  # hosts "Reserved A3 ...", GPUs "... in Calendar Mode"
    ("a3-megagpu-8g", "on_demand", "us-central1"): 93.399902,  # "H100 80GB Plus"
    ("a3-megagpu-8g", "on_demand", "europe-west4"): 99.192894,  # "H100 80GB Mega"
    ("a3-megagpu-8g", "flex_start", "us-central1"): 40.573768,  # "H100 Mega 80GB"
    ("a3-megagpu-8g", "calendar", "europe-west4"): 46.378214,
    ("a3-ultragpu-8g", "on_demand", "us-central1"): 88.750908,
    ("a3-ultragpu-8g", "calendar", "us-central1"): 62.170636,  # not the dearer bare reservation of the same GPU
    ("a3-ultragpu-8g", "flex_start", "us-central1"): 44.643281,
    ("a4-highgpu-8g", "on_demand", "us-central1"): 128.88,  # 8 slices, each with its share of cores, memory and disks
    ("a4-highgpu-8g", "spot", "us-central1"): 39.6336,  # usage type OnDemand; as Google lists the whole machine
    ("a4-highgpu-8g", "calendar", "us-central1"): 90.216,  # likewise
    ("a4-highgpu-8g", "flex_start", "us-central1"): 64.44,
    ("a4-highgpu-8g", "reserved_3y", "us-central1"): 56.7072,
    ("g4-standard-6", "on_demand", "us-central1"): 0.64688,  # an eighth's own SKU pays for the host too
    ("g4-standard-6", "flex_start", "us-central1"): 0.32344,
    ("g4-standard-24", "on_demand", "us-central1"): 2.731356,  # 4 eighths, and 750 GiB of the vGPU's own disk
    ("g4-standard-24", "on_demand", "europe-west4"): 2.382192,  # no eighths there: half a card, its host, plain disk
    ("g4-standard-48", "on_demand", "us-central1"): 4.746505,  # a whole card, and 1500 GiB of G4's own disk
    ("c4d-standard-8-lssd", "on_demand", "us-central1"): 0.460174,  # decimal memory; its own disk, twice the plain one
    ("c4d-standard-8-lssd", "spot", "us-central1"): 0.184791,
    ("c3d-standard-8-lssd", "on_demand", "us-central1"): 0.404288,  # no disk SKU of its own; C3's is not C3D's
    ("c4a-standard-4-lssd", "reserved_1y", "us-central1"): 0.161844,
    ("z3-highmem-8-highlssd", "on_demand", "us-central1"): 1.193175,  # one disk of 3000 GiB
    ("h4d-standard-192", "on_demand", "us-central1"): 8.28,
    ("h4d-highmem-192-lssd", "on_demand", "us-central1"): 11.533068,  # ten disks of 375 GiB
    ("c3-standard-4-lssd", "on_demand", "us-central1"): 0.26009,
    ("n1-standard-8+1x-nvidia-tesla-t4", "on_demand", "us-central1"): 0.729998,
    ("n1-standard-8+1x-nvidia-tesla-t4", "reserved_1y", "us-central1"): 0.45939,  # commitments leave N1's name out
    ("n1-standard-32+4x-nvidia-tesla-p100", "on_demand", "us-central1"): 7.359992,
    ("n1-standard-64+8x-nvidia-tesla-v100", "on_demand", "us-central1"): 22.879984,
    ("ct5lp-hightpu-4t", "on_demand", "us-central1"): 4.8,  # a chip's price pays for the host too
    ("ct6e-standard-8t", "flex_start", "us-central1"): 10.8,
    ("ct6e-standard-8t", "calendar", "us-central1"): 15.12,
    ("tpu7x-standard-4t", "on_demand", "us-central1"): 48.0,
}


def test_google_prices_are_those_worked_out_by_hand(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offers = ask("gcp", cloud).offers
    read = {(each.instance_type, each.purchase_option.value, each.region): each.price_usd_per_hour for each in offers}
    assert GOOGLE_PRICES.keys() <= read.keys()
    assert {key: read[key] for key in GOOGLE_PRICES} == pytest.approx(GOOGLE_PRICES, abs=1e-6)


def test_google_every_accelerator_of_its_machines_is_known(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offers = ask("gcp", cloud).offers
    assert not {offer.accelerator_stated for offer in offers if offer.accelerator_count and offer.accelerator is None}
    names = {offer.instance_type: offer.accelerator for offer in offers}
    assert names["n1-standard-64+8x-nvidia-tesla-v100"] == "V100-16GB-SXM"
    assert names["tpu7x-standard-4t"] == "TPU v7"


def test_google_the_order_of_the_catalogue_changes_no_price(ask: Ask) -> None:
    with GcpCloud() as cloud:
        prices = {identity_of(offer): offer.price_usd_per_hour for offer in ask("gcp", cloud).offers}
        cloud.skus.reverse()
        assert {identity_of(offer): offer.price_usd_per_hour for offer in ask("gcp", cloud).offers} == prices


def test_google_a_reservation_that_costs_nothing_makes_no_calendar_price(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offers = ask("gcp", cloud).offers
    assert "calendar" not in {offer.purchase_option for offer in offers if offer.instance_type == "a2-highgpu-1g"}


def test_google_what_is_sold_without_on_demand_says_so(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offer = ask("gcp", cloud).the("a4-highgpu-8g", "on_demand")
    assert offer.launchable is Launchable.NO


def _with_unit(cloud: GcpCloud, text: str, unit: str) -> None:
    (sku,) = [sku for sku in cloud.skus if sku["description"] == text]
    sku["pricingInfo"][0]["pricingExpression"]["usageUnit"] = unit


def test_google_an_unknown_unit_costs_what_that_sku_prices_and_nothing_else(ask: Ask) -> None:
    with GcpCloud() as cloud:
        whole = {identity_of(offer) for offer in ask("gcp", cloud).offers}
        _with_unit(cloud, "SSD backed Local Storage", "TiBy.mo")
        gathered = ask("gcp", cloud)
    judged = judge(gathered.offers, gathered.refused)
    assert not gathered.faults + list(judged.faults)
    lost = {row.identity for row in gathered.refused}
    assert lost == whole - {identity_of(offer) for offer in gathered.offers}  # each is told, so that the store keeps it
    assert len(lost) > 10
    assert {(row.reason, "TiBy.mo" in row.message) for row in gathered.refused} == {("unit", True)}


def test_google_an_accelerator_with_a_new_text_is_told_and_costs_that_sku(ask: Ask) -> None:
    with GcpCloud() as cloud:
        whole = len(ask("gcp", cloud).offers)
        (sku,) = [sku for sku in cloud.skus if sku["description"] == "TPU7x running in Americas"]
        sku["description"] = "Ironwood running in Americas"
        gathered = ask("gcp", cloud)
    assert len(gathered.offers) == whole - 1
    assert [(row.reason, "Ironwood running in Americas" in row.message) for row in gathered.refused] == [
        ("unknown_text", True)
    ]
    assert not judge(gathered.offers, gathered.refused).faults


@pytest.mark.parametrize("list_asked", ["machineTypes", "acceleratorTypes", "/skus"])
def test_google_a_page_of_html_is_asked_for_again(list_asked: str, ask: Ask) -> None:
    with GcpCloud() as cloud:
        page = Fault(match=list_asked, change=lambda _: b"<!DOCTYPE html><title>Error 502</title>", skip=1, times=2)
        cloud.faults.append(page)
        gathered = ask("gcp", cloud)
    assert not gathered.faults
    assert gathered.offers


def test_google_pages_of_html_for_ever_fail_the_part(ask: Ask) -> None:
    with GcpCloud() as cloud:
        cloud.faults.append(Fault(match="/skus", change=lambda _: b"<!DOCTYPE html>", times=99))
        gathered = ask("gcp", cloud)
    assert gathered.reasons() == {"truncated"}
    assert not gathered.offers


def test_google_a_host_without_the_price_of_its_gpu_has_no_price(ask: Ask) -> None:
    with GcpCloud() as cloud:
        cloud.skus = [sku for sku in cloud.skus if "Nvidia L4" not in sku["description"]]
        gathered = ask("gcp", cloud)
    assert not [offer for offer in gathered.offers if offer.instance_type == "g2-standard-4"]


def test_google_a_zone_that_answers_in_part_fails_the_whole(ask: Ask) -> None:
    with GcpCloud() as cloud:
        warned = Fault(
            match="machineTypes", times=99, change=lambda body: body.replace(b"NO_RESULTS_ON_PAGE", b"UNREACHABLE")
        )
        cloud.faults.append(warned)
        gathered = ask("gcp", cloud)
    assert gathered.reasons() == {"partial"}
    assert not gathered.offers


def test_google_without_credentials_is_skipped(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def none(**_: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", none)
    (fault,) = ask("gcp", settings={}).faults
    assert (fault.status, fault.reason) == ("skipped", "credentials")


def test_azure_a_reservation_is_told_for_its_whole_term(ask: Ask) -> None:
    with AzureCloud() as cloud:
        gathered = ask("azure", cloud)
    assert gathered.the("Standard_ND96isr_H100_v5", "reserved_1y", "eastus").price_usd_per_hour == pytest.approx(
        551_499 / 8_760
    )
    assert gathered.the("Standard_ND96isr_H100_v5", "reserved_3y", "eastus").price_usd_per_hour == pytest.approx(
        1_135_440 / 26_280
    )
    assert gathered.the("Standard_ND96isr_H100_v5", "savings_plan_1y", "eastus").price_usd_per_hour == 81.6


def test_azure_windows_low_priority_superseded_future_and_empty_meters_are_no_price(ask: Ask) -> None:
    with AzureCloud() as cloud:
        gathered = ask("azure", cloud)
    assert gathered.the("Standard_ND96isr_H100_v5", "on_demand", "eastus").price_usd_per_hour == 98.32
    assert gathered.the("Standard_ND96isr_H100_v5", "spot", "eastus").price_usd_per_hour == 18.169536


def test_azure_of_two_prices_of_one_day_the_one_far_below_is_a_placeholder(ask: Ask) -> None:
    with AzureCloud() as cloud:
        offer = ask("azure", cloud).the("Standard_NV6ads_A10_v5", "on_demand", "eastus")
    assert offer.price_usd_per_hour == 0.454
    assert offer.accelerator_count == pytest.approx(1 / 6, abs=1e-6)  # its capability says 1


def test_azure_what_the_subscription_may_not_start_is_said(ask: Ask) -> None:
    with AzureCloud() as cloud:
        gathered = ask("azure", cloud)
    there = gathered.the("Standard_ND96isr_H100_v5", "on_demand", "westeurope")
    assert there.launchable is Launchable.NO
    assert "quota" in there.launchable_note
    assert gathered.the("Standard_ND96isr_H100_v5", "on_demand", "eastus").launchable is Launchable.YES


def test_azure_gpus_that_the_capabilities_forget_are_counted(ask: Ask) -> None:
    with AzureCloud() as cloud:
        offer = ask("azure", cloud).the("Standard_ND128isr_NDR_GB200_v6", "on_demand")
    assert (offer.accelerator, offer.accelerator_count) == ("GB200", 4.0)


def test_azure_prices_need_no_credentials(ask: Ask) -> None:
    with AzureCloud() as cloud:
        gathered = ask("azure", settings={"GPUPLAN_AZURE_RETAIL_URL": cloud.url}, regions=("eastus",))
    assert gathered.the("Standard_ND96isr_H100_v5", "on_demand").accelerator == "H100-SXM"
    (fault,) = gathered.faults
    assert (fault.part, fault.status) == ("sizes", "skipped")


def test_azure_spot_at_the_list_price_is_no_discount(ask: Ask) -> None:
    with AzureCloud() as cloud:
        judged = judge(ask("azure", cloud).offers)
    flags = {
        offer.flags
        for offer in judged.offers
        if offer.instance_type == "Standard_NC4as_T4_v3" and offer.purchase_option == "spot"
    }
    assert flags == {("spot_equals_on_demand",)}


def test_runpod_prices_stock_and_place_belong_together(ask: Ask) -> None:
    with RunpodCloud() as cloud:
        gathered = ask("runpod", cloud)
    assert gathered.the("NVIDIA H100 80GB HBM3", "on_demand", "secure").price_usd_per_hour == 3.29
    community = gathered.the("NVIDIA H100 80GB HBM3", "on_demand", "community")
    assert (community.price_usd_per_hour, community.flags) == (2.69, ("community",))
    sold_out = gathered.the("NVIDIA L4", "on_demand", "secure")
    assert (sold_out.launchable, sold_out.vcpus) == (Launchable.NO, None)
    assert not [offer for offer in gathered.offers if offer.purchase_option == "spot"]


def test_lambda_prices_are_cents_and_capacity_is_no_price(ask: Ask) -> None:
    with LambdaCloud() as cloud:
        gathered = ask("lambda", cloud)
    offer = gathered.the("gpu_8x_h100_sxm5", "on_demand")
    assert (offer.price_usd_per_hour, offer.region, offer.memory_gib) == (31.92, "global", 1800.0)
    assert "us-east-1" in offer.launchable_note
    assert gathered.the("gpu_1x_h100_pcie", "on_demand").launchable is Launchable.NO
    assert gathered.the("cpu_4x_general", "on_demand").accelerator_count == 0


def test_lambda_without_a_key_is_skipped(ask: Ask) -> None:
    (fault,) = ask("lambda", settings={}).faults
    assert (fault.status, fault.reason) == ("skipped", "credentials")


def test_a_typed_rate_card_becomes_offers_under_canonical_names(ask: Ask) -> None:
    gathered = ask("rate_card", rate_cards=(CARDS,))
    assert not gathered.faults
    offer = gathered.the("n3-H100-SXM5x8", "on_demand")
    assert (offer.provider, offer.accelerator, offer.price_usd_per_hour) == ("hyperstack", "H100-SXM", 19.2)


def test_a_rate_card_with_a_fault_is_refused_whole_and_names_the_line(ask: Ask, tmp_path: Path) -> None:
    text = (CARDS / "hyperstack.csv").read_text()
    (tmp_path / "mine.csv").write_text(text.replace("1.35", "-1.35"))
    gathered = ask("rate_card", rate_cards=(tmp_path,))
    (fault,) = gathered.faults
    assert not gathered.offers
    assert "mine.csv: line 3" in fault.message
    assert "price_usd_per_hour must be above 0" in fault.message
