"""The command line with a table of workloads: forms, exit statuses, messages."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from planner.cli import main

pytest.importorskip("pyarrow")
HEAD = "id,team,kind,gpu_hours.gpu,gpu_hours.count,gpu_hours.hours_per_month,constraints.max_usd_per_month\n"
GOOD = "a,ads,gpu_hours,h100,8,400,\nb,ads,gpu_hours,h100,16,400,\nc,maps,gpu_hours,l4,2,100,\n"


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.csv"
    path.write_text(HEAD + GOOD)
    return path


def test_totals_by_team_are_shown_and_how_to_get_the_rows(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(jobs)]) == 0
    said = capsys.readouterr()
    assert "ads" in said.out
    assert "maps" in said.out
    assert "3 workloads" in said.out
    assert "Machines that several workloads could share" in said.out
    assert "-o result.parquet" in said.err
    assert list(jobs.parent.iterdir()) == [jobs]


def test_rows_go_to_the_file_and_the_summary_to_standard_output(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = jobs.parent / "rows.parquet"
    assert main(["plan", str(jobs), "-o", str(target), "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["output"] == str(target)
    assert record["workloads"] == 3
    assert {team["name"] for team in record["teams"]} == {"ads", "maps"}
    assert record["shared_capacity"][0]["workloads"] == 2
    from pyarrow import parquet

    table = parquet.read_table(target)
    assert table["id"].to_pylist() == ["a", "b", "c"]
    assert table["status"].to_pylist() == ["planned"] * 3


def test_sharing_takes_no_more_machines_than_standing_apart(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(jobs), "--format", "json"]) == 0
    shared = json.loads(capsys.readouterr().out)["shared_capacity"][0]
    assert shared["mean_gpus"] == pytest.approx((8 + 16) * 400 / 730)
    assert shared["mean_gpus"] <= shared["peak_gpus"] <= shared["apart_gpus"] == 24
    assert shared["together_usd_per_month"] > 0
    assert bool(shared["note"]) == (shared["together_usd_per_month"] > shared["apart_usd_per_month"])


def test_rows_as_csv_can_go_to_standard_output(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(jobs), "--format", "csv", "--quiet"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["id"] for row in rows] == ["a", "b", "c"]


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs.write_text((HEAD + GOOD).replace("a,ads", "a,=1+1"))
    target = jobs.parent / "rows.csv"
    assert main(["plan", str(jobs), "-o", str(target)]) == 0
    with target.open(newline="") as file:
        assert next(csv.DictReader(file))["team"] == "'=1+1"
    assert "=1+1" in capsys.readouterr().out


def test_where_no_row_is_answered_no_cost_is_told(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs.write_text(HEAD + "d,maps,gpu_hours,l4,-2,100,\n")
    main(["plan", str(jobs)])
    said = capsys.readouterr().out
    assert "1 workload: no answer" in said
    assert "0 USD" not in said.splitlines()[0]


def test_a_row_that_cannot_be_read_is_answered_and_the_exit_status_tells(
    jobs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.write_text(HEAD + GOOD + "d,maps,gpu_hours,l4,-2,100,\ne,maps,gpu_hours,l5,2,100,\n")
    target = jobs.parent / "rows.csv"
    assert main(["plan", str(jobs), "-o", str(target)]) == 5
    captured = capsys.readouterr()
    said = captured.err
    assert "5 workloads, 2 without an answer: " in captured.out
    assert "jobs.csv:5: gpu_hours.count must be above 0, got -2" in said
    assert "l5" in said
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["planned"] * 3 + ["refused"] * 2


@pytest.mark.parametrize(
    ("body", "status"),
    [("d,,gpu_hours,l4,-2,100,\n", 2), ("d,,gpu_hours,h100,8,400,0.01\n", 3)],
)
def test_the_exit_status_tells_where_nothing_was_planned(jobs: Path, body: str, status: int) -> None:
    jobs.write_text(HEAD + body)
    assert main(["plan", str(jobs), "--quiet"]) == status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "x.xlsx"], "-o result.parquet or -o result.csv"),
        (["-f", "md"], "not written as md"),
        (["-f", "parquet"], "name a file"),
        (["-o", "no/such/folder/x.csv"], "its folder does not exist"),
        (["--engine", "oracle://here"], "no engine is called"),
        (["--engine", "sc://127.0.0.1:1"], "no engine answers"),
    ],
)
def test_what_cannot_be_done_is_said(
    jobs: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(jobs.parent)
    assert main(["plan", str(jobs), *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_single_workloads_are_not_written_as_parquet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "examples/gpu-hours-h100.yaml", "-o", "x.parquet"]) == 2
    assert "many workloads" in capsys.readouterr().err


def test_options_of_the_command_line_bind_all_workloads(jobs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = jobs.parent / "rows.csv"
    assert main(["plan", str(jobs), "-o", str(target), "--provider", "aws", "--purchase", "on_demand"]) == 0
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["provider"] for row in rows} <= {"aws", "own"}
    capsys.readouterr()


def test_free_machines_for_several_workloads_are_told_to_be_lent_to_one_person_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = tmp_path / "small.csv"
    jobs.write_text(
        "id,kind,model,embed.documents,embed.tokens_per_document,embed.deadline_hours,constraints.free_tiers\n"
        "a,embed,bge-small,100000,100,24,true\nb,embed,bge-small,200000,100,24,true\n",
        encoding="utf-8",
    )
    assert main(["plan", str(jobs), "--quiet"]) == 0
    assert "2 workloads were given free machines" in " ".join(capsys.readouterr().out.split())


def test_verdicts_of_every_kind_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = tmp_path / "kept.csv"
    owned = '[{""gpu"": ""h100-sxm"", ""count"": 8}]'
    jobs.write_text(
        "id,kind,gpu_hours.gpu,gpu_hours.count,gpu_hours.hours_per_month,have.owned\n"
        f'a,gpu_hours,h100-sxm,8,400,"{owned}"\nb,gpu_hours,l4,2,100,\n',
        encoding="utf-8",
    )
    assert main(["plan", str(jobs), "--quiet", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["totals"]["choices"] == {"rent": 1, "have": 1}
