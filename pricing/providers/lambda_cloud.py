"""Lambda: one price everywhere, and a list of the regions that have machines left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pricing.facts.offers import Launchable
from pricing.providers.client import get_pages, side_by_side
from pricing.providers.contract import Fetched, Normalized, Provider, RawPage, Request
from pricing.providers.hardware import hardware_of, offer_on, read_pages

URL: Final = "https://cloud.lambda.ai"
PATH: Final = "/api/v1/instance-types"
PART: Final = "instance_types"
VERSION: Final = "lambda-1"

_MEMORY: Final = re.compile(r"\((\d+) GB\b")


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for the instance types."""
    base = request.endpoint("GPUPLAN_LAMBDA_URL", URL).removesuffix(PATH)

    def ask() -> list[RawPage]:
        headers = {"Authorization": f"Bearer {request.key('LAMBDA_API_KEY', base)}"}
        return get_pages(request, PART, {"instance_types": base + PATH}, headers=headers)

    return side_by_side(request, {PART: ask})


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read instance types into offers; capacity is reported with the price, since it comes and goes."""
    return read_pages(pages, lambda page: page.body["data"].values(), _offer)


def _offer(page: RawPage, row: Mapping[str, Any]) -> Iterator[Normalized]:
    kind, specs = row["instance_type"], row["instance_type"]["specs"]
    count = float(specs.get("gpus") or 0)
    memory = _MEMORY.search(kind.get("gpu_description") or "")
    hardware = hardware_of(
        "lambda",
        kind["name"],
        vcpus=float(specs["vcpus"]),
        memory_gib=float(specs["memory_gib"]),
        stated=kind.get("gpu_description") or kind["name"],
        count=count,
        memory_gb=float(memory.group(1)) if memory else None,
    )
    places = sorted(place["name"] for place in row.get("regions_with_capacity_available") or ())
    yield offer_on(
        page,
        VERSION,
        hardware,
        launchable=Launchable.YES if places else Launchable.NO,
        launchable_note=f"capacity in {', '.join(places)}" if places else "no capacity in any region when it was asked",
        price_usd_per_hour=kind["price_cents_per_hour"] / 100,
        source="Lambda Cloud API instance-types",
    )


PROVIDER = Provider(
    name="lambda",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    anchors=("gpu_8x_h100_sxm5",),
    endpoints={"GPUPLAN_LAMBDA_URL": URL},
    needs="LAMBDA_API_KEY",
)
