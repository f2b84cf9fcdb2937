"""Hardware of machines whose source tells little of it: a price list names no GPU, Azure's prices name no hardware at all."""

from __future__ import annotations

import pytest

from pricing.catalog import load_bundled
from pricing.providers.aws.normalize import hardware_from_attributes
from pricing.providers.hardware import hardware_of, known_hardware


def test_the_price_list_alone_tells_every_bundled_ec2_machine_with_its_accelerator() -> None:
    bundled = {
        offer.instance_type: offer for offer in load_bundled().offers if offer.provider == "aws" and offer.accelerator
    }
    assert {"T4", "A10G", "L4", "L40S", "RTX PRO 6000 Blackwell Server Edition"} <= {
        offer.accelerator for offer in bundled.values()
    }
    for name, offer in bundled.items():
        for gpu in (f"{offer.accelerator_count:g}", "1" if offer.accelerator_count < 1 else "", ""):
            found = hardware_from_attributes({"instanceType": name, "gpu": gpu})
            assert (found.accelerator, found.accelerator_count) == (offer.accelerator, offer.accelerator_count), name


@pytest.mark.parametrize(
    ("name", "accelerator", "count"),
    [
        ("g4dn.12xlarge", "T4", 4),
        ("g5.48xlarge", "A10G", 8),
        ("g6.48xlarge", "L4", 8),
        ("gr6.8xlarge", "L4", 1),
        ("g6e.24xlarge", "L40S", 4),
        ("g6f.2xlarge", "L4", 0.25),
        ("g6f.xlarge", "L4", 0.125),
        ("inf2.48xlarge", "Inferentia2", 12),
        ("trn1.32xlarge", "Trainium1", 16),
        ("trn2.48xlarge", "Trainium2", 16),
    ],
)
def test_a_slice_and_an_accelerator_that_is_no_gpu_are_counted_as_published(
    name: str, accelerator: str, count: float
) -> None:
    found = hardware_from_attributes({"instanceType": name, "gpu": "1" if name[0] == "g" and count <= 1 else ""})
    assert (found.accelerator, found.accelerator_count) == (accelerator, count)


def test_every_bundled_azure_size_keeps_its_accelerator_without_a_subscription() -> None:
    for name, known in known_hardware("azure").items():
        found = hardware_of("azure", name)
        assert found.accelerator == known.accelerator, name
        assert found.accelerator_count == pytest.approx(known.accelerator_count, abs=1e-6), name


def test_a_size_whose_name_tells_its_card_is_known() -> None:
    found = hardware_of("azure", "Standard_NC24lds_xl_RTXPRO6000BSE_v6")
    assert (found.accelerator, found.accelerator_count) == ("RTX PRO 6000 Blackwell Server Edition", 0.25)


def test_a_memory_that_is_told_for_all_cards_together_does_not_hide_the_card() -> None:
    found = hardware_of("aws", "g6.12xlarge", stated="NVIDIA L4", count=4.0, memory_gb=96.0)
    assert (found.accelerator, found.accelerator_memory_gb, found.flags) == ("L4", 24.0, ("memory_disagrees",))


def test_a_machine_that_nobody_knows_has_no_invented_accelerator() -> None:
    assert hardware_of("aws", "c8g.4xlarge", vcpus=16.0).accelerator_count == 0
    found = hardware_of("aws", "g99.xlarge", stated="GPU of g99", count=1.0)
    assert (found.accelerator, found.flags) == (None, ("accelerator_unknown",))
