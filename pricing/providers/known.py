"""What the bundled facts know of a provider's machines, for the sources that tell a price and no hardware."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pricing.instances import accelerator_of, instance_accelerator, memory_agrees
from pricing.offers import Offer
from pricing.providers.hardware import Hardware
from pricing.tables import read_facts


@cache
def known_hardware(provider: str) -> Mapping[str, Hardware]:
    """Return the hardware of the instance types that the package ships prices of."""
    return {
        offer.instance_type: Hardware(
            **{name: getattr(offer, name) for name in Hardware.__slots__ if name != "flags"},
            flags=tuple(flag for flag in offer.flags if flag in {"form_factor_unknown", "accelerator_unknown"}),
        )
        for offer in read_facts(Offer, "offers.csv")
        if offer.provider == provider
    }


def known_regions(provider: str) -> tuple[str, ...]:
    """Return the regions of a provider that has no list of them for everyone."""
    from pricing.regions import regions

    return tuple(sorted(region for name, region in regions() if name == provider and region != "global"))


def hardware_of(  # noqa: PLR0913 - what a source may state
    provider: str,
    instance_type: str,
    *,
    vcpus: float | None = None,
    memory_gib: float | None = None,
    processor: str = "",
    cpu_arch: str = "",
    stated: str = "",
    count: float = 0.0,
    memory_gb: float | None = None,
) -> Hardware:
    """Return the hardware with its accelerator under the canonical name; an unknown one is kept as stated.

    What the source leaves out comes from the published shape of the instance type, then from the bundled facts. A slice is
    always counted as published: price lists count it as none or as a whole one.

    Parameters
    ----------
    provider, instance_type : str
        The provider's own names.
    vcpus, memory_gib, processor, cpu_arch
        Of the host; where the bundled facts name the chip of this instance type, theirs is more exact than any source's.
    stated : str
        The accelerator as the source names it; empty for a CPU-only instance.
    count : float
        How many; a fraction where a slice is sold.
    memory_gb : float or None
        Memory of one accelerator, or of the slice, 1e9 bytes.
    """
    shape = instance_accelerator(provider, instance_type)
    bundled = known_hardware(provider).get(instance_type, Hardware())
    host = {
        "provider": provider,
        "instance_type": instance_type,
        "vcpus": vcpus or (shape and shape.vcpus) or bundled.vcpus,
        "memory_gib": memory_gib or (shape and shape.memory_gib) or bundled.memory_gib,
        "processor": bundled.processor or processor,
        "cpu_arch": cpu_arch or bundled.cpu_arch,
    }
    published = (shape and shape.accelerator_count) or 0.0
    count = published if 0 < published < 1 else count or published or bundled.accelerator_count
    if not count:
        return Hardware(**host)  # type: ignore[arg-type]  # a part of Hardware's fields
    published_gb = (shape and shape.accelerator_memory_gb) or None
    disagrees = bool(published and published_gb and memory_gb and not memory_agrees(published_gb, memory_gb))
    memory_gb = published_gb if disagrees else memory_gb or published_gb
    name, flags = accelerator_of(provider, instance_type, stated, memory_gb, min(count, 1.0))
    if name is None and bundled.accelerator is not None:
        name, flags = bundled.accelerator, bundled.flags
    return Hardware(
        **host,  # type: ignore[arg-type]  # the same
        accelerator=name,
        accelerator_stated=stated or (shape and shape.accelerator) or bundled.accelerator_stated or "unknown",
        accelerator_count=count,
        accelerator_memory_gb=memory_gb,
        flags=(*flags, "memory_disagrees") if disagrees else flags,
    )
