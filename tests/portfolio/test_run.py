"""A whole run: every workload is answered exactly once, whatever happens on the way."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from planner.portfolio import blocks as blocks_module
from planner.portfolio.answers import answers_of
from planner.portfolio.blocks import blocks_of, part_path
from planner.portfolio.reading import read_portfolio
from planner.portfolio.run import MOST_KILLS, Watcher, plan_portfolio, run_blocks
from tests.portfolio.equal import market, tables, usual_market
from tests.portfolio.killing import double, double_or_die, double_or_die_once

pytest.importorskip("pyarrow")
CHEAP = ("gpu_hours", "diffusion", "embed")


def _table(path: Path, count: int = 60, *, seed: int = 7) -> Path:
    """Write a table of kinds of work that are quickly worked out."""
    rows = [row for row in tables().portfolio_rows(20 * count, shapes=40, seed=seed) if row["kind"] in CHEAP][:count]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, tables().COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut small portfolios into several blocks."""
    monkeypatch.setattr(blocks_module, "TARGET_S", 0.08)


@pytest.mark.slow
def test_every_workload_is_answered_once_in_the_order_of_the_input(tmp_path: Path) -> None:
    source, target = _table(tmp_path / "jobs.csv"), tmp_path / "result.csv"
    result = plan_portfolio([str(source)], usual_market(), target)
    assert [row["id"] for row in _rows(target)] == [row["id"] for row in _rows(source)]
    assert [row["team"] for row in _rows(target)] == [row["team"] for row in _rows(source)]
    assert {row["cost_centre"] for row in _rows(target)} == {row["cost_centre"] for row in _rows(source)}
    assert result.totals.whole.workloads == 60
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["jobs.csv", "result.csv"]


@pytest.mark.slow
def test_totals_are_the_sums_of_the_rows(tmp_path: Path) -> None:
    source, target = _table(tmp_path / "jobs.csv"), tmp_path / "result.csv"
    totals = plan_portfolio([str(source)], usual_market(), target).totals
    rows = [row for row in _rows(target) if row["status"] == "planned"]
    for team in totals.teams:
        lasting = [r for r in rows if r["team"] == team.name and r["runs_once"] == "false"]
        assert team.usd_per_month == pytest.approx(sum(float(r["usd_per_month"]) for r in lasting), abs=0.01)
    assert totals.whole.usd_per_month == pytest.approx(sum(team.usd_per_month for team in totals.teams))
    assert sum(totals.whole.choices.values()) + totals.whole.no_answer == 60


def test_blocks_hold_each_workload_once_and_keep_shapes_together(tmp_path: Path, small_blocks: None) -> None:
    portfolio = read_portfolio([str(_table(tmp_path / "jobs.csv"))])
    cut = blocks_of(portfolio)
    assert sorted(row.row for block in cut for row in block.rows) == list(range(60))
    assert len(cut) > 3
    assert [block.rows for block in blocks_of(portfolio)] == [block.rows for block in cut]


@pytest.mark.slow
def test_two_workers_and_one_give_the_same_rows(tmp_path: Path, small_blocks: None) -> None:
    source = _table(tmp_path / "jobs.csv")
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    plan_portfolio([str(source)], usual_market(), one, workers=1)
    plan_portfolio([str(source)], usual_market(), two, workers=2)
    assert one.read_text() == two.read_text()


def _cut_off(source: Path, target: Path, after: int) -> int:
    """Run until so many workloads are done, then fall over; return how many were."""
    seen = 0

    def stop(done: int, _every: int) -> None:
        nonlocal seen
        seen = done
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_portfolio([str(source)], usual_market(), target, watcher=Watcher(progress=stop))
    return seen


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_from_what_is_done(tmp_path: Path, small_blocks: None) -> None:
    source, target, whole = _table(tmp_path / "jobs.csv"), tmp_path / "result.csv", tmp_path / "whole.csv"
    plan_portfolio([str(source)], usual_market(), whole)
    done = _cut_off(source, target, 20)
    assert not target.exists()
    said: list[str] = []
    first: list[int] = []
    result = plan_portfolio(
        [str(source)],
        usual_market(),
        target,
        watcher=Watcher(say=said.append, progress=lambda count, _: first.append(count)),
    )
    assert first[0] == done
    assert result.kept_blocks > 0
    assert "going on where an earlier run was cut off" in said[0]
    assert target.read_text() == whole.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["input", "market"])
