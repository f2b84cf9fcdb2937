"""What all tests share: no settings of the person who runs them, and plans of the examples, made once."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import time_machine
from hypothesis import settings

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.engine.address import EngineError
from planner.engine.session import connect
from planner.inputs.reading import read_document, validated
from planner.plan import Plan, make_plan
from pricing.catalog import load_bundled
from pricing.facts.sellers import free_tiers
from pricing.facts.token_prices import token_prices

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
TODAY = date(2026, 11, 21)
CLOCK_DAY = date.fromisoformat(os.environ.get("TEST_CLOCK", f"{TODAY}")[:10])
"""The day of the tests' clock, for what is made before it is started: pytest imports the conftests of the files it is given first."""

SEEN_ON = CLOCK_DAY - timedelta(days=20)
"""A day on which a price was seen, whatever day the tests take for today."""
KNOWS_BUNDLED = pytest.mark.skipif(date(2026, 10, 11) > CLOCK_DAY, reason="the bundled prices are of days to come")

# A busy machine is no fault of a formula. The same examples on every run, half of them every day and all with `scripts/test --all`;
# `--hypothesis-profile random` looks for new ones.
settings.register_profile("gpuplan", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("all", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile("gpuplan")


def pytest_configure(config: pytest.Config) -> None:
    """Put clock, time zone and locale where the tests want them, and listen to Ctrl-C.

    A shell that starts the tests in the background hands on that Ctrl-C is to be ignored.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _leave_the_real_clock(runs_tests=hasattr(config, "workerinput") or not config.getoption("numprocesses", None))
    os.environ["TZ"] = os.environ.get("TEST_TZ", "UTC")
    time.tzset()
    os.environ["LC_ALL"] = os.environ.get("TEST_LOCALE", "C.UTF-8")


_clock: list[time_machine.travel] = []


def _start_clock(offset_s: float) -> None:
    _clock[:] = [time_machine.travel(time.time() + offset_s, tick=True)]
    _clock[0].start()


def _leave_the_real_clock(*, runs_tests: bool) -> None:
    """Start the tests' clock, here and in every Python process that a test starts; workers of one run share it."""
    day = datetime.fromisoformat(os.environ.get("TEST_CLOCK", f"{TODAY}T09:00")).replace(tzinfo=UTC)
    offset_s = float(os.environ.setdefault("TEST_CLOCK_OFFSET_S", str(day.timestamp() - time.time())))
    if not runs_tests:
        return  # the workers of this process start their own
    _start_clock(offset_s)
    paths = (str(ROOT / "tests" / "clock"), str(ROOT), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


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
    prices = token_prices(work.model, TODAY, today=TODAY) if isinstance(work.model, str) else ()
    return make_plan(
        work, load_bundled(), default_assumptions(), today=TODAY, token_prices=prices, free_tiers=free_tiers()
    )


@pytest.fixture
def plan_of() -> Callable[[str], Plan]:
    """Return a function from the name of an example to its plan, on the bundled facts of a fixed day."""
    return _plan


@contextmanager
def _clock_of_the_machine() -> Iterator[None]:
    """Tell the machine's own time: gRPC hands deadlines on the clock of Python to a core that reads the machine's."""
    _clock[0].stop()
    try:
        yield
    finally:
        _start_clock(float(os.environ["TEST_CLOCK_OFFSET_S"]))


@pytest.fixture
def machine_clock() -> Iterator[None]:
    """Run a test on the machine's own clock, for clients that count time below Python."""
    with _clock_of_the_machine():
        yield


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of the local Spark cluster, whole again after a test that breaks it, alone; skip where none runs."""
    script = ROOT / "scripts" / "engine"
    folder = ROOT / ".engine" / "run"
    if not folder.is_dir():
        pytest.skip("the local Spark engine does not run (scripts/engine start)")
    with (folder / "tests.lock").open("a") as lock:
        breaks = request.node.get_closest_marker("breaks_the_cluster")
        fcntl.flock(lock, fcntl.LOCK_EX if breaks else fcntl.LOCK_SH)
        state = subprocess.run([str(script), "status"], capture_output=True, check=False, timeout=60)
        if state.returncode != 0:
            pytest.skip("the local Spark engine does not run (scripts/engine start)")
        address = subprocess.run([str(script), "uri"], capture_output=True, text=True, check=True, timeout=60).stdout
        with _clock_of_the_machine():
            _wait_until_it_answers(address.strip())
            yield address.strip()
        if breaks:
            subprocess.run([str(script), "start"], capture_output=True, check=True, timeout=300)


def _wait_until_it_answers(address: str, tries: int = 12) -> None:
    """Wait for an engine that is busy with what the test before this one did to it."""
    for attempt in range(tries):
        try:
            connect(address).close()
        except EngineError:
            if attempt == tries - 1:
                raise
            time.sleep(5)
        else:
            return
