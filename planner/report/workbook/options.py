"""The options of the workbook: one row each, worked out by formulas over the months."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING

from planner.costs.expression import Expr, number, substituted
from planner.costs.formulas import COLOCATION, Model, buy_model, site_names
from planner.report.live import binds, book_values, bridge_id_of, site_of
from planner.report.option_words import heading, label
from planner.report.workbook.cells import FIRST_ROW, PlanBook, Sheet, column_range, in_row

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord, UnitKey


OPTIONS, SERVERS = "Options", "Servers"
FIXED_FACTS = {
    "book.term_months", "book.minimum_hours", "book.weekly_above_hours", "book.paid_in_advance", "book.overhead_ratio",
    "book.interruptible", "book.first_months", "book.first_usd_per_hour", "book.credit_usd", "book.credit_months",
}  # fmt: skip
"""Facts of an offer that nobody changes: they are put into its formula, so that it says nothing of what it has not."""

INCLUDE = {"validate": "list", "source": ["yes", "no"], "error_title": "yes or no", "error_message": "Type yes or no."}
"""What strikes an option out: the verdict then takes another one."""

Columns = dict[str, int]

OPTION_HEADS = {
    "rank": "#", "label": "option", "kind": "kind", "eligible": "can be recommended", "included": "include? (yes or no)",
    "book.price_usd_per_hour": "USD/h of one instance", "usd_per_month": "USD a month", "usd_today": "NPV, USD",
    "usd_per_unit": "USD per unit", "utilisation_share": "busy share of paid hours", "priced_on": "priced on", "source": "source",
    "why_not": "not recommended, because", "listed_usd_per_hour": "listed USD/h", "book.instance_count": "instances",
    "book.hours_per_month": "hours on a month", "book.run_hours": "hours of the run", "book.upfront_usd": "upfront USD of one",
    "book.term_months": "term months", "book.minimum_hours": "shortest hours sold", "book.weekly_above_hours": "by weeks above hours",
    "book.paid_in_advance": "paid in advance", "book.overhead_ratio": "spot overhead", "book.interruptible": "spot",
    "book.first_months": "first months at another price", "book.first_usd_per_hour": "USD/h in these", "book.credit_usd": "credit USD",
    "book.credit_months": "months of the credit", "book.usd_per_month": "tokens USD a month", "book.run_usd": "tokens USD for the run",
    "last_month": "works until month", "stored_ratio": "storage kept", "hourly_unsnapped": "USD/h after upfront",
    "monthly_usd": "commitment USD a month", "used_usd": "hours used, USD a month", "total_usd": "USD, plain sum",
    "running_usd": "NPV if included", "hosted_usd": "NPV if hosted and included",
    "free_usd": "NPV if it binds for a year at most", "bound_usd": "NPV if it binds for longer", "words": "in words",
}  # fmt: skip
SERVER_HEADS = {
    "rank": "#", "label": "server", "site": "site", "eligible": "can be recommended", "included": "include? (yes or no)",
    "book.server_price_usd": "USD for one server", "usd_per_month": "USD a month", "usd_today": "NPV, USD", "priced_on": "priced on",
    "source": "source", "why_not": "not recommended, because", "listed_usd": "listed USD", "book.server_max_kw": "highest kW of one",
    "book.accelerator_count": "accelerators in one", "book.server_count": "servers", "book.hours_per_month": "hours on a month",
    "book.run_hours": "hours of the run", "book.busy_ratio": "busy of hours on", "bridge_option": "rented until delivery",
    "book.bridge_usd_per_hour": "USD/h until delivery", "last_month": "works until month", "lead_months": "delivered after months",
    "servers_usd": "servers USD", "network_usd": "network USD", "hardware_usd": "hardware USD", "power_kw": "power kW",
    "colocation_usd_per_month": "space USD a month", "staff_fte": "staff", "refresh_count": "replacements",
    "last_bought_month": "last bought in month", "resale_share_at_replacement": "resale at replacement",
    "resale_share_at_end": "resale at the end", "total_usd": "USD, plain sum", "running_usd": "NPV if included", "words": "in words",
}  # fmt: skip
OPTION_COLUMNS: Columns = {key: column for column, key in enumerate(OPTION_HEADS)}
SERVER_COLUMNS: Columns = {key: column for column, key in enumerate(SERVER_HEADS)}


def labels_of(options: Sequence[OptionRecord]) -> dict[str, str]:
    """Return a text for each option's id that no other option has."""
    labels: dict[str, str] = {}
    for option in options:
        text = label(option)
        numbered = (f"{text} ({number})" for number in count(2))
        taken = set(labels.values())
        labels[option["id"]] = next(unique for unique in chain([text], numbered) if unique not in taken)
    return labels


def month_total(model: Model, facts: Mapping[str, Expr | float]) -> Expr:
    """Return all items of a month in one formula, with an option's facts put in their places."""
    return sum((substituted(line, facts) for line in model.lines.values()), start=number(0.0))