def test_what_was_done_for_other_questions_is_not_used(tmp_path: Path, small_blocks: None, change: str) -> None:
    source, target = _table(tmp_path / "jobs.csv"), tmp_path / "result.csv"
    _cut_off(source, target, 20)
    against = usual_market()
    if change == "input":
        source.write_text(source.read_text().replace("w0000", "v0000"))
    else:
        against = market(
            {"own.pue_ratio": 1.5} if "own.pue_ratio" in usual_market().assumptions else {"rent.start_hours": 1.0}
        )
    said: list[str] = []
    result = plan_portfolio([str(source)], against, target, watcher=Watcher(say=said.append))
    assert result.kept_blocks == 0
    assert ("the workloads are others" if change == "input" else "prices, assumptions") in said[0]


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_next_run_goes_on(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = _table(tmp_path / "jobs.csv"), tmp_path / "result.csv"
    real = os.fdopen
    written = 0

    def full(handle: int, *more: Any, **named: Any) -> Any:
        nonlocal written
        written += 1
        if written > 8:
            os.close(handle)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, *more, **named)

    monkeypatch.setattr("planner.portfolio.blocks.os.fdopen", full)
    assert main(["plan", str(source), "-o", str(target), "--workers", "1"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not target.exists()
    monkeypatch.setattr("planner.portfolio.blocks.os.fdopen", real)
    assert main(["plan", str(source), "-o", str(target), "--workers", "1"]) == 0
    assert "going on" in capsys.readouterr().err
    assert len(_rows(target)) == 60


@pytest.mark.slow
def test_a_killed_worker_s_work_is_done_again(tmp_path: Path) -> None:
    results: dict[int, int] = {}
    said: list[str] = []

    def done(task: tuple[str, int], result: int) -> None:
        assert task[1] not in results
        results[task[1]] = result

    tasks = [(str(tmp_path), number) for number in range(12)]
    run_blocks(tasks, double_or_die_once, workers=2, done=done, given_up=_never, said=said.append)
    assert results == {number: 2 * number for number in range(12)}
    assert "a worker was killed" in said[0]


def _never(task: object, reason: str) -> None:
    raise AssertionError(f"{task} was given up: {reason}")


@pytest.mark.slow
def test_work_that_always_kills_its_worker_is_given_up_and_nothing_else_is(tmp_path: Path) -> None:
    results: dict[int, int] = {}
    lost: dict[int, str] = {}
    tasks = [(str(tmp_path), number) for number in range(8)]
    run_blocks(
        tasks,
        double_or_die,
        workers=2,
        done=lambda task, result: results.update({task[1]: result}),
        given_up=lambda task, reason: lost.update({task[1]: reason}),
    )
    assert results == {number: 2 * number for number in range(8) if number != 3}
    assert list(lost) == [3]
    assert (tmp_path / "deaths").read_text() == "x" * MOST_KILLS


def test_one_worker_needs_no_other_process(tmp_path: Path) -> None:
    results: list[int] = []
    run_blocks([(str(tmp_path), 5)], double, workers=1, done=lambda _, result: results.append(result), given_up=_never)
    assert results == [10]


@pytest.mark.slow
def test_a_bug_in_one_workload_leaves_the_others_their_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = _table(tmp_path / "jobs.csv", 12), tmp_path / "result.csv"
    wrong = _rows(source)[4]["id"]
    number = int(wrong[1:])
    real = answers_of

    def broken(asked: Any, against: Any) -> Any:
        if any(one.row == 4 for one in asked):
            raise ZeroDivisionError("seen by a test")
        return real(asked, against)

    monkeypatch.setattr(blocks_module, "answers_of", broken)
    result = plan_portfolio([str(source)], usual_market(), target)
    assert number > 0
    assert result.one_by_one > 0
    assert result.totals.statuses.get("failed", 0) == 0
    assert len(_rows(target)) == 12


def _cli(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    environment = dict(os.environ)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "planner", *arguments],
        cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _workers_of(pid: int) -> list[int]:
    """Return the processes that a run has started to work (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) if entry.name.isdigit() else 0
            command = (entry / "cmdline").read_text() if parent == pid else ""
        except OSError:
            continue
        if "multiprocessing" in command and "spawn_main" in command:
            found.append(int(entry.name))
    return found


def _until(true: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_leaves_no_workload_out(tmp_path: Path) -> None:
    source, target, whole = tmp_path / "jobs.csv", tmp_path / "result.csv", tmp_path / "whole.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, tables().COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(tables().portfolio_rows(800, shapes=40, seed=9))
    run = _cli("plan", "jobs.csv", "-o", "result.csv", "--workers", "2", cwd=tmp_path)
    folder = tmp_path / ".result.csv.gpuplan"
    _until(lambda: folder.is_dir() and any(folder.glob("part-*.jsonl")))
    os.kill(_until(lambda: _workers_of(run.pid))[0], signal.SIGKILL)
    _, talk = run.communicate(timeout=600)
    assert run.returncode == 0, talk
    assert "a worker was killed" in talk
    assert [row["id"] for row in _rows(target)] == [row["id"] for row in _rows(source)]
    assert main(["plan", str(source), "-o", str(whole), "--workers", "1"]) == 0
    assert target.read_text() == whole.read_text()


@pytest.mark.slow
def test_a_run_that_is_interrupted_or_killed_goes_on(tmp_path: Path) -> None:
    source, target = tmp_path / "jobs.csv", tmp_path / "result.parquet"
    with source.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, tables().COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(tables().portfolio_rows(800, shapes=40, seed=10))
    folder = tmp_path / ".result.parquet.gpuplan"
    for kill in (signal.SIGINT, signal.SIGKILL):
        before = len(list(folder.glob("part-*.jsonl")))
        run = _cli("plan", "jobs.csv", "-o", "result.parquet", "--workers", "2", cwd=tmp_path)
        _until(lambda count=before: len(list(folder.glob("part-*.jsonl"))) > count)  # type: ignore[misc]
        os.killpg(run.pid, kill) if kill == signal.SIGINT else os.kill(run.pid, kill)
        _, talk = run.communicate(timeout=120)
        if kill == signal.SIGINT:
            assert run.returncode == 130, talk
            assert "run the same command again" in talk
            assert "Traceback" not in talk
        assert not target.exists()
    run = _cli("plan", "jobs.csv", "-o", "result.parquet", "--workers", "2", "--format", "json", cwd=tmp_path)
    said, talk = run.communicate(timeout=600)
    assert run.returncode == 0, talk
    assert json.loads(said)["work"]["blocks_kept"] >= 2
    from pyarrow import parquet

    assert parquet.read_table(target)["id"].to_pylist() == [row["id"] for row in _rows(source)]


def test_part_files_stand_under_their_block_s_number(tmp_path: Path) -> None:
    assert part_path(tmp_path, 7).name == "part-000007.jsonl"
