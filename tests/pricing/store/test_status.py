"""`prices status` fits on a screen, however many parts there are and however many fail."""

from __future__ import annotations

import json

import pytest

from pricing.commands.prices import prices
from pricing.commands.runner import run
from pricing.store.database import DuckDbEngine
from pricing.store.parts import PartAnswer
from tests.pricing.store.conftest import land_day, offer

PROVIDERS = ("aws", "azure", "gcp", "lambda", "runpod", "verda", "vast", "oci", "vultr", "scaleway")


@pytest.fixture
def crowded(file_engine: DuckDbEngine) -> DuckDbEngine:
    """Ten providers of 30 parts: one holds a price, the others fail in four ways."""
    for provider in PROVIDERS:
        held = offer(provider=provider, part="on_demand/r0")
        failed = [
            PartAnswer(
                part=f"spot/r{n}", status="failed", reason=f"http_{500 + n % 4}", message=f"answered {500 + n % 4} " * 9
            )
            for n in range(29)
        ]
        land_day(file_engine, 0, [held], PartAnswer(part="on_demand/r0"), *failed, provider=provider)
    return file_engine


def status(engine: DuckDbEngine, *words: str) -> int:
    return run(prices, ["status", "--store", str(engine.path), *words], name="gpuplan prices")


@pytest.mark.slow
def test_a_status_fits_on_a_screen_and_names_every_provider(
    crowded: DuckDbEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert status(crowded, "--max-age", "9") == 4
    captured = capsys.readouterr()
    assert len((captured.out + captured.err).splitlines()) <= 40
    rows = [line.split()[:5] for line in captured.out.splitlines()]
    for provider in PROVIDERS:
        assert [provider, "30", "29", "0", "1"] in rows
    assert "and 5 more" in captured.out  # parts that failed alike are told once
    assert "--verbose" in captured.out


@pytest.mark.slow
def test_verbose_and_json_tell_every_part(crowded: DuckDbEngine, capsys: pytest.CaptureFixture[str]) -> None:
    status(crowded, "--verbose")
    assert capsys.readouterr().out.count("spot/r") == 29 * len(PROVIDERS)
    status(crowded, "--format", "json")
    assert len(json.loads(capsys.readouterr().out)["parts"]) == 30 * len(PROVIDERS)


def test_the_oldest_and_the_newest_price_of_a_provider_are_told(
    file_engine: DuckDbEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    land_day(file_engine, 0, [offer(part="a")])
    land_day(file_engine, 15, [offer("g6.xlarge", part="b")])
    assert status(file_engine) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("aws")]
    oldest, newest = (float(word) for word in line.split()[5:7])
    assert oldest - newest == pytest.approx(15, abs=0.01)


def test_a_line_of_a_provider_fits_into_80_columns_and_the_terminal_is_honoured(
    file_engine: DuckDbEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = [offer(f"g{n}.xlarge", provider="hot-aisle-cloud", part="a") for n in range(12)]
    land_day(file_engine, 0, rows, provider="hot-aisle-cloud")
    assert status(file_engine) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "hot-aisle-cloud" in "".join(lines)
    assert max(map(len, lines)) <= 80
    monkeypatch.setenv("COLUMNS", "60")
    assert status(file_engine) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "hot-aisle-cloud" in "".join(lines)
    assert max(map(len, lines)) <= 60
