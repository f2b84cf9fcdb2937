"""Scaleway: server types of each zone, priced in euros and turned into dollars at a rate that the user gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

from pricing.clock import today
from pricing.errors import PricingError
from pricing.facts.exchange_rate import RATE_HINT, Rate, read_rate
from pricing.facts.offers import Launchable
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import Fetched, Normalized, PartFault, Provider, RawPage, Request, SourceError
from pricing.providers.hardware import hardware_of, offer_on, read_pages

URL: Final = "https://api.scaleway.com"
VERSION: Final = "scaleway-1"

ZONES: Final = ("fr-par-1", "fr-par-2", "pl-waw-2", "nl-ams-1")
"""Zones in which Scaleway has sold GPUs; the others sell none."""
LARGEST_ZONE: Final = "fr-par-2"
"""Sells every GPU that the bundled list prices without a zone are of."""

RATE: Final = "GPUPLAN_USD_PER_EUR"
OLDEST_RATE_DAYS: Final = 31
MOST_PAGES: Final = 100


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for the server types of each zone, page by page; without a rate of exchange nothing is asked."""
    base = request.endpoint("GPUPLAN_SCALEWAY_URL", URL)
    try:
        rate = _rate(request.settings.get(RATE, ""))
    except SourceError as error:
        yield PartFault.of("servers/*", error)
        return

    zones = [zone for zone in ZONES if not request.regions or zone in request.regions]
    yield from side_by_side(request, {f"servers/{zone}": partial(_pages, request, base, zone, rate) for zone in zones})


def _rate(text: str) -> Rate:
    """Return the rate that a setting gives; a `SourceError` where there is none, or none that can be used."""
    if not text.strip():
        raise SourceError("prices are in euros and no rate of exchange is set", reason="exchange_rate", hint=RATE_HINT)
    try:
        rate = read_rate(text)
    except PricingError as error:
        raise SourceError(error.message, reason="rate", hint=error.hint) from None
    if not today() - timedelta(days=OLDEST_RATE_DAYS) <= rate.on <= today():
        message = f"the rate of exchange is of {rate.on}: not of the last {OLDEST_RATE_DAYS} days"
        raise SourceError(message, reason="rate", hint=RATE_HINT)
    return rate


def _pages(request: Request, base: str, zone: str, rate: Rate) -> Iterator[RawPage]:
    url = f"{base}/instance/v1/zones/{zone}/products/servers"
    seen: set[str] = set()
    with Http(request) as http:
        for number in range(1, MOST_PAGES + 1):
            page = http.page(f"servers/{zone}", "servers", url, {"per_page": "100", "page": str(number)})
            if number > 1 and seen.issuperset(page.body["servers"]):  # nothing more, or the same again
                return
            seen.update(page.body["servers"])
            body = {"zone": zone, "rate": rate, "servers": page.body["servers"]}
            yield RawPage(part=page.part, kind=page.kind, body=body, url=url, fetched_at=page.fetched_at)


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read the server types with GPUs into offers."""
    return read_pages(pages, lambda page: page.body["servers"].items(), _priced)


def _priced(page: RawPage, named: tuple[str, Mapping[str, Any]]) -> Iterator[Normalized]:
    name, server = named
    if server["gpu"]:
        yield _offer(page, name, server)


def _offer(page: RawPage, name: str, server: Mapping[str, Any]) -> Normalized:
    rate: Rate = page.body["rate"]
    gpu = server["gpu_info"]
    hardware = hardware_of(
        "scaleway",
        name,
        vcpus=float(server["ncpus"]),
        memory_gib=server["ram"] / 2**30,
        cpu_arch=server.get("arch", ""),
        stated=f"{gpu['gpu_name']} {server.get('mig_profile') or ''}".strip(),
        count=float(server["gpu"]),
        memory_gb=float(round(gpu["gpu_memory"] / 2**30)),
    )
    return offer_on(
        page,
        VERSION,
        hardware,
        region=page.body["zone"],
        launchable=Launchable.NO if server.get("end_of_service") else Launchable.UNKNOWN,
        launchable_note="no longer sold" if server.get("end_of_service") else "",
        price_usd_per_hour=server["hourly_price"] * rate.usd_per_eur,
        source=f"Scaleway API products/servers, euros at {rate.usd_per_eur:g} USD of {rate.on}",
    )


PROVIDER = Provider(
    name="scaleway",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    part_of=lambda offer: f"servers/{offer.region if offer.region in ZONES else LARGEST_ZONE}",
    endpoints={"GPUPLAN_SCALEWAY_URL": URL},
    needs=f"{RATE}: dollars per euro and their day",
)
