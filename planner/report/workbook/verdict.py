"""The first sheet of the workbook: the verdict, and the few cells that most people want to change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from planner.report.figures import count
from planner.report.live import Live, Pair, binds, book_values, cost_inputs, crossing_month
from planner.report.option_words import heading
from planner.report.workbook.cells import PlanBook, Sheet, Value, between, cell_name, column_range, safe_reference
from planner.report.workbook.months import CALENDAR, OWN, RENT, cost_chart, equal_figures, last_month_cell
from planner.report.workbook.options import option_range, server_range

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord


VERDICT = "Verdict"
FIRST_INPUT = 7
LIST_COLUMNS = {"rent": 3, "own": 4}


def money_text(value: float) -> str:
    """Write money as the cells' own formula does."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}" if value >= 1 else f"{value:,.4f}"


def _money_formula(cell: str) -> str:
    # FIXED writes digits as the reader's own country does; TEXT would want its codes translated.
    return f"IF({cell}>=100,FIXED({cell},0),IF({cell}>=1,FIXED({cell},2),FIXED({cell},4)))"


def write_verdict(book: PlanBook, sheet: Sheet) -> None:
    """Write the verdict, the inputs, what the chosen pair comes to, and the plan as it was made."""
    record = book.live.record
    sheet.title("Rent or buy", record["title"])
    seen = record["provenance"]
    sheet.put(2, 0, f"Prices of {seen['oldest_price_on']} to {seen['newest_price_on']} ({seen['snapshot']})", "soft")
    row = _inputs(book, sheet)
    row = _choice(book, sheet, row + 2)
    row = _headline(book, sheet, row + 1)
    if book.pair is not None:
        row = _comparison(book, sheet, book.pair, row + 2)
        about = {"description": "What rent and purchase have cost by each month (NPV)."}
        sheet.page.insert_chart(FIRST_INPUT - 1, 3, cost_chart(book), about)
    row += 2
    sheet.put(row, 0, f"The plan as made on {record['planned_on']}", "section")
    for text in (record["verdict"]["headline"], *record["verdict"]["because"]):
        row += 1
        sheet.page.merge_range(row, 0, row, 7, "", sheet.formats["wrap"])
        sheet.put(row, 0, text, "wrap")
        sheet.page.set_row(row, 15 * (1 + len(text) // 190))
    sheet.widths(44, 54, 36, *[16] * 5)
    sheet.set_up(freeze=(2, 0), pages_high=1)


def _inputs(book: PlanBook, sheet: Sheet) -> int:
    """Write the cells to change, each with its name and its bounds; return the last row."""
    live, pair, labels = book.live, book.pair, book.labels
    row = FIRST_INPUT - 1
    sheet.put(row, 0, "What you can change (colored cells)", "section")
    sheet.put(row, 1, "", "section")
    sheet.put(row, 2, "", "section")

    def cell(
        words: str, name: str, value: Value, style: str, rule: dict[str, Any] | None = None, unit: str = ""
    ) -> None:
        nonlocal row
        row += 1
        sheet.put(row, 0, words)
        sheet.put(row, 1, value, style)
        sheet.put(row, 2, unit, "unit")
        book.define(name, sheet, row, 1)
        if rule is not None:
            sheet.allow(row, 1, rule)

    price = between(0, math.inf, "Give a price of 0 or more, or clear the cell.")
    needed = 1.0
    if pair is not None:
        rent, own = pair
        needed = own["needed_share"]
        lists = {
            "rent": [labels[o["id"]] for o in live.options if cost_inputs(o)["kind"] == "rent"],
            "own": [labels[o["id"]] for o in live.options if o["kind"] == "buy"],
        }
        cell("Rent to compare", "rent_option", labels[rent["id"]], "input_text", _listed(book, lists["rent"], "rent"))
        unit = "USD/h of one instance; empty: as listed"
        cell("Your price for this rent", "rent_own_price", None, "input", price, unit)
        cell("Server to compare", "own_option", labels[own["id"]], "input_text", _listed(book, lists["own"], "own"))
        cell("Your price for one server", "own_server_price", None, "input", price, "USD; empty: as listed")
    else:
        for name in ("rent_option", "rent_own_price", "own_option", "own_server_price"):
            book.define_name(name, '""')
    if pair is not None and not live.once:
        rule = between(0.001, 1, "Give a share of the time above 0 %, at most 100 %.")
        cell("Time in use", "needed_share", needed, "input_share", rule, "of all hours")
    horizon = live.record["horizon_months"]
    rule = between(1, live.months, f"Give whole months from 1 to {live.months}.", "integer")
    cell("Horizon", "horizon_months", horizon, "input", rule, f"months, at most {live.months}")
    row += 1
    sheet.page.write_url(
        row,
        0,
        f"internal:'{book.title('Assumptions')}'!A1",
        sheet.formats["soft"],
        "Electricity, resale, staff and everything else: sheet Assumptions",
    )
    if pair is None or live.once:
        book.define_name("use_ratio", "1")
        book.define_name("needed_share", f"{needed!r}")
    else:
        row += 1
        sheet.put(row, 0, "use, as a multiple of the plan", "soft")
        sheet.compute(row, 1, f"needed_share/{needed!r}", 1.0, "number")
        book.define("use_ratio", sheet, row, 1)
    return row


def _listed(book: PlanBook, texts: Sequence[str], key: str) -> dict[str, Any]:
    """Write the choices beside the calendar, and return the rule of a cell that takes one of them."""
    page = book.file.get_worksheet_by_name(book.title(CALENDAR))
    assert page is not None
    column = LIST_COLUMNS[key]
    page.write_string(3, column, f"choices: {key}", book.formats["head"])
    for i, text in enumerate(texts):
        page.write_string(4 + i, column, text, book.formats["text"])
    page.set_column(column, column, 50)
    return {
        "validate": "list",
        "source": book.here(f"={column_range(CALENDAR, column, 4, 3 + len(texts))}"),
        "error_title": "Not in the list",
        "error_message": "Choose one from the list.",
    }


def _choice(book: PlanBook, sheet: Sheet, row: int) -> int:
    """Write the best of each sort that `planner.verdict.choice` weighs: what binds for long has to be cheaper by a margin."""
    live, costs = book.live, book.costs
    sheet.put(row, 0, "Recommendation", "section")
    sheet.put(row, 1, "NPV, USD", "section_right")
    sheet.put(row, 2, "row on its sheet", "section_right")
    eligible = [o for o in live.options if live.is_eligible(o, live.planned)]
    others = [o for o in live.options if o["kind"] != "buy"]
    servers = [o for o in live.options if o["kind"] == "buy"]
    sides = {
        "free": (
            "cheapest that binds for a year at most",
            others,
            [o for o in others if not binds(o)],
            option_range(book, "free_usd"),
        ),
        "bound": (
            "cheapest that binds for longer (has to be cheaper by verdict_buy_margin_share)",
            others,
            [o for o in others if binds(o)],
            option_range(book, "bound_usd"),
        ),
        "hosted": (
            "cheapest hosted API (before a rent that saves less than verdict_trivial_usd)",
            others,
            [o for o in others if o["kind"] == "api"],
            option_range(book, "hosted_usd"),
        ),
        "owned": ("cheapest server (the same margin)", servers, servers, server_range(book, "running_usd")),
    }
    sides = {key: side for key, side in sides.items() if side[2] or key in {"free", "owned"}}
    for key, (words, options, allowed, running) in sides.items():
        row += 1
        mine = [o for o in allowed if o in eligible]
        best = min(mine, key=lambda o: round(costs[o["id"]].present_value_usd, 2), default=None)
        sheet.put(row, 0, words)
        if not options:
            sheet.put(row, 1, "none")
            sheet.put(row, 2, 0, "count")
        else:
            value = costs[best["id"]].present_value_usd if best else "none"
            sheet.compute(row, 1, f'IF(COUNT({running})=0,"none",MIN({running}))', value)
            where = 1 + options.index(best) if best else 0
            sheet.compute(row, 2, f"IF(COUNT({running})=0,0,MATCH(MIN({running}),{running},0))", where, "count")
        book.define(f"best_{key}_usd", sheet, row, 1)
        book.define(f"best_{key}_row", sheet, row, 2)
    return row


def _headline(book: PlanBook, sheet: Sheet, row: int) -> int:
    """Write the verdict as a sentence that follows the inputs; return the last row."""
    live, costs = book.live, book.costs
    chosen = live.by_id[live.choice(costs)]
    others = [option for option in live.options if option["kind"] != "buy"]
    row_taken, usd_taken, buy = "best_free_row", "N(best_free_usd)", _is_worth("owned", pays_off=_pays_off(book))
    if any(map(binds, others)):
        commit = _is_worth("bound")
        row_taken, usd_taken = (
            f"IF({commit},best_bound_{key},{free})" for key, free in (("row", row_taken), ("usd", usd_taken))
        )
        buy = f"AND({buy},OR(NOT({commit}),best_owned_usd<N(best_bound_usd)))"
    if any(option["kind"] == "api" for option in others):
        kind = f"INDEX({option_range(book, 'kind')},MAX({row_taken},1))"
        is_trivial = f"best_hosted_usd<{usd_taken}+verdict_trivial_usd"
        row_taken = f'IF(AND(ISNUMBER(best_hosted_usd),OR({kind}="rent",{kind}="cpu"),{is_trivial}),best_hosted_row,{row_taken})'
    figure = "total_usd" if live.once else "usd_per_month"

    def taken(key: str) -> str:
        rest = f"INDEX({option_range(book, key)},MAX({row_taken},1))"
        if not book.last_server:
            return rest
        return f"IF({buy},INDEX({server_range(book, key)},MAX(best_owned_row,1)),{rest})"

    cost = costs[chosen["id"]]
    amount = cost.total_usd if live.once else cost.usd_per_month
    sheet.put(row, 0, "the verdict")
    sheet.compute(row, 1, taken("words"), heading(chosen), "wrap")
    book.define("verdict_words", sheet, row, 1)
    sheet.page.set_row(row, 15 * (1 + len(heading(chosen)) // 54))
    row += 1
    # Words and figure stand in cells of their own, so that the sentence stays short enough to read.
    sheet.put(row, 0, f"the verdict, {'USD for the run' if live.once else 'USD a month'}")
    sheet.compute(row, 1, taken(figure), amount, "usd_bold")
    book.define("verdict_usd", sheet, row, 1)
    is_mean = any(option["cost"].get("stages") for option in live.options)
    unit = "USD for the run" if live.once else f"USD a month{' on average' if is_mean else ''}"
    row += 1
    sheet.put(row, 0, "the verdict, NPV in USD")
    sheet.compute(row, 1, taken("usd_today"), cost.present_value_usd)
    book.define("verdict_usd_today", sheet, row, 1)
    text = f'verdict_words&", for "&{_money_formula("verdict_usd")}&" {unit}."'
    sheet.page.merge_range(3, 0, 3, 7, "", sheet.formats["verdict"])
    sheet.compute(3, 0, text, f"{heading(chosen)}, for {money_text(amount)} {unit}.", "verdict")
    sheet.page.set_row(3, 24)
    book.define("verdict", sheet, 3, 0)
    return row


def _is_worth(key: str, *, pays_off: str = "") -> str:
    """Return whether what binds is taken before the cheapest that does not, as `planner.verdict.choice` has it."""
    margin = f"best_{key}_usd<N(best_free_usd)*(1-verdict_buy_margin_share)"
    cheaper = f"AND({margin},{pays_off})" if pays_off else margin
    return f"AND(ISNUMBER(best_{key}_usd),OR(NOT(ISNUMBER(best_free_usd)),{cheaper}))"


def _pays_off(book: PlanBook) -> str:
    """Return whether the best server pays off in time, where it is the one whose months the workbook has."""
    if book.pair is None or book.live.once:
        return ""
    server = f"INDEX({server_range(book, 'label')},MAX(best_owned_row,1))"
    in_time = "break_even_month<=horizon_months*(1-verdict_last_months_share)"
    return f"OR({server}<>own_option,AND(ISNUMBER(break_even_month),{in_time}))"


def _comparison(book: PlanBook, sheet: Sheet, pair: Pair, row: int) -> int:
    """Write the chosen rent against the chosen server, in figures and in a sentence."""
    live = book.live
    rent, own = (book.costs[option["id"]] for option in pair)
    saving, share, equal = equal_figures(book, pair)
    month = crossing_month(rent, own)
    for column, text in enumerate(("The two compared", "rent", "own")):
        sheet.put(row, column, text, "section_right" if column else "section")
    if live.once:
        per = "USD for the run"
        sums = ("SUM(rent_total_by_month)", rent.total_usd), ("SUM(own_total_by_month)", own.total_usd)
    else:
        per = "USD a month, on average"
        sums = (
            (f"SUM(rent_total_by_month)/{_last(RENT, live, pair[0])}", rent.usd_per_month),
            (f"SUM(own_total_by_month)/{_last(OWN, live, pair[1])}", own.usd_per_month),
        )
    rows: list[tuple[str, tuple[str, float | str] | None, tuple[str, float | str] | None, str]] = [
        (per, *sums, "usd"),
        (
            "NPV over the horizon, USD",
            ("SUMPRODUCT(rent_total_by_month*discount_ratio)", rent.present_value_usd),
            ("SUMPRODUCT(own_total_by_month*discount_ratio)", own.present_value_usd),
            "usd",
        ),
        (
            "rent of one instance, USD/h",
            ("rent_usd_per_hour", book_values(pair[0])["book.price_usd_per_hour"]),
            None,
            "price",
        ),
        ("owning saves, NPV in USD", None, ("saving_usd", saving), "usd_bold"),
        ("owning pays off from month", None, ("break_even_month", "never" if month is None else month), "month"),
        ("break-even utilization", None, ("equal_share", share), "share"),
        ("break-even rent, USD/h", ("equal_usd_per_hour", equal), None, "price"),
    ]
    for words, left, right, style in rows:
        row += 1
        sheet.put(row, 0, words)
        for column, cell in ((1, left), (2, right)):
            if cell is not None:
                sheet.compute(row, column, *cell, style)
    sentence = (
        '"Owning "&own_option&IF(ISNUMBER(break_even_month)," pays off from month "&FIXED(break_even_month,1)&" on",'
        '" does not pay off")&" against "&rent_option&" within "&horizon_months&" months."'
    )
    rent_label, own_label = (book.labels[option["id"]] for option in pair)
    paid = f" pays off from month {month:,.1f} on" if month is not None else " does not pay off"
    said = f"Owning {own_label}{paid} against {rent_label} within {count(live.record['horizon_months'])} months."
    sheet.page.merge_range(4, 0, 4, 7, "", sheet.formats["wrap"])
    sheet.compute(4, 0, sentence, said, "wrap")
    sheet.page.set_row(4, 18)
    return row


def _last(sheet: str, live: Live, option: OptionRecord) -> str:
    """Return the cell of the month in which the work ends."""
    return safe_reference(sheet, cell_name(*last_month_cell(live.model(option))))
