"""What every adapter has to stand: one suite, driven through the real client code against a cloud on the loopback."""

from __future__ import annotations

import io
import json
import math
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pricing.facts.offers import Offer
from pricing.providers import PROVIDERS, load_provider
from pricing.refresh.gates import judge
from tests.loopback.aws import AwsCloud
from tests.loopback.azure import AzureCloud
from tests.loopback.clouds import CLOUDS
from tests.loopback.gcp import GcpCloud
from tests.loopback.gpuhunt import GpuhuntCatalogs, zipped
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.listed import ListedCloud
from tests.loopback.runpod import RunpodCloud
from tests.loopback.server import Fault, LoopbackServer
from tests.pricing.providers.conftest import Ask

FIXTURES = Path(__file__).parents[2] / "fixtures"
Change = Callable[[Any], None]


@dataclass(frozen=True)
class Case:
    """How one cloud is made to misbehave.

    Attributes
    ----------
    price_ask : str
        What the questions that bring prices have in common.
    priced_type : str
        An instance type whose price is changed.
    zero, double, currency : callable
        Make its price zero; tell it twice with two prices; tell it in another currency (None where the service has no such word).
    shape : callable
        Another body, in which a field that is read goes by another name.
    unknown_type : str
        A type whose accelerator nobody knows.
    second_asks : tuple of str
        What is asked where the first questions are answered badly.
    """

    price_ask: str
    priced_type: str
    zero: Change
    double: Change
    currency: Change | None
    shape: Callable[[bytes], bytes]
    unknown_type: str
    second_asks: tuple[str, ...] = ()

    def faults(self, **fields: Any) -> list[Fault]:
        """Return a fault of every question that brings prices."""
        return [Fault(match=match, **fields) for match in (self.price_ask, *self.second_asks)]


