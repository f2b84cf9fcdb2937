"""Cells of the workbook: formats, names, and text that never becomes a formula."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from xlsxwriter.chart import Chart
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from planner.costs.expression import Expr
from planner.report.formulas import spreadsheet
from planner.report.live import Cost, Live, Pair

Value: TypeAlias = "str | float | int | bool | None"
Format: TypeAlias = Any

SOFT, FILL, LINE = "#55606C", "#E9EEF4", "#C9D1DA"
INPUT_FILL, INPUT_INK = "#FFF2CC", "#1F3FBF"
SECTION: dict[str, Any] = {"bold": True, "font_size": 12, "bottom": 1, "bottom_color": LINE}
HEAD: dict[str, Any] = {
    "bold": True,
    "bg_color": FILL,
    "text_wrap": True,
    "valign": "top",
    "bottom": 1,
    "bottom_color": LINE,
}
INPUT: dict[str, Any] = {"bg_color": INPUT_FILL, "font_color": INPUT_INK, "border": 1, "border_color": LINE}
FORMATS: dict[str, dict[str, Any]] = {
    "text": {},
    "wrap": {"text_wrap": True, "valign": "top"},
    "soft": {"font_color": SOFT},
    "soft_wrap": {"font_color": SOFT, "text_wrap": True, "valign": "top"},
    "title": {"bold": True, "font_size": 16},
    "verdict": {"bold": True, "font_size": 14, "text_wrap": True, "valign": "top"},
    "section_right": SECTION | {"align": "right"},
    "section": SECTION,
    "head": HEAD,
    "head_right": HEAD | {"align": "right"},
    "usd": {"num_format": "#,##0;[Red]-#,##0", "align": "right"},
    "usd_bold": {"num_format": "#,##0;[Red]-#,##0", "bold": True, "align": "right"},
    "cents": {"num_format": '#,##0.00;[Red]-#,##0.00;"-"', "align": "right"},
    "price": {"num_format": "[<1]0.0000;#,##0.00", "align": "right"},
    "money": {"num_format": "[<100]#,##0.00;#,##0", "align": "right"},
    "unit": {"font_color": SOFT, "align": "left", "indent": 1},
    "indented": {"align": "left", "indent": 1},
    "yes_no": {"num_format": '[=1]"yes";"no"', "align": "right"},
    "beyond": {"font_color": "#A7B0BA"},
    "input_end": INPUT | {"num_format": "#,##0.####"},
    "number": {"num_format": "#,##0.####"},
    "count": {"num_format": "#,##0"},
    "share": {"num_format": "0.0%", "align": "right"},
    "month": {"num_format": "0.0", "align": "right"},
    "factor": {"num_format": "0.000000"},
    "total": {"bold": True, "top": 1},
    "total_usd": {"num_format": "[<100]#,##0.00;#,##0", "bold": True, "top": 1, "align": "right"},
    "link": {"font_color": "#1F5F99", "underline": 1, "align": "left", "valign": "top"},
    "input": INPUT | {"num_format": "#,##0.######"},
    "input_share": INPUT | {"num_format": "0.0%"},
    "input_text": INPUT,
}  # fmt: skip


def cell_name(row: int, column: int) -> str:
    """Return a cell with a fixed row and column, such as ``$C$5``."""
    return str(xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True))


def in_row(row: int, column: int) -> str:
    """Return a cell with a fixed column, such as ``$C5``."""
    return str(xl_rowcol_to_cell(row, column, col_abs=True))


def safe_reference(sheet: str, cell: str) -> str:
    """Return a cell of a named sheet."""
    return f"'{sheet}'!{cell}"


def column_range(sheet: str, column: int, first_row: int, last_row: int) -> str:
    """Return part of a column of a named sheet."""
    name = xl_col_to_name(column)
    return safe_reference(sheet, f"${name}${first_row + 1}:${name}${last_row + 1}")


TITLE_HEIGHT = 30
FIRST_ROW = 4
"""Of what a sheet lists, below its title, a note and the headings."""
PARTS_OF_A_FORMULA = re.compile(r"""("(?:[^"]|"")*")|'((?:[^']|'')*)'!|([a-z][a-z0-9_]*)""")
"""A text, the name of a sheet, a defined name; functions and cells are in capitals."""


