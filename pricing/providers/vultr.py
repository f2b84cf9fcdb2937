"""Vultr: virtual and bare-metal plans with GPUs, priced for each location that sells them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pricing.errors import PricingError
from pricing.facts.accelerators import resolve_all
from pricing.facts.offers import Launchable, PurchaseOption
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request, SourceError
from pricing.providers.hardware import Hardware, hardware_of, offer_on, read_pages

URL: Final = "https://api.vultr.com"
VERSION: Final = "vultr-1"

LISTS: Final = {"plans": "/v2/plans", "plans_metal": "/v2/plans-metal"}
"""Part, which is also the key of its list, to its path."""

METAL_COUNT: Final = 8.0
"""GPUs in the bare-metal machines of the bundled list prices; the virtual ones have fewer."""

PRICES: Final = (
    (PurchaseOption.ON_DEMAND, "hourly_cost", "deploy_ondemand"),
    (PurchaseOption.SPOT, "hourly_cost_preemptible", "deploy_preemptible"),
)
"""Purchase option, the field of its price, and the one that says whether it is sold."""

_CLOUD_ID: Final = re.compile(r"^vcg-(?P<model>[a-z0-9]+)-.*?(?P<vram_gb>\d+)vram$")
_METAL_ID: Final = re.compile(r"-(?:(?P<count>\d+)-)?(?P<model>[a-z0-9]+)-gpu$")


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for both lists, page by page."""
    base = request.endpoint("GPUPLAN_VULTR_URL", URL)
    jobs = {part: partial(_pages, request, part, base + path) for part, path in LISTS.items()}
    return side_by_side(request, jobs)


def _pages(request: Request, part: str, url: str) -> Iterator[RawPage]:
    params, seen = {"per_page": "500"} | ({"type": "all"} if part == "plans" else {}), {""}
    with Http(request) as http:
        while True:
            page = http.page(part, part, url, params)
            yield page
            cursor = page.body["meta"]["links"]["next"] if isinstance(page.body, dict) and "meta" in page.body else ""
            if not cursor:
                return
            if cursor in seen:
                raise SourceError(f"the pages go in a circle at {cursor!r}", reason="shape", where=url)
            seen.add(cursor)
            params = {**params, "cursor": cursor}


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read the plans with GPUs into offers."""
    return read_pages(pages, lambda page: page.body[page.part], _priced)


def _priced(page: RawPage, plan: Mapping[str, Any]) -> Iterator[Normalized]:
    hardware = _hardware(plan)
    if hardware is not None:
        for option, price_field, sold_field in PRICES:
            if plan.get(sold_field, option is PurchaseOption.ON_DEMAND):
                yield from _by_location(page, plan, hardware, option, price_field)


def _hardware(plan: Mapping[str, Any]) -> Hardware | None:
    """Return what a plan holds, None where that is no GPU; some plans tell it in their names alone."""
    match = _CLOUD_ID.search(plan["id"]) or _METAL_ID.search(plan["id"])
    names = match.groupdict() if match else {}
    stated = plan.get("gpu_type") or names.get("model", "").upper()
    if not stated:
        return None
    vram_gb = float(plan.get("gpu_vram_gb") or names.get("vram_gb") or 0)
    count = _count(plan, stated, vram_gb, names.get("count"))
    return hardware_of(
        "vultr",
        plan["id"],
        vcpus=plan.get("vcpu_count") or plan.get("cpu_threads"),
        memory_gib=plan["ram"] / 1024,
        stated=stated,
        count=count,
        memory_gb=vram_gb / max(count, 1.0) or None,
    )


def _count(plan: Mapping[str, Any], stated: str, vram_gb: float, in_name: str | None) -> float:
    """Return how many GPUs: as stated (``8``, ``"1/8"``), as the plan's name says, or by its memory; else one."""
    stated_count = str(plan.get("gpu_count") or in_name or "")
    if stated_count:
        part, _, whole = stated_count.partition("/")
        return float(part) / float(whole or 1)
    try:
        sizes_gb = {row.memory_nominal_gb for row in resolve_all(stated)}
    except PricingError:
        return 1.0
    counts = {vram_gb / size_gb for size_gb in sizes_gb if vram_gb}
    # Two sizes of one model (40 and 80 GB) that both fit are told apart by the dearer card, of which the plan holds fewer.
    return min((count for count in counts if count < 1 or count in {1, 2, 4, 8, 16}), default=1.0)


def _by_location(
    page: RawPage, plan: Mapping[str, Any], hardware: Hardware, option: PurchaseOption, price_field: str
) -> Iterator[Normalized]:
    places = sorted({place for place in plan["locations"] if place})
    own = plan.get("location_cost") or {}
    for place in places or ("global",):
        price = (own.get(place) or plan)[price_field] if isinstance(own, dict) else plan[price_field]
        yield offer_on(
            page,
            VERSION,
            hardware,
            region=place,
            purchase_option=option,
            launchable=Launchable.UNKNOWN if places else Launchable.NO,
            launchable_note="" if places else "no location had it when it was asked",
            price_usd_per_hour=float(price),
            source=f"Vultr API {page.part.replace('_', '-')}",
        )


PROVIDER = Provider(
    name="vultr",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    part_of=lambda offer: "plans_metal" if offer.accelerator_count == METAL_COUNT else "plans",
    endpoints={"GPUPLAN_VULTR_URL": URL},
)
