"""The view in a terminal or a pipe: the verdict first, tables that fit 80 columns, notes and sources below."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from planner.report.table import Column, Table
from planner.report.view import View

__all__ = ["render", "render_tables"]

SHORT_ASSUMPTIONS = 8


def render(view: View, console: Console, *, explained: Table | None = None) -> None:
    """Write a view to a console.

    Parameters
    ----------
    view : View
        The plan as text.
    console : Console
        Where to.
    explained : Table, optional
        Each figure of one option with what it is made of; with it, every assumption is listed.
    """
    console.print(Text(view.title, style="dim"))
    console.print()
    console.print(Text(view.headline, style="bold"))
    console.print()
    for reason in view.because:
        console.print(Padding(_bullet(reason), (0, 0, 0, 2)))
    for block in (
        _titled(view.options, _stacked(view.options)),
        _titled(view.break_evens, _plain(view.break_evens, widest=0)),
        _titled(view.sensitivity, _plain(view.sensitivity, widest=0)) if view.sensitivity.rows else None,
        _titled(explained, _plain(explained)) if explained else None,
        _assumptions(view.assumptions, every=explained is not None),
        _titled(view.funnel, _plain(view.funnel)) if explained else None,
        _titled(view.sources, _sources(view.sources)),
    ):
        if block is not None:
            console.print()
            console.print(block)
    if view.notes:
        console.print()
        console.print(Text("Notes", style="bold"))
        for note in view.notes:
            console.print(Padding(_bullet(note), (0, 0, 0, 2)))


def render_tables(tables: Sequence[Table], console: Console) -> None:
    """Write tables of facts, one below the other."""
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(_titled(table, _plain(table)) if table.title else _plain(table))


def _bullet(text: str) -> RichTable:
    grid = RichTable.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_row("-", Text(text))
    return grid


def _titled(table: Table, body: RenderableType) -> Group:
    parts: list[RenderableType] = [Text(table.title, style="bold")]
    if table.rows:
        parts.append(body)
    if table.note:
        parts.append(Text(table.note, style="dim"))
    return Group(*parts)


def _grid(*columns: Column, widest: int = 0) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), header_style="dim")
    for index, column in enumerate(columns):
        heading = Text(column.name + (f"\n{column.unit}" if column.unit else ""))
        grid.add_column(
            heading,
            justify="right" if column.is_number else "left",
            no_wrap=column.is_number,
            ratio=1 if index == widest else None,
        )
    return grid


def _plain(table: Table, widest: int = -1) -> RichTable:
    grid = _grid(*table.columns, widest=widest % len(table.columns))
    for row in table.rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def _stacked(table: Table) -> RichTable:
    """Put machines, place and payment into one cell of two lines, so that the figures fit beside it."""
    rank, machines, _, _, month, today, unit, speed, _ = table.columns
    has_speed = any(row[7] != "-" for row in table.rows)
    figures = [month, today, unit, *([Column(speed.name, speed.unit, is_number=True)] if has_speed else [])]
    grid = _grid(rank, Column(machines.name), *figures, widest=1)
    for number, what, where, paid, month_usd, today_usd, unit_usd, fast, priced_on in table.rows:
        cell = Text(what)
        cell.append(f"\n{where}, {paid}, {priced_on}" if where else f"\n{paid}, {priced_on}", style="dim")
        style = "bold" if number.endswith("*") else "dim" if number.endswith("?") else ""
        grid.add_row(
            Text(number),
            cell,
            *(Text(each) for each in (month_usd, today_usd, unit_usd, *([fast] if has_speed else []))),
            style=style,
        )
    return grid


def _assumptions(table: Table, *, every: bool) -> Group:
    """List those that the user has set, and some of the weak ones; all of them with ``--explain``."""
    mine = [row for row in table.rows if row[4] == "set by you"]
    weak = [row for row in table.rows if row[4] == "weak"]
    rows = list(table.rows) if every else [*mine, *weak[:SHORT_ASSUMPTIONS]]
    name, value, unit, spread, mark, _, as_of = table.columns
    grid = _grid(name, value, unit, spread, mark, as_of)
    for row in rows:
        first = Text(row[0])
        if every and row[5]:
            first.append(f"\n{row[5]}", style="dim")
        grid.add_row(first, *(Text(row[index]) for index in (1, 2, 3, 4, 6)))
    hidden = len(table.rows) - len(rows)
    note = f"{hidden} more, and the source of each, with --explain" if hidden else ""
    return _titled(Table(table.title, table.columns, tuple(rows), note), grid)


def _sources(table: Table) -> RichTable:
    source, oldest, newest = table.columns
    grid = _grid(source, oldest, newest)
    for row in table.rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid
