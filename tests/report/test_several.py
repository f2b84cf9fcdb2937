"""Several plans in one file: an overview with their sum, and each plan as it is alone."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from planner.plan import Plan
from planner.report.overview import overview, together
from planner.report.page.document import pages
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord
from planner.report.workbook.file import workbook_of_many
from tests.report.browser import OUTPUT, needs_chromium, opened
from tests.report.office import book_of, cells, changed, needs_office, recalculated

NAMES = ("serve-llama-70b-office", "pretrain-7b", "gpu-hours-h100")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def records(plan_of: Callable[[str], Plan]) -> list[PlanRecord]:
    return [plan_record(plan_of(name), top=30) for name in NAMES]


def cell(book: Any, name: str) -> Any:
    ((sheet, place),) = book.defined_names[name].destinations
    return book[sheet][place.replace("$", "")].value


def test_the_sum_is_of_what_each_verdict_takes_and_a_run_has_no_month(records: list[PlanRecord]) -> None:
    chosen = [next(o for o in r["options"] if o["id"] == r["verdict"]["option_id"])["cost"] for r in records]
    sums = together(records)
    assert [record["runs_once"] for record in records] == [False, True, False]
    assert sums["usd_per_month"] == pytest.approx(chosen[0]["usd_per_month"] + chosen[2]["usd_per_month"])
    assert sums["run_usd"] == pytest.approx(chosen[1]["total_usd"])
    assert sums["present_value_usd"] == pytest.approx(sum(cost["present_value_usd"] for cost in chosen))
    table = overview(records)
    assert [row[3] for row in table.rows][1] == "-"
    assert table.rows[-1][5] == f"{sums['present_value_usd']:,.0f}"


@pytest.mark.slow
def test_a_workbook_of_several_keeps_their_names_apart_and_brings_every_value(
    records: list[PlanRecord], tmp_path: Path
) -> None:
    path = tmp_path / "plans.xlsx"
    path.write_bytes(workbook_of_many(records))
    book = book_of(path, values=True)
    assert book.sheetnames[:2] == ["Overview", "1 Verdict"]
    assert sum(name.endswith(" Verdict") for name in book.sheetnames) == 3
    assert len({name.lower() for name in book.defined_names}) == len(book.defined_names)
    assert cell(book, "total_usd_today") == pytest.approx(together(records)["present_value_usd"])
    assert cell(book, "work1_horizon_months") == records[0]["horizon_months"]
    formulas = [text for text in cells(path, formulas=True).values() if isinstance(text, str) and text.startswith("=")]
    assert not [text for text in formulas if "'Options'!" in text or "(horizon_months" in text]
    with zipfile.ZipFile(path) as parts:
        charts = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/charts/chart")]
    assert len(charts) > 6
    assert all("'1 " in text or "'2 " in text or "'3 " in text for text in charts)


@pytest.mark.slow
@needs_office
def test_a_changed_input_of_one_plan_moves_that_plan_and_the_sum_alone(
    records: list[PlanRecord], tmp_path: Path
) -> None:
    path = tmp_path / "plans.xlsx"
    path.write_bytes(workbook_of_many(records))
    before = book_of(recalculated(path, tmp_path), values=True)
    assert cell(before, "total_usd_today") == pytest.approx(together(records)["present_value_usd"], abs=0.01)
    dearer = changed(path, {"work3_money_discount_rate_share_per_year": 0.5}, tmp_path / "changed.xlsx")
    after = book_of(recalculated(dearer, tmp_path), values=True)
    assert cell(after, "work1_verdict_usd_today") == pytest.approx(cell(before, "work1_verdict_usd_today"))
    moved = cell(after, "work3_verdict_usd_today") - cell(before, "work3_verdict_usd_today")
    assert moved < -1
    assert cell(after, "total_usd_today") - cell(before, "total_usd_today") == pytest.approx(moved)


@pytest.mark.slow
@needs_chromium
def test_each_plan_of_a_page_has_sliders_of_its_own(records: list[PlanRecord], tmp_path: Path) -> None:
    path = tmp_path / "plans.html"
    path.write_text(pages(records), encoding="utf-8")
    with opened(path.as_uri()) as seen:
        seen.page.wait_for_selector("html[data-ready=yes]", timeout=30_000)
        said = [seen.page.text_content(f"#w{i}-live") for i in (1, 2, 3)]
        slider = seen.page.locator("#w3-price")
        slider.focus()
        for _ in range(20):
            seen.page.keyboard.press("ArrowUp")
        seen.page.wait_for_function(f"document.getElementById('w3-live').textContent !== {json.dumps(said[2])}")
        assert [seen.page.text_content(f"#w{i}-live") for i in (1, 2)] == said[:2]
        assert seen.page.locator("svg.marks").count() >= 8
        seen.page.click("#overview a[href='#w2-main']")
        assert seen.page.evaluate("document.getElementById('w2-main').getBoundingClientRect().top") < 50
        ids = seen.page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
        assert len(ids) == len(set(ids))
        seen.page.screenshot(path=OUTPUT / "page-several.png")
        assert seen.complaints == []


@pytest.mark.slow
def test_plans_of_one_json_file_become_any_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    works = [str(ROOT / "examples" / f"{name}.yaml") for name in ("gpu-hours-h100", "lora-llama-8b")]
    target = tmp_path / "plans.json"
    assert main(["plan", *works, "--top", "5", "--quiet", "-o", str(target)]) == 0
    for ending in ("xlsx", "html", "md"):
        assert main(["report", str(target), "-o", str(tmp_path / f"plans.{ending}")]) == 0
        assert (tmp_path / f"plans.{ending}").stat().st_size > 1000
    assert (tmp_path / "plans.md").read_text().startswith("## All workloads")
    assert main(["report", str(target), "-f", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["plan"] for row in rows} == {"1", "2"}
    assert all(float(row["present_value_usd"]) >= 0 for row in rows)
    assert main(["diff", str(target), str(target)]) == 2
    assert "holds 2" in capsys.readouterr().err


def test_more_plans_than_a_file_can_be_read_with_are_refused_with_a_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan_of: Callable[[str], Plan]
) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=3)
    path = tmp_path / "plans.json"
    path.write_text(json.dumps({"schema_version": 1, "plans": [record] * 13}))
    assert main(["report", str(path), "-o", str(tmp_path / "plans.xlsx")]) == 2
    assert "plans.csv" in capsys.readouterr().err
