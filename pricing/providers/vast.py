"""Vast: a market of single hosts' asks, reduced to the lowest of each machine and country.

Of all asks that can be rented now and whose host is verified, one offer is kept for each GPU, number of GPUs and country: the
lowest ask, with the default disk. It is flagged ``lowest_ask``. Bids on interruptible machines are no prices and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pricing.clock import utc_now
from pricing.facts.offers import Launchable, PurchaseOption
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request, SourceError
from pricing.providers.hardware import each_row, hardware_of, offer_on, read_parts

URL: Final = "https://console.vast.ai"
PATH: Final = "/api/v0/bundles/"
VERSION: Final = "vast-1"

COUNTS: Final = (1, 2, 4, 8)
"""GPUs in a machine; one part each, since an answer is cut at `MOST_ASKS`."""

MOST_ASKS: Final = 3000

_COUNTRY: Final = re.compile(r"(?:^|,\s*)([A-Z]{2})$")
_SERVER_EDITION: Final = re.compile(r"^(RTX PRO \d+) S$")


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for the asks on machines of each size."""
    url = request.endpoint("GPUPLAN_VAST_URL", URL) + PATH
    return side_by_side(request, {f"asks/{count}": partial(_asks, request, url, count) for count in COUNTS})


def _asks(request: Request, url: str, count: int) -> Iterator[RawPage]:
    wanted = {"verified": True, "rentable": True, "rented": False, "num_gpus": count}
    query = {name: {"eq": value} for name, value in wanted.items()}
    with Http(request) as http:
        body = http.post_json(url, {**query, "type": "on-demand", "order": [["dph_total", "asc"]], "limit": MOST_ASKS})
    if isinstance(body, dict) and len(body.get("offers") or ()) >= MOST_ASKS:
        raise SourceError(
            f"{MOST_ASKS} asks came, as many as one answer holds: others are missing", reason="truncated", where=url
        )
    yield RawPage(part=f"asks/{count}", kind="asks", body=body, url=url, fetched_at=utc_now())


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Reduce asks to the lowest of each machine and country."""
    return read_parts(pages, _offers)


def _offers(pages: list[RawPage]) -> Iterator[Normalized]:
    lowest: dict[tuple[str, str], tuple[RawPage, Mapping[str, Any]]] = {}

    def compare(page: RawPage, ask: Mapping[str, Any]) -> None:
        is_verified = ask.get("verification", "verified") == "verified"  # as was asked for
        if ask.get("rentable", True) and not ask.get("rented") and is_verified and ask["num_gpus"]:
            machine = f"{ask['num_gpus']}x {ask['gpu_name']} {_memory_gb(ask):g}GB"
            code = _COUNTRY.search(ask.get("geolocation") or "")
            country = code[1] if code else "marketplace"  # the host does not tell
            kept = lowest.setdefault((machine, country), (page, ask))
            if 0 < ask["dph_total"] < kept[1]["dph_total"]:
                lowest[machine, country] = page, ask

    for page in pages:
        yield from each_row(page.part, page.body["offers"], partial(compare, page))
    for (machine, country), (page, ask) in sorted(lowest.items(), key=lambda item: item[0]):
        yield _offer(page, ask, machine, country)


def _memory_gb(ask: Mapping[str, Any]) -> float:
    """Return the nominal memory of one GPU; the source tells what the driver sees, in MiB."""
    return float(round(ask["gpu_ram"] / 1024))


def _offer(page: RawPage, ask: Mapping[str, Any], machine: str, country: str) -> Normalized:
    cores, used = ask.get("cpu_cores"), ask.get("cpu_cores_effective")
    share = (used or 0) / cores if cores else 0.0
    hardware = hardware_of(
        "vast",
        machine,
        vcpus=used,
        memory_gib=(ask.get("cpu_ram") or 0) * share / 1024 or None,
        processor=ask.get("cpu_name") or "",
        stated=_SERVER_EDITION.sub(r"\1 Server Edition", ask["gpu_name"]),
        count=float(ask["num_gpus"]),
        memory_gb=_memory_gb(ask),
    )
    return offer_on(
        page,
        VERSION,
        hardware,
        "lowest_ask",
        region=country,
        purchase_option=PurchaseOption.MARKETPLACE,
        launchable=Launchable.YES,
        price_usd_per_hour=float(ask["dph_total"]),
        source="Vast API bundles",
        source_sku_ids=(str(ask["id"]),),
    )


PROVIDER = Provider(
    name="vast",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    part_of=lambda offer: f"asks/{offer.accelerator_count:g}",
    endpoints={"GPUPLAN_VAST_URL": URL},
)
