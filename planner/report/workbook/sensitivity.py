"""The sensitivity of the workbook: each assumption alone at both ends of its range, worked out by formulas.

Each row is worked out from the formulas of `planner.costs.formulas` as the sheets of months are, with one name standing for
the cell of the low or the high end. It follows every other input; the numbers behind are folded away to the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell

from planner.assumptions import default_assumptions
from planner.costs.expression import substituted
from planner.costs.formulas import DISCOUNT, site_names
from planner.report.live import Cost, Live, book_values, priced_names
from planner.report.tornado import DEMAND, SERVER_PRICE, WHOLE, Moved, bars_of, moved
from planner.report.workbook.cells import Book, Sheet, between, cell_name
from planner.report.workbook.months import is_home

SENSITIVITY = "Sensitivity"
FIRST_ROW = 4
LOW, HIGH = 1, 2
FOLDED = 10
"""Where the numbers behind begin."""
TITLE = "Which assumptions decide the verdict"
ENDS = ("saving at low, USD", "saving at high, USD")
Pair = tuple[Mapping[str, Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The pair that the reader looks at, and where its numbers stand.

    Attributes
    ----------
    pair : tuple of option
        The rent and the server, as the file is made.
    rent_cells, own_cells : mapping of str to str
        From the names of their books and sites to cells.
    last_server : int
        Last row of the sheet of servers.
    """

    pair: Pair
    rent_cells: Mapping[str, str]
    own_cells: Mapping[str, str]
    last_server: int


def write_live_sensitivity(book: Book, sheet: Sheet, live: Live, chosen: Chosen) -> None:
    """Write the table and the chart of what each assumption alone does to the saving of the chosen pair.

    Parameters
    ----------
    book, sheet : Book, Sheet
        Where to.
    live : Live
        The plan.
    chosen : Chosen
        What is held against each other.
    """
    bars = [bar for bar in bars_of(live) if bar["name"] in {*priced_names(live.financing), DEMAND, SERVER_PRICE}]
    sheet.title(TITLE)
    text = (
        "What the server saves over the rent chosen on the sheet Verdict (NPV), with only one assumption at the low "
        "and the high end of its range. Follows every input; the ends can be changed too."
    )
    sheet.page.merge_range(1, 0, 1, 7, "", sheet.formats["soft_wrap"])
    sheet.put(1, 0, text, "soft_wrap")
    sheet.page.set_row(1, 32)
    heads = ("assumption", "low", "high", "unit", *ENDS, "with these inputs, USD", "changes the decision")
    sheet.heads(FIRST_ROW - 1, heads, numbers=(1, 2, 4, 5, 6))
    last = FOLDED + 3 + 2 * _width(live, chosen)
    last, near = _near(sheet, last, live, chosen)
    blocks = {
        end: _Block(book, sheet, live, near, end, FOLDED + 3 + i * _width(live, chosen))
        for i, end in enumerate((LOW, HIGH))
    }
    sheet.put(FIRST_ROW - 1, FOLDED, "low adds, USD", "head_right")
    sheet.put(FIRST_ROW - 1, FOLDED + 1, "high adds, USD", "head_right")
    for row, bar in enumerate(bars, FIRST_ROW):
        _row(sheet, row, bar, live, chosen, blocks)
    if bars:
        title = "What each end adds to the saving of owning, NPV in USD"
        about = "What the low and the high end of each assumption add to the saving of owning."
        _chart(book, sheet, len(bars), FOLDED, title, about, overlap=100)
    sheet.widths(44, 12, 12, *[16] * 5)
    sheet.page.set_column(FOLDED, last, 13, None, {"level": 1, "hidden": True})
    sheet.page.set_column(last + 1, last + 1, 3, None, {"collapsed": True})
    sheet.page.print_area(0, 0, FIRST_ROW + len(bars) + 10 + 2 * len(bars), 7)
    sheet.set_up(freeze=(FIRST_ROW, 1), pages_high=1)


def _width(live: Live, chosen: Chosen) -> int:
    return sum(_columns(live, option) for option in chosen.pair)


def _columns(live: Live, option: Mapping[str, Any]) -> int:
    """Return how many columns one of the pair takes: its scalars, its items, and their sum."""
    model = live.model(option)
    return len(model.scalars) + len(model.lines) + 1


