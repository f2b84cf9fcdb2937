"""Rows of hardware that were once wrong, or that a source states otherwise: what the package says of each, by its published figure."""

from __future__ import annotations

import pytest

from pricing.catalog import load_bundled
from pricing.facts.accelerator_rows import slices
from pricing.facts.accelerators import accelerators
from pricing.providers.hardware import hardware_of

SERVER_EDITION = "RTX PRO 6000 Blackwell Server Edition"


def test_the_server_edition_of_the_rtx_pro_6000_is_slower_than_the_workstation_card() -> None:
    server, workstation = (
        accelerators()[name] for name in (SERVER_EDITION, SERVER_EDITION.replace("Server", "Workstation"))
    )
    assert (server.memory_bandwidth_gb_per_s, server.fp32_dense_tflop_per_s) == (1597, 120)
    assert (workstation.memory_bandwidth_gb_per_s, workstation.fp32_dense_tflop_per_s) == (1792, 125)
    # A seller who does not say which edition is promised no more than the slower one.
    unsaid = accelerators()["RTX PRO 6000 Blackwell"]
    assert (unsaid.memory_bandwidth_gb_per_s, unsaid.fp32_dense_tflop_per_s) == (1597, 120)


@pytest.mark.parametrize(
    ("provider", "machine", "count"),
    [
        ("aws", "g7e.2xlarge", 1),
        ("aws", "g7e.48xlarge", 8),
        ("gcp", "g4-standard-6", 0.125),
        ("gcp", "g4-standard-48", 1),
        ("gcp", "g4-standard-384", 8),
        ("azure", "Standard_NC24lds_xl_RTXPRO6000BSE_v6", 0.25),  # the API says 1
        ("azure", "Standard_NC36ds_xl_RTXPRO6000BSE_v6", 0.25),
        ("azure", "Standard_NC36lds_xl_RTXPRO6000BSE_v6", 0.25),
        ("azure", "Standard_NC72ds_xl_RTXPRO6000BSE_v6", 0.5),
        ("azure", "Standard_NC72lds_xl_RTXPRO6000BSE_v6", 0.5),
        ("azure", "Standard_NC144ds_xl_RTXPRO6000BSE_v6", 1),
        ("azure", "Standard_NC288lds_xl_RTXPRO6000BSE_v6", 2),
        ("oci", "BM.GPU.RTXPRO.8", 8),
    ],
)
@pytest.mark.parametrize("stated", [0, 1])
def test_the_clouds_rent_the_server_edition_and_slices_of_it(
    provider: str, machine: str, count: float, stated: int
) -> None:
    found = hardware_of(provider, machine, count=float(stated) if count <= 1 else 0.0)
    assert (found.accelerator, found.accelerator_count) == (SERVER_EDITION, count)
    bundled = {
        offer.accelerator
        for offer in load_bundled().offers
        if (offer.provider, offer.instance_type) == (provider, machine)
    }
    assert bundled <= {SERVER_EDITION}


def test_no_preview_size_that_azure_no_longer_deploys_is_offered() -> None:
    names = {offer.instance_type for offer in load_bundled().offers if offer.provider == "azure"}
    assert any(name.endswith("_RTXPRO6000BSE_v6") for name in names)
    assert not [name for name in names if name.startswith(("Standard_NC128", "Standard_NC256", "Standard_NC320"))]


@pytest.mark.parametrize("name", ["Inferentia2", "Trainium1"])
def test_neuron_chips_multiply_int8_at_twice_the_rate_of_bf16(name: str) -> None:
    chip = accelerators()[name]
    assert (chip.int8_dense_tflop_per_s, chip.bf16_dense_tflop_per_s) == (380, 190)


def test_the_rtx_4000_ada_has_the_ratios_of_its_generation() -> None:
    # Its sheet prints 327.6 sparse, 12.3 times its fp32, where every other card of the generation has 16 times.
    ada, sibling = accelerators()["RTX 4000 Ada"], accelerators()["RTX 6000 Ada"]
    assert (ada.fp8_dense_tflop_per_s, ada.bf16_dense_tflop_per_s) == (214, 107)
    ratios = [(row.fp8_dense_tflop_per_s or 0) / (row.fp32_dense_tflop_per_s or 1) for row in (ada, sibling)]
    assert ratios[0] == pytest.approx(ratios[1], rel=0.01)
    assert "327.6" in ada.notes


@pytest.mark.parametrize("machine", ["trn2.3xlarge", "trn2.48xlarge", "trn2u.48xlarge"])
def test_a_trainium2_chip_has_96_gib_whatever_the_api_tells(machine: str) -> None:
    told = hardware_of("aws", machine, stated="AWS Trainium2", memory_gb=512.0)
    assert (told.accelerator, told.accelerator_memory_gb) == ("Trainium2", 96)
    assert accelerators()["Trainium2"].memory_gib == 96


@pytest.mark.parametrize(
    ("accelerator", "profile", "processors", "of"),
    [
        ("A100-40GB-SXM", "7g.40gb", 98, 108),
        ("A100-80GB-SXM", "7g.80gb", 98, 108),
        ("H100-SXM", "1g.10gb", 16, 132),
        ("H100-SXM", "1g.20gb", 26, 132),
        ("H100-SXM", "3g.40gb", 60, 132),
    ],
)
def test_a_mig_profile_has_the_processors_that_it_has_and_not_so_many_sevenths(
    accelerator: str, profile: str, processors: int, of: int
) -> None:
    (part,) = [each for each in slices() if (each.accelerator, each.profile) == (accelerator, profile)]
    assert part.compute_share == pytest.approx(processors / of, abs=1e-4)
