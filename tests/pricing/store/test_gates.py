"""The gates of a refresh at the other doors: files and rate cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from planner.cli import main
from pricing.catalog import load_bundled
from pricing.commands.prices import prices
from pricing.commands.runner import run
from pricing.facts.offers import Offer, identity_of
from pricing.loading import load
from pricing.refresh.run import refresh
from pricing.store.database import DuckDbEngine
from pricing.store.exchange import offers_as_csv, read_offer_file
from pricing.store.read import read_offers
from tests.conftest import KNOWS_BUNDLED, SEEN_ON
from tests.pricing.store.conftest import offer

Import = Callable[..., int]
HEADER = "provider,instance_type,region,accelerator_stated,accelerator_count,accelerator_memory_gb,purchase_option,price_usd_per_hour,interruptible,source,observed_on"


def line(kind: str = "h100-8", price: float = 19.2, provider: str = "my-cloud", **words: str) -> str:
    option, interruptible = words.get("option", "on_demand"), words.get("interruptible", "false")
    return f"{provider},{kind},EU-1,H100 SXM5,8,80,{option},{price:g},{interruptible},by hand,{SEEN_ON}"


@pytest.fixture
def bring(file_engine: DuckDbEngine, tmp_path: Path) -> Import:
    """Return what imports a table of lines."""

    def call(*lines: str) -> int:
        path = tmp_path / "mine.csv"
        path.write_text("\n".join((HEADER, *lines, "")))
        return run(prices, ["import", str(path), "--store", str(file_engine.path)], name="gpuplan prices")

    return call


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (line("x", 0.01), "0.00125 USD per accelerator and hour"),
        (line("x", 14_000.0), "outside"),  # a month's price
        (line("good", 25.0, option="spot", interruptible="true"), "spot at 25 above on-demand at 19.2"),
        (line("good", 19.9), "two prices"),
        (line("x", 20.5).replace(f"{SEEN_ON}", "2199-01-01"), "after today"),
    ],
)
def test_a_row_that_no_gate_passes_is_told_and_left_out(
    bring: Import, file_engine: DuckDbEngine, bad: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(line("good"), line("other"), bad) == 5
    assert told in capsys.readouterr().err
    assert bad.split(",")[7] not in {f"{each.price_usd_per_hour:g}" for each in read_offers(file_engine)}
    assert "other" in {each.instance_type for each in read_offers(file_engine)}


def test_a_file_in_which_no_row_or_most_rows_cannot_be_accepted_is_refused_whole(
    bring: Import, file_engine: DuckDbEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(line("h100-8", 0.01)) == 2
    assert "row 1, my-cloud|h100-8|EU-1" in capsys.readouterr().err
    assert not file_engine.exists()
    assert bring(line("good"), *(line(f"x{number}", 0.01) for number in range(5))) == 2
    assert capsys.readouterr().err.count("row ") >= 5


def test_of_very_many_refused_rows_the_first_are_told(bring: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert bring(*(line(f"x{number}", 0.01) for number in range(300))) == 2
    told = capsys.readouterr().err
    assert told.count("row ") == 50
    assert "and 250 more rows" in told


def test_a_rate_card_passes_the_same_gates(file_engine: DuckDbEngine, tmp_path: Path) -> None:
    (tmp_path / "card.csv").write_text("\n".join((HEADER, line("good"), line("x", 0.01), "")))
    summary = refresh(file_engine, ["rate_card"], settings={}, rate_cards=[tmp_path])
    assert [row.reason for source in summary.sources for row in source.refused] == ["out_of_band"]
    assert {each.instance_type for each in read_offers(file_engine)} == {"good"}


@pytest.mark.slow
def test_a_listing_far_below_the_market_is_kept_flagged_and_not_recommended(
    bring: Import, file_engine: DuckDbEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(line("h100-8", 3.0)) == 0
    (found,) = read_offers(file_engine)
    assert found.flags == ("far_below_others",)
    workload = tmp_path / "w.yaml"
    workload.write_text("kind: gpu_hours\ngpu_hours: {gpu: h100-80gb-sxm, count: 8, hours_per_month: 438}\n")
    words = ["plan", str(workload), "--store", str(file_engine.path), "-f", "json", "--quiet"]
    assert main(words) == 0
    import json

    record = json.loads(capsys.readouterr().out)
    chosen = record["verdict"]["option_id"]
    assert not chosen.startswith("my-cloud")
    odd = [each for each in record["options"] if each["id"].startswith("my-cloud")]
    assert all("far_below_others" in str(each["not_recommended"]) for each in odd)


@pytest.mark.slow
@KNOWS_BUNDLED
def test_a_listing_of_offers_imports_again(
    file_engine: DuckDbEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["offers", "--provider", "vast", "--provider", "oci", "-f", "csv", "--quiet"]) == 0
    path = tmp_path / "listing.csv"
    path.write_text(capsys.readouterr().out)

    def told(offers: list[Offer]) -> dict[str, tuple[object, ...]]:
        return {
            identity_of(each): (each.price_usd_per_hour, each.observed_on, each.flags, each.interruptible)
            for each in offers
        }

    bundled = [each for each in load_bundled().offers if each.provider in {"vast", "oci"}]
    assert told(read_offer_file(path)) == told(bundled)
    assert run(prices, ["import", str(path), "--store", str(file_engine.path)], name="gpuplan prices") in {0, 5}
    assert len(load(str(file_engine.path)).offers) == len(load_bundled().offers)


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("true", "false"), ("True", "False"), ("TRUE", "FALSE")])
def test_yes_and_no_are_read_as_people_write_them(tmp_path: Path, yes: str, no: str) -> None:
    text = offers_as_csv([offer(cancellable=True, interruptible=False)])
    path = tmp_path / "mine.csv"
    path.write_text(text.replace(",yes,", f",{yes},").replace(",no,", f",{no},"))
    (found,) = read_offer_file(path)
    assert (found.cancellable, found.interruptible) == (True, False)