def renamed(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(old.encode(), new.encode())


def aws_zero(cloud: AwsCloud) -> None:
    cloud.prices["products"][2]["on_demand"] = "0.0000000000"


def aws_double(cloud: AwsCloud) -> None:
    cloud.prices["products"].append(
        cloud.prices["products"][2] | {"sku": "G6AGAIN", "on_demand": "0.9100000000", "reserved": {}}
    )


def gcp_zero(cloud: GcpCloud) -> None:
    for sku in cloud.skus:
        if sku["description"] == "Nvidia L4 GPU running in Americas":
            sku["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"] = {
                "currencyCode": "USD",
                "units": "0",
                "nanos": 0,
            }


def gcp_double(cloud: GcpCloud) -> None:
    (sku,) = [sku for sku in cloud.skus if sku["description"] == "Nvidia L4 GPU running in Americas"]
    again = json.loads(json.dumps(sku)) | {"skuId": "SKU-AGAIN"}
    again["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]["nanos"] = 610_000_000
    cloud.skus.append(again)


def gcp_currency(cloud: GcpCloud) -> None:
    for sku in cloud.skus:
        sku["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]["currencyCode"] = "EUR"


def azure_zero(cloud: AzureCloud) -> None:
    for row in cloud.items:
        if row["armSkuName"] == "Standard_NC4as_T4_v3":
            row["retailPrice"] = 0.0


def azure_double(cloud: AzureCloud) -> None:
    # The service tells superseded and placeholder prices beside the right one; the reader has a rule for them.
    cloud.items.extend(
        row | {"retailPrice": 0.001} for row in list(cloud.items) if row["armSkuName"] == "Standard_NC4as_T4_v3"
    )


def azure_currency(cloud: AzureCloud) -> None:
    for row in cloud.items:
        row["currencyCode"] = "EUR"


def runpod_zero(cloud: RunpodCloud) -> None:
    for row in cloud.types:
        if row["id"] == "NVIDIA GeForce RTX 4090":
            row["securePrice"] = row["communityPrice"] = 0.0


def runpod_double(cloud: RunpodCloud) -> None:
    cloud.types.append(cloud.types[0] | {"securePrice": 4.29})


def lambda_zero(cloud: LambdaCloud) -> None:
    cloud.types["gpu_1x_a10"]["instance_type"]["price_cents_per_hour"] = 0


def lambda_double(cloud: LambdaCloud) -> None:
    again = json.loads(json.dumps(cloud.types["gpu_1x_a10"]))
    again["instance_type"]["price_cents_per_hour"] = 175
    cloud.types["gpu_1x_a10_again"] = again


def listed(
    price_ask: str,
    priced_type: str,
    unknown_type: str,
    rows: list[str],
    name: str,
    prices: list[str],
    row: str = "",
    currency: str = "",
) -> Case:
    """Return the case that a fixture folder tells.

    Parameters
    ----------
    price_ask, priced_type, unknown_type : str
        As in `Case`.
    rows : list of str
        Where the list of prices stands: the answer, and the keys within.
    name, prices, currency : str
        Fields of its rows.
    row : str
        What the priced type is called there, where it is another name.
    """

    def all_rows(cloud: ListedCloud) -> list[dict[str, Any]]:
        found = cloud.body(rows[0])
        for key in rows[1:]:
            found = found[key]
        return found  # type: ignore[no-any-return]

    def priced(cloud: ListedCloud) -> list[dict[str, Any]]:
        return [told for told in all_rows(cloud) if told[name] == (row or priced_type)]

    def zero(cloud: ListedCloud) -> None:
        for told in priced(cloud):
            told.update({field: type(told[field])(0) for field in prices})

    def double(cloud: ListedCloud) -> None:
        all_rows(cloud).extend([told | {field: type(told[field])(99) for field in prices} for told in priced(cloud)])

    def foreign(cloud: ListedCloud) -> None:
        for told in all_rows(cloud):
            told[currency] = "eur"

    shape = renamed(f'"{prices[0]}"', '"amount"')
    return Case(price_ask, priced_type, zero, double, foreign if currency else None, shape, unknown_type)


def oci_items(cloud: ListedCloud) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cloud.body("/pls/apex/cetools/api/v1/products/?currencyCode=USD")["items"]
    return items


def oci_zero(cloud: ListedCloud) -> None:
    for item in oci_items(cloud):
        if item["partNumber"] == "B110519":
            item["currencyCodeLocalizations"][0]["prices"][0]["value"] = 0


def oci_double(cloud: ListedCloud) -> None:
    again = json.loads(json.dumps([item for item in oci_items(cloud) if item["partNumber"] == "B110519"]))
    again[0]["currencyCodeLocalizations"][0]["prices"][0]["value"] = 11
    oci_items(cloud).extend(again)


def oci_currency(cloud: ListedCloud) -> None:
    for item in oci_items(cloud):
        item["currencyCodeLocalizations"][0]["currencyCode"] = "EUR"


def scaleway_zero(cloud: ListedCloud) -> None:
    cloud.body("/instance/v1/zones/pl-waw-2/products/servers?page=1")["servers"]["L40S-4-48G"]["hourly_price"] = 0


def scaleway_double(cloud: ListedCloud) -> None:
    first, second = (
        cloud.body(f"/instance/v1/zones/fr-par-2/products/servers?page={page}")["servers"] for page in (1, 2)
    )
    second["H100-1-80G"] = first["H100-1-80G"] | {"hourly_price": 3.1}


def catalog(seller: str, priced_type: str, unknown_type: str) -> Case:
    """Return the case of a seller whose prices gpuhunt publishes."""

    def changed(change: Callable[[list[str]], list[str]]) -> Change:
        def apply(cloud: GpuhuntCatalogs) -> None:
            head, *lines = cloud.catalogs[seller].splitlines(keepends=True)
            cloud.catalogs[seller] = "".join([head, *change(lines)])

        return apply

    def of_type(line: str) -> bool:
        return line.startswith(f"{priced_type},")

    def priced_at(line: str, price: str) -> str:
        fields = line.split(",")
        return ",".join([*fields[:2], price, *fields[3:]])

    def shape(body: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return zipped(seller, archive.read(f"{seller}.csv").decode().replace("price", "amount"))

    return Case(
        f"{seller}/20",
        priced_type,
        changed(lambda lines: [priced_at(line, "0.0") if of_type(line) else line for line in lines]),
        changed(lambda lines: [*lines, *(priced_at(line, "99.0") for line in lines if of_type(line))]),
        None,
        shape,
        unknown_type,
    )


CASES = {
    "aws": Case("us-east-1/index.json", "g6.xlarge", aws_zero, aws_double, None, renamed('"priceDimensions"', '"rates"'), "trn9.2xlarge", ("GetProducts", "OfferingRates")),
    "gcp": Case("/skus", "g2-standard-4", gcp_zero, gcp_double, gcp_currency, renamed('"usageUnit": "h"', '"usageUnit": "d"'), ""),
    "azure": Case(
        "/api/retail/prices", "Standard_NC4as_T4_v3", azure_zero, azure_double, azure_currency,
        renamed('"retailPrice"', '"price"'), "Standard_ND96isrf_B400_v9",
    ),
    "runpod": Case("/graphql", "NVIDIA GeForce RTX 4090", runpod_zero, runpod_double, None, renamed("securePrice", "price"), "Sampo Q9"),
    "lambda": Case("/instance-types", "gpu_1x_a10", lambda_zero, lambda_double, None, renamed("price_cents_per_hour", "price"), "gpu_1x_zeta9"),
    "oci": Case("/products/", "BM.GPU.H200.8", oci_zero, oci_double, oci_currency, renamed('"prices"', '"rates"'), "Z9000 (per GPU)"),
    "scaleway": Case(
        "/zones/", "L40S-4-48G", scaleway_zero, scaleway_double, None, renamed('"hourly_price"', '"price"'), "ZETA9-1-96G"
    ),
    **{
        path.parent.name: listed(**told["case"])
        for path in sorted(FIXTURES.glob("*/cloud.json"))
        if "case" in (told := json.loads(path.read_text()))
    },
    "nebius": catalog("nebius", "gpu-b200-sxm 8gpu-160vcpu-1792gb", "gpu-zeta9 1gpu-16vcpu-200gb"),
    "cloudrift": catalog("cloudrift", "rtx59-16c-nr.1", "zeta9-8c.1"),
}  # fmt: skip


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name == "aws" else name for name in CASES])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cloud(name: str) -> Iterator[LoopbackServer]:
    with CLOUDS[name]() as running:
        yield running


def test_every_adapter_has_fixtures_a_cloud_and_this_suite() -> None:
    asked = set(PROVIDERS) - {"rate_card"}  # asks no one; it has a suite of its own
    assert asked == set(CLOUDS) == set(CASES)
    for name in PROVIDERS:
        assert any((FIXTURES / name).iterdir()), f"tests/fixtures/{name} is empty"


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_fixture_says_whether_it_was_recorded_or_written_by_hand(path: Path) -> None:
    label = json.loads(path.read_text())["_about"]
    assert "by hand" in label or "recorded" in label


def test_a_whole_answer_becomes_offers_with_their_source(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    gathered = ask(name, cloud)
    assert not gathered.faults
    assert not gathered.refused
    assert len(gathered.offers) >= 5
    provider = load_provider(name)
    assert set(provider.anchors) <= {offer.instance_type for offer in gathered.offers}
    for offer in gathered.offers:
        assert offer.provider == name
        assert offer.price_usd_per_hour > 0
        assert offer.source
        assert offer.part in {page.part for page in gathered.pages}
        assert offer.adapter_version == provider.version


def test_what_passes_the_adapter_passes_the_gates(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    judged = judge(ask(name, cloud).offers)
    assert not judged.refused
    assert not judged.faults


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again(name: str, status: int, cloud: LoopbackServer, ask: Ask) -> None:
    cloud.faults.append(Fault(match=CASES[name].price_ask, status=status, times=2))
    gathered = ask(name, cloud)
    assert not gathered.faults
    assert gathered.offers


@pytest.mark.slow
def test_a_pause_that_the_server_asks_for_is_kept(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    cloud.faults.append(Fault(match=CASES[name].price_ask, status=429, headers={"Retry-After": "1"}))
    start = time.monotonic()
    gathered = ask(name, cloud)
    assert not gathered.faults
    assert time.monotonic() - start >= 1.0


def test_a_pause_longer_than_the_time_left_is_a_fault_at_once(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    cloud.faults.append(Fault(match=CASES[name].price_ask, status=429, headers={"Retry-After": "3600"}, times=99))
    start = time.monotonic()
    gathered = ask(name, cloud, seconds=20)
    is_told = any("429" in fault.reason for fault in gathered.faults)
    assert is_told or (name == "aws" and gathered.offers)  # AWS's pricing API answers in place of its files
    assert time.monotonic() - start < 15


def test_a_reply_that_breaks_off_once_is_asked_again(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    whole = len(ask(name, cloud).offers)
    cloud.faults.append(Fault(match=CASES[name].price_ask, cut_bytes=50))
    gathered = ask(name, cloud)
    assert not gathered.faults
    assert len(gathered.offers) == whole


def test_a_reply_that_always_breaks_off_is_a_failed_part_and_no_smaller_catalogue(
    name: str, cloud: LoopbackServer, ask: Ask
) -> None:
    cloud.faults += CASES[name].faults(cut_bytes=50, times=999)
    gathered = ask(name, cloud)
    assert gathered.reasons() & {"truncated", "unreachable"}
    broken = {fault.part for fault in gathered.faults}
    assert not [offer for offer in gathered.offers if offer.part in broken]


def test_a_page_that_is_missing_in_the_middle_fails_the_part(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    cloud.faults += CASES[name].faults(skip=1, status=500, times=999)
    gathered = ask(name, cloud)
    if not gathered.faults:  # one answer holds all, so the second question is another refresh's
        gathered = ask(name, cloud)
    assert any("500" in fault.reason or fault.reason == "answered_with_error" for fault in gathered.faults)
    broken = {fault.part for fault in gathered.faults}
    assert not [offer for offer in gathered.offers if offer.part in broken]


def test_an_answer_of_another_shape_is_a_fault_and_no_offer_at_all(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    cloud.faults.append(Fault(match=CASES[name].price_ask, change=CASES[name].shape, times=999))
    gathered = ask(name, cloud)
    assert "shape" in gathered.reasons()
    broken = {fault.part for fault in gathered.faults}
    assert not [offer for offer in gathered.offers if offer.part in broken]


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"<html>down for maintenance</html>"])
def test_an_answer_of_no_shape_at_all_is_a_fault_and_no_surprise(
    name: str, body: bytes, cloud: LoopbackServer, ask: Ask
) -> None:
    cloud.faults += CASES[name].faults(change=lambda _: body, times=999)
    gathered = ask(name, cloud)
    faults = [*gathered.faults, *judge(gathered.offers, gathered.refused).faults]
    assert faults
    assert {fault.reason for fault in faults} <= {"shape", "truncated", "unreachable", "empty", "too_many_refused"}
    broken = {fault.part for fault in faults}
    assert not [offer for offer in gathered.offers if offer.part in broken]


def test_a_price_of_zero_never_becomes_an_offer(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    case = CASES[name]
    had = {offer.region for offer in ask(name, cloud).offers if offer.instance_type == case.priced_type}
    assert had
    case.zero(cloud)
    offers = [offer for offer in ask(name, cloud).offers if offer.instance_type == case.priced_type]
    assert all(offer.price_usd_per_hour > 0.01 for offer in offers)
    plain = [offer for offer in offers if offer.purchase_option == "on_demand"]
    assert {offer.region for offer in plain} < had or name == "gcp"


def test_a_thing_with_two_prices_is_an_error_and_never_the_last_one(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    case = CASES[name]
    right = {offer.price_usd_per_hour for offer in ask(name, cloud).offers if offer.instance_type == case.priced_type}
    case.double(cloud)
    gathered = ask(name, cloud)
    judged = judge(gathered.offers, gathered.refused)
    told = {fault.reason for fault in judged.faults} | {row.reason for row in judged.refused} | gathered.reasons()
    left = {offer.price_usd_per_hour for offer in judged.offers if offer.instance_type == case.priced_type}
    assert left <= right
    # Two have a rule: of Azure's prices the newest that holds, of one day the larger; of a market's asks the lowest.
    assert "duplicate" in told or name in {"azure", "vast"}


def test_another_currency_is_a_fault(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    change = CASES[name].currency
    if change is None:
        if name != "aws":
            pytest.skip("the service names no currency: its prices are USD by its own documentation")
        cloud.faults.append(Fault(match="index.json", change=renamed('"USD"', '"CNY"'), times=99))
    else:
        change(cloud)
    gathered = ask(name, cloud)
    assert any("currency" in fault.message for fault in gathered.faults)


def test_an_accelerator_that_nobody_knows_is_kept_and_told(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    unknown = CASES[name].unknown_type
    if not unknown:
        cloud.machines["machineTypes"]["g2-standard-4"]["accelerators"][0]["guestAcceleratorType"] = "vendor-z1"  # type: ignore[attr-defined]
        gathered = ask(name, cloud)
        # Without a SKU that prices it there is no price, and a host alone is not one.
        assert not [offer for offer in gathered.offers if offer.instance_type == "g2-standard-4"]
        return
    (offer, *_) = [offer for offer in ask(name, cloud).offers if offer.instance_type == unknown]
    assert offer.accelerator is None
    assert offer.accelerator_stated
    assert offer.accelerator_count > 0
    assert "accelerator_unknown" in offer.flags


@pytest.mark.slow
def test_a_server_that_says_nothing_is_left_at_the_time_limit(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    cloud.faults.append(Fault(match=CASES[name].price_ask, delay_s=30, times=999))
    start = time.monotonic()
    gathered = ask(name, cloud, seconds=4)
    assert time.monotonic() - start < 20
    assert gathered.reasons() & {"time_limit", "timeout"}


def test_a_connection_that_is_refused_is_told(name: str, ask: Ask) -> None:
    with CLOUDS[name]() as cloud:
        settings = cloud.settings()
    gathered = ask(name, settings=settings)
    assert not gathered.offers
    assert gathered.reasons() == {"unreachable"}


def test_reading_the_same_pages_twice_gives_the_same_offers(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    gathered = ask(name, cloud)
    again = [row for row in load_provider(name).normalize(gathered.pages) if isinstance(row, Offer)]
    assert again == gathered.offers


def test_effective_prices_are_finite(name: str, cloud: LoopbackServer, ask: Ask) -> None:
    assert all(math.isfinite(offer.price_usd_per_hour + offer.upfront_usd) for offer in ask(name, cloud).offers)