def formula_of_plan(formula: str, number: int) -> str:
    r"""Return a formula as it stands in a workbook of several plans: sheets and names carry the number of their plan.

    Parameters
    ----------
    formula : str
        As in a workbook of one plan.
    number : int
        Of the plan; 0 where it is the only one.

    Examples
    --------
    >>> formula_of_plan("IF(SUM('Options'!$A$5)>horizon_months,\"per month\",0)", 2)
    'IF(SUM(\'2 Options\'!$A$5)>work2_horizon_months,"per month",0)'
    """

    def numbered(part: re.Match[str]) -> str:
        text, sheet, name = part.groups()
        if text is not None:
            return str(text)
        return f"'{number} {sheet}'!" if sheet is not None else f"work{number}_{name}"

    return PARTS_OF_A_FORMULA.sub(numbered, formula) if number else formula


UNBOUNDED = 1e12
"""Stands for a bound that does not exist; a spreadsheet's validation wants a number."""


def between(least: float, most: float, message: str, validate: str = "decimal", **more: Any) -> dict[str, Any]:
    """Return the rule of a cell that takes the numbers of a range."""
    bounds = {"minimum": max(least, -UNBOUNDED), "maximum": min(most, UNBOUNDED)}
    error = {"error_title": "Out of bounds", "error_message": message}
    return {"validate": validate, "criteria": "between", **bounds, **error, **more}


@dataclass(slots=True)
class Sheet:
    """A sheet that is written cell by cell; every formula brings the value that it has when the file is made.

    Attributes
    ----------
    name : str
        As the formulas of one plan call it.
    page : Worksheet
        XlsxWriter's own.
    formats : mapping of str to Format
        By the keys of `FORMATS`.
    number : int
        Of the plan that it belongs to; see `formula_of_plan`.
    """

    name: str
    page: Worksheet
    formats: Mapping[str, Format]
    number: int = 0

    def put(self, row: int, column: int, value: Value, style: str = "text") -> None:
        """Write a value; text is text, whatever it starts with."""
        shape = self.formats[style]
        if value is None or value == "":
            self.page.write_blank(row, column, None, shape)
        elif isinstance(value, str):
            self.page.write_string(row, column, value, shape)
        else:
            self.page.write_number(row, column, float(value), shape)

    def compute(self, row: int, column: int, formula: str, value: Value, style: str = "usd") -> str:
        """Write a formula with its value of now; return the cell."""
        cached = "" if value is None else value
        self.page.write_formula(row, column, f"={formula_of_plan(formula, self.number)}", self.formats[style], cached)
        return safe_reference(self.name, cell_name(row, column))

    def title(self, title: str, note: str = "") -> None:
        """Write what the sheet is called, and what should be known of all of it."""
        self.put(0, 0, title, "title")
        if note:
            self.put(1, 0, note, "soft")

    def line(self, row: int, values: Sequence[Value], styles: Sequence[str]) -> None:
        """Write values side by side, each in its style."""
        for column, (value, style) in enumerate(zip(values, styles, strict=True)):
            self.put(row, column, value, style)

    def widths(self, *widths: float) -> None:
        """Set the widths of the first columns."""
        for column, width in enumerate(widths):
            self.page.set_column(column, column, width)

    def allow(self, row: int, column: int, rule: dict[str, Any]) -> None:
        """Refuse in a cell what a rule does not allow."""
        self.page.data_validation(row, column, row, column, rule)

    def heads(
        self, row: int, names: Sequence[str], first_column: int = 0, numbers: Collection[int] | None = None
    ) -> None:
        """Write headings, in a row high enough for long ones; those of numbers stand to the right."""
        self.page.set_row(row, 46)
        for i, text in enumerate(names):
            self.put(row, first_column + i, text, "head_right" if numbers and i in numbers else "head")

    def fade_beyond(self, first_row: int, last_row: int, last_column: int) -> None:
        """Show the months after the horizon in a pale color; the first column holds the month."""
        rule = {
            "type": "formula",
            "criteria": formula_of_plan(f"=$A{first_row + 1}>horizon_months", self.number),
            "format": self.formats["beyond"],
        }
        self.page.conditional_format(first_row, 0, last_row, last_column, rule)

    def set_up(
        self,
        *,
        freeze: tuple[int, int],
        landscape: bool = True,
        repeat: tuple[int, int] | None = None,
        pages_high: int = 0,
    ) -> None:
        """Set panes that stay and how the sheet is printed: one page wide, headings repeated, name and page below."""
        self.page.set_row(0, TITLE_HEIGHT)
        self.page.freeze_panes(*freeze)
        if landscape:
            self.page.set_landscape()
        self.page.set_paper(9)
        self.page.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        self.page.fit_to_pages(1, pages_high)
        self.page.set_footer("&L&A&RPage &P of &N")
        if repeat is not None:
            self.page.repeat_rows(*repeat)


