"""Oracle Cloud (OCI): a public price list of part numbers, each a GPU-hour of known shapes, the same in all regions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pricing.facts.offers import PricePart
from pricing.providers.client import get_pages, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, RefusedRow, Request
from pricing.providers.hardware import hardware_of, offer_on, read_pages

URL: Final = "https://apexapps.oracle.com"
PATH: Final = "/pls/apex/cetools/api/v1/products/"
PART: Final = "products"
VERSION: Final = "oci-1"


SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "B95909": ("A10", "VM.GPU.A10.1", "VM.GPU.A10.2", "BM.GPU.A10.4"),
    "B95907": ("A100", "BM.GPU.A100-v2.8"),
    "B109479": ("L40S", "BM.GPU.L40S.4"),
    "B98415": ("H100", "BM.GPU.H100.8"),
    "B110519": ("H200", "BM.GPU.H200.8"),
    "B110978": ("B200", "BM.GPU.B200.8"),
    "B112237": ("B300", "BM.GPU.B300.8"),
    "B110979": ("GB200", "BM.GPU.GB200.4"),
    "B112140": ("GB300", "BM.GPU.GB300.4"),
    "B109485": ("MI300X", "BM.GPU.MI300X.8"),
    "B111758": ("MI355X", "BM.GPU.MI355X.8"),
    "B112613": ("RTX PRO 6000", "BM.GPU.RTXPRO.8"),
}
"""Part number to the GPU that its name has to tell, and the shapes that it prices; what they hold is among the facts."""

CATEGORIES: Final = frozenset({"Compute - GPU", "Compute - GPU - Other"})
"""Oracle rents GPUs under these; machines in the buyer's own data center (Cloud@Customer) stand under others."""

_NAME: Final = re.compile(r"Compute\s*-\s*(?P<gpu>.*GPU.*)$")
"""Software licenses (``NVIDIA AI Enterprise - H100``) share category and unit with the machines, and are told by their names."""


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask once for the whole price list, in dollars."""
    url = request.endpoint("GPUPLAN_OCI_URL", URL) + PATH
    params = {"currencyCode": "USD"}
    return side_by_side(request, {PART: lambda: get_pages(request, PART, {"products": url}, params)})


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read the GPU part numbers into offers of the shapes that they price."""
    return read_pages(pages, lambda page: page.body["items"], _priced)


def _priced(page: RawPage, item: Mapping[str, Any]) -> Iterator[Normalized]:
    named = _NAME.search(item["displayName"])
    is_gpu = item["metricName"].casefold() == "gpu per hour" and item["serviceCategory"] in CATEGORIES
    if named is None or not is_gpu:
        return
    price = _usd_per_gpu_hour(item)
    name = re.sub(r"^GPU\s*-\s*", "", named["gpu"].strip())
    stated, *shapes = SHAPES.get(item["partNumber"], (name, f"{name} (per GPU)"))
    if not re.search(rf"\b{re.escape(stated)}\b", name):
        identity = f"{item['partNumber']} {item['displayName']}"
        yield RefusedRow(page.part, identity, "renamed", f"the part number of {stated} now names another GPU")
    elif price is not None:
        yield from (_offer(page, item, stated, shape, price) for shape in shapes)


def _usd_per_gpu_hour(item: Mapping[str, Any]) -> float | None:
    """Return the price without a commitment; None where the part has none.

    Raises
    ------
    ValueError
        Where prices come in other currencies alone than was asked for.
    """
    prices = {local["currencyCode"]: local["prices"] for local in item["currencyCodeLocalizations"]}
    if prices and "USD" not in prices:
        raise ValueError(f"unknown currency {', '.join(map(repr, prices))}")
    # A price by tiers begins with hours that are free, where there are such; the next tier is what is paid.
    tiers = sorted(
        (float(price.get("rangeMin") or 0), float(price["value"]))
        for price in prices.get("USD", ())
        if price["model"] == "PAY_AS_YOU_GO"
    )
    return next((value for _, value in tiers if value), tiers[0][1] if tiers else None)


def _offer(page: RawPage, item: Mapping[str, Any], stated: str, shape: str, price: float) -> Normalized:
    hardware = hardware_of("oci", shape, stated=stated, count=0.0 if item["partNumber"] in SHAPES else 1.0)
    count = hardware.accelerator_count
    part_number = item["partNumber"]
    return offer_on(
        page,
        VERSION,
        hardware,
        "derived_price" if count > 1 else "",
        price_usd_per_hour=price * count,
        price_parts=(PricePart(name="accelerator", sku_id=part_number, quantity=count, price_usd_per_hour=price),),
        source="Oracle price list (cetools products)",
        source_sku_ids=(part_number,),
    )


PROVIDER = Provider(
    name="oci",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    anchors=("BM.GPU.H100.8",),
    endpoints={"GPUPLAN_OCI_URL": URL},
)
