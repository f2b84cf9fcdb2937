"""The sheets of the workbook that hold no formulas: sensitivity, prices with their sources, how to read it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planner.report.values import Record
from planner.report.view import View
from planner.report.workbook.cells import Book, Sheet, column_range
from planner.words import how_paid

FIRST_ROW = 4
READING = (
    (
        "Colored cells are inputs: on the sheet Verdict the few that matter most, on the sheet Assumptions all others. Every figure "
        "in US dollars is a formula and follows them; nothing here is a macro, and nothing is fetched from anywhere."
    ),
    "The machines (which, how many, how fast) are as planned. If the work itself changes, run gpuplan plan again.",
    (
        "On the sheets Options and Servers, type no under include to strike out an option, or each row of a seller: the verdict then takes "
        "the next. The grey columns behind the plus sign hold what the formulas need; the sheet Calendar, which is hidden, holds months and lists."
    ),
    (
        "Time in use: share of all hours of a month. Hours on demand and the electricity of work follow it; "
        "a commitment, a server and its place are paid whether used or not."
    ),
    (
        "NPV: what is paid in a month counts less the later it is, by the discount rate. Month 0 is today and is not discounted. "
        "A spreadsheet's own NPV() would discount the first payment too, so it is not used."
    ),
    (
        "Owning pays off from a month on: from then to the end of the horizon, what has been paid for owning stays at or below what has "
        "been paid for renting. A resale at the end can change that in the last month."
    ),
    (
        "The verdict takes the cheapest option that can be recommended. Owning ties you in for years, so it must be cheaper by a margin "
        "(verdict_buy_margin_share)."
    ),
    (
        "Names may be used in formulas of your own: break_even_month, saving_usd, equal_share, equal_usd_per_hour, verdict_usd, "
        "needed_share, horizon_months, and every assumption (last column of its sheet)."
    ),
)


def write_sensitivity(book: Book, sheet: Sheet, bars: Sequence[dict[str, Any]]) -> None:
    """Write what each assumption alone does to the saving, as a table and bars."""
    sheet.put(0, 0, "Which assumptions decide the verdict", "title")
    sheet.put(
        1,
        0,
        "What owning saves over the rent that it was compared with when the plan was made, with only one assumption at the low "
        "and the high end of its range. These are the plan's own figures; they do not follow the inputs.",
        "soft",
    )
    heads = [
        "assumption",
        "low",
        "high",
        "saving at low, USD",
        "saving at high, USD",
        "as planned, USD",
        "changes the decision",
    ]
    sheet.heads(FIRST_ROW - 1, heads)
    for row, bar in enumerate(bars, FIRST_ROW):
        sheet.put(row, 0, bar["name"])
        sheet.put(row, 1, bar["low"], "number")
        sheet.put(row, 2, bar["high"], "number")
        sheet.put(row, 3, bar["low_usd"], "usd")
        sheet.put(row, 4, bar["high_usd"], "usd")
        sheet.put(row, 5, bar["base_usd"], "usd")
        sheet.put(row, 6, "yes" if bar["turns_verdict"] else "")
    if bars:
        last = FIRST_ROW + len(bars) - 1
        chart: Any = book.file.add_chart({"type": "bar"})
        for column, name, colour in ((3, "at low", "#8C8C8C"), (4, "at high", "#C8690A")):
            chart.add_series(
                {
                    "name": name,
                    "categories": book.here(f"={column_range(sheet.name, 0, FIRST_ROW, last)}"),
                    "values": book.here(f"={column_range(sheet.name, column, FIRST_ROW, last)}"),
                    "fill": {"color": colour},
                    "gap": 60,
                }
            )
        chart.set_title({"name": "What owning saves, NPV in USD", "name_font": {"size": 12}})
        chart.set_y_axis({"reverse": True, "label_position": "low"})
        chart.set_x_axis({"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 760, "height": 120 + 34 * len(bars)})
        sheet.page.insert_chart(
            last + 2, 0, chart, {"description": "Saving of owning at both ends of each assumption."}
        )
    sheet.page.set_column(0, 0, 44)
    sheet.page.set_column(1, 6, 16)
    sheet.set_up(freeze=(FIRST_ROW, 1), pages_high=1)


def write_prices(sheet: Sheet, record: Record) -> None:
    """Write every option with the day and the source of its price, also those without formulas."""
    provenance = record["provenance"]
    sheet.put(0, 0, "Prices and their sources", "title")
    sheet.put(
        1,
        0,
        f"Catalog {provenance['snapshot']}; prices from {provenance['oldest_price_on']} to {provenance['newest_price_on']}.",
        "soft",
    )
    heads = ["provider", "region", "machine", "accelerator", "in one", "instances", "paid", "USD/h of one", "USD a month",
             "NPV, USD", "can be recommended", "priced on", "source", "not recommended, because", "notes"]  # fmt: skip
    sheet.heads(FIRST_ROW - 1, heads)
    row = FIRST_ROW - 1
    for option in record["options"]:
        row += 1
        cost = option["cost"]
        texts = (option["provider"], option["region"], option["instance_type"], option["accelerator"])
        for column, text in enumerate(texts):
            sheet.put(row, column, text)
        sheet.put(row, 4, option["accelerator_count"] or None, "number")
        sheet.put(row, 5, option["instance_count"] or None, "count")
        sheet.put(row, 6, how_paid(option["purchase_option"]), "indented")
        sheet.put(row, 7, option["price_usd_per_hour"], "price")
        sheet.put(row, 8, cost["usd_per_month"], "usd")
        sheet.put(row, 9, cost["present_value_usd"], "usd")
        sheet.put(row, 10, "yes" if option["choosable"] else "no", "indented")
        sheet.put(row, 11, option["priced_on"])
        sheet.put(row, 12, option["source"])
        sheet.put(row, 13, option["reason_not_chosen"])
        sheet.put(row, 14, "; ".join(option["notes"]))
    for column, width in enumerate((18, 16, 30, 16, 8, 10, 20, 12, 12, 14, 10, 12, 50, 40, 60)):
        sheet.page.set_column(column, column, width)
    sheet.page.autofilter(FIRST_ROW - 1, 0, row, len(heads) - 1)
    sheet.page.print_area(0, 0, row, 12)  # the sentences to the right would make the print too small to read
    sheet.set_up(freeze=(FIRST_ROW, 3), repeat=(FIRST_ROW - 1, FIRST_ROW - 1))


def write_reading(sheet: Sheet, view: View) -> None:
    """Write how the workbook is read, how the options were found, and what the reader should know."""
    sheet.put(0, 0, "How to read this workbook", "title")
    row = 2
    for text in READING:
        sheet.put(row, 0, text, "wrap")
        row += 1
    row += 1
    sheet.put(row, 0, view.funnel.title, "section")
    for cells in view.funnel.rows:
        row += 1
        sheet.put(row, 0, "  ".join(cells))
    if view.notes:
        row += 2
        sheet.put(row, 0, "Notes", "section")
        for note in view.notes:
            row += 1
            sheet.put(row, 0, note, "wrap")
    sheet.page.set_column(0, 0, 130)
    sheet.set_up(freeze=(1, 0), landscape=False)
