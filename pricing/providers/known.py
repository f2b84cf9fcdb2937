"""What the bundled facts know of a provider's machines, for the sources that tell a price and no hardware."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pricing.offers import Offer
from pricing.providers.hardware import Hardware
from pricing.tables import read_facts

__all__ = ["known_hardware", "known_processor", "known_regions"]


@cache
def known_hardware(provider: str) -> Mapping[str, Hardware]:
    """Return the hardware of the instance types that the package ships prices of."""
    return {
        offer.instance_type: Hardware(
            vcpus=offer.vcpus,
            memory_gib=offer.memory_gib,
            processor=offer.processor,
            cpu_arch=offer.cpu_arch,
            accelerator=offer.accelerator,
            accelerator_stated=offer.accelerator_stated,
            accelerator_count=offer.accelerator_count,
            accelerator_memory_gb=offer.accelerator_memory_gb,
            flags=tuple(flag for flag in offer.flags if flag in {"form_factor_unknown", "accelerator_unknown"}),
        )
        for offer in read_facts(Offer, "offers.csv")
        if offer.provider == provider
    }


def known_processor(provider: str, instance_type: str) -> str:
    """Return the host's chip as the bundled facts name it; empty where they do not."""
    known = known_hardware(provider).get(instance_type)
    return known.processor if known else ""


def known_regions(provider: str) -> tuple[str, ...]:
    """Return the regions of a provider that has no list of them for everyone."""
    from pricing.regions import regions

    return tuple(sorted(region for name, region in regions() if name == provider and region != "global"))
