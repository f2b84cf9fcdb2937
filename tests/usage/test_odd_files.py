"""Files of usage with odd names, in odd places and of odd content: the one that was named is read, or its fault is said."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from planner.cli import main
from planner.engine.session import Engine, connect
from planner.errors import InputError
from planner.inputs.delimited import lines_of, rows_of
from planner.usage import object_stores as stores_module
from planner.usage import sources as sources_module
from planner.usage.faults import UsageError
from planner.usage.focus_bill import read_bill
from planner.usage.plain import read_plain
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources, working_folder
from tests.conftest import EXAMPLES

HEADER = "BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,EffectiveCost,ConsumedQuantity,ConsumedUnit,ProviderName,SkuMeter"
PLAIN = "timestamp,gpus\n2026-10-01T00:00:00Z,3\n2026-10-01T01:00:00Z,5\n"
PATTERNS = ["bill[1]", "b*", "b?", "b{a,b}", "[!b]", "b[", "]b", "b\\[1]", "b'q"]


def _charges(count: int) -> str:
    rows = [
        f"USD,Usage,2026-10-01T{h:02}:00:00Z,2026-10-01T{h + 1:02}:00:00Z,10,1,Hours,AWS,BoxUsage:p5.48xlarge"
        for h in range(count)
    ]
    return "\n".join([HEADER, *rows, ""])


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Engine]:
    opened = connect("duckdb:?threads=2")
    yield opened
    opened.close()


def _rows_of_bill(engine: Engine, path: Path, folder: Path, reader: SkuReader) -> int:
    sources, faults = find_sources([str(path)], folder=folder)
    assert faults == []
    return read_bill(engine, sources, reader, folder=folder).rows


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize("name", [PATTERNS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in PATTERNS[1:])])
@pytest.mark.parametrize(
    "ending",
    [pytest.param(".csv.gz", marks=pytest.mark.slow), pytest.param(".csv", marks=pytest.mark.slow), ".parquet"],
)
def test_a_name_is_a_name_and_no_pattern(
    name: str, ending: str, duckdb: Engine, tmp_path: Path, folder: Path, reader: SkuReader
) -> None:
    inside = tmp_path / name  # the folder has an odd name too
    inside.mkdir()

    def write(stem: str, rows: int) -> Path:
        path, text = inside / f"{stem}{ending}", _charges(rows).encode()
        if ending == ".parquet":
            pq.write_table(pyarrow.csv.read_csv(io.BytesIO(text)), path)
        else:
            path.write_bytes(gzip.compress(text) if ending == ".csv.gz" else text)
        return path

    named = write(name, 1)
    for other in ("bill1", "b1", "bxx", "ba", "c"):
        write(other, 5)
    assert _rows_of_bill(duckdb, named, folder, reader) == 1
    assert _rows_of_bill(duckdb, inside, folder, reader) == 26


@pytest.mark.parametrize("kind", ["plain", "slurm", "dcgm"])
def test_records_with_odd_names_are_read_from_the_file_that_was_named(kind: str, tmp_path: Path, folder: Path) -> None:
    text = {
        "plain": PLAIN,
        "slurm": "JobID|Start|End|AllocTRES\n1|2026-10-01T00:00:00|2026-10-01T01:00:00|gres/gpu=8\n",
        "dcgm": 'timestamp,"DCGM_FI_DEV_GPU_UTIL{gpu=""0""}"\n2026-10-01T00:00:00Z,50\n',
    }[kind]
    for stem in PATTERNS:
        (tmp_path / f"{stem}.csv").write_text(text, encoding="utf-8")
    sources, faults = find_sources([str(tmp_path)], folder=folder)
    assert faults == []
    assert sorted(Path(one.name).stem for one in sources) == sorted(PATTERNS)
    assert {one.kind for one in sources} == {kind}


def test_a_folder_for_temporary_files_that_would_be_a_pattern_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t[1]").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t[1]"))
    with pytest.raises(UsageError, match="temporary files"), working_folder():
        pass


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_whether_it_is_compressed_or_not(packed: bool, tmp_path: Path, folder: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = gzip.compress(PLAIN.encode()) if packed else PLAIN.encode()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    sources, faults = find_sources([str(pipe)], folder=folder)
    writer.join()
    assert faults == []
    assert read_plain(sources).table.total("gpu_hours") == 8.0


def test_a_dash_is_standard_input(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "-").mkdir()
    monkeypatch.chdir(tmp_path)  # a folder of that name changes nothing
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PLAIN.encode())))
    sources, _ = find_sources(["-"], folder=folder)
    assert read_plain(sources).table.total("gpu_hours") == 8.0


def test_a_closed_standard_input_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    _, faults = find_sources(["-"], folder=folder)
    assert [one.what for one in faults] == ["it cannot be read: standard input is closed"]


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null"])
def test_a_device_without_text_is_told_at_once(device: str, folder: Path) -> None:
    sources, faults = find_sources([device], folder=folder)
    assert sources == []
    assert len(faults) == 1
    laid_down = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in laid_down) <= sources_module.BLOCK_BYTES


def test_a_pipe_that_does_not_end_is_given_up(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "LARGEST_STREAM_BYTES", 1000)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"timestamp,gpus\n" * 1000)))
    _, faults = find_sources(["-"], folder=folder)
    assert "more than 1,000 bytes" in faults[0].what
    assert not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("name", "packed"), [("bill.csv", True), ("bill.csv.gz", False), ("bill.txt", True)])
def test_what_a_file_holds_decides_and_not_its_ending(name: str, packed: bool, tmp_path: Path, folder: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(PLAIN.encode()) if packed else PLAIN.encode())
    sources, faults = find_sources([str(path)], folder=folder)
    assert faults == []
    assert read_plain(sources).table.total("gpu_hours") == 8.0


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_may_end_as_any_system_writes_them(
    end: str, duckdb: Engine, tmp_path: Path, folder: Path, reader: SkuReader
) -> None:
    bill, plain = tmp_path / "bill.csv", tmp_path / "plain.csv"
    bill.write_bytes(_charges(4).replace("\n", end).encode())
    plain.write_bytes(PLAIN.replace("\n", end).encode())
    assert _rows_of_bill(duckdb, bill, folder, reader) == 4
    sources, _ = find_sources([str(plain)], folder=folder)
    assert read_plain(sources).table.total("gpu_hours") == 8.0


@pytest.mark.parametrize("end", ["\n", ";\n"])
def test_a_header_with_an_endless_cell_is_told_and_never_a_bug(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bill.csv"
    path.write_text(f"timestamp,gpus,{'x' * 200_000}{end}2026-10-01T00:00:00Z,1,\n", encoding="utf-8")
    assert main(["usage", str(path), "--quiet"]) == 2
    assert "no row of a table" in capsys.readouterr().err


def test_a_counter_beyond_reason_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "timestamp,Hostname,gpu,modelName,pod,DCGM_FI_PROF_GR_ENGINE_ACTIVE,DCGM_FI_PROF_SM_ACTIVE,DCGM_FI_DEV_POWER_USAGE"
    rows = [f"2026-10-01T00:0{n}:00Z,node-1,0,NVIDIA H100 80GB HBM3,,0.5,0.5,{watts}" for n, watts in enumerate((400, "-1e308", 400))]  # fmt: skip
    path = tmp_path / "dcgm.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    assert main(["usage", str(path)]) == 0
    assert "1 row left out" in capsys.readouterr().err


@pytest.mark.parametrize("ends", [("\n", "\r\n"), ("\r\n", "\n")])
def test_a_bill_whose_lines_end_in_two_ways_is_read_whole(
    ends: tuple[str, str], duckdb: Engine, tmp_path: Path, folder: Path, reader: SkuReader
) -> None:
    header, *rows = _charges(4).splitlines()
    bill = tmp_path / "bill.csv"
    bill.write_bytes(
        "".join([header + ends[0], *(row + ends[number // 2] for number, row in enumerate(rows))]).encode()
    )
    assert _rows_of_bill(duckdb, bill, folder, reader) == 4


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "nowhere.csv"])
def test_a_name_that_no_file_can_have_is_no_such_file(name: str, folder: Path) -> None:
    with pytest.raises(UsageError):
        find_sources([name], folder=folder)


def test_names_in_latin_1_come_out_right_and_stay_different(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_bytes("team\nM\u00fcnchen\nK\u00f6ln\n".encode("latin-1"))
    assert [cells for _, cells in rows_of(lines_of(str(path), "records.csv"), "records.csv")] == [
        ["team"],
        ["M\u00fcnchen"],
        ["K\u00f6ln"],
    ]


def test_a_cell_without_an_end_is_told_with_the_line_where_it_begins() -> None:
    lines = ["a,b\n", '1,"2\n', *["x" * 1000 + "\n"] * 200]
    with pytest.raises(InputError, match="no row of a table") as refused:
        list(rows_of(lines, "jobs.csv"))
    assert refused.value.where == "jobs.csv:2"


def test_a_line_without_an_end_is_told_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.inputs.delimited.MOST_LINE_CHARACTERS", 100)
    path = tmp_path / "jobs.csv"
    path.write_text("a,b\n" + "x" * 1000, encoding="utf-8")
    with pytest.raises(InputError, match="more than 100 characters") as refused:
        list(lines_of(str(path), "jobs.csv"))
    assert refused.value.where == "jobs.csv:2"


def test_columns_of_no_kind_are_shown_short_and_without_control_characters(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\x1b]0;title\x07" + "y" * 500 + ",b\n", encoding="utf-8")
    _, faults = find_sources([str(path)], folder=folder)
    assert faults[0].what.isprintable()
    assert len(faults[0].what) < 200


@pytest.mark.parametrize("uri", ["s3://b/x?y=1", "abfs://a@b/c?x"])
def test_a_uri_that_no_client_can_read_is_an_input_to_be_mended(uri: str, folder: Path) -> None:
    with pytest.raises(UsageError) as refused:
        find_sources([uri], folder=folder)
    assert refused.value.where == uri


def test_a_bill_with_a_column_without_a_name_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = gzip.decompress((EXAMPLES / "usage" / "bill.csv.gz").read_bytes()).decode().splitlines()[:40]
    bill = tmp_path / "bill.csv"
    bill.write_text("".join(f"{line},\n" for line in lines), encoding="utf-8")
    assert main(["usage", str(bill), "--rate", "EUR=1.25", "--quiet"]) == 0
    assert "GPU-h" in capsys.readouterr().out


@pytest.mark.parametrize("others", ["x,x", "x,X", "TAGS,tags", "column_3,column_3", ","])
def test_columns_that_are_not_read_may_be_called_as_they_like(
    others: str, duckdb: Engine, tmp_path: Path, folder: Path, reader: SkuReader
) -> None:
    header, *rows = _charges(2).splitlines()
    path = tmp_path / "bill.csv"
    path.write_text("\n".join([f"{others},{header}", *(f"1,2,{row}" for row in rows), ""]), encoding="utf-8")
    assert _rows_of_bill(duckdb, path, folder, reader) == 2


@pytest.mark.slow
def test_an_object_store_that_does_not_answer_is_given_up_soon(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores_module, "RETRY_LIMIT_S", 1)
    with pytest.raises(UsageError, match="the object store does not answer"):
        find_sources(["gs://anonymous@b/x?scheme=http&endpoint_override=127.0.0.1:9"], folder=folder)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("31/31/2026 1:00 PM,31/31/2026 2:00 PM,10", "odd.csv:3: ChargePeriodStart holds '31/31/2026 1:00 PM', which cannot be read"),
        ("10/14/2026 1:00 PM,10/14/2026 2:00 PM,ten", "odd.csv:3: EffectiveCost holds 'ten', which cannot be read; write numbers as 1234.56"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_shown_with_its_place(
    cells: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"USD,Usage,{each},1,Hours,AWS,BoxUsage:p5.48xlarge" for each in ("10/13/2026 1:00 PM,10/13/2026 2:00 PM,10", cells)]  # fmt: skip
    (tmp_path / "odd.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    assert main(["usage", str(tmp_path / "odd.csv")]) == 0
    assert said in capsys.readouterr().err
