"""The assumptions of the workbook: one row each, those that can be changed in color, with bounds."""

from __future__ import annotations

from dataclasses import asdict

from planner.assumptions import default_assumptions
from planner.costs.evaluate import WHOLE_MONTHS
from planner.report.live import priced_names
from planner.report.workbook.cells import PlanBook, Sheet, between

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
