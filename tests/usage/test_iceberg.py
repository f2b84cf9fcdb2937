"""An Iceberg table is read as its newest snapshot says: `tests/fixtures/iceberg/focus` was written by pyiceberg 0.12.

Ten rows of 1 October and five of the 2nd were appended; then eight rows replaced the first ten.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from fastavro import reader, writer

from planner.cli import main
from planner.usage.faults import UsageError
from planner.usage.sources import find_sources
from planner.usage.table_formats import live_files
from tests.conftest import ROOT
from tests.usage.objects import object_store

FOCUS = ROOT / "tests" / "fixtures" / "iceberg" / "focus"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A copy, which lies elsewhere than its log says."""
    return Path(shutil.copytree(FOCUS, tmp_path / "focus"))


def _changed(table: Path, **changes: Any) -> None:
    newest = max((table / "metadata").glob("*.metadata.json"))
    newest.write_text(json.dumps(json.loads(newest.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_rows_that_were_replaced_do_not_count_by_hand(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight hours at 50 USD and five at 55.04 are 675.20 USD, and 13 h x 8 H100 are 104 GPU-hours."""
    assert main(["usage", str(table), "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gpu_hours"] == pytest.approx(104.0)
    assert found["effective_usd"] == pytest.approx(675.20)


def test_the_version_before_is_another_table(table: Path) -> None:
    newest = max((table / "metadata").glob("*.metadata.json"))
    now = live_files(table)
    newest.unlink()
    before = live_files(table)
    assert now is not None
    assert before is not None
    assert len(set(now) & set(before)) == 1
    assert len(before) == 2


def test_a_table_in_an_object_store_is_read_by_its_log(
    table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    objects = {f"bucket/{one.relative_to(tmp_path).as_posix()}": one.read_bytes() for one in table.rglob("*") if one.is_file()}  # fmt: skip
    live = live_files(table)
    assert live is not None
    with object_store(objects) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        sources, _ = find_sources(["s3://bucket/focus"], folder=tmp_path)
    assert {Path(source.name).name for source in sources} == {one.name for one in live}


def _with_deletes(table: Path) -> None:
    """Say of the newest snapshot's manifests that they list deleted rows."""
    newest = json.loads(max((table / "metadata").glob("*.metadata.json")).read_text(encoding="utf-8"))
    current = next(one for one in newest["snapshots"] if one["snapshot-id"] == newest["current-snapshot-id"])
    path = table / "metadata" / current["manifest-list"].rsplit("/", 1)[-1]
    with path.open("rb") as file:
        told = reader(file)
        schema, rows = told.writer_schema, [dict(cast("dict[str, Any]", row)) for row in told]
    assert schema is not None
    with path.open("wb") as out:
        writer(out, schema, [row | {"content": 1} for row in rows])


@pytest.mark.parametrize(
    "fault", ["deleted rows", "renamed", "newer format", "elsewhere", "two newest", "cut off", "no manifest", "gone"]
)
def test_a_table_that_its_files_alone_do_not_tell_is_refused_with_another_way(table: Path, fault: str) -> None:
    newest = max((table / "metadata").glob("*.metadata.json"))
    match fault:
        case "deleted rows":
            _with_deletes(table)
        case "renamed":
            schemas = json.loads(newest.read_text(encoding="utf-8"))["schemas"]
            again = json.loads(json.dumps(schemas[-1]))
            again["fields"][0]["name"] = "Account"
            _changed(table, schemas=[*schemas, again])
        case "newer format":
            _changed(table, **{"format-version": 4})
        case "elsewhere":
            _changed(table, location="s3://another/place")
        case "two newest":
            shutil.copy(newest, newest.with_name(newest.name.replace("-", "-other-", 1)))
        case "cut off":
            newest.write_bytes(newest.read_bytes()[:1000])
        case "no manifest":
            for one in (table / "metadata").glob("*-m*.avro"):
                one.unlink()
        case _:
            live = live_files(table)
            assert live
            live[0].unlink()
    with pytest.raises(UsageError) as error:
        live_files(table)
    assert "Iceberg" in error.value.message
    if fault != "gone":
        assert "--engine" in error.value.hint


def test_an_empty_table_has_no_files(table: Path) -> None:
    _changed(table, **{"current-snapshot-id": -1})
    assert live_files(table) == []
