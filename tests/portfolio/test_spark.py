"""A portfolio on a local Spark cluster: the same rows as here, also when a worker is killed (scripts/engine start)."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import pytest

from planner.portfolio.run import Watcher, plan_portfolio
from tests.conftest import ROOT
from tests.portfolio.equal import tables, usual_market

SCRIPT = ROOT / "scripts" / "engine"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def _table(path: Path, count: int, shapes: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, tables().COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(tables().portfolio_rows(count, shapes=shapes, seed=31))
    return path


def _worker_of(folder: Path) -> int:
    """Return the executor of the cluster's second worker, or that worker itself."""
    pid = int((folder / "worker-2.pid").read_text())
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                return int(entry.name)
        except OSError:
            continue
    return pid


@pytest.mark.breaks_the_cluster
def test_spark_answers_row_by_row_as_this_machine_does_also_when_a_worker_is_killed(
    tmp_path: Path, cluster: str
) -> None:
    from planner.engine.session import connect

    source = _table(tmp_path / "jobs.csv", 1200, 80)
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    plan_portfolio([str(source)], usual_market(), here, workers=2)
    folder = Path(os.environ.get("GPUPLAN_ENGINE_HOME", ROOT / ".engine")) / "run"
    killed: list[int] = []

    def kill_one(done: int, _every: int) -> None:
        if done and not killed:
            killed.append(_worker_of(folder))
            os.kill(killed[0], signal.SIGKILL)

    engine = connect(cluster)
    try:
        result = plan_portfolio([str(source)], usual_market(), there, engine=engine, watcher=Watcher(progress=kill_one))
    finally:
        engine.close()
    assert killed
    assert result.totals.whole.workloads == 1200
    assert there.read_text() == here.read_text()
