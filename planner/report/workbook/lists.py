"""Sheets without months: overview, assumptions, alternatives, prices with their sources, and how to read it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from xlsxwriter.utility import xl_rowcol_to_cell

from planner.assumptions import default_assumptions
from planner.costs.evaluate import WHOLE_MONTHS
from planner.report.live import Live, cost_inputs, priced_names, runs_once
from planner.report.option_words import chosen_of, heading, range_usd, stated_usd
from planner.report.overview import pays_off_month, together
from planner.report.short import SORTS, best_ids
from planner.report.view import View
from planner.report.words import how_paid
from planner.report.workbook.cells import FIRST_ROW, Book, PlanBook, Sheet, Value, between, formula_of_plan

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


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
        "The verdict takes the cheapest option that can be recommended. What binds for more than a year, owning too, must be cheaper by a margin "
        "(verdict_buy_margin_share), and what is bought must pay off before the last part of the horizon (verdict_last_months_share); rented machines have to be set up, so a hosted API is taken where they save less than verdict_trivial_usd."
    ),
    (
        "Names may be used in formulas of your own: break_even_month, saving_usd, equal_share, equal_usd_per_hour, verdict_usd, "
        "needed_share, horizon_months, and every assumption (last column of its sheet)."
    ),
)


def write_prices(sheet: Sheet, record: PlanRecord) -> None:
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


ALTERNATIVES = "Side by side"
_HEADS = (
    "sort", "option", "USD {per}", "USD {per}, 10th percentile", "USD {per}, 90th percentile", "NPV, USD",
    "capex, USD", "price of", "seller's tier", "not recommended, because",
)  # fmt: skip
STYLES = ("text", "wrap", "usd", "usd", "usd", "usd", "usd", "text", "text", "wrap")
WIDTHS = (26, 56, 14, 14, 14, 14, 14, 12, 10, 60)


def write_alternatives(sheet: Sheet, record: PlanRecord, view: View) -> None:
    """Write one row for each sort of option, with the reason where there is none."""
    note = f"As planned on {record['planned_on']}; percentiles of joint draws of prices, speed, demand and assumptions"
    sheet.title("The best of each sort", note)
    once = runs_once(record)
    sheet.heads(3, [head.format(per="for the run" if once else "a month") for head in _HEADS])
    row = 3
    by_id = {option["id"]: option for option in record["options"]}
    best, named = best_ids(record), record["verdict"].get("alternatives")
    for name, label in SORTS.items():
        if name == "have" and name not in best:
            continue
        row += 1
        option = by_id.get(best.get(name, ""))
        values: tuple[Value, ...] = (label, "none")
        if option is None:
            values = (*values, *[None] * 7, named["reason"].get(name) if named else None)
        else:
            what = f"{option['instance_count']} x {option['instance_type']}" if option["instance_count"] else option["instance_type"]  # fmt: skip
            place = f"{option['provider']} {option['region']}".strip()
            values = (
                label, f"{what}, {place}, {how_paid(option['purchase_option'])}", stated_usd(option, once=once),
                *(range_usd(option, once=once) or (None, None)), option["cost"]["present_value_usd"],
                option.get("capex_usd"), option["priced_on"], option.get("tier"), option["reason_not_chosen"] or None,
            )  # fmt: skip
        sheet.line(row, values, STYLES)
    row += 2
    sheet.put(row, 0, view.turns.title, "section")
    row += 1
    if not view.turns.rows:
        sheet.put(row, 0, "no price or use between a quarter and four times today's changes the decision", "text")
    else:
        sheet.heads(row, ("turns at", "price, or use", "unit", "planned"))
        for what, planned, value, unit, then in view.turns.rows:
            row += 1
            sheet.line(row, (value, what, unit, planned), ("text", "wrap", "text", "text"))
            sheet.put(row, 9, f"then: {then}", "wrap")
        row += 1
        sheet.put(row, 0, view.turns.note, "soft")
    sheet.widths(*WIDTHS)
    sheet.set_up(freeze=(4, 1), pages_high=1)


ASSUMPTIONS = "Assumptions"


def write_assumptions(book: PlanBook, sheet: Sheet) -> None:
    """Write every assumption, and give each that the formulas use a name."""
    live, rows = book.live, default_assumptions().rows
    stated = {row["name"]: row for row in live.record["assumptions"]}
    changeable = [name for name in priced_names(live.financing) if name in rows]
    sheet.title(
        "Assumptions",
        "Colored cells can be changed: every figure of this workbook follows. The others went into the sizing of the machines; "
        "change those with gpuplan plan --set NAME=VALUE.",
    )
    sheet.heads(3, ["assumption", "value", "unit", "low", "high", "", "as of", "source", "name for formulas"])
    row = 4
    for name in [*changeable, *sorted(set(stated) - set(changeable))]:
        assumption = rows.get(name)
        # A plan states the assumptions that it used; the others are as they are now.
        line = stated.get(name) or asdict(rows[name])
        mark = "set by you" if name in stated and line["overridden"] else "weak" if line["weak"] else ""
        sheet.put(row, 0, name)
        sheet.put(row, 1, live.assumptions[name], "input" if name in changeable else "number")
        sheet.put(row, 2, line["unit"], "unit")
        if name in stated and line["low"] != line["high"]:
            sheet.put(row, 3, line["low"], "number")
            sheet.put(row, 4, line["high"], "number")
        sheet.put(row, 5, mark, "unit")
        sheet.put(row, 6, line["as_of"], "soft")
        sheet.put(row, 7, line["source"], "soft")
        if name in changeable and assumption is not None:
            defined = name.replace(".", "_")
            sheet.put(row, 8, book.here(defined), "soft")
            book.define(defined, sheet, row, 1, name)
            least, most, unit = assumption.least, assumption.most, assumption.unit
            message, about = f"Give a number from {least:g} to {most:g}.", f"{least:g} to {most:g} {unit}"[:255]
            kind = "integer" if name in WHOLE_MONTHS else "decimal"
            sheet.allow(row, 1, between(least, most, message, kind, input_title=name[:32], input_message=about))
        row += 1
    sheet.widths(42, 14, 16, 10, 10, 11, 12, 70, 42)
    sheet.page.autofilter(3, 0, row - 1, 8)
    sheet.set_up(freeze=(4, 1), repeat=(3, 3))


OVERVIEW = "Overview"
_OVERVIEW_HEADS = ("#", "workload", "verdict", "USD a month", "USD for the run", "NPV, USD", "owning pays off from month",
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
    sheet.heads(FIRST_ROW - 1, _OVERVIEW_HEADS, numbers=(MONTH, RUN, TODAY, 6, 7))
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
    sheet.compute(row, 2, formula_of_plan("verdict_words", number), heading(chosen), "wrap")
    amount = RUN if live.once else MONTH
    figure = stated_usd(chosen, once=live.once)
    sheet.compute(row, amount, formula_of_plan("verdict_usd", number), figure, "money")
    sheet.compute(
        row, TODAY, formula_of_plan("verdict_usd_today", number), chosen["cost"]["present_value_usd"], "money"
    )
    pair = live.pair()
    if pair is not None and cost_inputs(pair[0])["kind"] == "rent":
        month = pays_off_month(record)
        sheet.compute(row, 6, formula_of_plan("break_even_month", number), "never" if month is None else month, "month")
    sheet.compute(row, 7, formula_of_plan("horizon_months", number), record["horizon_months"], "count")
    sheet.put(row, 8, record["provenance"]["oldest_price_on"], "unit")
    sheet.put(row, 9, record["provenance"]["newest_price_on"], "unit")
    sheet.page.set_row(row, 15 * (1 + max(len(record["title"]), len(heading(chosen))) // 52))
