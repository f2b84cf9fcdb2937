"""Use, its cost and the decision as an Excel file: a sheet for each picture, with its numbers and a native chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from xlsxwriter.chart import Chart

from planner.decision import Decision
from planner.report.decision import decision_tables
from planner.report.table import Table
from planner.report.usage.page import Picture, pictures
from planner.report.usage.tables import usage_tables
from planner.report.workbook.cells import FIRST_ROW, Book, Sheet, column_range
from planner.report.workbook.file import ExcelFile
from planner.usage.answer import Usage

HEAD_ROW = FIRST_ROW - 1
SHEETS = {"cost": "Cost", "use": "Utilization", "duration": "Load duration", "waste": "Waste", "ladder": "Ladder"}
LINES = frozenset({"use", "duration"})
WIDTH = 26
STYLES = {"usd": "usd", "saves": "usd", "committed": "usd", "capex": "usd", "gpu_hours": "count"}


def usage_workbook(usage: Usage, decision: Decision | None = None, *, tag: str = "") -> bytes:
    """Return the answer of ``gpuplan usage`` as an Excel file (Office Open XML).

    Parameters
    ----------
    usage : Usage
        What was used.
    decision : Decision or None
        What to do about it.
    tag : str
        By whose values cost is divided.
    """
    decided = decision_tables(decision) if decision else []
    tables = usage_tables(usage, tag=tag)
    end = datetime.fromtimestamp((usage.first_hour + usage.hours) * 3600, UTC)
    with ExcelFile((decided or tables)[0].title, end.date()) as file:
        book = Book(file.workbook)
        _texts(book, "Decision" if decided else "Overview", decided or tables)
        for picture in pictures(usage, decision, tag=tag):
            _picture(book, picture)
        if decided:
            _texts(book, "Overview", tables)
    return file.content()


def _texts(book: Book, name: str, tables: Sequence[Table]) -> None:
    """Write tables one below the other, numbers as numbers."""
    sheet = book.sheet(name)
    sheet.widths(44, *[18] * 9)
    sheet.set_up(freeze=(1, 0))
    row = 0
    for table in tables:
        if row:
            sheet.put(row, 0, table.title, "section")
        else:
            sheet.page.merge_range(0, 0, 0, 6, "", sheet.formats["verdict"])
            sheet.put(0, 0, table.title, "verdict")
            sheet.page.set_row(0, 20 * (1 + len(table.title) // 110))
        row += 1
        if any(column.heading for column in table.columns):
            sheet.heads(row, [column.heading for column in table.columns])
            row += 1
        for line in table.rows:
            for place, (column, text) in enumerate(zip(table.columns, line, strict=True)):
                number = _number(text) if column.is_number else None
                sheet.put(row, place, text if number is None else number, "text" if number is None else "money")
            row += 1
        if table.note:
            sheet.page.merge_range(row, 0, row, 6, "", sheet.formats["soft_wrap"])
            sheet.put(row, 0, table.note, "soft_wrap")
            sheet.page.set_row(row, 15 * (1 + len(table.note) // 130))
            row += 1
        row += 1


def _number(text: str) -> float | None:
    """Return a cell's number; None for text or a number with a unit."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _picture(book: Book, picture: Picture) -> None:
    sheet = book.sheet(SHEETS[picture.key])
    sheet.title(picture.title, picture.caption)
    sheet.set_up(freeze=(FIRST_ROW, 0), repeat=(HEAD_ROW, HEAD_ROW))
    sheet.widths(*[WIDTH] * len(picture.columns))
    sheet.heads(HEAD_ROW, [head for _, head in picture.columns])
    for row, values in enumerate(picture.rows, FIRST_ROW):
        for column, (key, _) in enumerate(picture.columns):
            sheet.put(row, column, values[key], STYLES.get(key, "number"))
    last = FIRST_ROW + len(picture.rows) - 1
    if picture.key in {"cost", "waste"}:
        _total(sheet, picture, last)
    sheet.page.insert_chart(HEAD_ROW, len(picture.columns) + 1, _chart(book, sheet, picture), {"x_scale": 1.5, "y_scale": 1.5})  # fmt: skip


def _total(sheet: Sheet, picture: Picture, last: int) -> None:
    """Write sums that follow the rows above."""
    sheet.put(last + 1, 0, "all", "total")
    for column, (key, _) in enumerate(picture.columns):
        if key in STYLES:
            whole = sum(row[key] for row in picture.rows)
            sheet.compute(last + 1, column, f"SUM({column_range(sheet.name, column, FIRST_ROW, last)})", whole, "total_usd")  # fmt: skip


def _chart(book: Book, sheet: Sheet, picture: Picture) -> Chart:
    """Return a native chart: a line for each word of the rows, else bars of the first number."""
    keys = [key for key, _ in picture.columns]
    if picture.key in LINES:
        chart = book.chart(
            {"type": "scatter", "subtype": "straight"} if picture.key == "duration" else {"type": "line"}
        )
        axis, value = keys.index("share" if "share" in keys else "day"), keys.index("gpus")
        words = [row["what"] for row in picture.rows]
        for name in dict.fromkeys(words):
            first = FIRST_ROW + words.index(name)
            last = first + words.count(name) - 1
            chart.add_series({"name": name, **book.series(sheet.name, (axis, value), (first, last))})
    else:
        chart = book.chart({"type": "bar"})
        last = FIRST_ROW + len(picture.rows) - 1
        names = f"='{sheet.name}'!$A${FIRST_ROW + 1}:${'B' if picture.key == 'cost' else 'A'}${last + 1}"
        values = f"={column_range(sheet.name, keys.index('usd'), FIRST_ROW, last)}"
        chart.add_series({"categories": names, "values": values, "gap": 60, "fill": {"color": "#2F7FC1"}})
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True})
        chart.set_x_axis({"num_format": "#,##0"})
    chart.set_title({"name": picture.title, "name_font": {"size": 12}})
    return chart
