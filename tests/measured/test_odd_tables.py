"""Tables of measured rows that a user brings: whatever they are, they are read within bounds or told in a sentence."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.measured.rows import read_rows
from planner.measured.verify import recalibrate, verify

TABLE = "id,model,gpu,input_len,output_len,ttft_ms\n1,llama-3.1-8b,H100-SXM,1000,100,50\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_any_system_writes_them(end: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(TABLE.replace("\n", end).encode("utf-8-sig"))
    kind, rows = read_rows(path)
    assert (kind, len(rows), rows[0]["ttft_ms"]) == ("inference", 1, "50")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TABLE,))
    writer.start()
    assert len(read_rows(pipe)[1]) == 1
    writer.join()


def test_rows_shorter_or_longer_than_the_header_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(TABLE + "2,m\n\n3,m,g,1,2,3,4,5\n", encoding="utf-8")
    _, rows = read_rows(path)
    assert [(row["id"], row["gpu"], row["ttft_ms"]) for row in rows[1:]] == [("2", "", ""), ("3", "g", "3")]


@pytest.mark.parametrize("content", [
    b"", b"\0" * 1000, TABLE.encode() + b"2,\xe9,\xff\n", TABLE.encode("utf-16"), TABLE.encode() + b"2," + b"x" * 140_000 + b"\n", TABLE.encode() + b'2,"x\n' + b"y\n" * 140_000, b"a,b\n1,2\n", TABLE.split("\n", maxsplit=1)[0].encode(),
], ids=["empty", "nul", "latin-1", "utf-16", "long cell", "open quotation mark", "other columns", "header alone"])  # fmt: skip
def test_what_is_no_table_is_told_with_its_place(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    for read in (verify, recalibrate):
        with pytest.raises(InputError) as refused:
            read([path])
        assert str(path) in refused.value.where
        assert len(refused.value.message) < 300


@pytest.mark.parametrize("path", ["/dev/zero", "/nowhere/rows.csv", "/tmp"])
def test_an_endless_device_a_folder_and_a_missing_file_are_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.measured.rows.LARGEST_TABLE_BYTES", 100_000)
    with pytest.raises(InputError) as refused:
        verify([Path(path)])
    assert refused.value.where == path


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "x", "9" * 5000])
def test_a_cell_that_is_no_finite_number_is_told_with_its_row(value: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(TABLE.replace(",50\n", f",{value}\n"), encoding="utf-8")
    with pytest.raises(InputError, match="must be a number") as refused:
        verify([path])
    assert refused.value.where == "row 1"


@pytest.mark.parametrize("value", ["0", "-3", ""])
@pytest.mark.parametrize("kind", ["peak_memory", "oom", "weights_size", "param_count"])
def test_a_measured_memory_that_is_not_above_0_is_refused_and_counted(kind: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"id,model,gpu,kind,memory_metric,value,unit\n1,llama-3.1-8b,H100-SXM,{kind},max,{value},GiB\n")
    (report,) = verify([path]).files
    assert (report.rows, report.predicted, report.refused) == (1, 0, 1)
