"""The page and the workbook of a bill: the same numbers as its record, nothing fetched, nothing that a spreadsheet runs."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace

import pytest

from planner.engine.session import connect
from planner.report.usage.page import pictures, usage_page
from planner.report.usage.workbook import usage_workbook
from planner.usage.answer import Usage
from planner.usage.focus_bill import read_bill
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources
from planner.usage.summary import summarize
from pricing.catalog import load_bundled
from tests.usage.conftest import load_cases


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Usage:
    cases = load_cases()
    rows = cases.bill_rows(48) + cases.bill_rows(24, usd=20.0, ResourceId="i-2", SubAccountId="<script>&'=1+1")
    unused = cases.bill_rows(24, ResourceId="ri", CommitmentDiscountId="ri", CommitmentDiscountCategory="Usage", CommitmentDiscountStatus="Unused")  # fmt: skip
    folder = cases.write_ledger_case(cases.LedgerCase({"a": rows + unused}, 0, 0), tmp_path_factory.mktemp("bill"))
    work = tmp_path_factory.mktemp("work")
    sources, _ = find_sources([str(folder)], folder=work)
    engine = connect("duckdb:?threads=1")
    bill = read_bill(engine, sources, SkuReader(load_bundled().offers), folder=work)
    engine.close()
    return summarize(bill, [], load_bundled())


@pytest.mark.slow
def test_each_picture_adds_up_to_the_bill(used: Usage) -> None:
    found = {picture.key: picture for picture in pictures(used, None)}
    assert set(found) == {"cost", "use", "duration", "waste"}
    assert sum(row["usd"] for row in found["cost"].rows) == pytest.approx(used.effective_usd)
    assert sum(row["gpu_hours"] for row in found["cost"].rows) == pytest.approx(used.gpu_hours)
    assert 24 * sum(row["gpus"] for row in found["use"].rows) == pytest.approx(used.gpu_hours)
    assert [row["what"] for row in found["waste"].rows] == ["commitments not used"]
    assert found["waste"].rows[0]["usd"] == pytest.approx(24 * 55.04 * 730 / used.hours)


@pytest.mark.slow
def test_a_page_holds_every_chart_and_lets_no_name_out_of_its_cell(used: Usage) -> None:
    text = usage_page(used)
    data = json.loads(re.search(r'<script type="application/json" id="plan">(.*?)</script>', text)[1])  # type: ignore[index]
    assert set(data["charts"]) == {"cost", "use", "duration", "waste"}
    assert "<script>&" not in text
    assert not re.search(r'(?:src|href)="https?:', text)


def test_a_workbook_has_a_sheet_for_each_picture_and_no_formula_from_outside(used: Usage) -> None:
    book = zipfile.ZipFile(io.BytesIO(usage_workbook(used)))
    names = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
    assert names == ["Overview", "Cost", "Utilization", "Load duration", "Waste"]
    sheets = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    formulas = re.findall(r"<f>(.*?)</f>", "".join(sheets))
    assert {formula.partition("(")[0] for formula in formulas} == {"SUM"}
    assert len([name for name in book.namelist() if name.startswith("xl/charts/chart")]) == 4


def test_the_same_answer_makes_the_same_files(used: Usage) -> None:
    assert usage_workbook(used) == usage_workbook(replace(used))
    assert usage_page(used) == usage_page(replace(used))


def test_records_without_a_bill_have_no_picture_of_money(used: Usage) -> None:
    bare = replace(used, effective_usd=None, commitments=None)
    assert {picture.key for picture in pictures(bare, None)} == {"use", "duration"}
