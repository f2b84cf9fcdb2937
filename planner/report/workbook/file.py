"""The plan as a workbook: formulas that follow the inputs, with the plan's own values until someone changes one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Self

from xlsxwriter.workbook import Workbook

from planner.report.live import Live, cost_inputs
from planner.report.sensitivity import bars_of
from planner.report.view import plan_view
from planner.report.workbook.cells import Book, PlanBook
from planner.report.workbook.lists import (
    ALTERNATIVES,
    ASSUMPTIONS,
    OVERVIEW,
    write_alternatives,
    write_assumptions,
    write_overview,
    write_prices,
    write_reading,
)
from planner.report.workbook.months import (
    BREAK_EVEN,
    CALENDAR,
    OWN,
    RENT,
    write_break_even,
    write_calendar,
    write_own_months,
    write_rent_months,
)
from planner.report.workbook.options import OPTIONS, SERVERS, labels_of, write_options, write_servers
from planner.report.workbook.sensitivity import SENSITIVITY, write_live_sensitivity, write_sensitivity
from planner.report.workbook.verdict import VERDICT, write_verdict

if TYPE_CHECKING:
    from planner.report.schema.option import UnitKey
    from planner.report.schema.plan import PlanRecord


MOST_LIVE = 200
"""Options with formulas; more make the file slow and are read by no one."""
MOST_LIVE_EACH = 60
"""The same where a file holds several plans."""


def workbook(record: PlanRecord) -> bytes:
    """Return a plan as an Excel file (Office Open XML).

    Parameters
    ----------
    record : PlanRecord
        The plan, in JSON's own types.
    """
    with _file_of(record, record["title"]) as file:
        _write(_book_of(Book(file.workbook), record, MOST_LIVE))
    return file.content()


def workbook_of_many(records: Sequence[PlanRecord]) -> bytes:
    """Return several plans as one Excel file: a sheet with all verdicts and their sum, then the sheets of each plan.

    Sheets and names carry the number of their plan (``2 Verdict``, ``work2_horizon_months``).
    """
    with _file_of(records[0], f"{len(records)} workloads") as file:
        book = Book(file.workbook)
        sheet = book.sheet(OVERVIEW)
        books = [_book_of(book, record, MOST_LIVE_EACH, i) for i, record in enumerate(records, 1)]
        for plan_book in books:
            _write(plan_book)
        write_overview(book, sheet, [plan_book.live for plan_book in books])
    return file.content()


def _file_of(record: PlanRecord, title: str) -> ExcelFile:
    return ExcelFile(title, date.fromisoformat(record["planned_on"]), record["program"])


class ExcelFile:
    """An Excel file in memory, dated by what it is of: the same answer makes the same file."""

    def __init__(self, title: str, made_on: date, program: str = "gpuplan") -> None:
        self._target = io.BytesIO()
        self.workbook = Workbook(
            self._target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        self.workbook.set_properties(
            {
                "title": title[:250],
                "comments": f"Made by {program}",
                "created": datetime(made_on.year, made_on.month, made_on.day, tzinfo=UTC),
            }
        )
        self.workbook.set_calc_mode("auto")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.workbook.close()

    def content(self) -> bytes:
        """Return the file; it is closed then."""
        return self._target.getvalue()


def _book_of(book: Book, record: PlanRecord, most: int, number: int = 0) -> PlanBook:
    """Return the same file for the sheets of one plan; there is no pair where the rent is no machine."""
    live = Live(record, most=most)
    pair = live.pair()
    return PlanBook(
        book.file,
        book.formats,
        {"input.horizon_months": "horizon_months", "input.use_ratio": "use_ratio"},
        number,
        live=live,
        costs=live.costs(),
        labels=labels_of(live.options),
        pair=pair if pair is not None and cost_inputs(pair[0])["kind"] == "rent" else None,
    )


def _write(book: PlanBook) -> None:
    """Make the sheets in the order of reading, and fill them in the order in which they need each other's names."""
    live = book.live
    has_servers = any(option["kind"] == "buy" for option in live.options)
    names = [VERDICT, ALTERNATIVES, ASSUMPTIONS, OPTIONS]
    names += [SERVERS] if has_servers else []
    names += [RENT, OWN, BREAK_EVEN] if book.pair else []
    sheets = {name: book.sheet(name) for name in (*names, SENSITIVITY, "Prices", "How to read", CALENDAR)}
    write_assumptions(book, sheets[ASSUMPTIONS])
    write_calendar(book, sheets[CALENDAR])
    sheets[CALENDAR].page.hide()  # what formulas look up; "How to read" says so
    write_options(book, sheets[OPTIONS], UNITS.get(live.record["workload"]["kind"], TOKENS))
    if has_servers:
        write_servers(book, sheets[SERVERS])
    if book.pair is not None:
        cells = write_rent_months(book, sheets[RENT], book.pair[0]), write_own_months(book, sheets[OWN], book.pair[1])
        write_break_even(book, sheets[BREAK_EVEN], book.pair)
    write_verdict(book, sheets[VERDICT])
    view = plan_view(live.record, top=MOST_LIVE)
    if book.pair is not None:
        write_live_sensitivity(book, sheets[SENSITIVITY], book.pair, cells)
    else:
        write_sensitivity(book, sheets[SENSITIVITY], bars_of(live))
    write_alternatives(sheets[ALTERNATIVES], live.record, view)
    write_prices(sheets["Prices"], live.record)
    write_reading(sheets["How to read"], view)


UNITS: dict[str, tuple[UnitKey, str]] = {
    "diffusion": ("usd_per_thousand_images", "1,000 images"),
    "video": ("usd_per_thousand_images", "1,000 clips"),
    "gpu_hours": ("usd_per_useful_gpu_hour", "useful GPU hour"),
}
"""Key and name of the cost of a unit of work, by its kind; of all others that of tokens."""
TOKENS: tuple[UnitKey, str] = ("usd_per_million_tokens", "1M tokens")
