"""The months of the workbook: what the chosen rent and the chosen server cost, item by item, and when they meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from xlsxwriter.utility import xl_rowcol_to_cell

from planner.costs.formulas import DISCOUNT, Model, site_names
from planner.costs.timeline import COMPONENTS
from planner.report.chart_rows import crossing_month
from planner.report.live import Cost
from planner.report.wording import COMPONENTS as COMPONENT_WORDS
from planner.report.workbook.cells import FIRST_ROW, PlanBook, Sheet, cell_name, column_range, in_row, safe_reference
from planner.report.workbook.options import SERVER_COLUMNS, option_range, server_range

CALENDAR, RENT, OWN = "Calendar", "Rent by month", "Own by month"
FIRST_ITEM = 2


def write_calendar(book: PlanBook, sheet: Sheet) -> None:
    """Write the months and what a dollar in each is worth today; every other sheet looks here."""
    months = book.live.months
    sheet.title("Months, and what a dollar at the end of each is worth today")
    sheet.heads(FIRST_ROW - 1, ["month", "worth today"])
    factors = (1 + book.live.assumptions["money.discount_rate_share_per_year"]) ** (-np.arange(months + 1) / 12)
    for month, factor in enumerate(factors):
        row = FIRST_ROW + month
        sheet.put(row, 0, month, "count")
        sheet.compute(row, 1, book.text(DISCOUNT, {"month": in_row(row, 0)}), float(factor), "factor")
    book.define_name("month_no", column_range(sheet.name, 0, FIRST_ROW, FIRST_ROW + months))
    book.define_name("discount_ratio", column_range(sheet.name, 1, FIRST_ROW, FIRST_ROW + months))
    sheet.widths(14, 14)
    sheet.set_up(freeze=(FIRST_ROW, 1), landscape=False, repeat=(FIRST_ROW - 1, FIRST_ROW - 1))


def write_rent_months(book: PlanBook, sheet: Sheet, option: Mapping[str, Any]) -> dict[str, str]:
    """Write the months of the rent that the reader has chosen on the first sheet; return where its numbers stand."""
    names = sorted(_names(book.live.model(option), "book."))
    formulas = {name: f"INDEX({option_range(book, name)},rent_row)" for name in names}
    return _write(book, sheet, option, "rent", formulas, option_range(book, "label"))


def write_own_months(book: PlanBook, sheet: Sheet, option: Mapping[str, Any]) -> dict[str, str]:
    """Write the months of the server that the reader has chosen on the first sheet; return where its numbers stand."""
    names = sorted(_names(book.live.model(option), "book."))
    formulas = {name: f"INDEX({server_range(book, name)},own_row)" for name in names if name in SERVER_COLUMNS}
    at_home, hosted = site_names("home"), site_names("colocation")
    for name in sorted(hosted):
        there = hosted[name].replace(".", "_")
        if name in at_home:
            formulas[name] = f"IF({is_home(book)},{at_home[name].replace('.', '_')},{there})"
        else:
            formulas[name] = f'IF({_site(book)}="colocation",{there},0)'
    return _write(book, sheet, option, "own", formulas, server_range(book, "label"))


def is_home(book: PlanBook) -> str:
    """Return the formula of whether the chosen server stands at home."""
    return f'{_site(book)}="home"'


def _site(book: PlanBook) -> str:
    """Return the formula of where the chosen server stands."""
    return f"INDEX({server_range(book, 'site')},own_row)"


def _names(model: Model, start: str) -> set[str]:
    return {name for name in model.names if name.startswith(start)}


def _write(
    book: PlanBook, sheet: Sheet, option: Mapping[str, Any], side: str, formulas: Mapping[str, str], labels: str
) -> dict[str, str]:
    """Write the items by month, and to their right the numbers that they are made from; return where those stand."""
    live, cost, model = book.live, book.costs[option["id"]], book.live.model(option)
    items = list(model.lines)
    total, lumps, paid = (FIRST_ITEM + len(items) + i for i in range(3))
    last = FIRST_ROW + live.months
    sheet.title("Rent by month" if side == "rent" else "Owning by month")
    sheet.compute(1, 0, f"{side}_option", book.labels[option["id"]], "soft")
    heads = ["month", "worth today", *(COMPONENT_WORDS[item] for item in items), "all items", "of it at one instant", "paid by then (NPV)"]  # fmt: skip
    sheet.heads(FIRST_ROW - 1, heads, numbers=range(1, len(heads)))
    local = _side(book, sheet, option, side, formulas, labels)
    factors, sums = cost.lines["discount_ratio"], cost.lines["total"]
    so_far = np.cumsum(sums * factors)
    lump_columns = [FIRST_ITEM + i for i, item in enumerate(items) if COMPONENTS[item].lump]
    for month in range(live.months + 1):
        row = FIRST_ROW + month
        sheet.compute(row, 0, f"INDEX(month_no,{month + 1})", month, "count")
        sheet.compute(row, 1, f"INDEX(discount_ratio,{month + 1})", float(factors[month]), "factor")
        local["month"] = in_row(row, 0)
        for i, item in enumerate(items):
            text = book.text(model.lines[item], local)
            sheet.compute(row, FIRST_ITEM + i, text, float(cost.lines[item][month]), "cents")
        all_items = f"SUM({xl_rowcol_to_cell(row, FIRST_ITEM)}:{xl_rowcol_to_cell(row, total - 1)})"
        sheet.compute(row, total, all_items, float(sums[month]), "cents")
        at_once = "+".join(str(xl_rowcol_to_cell(row, column)) for column in lump_columns)
        sheet.compute(row, lumps, at_once, float(cost.lines["lumps"][month]), "cents")
        here, worth = xl_rowcol_to_cell(row, total), xl_rowcol_to_cell(row, 1)
        before = f"{xl_rowcol_to_cell(row - 1, paid)}+" if month else ""
        sheet.compute(row, paid, f"{before}{here}*{worth}", float(so_far[month]), "cents")
    _sums(book, sheet, model, cost, live.months, side)
    for key, column in (("total", total), ("lumps", lumps), ("paid", paid)):
        book.define_name(f"{side}_{key}_by_month", column_range(sheet.name, column, FIRST_ROW, last))
    sheet.widths(10, 10, *[14] * (paid + 1 - FIRST_ITEM))
    sheet.page.set_column(_side_column(model), _side_column(model), 34)
    sheet.page.set_column(_side_column(model) + 1, _side_column(model) + 1, 16)
    sheet.fade_beyond(FIRST_ROW, last, paid)
    sheet.page.print_area(0, 0, last, paid)
    sheet.set_up(freeze=(FIRST_ROW, 1), repeat=(FIRST_ROW - 1, FIRST_ROW - 1))
    return {name: safe_reference(sheet.name, local[name]) for name in formulas}


def _side(
    book: PlanBook, sheet: Sheet, option: Mapping[str, Any], side: str, formulas: Mapping[str, str], labels: str
) -> dict[str, str]:
    """Write what the months are made from; return where each number stands."""
    live, cost, model = book.live, book.costs[option["id"]], book.live.model(option)
    values = live.values(option, live.planned, live.assumptions)
    row, column = FIRST_ROW, _side_column(model)
    alike = [other["id"] for other in live.options if (other["kind"] == "buy") == (side == "own")]
    sheet.put(row - 1, column, "made from", "head")
    sheet.put(row - 1, column + 1, "value", "head_right")
    sheet.put(row, column, f"row of the choice ({side}_row)")
    sheet.compute(row, column + 1, f"MATCH({side}_option,{labels},0)", 1 + alike.index(option["id"]), "count")
    book.define(f"{side}_row", sheet, row, column + 1)
    local: dict[str, str] = {}
    for name, formula in formulas.items():
        row += 1
        sheet.put(row, column, name.split(".", 1)[1].replace("_", " "))
        sheet.compute(row, column + 1, formula, values[name], "number")
        local[name] = cell_name(row, column + 1)
        if name == "book.price_usd_per_hour":
            book.define("rent_usd_per_hour", sheet, row, column + 1)
    for name, expr in model.scalars.items():
        row += 1
        sheet.put(row, column, name.replace("_", " "))
        sheet.compute(row, column + 1, book.text(expr, local), float(cost.lines[name]), "number")
        local[name] = cell_name(row, column + 1)
    return local


def _sums(book: PlanBook, sheet: Sheet, model: Model, cost: Cost, months: int, side: str) -> None:
    """Write the NPV by how items move, above their headings: with use, with the rent's price, with neither."""
    groups = {"kept": (False, None), "use": (True, None), "price_kept": (False, True), "price_use": (True, True)}
    for column, (group, (with_use, with_price)) in enumerate(groups.items(), FIRST_ITEM + 2):
        ranges = [
            column_range(sheet.name, FIRST_ITEM + i, FIRST_ROW, FIRST_ROW + months)
            for i, item in enumerate(model.lines)
            if COMPONENTS[item].with_use is with_use and (with_price is None or COMPONENTS[item].with_rent_price)
        ]
        formula = "+".join(f"SUMPRODUCT({cells}*discount_ratio)" for cells in ranges) or "0"
        value = cost.present_value_of_usd(with_use=with_use, with_rent_price=with_price)
        sheet.put(1, column, f"{group.replace('_', ', ')}, today", "soft")
        sheet.compute(2, column, formula, value, "usd")
        book.define(f"{side}_{group}_usd", sheet, 2, column)


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
    row = FIRST_ROW + 1 + len(_names(model, "book.")) + site + list(model.scalars).index("last_month")
    return row, _side_column(model) + 1


def _side_column(model: Model) -> int:
    return FIRST_ITEM + len(model.lines) + 4
