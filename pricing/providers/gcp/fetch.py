"""All the asking of Google Cloud, with its own client libraries over REST.

Parts: ``prices`` alone. A price is a sum over SKUs of the whole catalog, so a page of SKUs that is missing may make any price
too small: all of them answer, or nothing counts. A page of machines that cannot be read costs the machines from there on, of
which nothing is then said to be gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pricing.clock import utc_now
from pricing.providers.client import RETRIED_STATUSES, TryAgainError, brief, retried, retry_after_s
from pricing.providers.contract import Fetched, PartFault, RawPage, Request, SourceError, client_library, is_loopback

COMPUTE_URL: Final = "https://compute.googleapis.com"
BILLING_URL: Final = "https://cloudbilling.googleapis.com"
COMPUTE_ENGINE: Final = "services/6F81-5844-456A"
PART: Final = "prices"
PAGE_SIZE: Final = 5000
MACHINES_PER_PAGE: Final = 500


def fetch(request: Request) -> Iterator[Fetched]:
    """Ask for machine types, accelerator types and SKUs; without credentials the part is skipped."""
    try:
        for kind in LISTS:
            yield from _aggregated(request, kind)
        yield from _skus(request)
    except SourceError as error:
        yield PartFault.of(PART, error)


def _page(kind: str, rows: list[dict[str, Any]], url: str) -> RawPage:
    return RawPage(part=PART, kind=kind, body=rows, url=url, fetched_at=utc_now())


def _client(request: Request, name: str, setting: str) -> tuple[Any, str]:
    """Return a client over REST and its project; anonymous on this machine's own address."""
    with client_library():
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import billing_v1, compute_v1
    url = request.settings.get(setting, "")
    project = request.settings.get("GOOGLE_CLOUD_PROJECT", "")
    if is_loopback(url):
        credentials: Any = AnonymousCredentials()
    else:
        try:
            credentials, own_project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        except GoogleAuthError as error:
            hint = "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"
            raise SourceError("needs Google Cloud credentials", reason="credentials", hint=hint) from error
        project = project or own_project or ""
    if not project and not is_loopback(url):
        raise SourceError(
            "needs a project to list machine types", reason="credentials", hint="set GOOGLE_CLOUD_PROJECT"
        )
    options = {"api_endpoint": url} if url else {}
    if name == "CloudCatalogClient":
        return billing_v1.CloudCatalogClient(credentials=credentials, client_options=options, transport="rest"), ""
    client = getattr(compute_v1, name)(credentials=credentials, client_options=options, transport="rest")
    return client, project or "gpuplan"


def _asked(request: Request, ask: Callable[[float], Any]) -> Any:  # noqa: ANN401 - a pager
    """Ask for one page. The library's own retries do not honour `Retry-After`, so they are off and ours are on."""
    import requests.exceptions as transport
    from google.api_core import exceptions as faults
    from google.auth.exceptions import RefreshError, TransportError
    from google.protobuf.json_format import ParseError

    def once(timeout_s: float) -> Any:  # noqa: ANN401  an answer of Google's client
        try:
            return ask(timeout_s)
        except faults.GoogleAPICallError as error:
            status = int(error.code or 0)
            if status not in RETRIED_STATUSES:
                raise SourceError(f"Google answered {status}: {error.message}", reason=f"http_{status}") from error
            headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
            pause_s = retry_after_s(headers.get("Retry-After"))
            raise TryAgainError(f"Google answered {status}", f"http_{status}", pause_s) from error
        except RefreshError as error:
            raise SourceError(f"Google refused the credentials: {error}", reason="refused") from error
        except (transport.Timeout, TimeoutError) as error:
            raise TryAgainError(f"no answer within {timeout_s:.0f} s", "timeout") from error
        except (transport.ChunkedEncodingError, transport.ContentDecodingError) as error:
            raise TryAgainError(f"the answer breaks off: {error}", "truncated") from error
        except (transport.RequestException, TransportError) as error:
            raise TryAgainError(f"cannot be reached: {brief(error)}", "unreachable") from error
        except (ParseError, ValueError) as error:  # a page of HTML, or JSON that is not the service's model
            raise TryAgainError(f"the answer cannot be read: {brief(error)}", "truncated") from error

    return retried(request, once)


def _answers(request: Request, method: Any, ask_type: Any, **arguments: object) -> Iterator[Any]:  # noqa: ANN401 - of the library
    """Yield page by page, by their tokens: a pager's own walk of SKUs is the first page alone."""
    token = ""

    def ask(timeout_s: float) -> Any:  # noqa: ANN401 - a pager
        return method(request=ask_type(page_token=token, **arguments), retry=None, timeout=timeout_s)

    while True:
        answer = next(iter(_asked(request, ask).pages))
        yield answer
        token = answer.next_page_token
        if not token:
            return


