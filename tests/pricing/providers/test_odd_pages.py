"""One odd answer costs its own part: HTML, nothing, a cut body, other JSON."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pricing.facts.offers import Launchable
from pricing.refresh.gates import judge
from tests.loopback.aws import AwsCloud
from tests.loopback.azure import AzureCloud
from tests.loopback.runpod import RunpodCloud
from tests.loopback.server import Fault
from tests.pricing.providers.conftest import Ask, Gathered

ODD: dict[str, Callable[[bytes], bytes]] = {
    "HTML": lambda _: b"<!DOCTYPE html><html><body>Down for maintenance</body></html>",
    "nothing": lambda _: b"",
    "cut": lambda body: body[: len(body) // 2],
    "an object": lambda _: b"{}",
    "a list": lambda _: b"[1, 2]",
    "a number": lambda _: b"7",
}


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    return ODD[request.param]


def parts(gathered: Gathered, status: str = "failed") -> set[str]:
    return {fault.part for fault in gathered.faults if fault.status == status}


@pytest.mark.slow
@pytest.mark.parametrize("has_credentials", [True, False])
def test_an_odd_region_file_of_aws_costs_that_region_and_the_api_answers_for_it(
    odd: Callable[[bytes], bytes], has_credentials: bool, ask: Ask
) -> None:
    with AwsCloud() as cloud:
        cloud.faults.append(Fault(match="us-east-1/index.json", change=odd, times=999))
        settings = cloud.settings() if has_credentials else {"GPUPLAN_AWS_BULK_URL": cloud.url}
        gathered = ask("aws", settings=settings)
    assert "surprise" not in gathered.reasons()
    in_east = {offer.source for offer in gathered.offers if offer.part == "on_demand/us-east-1"}
    assert any(offer.part == "on_demand/eu-west-1" for offer in gathered.offers)
    if has_credentials:
        assert in_east == {"AWS pricing:GetProducts"}
        assert not parts(gathered)
    else:
        assert parts(gathered) == {"on_demand/us-east-1", "savings_plans/us-east-1"}
        assert not in_east


def test_an_odd_file_that_is_right_the_second_time_is_read(ask: Ask) -> None:
    with AwsCloud() as cloud:
        settings = {"GPUPLAN_AWS_BULK_URL": cloud.url}
        cloud.faults.append(Fault(match="us-east-1/index.json", change=ODD["HTML"]))
        gathered = ask("aws", settings=settings, regions=("us-east-1",))
    assert not parts(gathered)
    assert gathered.the("p5.48xlarge", "on_demand").price_usd_per_hour == 55.04


@pytest.mark.slow
def test_azures_prices_need_no_sizes(odd: Callable[[bytes], bytes], ask: Ask) -> None:
    with AzureCloud() as cloud:
        cloud.faults.append(Fault(match="Microsoft.Compute/skus", change=odd, times=999))
        gathered = ask("azure", cloud, regions=("eastus", "westeurope"))
    assert parts(gathered) <= {"sizes"}
    offer = gathered.the("Standard_ND96isr_H100_v5", "on_demand", "eastus")
    assert (offer.accelerator, offer.accelerator_count, offer.launchable) == ("H100-SXM", 8.0, Launchable.UNKNOWN)


@pytest.mark.slow
def test_sizes_that_break_off_at_a_later_page_cost_no_region(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricing.providers.azure.fetch._known_regions", lambda: ["eastus", "westeurope"])
    with AzureCloud() as cloud:
        cloud.faults.append(Fault(match="Microsoft.Compute/skus", skip=1, cut_bytes=40, times=999))
        gathered = ask("azure", cloud)
    (fault,) = gathered.faults
    assert (fault.part, fault.reason) == ("sizes", "truncated")
    assert "None" not in fault.message
    assert {offer.region for offer in gathered.offers} == {"eastus", "westeurope"}


def test_a_product_of_another_place_costs_its_row(ask: Ask) -> None:
    with AwsCloud() as cloud:
        (product,) = [
            row
            for row in cloud.prices["products"]
            if row["instanceType"] == "p5.48xlarge" and row["region"] == "us-east-1"
        ]
        cloud.prices["products"].append(
            product | {"sku": "FOREIGN", "on_demand": "99", "attributes": {"regionCode": "us-west-2-lax-1"}}
        )
        gathered = ask("aws", settings={"GPUPLAN_AWS_BULK_URL": cloud.url}, regions=("us-east-1",))
    assert not parts(gathered)
    assert [row.reason for row in gathered.refused] == ["foreign_region"]
    assert gathered.the("p5.48xlarge", "on_demand").price_usd_per_hour == 55.04


def test_regions_that_the_account_has_not_opted_into_are_skipped_and_said_once(ask: Ask) -> None:
    with AwsCloud() as cloud:
        cloud.not_opted_in = {"eu-west-1"}
        gathered = ask("aws", cloud)
    assert [(fault.part, fault.status, fault.reason) for fault in gathered.faults] == [
        ("regions", "skipped", "not_opted_in")
    ]
    assert "eu-west-1" in gathered.faults[0].message
    assert {offer.part.partition("/")[0] for offer in gathered.offers if offer.region == "eu-west-1"} <= {
        "on_demand",
        "savings_plans",
    }
    assert any(offer.part == "on_demand/eu-west-1" for offer in gathered.offers)


def azure_prices(ask: Ask, *prices: float) -> Gathered:
    """Return what is read where a size has several prices of one day."""
    with AzureCloud() as cloud:
        (row,) = [
            row
            for row in cloud.items
            if row["armSkuName"] == "Standard_NC4as_T4_v3"
            and row["armRegionName"] == "eastus"
            and row["type"] == "Consumption"
            and not row["skuName"].endswith("Spot")
        ]
        cloud.items = [row | {"retailPrice": price} for price in prices]
        return ask("azure", settings={"GPUPLAN_AZURE_RETAIL_URL": cloud.url}, regions=("eastus",))


def test_two_prices_of_one_size_are_an_error_told_by_row_and_a_placeholder_is_none(ask: Ask) -> None:
    judged = judge(azure_prices(ask, 0.768, 1.504).offers)
    assert not [offer for offer in judged.offers if offer.purchase_option == "on_demand"]
    (row,) = [row for row in judged.refused if "on_demand" in row.identity]
    assert "0.768 and 1.504" in row.message
    for prices in ((0.768, 0.768), (0.768, 0.17), (0.001, 0.768)):
        (offer,) = [each for each in azure_prices(ask, *prices).offers if each.purchase_option == "on_demand"]
        assert offer.price_usd_per_hour == 0.768


def test_runpods_zero_says_not_offered_and_is_no_refused_row(ask: Ask) -> None:
    with RunpodCloud() as cloud:
        for row in cloud.types:
            row["communityPrice"] = 0
        gathered = ask("runpod", cloud)
    assert not gathered.refused
    assert {offer.region for offer in gathered.offers} == {"secure"}
    assert not gathered.faults