def _near(sheet: Sheet, column: int, live: Live, chosen: Chosen) -> tuple[int, Chosen]:
    """Repeat the numbers of the pair on this sheet; a formula with the names of other sheets in it grows beyond 8,192 signs."""
    sides = []
    for option, there in zip(chosen.pair, (chosen.rent_cells, chosen.own_cells), strict=True):
        values = live.values(option, live.planned, live.assumptions)
        here = {}
        for name, cell in there.items():
            words = name.split(".", 1)[1].replace("_", " ")
            sheet.put(FIRST_ROW - 1, column, f"{'own' if option['kind'] == 'buy' else 'rent'}: {words}", "head_right")
            sheet.compute(FIRST_ROW, column, cell, values[name], "number")
            here[name] = cell_name(FIRST_ROW, column)
            column += 1
        sides.append(here)
    return column, replace(chosen, rent_cells=sides[0], own_cells=sides[1])


def _row(
    sheet: Sheet, row: int, bar: Mapping[str, Any], live: Live, chosen: Chosen, blocks: Mapping[int, _Block]
) -> None:
    """Write one assumption: its ends, what is saved at each, whether it turns the cheaper side."""
    name = bar["name"]
    known = default_assumptions().rows[name]
    sheet.put(row, 0, name)
    sheet.put(row, 3, known.unit, "unit")
    rent, own = chosen.pair
    now = live.cost(rent, live.planned).present_value_usd - live.cost(own, live.planned).present_value_usd
    rule = between(known.least, known.most, f"Give a number from {known.least:g} to {known.most:g}.")
    savings = []
    for end, key in ((LOW, "low"), (HIGH, "high")):
        sheet.put(row, end, bar[key], "input_end")
        sheet.allow(row, end, rule)
        formula, saving = blocks[end].saving(row, name, moved(live, name, bar[key]))
        sheet.compute(row, end + 3, formula, saving)
        savings.append(saving)
    low, high, base = (str(xl_rowcol_to_cell(row, column, col_abs=True)) for column in (4, 5, 6))
    sheet.compute(row, 6, "saving_usd", now)
    turns = len({saving > 0 for saving in (*savings, now)}) > 1
    sheet.compute(
        row, 7, f'IF(OR(({low}>0)<>({base}>0),({high}>0)<>({base}>0)),"yes","no")', "yes" if turns else "no", "indented"
    )
    for i, cell in enumerate((low, high)):
        sheet.compute(row, FOLDED + i, f"{cell}-{base}", savings[i] - now)