def _aggregated(request: Request, kind: str) -> Iterator[RawPage]:
    """Ask for all pages of one of the `LISTS`."""
    client_name, rows_of = LISTS[kind]
    client, project = _client(request, f"{client_name}Client", "GPUPLAN_GCP_COMPUTE_URL")
    from google.cloud import compute_v1

    ask_type, page_count = getattr(compute_v1, f"AggregatedList{client_name}Request"), 0
    with client:
        answers = _answers(request, client.aggregated_list, ask_type, project=project, max_results=MACHINES_PER_PAGE)
        try:
            for answer in answers:
                rows = [row for place, scoped in answer.items.items() for row in rows_of(place, _whole(place, scoped))]
                yield _page(kind, rows, f"compute:{kind}.aggregatedList")
                page_count += 1
        except SourceError as error:
            if error.reason != "truncated" or (kind == "machines" and not page_count):
                raise
            # The odd page kept to itself which one is next.
            yield _page("unread", [{"list": kind, "message": str(error)}], f"compute:{kind}.aggregatedList")


def _whole(place: str, scoped: Any) -> Any:  # noqa: ANN401 - a protocol buffer
    """Return what a place answered; refuse a part of it."""
    if scoped.warning.code not in {"", "NO_RESULTS_ON_PAGE"}:
        raise SourceError(f"{place} answered in part: {scoped.warning.message}", reason="partial")
    return scoped


def _machine_rows(place: str, scoped: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a protocol buffer
    return [
        {
            "name": machine.name,
            "zone": place.removeprefix("zones/"),
            "guestCpus": machine.guest_cpus,
            "memoryMb": machine.memory_mb,
            "architecture": machine.architecture,
            "localSsdCount": machine.bundled_local_ssds.partition_count,
            "deprecated": machine.deprecated.state,
            "accelerators": [
                [chip.guest_accelerator_type, chip.guest_accelerator_count] for chip in machine.accelerators
            ],
        }
        for machine in scoped.machine_types
    ]


def _accelerator_rows(place: str, scoped: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a protocol buffer
    zone = place.removeprefix("zones/")
    return [
        {"name": chip.name, "zone": zone, "most": chip.maximum_cards_per_instance} for chip in scoped.accelerator_types
    ]


LISTS: Final = {
    "machines": ("MachineTypes", _machine_rows),
    "accelerators": ("AcceleratorTypes", _accelerator_rows),
}
"""Kind of page to the name of its service, and to what reads its rows."""


def _skus(request: Request) -> Iterator[RawPage]:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    client, _ = _client(request, "CloudCatalogClient", "GPUPLAN_GCP_BILLING_URL")
    from google.cloud import billing_v1

    arguments = {"parent": COMPUTE_ENGINE, "page_size": PAGE_SIZE, "currency_code": "USD"}
    with client:
        for answer in _answers(request, client.list_skus, billing_v1.ListSkusRequest, **arguments):
            yield _page("skus", [_sku_row(sku) for sku in answer.skus], "cloudbilling:skus.list")


def _since(info: Any) -> datetime:  # noqa: ANN401 - a protocol buffer
    return info.effective_time or datetime.min.replace(tzinfo=UTC)


def _is_to_come(info: object, now: datetime) -> bool:
    return _since(info) > now + timedelta(days=1)


def _sku_row(sku: Any) -> dict[str, Any]:  # noqa: ANN401 - a protocol buffer
    row: dict[str, Any] = {
        "skuId": sku.sku_id,
        "description": sku.description,
        "usageType": sku.category.usage_type,
        "resourceGroup": sku.category.resource_group,
        "regions": list(sku.service_regions),
    }
    if sku.pricing_info:
        now = utc_now().replace(tzinfo=UTC)
        # A timeline: the last price that holds already, of which the clock of another machine decides.
        price = max(sku.pricing_info, key=lambda info: (not _is_to_come(info, now), _since(info)))
        # A price by tiers begins with an amount that is free, where there is such.
        tiers = sorted(price.pricing_expression.tiered_rates, key=lambda rate: float(rate.start_usage_amount))
        paid = [rate for rate in tiers if rate.unit_price.units or rate.unit_price.nanos]
        row["usageUnit"] = price.pricing_expression.usage_unit
        row["effectiveOn"] = price.effective_time.date().isoformat() if price.effective_time else ""
        row["isToCome"] = _is_to_come(price, now)
        row["rates"] = [
            [rate.start_usage_amount, rate.unit_price.currency_code, rate.unit_price.units, rate.unit_price.nanos]
            for rate in paid or tiers
        ]
    return row
