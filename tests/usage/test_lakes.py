"""A folder that is a table of a lake is read as its log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.usage.faults import UsageError
from planner.usage.lakes import live_files
from planner.usage.sources import find_sources

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


@pytest.mark.parametrize("kind", ["deleted rows", "iceberg", "hudi", "broken log"])
def test_a_table_that_cannot_be_read_from_its_files_is_refused_with_another_way(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "table"
    if kind == "hudi":
        (folder / ".hoodie").mkdir(parents=True)
    elif kind == "iceberg":
        (folder / "metadata").mkdir(parents=True)
        (folder / "metadata" / "1.metadata.json").write_text("{}", encoding="utf-8")
    else:
        _table(folder, [{"add": {"path": "c.parquet", "deletionVector": {"storageType": "u"}}}])
    if kind == "broken log":
        (folder / "_delta_log" / f"{1:020d}.json").write_text("{", encoding="utf-8")
        (folder / "_delta_log" / f"{0:020d}.json").write_text("", encoding="utf-8")
    with pytest.raises(UsageError) as error:
        live_files(folder)
    assert "--engine" in error.value.hint


def test_a_folder_of_files_is_no_table(tmp_path: Path) -> None:
    assert live_files(tmp_path) is None
