"""What may happen to a store, and must not harm it: kills, two writers, a full disk, another schema, a wrong file."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import duckdb
import pytest

from pricing.errors import StoreBusyError, StoreError, StoreVersionError
from pricing.store.database import STORAGE_VERSION, DuckDbEngine, Engine, PostgresEngine, open_store
from pricing.store.parts import read_statuses
from pricing.store.read import read_offers
from tests.pricing.store.conftest import land_day, offer

ROOT = Path(__file__).parents[3]
ROWS = 2_000

WRITER = textwrap.dedent(
    """
    import sys
    from pricing.store.database import open_store
    from tests.pricing.store.conftest import land_day, offer
    engine, rows = open_store(sys.argv[1]), int(sys.argv[2])
    for day in range(1, 1000):
        land_day(engine, day, [offer(f"t{number}.large", 10.0 + day / 1000) for number in range(rows)])
        print(day, flush=True)
    """
)


def writer(engine: Engine, rows: int = ROWS, **arguments: object) -> subprocess.Popen[str]:
    address = engine._conninfo if isinstance(engine, PostgresEngine) else engine.uri
    environment = dict(os.environ)
    words = [sys.executable, "-c", WRITER, address, str(rows)]
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, **arguments)  # type: ignore[call-overload, no-any-return]


def assert_whole(engine: Engine) -> int:
    """Check that every offer is of one and the same day, and return the day."""
    found = read_offers(engine)
    prices = {offer.price_usd_per_hour for offer in found}
    assert len(found) in {0, ROWS}
    assert len(prices) <= 1, "half of a refresh is there"
    return round((prices.pop() - 10.0) * 1000) if prices else 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_refresh_killed_at_any_moment_loses_nothing_that_had_landed(seed: int, engine: Engine) -> None:
    engine.create()
    process = writer(engine)
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.0, 0.5))
    process.send_signal(signal.SIGKILL)
    landed = [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    day = assert_whole(engine)
    assert day >= max([2, *landed])
    # And the store can be written again at once.
    land_day(engine, 2000, [offer(f"t{number}.large", 11.0) for number in range(ROWS)])
    assert len(read_statuses(engine)) == 1


@pytest.mark.slow
def test_a_first_refresh_killed_while_it_makes_the_store_leaves_none_or_a_good_one(file_engine: DuckDbEngine) -> None:
    dice = random.Random(3)
    for _ in range(6):
        process = writer(file_engine, 20)
        time.sleep(dice.uniform(0.25, 0.6))
        process.kill()
        process.communicate()
        if file_engine.exists():
            read_offers(file_engine)


@pytest.mark.slow
def test_a_reader_never_sees_half_of_a_refresh(engine: Engine) -> None:
    land_day(engine, 0, [offer(f"t{number}.large", 10.0) for number in range(ROWS)])
    process = writer(engine)
    try:
        until, reads = time.monotonic() + 3, 0
        while time.monotonic() < until:
            assert_whole(engine)
            reads += 1
        assert reads >= 3
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_two_refreshes_at_once_do_not_harm_each_other(engine: Engine) -> None:
    def run(number: int) -> None:
        for day in range(5):
            part = f"on_demand/r{number}"
            land_day(engine, day, [offer("p5.48xlarge", 50.0 + day, part, region=f"r{number}")])

    engine.create()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    process = writer(engine, 50)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.kill()
    process.communicate()
    found = {
        each.region: each.price_usd_per_hour for each in read_offers(engine) if each.instance_type == "p5.48xlarge"
    }
    assert found == {"r0": 54.0, "r1": 54.0, "r2": 54.0}
    with engine.reading() as session:
        assert session.rows("select count(*) - count(distinct offer_id) from offer") == [(0,)]
        assert session.rows("select count(*) - count(distinct identity) from offer") == [(0,)]


FULL_DISK = textwrap.dedent(
    """
    import resource, signal, sys
    from pricing.commands.runner import run
    import click
    from pricing.store.database import open_store
    from tests.pricing.store.conftest import land_day, offer
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)   # a write past the limit fails as on a full disk
    limit = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    @click.command()
    def fill():
        land_day(open_store(sys.argv[1]), 1, [offer(f"t{n}.large", 1.0 + n, source_sku_ids=(f"{n:040x}",)) for n in range(60000)])
    sys.exit(run(fill, []))
    """
)


FULL_FROM_THE_START = textwrap.dedent(
    """
    import resource, signal, sys
    import click
    from pricing.commands.runner import run
    from pricing.store.database import open_store
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    @click.command()
    def make():
        open_store(sys.argv[1]).create()
    sys.exit(run(make, []))
    """
)


@pytest.mark.parametrize("limit_bytes", [1_000, 64_000, 300_000])
def test_on_a_full_disk_no_half_store_is_made(file_engine: DuckDbEngine, limit_bytes: int) -> None:
    words = [sys.executable, "-c", FULL_FROM_THE_START, file_engine.uri, str(limit_bytes)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "cannot make the store" in done.stderr
    assert "is the disk full?" in done.stderr
    assert list(file_engine.path.parent.iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_costs_the_refresh_and_not_the_store(file_engine: DuckDbEngine) -> None:
    land_day(file_engine, 0, [offer()])
    limit = file_engine.path.stat().st_size + 1_000_000
    environment = dict(os.environ)
    words = [sys.executable, "-c", FULL_DISK, file_engine.uri, str(limit)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "nothing of this landing was kept" in done.stderr
    assert [each.instance_type for each in read_offers(file_engine)] == ["p5.48xlarge"]
    land_day(file_engine, 2, [offer(price=50.0)])
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != limit


@pytest.mark.parametrize(("version", "word"), [("0", "move the file away"), ("2", "newer gpuplan")])
def test_a_store_of_another_schema_is_refused_with_words(version: str, word: str, engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    with engine.writing() as session:
        session.execute("update store_meta set value = ? where name = 'schema_version'", [version])
    with pytest.raises(StoreVersionError, match=f"schema version {version}") as caught:
        read_offers(engine)
    assert word in caught.value.hint
    with pytest.raises(StoreVersionError):
        land_day(engine, 1, [offer(price=50.0)])


def test_a_database_of_someone_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table accounts (number integer)")
    with pytest.raises(StoreVersionError, match="no store of this program"):
        land_day(DuckDbEngine(path), 0, [offer()])
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("show tables").fetchall() == [("accounts",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "prices.duckdb"
    path.write_text("provider,price\n" * 1000)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="cannot be"):
        read_offers(DuckDbEngine(path))
    with pytest.raises(StoreError, match="cannot be"):
        land_day(DuckDbEngine(path), 0, [offer()])
    assert path.read_bytes() == before


def test_a_store_that_is_not_there_says_how_to_fill_it(engine: Engine) -> None:
    with pytest.raises(StoreError, match="there is no store") as caught:
        read_offers(engine)
    assert "prices refresh" in caught.value.hint


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        read_offers(open_store("postgresql://planner:secret@127.0.0.1:9/prices"))
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_a_file_that_stays_locked_is_told_after_a_while(tmp_path: Path) -> None:
    path = tmp_path / "prices.duckdb"
    land_day(DuckDbEngine(path), 0, [offer()])
    holder = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        with pytest.raises(StoreBusyError, match="another program has held the store"):
            read_offers(DuckDbEngine(path, wait_s=0.3))
    finally:
        process.communicate("")
    assert len(read_offers(DuckDbEngine(path))) == 1


def test_the_file_format_is_one_that_older_releases_read(file_engine: DuckDbEngine) -> None:
    land_day(file_engine, 0, [offer()])
    assert STORAGE_VERSION == "v1.0.0"
    # Bytes 12 to 20 of the header hold the number of the format; 64 is that of DuckDB 0.10 to 1.x.
    assert int.from_bytes(file_engine.path.read_bytes()[12:20], "little") == 64


def test_the_file_is_not_held_open_between_uses(file_engine: DuckDbEngine) -> None:
    land_day(file_engine, 0, [offer()])
    read_offers(file_engine)
    held = {os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()}
    assert str(file_engine.path) not in held
