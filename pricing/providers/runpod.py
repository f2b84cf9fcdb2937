"""RunPod: GPU pods, priced for each GPU, in its own data centers and in its community's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pricing.clock import utc_now
from pricing.facts.offers import Launchable, PurchaseOption
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request, SourceError
from pricing.providers.hardware import each_row, guarded, hardware_of, offer_on

URL: Final = "https://api.runpod.io"
PART: Final = "gpu_types"
VERSION: Final = "runpod-1"

CLOUDS: Final = {
    "secure": ("securePrice", "secureSpotPrice"),
    "community": ("communityPrice", "communitySpotPrice"),
}
"""Region to the fields of its prices."""

QUERY: Final = """query GpuTypes { gpuTypes { id displayName manufacturer memoryInGb maxGpuCount
 securePrice communityPrice secureSpotPrice communitySpotPrice
 secure: lowestPrice(input: {gpuCount: 1, secureCloud: true}) { stockStatus minVcpu minMemory uninterruptablePrice }
 community: lowestPrice(input: {gpuCount: 1, secureCloud: false}) { stockStatus minVcpu minMemory uninterruptablePrice } } }"""


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask once for all GPU types, prices and stock together, so that no answer can be laid beside the wrong question."""
    base = request.settings.get("GPUPLAN_RUNPOD_URL", URL).rstrip("/").removesuffix("/graphql") + "/graphql"
    key = request.settings.get("RUNPOD_API_KEY", "")

    def ask() -> Iterator[RawPage]:
        with Http(request, {"Authorization": f"Bearer {key}"} if key else {}) as http:
            rows = _rows(http.post_json(base, {"query": QUERY}), base)
        yield RawPage(part=PART, kind="gpu_types", body=rows, url=base, fetched_at=utc_now())

    return side_by_side(request, {PART: ask})


def _rows(answer: object, where: str) -> list[Any]:
    """Return the GPU types of an answer; GraphQL tells its errors with a status of 200."""
    if not isinstance(answer, dict) or answer.get("errors"):
        message = answer["errors"][0].get("message", "") if isinstance(answer, dict) else "no object came"
        raise SourceError(f"the query was refused: {message}", reason="shape", where=where)
    rows = (answer.get("data") or {}).get("gpuTypes")
    if not isinstance(rows, list):
        raise SourceError("the answer holds no gpuTypes", reason="shape", where=where)
    return rows


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read GPU types into offers of one GPU each."""
    for page in pages:
        yield from guarded(PART, partial(each_row, PART, page.body, partial(_offers, page)))


def _offers(page: RawPage, row: Mapping[str, Any]) -> Iterator[Normalized]:
    if row["id"] == "unknown":
        return
    for region, (price_field, spot_field) in CLOUDS.items():
        stock = row.get(region) or {}
        for option, price in (
            (PurchaseOption.ON_DEMAND, row[price_field]),
            (PurchaseOption.SPOT, row.get(spot_field)),
        ):
            # Null or 0 means that it is not sold so. Spot pods ended in September 2026; the fields stayed.
            if price:
                yield _offer(page, row, region, stock, option, price)


def _offer(
    page: RawPage, row: Mapping[str, Any], region: str, stock: Mapping[str, Any], option: PurchaseOption, price: float
) -> Normalized:
    hardware = hardware_of(
        "runpod",
        row["id"],
        vcpus=stock.get("minVcpu"),
        memory_gib=stock.get("minMemory"),
        stated=row["id"],
        count=1.0,
        memory_gb=float(row["memoryInGb"]) if row.get("memoryInGb") else None,
    )
    status = stock.get("stockStatus")
    return offer_on(
        page,
        VERSION,
        hardware,
        "community" if region == "community" else "",
        region=region,
        purchase_option=option,
        launchable=Launchable.YES if status else Launchable.NO,
        launchable_note=f"stock {status}" if status else "out of stock when it was asked",
        price_usd_per_hour=float(price),
        source="RunPod GraphQL gpuTypes",
        source_sku_ids=(row["id"].replace(" ", "_"),),
    )


PROVIDER = Provider(
    name="runpod",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    anchors=("NVIDIA H100 80GB HBM3",),
    endpoints={"GPUPLAN_RUNPOD_URL": URL},
    needs="nothing; RUNPOD_API_KEY is used where it is set",
)
