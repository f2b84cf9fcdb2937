"""All the asking of Azure: the Retail Prices API region by region, and the sizes of a subscription.

Parts: ``prices/REGION`` and ``sizes``. A walk by pages over data that is republished while it goes loses rows, so the walk is
kept short: one region at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from pricing.clock import utc_now
from pricing.providers.client import Http, brief, side_by_side
from pricing.providers.contract import Fetched, RawPage, Request, SourceError, client_library, is_loopback

RETAIL_URL: Final = "https://prices.azure.com"
RETAIL_PATH: Final = "/api/retail/prices"
MANAGEMENT_URL: Final = "https://management.azure.com"
API_VERSION: Final = "2023-01-01-preview"
"""The version that tells savings plans."""

WORKERS: Final = 6
"""Walks at once; the service asks heavier callers to slow down."""

MOST_PAGES: Final = 200

_WANTED: Final = re.compile(r"^Standard_(N[CDGV]C?\d+|D\d+a?l?d?p?s_v[5-7]$|F\d+[a-z]*s_v[2-7]$)")

KEPT: Final = """
    armSkuName armRegionName skuName meterName meterId productName retailPrice unitOfMeasure type
    effectiveStartDate effectiveEndDate reservationTerm savingsPlan isPrimaryMeterRegion currencyCode skuId tierMinimumUnits
""".split()
"""The fields of a price that are read: a region's answer is thirty times larger."""


def is_wanted_size(name: str) -> bool:
    """Return whether a size has an accelerator, or is of a CPU family that is compared with.

    Examples
    --------
    >>> [is_wanted_size(n) for n in ("Standard_ND96isr_H100_v5", "Standard_D16s_v5", "Standard_NC4as_T4_v3", "Standard_B2s")]
    [True, True, True, False]
    """
    return bool(_WANTED.match(name))


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for sizes, where there is a subscription, and for the prices of each region."""
    locations: set[str] = set()
    # All pages of sizes or none: half of them would tell half of the regions. Prices need no sizes.
    for answer in side_by_side(request, {"sizes": partial(_sizes, request)}):
        if isinstance(answer, RawPage):
            locations.update(place.lower() for row in answer.body for place in row["locations"])
        yield answer
    wanted = list(request.regions) or sorted(locations) or _known_regions()
    with Http(request) as http:
        jobs = {f"prices/{name}": partial(_prices, request, http, name) for name in wanted}
        yield from side_by_side(request, jobs, workers=WORKERS)


def _prices(request: Request, http: Http, region: str) -> Iterator[RawPage]:
    base = (
        request.settings.get("GPUPLAN_AZURE_RETAIL_URL", RETAIL_URL).rstrip("/").removesuffix(RETAIL_PATH) + RETAIL_PATH
    )
    query: dict[str, str] = {
        "api-version": API_VERSION,
        "currencyCode": "USD",
        # The values of a filter are case-sensitive.
        "$filter": f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}'",
    }
    for _ in range(MOST_PAGES):
        answer = http.get_json(base, query)
        if not isinstance(answer, dict) or not isinstance(answer.get("Items"), list):
            raise SourceError("the answer has no Items", reason="shape", where=base)
        rows = [
            {name: row[name] for name in KEPT if name in row}
            for row in answer["Items"]
            if is_wanted_size(str(row.get("armSkuName", "")).strip())
        ]
        yield RawPage(part=f"prices/{region}", kind="prices", body=rows, url=base, fetched_at=utc_now())
        following = answer.get("NextPageLink")
        if not following:
            return
        # Followed at the address that was asked: the link names the service's own host.
        query = dict(parse_qsl(urlsplit(following).query, keep_blank_values=True))
        if query.get("$top") == "0":  # the service writes this into its own links, and refuses it
            del query["$top"]
        request.time_left_s()
    raise SourceError(f"the walk did not end after {MOST_PAGES} pages", reason="endless", where=base)


class _LoopbackCredential:
    """A token that means nothing, for this machine's own address."""

    def get_token(self, *_scopes: str, **_arguments: Any) -> Any:  # noqa: ANN401 - azure.core is imported late
        from azure.core.credentials import AccessToken

        return AccessToken("loopback", round(utc_now().replace(tzinfo=UTC).timestamp()) + 3600)


def _sizes(request: Request) -> Iterator[RawPage]:
    url = request.settings.get("GPUPLAN_AZURE_MANAGEMENT_URL", "")
    subscription = request.settings.get("AZURE_SUBSCRIPTION_ID", "")
    if not subscription and not is_loopback(url):
        message = "sizes and restrictions need AZURE_SUBSCRIPTION_ID and a credential; prices were had without"
        raise SourceError(message, reason="credentials")
    with client_library():
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
        from azure.identity import DefaultAzureCredential
        from azure.mgmt.compute import ComputeManagementClient
    from pricing.providers.client import FIRST_PAUSE_S, TRIES

    credential: Any = _LoopbackCredential() if is_loopback(url) else DefaultAzureCredential()
    client = ComputeManagementClient(
        credential,
        subscription or "00000000-0000-0000-0000-000000000000",
        base_url=url or MANAGEMENT_URL,
        retry_total=TRIES,
        retry_backoff_factor=FIRST_PAUSE_S,
        connection_timeout=15,
        read_timeout=60,
    )
    # A bearer token is not sent over http but where this is said, and it counts for one call alone.
    arguments: dict[str, Any] = {"enforce_https": False} if is_loopback(url) else {}
    try:
        for page in client.resource_skus.list(**arguments).by_page():
            rows = [
                _size_row(size)
                for size in page
                if size.resource_type == "virtualMachines" and is_wanted_size(size.name or "")
            ]
            yield RawPage(part="sizes", kind="sizes", body=rows, url="compute:resourceSkus", fetched_at=utc_now())
            request.time_left_s()
    except ClientAuthenticationError as error:
        raise SourceError(f"Azure refused the credentials: {error.message}", reason="refused") from error
    except HttpResponseError as error:
        if error.status_code is None:
            raise SourceError(f"Azure's answer breaks off: {brief(error)}", reason="truncated") from error
        raise SourceError(
            f"Azure answered {error.status_code}: {error.reason}", reason=f"http_{error.status_code}"
        ) from error
    except AzureError as error:
        raise SourceError(f"Azure could not be read: {error.message}", reason="unreachable") from error
    finally:
        client.close()


def _size_row(size: Any) -> dict[str, Any]:  # noqa: ANN401 - a model of the SDK
    return {
        "name": size.name,
        "family": size.family or "",
        "locations": list(size.locations or []),
        "capabilities": {capability.name: capability.value for capability in size.capabilities or []},
        "restrictions": [
            {
                "type": _word(limit.type),
                "reason": _word(limit.reason_code),
                "locations": list((limit.restriction_info.locations if limit.restriction_info else None) or []),
            }
            for limit in size.restrictions or []
        ],
    }


def _word(value: object) -> str:
    return str(getattr(value, "value", value) or "")


def _known_regions() -> list[str]:
    """Return the regions among the facts, for use without a list from Azure."""
    from pricing.facts.regions import regions

    return sorted(region for name, region in regions() if name == "azure" and region != "global")
