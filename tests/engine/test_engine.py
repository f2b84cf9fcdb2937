"""One address opens the embedded engine or one that already runs; anything else is refused with its way out."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from planner.engine.address import EngineError, read_address
from planner.engine.session import connect

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "engine"


def test_the_embedded_engine_is_the_default() -> None:
    assert read_address(None).kind == read_address("duckdb").kind == "duckdb"
    assert read_address("duckdb:///data/a%20b.duckdb?threads=2").path == "/data/a b.duckdb"


def test_spark_connect_is_named_by_host_and_port() -> None:
    address = read_address("sc://spark.example/;use_ssl=true;token=abc")
    assert (address.kind, address.host, address.port) == ("spark", "spark.example", 15002)


@pytest.mark.parametrize("uri", ["ray://host", "spark://host:7077", "sc://", "postgresql://host/db", "/data/file"])
def test_any_other_address_is_refused_with_the_known_ones(uri: str) -> None:
    with pytest.raises(EngineError, match="no engine is called") as told:
        read_address(uri)
    assert "sc://host:15002" in told.value.hint
    assert told.value.exit_status == 2


@pytest.mark.parametrize("uri", ["duckdb:?cores=2", "duckdb:?threads=many", "sc://host:port"])
def test_a_setting_that_cannot_be_read_is_refused(uri: str) -> None:
    with pytest.raises(EngineError):
        read_address(uri)


@pytest.mark.slow
def test_an_engine_that_does_not_answer_is_told_at_once() -> None:
    import ibis  # noqa: F401  in a fresh environment it takes longer to load the clients than to be told
    import pyspark.sql.connect.session  # noqa: F401

    start = time.monotonic()
    with pytest.raises(EngineError, match="no engine answers at 127"):
        connect("sc://127.0.0.1:1")
    assert time.monotonic() - start < 10


@pytest.mark.slow
def test_a_server_that_speaks_another_language_is_told_within_seconds() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(EngineError, match=f"no engine answers at 127.0.0.1:{port}: .*gRPC"):
            connect(f"sc://127.0.0.1:{port}")
    assert time.monotonic() - start < 20


def test_an_embedded_engine_without_memory_says_what_helps() -> None:
    import ibis

    engine = connect("duckdb:?threads=1&memory=20MB")
    engine.ibis.raw_sql("SET temp_directory = ''")
    engine.ibis.raw_sql("CREATE TEMP VIEW numbers AS SELECT range AS n, hash(range)::VARCHAR AS t FROM range(20000000)")
    numbers = ibis.table({"n": "int64", "t": "string"}, name="numbers")
    with pytest.raises(EngineError, match="the engine gave up") as told:
        engine.table(numbers.group_by("t").agg(n=numbers.n.sum()).order_by(ibis.desc("n")))
    assert "memory=" in told.value.hint
    assert told.value.exit_status == 2
    engine.close()


def test_whoever_stops_a_query_stops_the_program() -> None:
    import ibis

    engine = connect("duckdb:?threads=1")
    engine.ibis.raw_sql("CREATE TEMP VIEW numbers AS SELECT a.range AS n FROM range(100000) a, range(1000000) b")
    stop = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    stop.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.table(ibis.table({"n": "int64"}, name="numbers").agg(n=ibis._.n.hash().sum()))
    finally:
        stop.cancel()
        engine.close()


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="folder"):
        connect(f"duckdb://{tmp_path}/nowhere/file.duckdb")


@pytest.mark.slow
@pytest.mark.breaks_the_cluster
def test_a_query_survives_the_death_of_a_worker(cluster: str) -> None:
    import ibis

    engine = connect(cluster)
    assert engine.spark is not None
    engine.spark.range(12_000_000).repartition(16).createOrReplaceTempView("many")
    numbers = ibis.table({"id": "int64"}, name="many")
    heavy = numbers.group_by(rest=numbers.id % 1000).agg(
        total=(numbers.id * numbers.id % 977).sum(), found=numbers.count()
    )
    lines = (ROOT / ".engine" / "run" / "worker-1.pid").read_text(encoding="utf-8").split()
    killed = threading.Event()

    def kill() -> None:
        time.sleep(1.5)
        for pid in [int(lines[0]), *_children(int(lines[0]))]:
            os.kill(pid, signal.SIGKILL)
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    rows = engine.table(heavy.order_by("rest")).to_pylist()
    thread.join()
    engine.close()
    assert killed.is_set()
    assert len(rows) == 1000
    assert sum(row["found"] for row in rows) == 12_000_000
    assert [row["total"] for row in rows[:3]] == [
        sum(number * number % 977 for number in range(rest, 12_000_000, 1000)) for rest in range(3)
    ]


def _children(pid: int) -> list[int]:
    """Return a process's children: a worker's executors are programs of their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found
