"""Tables as spreadsheets of other countries write them: what may mean two numbers is refused, everything else is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.portfolio.answers import Asked
from planner.portfolio.reading import asked_of, read_portfolio

HEAD = "id;kind;gpu_hours.gpu;gpu_hours.count;gpu_hours.hours_per_month"


def _asked(path: Path, cell: str, *, encoding: str = "utf-8") -> Asked:
    path.write_text(f"{HEAD}\na;gpu_hours;h100-sxm;8;{cell}\n", encoding=encoding)
    return asked_of(read_portfolio([str(path)]).rows[0])


@pytest.mark.parametrize("cell", ["1.000", "1,000", "12.500", "1.234.567", "1,234,567", "2.500"])
def test_a_number_that_may_be_a_thousand_times_another_is_refused(tmp_path: Path, cell: str) -> None:
    asked = _asked(tmp_path / "jobs.csv", cell)
    assert asked.workload is None
    assert "jobs.csv:2" in asked.fault
    assert cell in asked.fault


@pytest.mark.parametrize(
    ("cell", "hours"), [("437,5", 437.5), ("437.5", 437.5), ("0,125", 0.125), ("400", 400), ("1.2e2", 120)]
)
def test_a_decimal_comma_between_semicolons_is_read(tmp_path: Path, cell: str, hours: float) -> None:
    asked = _asked(tmp_path / "jobs.csv", cell)
    assert asked.fault == ""
    assert asked.content["gpu_hours"]["hours_per_month"] == hours


def test_unicode_text_as_excel_writes_it_is_read(tmp_path: Path) -> None:
    asked = _asked(tmp_path / "jobs.csv", "437,5", encoding="utf-16")
    assert asked.fault == ""
    assert asked.content["gpu_hours"]["hours_per_month"] == 437.5


def test_names_in_windows_text_come_out_right(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_bytes(
        f"{HEAD.replace(';', ',')},team\na,gpu_hours,h100-sxm,8,400,Köln\n".encode("cp1252")
    )
    found = read_portfolio([str(tmp_path / "jobs.csv")])
    assert found.rows[0].fault == ""
    assert found.teams == ["Köln"]


def test_a_workbook_is_read_as_its_first_sheet(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(tmp_path / "jobs.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEAD.split(";"))
        sheet.write_row(1, 0, ["a", "gpu_hours", "h100-sxm", 8, 437.5])
    asked = asked_of(read_portfolio([str(tmp_path / "jobs.xlsx")]).rows[0])
    assert asked.fault == ""
    assert asked.content["gpu_hours"]["hours_per_month"] == 437.5
