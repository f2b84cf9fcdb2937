"""A refresh against the clouds on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pricing.commands.prices import prices
from pricing.commands.runner import run
from pricing.refresh.run import RefreshSummary, refresh
from pricing.store.database import DuckDbEngine
from tests.loopback.clouds import CLOUDS, Clouds

Refresh = Callable[..., RefreshSummary]
Run = Callable[..., int]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Clouds]:
    monkeypatch.setattr("pricing.providers.client.FIRST_PAUSE_S", 0.001)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with Clouds() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> DuckDbEngine:
    return DuckDbEngine(tmp_path / "prices.duckdb")


@pytest.fixture
def refreshed(clouds: Clouds, store: DuckDbEngine) -> Refresh:
    """Return what refreshes the store from the clouds."""

    def call(*names: str, **fields: object) -> RefreshSummary:
        return refresh(store, names or tuple(CLOUDS), settings=clouds.settings(), **fields)  # type: ignore[arg-type]

    return call


@pytest.fixture
def command(clouds: Clouds, store: DuckDbEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return what runs a price command with the clouds' settings in the environment."""
    for name, value in clouds.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GPUPLAN_STORE", str(store.path))
    monkeypatch.chdir(tmp_path)
    return lambda *words: run(prices, [str(word) for word in words], name="gpuplan prices")
