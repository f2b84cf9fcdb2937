"""Stores to try things on: a file of DuckDB, and a real PostgreSQL server started for the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from pricing.clock import utc_now
from pricing.facts.offers import Offer, PurchaseOption
from pricing.store.database import DuckDbEngine, Engine, PostgresEngine
from pricing.store.parts import PartAnswer
from pricing.store.write import Landing, PartResult, land
from tests.conftest import CLOCK_DAY

DAY = datetime.combine(CLOCK_DAY - timedelta(days=20), time(3, 17))
NO_SERVER = "no PostgreSQL server is installed (Debian: apt-get install postgresql); CI has one"


def server_binaries() -> Path | None:
    """Return the folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start a server of our own on a socket in a folder of our own; return its address without a database."""
    binaries = server_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail(NO_SERVER)
        pytest.skip(NO_SERVER)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    # The server refuses to run as root; where we are root it runs as the user that its package made.
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}

    def call(*words: str) -> None:
        done = subprocess.run(
            [*prefix, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr

    data = str(folder / "data")
    call(str(binaries / "initdb"), "-D", data, "-U", "planner", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    call(str(binaries / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        yield str(folder)
    finally:
        call(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty store of each kind."""
    if request.param == "duckdb":
        return DuckDbEngine(tmp_path / "prices.duckdb")
    folder = request.getfixturevalue("server")
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"postgresql://planner@/postgres?host={folder}", autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return PostgresEngine(f"postgresql://planner@/{name}?host={folder}")


@pytest.fixture
def file_engine(tmp_path: Path) -> DuckDbEngine:
    return DuckDbEngine(tmp_path / "prices.duckdb")


def offer(kind: str = "p5.48xlarge", price: float = 55.04, part: str = "on_demand/us-east-1", **fields: Any) -> Offer:
    """Return an offer of AWS, with what a test wants otherwise."""
    stated: dict[str, Any] = {
        "provider": "aws", "instance_type": kind, "region": "us-east-1", "accelerator": "H100-SXM",
        "accelerator_stated": "NVIDIA H100", "accelerator_count": 8.0, "accelerator_memory_gb": 80.0, "vcpus": 192.0,
        "memory_gib": 2048.0, "purchase_option": PurchaseOption.ON_DEMAND, "price_usd_per_hour": price, "source": "test",
        "source_sku_ids": ("SKU1",), "effective_on": DAY.date(), "observed_on": DAY.date(), "part": part,
    }  # fmt: skip
    return Offer(**stated | fields)


def land_day(
    engine: Engine, day: float, offers: list[Offer], *parts: PartAnswer, provider: str = "aws", **fields: Any
) -> list[PartResult]:
    """Land offers as of the n-th day; parts are those of the offers unless others are told."""
    told = parts or tuple(PartAnswer(part=name) for name in sorted({each.part for each in offers}))
    asked_at = DAY + timedelta(days=day)
    offers = [replace(each, observed_on=asked_at.date()) for each in offers]
    return land(engine, Landing(provider=provider, asked_at=asked_at, parts=told, offers=offers, **fields))


def on_day(day: int) -> date:
    return (DAY + timedelta(days=day)).date()


def a_while_ago(days: float) -> datetime:
    return utc_now() - timedelta(days=days)
