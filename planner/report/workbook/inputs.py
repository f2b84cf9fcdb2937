"""The assumptions of the workbook: one row each, those that can be changed in color, with bounds."""

from __future__ import annotations

from planner.assumptions import default_assumptions
from planner.costs.evaluate import WHOLE_MONTHS
from planner.report.live import Live, priced_names
from planner.report.workbook.cells import Book, Sheet, between

ASSUMPTIONS = "Assumptions"


def write_assumptions(book: Book, sheet: Sheet, live: Live) -> None:
    """Write every assumption, and give each that the formulas use a name.

    Parameters
    ----------
    book : Book
        Gets the names.
    sheet : Sheet
        Where to.
    live : Live
        The plan.
    """
    record, known = live.record, default_assumptions().rows
    stated = {row["name"]: row for row in record["assumptions"]}
    changeable = [name for name in priced_names(live.financing) if name in known]
    sheet.title(
        "Assumptions",
        "Colored cells can be changed: every figure of this workbook follows. The others went into the sizing of the machines; "
        "change those with gpuplan plan --set NAME=VALUE.",
    )
    sheet.heads(3, ["assumption", "value", "unit", "low", "high", "", "as of", "source", "name for formulas"])
    row = 4
    for name in [*changeable, *sorted(set(stated) - set(changeable))]:
        assumption = known.get(name)
        line = stated.get(name)
        value = live.assumptions[name]
        is_live = name in changeable
        sheet.put(row, 0, name)
        sheet.put(row, 1, value, "input" if is_live else "number")
        sheet.put(row, 2, line["unit"] if line else assumption.unit if assumption else "", "unit")
        if line and line["low"] != line["high"]:
            sheet.put(row, 3, line["low"], "number")
            sheet.put(row, 4, line["high"], "number")
        overridden, weak = (
            bool(line and line["overridden"]),
            bool(line["weak"] if line else assumption and assumption.weak),
        )
        sheet.put(row, 5, "set by you" if overridden else "weak" if weak else "", "unit")
        sheet.put(row, 6, line["as_of"] if line else assumption.as_of if assumption else "", "soft")
        sheet.put(row, 7, line["source"] if line else assumption.source if assumption else "", "soft")
        if is_live and assumption is not None:
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
