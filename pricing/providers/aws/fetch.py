"""All the asking of AWS: public files without credentials, and the EC2, pricing and savings plans APIs with them.

Parts: ``on_demand/REGION`` (on-demand and reserved, from the price list file, or from the pricing API where the file cannot
be had), ``savings_plans/REGION``, ``types/REGION``, ``spot/REGION``, ``reserved/REGION``, ``capacity_block/REGION``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pricing.clock import utc_now
from pricing.providers.aws.clients import Clients, called, pages_of, source_error
from pricing.providers.aws.price_list import distil_plan_list, distil_price_list, is_accelerated_type, is_wanted_type
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import Fetched, PartFault, RawPage, Request, SourceError

BULK_URL: Final = "https://pricing.us-east-1.amazonaws.com"
BULK_SERVICE: Final = "/offers/v1.0/aws/AmazonEC2/current/region_index.json"
PLANS_SERVICE: Final = "/savingsPlan/v1.0/aws/AWSComputeSavingsPlan/current/region_index.json"

PRICING_REGION: Final = "us-east-1"
"""The pricing API answers in three regions alone: us-east-1, eu-central-1, ap-south-1."""
CAPACITY_BLOCK_HOURS: Final = (24, 168)
"""A day, the shortest that is sold, and a week."""

TYPES_PER_CALL: Final = 100


Client = Callable[[str, str], Any]
"""Returns a client of a service in a region."""


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask AWS for everything in the wanted regions; what cannot be asked without credentials is skipped and said so."""
    with Http(request) as http, Clients(request) as clients:
        client_of = clients.of if clients.lack is None else None
        regions, regions_fault = _index(http, request, "on_demand")
        if regions_fault is not None and client_of is None:
            yield PartFault.of("on_demand/*", regions_fault)
            return
        wanted = list(request.regions) or [name for name in regions if not name.startswith("us-gov-")]
        opted_in: set[str] | None = None
        if client_of is not None:
            try:
                opted_in = _opted_in(client_of)
            except SourceError as error:
                if not wanted:
                    yield PartFault.of("on_demand/*", error)
        wanted = wanted or sorted(opted_in or ())
        plans, plans_fault = _index(http, request, "savings_plans")
        jobs: dict[str, Callable[[], Iterable[RawPage]]] = {}
        closed: list[str] = []
        for region in wanted:
            jobs[f"on_demand/{region}"] = partial(
                _file_or_api, request, http, client_of, "on_demand", region, regions.get(region)
            )
            if plans_fault is None or client_of is not None:
                jobs[f"savings_plans/{region}"] = partial(
                    _file_or_api, request, http, client_of, "savings_plans", region, plans.get(region)
                )
            # A Local Zone has a price list of its own; the EC2 API tells of it under its parent.
            if client_of is None or not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+", region):
                continue
            if opted_in is not None and region not in opted_in:
                closed.append(region)
                continue
            for what, ask in EC2_PARTS.items():
                jobs[f"{what}/{region}"] = partial(ask, request, client_of, region)
        yield from side_by_side(request, jobs)
        if closed:
            message = (
                f"list prices alone of {len(closed)} regions that the account has not opted into: {', '.join(closed)}"
            )
            yield PartFault(part="regions", status="skipped", reason="not_opted_in", message=message)
        if plans_fault is not None and client_of is None:
            yield PartFault.of("savings_plans/*", plans_fault)
        if clients.lack is not None:
            for part in ("spot/*", "capacity_block/*"):
                yield PartFault.of(part, clients.lack)


def _opted_in(client_of: Client) -> set[str]:
    """Return the regions that the account can ask; in the others every question ends in AuthFailure."""
    answer = called(lambda: client_of("ec2", PRICING_REGION).describe_regions(AllRegions=True))
    return {region["RegionName"] for region in answer["Regions"] if region.get("OptInStatus") != "not-opted-in"}


def _bulk_base(request: Request) -> str:
    return request.settings.get("GPUPLAN_AWS_BULK_URL", BULK_URL).rstrip("/")


def _uses_files(request: Request) -> bool:
    # Someone who points the API at a server of their own, and not the files, means the API.
    return "GPUPLAN_AWS_BULK_URL" in request.settings or "AWS_ENDPOINT_URL_PRICING" not in request.settings


def _path_in(entry: object, name: str) -> str | None:
    """Return the path of a link of an index; None where it has none, which costs that region alone."""
    url = entry.get(name) if isinstance(entry, dict) else None
    return urlsplit(url).path if isinstance(url, str) else None


def _price_lists(regions: dict[str, Any]) -> dict[str, str | None]:
    return {name: _path_in(entry, "currentVersionUrl") for name, entry in regions.items()}