@dataclass(frozen=True, slots=True)
class _Block:
    """The numbers behind one end of the ranges: columns for what the chosen rent and server come to.

    Attributes
    ----------
    end : int
        Column of the end.
    first : int
        First of its own columns.
    """

    book: Book
    sheet: Sheet
    live: Live
    chosen: Chosen
    end: int
    first: int

    def saving(self, row: int, name: str, now: Moved) -> tuple[str, float]:
        """Write what is worked out for a row; return the formula of the saving, and its value of now."""
        cell = str(xl_rowcol_to_cell(row, self.end, col_abs=True))
        instead = self._instead(name, f"ROUND({cell},0)" if name in WHOLE else cell)
        rent, own = self.chosen.pair
        costs = now.rent(rent), now.own(own)
        after_rent = _columns(self.live, rent)
        rented = self._side(row, 0, rent, costs[0], {**self.chosen.rent_cells, **instead}, "rent")
        local = {**self.chosen.own_cells, **instead}
        owned = self._side(row, after_rent, own, costs[1], local, "own")
        return f"{rented}-{owned}", costs[0].present_value_usd - costs[1].present_value_usd

    def _instead(self, name: str, cell: str) -> dict[str, str]:
        """Return what stands for which name of the formulas when an assumption is what a cell says."""
        if name == DEMAND:
            return {"input.use_ratio": f"(use_ratio*{cell})"}
        if name == SERVER_PRICE:
            return {"book.server_price_usd": f"({self.chosen.own_cells['book.server_price_usd']}*{cell})"}
        for site in ("home", "colocation"):
            for key, assumption in site_names(site).items():
                if assumption == name:
                    there = is_home(self.chosen.last_server)
                    kept = self.chosen.own_cells[key]
                    return {key: f"IF({there},{cell},{kept})" if site == "home" else f"IF({there},{kept},{cell})"}
        return {name: cell}

    def _side(
        self, row: int, offset: int, option: Mapping[str, Any], cost: Cost, local: Mapping[str, str], words: str
    ) -> str:
        """Write the figures of the whole timeline and the items of one of the pair, as NPV; return the cell of their sum."""
        model = self.live.model(option)
        found = dict(local)
        for i, (key, expr) in enumerate(model.scalars.items()):
            self._head(offset + i, f"{words}: {key.replace('_', ' ')}")
            column = self.first + offset + i
            self.sheet.compute(row, column, self.book.text(expr, found), float(cost.lines[key]), "number")
            found[key] = str(xl_rowcol_to_cell(row, column, col_abs=True))
        found["month"] = "month_no"
        worth = self.book.text(DISCOUNT, found, over_months=True)
        absent, cells = self._absent(option), []
        # Each item in a cell of its own: all of them in one formula are more than the 8,192 signs that a spreadsheet takes.
        for i, (key, expr) in enumerate(model.lines.items(), len(model.scalars)):
            self._head(offset + i, f"{words}: {key.replace('_', ' ')}, NPV")
            column = self.first + offset + i
            item = self.book.text(substituted(expr, absent), found, over_months=True)
            value = float((cost.lines[key] * cost.lines["discount_ratio"]).sum())
            self.sheet.compute(row, column, f"SUMPRODUCT(({item})*{worth})", value)
            cells.append(str(xl_rowcol_to_cell(row, column, col_abs=True)))
        column += 1
        self._head(column - self.first, f"{words}, NPV in USD")
        self.sheet.compute(row, column, "+".join(cells), cost.present_value_usd)
        return str(xl_rowcol_to_cell(row, column, col_abs=True))

    def _absent(self, option: Mapping[str, Any]) -> dict[str, float]:
        """Return what no option of this kind has: left in a formula, it would make it longer than a spreadsheet takes."""
        alike = [book_values(each) for each in self.live.options if each["kind"] == option["kind"]]
        return {name: 0.0 for name in alike[0] if name.startswith("book.") and not any(own.get(name) for own in alike)}

    def _head(self, offset: int, words: str) -> None:
        end = "low" if self.end == LOW else "high"
        self.sheet.put(FIRST_ROW - 1, self.first + offset, f"{end}, {words}", "head_right")


def write_sensitivity(book: Book, sheet: Sheet, bars: Sequence[Mapping[str, Any]]) -> None:
    """Write the plan's own figures, where there is no rent and no server to choose."""
    sheet.title(
        TITLE,
        "What owning saves over the rent that it was compared with when the plan was made, with only one assumption at the low "
        "and the high end of its range. These are the plan's own figures; they do not follow the inputs.",
    )
    sheet.heads(FIRST_ROW - 1, ("assumption", "low", "high", *ENDS, "as planned, USD", "changes the decision"))
    styles = ("text", "number", "number", "usd", "usd", "usd", "text")
    for row, bar in enumerate(bars, FIRST_ROW):
        values = [bar[key] for key in ("name", "low", "high", "low_usd", "high_usd", "base_usd")]
        sheet.line(row, (*values, "yes" if bar["turns_verdict"] else ""), styles)
    if bars:
        about = "Saving of owning at both ends of each assumption."
        _chart(book, sheet, len(bars), 3, "What owning saves, NPV in USD", about)
    sheet.widths(44, *[16] * 6)
    sheet.set_up(freeze=(FIRST_ROW, 1), pages_high=1)


def _chart(book: Book, sheet: Sheet, count: int, column: int, title: str, about: str, **series: Any) -> None:
    """Draw what an assumption at either end of its range comes to: bars of two columns, side by side or to both sides."""
    chart = book.chart({"type": "bar"})
    last = FIRST_ROW + count - 1
    for i, (words, color) in enumerate((("at low", "#8C8C8C"), ("at high", "#C8690A"))):
        look = {"name": words, "fill": {"color": color}, "gap": 50, **series}
        chart.add_series(book.series(sheet.name, (0, column + i), (FIRST_ROW, last), **look))
    chart.show_hidden_data()
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_y_axis({"reverse": True, "label_position": "low"})
    chart.set_x_axis({"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 1000, "height": 120 + 28 * count})
    sheet.page.insert_chart(last + 2, 0, chart, {"description": about})
