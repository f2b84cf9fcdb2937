"""The months of the workbook: what the chosen rent and the chosen server cost, item by item, and when they meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from xlsxwriter.utility import xl_rowcol_to_cell

from planner.costs.formulas import DISCOUNT, Model, site_names
from planner.costs.timeline import COMPONENTS
from planner.report.chart_rows import crossing_month
from planner.report.live import Cost, Live
from planner.report.wording import COMPONENTS as COMPONENT_WORDS
from planner.report.workbook.cells import Book, Sheet, cell_name, column_range, safe_reference
from planner.report.workbook.options import SERVER_COLUMNS, option_range, server_range

CALENDAR, RENT, OWN = "Calendar", "Rent by month", "Own by month"
FIRST_ROW = 4
FIRST_ITEM = 2


def write_calendar(book: Book, sheet: Sheet, live: Live) -> None:
    """Write the months and what a dollar in each is worth today; every other sheet looks here."""
    sheet.title("Months, and what a dollar at the end of each is worth today")
    sheet.heads(FIRST_ROW - 1, ["month", "worth today"])
    factors = (1 + live.assumptions["money.discount_rate_share_per_year"]) ** (-np.arange(live.months + 1) / 12)
    for month in range(live.months + 1):
        row = FIRST_ROW + month
        sheet.put(row, 0, month, "count")
        here = str(xl_rowcol_to_cell(row, 0, col_abs=True))
        sheet.compute(row, 1, book.text(DISCOUNT, {"month": here}), float(factors[month]), "factor")
    last = FIRST_ROW + live.months
    book.define_name("month_no", column_range(sheet.name, 0, FIRST_ROW, last))
    book.define_name("discount_ratio", column_range(sheet.name, 1, FIRST_ROW, last))
    sheet.widths(14, 14)
    sheet.set_up(freeze=(FIRST_ROW, 1), landscape=False, repeat=(FIRST_ROW - 1, FIRST_ROW - 1))


def write_rent_months(
    book: Book, sheet: Sheet, live: Live, option: Mapping[str, Any], cost: Cost, *, last_option: int, label: str
) -> dict[str, str]:
    """Write the months of the rent that the reader has chosen on the first sheet; return where its numbers stand."""
    row_now = 1 + [each["id"] for each in live.options if each["kind"] != "buy"].index(option["id"])
    model = live.model(option)
    values = live.values(option, live.planned, live.assumptions)
    given = {
        name: (f"INDEX({option_range(name, last_option)},rent_row)", values[name])
        for name in sorted(_names(model, "book."))
    }
    lookup = (f"MATCH(rent_option,{option_range('label', last_option)},0)", row_now)
    return _write(
        book,
        sheet,
        live,
        model,
        cost,
        title="Rent by month",
        label=("rent_option", label),
        given=given,
        lookup=("rent_row", *lookup),
    )


def write_own_months(
    book: Book, sheet: Sheet, live: Live, option: Mapping[str, Any], cost: Cost, *, last_server: int, label: str
) -> dict[str, str]:
    """Write the months of the server that the reader has chosen on the first sheet; return where its numbers stand."""
    row_now = 1 + [each["id"] for each in live.options if each["kind"] == "buy"].index(option["id"])
    model = live.model(option)
    values = live.values(option, live.planned, live.assumptions)
    given: dict[str, tuple[str, float]] = {
        name: (f"INDEX({server_range(name, last_server)},own_row)", values[name])
        for name in sorted(_names(model, "book."))
        if name in SERVER_COLUMNS
    }
    home = is_home(last_server)
    at_home, hosted = site_names("home"), site_names("colocation")
    for name in sorted(hosted):
        there = hosted[name].replace(".", "_")
        if name in at_home:
            given[name] = (f"IF({home},{at_home[name].replace('.', '_')},{there})", values[name])
        else:
            given[name] = (f'IF({_site(last_server)}="colocation",{there},0)', values[name])
    lookup = (f"MATCH(own_option,{server_range('label', last_server)},0)", row_now)
    return _write(
        book,
        sheet,
        live,
        model,
        cost,
        title="Owning by month",
        label=("own_option", label),
        given=given,
        lookup=("own_row", *lookup),
    )


def is_home(last_server: int) -> str:
    """Return the formula of whether the chosen server stands at home."""
    return f'{_site(last_server)}="home"'


def _site(last_server: int) -> str:
    """Return the formula of where the chosen server stands."""
    return f"INDEX({server_range('site', last_server)},own_row)"


def _names(model: Model, start: str) -> set[str]:
    return {name for name in model.names if name.startswith(start)}


def _write(  # noqa: PLR0913 - where it writes, and what
    book: Book,
    sheet: Sheet,
    live: Live,
    model: Model,
    cost: Cost,
    *,
    title: str,
    label: tuple[str, str],
    given: Mapping[str, tuple[str, float]],
    lookup: tuple[str, str, float],
) -> dict[str, str]:
    """Write the items by month, and to their right the numbers that they are made from; return where those stand."""
    items = list(model.lines)
    total, lumps, paid = FIRST_ITEM + len(items), FIRST_ITEM + len(items) + 1, FIRST_ITEM + len(items) + 2
    side = _side_column(model)
    sheet.title(title)
    sheet.compute(1, 0, label[0], label[1], "soft")
    named = [COMPONENT_WORDS[item] for item in items]
    heads = ["month", "worth today", *named, "all items", "of it at one instant", "paid by then (NPV)"]
    sheet.heads(FIRST_ROW - 1, heads, numbers=range(1, len(heads)))
    local = _side(book, sheet, model, cost, given, lookup, side)
    factors, sums = cost.lines["discount_ratio"], cost.lines["total"]
    so_far = np.cumsum(sums * factors)
    first_item, last_item = (str(xl_rowcol_to_cell(0, c, row_abs=False))[:-1] for c in (FIRST_ITEM, total - 1))
    lump_columns = [FIRST_ITEM + i for i, item in enumerate(items) if COMPONENTS[item].lump]
    for month in range(live.months + 1):
        row = FIRST_ROW + month
        sheet.compute(row, 0, f"INDEX(month_no,{month + 1})", month, "count")
        sheet.compute(row, 1, f"INDEX(discount_ratio,{month + 1})", float(factors[month]), "factor")
        local["month"] = str(xl_rowcol_to_cell(row, 0, col_abs=True))
        for i, item in enumerate(items):
            text = book.text(model.lines[item], local)
            sheet.compute(row, FIRST_ITEM + i, text, float(cost.lines[item][month]), "cents")
        sheet.compute(row, total, f"SUM({first_item}{row + 1}:{last_item}{row + 1})", float(sums[month]), "cents")
        at_once = "+".join(str(xl_rowcol_to_cell(row, column)) for column in lump_columns)
        sheet.compute(row, lumps, at_once, float(cost.lines["lumps"][month]), "cents")
        here, worth = xl_rowcol_to_cell(row, total), xl_rowcol_to_cell(row, 1)
        before = f"{xl_rowcol_to_cell(row - 1, paid)}+" if month else ""
        sheet.compute(row, paid, f"{before}{here}*{worth}", float(so_far[month]), "cents")
    _sums(book, sheet, model, cost, live.months, label[0].split("_")[0])
    last = FIRST_ROW + live.months
    for key, column in (("total", total), ("lumps", lumps), ("paid", paid)):
        name = f"{label[0].split('_')[0]}_{key}_by_month"
        book.define_name(name, column_range(sheet.name, column, FIRST_ROW, last))
    sheet.widths(10, 10, *[14] * (paid + 1 - FIRST_ITEM))
    sheet.page.set_column(side, side, 34)
    sheet.page.set_column(side + 1, side + 1, 16)
    sheet.fade_beyond(FIRST_ROW, last, paid)
    sheet.page.print_area(0, 0, last, paid)
    sheet.set_up(freeze=(FIRST_ROW, 1), repeat=(FIRST_ROW - 1, FIRST_ROW - 1))
    return {name: safe_reference(sheet.name, local[name]) for name in given}


def _side(
    book: Book,
    sheet: Sheet,
    model: Model,
    cost: Cost,
    given: Mapping[str, tuple[str, float]],
    lookup: tuple[str, str, float],
    column: int,
) -> dict[str, str]:
    """Write what the months are made from; return where each number stands."""
    sheet.put(FIRST_ROW - 1, column, "made from", "head")
    sheet.put(FIRST_ROW - 1, column + 1, "value", "head_right")
    row = FIRST_ROW
    sheet.put(row, column, f"row of the choice ({lookup[0]})")
    sheet.compute(row, column + 1, lookup[1], lookup[2], "count")
    book.define(lookup[0], sheet, row, column + 1)
    local: dict[str, str] = {}
    for name, (formula, value) in given.items():
        row += 1
        sheet.put(row, column, name.split(".", 1)[1].replace("_", " "))
        sheet.compute(row, column + 1, formula, value, "number")
        local[name] = cell_name(row, column + 1)
        if name == "book.price_usd_per_hour":
            book.define("rent_usd_per_hour", sheet, row, column + 1)
    for name, expr in model.scalars.items():
        row += 1
        sheet.put(row, column, name.replace("_", " "))
        sheet.compute(row, column + 1, book.text(expr, local), float(cost.lines[name]), "number")
        local[name] = cell_name(row, column + 1)
    return local


def _sums(book: Book, sheet: Sheet, model: Model, cost: Cost, months: int, side: str) -> None:
    """Write the NPV by how items move, above their headings: with use, with the rent's price, with neither."""
    first, last = FIRST_ROW, FIRST_ROW + months
    groups = {
        "kept": (False, None),
        "use": (True, None),
        "price_kept": (False, True),
        "price_use": (True, True),
    }
    column = FIRST_ITEM
    for group, (with_use, with_price) in groups.items():
        chosen = [
            FIRST_ITEM + i
            for i, item in enumerate(model.lines)
            if COMPONENTS[item].with_use is with_use and (with_price is None or COMPONENTS[item].with_rent_price)
        ]
        ranges = [column_range(sheet.name, c, first, last) for c in chosen]
        formula = "+".join(f"SUMPRODUCT({each}*discount_ratio)" for each in ranges) or "0"
        value = cost.present_value_of_usd(with_use=with_use, with_rent_price=True if with_price else None)
        sheet.put(1, column + 2, f"{group.replace('_', ', ')}, today", "soft")
        sheet.compute(2, column + 2, formula, value, "usd")
        book.define(f"{side}_{group}_usd", sheet, 2, column + 2)
        column += 1


def paid_rows(rent: Cost, own: Cost, months: int) -> dict[str, Any]:
    """Return what the sheet of the break-even shows, as numbers of now."""
    factor = rent.lines["discount_ratio"]
    after = np.cumsum((rent.lines["total"] - own.lines["total"]) * factor)
    lumps = (rent.lines["lumps"] - own.lines["lumps"]) * factor
    return {
        "rent": np.cumsum(rent.lines["total"] * factor)[: months + 1],
        "own": np.cumsum(own.lines["total"] * own.lines["discount_ratio"])[: months + 1],
        "before": (after - lumps)[: months + 1],
        "after": after[: months + 1],
        "month": crossing_month(rent, own),
    }


def last_month_cell(model: Model) -> tuple[int, int]:
    """Return row and column of the month in which the work ends, on the sheet of a model."""
    site = len(site_names("colocation")) if "lead_months" in model.scalars else 0
    return FIRST_ROW + 1 + len(_names(model, "book.")) + site + list(model.scalars).index("last_month"), _side_column(
        model
    ) + 1


def _side_column(model: Model) -> int:
    return FIRST_ITEM + len(model.lines) + 4
