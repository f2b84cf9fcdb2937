"""The price commands as a user types them."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
import time_machine

from pricing.catalog import load_bundled
from pricing.commands.console import Output
from pricing.commands.prices import prices
from pricing.commands.runner import run
from pricing.commands.views import refresh_table
from pricing.errors import NoPricesError
from pricing.facts.offers import offer_id
from pricing.loading import load
from pricing.providers import PROVIDERS
from pricing.providers.contract import RefusedRow
from pricing.refresh.run import RefreshSummary, SourceSummary
from pricing.store.database import DuckDbEngine
from pricing.store.read import read_offers
from tests.loopback.clouds import Clouds
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.server import Fault
from tests.pricing.refresh.conftest import Run


def test_refresh_sums_up_each_source(command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("refresh", "--provider", "lambda", "--provider", "runpod") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["lambda", "ok", "5", "5", "0", "0", "0", "0"] in [line[:8] for line in lines]


def test_refresh_tells_scripts_everything(command: Run, clouds: Clouds, capsys: pytest.CaptureFixture[str]) -> None:
    clouds["runpod"].faults.append(Fault(status=500, times=99))
    assert command("refresh", "--provider", "lambda", "--provider", "runpod", "--format", "json") == 5
    record = json.loads(capsys.readouterr().out)
    assert record["exit_status"] == 5
    by_name = {source["source"]: source for source in record["sources"]}
    assert by_name["lambda"]["new"] == 5
    assert by_name["runpod"]["parts"][0]["reason"] == "http_500"


def test_a_quiet_refresh_speaks_of_faults_alone(
    command: Run, clouds: Clouds, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("refresh", "--provider", "lambda", "--quiet") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    clouds["lambda"].faults.append(Fault(status=404, times=99))
    assert command("refresh", "--provider", "lambda", "--quiet") == 6
    assert "lambda instance_types" in capsys.readouterr().err


def test_rows_that_one_cause_spoils_are_one_line_and_the_next_causes_are_not_hidden_behind_them() -> None:
    one_sku = [
        RefusedRow(part="p", identity=f"gcp|a3-{number}", reason="unit", message="unknown unit", cause="SKU-1")
        for number in range(40)
    ]
    alone = RefusedRow(part="p", identity="gcp|SKU\x1b[31m", reason="unknown_text", message="unknown\x1b[31m text")
    source = SourceSummary(provider="gcp", parts=(), refused=(*one_sku, alone))
    summary = RefreshSummary(asked_at=datetime(2026, 11, 21, tzinfo=UTC), sources=(source,))
    short = refresh_table(summary, Output("table")).splitlines()[-2:]
    assert short == [
        "gcp: refused gcp|a3-0 and 39 more: unknown unit",
        "gcp: refused gcp|SKU\ufffd[31m: unknown\ufffd[31m text",
    ]
    assert refresh_table(summary, Output("table"), is_verbose=True).count("gcp: refused") == 41


def test_an_unknown_provider_is_told_with_the_known_ones(command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("refresh", "--provider", "lamda", "--format", "json") == 2
    assert "lambda" in json.loads(capsys.readouterr().out)["error"]["hint"]


@pytest.mark.slow
def test_status_tells_the_truth_after_a_provider_was_made_to_fail(
    command: Run, clouds: Clouds, capsys: pytest.CaptureFixture[str]
) -> None:
    command("refresh", "--provider", "lambda", "--provider", "runpod", "--quiet")
    clouds["runpod"].faults.append(Fault(status=503, times=99))
    command("refresh", "--provider", "lambda", "--provider", "runpod", "--quiet")
    capsys.readouterr()
    assert command("status", "--format", "json") == 0
    parts = {part["provider"]: part for part in json.loads(capsys.readouterr().out)["parts"]}
    assert parts["lambda"]["status"] == "ok"
    assert (parts["runpod"]["status"], parts["runpod"]["rows"]) == ("failed", 9)
    assert parts["runpod"]["last_good"] < parts["runpod"]["last_asked"]
    assert parts["runpod"]["last_good"] < parts["lambda"]["last_good"]


def test_status_fails_above_an_age(command: Run) -> None:
    command("refresh", "--provider", "lambda", "--quiet")
    assert command("status", "--max-age", "1") == 0
    assert command("status", "--max-age", "0") == 4


def test_history_tells_what_the_source_knows_of_its_past(command: Run, capsys: pytest.CaptureFixture[str]) -> None:
    command("refresh", "--provider", "aws", "--quiet")
    capsys.readouterr()
    words = ("--gpu", "h100", "--purchase", "spot", "--zone", "use1-az6", "--format", "csv")
    assert command("history", *words) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["price_usd_per_hour"]) for row in rows] == [14.1, 17.25, 16.88, 16.88]
    assert [row["basis"] for row in rows] == ["source", "source", "source", "refresh"]


def test_history_of_nothing_is_status_3(command: Run) -> None:
    command("refresh", "--provider", "lambda", "--quiet")
    assert command("history", "--instance-type", "no.such") == 3
    assert command("history") == 2


def test_diff_shows_the_moves(command: Run, clouds: Clouds, capsys: pytest.CaptureFixture[str]) -> None:
    command("refresh", "--provider", "lambda", "--quiet")
    cloud = clouds["lambda"]
    assert isinstance(cloud, LambdaCloud)
    cloud.types["gpu_1x_a10"]["instance_type"]["price_cents_per_hour"] = 119
    command("refresh", "--provider", "lambda", "--quiet")
    capsys.readouterr()
    assert command("diff", "2020-01-01", "--gpu", "a10", "--format", "json") == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert (change["before_usd_per_hour"], change["after_usd_per_hour"], change["what"]) == (None, 1.19, "new")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out", "out.csv"])
def test_what_is_exported_can_be_imported_elsewhere(
    name: str, command: Run, store: DuckDbEngine, tmp_path: Path
) -> None:
    command("refresh", "--quiet")
    assert command("export", tmp_path / name, "--quiet") == 0
    other = DuckDbEngine(tmp_path / "other.duckdb")
    assert command("import", tmp_path / name, "--store", other.path, "--quiet") == 0

    def told(engine: DuckDbEngine) -> set[object]:
        return {(o.provider, o.instance_type, o.region, o.zone, o.purchase_option, o.payment, o.offering_class, o.minimum_hours,
                 o.price_usd_per_hour, o.accelerator, o.price_parts, o.flags, o.observed_on) for o in read_offers(engine)}  # fmt: skip

    assert told(other) == told(store)


def test_parquet_is_partitioned_by_day_and_provider_and_read_by_others(command: Run, tmp_path: Path) -> None:
    import duckdb

    command("refresh", "--provider", "lambda", "--provider", "runpod", "--quiet")
    command("export", tmp_path / "lake", "--quiet")
    command("export", tmp_path / "lake", "--quiet")  # the same day again replaces, and does not double
    assert sorted(path.name for path in (tmp_path / "lake").glob("snapshot=*/*")) == [
        "provider=lambda",
        "provider=runpod",
    ]
    with duckdb.connect() as connection:
        query = f"select count(*), min(price_usd_per_hour) from read_parquet('{tmp_path}/lake/**/*.parquet', hive_partitioning=true)"
        assert connection.execute(query).fetchone() == (14, 0.2)
    assert not [path for path in (tmp_path / "lake").iterdir() if path.name.startswith(".")]


def test_export_as_json_is_one_table(command: Run, tmp_path: Path) -> None:
    command("refresh", "--provider", "lambda", "--quiet")
    assert command("export", tmp_path / "offers.json", "--quiet") == 0
    record = json.loads((tmp_path / "offers.json").read_text())
    assert record["schema_version"] == 1
    assert len(record["offers"]) == 5


def test_help_of_the_group_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pricing.commands.prices import prices; from pricing.commands.runner import run; run(prices, ['--help']);"
        "heavy = {'duckdb', 'numpy', 'pandas', 'boto3', 'google', 'azure', 'requests', 'rich', 'yaml'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_newest_catalogue_is_the_stores_filled_up_from_the_bundled_facts(command: Run, store: DuckDbEngine) -> None:
    command("refresh", "--quiet")
    catalog = load()
    gathered = [offer for offer in catalog.offers if offer.provider == "lambda"]
    assert {offer.part for offer in gathered} == {"instance_types"}
    assert any(offer.provider == "packet-ai" for offer in catalog.offers)
    assert len({offer_id(offer) for offer in catalog.offers}) == len(catalog.offers)
    without_adapter = {offer.provider for offer in catalog.offers} - PROVIDERS.keys()
    assert f"{len(without_adapter)} sellers without an adapter" in " ".join(catalog.notes)
    assert "hyperstack in part (reserved_unspecified)" in " ".join(catalog.notes)
    (spot,) = [
        o
        for o in catalog.offers
        if o.zone == "use1-az6" and o.instance_type == "p5.48xlarge" and o.purchase_option == "spot"
    ]
    assert spot.price_median_usd_per_hour == 17.25


def test_without_a_store_the_bundled_facts_answer_and_say_so(tmp_path: Path) -> None:
    catalog = load()
    assert catalog.snapshot.startswith("bundled")
    assert "prices refresh" in catalog.notes[0]


def test_prices_that_are_all_older_than_they_may_be_are_refused() -> None:
    with time_machine.travel(_days_after_the_newest_bundled_price(30)), pytest.raises(NoPricesError) as caught:
        load(max_age_days=1)
    assert caught.value.exit_status == 4


def test_prices_dated_after_today_are_told_since_the_clock_may_be_wrong() -> None:
    with time_machine.travel(_days_after_the_newest_bundled_price(-30)):
        early = load().notes
    with time_machine.travel(_days_after_the_newest_bundled_price(0)):
        on_the_day = load().notes
    assert any("after today" in note and "clock" in note for note in early)
    assert not any("clock" in note for note in on_the_day)


def _days_after_the_newest_bundled_price(days: int) -> datetime:
    newest_on = load_bundled().newest_on
    assert newest_on is not None
    return datetime.combine(newest_on, time(12), UTC) + timedelta(days=days)


def test_a_rate_of_exchange_is_an_option_and_without_one_prices_in_euros_are_skipped(
    command: Run, store: DuckDbEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rate = os.environ["GPUPLAN_USD_PER_EUR"]
    monkeypatch.delenv("GPUPLAN_USD_PER_EUR")
    assert command("refresh", "--provider", "scaleway") == 4
    assert "--usd-per-eur" in capsys.readouterr().out
    assert command("refresh", "--provider", "scaleway", "--usd-per-eur", rate) == 0
    assert {offer.provider for offer in read_offers(store)} == {"scaleway"}


@pytest.mark.parametrize(
    "rate", ["1.16", "abc", "1.16@yesterday", "1.16@2026-13-01", "-1.16@2026-11-20", "0@2026-11-20", "116@2026-11-20"]
)
@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_malformed_rate_of_exchange_is_a_wrong_command_line(
    rate: str, by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["refresh", "--store", str(tmp_path / "none.duckdb"), "--provider", "scaleway"]
    if by == "option":
        words += ["--usd-per-eur", rate]
    else:
        monkeypatch.setenv("GPUPLAN_USD_PER_EUR", rate)
    assert run(prices, words, name="gpuplan prices") == 2
    assert "1.16@2026-11-20" in capsys.readouterr().err
    assert not (tmp_path / "none.duckdb").exists()
