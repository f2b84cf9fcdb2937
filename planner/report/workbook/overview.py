"""The first sheet of a workbook of several plans: every verdict with its cost, and what all cost together."""

from __future__ import annotations

from collections.abc import Sequence

from xlsxwriter.utility import xl_rowcol_to_cell

from planner.report.live import Live
from planner.report.option_costs import chosen_of, stated_usd
from planner.report.option_words import heading
from planner.report.overview import pays_off_month, together
from planner.report.workbook.cells import FIRST_ROW, Book, Sheet, of_plan

OVERVIEW = "Overview"
_HEADS = ("#", "workload", "verdict", "USD a month", "USD for the run", "NPV, USD", "owning pays off from month",
         "horizon, months", "prices from", "to")  # fmt: skip
MONTH, RUN, TODAY = 3, 4, 5


def write_overview(book: Book, sheet: Sheet, plans: Sequence[Live]) -> None:
    """Write a row for each plan that follows the plan's own sheets, and the sums.

    Parameters
    ----------
    book, sheet : Book, Sheet
        Where to; ``total_usd_per_month``, ``total_run_usd`` and ``total_usd_today`` become names.
    plans : sequence of Live
        In the order of their numbers, their sheets written.
    """
    sheet.title(
        "All workloads",
        "Every figure follows the inputs of its plan: the sheets that carry its number. Each workload is planned by itself: machines "
        "are not shared, and no volume discount is assumed.",
    )
    sheet.heads(FIRST_ROW - 1, _HEADS, numbers=(MONTH, RUN, TODAY, 6, 7))
    for number, live in enumerate(plans, 1):
        _plan(sheet, FIRST_ROW + number - 1, number, live)
    last, row = FIRST_ROW + len(plans) - 1, FIRST_ROW + len(plans)
    sums = together([live.record for live in plans])
    sheet.put(row, 1, "together", "total")
    for column in (0, 2, 6, 7, 8, 9):
        sheet.put(row, column, None, "total")
    for column, name, value in (
        (MONTH, "total_usd_per_month", sums["usd_per_month"]),
        (RUN, "total_run_usd", sums["run_usd"]),
        (TODAY, "total_usd_today", sums["present_value_usd"]),
    ):
        cells = f"{xl_rowcol_to_cell(FIRST_ROW, column)}:{xl_rowcol_to_cell(last, column)}"
        sheet.compute(row, column, f"SUM({cells})", value, "total_usd")
        book.define(name, sheet, row, column)
    sheet.widths(5, 52, 52, 14, 14, 16, 14, 10, 12, 12)
    sheet.set_up(freeze=(FIRST_ROW, 2), repeat=(FIRST_ROW - 1, FIRST_ROW - 1))


def _plan(sheet: Sheet, row: int, number: int, live: Live) -> None:
    """Write the row of one plan."""
    record, chosen = live.record, chosen_of(live.record)
    assert chosen is not None
    sheet.page.write_url(row, 0, f"internal:'{number} Verdict'!A1", sheet.formats["link"], str(number))
    sheet.put(row, 1, record["title"], "wrap")
    # What the plan's own sheet says first, without its cost: that has columns here.
    sheet.compute(row, 2, of_plan("verdict_words", number), heading(chosen), "wrap")
    amount = RUN if live.once else MONTH
    figure = stated_usd(chosen, once=live.once)
    sheet.compute(row, amount, of_plan("verdict_usd", number), figure, "money")
    sheet.compute(row, TODAY, of_plan("verdict_usd_today", number), chosen["cost"]["present_value_usd"], "money")
    pair = live.pair()
    if pair is not None and pair[0]["book"]["kind"] == "rent":
        month = pays_off_month(record)
        sheet.compute(row, 6, of_plan("break_even_month", number), "never" if month is None else month, "month")
    sheet.compute(row, 7, of_plan("horizon_months", number), record["horizon_months"], "count")
    sheet.put(row, 8, record["provenance"]["oldest_price_on"], "unit")
    sheet.put(row, 9, record["provenance"]["newest_price_on"], "unit")
    sheet.page.set_row(row, 15 * (1 + max(len(record["title"]), len(heading(chosen))) // 52))
