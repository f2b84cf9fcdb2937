"""A query of the bundled offers, against an in-memory scan of the same rows by gpuhunt (a development dependency)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

RUNS = 9


def _ms(action: Callable[[], object]) -> float:
    """Return the median processor time of an action, in milliseconds."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        action()
        times.append((time.process_time() - start) * 1000)
    return statistics.median(times)


def measure() -> Iterator[tuple[str, str, str]]:
    """Ask both for the H100 offers, cheapest first."""
    from gpuhunt import AcceleratorVendor, CatalogItem, QueryFilter
    from gpuhunt._internal.constraints import matches

    from pricing.catalog import load_bundled
    from pricing.facts.accelerators import accelerators
    from pricing.facts.offers import Offer, PurchaseOption

    catalog = load_bundled()
    items = [
        CatalogItem(
            provider=offer.provider,
            instance_name=offer.instance_type,
            location=offer.region,
            price=offer.price_usd_per_hour,
            cpu=round(offer.vcpus or 0),
            memory=offer.memory_gib or 0.0,
            gpu_count=max(1, round(offer.accelerator_count)),
            gpu_name=str(offer.accelerator).split("-")[0],
            gpu_memory=offer.accelerator_memory_gb,
            spot=offer.purchase_option is PurchaseOption.SPOT,
            disk_size=None,
            gpu_vendor=AcceleratorVendor.NVIDIA,
        )
        for offer in catalog.offers
        if offer.accelerator
    ]
    wanted = QueryFilter(gpu_name=["H100"])
    accelerators()

    def theirs() -> list[CatalogItem]:
        return sorted((item for item in items if matches(item, wanted)), key=lambda item: item.price)

    def ours() -> list[Offer]:
        found = catalog.select(accelerators=["H100"]).offers
        return sorted(found, key=lambda offer: offer.price_usd_per_hour)

    scan, select = _ms(theirs), _ms(ours)
    yield f"gpuhunt: scan of {len(items):,} rows for H100, {len(theirs())} found", f"{scan:.1f} ms", "the yardstick"
    yield (
        f"Catalog.select of the same rows, {len(ours())} found",
        f"{select:.1f} ms = {select / scan:.2f} x",
        "not slower",
    )
