"""What is accepted of an odd answer: an empty one never, a smaller one after days, a renamed machine the second time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from pricing.clock import utc_now
from pricing.facts.offers import PurchaseOption, identity_of
from pricing.providers import runpod
from pricing.refresh.run import RefreshSummary
from pricing.store.database import DuckDbEngine
from pricing.store.parts import read_statuses
from pricing.store.read import read_offers
from tests.loopback.clouds import Clouds
from tests.loopback.runpod import RunpodCloud
from tests.loopback.server import Fault
from tests.pricing.refresh.conftest import Refresh, Run

Night = Callable[[float], RefreshSummary]
NOW = utc_now().replace(hour=12)


@pytest.fixture
def cloud(clouds: Clouds) -> RunpodCloud:
    """RunPod with 20 more machines, so that a share of them can vanish."""
    found = clouds["runpod"]
    assert isinstance(found, RunpodCloud)
    plain = next(row for row in found.types if "H100 80GB" in row["id"])
    found.types += [plain | {"id": f"NVIDIA Test {number}", "communityPrice": None} for number in range(20)]
    return found


@pytest.fixture
def night(cloud: RunpodCloud, refreshed: Refresh) -> Night:
    """Return what refreshes RunPod so many days from now."""

    def call(days: float) -> RefreshSummary:
        with time_machine.travel(datetime.replace(NOW, tzinfo=UTC) + timedelta(days=days)):
            return refreshed("runpod")

    return call


def reasons(summary: RefreshSummary) -> list[str]:
    return [part.answer.reason for source in summary.sources for part in source.parts]


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "pages_read"), [("machineTypes", 2), ("acceleratorTypes", 0)])
def test_a_page_of_googles_machines_that_cannot_be_read_costs_what_follows_and_nothing_is_gone(
    asked: str, pages_read: int, clouds: Clouds, refreshed: Refresh, store: DuckDbEngine
) -> None:
    refreshed("gcp")
    before = {identity_of(offer) for offer in read_offers(store)}
    for sku in clouds["gcp"].skus:  # type: ignore[attr-defined]
        for rate in sku["pricingInfo"][0]["pricingExpression"]["tieredRates"]:
            rate["unitPrice"]["nanos"] += 10_000_000 if 0 < rate["unitPrice"]["nanos"] < 980_000_000 else 0
    wrong = Fault(match=asked, skip=pages_read, times=999, change=lambda _: b'{"items": {"zones/us-east1-b": 7}}')
    clouds["gcp"].faults.append(wrong)
    (source,) = refreshed("gcp").sources
    assert [(row.reason, "cannot be read" in row.message) for row in source.refused] == [("unreadable", True)]
    assert {part.answer.status for part in source.parts} == {"ok"}
    assert (source.total("gone_count"), source.total("changed_count") > 20) == (0, True)
    assert {identity_of(offer) for offer in read_offers(store)} == before


def test_a_row_that_cannot_be_read_is_not_gone(night: Night, cloud: RunpodCloud, store: DuckDbEngine) -> None:
    night(0)
    before = {offer.instance_type for offer in read_offers(store)}
    odd = cloud.types[0]
    cloud.types = [{"id": odd["id"], "securePrice": "dear", "memoryInGb": 80}, *cloud.types[1:]]
    (source,) = night(1).sources
    assert [row.reason for row in source.refused] == ["unreadable"]
    assert source.total("gone_count") == 0
    assert {offer.instance_type for offer in read_offers(store)} == before


@pytest.mark.slow
def test_an_empty_answer_is_never_accepted(night: Night, cloud: RunpodCloud, store: DuckDbEngine) -> None:
    assert night(0).exit_status == 0
    before = len(read_offers(store))
    cloud.types = []
    for day in range(1, 6):
        summary = night(day)
        assert summary.exit_status == 6
        assert reasons(summary) == ["empty"]
    assert len(read_offers(store)) == before


def test_a_source_whose_best_known_machines_are_missing_since_all_are_is_never_accepted(
    night: Night, cloud: RunpodCloud
) -> None:
    cloud.types = []
    for day in (0, 1, 2):
        summary = night(day)
        assert (summary.exit_status, reasons(summary)) == (6, ["empty"])
        assert not summary.sources[0].warnings


@pytest.mark.slow
def test_a_smaller_answer_is_accepted_on_the_third_day_and_said_to_be(
    night: Night, cloud: RunpodCloud, store: DuckDbEngine
) -> None:
    night(0)
    before = len(read_offers(store))
    cloud.types = [row for row in cloud.types if "Test" not in row["id"]]
    for day in (1, 1.01, 1.02, 2):  # twice in a night is one outage
        assert reasons(night(day)) == ["shrunk"]
    assert len(read_offers(store)) == before
    third = night(3)
    assert third.exit_status == 5
    assert "accepted" in third.sources[0].warnings[0]
    assert len(read_offers(store)) == before - 20
    assert night(4).exit_status == 0


@pytest.mark.slow
def test_a_renamed_machine_gives_way_when_a_second_answer_says_so(
    night: Night, cloud: RunpodCloud, store: DuckDbEngine
) -> None:
    def rename(old: str, new: str) -> None:
        cloud.types = [row | {"id": row["id"].replace(old, new)} for row in cloud.types]

    night(0)
    rename("NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3 SXM")
    assert reasons(night(1)) == ["anchor"]
    assert any(offer.instance_type == "NVIDIA H100 80GB HBM3" for offer in read_offers(store))
    second = night(2)
    assert second.exit_status == 5
    assert "NVIDIA H100 80GB HBM3" in second.sources[0].warnings[0]
    assert any(offer.instance_type == "NVIDIA H100 80GB HBM3 SXM" for offer in read_offers(store))
    assert night(3).exit_status == 0


@pytest.mark.slow
def test_a_first_answer_without_its_best_known_machine_waits_too(night: Night, cloud: RunpodCloud) -> None:
    cloud.types = [row for row in cloud.types if "H100 80GB" not in row["id"]]
    assert reasons(night(0)) == ["anchor"]
    assert night(1).exit_status == 5
    assert night(2).exit_status == 0


def test_an_empty_first_answer_where_list_prices_are_known_is_no_answer(
    night: Night, cloud: RunpodCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = replace(runpod.PROVIDER, anchors=(), part_of=lambda _offer: "gpu_types")
    monkeypatch.setattr(runpod, "PROVIDER", told)
    cloud.types = []
    assert reasons(night(0)) == ["empty"]


@pytest.mark.slow
def test_a_stamp_ahead_of_the_clock_is_named_and_blocks_nothing(
    night: Night, cloud: RunpodCloud, store: DuckDbEngine
) -> None:
    ahead = night(2).asked_at
    row = next(row for row in cloud.types if row["id"] == "NVIDIA GeForce RTX 4090")
    row["securePrice"] = row["securePrice"] * 1.1
    summary = night(0)
    assert summary.exit_status == 5
    assert f"{ahead:%Y-%m-%d %H:%M}" in summary.warnings[0]
    assert [part.answer.status for part in summary.sources[0].parts] == ["ok"]
    with time_machine.travel(NOW.replace(tzinfo=UTC) + timedelta(minutes=1)):
        (status,) = read_statuses(store)
        assert status.age_days(utc_now()) == pytest.approx(0, abs=0.01)
        assert {offer.observed_on for offer in read_offers(store)} == {NOW.date()}
    (price,) = [
        offer.price_usd_per_hour
        for offer in read_offers(store)
        if offer.instance_type == row["id"]
        and offer.region == "secure"
        and offer.purchase_option is PurchaseOption.ON_DEMAND
    ]
    assert price == pytest.approx(row["securePrice"])
    assert night(0.5).exit_status == 0


@pytest.mark.slow
def test_a_move_held_back_under_a_clock_that_was_ahead_is_confirmed_by_the_next_reading(
    night: Night, cloud: RunpodCloud, store: DuckDbEngine
) -> None:
    night(0)
    row = next(row for row in cloud.types if row["id"] == "NVIDIA GeForce RTX 4090")
    row["securePrice"] = row["securePrice"] * 2
    assert night(3).sources[0].total("held_count") == 1
    assert night(1).sources[0].total("changed_count") == 1


@pytest.mark.slow
def test_a_warning_is_said_in_every_form(
    night: Night, cloud: RunpodCloud, command: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    night(2)
    for words in ((), ("--quiet",), ("--format", "json")):
        with time_machine.travel(NOW.replace(tzinfo=UTC)):
            night(2.1)
            capsys.readouterr()
            assert command("refresh", "--provider", "runpod", *words) == 5
        captured = capsys.readouterr()
        assert "ahead of this machine's clock" in captured.out + captured.err
