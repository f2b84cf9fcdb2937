"""Verda (DataCrunch): one list of instance types, on demand and spot, at one price in all its data centers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pricing.facts.offers import PurchaseOption
from pricing.providers.client import get_pages, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request
from pricing.providers.hardware import hardware_of, offer_on, read_pages

URL: Final = "https://api.datacrunch.io"
PART: Final = "instance_types"
VERSION: Final = "verda-1"

PRICES: Final = ((PurchaseOption.ON_DEMAND, "price_per_hour"), (PurchaseOption.SPOT, "spot_price"))

_COUNT: Final = re.compile(r"^\d+x\s+")


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask once for all instance types."""
    url = request.endpoint("GPUPLAN_VERDA_URL", URL) + "/v1/instance-types"
    return side_by_side(request, {PART: lambda: get_pages(request, PART, {"instance_types": url})})


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read instance types into offers; prices come as text, and the memory told is that of all GPUs together."""
    return read_pages(pages, lambda page: page.body, _priced)


def _priced(page: RawPage, row: Mapping[str, Any]) -> Iterator[Normalized]:
    if (currency := row.get("currency", "usd")).lower() != "usd":
        raise ValueError(f"unknown currency {currency!r}")
    for option, field in PRICES:
        price = row[field] if option is PurchaseOption.ON_DEMAND else row.get(field)
        # No spot price, or one of 0, says that it is not sold so.
        if price not in {None, ""} and (float(price) or option is PurchaseOption.ON_DEMAND):
            yield _offer(page, row, option, float(price))


def _offer(page: RawPage, row: Mapping[str, Any], option: PurchaseOption, price: float) -> Normalized:
    count = float(row["gpu"]["number_of_gpus"])
    hardware = hardware_of(
        "verda",
        row["instance_type"],
        vcpus=float(row["cpu"]["number_of_cores"]),
        memory_gib=float(row["memory"]["size_in_gigabytes"]),
        stated=_COUNT.sub("", row["gpu"]["description"]),
        count=count,
        memory_gb=row["gpu_memory"]["size_in_gigabytes"] / count if count else None,
    )
    return offer_on(
        page,
        VERSION,
        hardware,
        purchase_option=option,
        price_usd_per_hour=price,
        source="Verda API instance-types",
        source_sku_ids=(row["id"],),
    )


PROVIDER = Provider(
    name="verda",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    endpoints={"GPUPLAN_VERDA_URL": URL},
)
