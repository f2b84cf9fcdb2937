"""The prose of Google's billing catalogue: what a SKU prices, how it is bought, and what one unit of it costs per hour."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.providers.gcp.skus import Rate, UnusableRate, read_rates


def sku(text: str, usage: str = "OnDemand", usd: float = 1.5, unit: str = "", **fields: Any) -> dict[str, Any]:
    priced_by_size = " ram" in text.lower() or "local s" in text.lower()
    return {
        "skuId": "SKU-1",
        "description": text,
        "usageType": usage,
        "resourceGroup": "GPU",
        "regions": ["us-central1"],
        "usageUnit": unit or ("GiBy.h" if priced_by_size else "h"),
        "effectiveOn": "2026-11-01",
        "rates": [[0, "USD", int(usd), round(usd % 1 * 1e9)]],
    } | fields


@pytest.mark.parametrize(
    ("text", "resource", "mode"),
    [
        ("A3 Instance Core running in Americas", "core:a3", "on_demand"),
        ("N1 Predefined Instance Ram running in Zurich", "memory:n1", "on_demand"),
        ("C4A Arm Instance Ram running in Americas", "memory:c4a", "on_demand"),
        ("Spot Preemptible A3Plus Instance Core running in Paris", "core:a3plus", "spot"),
        ("Commitment v1: G2 Cpu in Americas for 1 Year", "core:g2", "commit_1y"),
        ("Commitment v1: A3 Ram in Americas for 3 Years", "memory:a3", "commit_3y"),
        ("Commitment v1: Cpu in Americas for 1 Year", "core:n1", "commit_1y"),
        ("DWS Defined Duration A3 Core running in Americas", "core:a3", "flex_start"),
        ("DWS Defined Duration A3Ultra Ram running in Americas", "memory:a3ultra", "flex_start"),
        ("DWS Flex Start H4D Instance Core running in Iowa", "core:h4d", "flex_start"),
        ("A2 Instance Core attached to DWS Defined Duration VMs running in Iowa", "core:a2", "flex_start"),
        ("Reserved A2 Ram in Netherlands", "memory:a2", "reserved"),
        ("Reserved A3Ultra Ram in Hong Kong", "memory:a3ultra", "reserved"),
        ("Reserved M4 Core in Americas", "core:m4", "reserved"),
        ("DWS Calendar Mode A3 Instance Core running in Americas", "core:a3", "calendar"),
        ("Nvidia H100 80GB GPU running in Americas", "gpu:nvidia-h100-80gb", "on_demand"),
        ("Nvidia H100 80GB Plus GPU running in Iowa", "gpu:nvidia-h100-mega-80gb", "on_demand"),
        ("Nvidia H100 80GB Mega GPU running in Netherlands", "gpu:nvidia-h100-mega-80gb", "on_demand"),
        (
            "Nvidia H100 Mega 80GB GPU attached to DWS Defined Duration VMs running in Americas",
            "gpu:nvidia-h100-mega-80gb",
            "flex_start",
        ),
        (
            "Reserved Nvidia H100 80GB Mega GPU in Americas in Calendar Mode",
            "gpu:nvidia-h100-mega-80gb",
            "calendar",
        ),
        ("H200 141GB GPU running in Tokyo", "gpu:nvidia-h200-141gb", "on_demand"),
        ("Nvidia Tesla A100 GPU attached to Spot Preemptible VMs", "gpu:nvidia-tesla-a100", "spot"),
        ("Commitment v1: Nvidia Tesla A100 80GB GPU running in Iowa for 3 Year", "gpu:nvidia-a100-80gb", "commit_3y"),
        ("RTX 6000 96GB running in Belgium", "gpu:nvidia-rtx-pro-6000", "on_demand"),
        ("A4 Nvidia B200 (1 gpu slice) running in Americas", "slice:nvidia-b200", "on_demand"),
        ("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Americas", "slice:nvidia-b200", "spot"),
        ("DWS Calendar Mode A4 Nvidia B200 (1 gpu slice) in Seoul", "slice:nvidia-b200", "calendar"),
        ("A4X Nvidia GB200 (1 gpu slice) running in Iowa", "slice:nvidia-gb200", "on_demand"),
        ("1/8 vGPU no lssd running in Iowa", "vgpu:8", "on_demand"),
        ("1/8 vGPU no lssd attached to DWS Defined Duration VMs running in Iowa", "vgpu:8", "flex_start"),
        ("TpuV5e running in Delhi", "tpu:5e", "on_demand"),
        ("TPU7x running in Americas", "tpu:7x", "on_demand"),
        ("DWS Defined Duration V6e running in Columbus", "tpu:6e", "flex_start"),
        ("Reserved V5e TPU in Seoul in Calendar Mode", "tpu:5e", "calendar"),
        ("Reserved TpuV5p in Delhi in Calendar Mode", "tpu:5p", "calendar"),
        ("SSD backed Local Storage", "local_ssd", "on_demand"),
        ("SSD backed Local Storage in Milan", "local_ssd", "on_demand"),
        ("SSD backed Local Storage attached to Spot Preemptible VMs in Milan", "local_ssd", "spot"),
        ("DWS Defined Duration SSD backed Local Storage running in Americas", "local_ssd", "flex_start"),
        ("Commitment v1: Local SSD in Iowa for 1 Year", "local_ssd", "commit_1y"),
        ("C4D Instance Local SSD running in Frankfurt", "local_ssd:c4d", "on_demand"),
        ("Spot Preemptible C4D Instance Local SSD running in Frankfurt", "local_ssd:c4d", "spot"),
        ("Commitment v1: Z3 Local SSD in Alabama for 3 Years", "local_ssd:z3", "commit_3y"),
        ("vGPU G4 Instance Local SSD running in Iowa", "local_ssd:vgpu g4", "on_demand"),
        ("Commitment v1: vGPU G4 Local SSD in Iowa for 1 Year", "local_ssd:vgpu g4", "commit_1y"),
    ],
)
@pytest.mark.parametrize("usage", ["OnDemand", "as told"])
def test_a_sku_is_read_by_its_words_whatever_its_usage_type_says(
    text: str, resource: str, mode: str, usage: str
) -> None:
    told = {"spot": "Preemptible", "commit_1y": "Commit1Yr", "commit_3y": "Commit3Yr"}.get(mode, "OnDemand")
    rates = read_rates([sku(text, told if usage == "as told" else usage)])
    rate = rates.find(resource, mode, "us-central1")
    assert isinstance(rate, Rate), f"read as {rates.sold}"
    assert rate.price_usd_per_hour == pytest.approx(1.5)
    assert not rates.unread


@pytest.mark.parametrize(
    "text",
    [
        "N2 Custom Instance Core running in Americas",
        "C3 Sole Tenancy Instance Core running in Americas",
        "Sole Tenancy Premium for C4 Sole Tenancy Instance Core running in Americas",
        "Nvidia Tesla T4 GPU attached to Sole Tenancy VMs running in Americas",
        "Nvidia L4 Virtual Workstation GPU running in Americas",
        "VM state: preserved local SSD in Iowa",
        "Capacity Optimized TpuV6e running in Columbus",
        "Reserved C4A Standard Local SSD in Iowa for 1 Year",
        "Licensing Fee for Windows Server 2025 on N2 Instance Core running in Americas",
    ],
)
def test_what_is_no_price_of_a_predefined_machine_is_left_out_without_a_word(text: str) -> None:
    rates = read_rates([sku(text)])
    assert not rates.sold
    assert not rates.unread


def test_a_commitment_of_five_years_is_no_price_by_the_hour() -> None:
    assert not read_rates([sku("Commitment v1: N2 Core in Iowa for 5 Years", "Commit")]).sold


@pytest.mark.parametrize(
    ("text", "unit", "usd", "per_gib_hour"),
    [
        ("C4 Instance Ram running in Americas", "GiBy.h", 0.003938, 0.003938),
        ("C4D Instance Ram running in Americas", "GBy.h", 0.003495578, 0.003495578 * 1.073741824),
        ("SSD backed Local Storage", "GiBy.mo", 0.08, 0.08 / 730),
        ("C4D Instance Local SSD running in Iowa", "GBy.mo", 0.16, 0.16 * 1.073741824 / 730),
    ],
)
def test_sizes_are_priced_per_binary_gigabyte_and_hour(text: str, unit: str, usd: float, per_gib_hour: float) -> None:
    (key,) = {(part[0], "on_demand", part[1]) for part in read_rates([sku(text, usd=usd, unit=unit)]).sold}
    rate = read_rates([sku(text, usd=usd, unit=unit)]).find(*key)
    assert isinstance(rate, Rate)
    assert rate.price_usd_per_hour == pytest.approx(per_gib_hour, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "resource", "unit"),
    [
        ("A3 Instance Ram running in Americas", "memory:a3", "TiBy.h"),
        ("A3 Instance Ram running in Americas", "memory:a3", "h"),
        ("A3 Instance Core running in Americas", "core:a3", "d"),
        ("Nvidia L4 GPU running in Americas", "gpu:nvidia-l4", "GiBy.mo"),
    ],
)
def test_a_unit_that_is_unknown_for_its_resource_spoils_that_sku_alone(text: str, resource: str, unit: str) -> None:
    rates = read_rates([sku(text, unit=unit), sku("Nvidia Tesla T4 GPU running in Americas")])
    rate = rates.find(resource, "on_demand", "us-central1")
    assert isinstance(rate, UnusableRate)
    assert (rate.reason, unit in rate.message, text in rate.message) == ("unit", True, True)
    assert isinstance(rates.find("gpu:nvidia-tesla-t4", "on_demand", "us-central1"), Rate)


def test_a_second_sku_in_an_unknown_unit_does_not_take_the_price_of_the_first() -> None:
    text = "A3 Instance Core running in Americas"
    rate = read_rates([sku(text, unit="d"), sku(text)]).find("core:a3", "on_demand", "us-central1")
    assert isinstance(rate, Rate)


def test_an_accelerator_that_no_text_is_known_for_is_told_once_for_all_its_skus() -> None:
    texts = [
        f"{way}Nvidia X900 GPU running in {place}" for way in ("", "Spot Preemptible ") for place in ("Iowa", "Paris")
    ]
    rates = read_rates(sku(text) for text in texts)
    assert list(rates.unread) == ["nvidia x900 gpu"]
    assert "Nvidia X900 GPU running in Iowa" in rates.unread["nvidia x900 gpu"]


def test_a_sku_that_costs_nothing_is_not_sold_yet() -> None:
    assert not read_rates([sku("Reserved Nvidia Tesla A100 GPU in Seoul", usd=0.0)]).sold


WORDS = [
    "Reserved",
    "DWS",
    "Commitment v1:",
    "Nvidia",
    "A3",
    "Core",
    "Ram",
    "GPU",
    "(1 gpu slice)",
    "in",
    "for 1 Year",
    "\u00e9",
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=6), st.text(max_size=4), st.text(max_size=4))
def test_no_text_and_no_unit_is_a_fault_of_the_catalogue(words: list[str], unit: str, usage: str) -> None:
    rates = read_rates([sku(" ".join(words), usage, unit=unit), sku("Nvidia Tesla T4 GPU running in Americas")])
    assert ("gpu:nvidia-tesla-t4", "us-central1") in rates.sold
