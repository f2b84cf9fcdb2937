"""A bill in a warehouse: its table is fetched, and read as a file of it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import ibis
import pytest
import sqlglot

from planner.cli import main
from planner.engine.address import read_address
from planner.engine.session import connect
from planner.usage.relations import table_source
from tests.conftest import EXAMPLES, ROOT
from tests.loopback.trino import trino_server

FOCUS = ROOT / "tests" / "fixtures" / "iceberg" / "focus" / "data"


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """A catalog with three months' files of a bill: 23 rows, in Trino's spelling of their columns, which is small."""
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.billing; SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE lake.billing.focus AS SELECT * FROM read_parquet('{FOCUS}/*.parquet')")
        for (name,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'focus'"
        ).fetchall():
            connection.execute(f'ALTER TABLE lake.billing.focus RENAME "{name}" TO "{name.lower()}"')
        yield connection


def _answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["usage", *words, "-f", "json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return {name: value for name, value in found.items() if name not in {"files", "checks", "notes"}}


def test_a_table_of_trino_answers_as_its_files_do(
    lake: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lake.execute(f"COPY lake.billing.focus TO '{tmp_path / 'focus.parquet'}'")
    of_files = _answer(capsys, str(tmp_path / "focus.parquet"))
    with trino_server(lake) as (address, asked):
        of_trino = _answer(capsys, "lake.billing.focus", "--engine", address)
    assert of_trino == of_files
    assert of_trino["gpu_hours"] == 120.0  # 15 hours of one machine of 8 GPUs, eight of them billed twice
    assert not [text for text in asked if text.split()[0].upper() not in {"SELECT", "WITH"}]


def test_a_table_that_trino_does_not_have_is_refused(
    lake: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    with trino_server(lake) as (address, _):
        assert main(["usage", "lake.billing.fokus", "--engine", address]) == 2
    assert "lake.billing.fokus" in capsys.readouterr().err


@pytest.mark.parametrize("dialect", ["trino", "bigquery"])
def test_what_a_warehouse_is_asked_is_a_plain_choice_of_columns(dialect: str) -> None:
    """BigQuery cannot be had here: what it would be asked parses in its dialect, and asks for nothing else."""
    table = ibis.table({"ChargePeriodStart": "timestamp", "EffectiveCost": "decimal(18, 2)"}, name="focus")
    query = sqlglot.parse_one(ibis.to_sql(table.select("EffectiveCost"), dialect=dialect), read=dialect)
    assert isinstance(query, sqlglot.exp.Select)
    assert [each.alias_or_name for each in query.selects] == ["EffectiveCost"]


def test_no_password_of_a_warehouse_is_shown() -> None:
    address = read_address("trino://ann:secret%2B1@trino.example:8443/lake?token=hidden")
    assert address.shown == "trino://trino.example:8443/lake"
    assert "secret" not in address.error_text(ValueError("no secret+1 and no hidden here"))
    assert "hidden" not in address.error_text(ValueError("no secret+1 and no hidden here"))


def test_a_client_that_is_not_installed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "p.d.t", "--engine", "bigquery://project"]) == 2
    assert "ibis-framework[bigquery]" in capsys.readouterr().err


def test_the_engine_beside_a_warehouse_is_duckdb(lake: duckdb.DuckDBPyConnection) -> None:
    with trino_server(lake) as (address, _):
        engine = connect(address)
        assert not engine.is_spark
        assert "effectivecost" in table_source(engine, "lake.billing.focus").columns
        engine.close()


def test_workloads_are_not_planned_in_a_warehouse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(EXAMPLES / "portfolio"), "--engine", "trino://trino.example:8080"]) == 2
    assert "not in a warehouse" in capsys.readouterr().err
