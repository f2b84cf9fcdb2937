"""Files of usage are found and told apart, on disk and in an object store, and what is wrong with them is said."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.engine.session import connect
from planner.usage import sources as sources_module
from planner.usage.archives import is_package
from planner.usage.bill import Rate
from planner.usage.faults import NoUsageError, UsageError
from planner.usage.file_kinds import kind_of_header
from planner.usage.focus_bill import read_bill
from planner.usage.plain import read_plain
from planner.usage.records import rows_of_file
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources
from planner.usage.summary import summarize
from pricing.catalog import load_bundled
from tests.usage.objects import object_store


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("BilledCost,ChargeCategory,ChargePeriodStart,EffectiveCost", "focus"),
        ("JobID|Start|End|State|AllocTRES", "slurm"),
        ("timestamp,metric,gpu,value", "dcgm"),
        ('Time,"DCGM_FI_DEV_GPU_UTIL{gpu=""0""}"', "dcgm"),
        ("timestamp,gpus", "plain"),
        ("name,colour", ""),
    ],
)
def test_a_header_tells_what_a_file_is(header: str, kind: str) -> None:
    columns = header.split("|") if "|" in header else header.split(",")
    assert kind_of_header(columns) == kind


def test_a_wrong_delimiter_is_told_with_the_file_where_a_cluster_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    path.write_text(
        "BilledCost;ChargeCategory;ChargePeriodStart;EffectiveCost\n1;Usage;2026-10-01;1\n", encoding="utf-8"
    )
    sources, faults = find_sources([str(path)], folder=tmp_path, is_remote=True)
    assert sources == []
    assert faults[0].where == f"{path}:1"
    assert "separated by ';'" in faults[0].what


def test_an_empty_file_and_one_of_no_known_kind_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    (tmp_path / "other.csv").write_text("name,colour\nsky,blue\n", encoding="utf-8")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    _, faults = find_sources([str(tmp_path)], folder=tmp_path)
    said = {Path(fault.where).name: fault.what for fault in faults}
    assert said["empty.csv"] == "the file is empty"
    assert "no kind of usage" in said["other.csv"]
    assert "not a complete Parquet file" in said["broken.parquet"]


def test_a_path_that_does_not_exist_and_a_folder_without_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_sources([str(tmp_path / "nothing.csv")], folder=tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="holds no file of usage"):
        find_sources([str(tmp_path / "folder")], folder=tmp_path)


@pytest.mark.slow
def test_a_bill_in_an_object_store_is_read_where_it_lies(
    bills: ModuleType, made: tuple[Any, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects: dict[str, bytes] = {}
    for number, table in enumerate(bills.tables(made[0], "1.2", seed=3, rows_each=4000)):
        local = tmp_path / f"{number}.{('parquet', 'csv.gz')[number % 2]}"
        if number % 2:
            bills.write_csv(table, local)
        else:
            pq.write_table(table, local)
        objects[f"bucket/focus/month=2026-10/{local.name}"] = local.read_bytes()
    objects["bucket/focus/manifest.json"] = b"{}"
    work = tmp_path / "work"
    work.mkdir()
    with object_store(objects) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        sources, faults = find_sources(["s3://bucket/focus"], folder=work)
        assert (len(sources), faults) == (len(objects) - 1, [])
        engine = connect("duckdb:?threads=1")
        reader = SkuReader(load_bundled().offers)
        bill = read_bill(engine, sources, reader, rates={"EUR": Rate(usd=bills.EUR_USD)}, folder=work)
        engine.close()
    usage = summarize(bill, [], load_bundled())
    assert usage.effective_usd == pytest.approx(made[1]["effective_usd"], abs=0.005)
    assert usage.gpu_hours == pytest.approx(made[1]["gpu_hours"])


def test_what_is_packed_in_an_object_store_is_read_and_parquet_is_not_looked_into_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = b"timestamp,gpus\n2026-10-01T00:00:00Z,2\n2026-10-01T01:00:00Z,0\n"
    packed, columns = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("table.csv", table)
    pq.write_table(pa.table({"ChargePeriodStart": ["x"], "EffectiveCost": ["x"]}), columns)
    document = gzip.compress(b'{"data": [{"p": {"start": "2026-10-01T00:00:00Z", "end": "2026-10-01T01:00:00Z", "gpuHours": 3}}]}')  # fmt: skip
    objects = {"b/u/1.zip": packed.getvalue(), "b/u/2.json.gz": document, "b/u/3.csv": table, "b/u/4.parquet": columns.getvalue()}  # fmt: skip
    looked: list[str] = []

    def seen(name: str, head: bytes) -> bool:
        looked.append(name)
        return is_package(name, head)

    monkeypatch.setattr(sources_module, "is_package", seen)
    with object_store(objects) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        sources, faults = find_sources(["s3://b/u"], folder=tmp_path)
    assert (faults, [source.kind for source in sources]) == ([], ["plain", "plain", "plain", "focus"])
    assert "s3://b/u/4.parquet" not in looked
    assert read_plain(sources[:3]).table.total("gpu_hours") == pytest.approx(2 + 3 + 2)


@pytest.mark.parametrize(("provider", "version"), [("aws", "1.2"), ("gcp", "1.3")])
def test_a_bill_of_another_maker_is_read_and_without_accelerators_says_so_with_its_funnel(
    tmp_path: Path, provider: str, version: str
) -> None:
    command = [
        sys.executable,
        "-m",
        "focus_data_toolkit",
        "generate",
        "--provider",
        provider,
        "--focus-version",
        version,
    ]
    subprocess.run([*command, "--rows", "400", "--seed", "1", "--out", str(tmp_path)], check=True, capture_output=True, timeout=300)  # fmt: skip
    files = [str(path) for path in tmp_path.rglob("*.csv") if "commit" not in path.name]
    assert files
    work = tmp_path / "work"
    work.mkdir()
    sources, _ = find_sources(files, folder=work)
    engine = connect()
    rates = {name: Rate(usd=1.0) for name in ("EUR", "GBP", "JPY", "INR", "CAD", "AUD")}
    bill = read_bill(engine, sources, SkuReader(load_bundled().offers), rates=rates, folder=work)
    engine.close()
    assert bill.rows >= 400
    with pytest.raises(NoUsageError, match=f"{bill.rows:,} rows in the bill.*0 of accelerators") as told:
        summarize(bill, [], load_bundled())
    assert told.value.exit_status == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_utf_16_is_read_with_its_mark_and_without(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    path.write_bytes("BilledCost,ChargeCategory,ChargePeriodStart,EffectiveCost\nMünchen,,,\n".encode(encoding))
    sources, faults = find_sources([str(path)], folder=tmp_path)
    assert faults == []
    assert [cells[0] for _, cells in rows_of_file(sources[0])] == ["BilledCost", "München"]


def test_a_file_that_may_not_be_read_is_told_and_the_others_are_read(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("timestamp,gpus\n2026-10-01,1\n", encoding="utf-8")
    usual = Path.open

    def opened(path: Path, *args: Any, **options: Any) -> Any:
        if path.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return usual(path, *args, **options)

    monkeypatch.setattr(Path, "open", opened)
    sources, faults = find_sources([str(tmp_path)], folder=tmp_path_factory.mktemp("work"))
    assert [one.name for one in sources] == [str(tmp_path / "b.csv")]
    assert [(one.what, one.where) for one in faults] == [
        ("it cannot be read: Permission denied", str(tmp_path / "a.csv"))
    ]


def test_a_folder_that_may_not_be_looked_into_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        find_sources([str(tmp_path)], folder=tmp_path)


def test_files_as_athena_unloads_them_are_read_though_their_names_have_no_ending(
    cases: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{name.lower(): value for name, value in row.items()} for row in cases.bill_rows()]
    folder = tmp_path / "focus"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "20261101_0a1b_f3")
    (folder / "_SUCCESS").write_bytes(b"")
    with object_store({"bucket/focus/20261101_0a1b_f3": (folder / "20261101_0a1b_f3").read_bytes()}) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        for given, is_remote in ((str(folder), False), ("s3://bucket/focus", False), ("s3://bucket/focus", True)):
            sources, faults = find_sources([given], folder=tmp_path, is_remote=is_remote)
            assert ([(source.kind, source.form) for source in sources], faults) == ([("focus", "parquet")], [])
