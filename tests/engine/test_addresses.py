"""Tokens of an engine's address reach its client whole, and nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from planner.engine.address import EngineError, read_address
from planner.engine.session import Engine, connect
from planner.portfolio.blocks import Block, PortfolioError
from planner.portfolio.reading import Row
from planner.portfolio.spark import run_on_spark
from planner.usage.faults import UsageError
from planner.usage.relations import table_source
from tests.portfolio.equal import usual_market

TOKEN = "dapi/0123+4567==.abc"


@pytest.mark.parametrize(
    "parameters",
    [
        f"use_ssl=true;token={TOKEN}",
        f"use_ssl=true;token={TOKEN};x-databricks-cluster-id=0123-456789-abcdefgh",
        f"use_ssl=true;x-aws-proxy-auth={TOKEN}",
        "use_ssl=true;token=dapi%2F0123%2B4567%3D%3D.abc",
    ],
)
def test_a_token_reaches_the_client_as_it_is(parameters: str) -> None:
    client = pytest.importorskip("pyspark.sql.connect.client").DefaultChannelBuilder
    address = read_address(f"sc://spark.example:443/;{parameters}")
    built = client(address.uri)
    assert (built.host, built.endpoint, built.secure) == ("spark.example", "spark.example:443", True)
    assert TOKEN in (built.token, dict(built.metadata()).get("x-aws-proxy-auth"))
    assert address.shown == "sc://spark.example:443"
    assert "0123" not in repr(address)


@pytest.mark.parametrize(
    "uri",
    [
        f"sc://spark.example/{TOKEN}",
        f"sc://spark.example:{TOKEN}",
        f"sc://{TOKEN}@spark.example:443/;use_ssl=true",
        f"sc://user:{TOKEN}@spark.example:443",
        f"sc://spark.example:443/;{TOKEN.strip('=')}".replace("==", ""),
        f"sc://spark.example:443/;=token;{TOKEN}",
        f"sc://spark.example:99999/;token={TOKEN}",
        f"sc://spark.example/?token={TOKEN}",
        f"sc://[::1]:443/;token={TOKEN}",
        f"sc:spark.example;token={TOKEN}",
        f"scs://spark.example/;token={TOKEN}",
        f"https://spark.example/?token={TOKEN}",
        f"postgresql://user:{TOKEN}@host/db",
        f"spark://host[/;token={TOKEN}",
        f"duckdb://{TOKEN}@host/file.duckdb",
        f"duckdb:file.duckdb?token={TOKEN}",
        TOKEN * 2,
    ],
)
def test_no_token_is_in_what_a_wrong_address_is_told(uri: str) -> None:
    with pytest.raises(EngineError) as told:
        read_address(uri)
    for text in (str(told.value), told.value.hint, told.value.where):
        assert "0123" not in text
        assert "4567" not in text


def test_an_address_may_end_as_the_platforms_print_it() -> None:
    for uri in (
        "sc://spark.example",
        "sc://spark.example:15002/",
        "SC://spark.example/;",
        "sc://spark.example:15002/;",
    ):
        address = read_address(uri)
        assert (address.uri, address.shown) == ("sc://spark.example:15002/", "sc://spark.example:15002")


class _Refusing:
    """A session of Spark whose server repeats the token it was given."""

    def sql(self, _query: str) -> None:
        raise ConnectionError(f"metadata was invalid: [('x-auth', '{TOKEN}')] for dapi%2F0123%2B4567%3D%3D.abc")


def test_no_token_is_in_what_the_server_or_the_client_says(monkeypatch: pytest.MonkeyPatch) -> None:
    given = read_address(f"sc://spark.example:443/;use_ssl=true;token={TOKEN}")
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", TOKEN)
    for address in (given, read_address("sc://spark.example:443/;use_ssl=true")):
        engine = Engine(address=address, ibis=None, spark=_Refusing())
        with pytest.raises(EngineError, match="the engine gave up") as told, engine.readable_errors():
            engine.spark.sql("")
        with pytest.raises(UsageError) as of_table:
            table_source(engine, "main.billing.focus")
        for text in (str(told.value), told.value.where, told.value.hint, str(of_table.value)):
            assert "0123" not in text
        assert told.value.where == "--engine sc://spark.example:443"
        assert "***" in str(told.value)


def test_no_token_is_in_what_the_cluster_says_of_a_portfolio(tmp_path: Path) -> None:
    from pyspark.errors import PySparkException

    class Refusing:
        def createDataFrame(self, *_: object) -> None:
            raise PySparkException(f"{'a long way to go ' * 17} with {TOKEN} in it")

    address = read_address(f"sc://spark.example:443/;use_ssl=true;token={TOKEN}")
    block = Block(number=0, rows=(Row(row=0, where="", content="", fault="empty"),))
    with pytest.raises(PortfolioError, match="the cluster could not do it: a long way") as told:
        run_on_spark(
            Engine(address=address, ibis=None, spark=Refusing()),
            [block],
            usual_market(),
            tmp_path,
            done=lambda *_: None,
        )
    assert "dapi" not in str(told.value)


@pytest.mark.slow
@pytest.mark.parametrize("parameter", [f"token={TOKEN}", f"x-aws-proxy-auth={TOKEN}", f"X-Auth={TOKEN}"])
def test_no_token_is_in_what_a_server_that_is_not_there_is_told(parameter: str) -> None:
    with pytest.raises(EngineError, match=r"no engine answers at 127\.0\.0\.1:1: ") as told:
        connect(f"sc://127.0.0.1:1/;use_ssl=true;{parameter}")
    assert "0123" not in f"{told.value} {told.value.hint} {told.value.where}"


@pytest.mark.usefixtures("machine_clock")
@pytest.mark.parametrize(
    ("parameters", "variable", "expected"),
    [
        (";x-databricks-cluster-id=0123-id", TOKEN, {"authorization": f"Bearer {TOKEN}", "x-databricks-cluster-id": "0123-id"}),
        (f";x-aws-proxy-auth={TOKEN};authorization=is-0123", "", {"x-aws-proxy-auth": TOKEN, "authorization": "is-0123"}),
        (f";token={TOKEN}", "", {"authorization": f"Bearer {TOKEN}"}),
    ],
    ids=["databricks", "emr", "token in the address"],
)  # fmt: skip
def test_each_platform_s_token_reaches_the_server_in_its_header_and_no_error(
    parameters: str, variable: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grpc = pytest.importorskip("grpc")
    headers: dict[str, str] = {}

    class Refusing(grpc.GenericRpcHandler):  # type: ignore[misc,name-defined]  # grpc has no types
        """A server that repeats what it was sent and refuses it."""

        def service(self, details: Any) -> Any:
            headers.update(details.invocation_metadata)

            def refused(_request: object, context: Any) -> None:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, f"who is this? {headers}")

            return grpc.unary_unary_rpc_method_handler(refused)

    server = grpc.server(ThreadPoolExecutor(2), handlers=(Refusing(),))
    credentials = grpc.local_server_credentials()
    port = server.add_secure_port("localhost:0", credentials) if variable or "token=" in parameters else server.add_insecure_port("localhost:0")  # fmt: skip
    server.start()
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", variable) if variable else None
    try:
        with pytest.raises(EngineError, match="who is this") as told:
            connect(f"sc://localhost:{port}/{parameters}")
    finally:
        server.stop(0)
    assert expected.items() <= headers.items()
    assert "token" in told.value.hint
    for secret in (TOKEN, "0123"):
        assert secret not in f"{told.value} {told.value.hint} {told.value.where}"
    from pyspark.sql.connect.session import SparkSession

    assert SparkSession.getActiveSession() is None  # it would be asked again and again by the next one