def write_options(book: PlanBook, sheet: Sheet, unit: tuple[UnitKey, str]) -> None:
    """Write the options that are not owned.

    Parameters
    ----------
    book, sheet : PlanBook, Sheet
        Where to; the book gets the last row.
    unit : tuple of str
        Key of the cost of a unit of this work, and how the unit is called.
    """
    live, columns = book.live, OPTION_COLUMNS
    options = [option for option in live.options if option["kind"] != "buy"]
    _head(sheet, "Options that are not bought", {**OPTION_HEADS, "usd_per_unit": f"USD per {unit[1]}"}.values())
    for row, option in _rows(book, sheet, columns, options):
        local = _local(row, columns)
        sheet.put(row, columns["kind"], option["kind"])
        sheet.put(row, columns["utilisation_share"], option["utilisation_share"], "share")
        sheet.put(row, columns["eligible"], int(live.is_eligible(option, live.planned)), "yes_no")
        values = book_values(option)
        for key, value in values.items():
            if key in columns and key != "book.price_usd_per_hour":
                sheet.put(row, columns[key], value, "number")
        if "book.price_usd_per_hour" in values:
            price = values["book.price_usd_per_hour"]
            sheet.put(row, columns["listed_usd_per_hour"], price, "price")
            mine = f"IF(AND({local['label']}=rent_option,ISNUMBER(rent_own_price)),rent_own_price,{local['listed_usd_per_hour']})"
            sheet.compute(row, columns["book.price_usd_per_hour"], mine, price, "price")
        facts: dict[str, Expr | float] = {key: value for key, value in values.items() if key in FIXED_FACTS}
        if values.get("book.upfront_usd") == 0:
            facts["book.upfront_usd"] = 0.0
        _figures(book, sheet, row, columns, option, facts, local)
        _unit_cost(book, sheet, row, option, unit[0], local["total_usd"])
        is_eligible = live.is_eligible(option, live.planned)
        usd = round(book.costs[option["id"]].present_value_usd, 2) if is_eligible else ""
        # To the cent: of options that cost the same but for rounding the first is taken, as in the plan.
        cents = f'IF(ISNUMBER({local["running_usd"]}),ROUND({local["running_usd"]},2),"")'
        sorts = {"hosted_usd": option["kind"] == "api", "free_usd": not binds(option), "bound_usd": binds(option)}
        for key, is_of_it in sorts.items():
            sheet.compute(row, columns[key], cents if is_of_it else '""', usd if is_of_it else "", "usd")
    book.last_option = FIRST_ROW + len(options) - 1
    _shape(sheet, columns, book.last_option, label_width=72, first_hidden="listed_usd_per_hour")


def _unit_cost(book: PlanBook, sheet: Sheet, row: int, option: OptionRecord, key: UnitKey, total_cell: str) -> None:
    """Write the cost of a unit: as planned, moved as the bill moves against the work done."""
    planned, total_usd = option["cost"][key], book.costs[option["id"]].total_usd
    column = OPTION_COLUMNS["usd_per_unit"]
    if planned is None or not total_usd:
        sheet.put(row, column, planned, "price")
        return
    work = "" if book.live.once else f"/use_ratio*{book.live.record['horizon_months']}/horizon_months"
    # Kept as a ratio of two cells' worth of digits, so that the value of now is the plan's own.
    sheet.compute(row, column, f"{planned!r}*{total_cell}/{total_usd!r}{work}", planned, "price")


def write_servers(book: PlanBook, sheet: Sheet) -> None:
    """Write the options that are owned; the book gets the last row."""
    live = book.live
    further = [key for key in buy_model(once=live.once, financing=live.financing).scalars if key not in SERVER_COLUMNS]
    columns = SERVER_COLUMNS | {key: len(SERVER_COLUMNS) + i for i, key in enumerate(further)}
    servers = [option for option in live.options if option["kind"] == "buy"]
    _head(sheet, "Servers that can be bought", (*SERVER_HEADS.values(), *(key.replace("_", " ") for key in further)))
    for row, option in _rows(book, sheet, columns, servers):
        site = site_of(option)
        local = _local(row, columns)
        local |= {name: assumption.replace(".", "_") for name, assumption in site_names(site).items()}
        sheet.put(row, columns["site"], site)
        values = book_values(option)
        for key, value in values.items():
            if key in columns and key not in {"book.server_price_usd", "book.bridge_usd_per_hour"}:
                sheet.put(row, columns[key], value, "number")
        listed = values.get("book.bridge_usd_per_hour", 0.0)
        bridge = live.by_id.get(bridge_id_of(option))
        if bridge is not None and bridge["price_usd_per_hour"]:
            own_ratio = f"rent_own_price/{bridge['price_usd_per_hour']!r}"
            sheet.put(row, columns["bridge_option"], book.labels[bridge["id"]])
            is_priced = f"AND(rent_option={local['bridge_option']},ISNUMBER(rent_own_price))"
            text = f"{listed!r}*IF({is_priced},{own_ratio},1)"
            sheet.compute(row, columns["book.bridge_usd_per_hour"], text, listed, "number")
        else:
            sheet.put(row, columns["book.bridge_usd_per_hour"], listed, "number")
        price = values["book.server_price_usd"]
        sheet.put(row, columns["listed_usd"], price, "usd")
        mine = f"IF(AND({local['label']}=own_option,ISNUMBER(own_server_price)),own_server_price,{local['listed_usd']})"
        sheet.compute(row, columns["book.server_price_usd"], mine, price, "usd")
        # A late delivery is the one reason against a server that inputs can change.
        arrives = "1" if live.once else f"IF(own_lead_time_months<{local['last_month']},1,0)"
        is_eligible = int(live.is_eligible(option, live.planned))
        formula = arrives if live.may_be_eligible(option) else "0"
        sheet.compute(row, columns["eligible"], formula, is_eligible, "yes_no")
        absent: dict[str, Expr | float] = {} if site == "colocation" else {f"site.{key}": 0.0 for key in COLOCATION}
        _figures(book, sheet, row, columns, option, absent, local)
    book.last_server = FIRST_ROW + len(servers) - 1
    _shape(sheet, columns, book.last_server, label_width=50, first_hidden="listed_usd")


