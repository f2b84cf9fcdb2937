"""A refresh: all clouds side by side, each whole or not at all, and the truth about what failed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from pricing.facts.offers import PurchaseOption, identity_of
from pricing.providers.contract import PartFault
from pricing.refresh.run import refresh
from pricing.store.database import DuckDbEngine
from pricing.store.parts import read_statuses
from pricing.store.read import read_offers
from tests.loopback.aws import AwsCloud
from tests.loopback.clouds import CLOUDS, Clouds
from tests.loopback.gcp import GcpCloud
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.server import Fault
from tests.pricing.refresh.conftest import Refresh

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_an_empty_store_is_filled_from_all_clouds_and_a_second_refresh_stores_nothing(
    refreshed: Refresh, store: DuckDbEngine
) -> None:
    first = refreshed()
    assert first.exit_status == 0
    assert {source.provider: source.status for source in first.sources} == dict.fromkeys(CLOUDS, "ok")
    offers = read_offers(store)
    assert {offer.provider for offer in offers} == set(CLOUDS)
    assert len(CLOUDS) >= 10
    assert set(PurchaseOption) - {offer.purchase_option for offer in offers} == {
        PurchaseOption.RESERVED_1M,
        PurchaseOption.RESERVED_3M,
        PurchaseOption.RESERVED_6M,
        PurchaseOption.RESERVED_2Y,
        PurchaseOption.RESERVED_5Y,
        PurchaseOption.RESERVED_UNSPECIFIED,
        PurchaseOption.SERVERLESS,
    }
    second = refreshed()
    assert [
        sum(source.total(name) for source in second.sources) for name in ("new_count", "changed_count", "gone_count")
    ] == [0, 0, 0]
    with store.reading() as session:
        assert session.rows("select count(*) from price_change") == [(len(offers),)]


@pytest.mark.slow
def test_google_a_sku_that_cannot_be_read_costs_no_price_that_the_store_holds(
    refreshed: Refresh, clouds: Clouds, store: DuckDbEngine
) -> None:
    assert refreshed("gcp").exit_status == 0
    before = {identity_of(offer): offer.price_usd_per_hour for offer in read_offers(store)}
    cloud = clouds["gcp"]
    assert isinstance(cloud, GcpCloud)
    for sku in cloud.skus:
        expression = sku["pricingInfo"][0]["pricingExpression"]
        if sku["description"] == "SSD backed Local Storage":  # every A3 and A2 Ultra needs it
            expression["usageUnit"] = "TiBy.mo"
        if sku["description"] == "Nvidia L4 GPU running in Americas":
            expression["tieredRates"][0]["unitPrice"]["nanos"] += 10_000_000
    (source,) = refreshed("gcp").sources
    assert source.status == "ok"
    assert {row.reason for row in source.refused} == {"unit"}
    after = {identity_of(offer): offer.price_usd_per_hour for offer in read_offers(store)}
    assert after.keys() == before.keys()
    moved = {key.split("|")[1] for key, price in before.items() if after[key] != price}
    assert moved == {"g2-standard-4"}


@pytest.mark.slow
def test_only_what_changed_is_stored(refreshed: Refresh, clouds: Clouds) -> None:
    refreshed()
    cloud = clouds["lambda"]
    assert isinstance(cloud, LambdaCloud)
    cloud.types["gpu_1x_a10"]["instance_type"]["price_cents_per_hour"] = 119
    del cloud.types["gpu_1x_zeta9"]
    summary = refreshed()
    by_name = {source.provider: source for source in summary.sources}
    assert (by_name["lambda"].total("changed_count"), by_name["lambda"].total("gone_count")) == (1, 1)
    assert sum(source.total("changed_count") for source in summary.sources) == 1


@pytest.mark.slow
def test_a_provider_that_fails_keeps_its_last_good_prices_and_their_age(
    refreshed: Refresh, clouds: Clouds, store: DuckDbEngine
) -> None:
    refreshed()
    before = {status.part: status for status in read_statuses(store) if status.provider == "runpod"}
    clouds["runpod"].faults.append(Fault(status=500, times=999))
    summary = refreshed()
    assert summary.exit_status == 5
    assert {s.provider: s.status for s in summary.sources} == dict.fromkeys(CLOUDS, "ok") | {"runpod": "failed"}
    (status,) = [status for status in read_statuses(store) if status.provider == "runpod"]
    assert (status.status, status.reason, status.row_count) == ("failed", "http_500", 9)
    assert status.landed_at == before["gpu_types"].landed_at
    assert status.asked_at > before["gpu_types"].asked_at
    assert len([offer for offer in read_offers(store) if offer.provider == "runpod"]) == 9


@pytest.mark.slow
def test_one_region_that_fails_costs_that_region_alone(refreshed: Refresh, clouds: Clouds, store: DuckDbEngine) -> None:
    refreshed("azure")
    clouds["azure"].faults.append(Fault(match="westeurope", cut_bytes=60, times=999))
    clouds["azure"].items = [row for row in clouds["azure"].items if "Standard_D16s" not in row["armSkuName"]]  # type: ignore[attr-defined]
    (source,) = refreshed("azure").sources
    assert source.status == "partial"
    assert source.total("gone_count") == 3  # in eastus, which answered; westeurope keeps its own
    left = [offer.region for offer in read_offers(store) if offer.instance_type == "Standard_D16s_v5"]
    assert set(left) == {"westeurope"}


@pytest.mark.slow
def test_when_every_source_fails_the_status_is_6_and_the_store_is_as_it_was(
    refreshed: Refresh, clouds: Clouds, store: DuckDbEngine
) -> None:
    refreshed()
    before = len(read_offers(store))
    for cloud in clouds.by_name.values():
        cloud.faults.append(Fault(status=404, times=9999))
    summary = refreshed()
    assert summary.exit_status == 6
    assert len(read_offers(store)) == before


@pytest.mark.slow
def test_a_source_that_is_slow_costs_the_others_no_time(
    refreshed: Refresh, clouds: Clouds, store: DuckDbEngine
) -> None:
    clouds["gcp"].faults.append(Fault(delay_s=60, times=99))
    start = time.monotonic()
    summary = refreshed(time_limit_s=15)  # with room for the others on a busy machine
    assert time.monotonic() - start < 30
    told = {source.provider: source.status for source in summary.sources}
    assert told == dict.fromkeys(CLOUDS, "ok") | {"gcp": "failed"}
    assert "gcp" not in {offer.provider for offer in read_offers(store)}


def test_a_surprise_in_one_adapter_is_told_by_its_name_and_costs_no_other(
    refreshed: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from pricing.providers import runpod

    def broken(_request: object) -> None:
        raise ZeroDivisionError("an adapter's own mistake")

    monkeypatch.setattr(runpod, "PROVIDER", replace(runpod.PROVIDER, fetch=broken))  # type: ignore[arg-type]
    summary = refreshed("runpod", "lambda")
    by_name = {source.provider: source for source in summary.sources}
    assert "ZeroDivisionError" in by_name["runpod"].parts[0].answer.message
    assert "Traceback" in by_name["runpod"].trace
    assert by_name["lambda"].status == "ok"


@pytest.mark.slow
def test_a_halved_price_is_held_back_until_a_second_refresh(
    refreshed: Refresh, clouds: Clouds, store: DuckDbEngine
) -> None:
    refreshed("aws")
    cloud = clouds["aws"]
    assert isinstance(cloud, AwsCloud)
    p4d = next(product for product in cloud.prices["products"] if product["instanceType"] == "p4d.24xlarge")
    # A real cut of 44 %, reservations with it.
    p4d["on_demand"], p4d["reserved"] = "12.2900000000", {}

    def price() -> float:
        (offer,) = [
            offer
            for offer in read_offers(store)
            if offer.instance_type == "p4d.24xlarge" and offer.purchase_option == "on_demand"
        ]
        return offer.price_usd_per_hour

    (first,) = refreshed("aws").sources
    assert first.total("held_count") == 1
    assert price() == pytest.approx(21.9576424)
    (second,) = refreshed("aws").sources
    assert second.total("changed_count") == 1
    assert price() == 12.29


@pytest.mark.slow
def test_what_a_provider_sells_in_a_part_that_was_not_asked_stays(refreshed: Refresh, store: DuckDbEngine) -> None:
    refreshed("aws")
    before = len(read_offers(store))
    summary = refreshed("aws", regions=("eu-west-1",))
    assert summary.exit_status == 0
    assert len(read_offers(store)) == before


@pytest.mark.slow
def test_a_wrong_fault_of_many_parts_is_told_of_the_parts_that_are_known(
    refreshed: Refresh, clouds: Clouds, store: DuckDbEngine
) -> None:
    refreshed("aws")
    clouds["aws"].faults.append(Fault(status=404, times=9999))
    refreshed("aws")
    told = {status.part: status.status for status in read_statuses(store)}
    assert told["on_demand/us-east-1"] == "failed"
    assert not [part for part in told if "*" in part]
    assert isinstance(PartFault(part="x", reason="y", message="z"), PartFault)


@pytest.mark.slow
def test_two_refreshes_at_once_do_not_harm_each_other(refreshed: Refresh, store: DuckDbEngine) -> None:
    summaries: list[int] = []
    threads = [threading.Thread(target=lambda: summaries.append(refreshed().exit_status)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert summaries == [0, 0]
    offers = read_offers(store)
    assert {offer.provider for offer in offers} == set(CLOUDS)
    with store.reading() as session:
        assert session.rows("select count(*) from price_change") == [(len(offers),)]
    assert sum(source.total("new_count") for source in refreshed().sources) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_refresh_killed_at_any_moment_leaves_whole_providers_or_none(
    seed: int, clouds: Clouds, store: DuckDbEngine
) -> None:
    other = DuckDbEngine(store.path.with_name("whole.duckdb"))
    refresh(other, tuple(CLOUDS), settings=clouds.settings())
    whole = Counter(offer.provider for offer in read_offers(other))
    environment = {**os.environ, **clouds.settings()}
    words = [sys.executable, "-m", "pricing", "refresh", "--quiet", "--store", str(store.path)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.Random(seed).uniform(0.8, 4.0))
    process.send_signal(signal.SIGKILL)
    process.wait()
    if store.exists():
        for name, count in Counter(offer.provider for offer in read_offers(store)).items():
            assert count == whole[name]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert len(read_offers(store)) == whole.total()
