"""Hyperstack: flavors of each region, priced by the GPU in a price book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pricing.facts.accelerator_names import read_name
from pricing.facts.offers import Launchable, PurchaseOption
from pricing.providers.client import get_pages, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, RefusedRow, Request
from pricing.providers.hardware import each_row, hardware_of, offer_on, read_parts

URL: Final = "https://infrahub-api.nexgencloud.com"
PART: Final = "flavors"
VERSION: Final = "hyperstack-1"
SPOT: Final = "-spot"


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for the flavors and the price book together: neither is a price without the other."""
    base = request.endpoint("GPUPLAN_HYPERSTACK_URL", URL)
    urls = {"pricebook": f"{base}/v1/pricebook", "flavors": f"{base}/v1/core/flavors"}

    def ask() -> list[RawPage]:
        return get_pages(request, PART, urls, headers={"api_key": request.key("HYPERSTACK_API_KEY", base)})

    return side_by_side(request, {PART: ask})


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read the flavors with GPUs into offers."""
    return read_parts(pages, _offers)


def _offers(pages: list[RawPage]) -> Iterator[Normalized]:
    body = {page.kind: page.body for page in pages}
    prices: dict[str, set[float]] = defaultdict(set)

    def note(row: Mapping[str, Any]) -> None:
        if row["value"] is not None:
            prices[row["name"]].add(float(row["value"]))

    def priced(flavor: Mapping[str, Any]) -> Iterator[Normalized]:
        if not flavor["gpu_count"]:
            return
        listed = sorted(prices.get(flavor["gpu"], ()))
        # Two prices for one GPU: the gates refuse both by their identity, which keeps what the store holds.
        yield from (_offer(pages[0], flavor, price) for price in listed)
        if not listed:
            identity = f"{flavor['region_name']} {flavor['name']}"
            yield RefusedRow(PART, identity, "no_price", f"the price book has no price of {flavor['gpu']!r}")

    yield from each_row(PART, body["pricebook"], note)
    yield from each_row(PART, (flavor for group in body["flavors"]["data"] for flavor in group["flavors"]), priced)


def _offer(page: RawPage, flavor: Mapping[str, Any], usd_per_gpu_hour: float) -> Normalized:
    is_spot, stated = flavor["gpu"].endswith(SPOT), flavor["gpu"].removesuffix(SPOT)
    count = float(flavor["gpu_count"])
    hardware = hardware_of(
        "hyperstack",
        flavor["name"],
        vcpus=flavor["cpu"],
        memory_gib=flavor["ram"],
        stated=stated,
        count=count,
        memory_gb=read_name(stated).memory_gb,
    )
    return offer_on(
        page,
        VERSION,
        hardware,
        "derived_price" if count > 1 else "",
        region=flavor["region_name"],
        purchase_option=PurchaseOption.SPOT if is_spot else PurchaseOption.ON_DEMAND,
        launchable=Launchable.YES if flavor["stock_available"] else Launchable.NO,
        launchable_note="" if flavor["stock_available"] else "out of stock when it was asked",
        price_usd_per_hour=usd_per_gpu_hour * count,
        source="Hyperstack API pricebook and flavors",
        source_sku_ids=(flavor["gpu"],),
    )


PROVIDER = Provider(
    name="hyperstack",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    endpoints={"GPUPLAN_HYPERSTACK_URL": URL},
    needs="HYPERSTACK_API_KEY",
)
