"""The sheet that holds the best option of each sort side by side, and where the verdict turns; both as planned."""

from __future__ import annotations

from planner.report.live import runs_once
from planner.report.option_costs import range_usd, stated_usd
from planner.report.short import SORTS
from planner.report.values import Record
from planner.report.view import View
from planner.report.workbook.cells import Sheet, Value
from planner.words import how_paid

ALTERNATIVES = "Side by side"
_HEADS = (
    "sort", "option", "USD {per}", "USD {per}, 10th percentile", "USD {per}, 90th percentile", "NPV, USD",
    "capex, USD", "price of", "seller's tier", "not recommended, because",
)  # fmt: skip
STYLES = ("text", "wrap", "usd", "usd", "usd", "usd", "usd", "text", "text", "wrap")
WIDTHS = (26, 56, 14, 14, 14, 14, 14, 12, 10, 60)


def write_alternatives(sheet: Sheet, record: Record, view: View) -> None:
    """Write one row for each sort of option, with the reason where there is none."""
    note = f"As planned on {record['planned_on']}; percentiles of joint draws of prices, speed, demand and assumptions"
    sheet.title("The best of each sort", note)
    once = runs_once(record)
    sheet.heads(3, [head.format(per="for the run" if once else "a month") for head in _HEADS])
    row = 3
    by_id = {option["id"]: option for option in record["options"]}
    named = record["verdict"].get("alternatives") or {}  # a plan of an older program has none
    for name, label in SORTS.items():
        if name == "have" and not named.get(name):
            continue
        row += 1
        option = by_id.get(named.get(name) or "")
        values: tuple[Value, ...] = (label, "none")
        if option is None:
            values = (*values, *[None] * 7, (named.get("reason") or {}).get(name))
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
