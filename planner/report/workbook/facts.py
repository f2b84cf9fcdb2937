"""The sheets of the workbook that hold no formulas: prices with their sources, how to read it all."""

from __future__ import annotations

from planner.report.live import runs_once
from planner.report.option_costs import stated_usd
from planner.report.values import Record
from planner.report.view import View
from planner.report.workbook.cells import FIRST_ROW, Sheet
from planner.words import how_paid

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
        "(verdict_buy_margin_share); rented machines have to be set up, so a hosted API is taken where they save less than verdict_trivial_usd."
    ),
    (
        "Names may be used in formulas of your own: break_even_month, saving_usd, equal_share, equal_usd_per_hour, verdict_usd, "
        "needed_share, horizon_months, and every assumption (last column of its sheet)."
    ),
)


def write_prices(sheet: Sheet, record: Record) -> None:
    """Write every option with the day and the source of its price, also those without formulas."""
    provenance = record["provenance"]
    oldest_on, newest_on = provenance["oldest_price_on"], provenance["newest_price_on"]
    sheet.title(
        "Prices and their sources", f"Catalog {provenance['snapshot']}; prices from {oldest_on} to {newest_on}."
    )
    heads = ["provider", "region", "machine", "accelerator", "in one", "instances", "paid", "USD/h of one", "USD for the run" if runs_once(record) else "USD a month",
             "NPV, USD", "can be recommended", "priced on", "source", "not recommended, because", "notes"]  # fmt: skip
    styles = (*["text"] * 4, "number", "count", "indented", "price", "usd", "usd", "indented", *["text"] * 4)
    sheet.heads(FIRST_ROW - 1, heads)
    row = FIRST_ROW - 1
    for option in record["options"]:
        row += 1
        values = (
            option["provider"], option["region"], option["instance_type"], option["accelerator"],
            option["accelerator_count"] or None, option["instance_count"] or None, how_paid(option["purchase_option"]),
            option["price_usd_per_hour"], stated_usd(option, once=runs_once(record)), option["cost"]["present_value_usd"], "yes" if option["choosable"] else "no",
            option["priced_on"], option["source"], option["reason_not_chosen"], "; ".join(option["notes"]),
        )  # fmt: skip
        sheet.line(row, values, styles)
    sheet.widths(18, 16, 30, 16, 8, 10, 20, 12, 12, 14, 10, 12, 50, 40, 60)
    sheet.page.autofilter(FIRST_ROW - 1, 0, row, len(heads) - 1)
    sheet.page.print_area(0, 0, row, 12)  # the sentences to the right would make the print too small to read
    sheet.set_up(freeze=(FIRST_ROW, 3), repeat=(FIRST_ROW - 1, FIRST_ROW - 1))


def write_reading(sheet: Sheet, view: View) -> None:
    """Write how the workbook is read, how the options were found, and what the reader should know."""
    sheet.title("How to read this workbook")
    for row, text in enumerate(READING, 2):
        sheet.put(row, 0, text, "wrap")
    row = len(READING) + 3
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
    sheet.widths(130)
    sheet.set_up(freeze=(1, 0), landscape=False)