def _local(row: int, columns: Columns) -> dict[str, str]:
    """Return what stands for the names of a row's formulas."""
    return {key: in_row(row, column) for key, column in columns.items()} | {"month": "month_no"}


def _figures(
    book: PlanBook,
    sheet: Sheet,
    row: int,
    columns: Columns,
    option: OptionRecord,
    facts: Mapping[str, Expr | float],
    local: Mapping[str, str],
) -> None:
    """Write what a row comes to: what its months are made from, the plain sum, the mean month, the NPV."""
    cost, model = book.costs[option["id"]], book.live.model(option)
    for key, expr in model.scalars.items():
        text = book.text(substituted(expr, facts), local)
        sheet.compute(row, columns[key], text, float(cost.lines[key]), "number")
    formula = book.text(month_total(model, facts), local, over_months=True)
    # SUMPRODUCT of one plain number would not repeat it for each month.
    sheet.compute(row, columns["total_usd"], f"SUMPRODUCT(({formula})*(month_no>=0))", cost.total_usd, "cents")
    sheet.compute(row, columns["usd_per_month"], f"{local['total_usd']}/{local['last_month']}", cost.usd_per_month)
    sheet.compute(row, columns["usd_today"], f"SUMPRODUCT(({formula})*discount_ratio)", cost.present_value_usd)
    # An empty text is not a number: MIN passes it over.
    chosen = f'IF(AND({local["eligible"]}=1,{local["included"]}<>"no"),{local["usd_today"]},"")'
    is_eligible = book.live.is_eligible(option, book.live.planned)
    sheet.compute(row, columns["running_usd"], chosen, cost.present_value_usd if is_eligible else "", "usd")
    sheet.put(row, columns["words"], heading(option))


def _head(sheet: Sheet, title: str, heads: Iterable[str]) -> None:
    sheet.title(
        title,
        "Every figure in USD is a formula: it follows the inputs. Type no under include to strike out an option or a seller. The numbers behind the figures are to the right (+ above).",
    )
    sheet.heads(FIRST_ROW - 1, list(heads))


def _rows(
    book: PlanBook, sheet: Sheet, columns: Columns, options: Iterable[OptionRecord]
) -> Iterator[tuple[int, OptionRecord]]:
    """Yield each option with its row, in which stands what options and servers have in common."""
    ranks = {option["id"]: i for i, option in enumerate(book.live.record["options"], 1)}
    for row, option in enumerate(options, FIRST_ROW):
        sheet.put(row, columns["rank"], ranks[option["id"]], "count")
        sheet.put(row, columns["label"], book.labels[option["id"]], "indented")
        sheet.put(row, columns["included"], "yes", "input_text")
        sheet.allow(row, columns["included"], INCLUDE)
        sheet.put(row, columns["priced_on"], option["priced_on"], "indented")
        sheet.put(row, columns["source"], option["source"], "soft")
        sheet.put(row, columns["why_not"], option["reason_not_chosen"], "soft")
        yield row, option


def _shape(sheet: Sheet, columns: Columns, last: int, *, label_width: int, first_hidden: str) -> None:
    widths = {"rank": 6, "label": label_width, "source": 40, "why_not": 40}
    for key, column in columns.items():
        folded = {"level": 1, "hidden": True} if column >= columns[first_hidden] else {}
        sheet.page.set_column(column, column, widths.get(key, 13), None, folded)
    sheet.page.set_column(len(columns), len(columns), 3, None, {"collapsed": True})
    sheet.page.autofilter(FIRST_ROW - 1, 0, last, columns[first_hidden] - 1)
    sheet.page.print_area(0, 0, last, columns["priced_on"])  # sources would make the print too small to read
    sheet.set_up(freeze=(FIRST_ROW, 2), repeat=(FIRST_ROW - 1, FIRST_ROW - 1))


def option_range(book: PlanBook, key: str) -> str:
    """Return a column of the options."""
    return column_range(OPTIONS, OPTION_COLUMNS[key], FIRST_ROW, book.last_option)


def server_range(book: PlanBook, key: str) -> str:
    """Return a column of the servers."""
    return column_range(SERVERS, SERVER_COLUMNS[key], FIRST_ROW, book.last_server)