def _plan_lists(regions: list[Any]) -> dict[str, str | None]:
    return {entry.get("regionCode"): _path_in(entry, "versionUrl") for entry in regions}


INDEXES: Final[Mapping[str, tuple[str, str, Callable[[Any], dict[str, str | None]]]]] = {
    "on_demand": ("price list", BULK_SERVICE, _price_lists),
    "savings_plans": ("savings plans", PLANS_SERVICE, _plan_lists),
}
"""Sort of price to the name of its public files, the address of their index, and what reads that."""


def _index(http: Http, request: Request, what: str) -> tuple[dict[str, str | None], SourceError | None]:
    """Return the path of each region's public file, or why there is none."""
    if not _uses_files(request):
        return {}, SourceError("the price list files were not asked", reason="not_asked")
    name, service, read = INDEXES[what]
    try:
        return read(http.get_json(_bulk_base(request) + service)["regions"]), None
    except SourceError as error:
        return {}, error
    except (KeyError, TypeError, AttributeError) as error:
        message = f"the region index of the {name} has another shape than it had: {type(error).__name__} {error}"
        return {}, SourceError(message, reason="shape")


def _page(part: str, kind: str, body: object, url: str) -> RawPage:
    return RawPage(part=part, kind=kind, body=body, url=url, fetched_at=utc_now())


def _file_or_api(
    request: Request, http: Http, client_of: Client | None, what: str, region: str, path: str | None
) -> Iterator[RawPage]:
    """Bring the public file of a region, or ask the API where there is none that can be used."""
    part = f"{what}/{region}"
    name, kind, distil, ask = FILES[what]
    fault = SourceError(f"no {name} file for {region}", reason="missing_region", where=region)
    if path is not None:
        try:
            yield _spooled(request, http, part, kind, path, distil)
        except SourceError as error:
            fault = error
        else:
            return
    if client_of is None:
        raise fault
    yield from ask(request, client_of, region)


def _spooled(
    request: Request, http: Http, part: str, kind: str, path: str, distil: Callable[[Path, Path], None]
) -> RawPage:
    """Bring a file onto disk and keep the few megabytes of it that are read; an odd one is asked for again."""
    url = _bulk_base(request) + path
    whole = request.spool / f"aws-{part.replace('/', '-')}.json"
    target = whole.with_suffix(".jsonl")
    try:
        http.download(url, whole, lambda file: distil(file, target))
    finally:
        whole.unlink(missing_ok=True)
    return _page(part, kind, target, url)


def _products(request: Request, client_of: Client, region: str) -> Iterator[RawPage]:
    client = client_of("pricing", PRICING_REGION)
    filters = {
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
    }
    listed = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()]
    pages = client.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=listed)
    for page in pages_of(request, pages):
        yield _page(f"on_demand/{region}", "products", page["PriceList"], "pricing:GetProducts")


def _plan_rates(request: Request, client_of: Client, region: str) -> Iterator[RawPage]:
    client = client_of("savingsplans", PRICING_REGION)
    arguments: dict[str, Any] = {
        "products": ["EC2"],
        "serviceCodes": ["AmazonEC2"],
        "savingsPlanTypes": ["Compute", "EC2Instance"],
        "operations": ["RunInstances"],
        "filters": [
            {"name": "region", "values": [region]},
            {"name": "tenancy", "values": ["shared"]},
            {"name": "productDescription", "values": ["Linux/UNIX"]},
        ],
        "maxResults": 1000,
    }
    while True:  # boto3 has no paginator for it
        answer = called(lambda: client.describe_savings_plans_offering_rates(**arguments))
        yield _page(
            f"savings_plans/{region}",
            "plan_rates",
            answer["searchResults"],
            "savingsplans:DescribeSavingsPlansOfferingRates",
        )
        request.time_left_s()
        if not answer.get("nextToken"):
            return
        arguments["nextToken"] = answer["nextToken"]


FILES: Final = {
    "on_demand": ("price list", "price_list", distil_price_list, _products),
    "savings_plans": ("savings plan", "plan_list", distil_plan_list, _plan_rates),
}
"""Sort of price to the name and kind of its public file, what keeps of it what is read, and what asks the API instead."""


def _zones(part: str, client: Any) -> RawPage:  # noqa: ANN401 - a boto3 client
    zones = called(lambda: client.describe_availability_zones(AllAvailabilityZones=True))
    return _page(part, "zones", zones["AvailabilityZones"], "ec2:DescribeAvailabilityZones")


def _offered(request: Request, client: Any) -> list[str]:  # noqa: ANN401 - a boto3 client
    """Return the names of all types that are offered somewhere in the client's region."""
    pages = client.get_paginator("describe_instance_type_offerings").paginate(LocationType="region")
    return sorted(
        {entry["InstanceType"] for page in pages_of(request, pages) for entry in page["InstanceTypeOfferings"]}
    )


