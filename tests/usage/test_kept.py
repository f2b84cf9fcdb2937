"""With ``--cache`` a month once read is not read again, and every answer is that of reading everything anew, to the byte."""

from __future__ import annotations

import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from planner.cli import main
from planner.engine.session import connect
from planner.usage import relations
from planner.usage.cache import file_cache_in
from planner.usage.relations import FILE, relations_of, source_of_file
from planner.usage.sources import find_sources, working_folder
from tests.conftest import ROOT
from tests.usage.objects import object_store


def _text(cases: ModuleType, month: int, **columns: object) -> bytes:
    day = f"2026-{month:02}-03T"
    times = {"ChargePeriodStart": f"{day}05:00:00Z", "ChargePeriodEnd": f"{day}06:00:00Z"}
    rows = [row for number in range(4) for row in cases.bill_rows(1, ResourceId=f"i-{number}", **{**times, **columns})]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, sorted(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


@pytest.fixture
def folder(cases: ModuleType, tmp_path: Path) -> Path:
    """Return a folder of three months, one of them compressed."""
    made = tmp_path / "bill"
    made.mkdir()
    (made / "08.csv").write_bytes(_text(cases, 8))
    (made / "09.csv.gz").write_bytes(gzip.compress(_text(cases, 9), mtime=0))
    (made / "10.csv").write_bytes(_text(cases, 10, ContractedCost=40))
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that were read as text, as they are read."""
    names: list[str] = []
    lay_down = relations._lay_down_text

    def spied(*given: object) -> object:
        names.extend(Path(one.name).name for one in given[2])  # type: ignore[attr-defined]
        return lay_down(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(relations, "_lay_down_text", spied)
    return names


@pytest.fixture
def both(tmp_path: Path, read: list[str]) -> Callable[[Path | str], list[str]]:
    """Return a function that reads with the cache, holds every row and fault against those without, and tells what was read."""

    def ask(given: Path | str) -> list[str]:
        answers = []
        for cache in (tmp_path / "cache", None):
            with working_folder() as work, closing(connect("duckdb:?threads=1")) as engine:
                kept = file_cache_in(cache)
                sources, faults = find_sources([str(given)], folder=work, kept=kept)
                rows = [
                    {**row, FILE: source_of_file(row[FILE], sources).name}  # type: ignore[union-attr]
                    for relation in relations_of(engine, sources, work, faults, kept)
                    for row in engine.ibis.con.sql(f"FROM {relation.name}").to_arrow_table().to_pylist()
                ]
            answers.append((sorted(rows, key=str), faults))
            if cache:
                found = sorted(read)
            read.clear()
        assert answers[0] == answers[1]
        assert answers[0][0]
        return found

    return ask


@pytest.fixture
def answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Return a function that runs the command twice with the cache and once without, and holds the three against each other."""

    def ask(*arguments: str) -> None:
        cache = ("--cache", str(tmp_path / "cache"))
        found = [
            (main(["usage", *arguments, "-f", "json", *more]), *capsys.readouterr()) for more in (cache, cache, ())
        ]
        assert found[0] == found[1] == found[2]
        assert found[0][1]

    return ask


def test_only_new_and_changed_months_are_read(
    both: Callable[[Path | str], list[str]], folder: Path, cases: ModuleType, tmp_path: Path
) -> None:
    assert both(folder) == ["08.csv", "09.csv.gz", "10.csv"]
    assert both(folder) == []
    (folder / "11.csv").write_bytes(_text(cases, 11))
    assert both(folder) == ["11.csv"]
    (folder / "10.csv").write_bytes(_text(cases, 10, EffectiveCost=41))
    assert both(folder) == ["10.csv"]
    (folder / "08.csv").unlink()
    assert both(folder) == []
    (folder / "09.csv.gz").rename(folder / "12.csv.gz")
    assert both(folder) == ["12.csv.gz"]
    assert len(list((tmp_path / "cache").iterdir())) == 5  # 08 and 09 still lie there; of 10 only the newer


def test_a_change_that_keeps_size_and_time_is_seen(both: Callable[[Path | str], list[str]], folder: Path) -> None:
    path = folder / "10.csv"
    state = path.stat()
    both(folder)
    path.write_bytes(path.read_bytes().replace(b"55.04", b"56.04"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert both(folder) == ["10.csv"]


def test_a_damaged_entry_is_read_anew_and_replaced(
    both: Callable[[Path | str], list[str]], folder: Path, tmp_path: Path
) -> None:
    both(folder)
    flipped, cut, other = sorted((tmp_path / "cache").iterdir())
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:-9])
    other.unlink()
    other.mkdir()
    assert len(both(folder)) == 3
    other.rmdir() if other.is_dir() else None
    both(folder)
    assert both(folder) == []


def test_a_line_that_is_no_row_is_told_each_time(
    both: Callable[[Path | str], list[str]], folder: Path, cases: ModuleType
) -> None:
    lines = _text(cases, 11).splitlines(keepends=True)
    (folder / "11.csv").write_bytes(b"".join([*lines[:2], b"a line, and no row\r\n", *lines[2:]]))
    (folder / "12.csv.gz").write_bytes(gzip.compress(_text(cases, 12), mtime=0)[:-4])
    both(folder)
    assert both(folder) == ["11.csv", "12.csv.gz"]


@pytest.mark.slow
def test_the_command_says_the_same_with_a_cache_whatever_is_asked_or_wrong(
    answers: Callable[..., None], folder: Path, cases: ModuleType
) -> None:
    answers(str(folder))
    (folder / "12.csv").write_bytes(_text(cases, 12, EffectiveCost="much"))
    (folder / "14.csv").write_bytes(_text(cases, 6, BillingCurrency="CHF"))
    answers(str(folder), "--tag", "team")
    answers(str(folder), "--rate", "CHF=1.2", "--keep-copies")


@pytest.mark.slow
def test_two_processes_at_once_share_a_cache(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(folder), "-f", "json"]) == 0
    anew = capsys.readouterr().out
    command = [sys.executable, "-P", "-m", "planner", "usage", str(folder), "-f", "json", "--cache", str(tmp_path / "cache")]  # fmt: skip
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [one.communicate(timeout=120)[0] for one in running] == [anew, anew]
    assert main(["usage", str(folder), "-f", "json", "--cache", str(tmp_path / "cache")]) == 0
    assert capsys.readouterr().out == anew


def test_an_object_is_downloaded_once(
    both: Callable[[Path | str], list[str]],
    folder: Path,
    cases: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    objects = {f"bucket/focus/{path.name}": path.read_bytes() for path in folder.iterdir()}
    with object_store(objects) as address:
        for name, value in {"AWS_ENDPOINT_URL_S3": address, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"}.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        assert both("s3://bucket/focus") == ["08.csv", "09.csv.gz", "10.csv"]
        downloaded = sorted(path for path in (tmp_path / "cache").iterdir() if path.suffix != ".parquet")
        assert sorted(path.read_bytes() for path in downloaded) == sorted(objects.values())
        times = [path.stat().st_ino for path in downloaded]
        assert both("s3://bucket/focus") == []
        assert [path.stat().st_ino for path in downloaded] == times
        objects["bucket/focus/10.csv"] = _text(cases, 10, EffectiveCost=141)
        assert both("s3://bucket/focus") == ["10.csv"]
        assert len(list((tmp_path / "cache").iterdir())) == 6


def test_a_folder_that_cannot_be_made_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(folder), "--cache", str(folder / "08.csv" / "cache")]) == 2
    assert "--cache cannot be made" in capsys.readouterr().err