@dataclass(slots=True)
class Book:
    """The workbook while it is written: its sheets, and the names that formulas may use.

    Attributes
    ----------
    file : Workbook
        XlsxWriter's own.
    formats : dict of str to Format
        By the keys of `FORMATS`.
    references : dict of str to str
        From a name of the formulas (``money.hours_per_month``) to a defined name or a cell.
    number : int
        Of the plan whose sheets are written; 0 where it is the only one.
    """

    file: Workbook
    formats: dict[str, Format] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    number: int = 0

    def __post_init__(self) -> None:
        """Make every format."""
        if not self.formats:
            self.formats = {
                key: self.file.add_format({"font_name": "Calibri", "font_size": 11, "valign": "top", **shape})
                for key, shape in FORMATS.items()
            }

    def here(self, formula: str) -> str:
        """Return a formula, a range or a name as this plan's sheets have it."""
        return formula_of_plan(formula, self.number)

    def chart(self, options: dict[str, Any]) -> Chart:
        """Return a new chart, to be filled and placed."""
        chart = self.file.add_chart(options)
        assert chart is not None
        return chart

    def series(self, sheet: str, columns: tuple[int, int], rows: tuple[int, int], **rest: Any) -> dict[str, Any]:
        """Return a line or bars of a chart: the columns of its places and of its values, between two rows."""
        places, values = (self.here(f"={column_range(sheet, column, *rows)}") for column in columns)
        return {"categories": places, "values": values, **rest}

    def title(self, name: str) -> str:
        """Return what a sheet is called in the file."""
        return f"{self.number} {name}" if self.number else name

    def sheet(self, name: str) -> Sheet:
        """Return a new sheet."""
        return Sheet(name, self.file.add_worksheet(self.title(name)), self.formats, self.number)

    def define_name(self, name: str, formula: str) -> None:
        """Give a formula or a range a name."""
        self.file.define_name(self.here(name), f"={self.here(formula)}")

    def define(self, name: str, sheet: Sheet, row: int, column: int, formula_name: str | None = None) -> str:
        """Give a cell a name that formulas, and people, can use; return it."""
        self.define_name(name, safe_reference(sheet.name, cell_name(row, column)))
        if formula_name is not None:
            self.references[formula_name] = name
        return name

    def text(self, expr: Expr, local: Mapping[str, str] | None = None, *, over_months: bool = False) -> str:
        """Return a formula as the text of a cell.

        Raises
        ------
        KeyError
            A name of the formula has no cell; a bug of ours.
        """
        cells = {**self.references, **(local or {})}
        return spreadsheet(expr, cells.__getitem__, over_months=over_months)


@dataclass(slots=True, kw_only=True)
class PlanBook(Book):
    """The sheets of one plan while they are written.

    Attributes
    ----------
    live : Live
        The plan.
    costs : mapping of str to Cost
        What each of its options costs as planned.
    labels : mapping of str to str
        A text for each option that no other has.
    pair : tuple of option or None
        The rent and the server that are held against each other.
    last_option, last_server : int
        Last rows of the sheets of options and of servers; 0 where there is none.
    """

    live: Live
    costs: Mapping[str, Cost]
    labels: Mapping[str, str]
    pair: Pair | None
    last_option: int = 0
    last_server: int = 0
