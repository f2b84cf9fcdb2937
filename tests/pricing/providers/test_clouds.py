"""The traps of Google, Azure, RunPod, Lambda and typed rate cards, with one real figure each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricing.offers import Launchable
from pricing.quality import judge
from tests.loopback.azure import AzureCloud
from tests.loopback.gcp import GcpCloud
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.runpod import RunpodCloud
from tests.loopback.server import Fault
from tests.pricing.providers.conftest import Ask

CARDS = Path(__file__).parents[2] / "fixtures" / "rate_card"


def test_google_a_price_is_the_sum_of_its_parts_and_keeps_them(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offer = ask("gcp", cloud).the("a2-highgpu-1g", "on_demand")
    assert offer.price_usd_per_hour == pytest.approx(3.673385, abs=1e-5)  # as Google lists the whole machine
    assert [part.name for part in offer.price_parts] == ["core", "memory", "accelerator"]
    summed = sum(part.quantity * part.price_usd_per_hour for part in offer.price_parts)
    assert offer.price_usd_per_hour == pytest.approx(summed)
    assert len(offer.source_sku_ids) == 3


def test_google_local_disks_that_come_with_a_machine_are_paid_for(ask: Ask) -> None:
    with GcpCloud() as cloud:
        offer = ask("gcp", cloud).the("a3-highgpu-8g", "on_demand", "us-central1")
    (disk,) = [part for part in offer.price_parts if part.name == "local_ssd"]
    assert disk.quantity == 6000.0
    assert disk.price_usd_per_hour == pytest.approx(0.08 / 730)
    assert offer.price_usd_per_hour == pytest.approx(88.49 + 6000 * 0.08 / 730, abs=0.005)


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


def test_google_a_slice_holds_its_share_of_the_host(ask: Ask) -> None:
    with GcpCloud() as cloud:
        gathered = ask("gcp", cloud)
    offer = gathered.the("a4-highgpu-8g", "on_demand")
    assert offer.price_usd_per_hour == pytest.approx(8 * 16.11)
    assert offer.launchable is Launchable.NO
    # Its spot SKU says usage type OnDemand.
    assert gathered.the("a4-highgpu-8g", "spot").price_usd_per_hour == pytest.approx(8 * 4.2796)


def test_google_both_spellings_of_the_mega_are_one_accelerator(ask: Ask) -> None:
    with GcpCloud() as cloud:
        gathered = ask("gcp", cloud)
    assert {offer.region for offer in gathered.offers if offer.instance_type == "a3-megagpu-8g"} == {
        "us-central1",
        "europe-west4",
    }


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
        raise DefaultCredentialsError("none")  # type: ignore[no-untyped-call]

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


def test_azure_of_two_prices_of_one_day_the_larger_is_meant(ask: Ask) -> None:
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
