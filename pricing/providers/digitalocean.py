"""DigitalOcean: Droplet sizes with GPUs, at one price in each region that sells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pricing.facts.offers import Launchable
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request, SourceError
from pricing.providers.hardware import hardware_of, offer_on, read_pages

URL: Final = "https://api.digitalocean.com"
PART: Final = "sizes"
VERSION: Final = "digitalocean-1"
MOST_PAGES: Final = 100


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for all sizes, page by page."""
    base = request.endpoint("GPUPLAN_DIGITALOCEAN_URL", URL)

    def ask() -> Iterator[RawPage]:
        token = request.key("DIGITALOCEAN_TOKEN", base)
        with Http(request, {"Authorization": f"Bearer {token}"}) as http:
            for number in range(1, MOST_PAGES + 1):
                page = http.page(PART, "sizes", base + "/v2/sizes", {"per_page": "200", "page": str(number)})
                yield page
                # The address of the next page names the public host; its number is enough.
                if not (page.body.get("links") or {}).get("pages", {}).get("next"):
                    return
        raise SourceError(f"the pages did not end after {MOST_PAGES}", reason="endless", where=base)

    return side_by_side(request, {PART: ask})


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read the sizes with GPUs into offers; the memory told is that of all GPUs together."""
    return read_pages(pages, lambda page: page.body["sizes"], _priced)


def _priced(page: RawPage, size: Mapping[str, Any]) -> Iterator[Normalized]:
    if size.get("gpu_info"):
        for region in size.get("regions") or ("global",):
            yield _offer(page, size, region)


def _offer(page: RawPage, size: Mapping[str, Any], region: str) -> Normalized:
    gpu = size["gpu_info"]
    hardware = hardware_of(
        "digitalocean",
        size["slug"],
        vcpus=size["vcpus"],
        memory_gib=size["memory"] / 1024,
        stated=gpu["model"],
        count=float(gpu["count"]),
        memory_gb=gpu["vram"]["amount"] / gpu["count"] if gpu.get("vram") else None,
    )
    is_sold = bool(size.get("available", True) and size.get("regions"))
    return offer_on(
        page,
        VERSION,
        hardware,
        region=region,
        launchable=Launchable.YES if is_sold else Launchable.NO,
        launchable_note="" if is_sold else "not available in any region when it was asked",
        price_usd_per_hour=float(size["price_hourly"]),
        source="DigitalOcean API sizes",
    )


PROVIDER = Provider(
    name="digitalocean",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    endpoints={"GPUPLAN_DIGITALOCEAN_URL": URL},
    needs="DIGITALOCEAN_TOKEN",
)
