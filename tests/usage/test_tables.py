"""Tables of an engine's catalog give the answer of the same rows in files."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from planner.cli import main
from planner.engine.session import connect
from planner.usage.faults import UsageError
from planner.usage.focus_bill import read_bill
from planner.usage.relations import is_table_name, table_source
from planner.usage.skus import SkuReader
from planner.usage.sources import known_source, working_folder
from planner.usage.summary import summarize
from pricing.catalog import load_bundled


@pytest.fixture
def lake(cases: ModuleType, tmp_path: Path) -> Path:
    folder = cases.write_ledger_case(cases.ledger_cases()["a month exported again"], tmp_path / "bill")
    path = tmp_path / "lake.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE SCHEMA billing")
        for number in (9, 10):
            made.execute(f"CREATE TABLE billing.run_{number} AS SELECT * FROM read_csv('{folder}/run-{number}/a.csv')")
    return path


def test_tables_are_read_by_name_and_a_later_one_replaces_the_same_charges(lake: Path) -> None:
    engine = connect(f"duckdb://{lake}")
    faults: list[object] = []
    sources = [
        known
        for name in ("billing.run_9", "lake.billing.run_10")
        for known in known_source(table_source(engine, name), "", faults)  # type: ignore[arg-type]
    ]
    with working_folder() as folder:
        bill = read_bill(engine, sources, SkuReader(load_bundled().offers), folder=folder)
    engine.close()
    usage = summarize(bill, [], load_bundled())
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((192, 1200))
    assert [check.code for check in bill.checks] == ["replaced_export"]
    assert faults == []


def test_a_table_that_is_not_there_is_told_by_its_name(lake: Path) -> None:
    engine = connect(f"duckdb://{lake}")
    with pytest.raises(UsageError, match="nothing"):
        table_source(engine, "billing.nothing")
    engine.close()


def test_a_file_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_table_name("bill.csv")
    Path("bill.csv").write_text("")
    assert not is_table_name("bill.csv")


@pytest.mark.slow
def test_a_table_of_a_cluster_says_what_its_file_says(
    cluster: str, cases: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cases.write_ledger_case(cases.LedgerCase({"a": cases.bill_rows()}, 0, 0), tmp_path / "bill")
    rows = list(csv.DictReader((folder / "a.csv").read_text(encoding="utf-8").splitlines()))
    engine = connect(cluster)
    engine.spark.createDataFrame([tuple(row.values()) for row in rows], list(rows[0])).write.mode(
        "overwrite"
    ).saveAsTable("default.focus_rows")
    engine.close()
    answers = []
    for name in (str(folder / "a.csv"), "default.focus_rows"):
        assert main(["usage", name, "-f", "json", "--engine", cluster]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
