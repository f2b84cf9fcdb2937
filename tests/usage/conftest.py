"""Bills with known answers, and the engines that read them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from planner.engine.session import Engine, connect
from planner.usage.bill import Bill, Rate
from planner.usage.focus_bill import read_bill
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources
from pricing.catalog import load_bundled

ROOT = Path(__file__).resolve().parents[2]
HOURS = 336


def load_bills() -> ModuleType:
    """Return the script that makes bills."""
    return _script("make_usage")


def load_cases() -> ModuleType:
    """Return the script of small bills and records with known answers."""
    _script("make_usage")
    return _script("usage_cases")


def _script(name: str) -> ModuleType:
    import sys

    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def bills() -> ModuleType:
    return load_bills()


@pytest.fixture(scope="session")
def cases() -> ModuleType:
    return load_cases()


@pytest.fixture(scope="session")
def rates(bills: ModuleType) -> dict[str, Rate]:
    return {"EUR": Rate(usd=bills.EUR_USD)}


@pytest.fixture(scope="session")
def made(bills: ModuleType) -> tuple[Any, dict[str, Any]]:
    """Return a fortnight's bill and what is known of it."""
    made: tuple[Any, dict[str, Any]] = bills.make(6000, seed=3, hours=HOURS)
    return made


@pytest.fixture(scope="session")
def reader() -> SkuReader:
    return SkuReader(load_bundled().offers)


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return each engine in turn: one suite for both."""
    uri = request.getfixturevalue("cluster") if request.param == "spark" else "duckdb:?threads=2"
    opened = connect(uri)
    yield opened
    opened.close()


@pytest.fixture
def read(engine: Engine, reader: SkuReader, rates: dict[str, Rate], tmp_path: Path) -> Callable[..., Bill]:
    """Return a function from paths to the bill in them."""

    def from_paths(*paths: Path | str, **options: Any) -> Bill:
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        sources, faults = find_sources([str(path) for path in paths], folder=folder, is_remote=engine.is_spark)
        bill = read_bill(engine, sources, reader, folder=folder, **{"rates": rates, **options})
        return bill if not faults else _with_faults(bill, faults)

    return from_paths


def _with_faults(bill: Bill, faults: list[Any]) -> Bill:
    from dataclasses import replace

    return replace(bill, faults=(*faults, *bill.faults))
