"""The months of the workbook: what the chosen rent and server cost, item by item, and where they break even."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from xlsxwriter.chart import Chart
from xlsxwriter.utility import xl_rowcol_to_cell

from planner.arrays import FloatArray
from planner.costs.formulas import DISCOUNT, Model, site_names
from planner.costs.timeline import COMPONENTS
from planner.report.chart_rows import break_even_price_usd_per_hour
from planner.report.charts import OWN as OWN_COLOR
from planner.report.charts import RENT as RENT_COLOR
from planner.report.live import Cost, Pair, book_values, crossing_month
from planner.report.wording import COMPONENTS as COMPONENT_WORDS
from planner.report.workbook.cells import FIRST_ROW, PlanBook, Sheet, cell_name, column_range, in_row, safe_reference
from planner.report.workbook.options import SERVER_COLUMNS, option_range, server_range

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord


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


def write_rent_months(book: PlanBook, sheet: Sheet, option: OptionRecord) -> dict[str, str]:
    """Write the months of the rent that the reader has chosen on the first sheet; return where its numbers stand."""
    names = sorted(_names(book.live.model(option), "book."))
    formulas = {name: f"INDEX({option_range(book, name)},rent_row)" for name in names}
    return _write(book, sheet, option, "rent", formulas, option_range(book, "label"))


def write_own_months(book: PlanBook, sheet: Sheet, option: OptionRecord) -> dict[str, str]:
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
    book: PlanBook, sheet: Sheet, option: OptionRecord, side: str, formulas: Mapping[str, str], labels: str
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
    book: PlanBook, sheet: Sheet, option: OptionRecord, side: str, formulas: Mapping[str, str], labels: str
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


def paid_rows(rent: Cost, own: Cost, months: int) -> dict[str, FloatArray]:
    """Return what the sheet of the break-even shows, as numbers of now."""
    factor = rent.lines["discount_ratio"]
    after = np.cumsum((rent.lines["total"] - own.lines["total"]) * factor)
    lumps = (rent.lines["lumps"] - own.lines["lumps"]) * factor
    return {
        "rent": np.cumsum(rent.lines["total"] * factor)[: months + 1],
        "own": np.cumsum(own.lines["total"] * own.lines["discount_ratio"])[: months + 1],
        "before": (after - lumps)[: months + 1],
        "after": after[: months + 1],
    }


def last_month_cell(model: Model) -> tuple[int, int]:
    """Return row and column of the month in which the work ends, on the sheet of a model."""
    site = len(site_names("colocation")) if "lead_months" in model.scalars else 0
    row = FIRST_ROW + 1 + len(_names(model, "book.")) + site + list(model.scalars).index("last_month")
    return row, _side_column(model) + 1


def _side_column(model: Model) -> int:
    return FIRST_ITEM + len(model.lines) + 4


BREAK_EVEN = "Break-even"
USE_COLUMN = 10
USES = [step / 20 for step in range(1, 21)]
HAIR_SHARE = 1e-12
"""What counts as nothing saved, as a share of all that is paid; see `planner.costs.breakeven.crossings`."""


def write_break_even(book: PlanBook, sheet: Sheet, pair: Pair) -> None:
    """Write the saving by month, and the costs and the break-even rent by use.

    Parameters
    ----------
    book, sheet : PlanBook, Sheet
        Where to; ``break_even_month``, ``equal_share``, ``equal_usd_per_hour`` and ``saving_usd`` become names.
    pair : tuple of option
        The rent and the server.
    """
    rent, own = (book.costs[option["id"]] for option in pair)
    months, horizon = book.live.months, book.live.record["horizon_months"]
    rows = paid_rows(rent, own, months)
    note = "NPV. Below zero renting has been cheaper so far; a step is a purchase, a refresh or a sale."
    sheet.title("Where rent and purchase cost the same", note)
    heads = ["month", "rent, paid by then", "own, paid by then", "owning has saved, before steps", "and after them",
             "owning catches up in month", "month (chart)", "rent (chart)", "own (chart)"]  # fmt: skip
    sheet.heads(FIRST_ROW - 1, heads, numbers=range(1, len(heads)))
    last = FIRST_ROW + months
    hair_usd = HAIR_SHARE * float(np.abs(rent.lines["total"] - own.lines["total"]).sum())
    hair = f"{HAIR_SHARE:.0E}*SUMPRODUCT(ABS(rent_total_by_month-own_total_by_month))"
    sheet.put(2, 3, "treated as zero, USD", "soft")
    sheet.compute(2, 4, hair, hair_usd, "factor")
    book.define("hair_usd", sheet, 2, 4)
    for month in range(months + 1):
        _month(sheet, month, rows, horizon, hair_usd)
    _results(book, sheet, pair, last, crossing_month(rent, own))
    _by_use(book, sheet, pair)
    sheet.widths(9, *[15] * 5)
    # What the charts are drawn from has holes where they end: nothing to read.
    sheet.page.set_column(6, 8, 15, None, {"level": 1, "hidden": True})
    sheet.fade_beyond(FIRST_ROW, last, 8)
    sheet.page.set_column(9, 9, 3)
    sheet.page.set_column(USE_COLUMN, USE_COLUMN + 3, 24)
    last_use = FIRST_ROW + len(USES) - 1
    lines = {"rent": (USE_COLUMN, USE_COLUMN + 1), "own": (USE_COLUMN, USE_COLUMN + 2)}
    use_chart = _lines(book, sheet.name, lines, last_use)
    _dress(use_chart, "Cost over the time in use", "time needed", "NPV, USD", "#,##0", "0%")
    sheet.page.insert_chart(last_use + 4, USE_COLUMN, use_chart)
    equal_chart = _lines(book, sheet.name, {"rent at equal cost": (USE_COLUMN, USE_COLUMN + 3)}, last_use)
    title = "Above the line buy, below it rent"
    _dress(equal_chart, title, "time needed", "USD/h of one instance", "#,##0.00", "0%")
    sheet.page.insert_chart(last_use + 23, USE_COLUMN, equal_chart)
    sheet.set_up(freeze=(FIRST_ROW, 1), repeat=(FIRST_ROW - 1, FIRST_ROW - 1), pages_high=1)


def _month(sheet: Sheet, month: int, rows: Mapping[str, FloatArray], horizon: int, hair: float) -> None:
    row, at = FIRST_ROW + month, month + 1
    sheet.put(row, 0, month, "count")
    rent, own = f"INDEX(rent_paid_by_month,{at})", f"INDEX(own_paid_by_month,{at})"
    sheet.compute(row, 1, rent, float(rows["rent"][month]))
    sheet.compute(row, 2, own, float(rows["own"][month]))
    here = {c: str(xl_rowcol_to_cell(row, c)) for c in range(9)}
    steps = f"(INDEX(rent_lumps_by_month,{at})-INDEX(own_lumps_by_month,{at}))*INDEX(discount_ratio,{at})"
    sheet.compute(row, 4, f"{here[1]}-{here[2]}", float(rows["after"][month]))
    sheet.compute(row, 3, f"{here[4]}-{steps}", float(rows["before"][month]))
    if month:
        was = xl_rowcol_to_cell(row - 1, 4)
        inside = f"{here[0]}-1+MIN(MAX({was}/({was}-{here[3]}),0),1)"
        formula = (
            f"IF(AND({was}<-hair_usd,{here[3]}>=-hair_usd),{inside},"
            f'IF(AND({here[3]}<-hair_usd,{here[4]}>=-hair_usd),{here[0]},""))'
        )
        before, start, after = rows["before"][month], rows["after"][month - 1], rows["after"][month]
        value: float | str = ""
        if start < -hair <= before:
            value = month - 1 + min(max(start / (start - before), 0), 1)
        elif before < -hair <= after:
            value = month
        sheet.compute(row, 5, formula, value, "month")
    # A point without a value ends the chart at the horizon, on both axes.
    for column, source, value_now in (
        (6, 0, float(month)),
        (7, 1, float(rows["rent"][month])),
        (8, 2, float(rows["own"][month])),
    ):
        shown = value_now if month <= horizon else "#N/A"
        sheet.compute(row, column, f"IF({here[0]}<=horizon_months,{here[source]},NA())", shown, "usd")


def equal_figures(book: PlanBook, pair: Pair) -> tuple[float, float | str, float | str]:
    """Return the saving of owning, the share of use and the rent at which both cost the same, as the sheet has them."""
    rent, own = (book.costs[option["id"]] for option in pair)
    price, needed = book_values(pair[0])["book.price_usd_per_hour"], pair[1]["needed_share"]
    saving = rent.present_value_usd - own.present_value_usd
    slope = rent.present_value_of_usd(with_use=True) - own.present_value_of_usd(with_use=True)
    idle, per_share = saving - slope, slope / needed
    at = -idle / per_share if per_share else -1.0
    share: float | str = "never"
    if idle >= 0 and idle + per_share >= 0:
        share = 0.0
    elif per_share > 0 and 0 < at <= 1:
        share = at
    equal = break_even_price_usd_per_hour(rent, own, price, np.array([needed]), needed)[0]
    return saving, share, float(equal) if np.isfinite(equal) else "none"


def _results(book: PlanBook, sheet: Sheet, pair: Pair, last: int, month_now: float | None) -> None:
    """Write the answers above the table by use."""
    saving, share, equal = equal_figures(book, pair)
    ends, crossings = xl_rowcol_to_cell(last, 4), column_range(sheet.name, 5, FIRST_ROW + 1, last)
    month = f'IF({ends}<-hair_usd,"never",IF(COUNT({crossings})=0,0,MAX({crossings})))'
    idle, slope = "(rent_kept_usd-own_kept_usd)", "((rent_use_usd-own_use_usd)/needed_share)"
    at = f"IF({slope}=0,-1,-{idle}/{slope})"
    share_text = f'IF(AND({idle}>=0,{idle}+{slope}>=0),0,IF(AND({slope}>0,{at}>0,{at}<=1),{at},"never"))'
    rises = "(rent_price_kept_usd+rent_price_use_usd-own_price_kept_usd-own_price_use_usd)"
    equal_text = f'IF({rises}>0,MAX(rent_usd_per_hour*(1-saving_usd/{rises}),0),"none")'
    answers = (
        ("owning saves, NPV in USD", "saving_usd", ends, saving, "usd_bold"),
        ("owning pays off from month", "break_even_month", month, "never" if month_now is None else month_now, "month"),
        ("time in use at equal cost", "equal_share", share_text, share, "share"),
        ("rent at equal cost, USD/h", "equal_usd_per_hour", equal_text, equal, "price"),
    )
    for column, (words, name, formula, value, style) in enumerate(answers, USE_COLUMN):
        sheet.put(0, column, words, "head")
        sheet.compute(1, column, formula, value, style)
        book.define(name, sheet, 1, column)


def _by_use(book: PlanBook, sheet: Sheet, pair: Pair) -> None:
    rent, own = (book.costs[option["id"]] for option in pair)
    price, needed = book_values(pair[0])["book.price_usd_per_hour"], pair[1]["needed_share"]
    heads = ("time needed", "rent, NPV in USD", "own, NPV in USD", "rent at equal cost, USD/h")
    sheet.heads(FIRST_ROW - 1, heads, USE_COLUMN, numbers=range(1, 4))
    equal = break_even_price_usd_per_hour(rent, own, price, np.array(USES), needed)
    for row, (use, equal_price) in enumerate(zip(USES, equal, strict=True), FIRST_ROW):
        sheet.put(row, USE_COLUMN, use, "share")
        scale = f"*{in_row(row, USE_COLUMN)}/needed_share"
        for column, side, cost in ((1, "rent", rent), (2, "own", own)):
            value = cost.present_value_of_usd(with_use=False) + cost.present_value_of_usd(with_use=True) * use / needed
            sheet.compute(row, USE_COLUMN + column, f"{side}_kept_usd+{side}_use_usd{scale}", value)
        rises = f"(rent_price_kept_usd-own_price_kept_usd+(rent_price_use_usd-own_price_use_usd){scale})"
        saving = f"({xl_rowcol_to_cell(row, USE_COLUMN + 1)}-{xl_rowcol_to_cell(row, USE_COLUMN + 2)})"
        formula = f"IF({rises}>0,MAX(rent_usd_per_hour*(1-{saving}/{rises}),0),NA())"
        shown = float(equal_price) if np.isfinite(equal_price) else "#N/A"
        sheet.compute(row, USE_COLUMN + 3, formula, shown, "price")


def cost_chart(book: PlanBook) -> Chart:
    """Return the chart of what has been paid over time."""
    chart = _lines(book, BREAK_EVEN, {"rent": (6, 7), "own": (6, 8)}, FIRST_ROW + book.live.months)
    _dress(chart, "Cost so far (NPV)", "months from today", "USD", "#,##0")
    return chart


def _lines(book: PlanBook, sheet: str, lines: Mapping[str, tuple[int, int]], last: int) -> Chart:
    """Return a chart of lines by their names, each with the columns of its places and of its values."""
    chart = book.chart({"type": "scatter", "subtype": "straight"})
    for name, columns in lines.items():
        line = {"color": RENT_COLOR if name == "rent" else OWN_COLOR, "width": 2.25}
        chart.add_series({"name": name, **book.series(sheet, columns, (FIRST_ROW, last), line=line)})
    return chart


def _dress(chart: Chart, title: str, x: str, y: str, y_format: str, x_format: str = "0") -> None:
    chart.set_title({"name": title, "name_font": {"size": 12}})
    whole = {"max": 1} if x_format == "0%" else {}
    chart.set_x_axis({"name": x, "num_format": x_format, "min": 0, **whole, "major_gridlines": {"visible": False}})
    chart.set_y_axis(
        {"name": y, "num_format": y_format, "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}}
    )
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 620, "height": 340})
    chart.show_na_as_empty_cell()
    chart.show_hidden_data()
