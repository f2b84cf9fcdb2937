"""A folder that is a table of a lake is read as its log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.usage.faults import UsageError
from planner.usage.sources import find_sources
from planner.usage.table_formats import live_files
from tests.usage.objects import object_store

ROW = {"timestamp": "2026-10-01T00:00:00Z", "gpus": 8}


def _table(folder: Path, *versions: list[Any]) -> Path:
    (folder / "_delta_log").mkdir(parents=True)
    for name in ("a b.parquet", "c.parquet", "d.parquet"):
        pq.write_table(pa.Table.from_pylist([ROW]), folder / name)
    for number, actions in enumerate(versions):
        text = "\n".join(json.dumps(action) for action in actions)
        (folder / "_delta_log" / f"{number:020d}.json").write_text(text, encoding="utf-8")
    return folder


ADD = [{"add": {"path": "a%20b.parquet"}}, {"add": {"path": "c.parquet"}}]
REPLACE = [{"remove": {"path": "a%20b.parquet"}}, {"add": {"path": "d.parquet"}}]


def test_files_that_a_delta_table_removed_are_not_read(tmp_path: Path) -> None:
    folder = _table(tmp_path / "table", [{"metaData": {}}, *ADD], REPLACE)
    sources, faults = find_sources([str(folder)], folder=tmp_path)
    assert faults == []
    assert [Path(source.name).name for source in sources] == ["c.parquet", "d.parquet"]


def test_a_checkpoint_stands_for_the_versions_before_it(tmp_path: Path) -> None:
    folder = _table(tmp_path / "table", ADD, REPLACE, [{"remove": {"path": "c.parquet"}}])
    log = folder / "_delta_log"
    (log / f"{0:020d}.json").unlink()
    (log / f"{1:020d}.json").unlink()
    rows = [{"add": {"path": "c.parquet"}, "remove": None}, {"add": {"path": "d.parquet"}, "remove": None}]
    pq.write_table(pa.Table.from_pylist(rows), log / f"{1:020d}.checkpoint.parquet")
    (log / "_last_checkpoint").write_text('{"version": 1}', encoding="utf-8")
    found = live_files(folder)
    assert found is not None
    assert [path.name for path in found] == ["d.parquet"]


@pytest.mark.parametrize("below", ["", "lake"])
def test_a_table_below_the_folder_is_read_by_its_log_too(tmp_path: Path, below: str) -> None:
    _table(tmp_path / "lake" / "table", [{"metaData": {}}, *ADD], REPLACE)
    sources, _ = find_sources([str(tmp_path / below)], folder=tmp_path)
    assert [Path(source.name).name for source in sources] == ["c.parquet", "d.parquet"]


def test_a_large_checkpoint_names_the_files_that_hold_it(tmp_path: Path) -> None:
    folder = _table(tmp_path / "table", [{"add": {"path": "c.parquet"}}])
    log = folder / "_delta_log"
    (log / f"{0:020d}.json").rename(log / "gone")
    (log / "_sidecars").mkdir()
    pq.write_table(pa.Table.from_pylist([{"add": {"path": "d.parquet"}}]), log / "_sidecars" / "s.parquet")
    pq.write_table(pa.Table.from_pylist([{"sidecar": {"path": "s.parquet"}}]), log / f"{0:020d}.checkpoint.u.parquet")
    (log / "_last_checkpoint").write_text('{"version": 0}', encoding="utf-8")
    assert live_files(folder) == [folder / "d.parquet"]


DELETED = {"add": {"path": "c.parquet", "deletionVector": {"storageType": "u", "pathOrInlineDv": "x"}}}
WITH_VECTOR = {"remove": {"path": "c.parquet", "deletionVector": {"storageType": "u", "pathOrInlineDv": "x"}}}


def test_rows_that_were_deleted_and_then_written_anew_do_not_count(tmp_path: Path) -> None:
    plain = {"remove": {"path": "c.parquet"}}
    folder = _table(tmp_path / "table", ADD, [DELETED, plain], [WITH_VECTOR, {"add": {"path": "d.parquet"}}])
    assert live_files(folder) == [folder / "a b.parquet", folder / "d.parquet"]


@pytest.mark.parametrize("versions", [[ADD, [DELETED, {"remove": {"path": "c.parquet"}}]], [ADD, [{"remove": {"path": "c.parquet"}}, DELETED]]])  # fmt: skip
def test_a_table_with_deleted_rows_is_refused_in_whichever_order_its_log_says_so(
    tmp_path: Path, versions: list[Any]
) -> None:
    with pytest.raises(UsageError, match="rows are deleted inside"):
        live_files(_table(tmp_path / "table", *versions))


@pytest.mark.parametrize("gone", ["version", "checkpoint", "file"])
def test_a_table_of_which_a_part_is_missing_is_refused(tmp_path: Path, gone: str) -> None:
    folder = _table(tmp_path / "table", ADD, REPLACE, [])
    log = folder / "_delta_log"
    if gone == "version":
        (log / f"{1:020d}.json").unlink()
    elif gone == "checkpoint":
        (log / "_last_checkpoint").write_text('{"version": 1}', encoding="utf-8")
    else:
        (folder / "d.parquet").unlink()
    with pytest.raises(UsageError, match=r"missing|not whole|not there"):
        live_files(folder)


@pytest.mark.parametrize("given", ["a b.parquet", "month=10", "c.parquet"])
def test_a_part_of_a_table_is_read_only_where_it_is_of_the_table_now(tmp_path: Path, given: str) -> None:
    folder = _table(tmp_path / "table", [*ADD, {"add": {"path": "month=10/e.parquet"}}], REPLACE)
    (folder / "month=10").mkdir()
    pq.write_table(pa.Table.from_pylist([ROW]), folder / "month=10" / "e.parquet")
    if given == "c.parquet":
        assert len(find_sources([str(folder / given)], folder=tmp_path)[0]) == 1
    else:
        with pytest.raises(UsageError) as error:
            find_sources([str(folder / given)], folder=tmp_path)
        assert str(folder) in error.value.hint


def test_the_data_folder_of_an_iceberg_table_without_its_log_is_refused(tmp_path: Path) -> None:
    for name in ("data", "metadata"):
        (tmp_path / "t" / name).mkdir(parents=True)
    (tmp_path / "t" / "metadata" / "v1.gz.metadata.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="this Iceberg table"):
        find_sources([str(tmp_path / "t" / "data")], folder=tmp_path)


def test_a_delta_table_in_an_object_store_is_read_by_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _table(tmp_path / "t", ADD, REPLACE)
    objects = {f"bucket/{one.relative_to(tmp_path).as_posix()}": one.read_bytes() for one in folder.rglob("*") if one.is_file()}  # fmt: skip
    with object_store(objects) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        sources, _ = find_sources(["s3://bucket/t"], folder=tmp_path)
        assert [Path(source.name).name for source in sources] == ["c.parquet", "d.parquet"]
        with pytest.raises(UsageError, match="inside a table of Delta"):
            find_sources(["s3://bucket/t/c.parquet"], folder=tmp_path)


@pytest.mark.parametrize("kind", ["deleted rows", "iceberg", "hudi", "broken log"])
def test_a_table_that_cannot_be_read_from_its_files_is_refused_with_another_way(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "table"
    if kind == "hudi":
        (folder / ".hoodie").mkdir(parents=True)
        (folder / ".hoodie" / "hoodie.properties").touch()
    elif kind == "iceberg":
        (folder / "metadata").mkdir(parents=True)
        (folder / "metadata" / "1.metadata.json").write_text("{}", encoding="utf-8")
    else:
        _table(folder, [{"add": {"path": "c.parquet", "deletionVector": {"storageType": "u", "pathOrInlineDv": "x"}}}])
    if kind == "broken log":
        (folder / "_delta_log" / f"{1:020d}.json").write_text("{", encoding="utf-8")
        (folder / "_delta_log" / f"{0:020d}.json").write_text("", encoding="utf-8")
    with pytest.raises(UsageError) as error:
        live_files(folder)
    assert "--engine" in error.value.hint


def test_a_folder_of_files_is_no_table(tmp_path: Path) -> None:
    assert live_files(tmp_path) is None
