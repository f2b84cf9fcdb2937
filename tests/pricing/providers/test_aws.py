"""Amazon's traps, with one real figure each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pricing.facts.offers import Launchable, Payment
from pricing.providers.aws.normalize import hardware_from_type
from pricing.refresh.gates import judge
from tests.loopback.aws import AwsCloud
from tests.loopback.server import Fault
from tests.pricing.providers.conftest import Ask


@pytest.fixture
def cloud() -> Iterator[AwsCloud]:
    with AwsCloud() as running:
        yield running


@pytest.mark.slow
def test_plain_linux_is_told_from_windows_dedicated_unused_and_block_rows(cloud: AwsCloud, ask: Ask) -> None:
    assert ask("aws", cloud).the("p5.48xlarge", "on_demand", "us-east-1").price_usd_per_hour == 55.04


@pytest.mark.slow
def test_files_and_pricing_api_say_the_same(cloud: AwsCloud, ask: Ask) -> None:
    from_files = ask("aws", cloud)
    with AwsCloud(has_files=False) as other:
        from_api = ask("aws", other)
        assert other.count("GetProducts") >= 3  # pages

    def told(gathered: object) -> set[tuple[object, ...]]:
        return {
            (o.region, o.zone, o.instance_type, o.purchase_option, o.payment, o.offering_class, o.minimum_hours, o.price_usd_per_hour)
            for o in gathered.offers  # type: ignore[attr-defined]
        }  # fmt: skip

    assert told(from_files) == told(from_api)
    assert {offer.source for offer in from_api.offers} != {offer.source for offer in from_files.offers}


@pytest.mark.slow
def test_the_files_that_fail_are_made_good_by_the_api(cloud: AwsCloud, ask: Ask) -> None:
    cloud.faults.append(Fault(match="/us-east-1/index.json", status=404, times=9))
    gathered = ask("aws", cloud)
    assert gathered.the("p5.48xlarge", "on_demand", "us-east-1").source == "AWS pricing:GetProducts"


@pytest.mark.slow
def test_a_slice_counts_as_the_part_that_it_is(cloud: AwsCloud, ask: Ask) -> None:
    offer = ask("aws", cloud).the("g6f.large", "on_demand")
    assert (offer.accelerator, offer.accelerator_count) == ("L4", 0.125)
    assert offer.accelerator_memory_gb == pytest.approx(3.0, rel=0.01)  # 2861 MiB


def test_what_is_paid_up_front_is_spread_over_the_term(cloud: AwsCloud, ask: Ask) -> None:
    gathered = ask("aws", cloud)
    whole = gathered.the("p5.48xlarge", "reserved_3y", payment=Payment.ALL)
    assert whole.upfront_usd == 583_237
    assert whole.price_usd_per_hour == pytest.approx(583_237 / 26_280)
    part = gathered.the("p5.48xlarge", "reserved_3y", payment=Payment.PARTIAL)
    assert part.price_usd_per_hour == pytest.approx(11.324 + 297_594 / 26_280)
    assert not part.cancellable


def test_convertible_and_standard_are_two_offers(cloud: AwsCloud, ask: Ask) -> None:
    gathered = ask("aws", cloud)
    assert gathered.the("p4d.24xlarge", "reserved_1y", offering_class="standard").price_usd_per_hour == 14.8
    assert gathered.the("p4d.24xlarge", "reserved_1y", offering_class="convertible").price_usd_per_hour == 16.1


def test_a_savings_plan_has_the_linux_rate(cloud: AwsCloud, ask: Ask) -> None:
    gathered = ask("aws", cloud)
    assert gathered.the("p5.48xlarge", "savings_plan_1y", payment=Payment.NONE).price_usd_per_hour == 40.542
    paid = gathered.the("p5.48xlarge", "savings_plan_1y", payment=Payment.ALL)
    assert paid.price_usd_per_hour == pytest.approx(37.839)
    assert paid.upfront_usd == pytest.approx(37.839 * 8_760)


def test_spot_keeps_its_zones_by_their_stable_ids_and_its_past(cloud: AwsCloud, ask: Ask) -> None:
    gathered = ask("aws", cloud)
    zone = gathered.the("p5.48xlarge", "spot", zone="use1-az6")
    assert zone.price_usd_per_hour == 16.88
    assert [price for _, price in zone.price_history] == [14.1, 17.25, 16.88]
    assert zone.interruptible
    local = gathered.the("p5.48xlarge", "spot", zone="use1-atl2-az1")
    assert (local.zone_kind, local.flags) == ("local_zone", ("local_zone",))


def test_spot_at_the_price_of_on_demand_is_no_discount(cloud: AwsCloud, ask: Ask) -> None:
    judged = judge(ask("aws", cloud).offers)
    (full,) = [each for each in judged.offers if each.zone == "use1-az1" and each.purchase_option == "spot"]
    assert full.flags == ("spot_equals_on_demand",)


def test_h200_can_be_had_as_a_block_alone(cloud: AwsCloud, ask: Ask) -> None:
    gathered = ask("aws", cloud)
    (offer,) = [each for each in gathered.offers if each.instance_type == "p5e.48xlarge"]
    assert (offer.purchase_option, offer.minimum_hours, offer.payment) == ("capacity_block", 24.0, Payment.ALL)
    assert offer.price_usd_per_hour == pytest.approx(1145.76 / 24)
    assert not offer.cancellable
    hours = {
        o.minimum_hours
        for o in gathered.offers
        if o.instance_type == "p5.48xlarge" and o.purchase_option == "capacity_block"
    }
    assert hours == {24.0, 168.0}


def test_a_type_that_no_zone_offers_is_priced_and_not_launchable(
    cloud: AwsCloud, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "_sold", lambda _region: ["g6.xlarge"])
    offer = ask("aws", cloud).the("p5.48xlarge", "on_demand", "us-east-1")
    assert offer.launchable is Launchable.NO
    assert "no zone" in offer.launchable_note


@pytest.mark.slow
def test_without_the_types_the_list_itself_tells_the_machine(cloud: AwsCloud, ask: Ask) -> None:
    cloud.faults.append(Fault(match="DescribeInstanceTypes", status=500, times=999))
    gathered = ask("aws", cloud, regions=("us-east-1",))
    offer = gathered.the("p5.48xlarge", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.vcpus) == ("H100-SXM", 8.0, 192.0)
    assert offer.launchable is not Launchable.NO


def test_a_region_that_has_no_list_is_told(cloud: AwsCloud, ask: Ask) -> None:
    cloud.prices["regions"]["mars-north-1"] = {"zones": []}
    gathered = ask(
        "aws",
        cloud,
        settings={"AWS_ENDPOINT_URL_EC2": ""} | {"GPUPLAN_AWS_BULK_URL": cloud.url},
        regions=("moon-east-1",),
    )
    assert "missing_region" in gathered.reasons() or gathered.faults


def test_without_credentials_the_public_lists_are_had_and_the_rest_is_said_to_be_skipped(
    cloud: AwsCloud, ask: Ask
) -> None:
    gathered = ask("aws", settings={"GPUPLAN_AWS_BULK_URL": cloud.url})
    assert {offer.purchase_option.value for offer in gathered.offers} >= {"on_demand", "reserved_3y", "savings_plan_1y"}
    assert {fault.part for fault in gathered.faults if fault.status == "skipped"} == {"spot/*", "capacity_block/*"}
    assert not [fault for fault in gathered.faults if fault.status == "failed"]
    assert {offer.launchable for offer in gathered.offers} == {Launchable.UNKNOWN}


@pytest.mark.slow
def test_ec2s_own_records_are_read_as_moto_keeps_them(
    ask: Ask, cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto serves the types and offerings that EC2 really has; the loopback serves the prices that moto does not know."""
    from moto import mock_aws

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    settings = {
        "GPUPLAN_AWS_BULK_URL": cloud.url,
        "AWS_ENDPOINT_URL_SAVINGSPLANS": cloud.url,
        "AWS_ENDPOINT_URL_PRICING": cloud.url,
    }
    monkeypatch.setattr(
        "pricing.providers.aws.fetch.is_wanted_type",
        lambda name: name in {"p5.48xlarge", "g6.xlarge", "p3.2xlarge", "c8g.4xlarge"},
    )
    with mock_aws():
        gathered = ask("aws", settings=settings, regions=("us-east-1",), seconds=240.0)
    # moto answers capacity blocks with "not implemented": that is a failed part, and no empty one.
    assert {fault.part for fault in gathered.faults} == {"capacity_block/us-east-1"}
    offer = gathered.the("p5.48xlarge", "on_demand")
    assert (offer.accelerator, offer.accelerator_count, offer.launchable) == ("H100-SXM", 8.0, Launchable.YES)
    assert gathered.the("c8g.4xlarge", "on_demand").cpu_arch == "arm64"
    # moto's spot price is a dummy of 0.00001: no gate lets it land.
    judged = judge(gathered.offers)
    assert not [each for each in judged.offers if each.purchase_option == "spot"]


def test_a_type_that_ec2_tells_with_the_memory_of_all_its_gpus_is_of_the_card_all_the_same() -> None:
    gpu = {"Name": "H100", "Manufacturer": "NVIDIA", "Count": 8, "MemoryInfo": {"SizeInMiB": 8 * 81_920}}
    entry = {
        "InstanceType": "p99.48xlarge", "VCpuInfo": {"DefaultVCpus": 192}, "MemoryInfo": {"SizeInMiB": 2_097_152},
        "GpuInfo": {"Gpus": [gpu], "TotalGpuMemoryInMiB": 8 * 81_920},
    }  # fmt: skip
    hardware = hardware_from_type(entry)
    assert (hardware.accelerator, hardware.accelerator_count) == ("H100-80GB", 8.0)