def _types(request: Request, client_of: Client, region: str) -> Iterator[RawPage]:
    part, client = f"types/{region}", client_of("ec2", region)
    yield _zones(part, client)
    pages = client.get_paginator("describe_instance_type_offerings").paginate(LocationType="availability-zone-id")
    offerings = [entry for page in pages_of(request, pages) for entry in page["InstanceTypeOfferings"]]
    kept = [entry for entry in offerings if is_wanted_type(entry["InstanceType"])]
    yield _page(part, "offerings", kept, "ec2:DescribeInstanceTypeOfferings")
    names = sorted({entry["InstanceType"] for entry in kept})
    for start in range(0, len(names), TYPES_PER_CALL):
        types = _described(client, names[start : start + TYPES_PER_CALL])
        request.time_left_s()
        yield _page(part, "types", types, "ec2:DescribeInstanceTypes")


def _described(client: Any, names: list[str]) -> list[Any]:  # noqa: ANN401 - a boto3 client
    """Describe named types; one that the service does not describe is left out, instead of failing the other 99."""
    from botocore.exceptions import ClientError

    remaining = list(names)
    while remaining:
        try:
            return list(client.describe_instance_types(InstanceTypes=remaining)["InstanceTypes"])
        except ClientError as error:
            unknown = set(re.findall(r"[a-z0-9-]+\.[a-z0-9-]+", str(error))) & set(remaining)
            if error.response["Error"]["Code"] != "InvalidInstanceType" or not unknown:
                raise source_error(error) from error
            remaining = [name for name in remaining if name not in unknown]
        except Exception as error:
            raise source_error(error) from error
    return []


def _spot(request: Request, client_of: Client, region: str) -> Iterator[RawPage]:
    part, client = f"spot/{region}", client_of("ec2", region)
    names = [name for name in _offered(request, client) if is_wanted_type(name)]
    # A region that offers no such type answers, with nothing.
    yield _page(part, "spot", [], "ec2:DescribeSpotPriceHistory")
    # Of hosts the price now is enough; of accelerators the past too, since no one plans on a single reading.
    for wanted, days in (
        ([name for name in names if is_accelerated_type(name)], request.spot_days),
        ([name for name in names if not is_accelerated_type(name)], 0),
    ):
        if not wanted:
            continue
        pages = client.get_paginator("describe_spot_price_history").paginate(
            StartTime=utc_now() - timedelta(days=days),
            ProductDescriptions=["Linux/UNIX"],
            InstanceTypes=wanted,  # named types: a tenth of the rows of a whole region
        )
        for page in pages_of(request, pages):
            yield _page(part, "spot", page["SpotPriceHistory"], "ec2:DescribeSpotPriceHistory")


def _reserved(request: Request, client_of: Client, region: str) -> Iterator[RawPage]:
    client = client_of("ec2", region)
    pages = client.get_paginator("describe_reserved_instances_offerings").paginate(
        IncludeMarketplace=False,  # third parties sell the rest of theirs there
        InstanceTenancy="default",
        ProductDescription="Linux/UNIX",
        Filters=[{"Name": "scope", "Values": ["Region"]}],
    )
    for page in pages_of(request, pages):
        rows = [row for row in page["ReservedInstancesOfferings"] if is_wanted_type(row["InstanceType"])]
        yield _page(f"reserved/{region}", "reserved", rows, "ec2:DescribeReservedInstancesOfferings")


def _capacity_blocks(request: Request, client_of: Client, region: str) -> Iterator[RawPage]:
    part, client = f"capacity_block/{region}", client_of("ec2", region)
    yield _zones(part, client)
    blocks = [name for name in _offered(request, client) if re.match(r"^(p\d|trn\d|u-p\d)", name)]
    described = _described(client, blocks)
    sold = [entry["InstanceType"] for entry in described if "capacity-block" in entry.get("SupportedUsageClasses", [])]
    for name in sold:
        for hours in CAPACITY_BLOCK_HOURS:
            pages = client.get_paginator("describe_capacity_block_offerings").paginate(
                InstanceType=name, InstanceCount=1, CapacityDurationHours=hours
            )
            for page in pages_of(request, pages):
                rows = page["CapacityBlockOfferings"]
                yield _page(part, "capacity_blocks", rows, "ec2:DescribeCapacityBlockOfferings")


EC2_PARTS: Final = {"types": _types, "spot": _spot, "reserved": _reserved, "capacity_block": _capacity_blocks}
"""What the EC2 API is asked in each region."""
