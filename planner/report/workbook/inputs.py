"""The assumptions of the workbook: one row each, those that can be changed in colour, with bounds."""

from __future__ import annotations

from planner.assumptions import default_assumptions
from planner.costs.evaluate import WHOLE_MONTHS
from planner.report.live import Live, priced_names
from planner.report.workbook.cells import Book, Sheet

ASSUMPTIONS = "Assumptions"
UNBOUNDED = 1e12
"""Stands for a bound that does not exist; a spreadsheet's validation wants a number."""


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
    sheet.put(0, 0, "Assumptions", "title")
    sheet.put(
        1,
        0,
        "Colored cells can be changed: every figure of this workbook follows. The others went into the sizing of the machines; "
        "change those with gpuplan plan --set NAME=VALUE.",
        "soft",
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
            least, most = max(assumption.least, -UNBOUNDED), min(assumption.most, UNBOUNDED)
            sheet.page.data_validation(
                row,
                1,
                row,
                1,
                {
                    "validate": "integer" if name in WHOLE_MONTHS else "decimal",
                    "criteria": "between",
                    "minimum": least,
                    "maximum": most,
                    "input_title": name[:32],
                    "input_message": f"{least:g} to {most:g} {assumption.unit}"[:255],
                    "error_title": "Out of bounds",
                    "error_message": f"Give a number from {least:g} to {most:g}.",
                },
            )
        row += 1
    for column, width in enumerate((42, 14, 16, 10, 10, 11, 12, 70, 42)):
        sheet.page.set_column(column, column, width)
    sheet.page.autofilter(3, 0, row - 1, 8)
    sheet.set_up(freeze=(4, 1), repeat=(3, 3))
