"""The workbook as a file: values present, nothing from outside a formula, inputs named and bounded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from planner.plan import Plan
from planner.report.live import Live
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord
from planner.report.workbook.file import workbook
from tests.report.office import book_of, cells

EXAMPLES = ["serve-llama-70b-office", "gpu-hours-h100", "pretrain-7b", "qlora-llama-8b-notebook", "serve-small-cpu"]
LATER_THAN_2007 = ("_xlfn", "LET(", "XLOOKUP", "FILTER(", "MINIFS", "MAXIFS", "IFS(", "LAMBDA", "_xlws")


def made(record: PlanRecord, folder: Path) -> Path:
    path = folder / "plan.xlsx"
    path.write_bytes(workbook(record))
    return path


@lru_cache(maxsize=2)
def _book(path: Path, written_ns: int, *, values: bool) -> Any:
    return book_of(path, values=values)


def named(path: Path, name: str, *, formulas: bool = False) -> Any:
    book = _book(path, path.stat().st_mtime_ns, values=not formulas)
    ((sheet, place),) = book.defined_names[name].destinations
    return book[sheet][place.replace("$", "")].value


EVERYDAY_EXAMPLES = ("gpu-hours-h100",)
"""The others take their seconds in scripts/test --all."""


@pytest.mark.parametrize(
    "name", [name if name in EVERYDAY_EXAMPLES else pytest.param(name, marks=pytest.mark.slow) for name in EXAMPLES]
)
def test_every_formula_brings_its_value_and_the_plans_own(
    name: str, plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    plan = plan_of(name)
    record = plan_record(plan)
    path = made(record, tmp_path)
    values, formulas = cells(path), cells(path, formulas=True)
    live = [place for place, text in formulas.items() if isinstance(text, str) and text.startswith("=")]
    assert len(live) > 500
    blank = [place for place in live if place not in values and place[0] not in {"Options", "Servers", "Break-even"}]
    assert blank == []
    chosen = next(option for option in plan.options if option.id == plan.verdict.option_id)
    figure = chosen.stated_usd(once=record["runs_once"])
    assert named(path, "verdict_usd") == pytest.approx(figure, abs=0.005)
    pair = Live(record).pair()
    assert pair is not None
    mine = next(each for each in plan.break_evens if (each.rent_id, each.buy_id) == (pair[0]["id"], pair[1]["id"]))
    assert named(path, "saving_usd") == pytest.approx(mine.saving_usd, abs=0.005)
    month = named(path, "break_even_month")
    assert month == ("never" if mine.month is None else pytest.approx(mine.month, abs=1e-6))
    share = named(path, "equal_share")
    if not record["runs_once"]:
        assert share == ("never" if mine.utilisation_share is None else pytest.approx(mine.utilisation_share, abs=1e-9))
    equal = named(path, "equal_usd_per_hour")
    assert equal == ("none" if mine.price_usd_per_hour is None else pytest.approx(mine.price_usd_per_hour, abs=1e-6))


@pytest.mark.slow
def test_text_from_outside_never_becomes_a_formula(plan_of: Callable[[str], Plan], tmp_path: Path) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=20)
    hostile = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "http://example.org/x",
        '=HYPERLINK("x")',
        'a"&1&"',
    ]
    ours = set(cells(made(record, tmp_path), formulas=True).values())
    for i, option in enumerate(record["options"]):
        text = hostile[i % len(hostile)]
        option |= {"instance_type": text, "region": text, "provider": text, "source": text, "reason_not_chosen": text}
    record["title"] = hostile[0]
    record["verdict"]["headline"] = record["verdict"]["because"][0] = hostile[0]
    record["provenance"]["snapshot"] = hostile[0]
    record["notes"] = hostile
    path = made(record, tmp_path)
    formulas = {text for text in cells(path, formulas=True).values() if isinstance(text, str) and text.startswith("=")}
    book = book_of(path)
    types = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row if cell.value in hostile}
    assert types == {"s"}
    assert {text for text in formulas if text not in ours} <= set(hostile)
    for sheet in book:
        assert not [link.target for link in sheet._hyperlinks if link.target]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["serve-llama-70b-office", "pretrain-7b", "lora-llama-8b"])
def test_formulas_are_such_as_every_spreadsheet_knows_and_no_macro_is_in_the_file(
    name: str, plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    path = made(plan_record(plan_of(name)), tmp_path)
    texts = [text for text in cells(path, formulas=True).values() if isinstance(text, str) and text.startswith("=")]
    assert not [text for text in texts for word in LATER_THAN_2007 if word in text]
    assert max(map(len, texts)) < 8192
    with zipfile.ZipFile(path) as parts:
        assert not [part for part in parts.namelist() if "vba" in part.lower() or "externalLink" in part]


@pytest.mark.slow
def test_inputs_are_coloured_named_and_bounded_and_headings_stay(
    plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    path = made(plan_record(plan_of("serve-llama-70b-office")), tmp_path)
    book = book_of(path)
    bounded = {
        (sheet.title, place)
        for sheet in book
        for rule in sheet.data_validations.dataValidation
        for place in str(rule.sqref).split()
    }
    for name in (
        "rent_option", "rent_own_price", "own_option", "own_server_price", "needed_share", "horizon_months",
        "site_colocation_electricity_usd_per_kwh", "own_resale_after_36_months_share", "own_life_months",
    ):  # fmt: skip
        ((sheet, place),) = book.defined_names[name].destinations
        cell = book[sheet][place.replace("$", "")]
        assert cell.fill.fgColor.rgb == "FFFFF2CC", name
        assert (sheet, cell.coordinate) in bounded, name
    for sheet in book:
        assert sheet.freeze_panes, sheet.title
        assert sheet.page_setup.fitToWidth in {None, 1}
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sum(len(sheet._charts) for sheet in book) >= 3


@pytest.mark.slow
def test_the_same_plan_makes_the_same_file(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=10)
    first, second = (zipfile.ZipFile(io.BytesIO(workbook(record))) for _ in range(2))
    assert [(part, first.read(part)) for part in first.namelist()] == [
        (part, second.read(part)) for part in second.namelist()
    ]


@pytest.mark.slow
def test_a_plan_without_a_server_to_compare_still_has_a_workbook(
    plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    record = plan_record(plan_of("gpu-hours-h100"))
    record["options"] = [option for option in record["options"] if option["kind"] != "buy"]
    record["break_evens"] = []
    path = made(record, tmp_path)
    assert named(path, "verdict_usd") == pytest.approx(record["options"][0]["cost"]["usd_per_month"])
    assert "Servers" not in book_of(path).sheetnames


@pytest.mark.slow
def test_each_figure_of_an_option_stands_under_its_own_heading(plan_of: Callable[[str], Plan], tmp_path: Path) -> None:
    book = book_of(made(plan_record(plan_of("gpu-hours-h100")), tmp_path), values=True)
    for sheet, words in (("Options", "in words"), ("Servers", "in words")):
        heads = {cell.value: cell.column for cell in book[sheet][4] if cell.value}
        first = {name: book[sheet].cell(5, column).value for name, column in heads.items()}
        assert isinstance(first[words], str)
        assert first["NPV if included"] in {first["NPV, USD"], "", None}
        assert first["USD, plain sum"] / first["works until month"] == pytest.approx(first["USD a month"])
    assert isinstance(first["rented until delivery"], str)
