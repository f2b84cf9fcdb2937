"""Catalogs that gpuhunt and SkyPilot publish, as rate cards and as imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricing.errors import PricingError
from pricing.facts.offers import Offer
from pricing.providers.catalogs import file_rows, is_catalog, read_catalog
from tests.conftest import SEEN_ON
from tests.pricing.providers.conftest import Ask

FIXTURES = Path(__file__).parents[2] / "fixtures"

SKYPILOT = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice
cpu-d3_4vcpu-16gb,,0,4,16,0.0992,eu-north1,,
gpu-h100-sxm_8gpu-128vcpu-1600gb,H100,8,128,1600,23.60,eu-north1,"{'Gpus': [{'Name': 'H100', 'Manufacturer': 'NVIDIA', 'Count': 8, 'MemoryInfo': {'SizeInMiB': 81920}}], 'TotalGpuMemoryInMiB': 655360}",10.00
gpu-zeta9_1gpu,ZETA9,1,16,200,5.0,eu-north1,"{""Gpus"": [{""Name"": ""ZETA9"", ""Count"": 1}], ""TotalGpuMemoryInMiB"": 98304}",
"""
"""As in catalogs/v8/nebius/vms.csv; the dictionaries are Python's in some files and JSON in others."""

VAST = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region
2x-H200-32-65536,H200,2,32,64.0,"{'Gpus': [{'Name': 'H200', 'Count': 2, 'MemoryInfo': {'SizeInMiB': 287542}}], 'TotalGpuMemoryInMiB': 287542}",5.18,0.00,"France, FR, EU"
"""
"""As in catalogs/v8/vast/vms.csv: the memory said to be of one GPU is that of all, a spot price that is none is 0.00."""


def offers(name: str, text: str) -> list[Offer]:
    return [row for row in file_rows(Path(name), text, "card/x") if isinstance(row, Offer)]


def test_a_skypilot_catalog_has_a_column_for_each_way_to_pay() -> None:
    cpu, node, spot, unknown = offers(f"nebius@{SEEN_ON}.csv", SKYPILOT)
    assert (cpu.provider, cpu.accelerator_count, cpu.price_usd_per_hour) == ("nebius", 0, 0.0992)
    assert (node.accelerator, node.accelerator_count, node.accelerator_memory_gb) == ("H100-SXM", 8, 80)
    assert (node.price_usd_per_hour, node.vcpus, node.memory_gib, node.region) == (23.6, 128, 1600, "eu-north1")
    assert (spot.purchase_option, spot.interruptible, spot.price_usd_per_hour) == ("spot", True, 10.0)
    assert (unknown.accelerator, unknown.accelerator_stated, unknown.flags) == (None, "ZETA9", ("accelerator_unknown",))
    assert {offer.observed_on for offer in (cpu, node, spot, unknown)} == {SEEN_ON}


def test_the_memory_of_one_gpu_is_a_part_of_the_total() -> None:
    (offer,) = offers(f"vastai@{SEEN_ON}.csv", VAST)
    assert (offer.provider, offer.accelerator_count, offer.accelerator_memory_gb) == ("vast", 2, 140)
    assert offer.purchase_option == "on_demand"


def test_a_gpuhunt_catalog_has_a_row_for_each_way_to_pay() -> None:
    text = (FIXTURES / "nebius" / "nebius.csv").read_text()
    found = offers(f"nebius@{SEEN_ON}.csv", text)
    assert {
        (o.purchase_option, o.price_usd_per_hour)
        for o in found
        if o.accelerator == "H100-SXM" and o.accelerator_count == 8
    } == {
        ("on_demand", 36.0),
        ("spot", 16.0),
    }


@pytest.mark.parametrize(
    "name", ["vms.csv", "nebius.csv", "nebius@2026-13-01.csv", "@2026-10-01.csv", "nebius@9999-01-01.csv"]
)
def test_a_name_without_seller_and_day_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(PricingError, match="neither its seller nor its day") as caught:
        offers(name, SKYPILOT)
    assert "SELLER@DAY.csv" in caught.value.hint
    assert name in caught.value.where


@pytest.mark.parametrize(
    "damage",
    [
        ("23.60", "cheap"),
        ("8,128,1600", "8"),
        ("eu-north1,,\n", "eu-north1,,\n\x00,"),
        ("MiB': 655360", "MiB': " + "9" * 400),
    ],
)
def test_a_row_of_another_shape_is_refused(damage: tuple[str, str]) -> None:
    with pytest.raises(PricingError, match="another shape"):
        offers(f"nebius@{SEEN_ON}.csv", SKYPILOT.replace(*damage))


def test_a_typed_card_is_no_catalog() -> None:
    assert not is_catalog((FIXTURES / "rate_card" / "hyperstack.csv").read_text())
    assert is_catalog(SKYPILOT)
    assert is_catalog(SKYPILOT.replace("\n", "\r\n"))
    assert not is_catalog("")


def test_a_catalog_in_the_folder_of_rate_cards_is_a_card(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / f"nebius@{SEEN_ON}.csv").write_text(SKYPILOT)
    (tmp_path / "vms.csv").write_text(SKYPILOT)
    gathered = ask("rate_card", rate_cards=(tmp_path,))
    assert {offer.part for offer in gathered.offers} == {f"card/nebius@{SEEN_ON}"}
    assert gathered.the("gpu-h100-sxm_8gpu-128vcpu-1600gb", "spot").price_usd_per_hour == 10.0
    (fault,) = gathered.faults
    assert fault.part == "card/vms"
    assert "SELLER@DAY.csv" in fault.message


def test_one_row_that_cannot_be_an_offer_refuses_an_import(tmp_path: Path) -> None:
    path = tmp_path / f"nebius@{SEEN_ON}.csv"
    path.write_text(SKYPILOT.replace("23.60", "0"))
    with pytest.raises(PricingError, match="1 of 4 rows cannot be offers"):
        read_catalog(path)
