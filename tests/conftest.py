"""What all tests share: no settings of the person who runs them, and plans of the examples, made once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.inputs import read_document, validated
from planner.plan import Plan, make_plan
from pricing.catalog import load_bundled
from pricing.free_tiers import free_tiers
from pricing.token_prices import token_prices

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
TODAY = date(2026, 11, 21)


# A busy machine is no fault of a formula.
settings.register_profile("gpuplan", deadline=None)
settings.load_profile("gpuplan")


def pytest_configure() -> None:
    """Listen to Ctrl-C: a shell that starts the tests in the background hands on that it is to be ignored."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith("GPUPLAN_") and name != "GPUPLAN_UPDATE_GOLDEN":
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "home"
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(home))


@cache
def _plan(name: str) -> Plan:
    work = validated(read_document(str(EXAMPLES / f"{name}.yaml")), Workload)
    prices = token_prices(work.model, TODAY) if isinstance(work.model, str) else ()
    return make_plan(
        work, load_bundled(), default_assumptions(), today=TODAY, token_prices=prices, free_tiers=free_tiers()
    )


@pytest.fixture
def plan_of() -> Callable[[str], Plan]:
    """Return a function from the name of an example to its plan, on the bundled facts of a fixed day."""
    return _plan


@pytest.fixture
def cluster() -> Iterator[str]:
    """Return the address of the local Spark cluster, one test's at a time and whole again afterwards; skip where none runs."""
    script = ROOT / "scripts" / "engine"
    folder = ROOT / ".engine" / "run"
    if not folder.is_dir():
        pytest.skip("the local Spark engine does not run (scripts/engine start)")
    with FileLock(folder / "tests.lock", timeout=600):
        state = subprocess.run([str(script), "status"], capture_output=True, check=False, timeout=60)
        if state.returncode != 0:
            pytest.skip("the local Spark engine does not run (scripts/engine start)")
        yield subprocess.run(
            [str(script), "uri"], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
        subprocess.run([str(script), "start"], capture_output=True, check=True, timeout=300)
