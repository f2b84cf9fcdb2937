"""The sensitivity of the workbook: each assumption alone at both ends of its range, worked out by formulas.

Each row is worked out from the formulas of `planner.costs.formulas` as the sheets of months are, with one name standing for
the cell of the low or the high end. It follows every other input; the numbers behind are folded away to the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.assumptions import default_assumptions
from planner.costs.expression import substituted
from planner.costs.formulas import DISCOUNT, site_names
from planner.report.live import Cost, Live, Pair, book_values, priced_names
from planner.report.sensitivity import DEMAND, SERVER_PRICE, WHOLE, LiveBar, bars_of, moved
from planner.report.workbook.cells import FIRST_ROW, PlanBook, Sheet, between, cell_name, in_row
from planner.report.workbook.months import is_home

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord


SENSITIVITY = "Sensitivity"
LOW, HIGH = 1, 2
FOLDED = 10
"""Where the numbers behind begin."""
TITLE = "Which assumptions decide the verdict"
ENDS = ("saving at low, USD", "saving at high, USD")
Cells = tuple[Mapping[str, str], Mapping[str, str]]
"""Of the rent and of the server: from the names of their books and sites to cells."""


def write_live_sensitivity(book: PlanBook, sheet: Sheet, pair: Pair, cells: Cells) -> None:
    """Write the table and the chart of what each assumption alone does to the saving of the chosen pair.

    Parameters
    ----------
    book, sheet : PlanBook, Sheet
        Where to.
    pair : tuple of option
        The rent and the server, as the file is made.
    cells : tuple of mapping
        Where their numbers stand.
    """
    live = book.live
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
    width = sum(_columns(live, option) for option in pair)
    last, near = _near(sheet, FOLDED + 3 + 2 * width, live, pair, cells)
    blocks = {end: _Block(book, sheet, pair, near, end, FOLDED + 3 + i * width) for i, end in enumerate((LOW, HIGH))}
    sheet.put(FIRST_ROW - 1, FOLDED, "low adds, USD", "head_right")
    sheet.put(FIRST_ROW - 1, FOLDED + 1, "high adds, USD", "head_right")
    now = book.costs[pair[0]["id"]].present_value_usd - book.costs[pair[1]["id"]].present_value_usd
    for row, bar in enumerate(bars, FIRST_ROW):
        _row(sheet, row, bar, now, blocks)
    if bars:
        title = "What each end adds to the saving of owning, NPV in USD"
        about = "What the low and the high end of each assumption add to the saving of owning."
        _chart(book, sheet, len(bars), FOLDED, title, about, overlap=100)
    sheet.widths(44, 12, 12, *[16] * 5)
    sheet.page.set_column(FOLDED, last, 13, None, {"level": 1, "hidden": True})
    sheet.page.set_column(last + 1, last + 1, 3, None, {"collapsed": True})
    sheet.page.print_area(0, 0, FIRST_ROW + len(bars) + 10 + 2 * len(bars), 7)
    sheet.set_up(freeze=(FIRST_ROW, 1), pages_high=1)


def _columns(live: Live, option: OptionRecord) -> int:
    """Return how many columns one of the pair takes: its scalars, its items, and their sum."""
    model = live.model(option)
    return len(model.scalars) + len(model.lines) + 1


def _near(sheet: Sheet, column: int, live: Live, pair: Pair, cells: Cells) -> tuple[int, Cells]:
    """Repeat the numbers of the pair on this sheet; a formula with the names of other sheets in it grows beyond 8,192 signs."""
    near: list[dict[str, str]] = []
    for side, option, there in zip(("rent", "own"), pair, cells, strict=True):
        here = {}
        values = live.values(option, live.planned, live.assumptions)
        for name, cell in there.items():
            words = name.split(".", 1)[1].replace("_", " ")
            sheet.put(FIRST_ROW - 1, column, f"{side}: {words}", "head_right")
            sheet.compute(FIRST_ROW, column, cell, values[name], "number")
            here[name] = cell_name(FIRST_ROW, column)
            column += 1
        near.append(here)
    return column, (near[0], near[1])


def _row(sheet: Sheet, row: int, bar: LiveBar, now: float, blocks: Mapping[int, _Block]) -> None:
    """Write one assumption: its ends, what is saved at each, whether it turns the cheaper side."""
    name = bar["name"]
    assumption = default_assumptions().rows[name]
    least, most = assumption.least, assumption.most
    sheet.put(row, 0, name)
    sheet.put(row, 3, assumption.unit, "unit")
    rule = between(least, most, f"Give a number from {least:g} to {most:g}.")
    savings = []
    for end, value in ((LOW, bar["low"]), (HIGH, bar["high"])):
        sheet.put(row, end, value, "input_end")
        sheet.allow(row, end, rule)
        formula, saving = blocks[end].saving(row, name, value)
        sheet.compute(row, end + 3, formula, saving)
        savings.append(saving)
    low, high, base = (in_row(row, column) for column in (4, 5, 6))
    sheet.compute(row, 6, "saving_usd", now)
    turns = "yes" if len({saving > 0 for saving in (*savings, now)}) > 1 else "no"
    formula = f'IF(OR(({low}>0)<>({base}>0),({high}>0)<>({base}>0)),"yes","no")'
    sheet.compute(row, 7, formula, turns, "indented")
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

    book: PlanBook
    sheet: Sheet
    pair: Pair
    cells: Cells
    end: int
    first: int

    def saving(self, row: int, name: str, value: float) -> tuple[str, float]:
        """Write what is worked out for an assumption; return the formula of the saving, and its value of now."""
        cell = in_row(row, self.end)
        instead = self._instead(name, f"ROUND({cell},0)" if name in WHOLE else cell)
        costs = moved(self.book.live, self.pair, name, value)
        column, sums = self.first, []
        for side, option, cost, cells in zip(("rent", "own"), self.pair, costs, self.cells, strict=True):
            sums.append(self._side(row, column, option, cost, {**cells, **instead}, side))
            column += _columns(self.book.live, option)
        return "-".join(sums), costs[0].present_value_usd - costs[1].present_value_usd

    def _instead(self, name: str, cell: str) -> dict[str, str]:
        """Return what stands for which name of the formulas when an assumption is what a cell says."""
        own_cells = self.cells[1]
        if name == DEMAND:
            return {"input.use_ratio": f"(use_ratio*{cell})"}
        if name == SERVER_PRICE:
            return {"book.server_price_usd": f"({own_cells['book.server_price_usd']}*{cell})"}
        for site in ("home", "colocation"):
            for key, assumption in site_names(site).items():
                if assumption == name:
                    at_home, elsewhere = (cell, own_cells[key]) if site == "home" else (own_cells[key], cell)
                    return {key: f"IF({is_home(self.book)},{at_home},{elsewhere})"}
        return {name: cell}

    def _side(self, row: int, column: int, option: OptionRecord, cost: Cost, local: dict[str, str], side: str) -> str:
        """Write the figures of the whole timeline and the items of one of the pair, as NPV; return the cell of their sum."""
        model = self.book.live.model(option)
        for key, expr in model.scalars.items():
            self._head(column, f"{side}: {key.replace('_', ' ')}")
            self.sheet.compute(row, column, self.book.text(expr, local), float(cost.lines[key]), "number")
            local[key] = in_row(row, column)
            column += 1
        local["month"] = "month_no"
        worth = self.book.text(DISCOUNT, local, over_months=True)
        absent, cells = self._absent(option), []
        # Each item in a cell of its own: all of them in one formula are more than the 8,192 signs that a spreadsheet takes.
        for key, expr in model.lines.items():
            self._head(column, f"{side}: {key.replace('_', ' ')}, NPV")
            item = self.book.text(substituted(expr, absent), local, over_months=True)
            value = float((cost.lines[key] * cost.lines["discount_ratio"]).sum())
            self.sheet.compute(row, column, f"SUMPRODUCT(({item})*{worth})", value)
            cells.append(in_row(row, column))
            column += 1
        self._head(column, f"{side}, NPV in USD")
        self.sheet.compute(row, column, "+".join(cells), cost.present_value_usd)
        return in_row(row, column)

    def _absent(self, option: OptionRecord) -> dict[str, float]:
        """Return what no option of this kind has: left in a formula, it would make it longer than a spreadsheet takes."""
        alike = [book_values(other) for other in self.book.live.options if other["kind"] == option["kind"]]
        return {name: 0.0 for name in alike[0] if name.startswith("book.") and not any(own.get(name) for own in alike)}

    def _head(self, column: int, words: str) -> None:
        end = "low" if self.end == LOW else "high"
        self.sheet.put(FIRST_ROW - 1, column, f"{end}, {words}", "head_right")


def write_sensitivity(book: PlanBook, sheet: Sheet, bars: Sequence[LiveBar]) -> None:
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


def _chart(book: PlanBook, sheet: Sheet, count: int, column: int, title: str, about: str, **series: Any) -> None:
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
