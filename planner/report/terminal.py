"""The view in a terminal or a pipe: the verdict first, tables that fit 80 columns, notes and sources below."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from planner.report.short import ShortAnswer, with_columns, without_empty
from planner.report.table import Column, Table
from planner.report.view import View

SHORT_ASSUMPTIONS = 8
MOST_LINES, NARROW_WIDTH, ITS_WIDTH = 30, 80, 100
"""The short answer is at most so long between these widths."""
MORE, MORE_BRIEFLY = "More: --full (all tables), --explain (each figure).", "More: --full, --explain."
BETWEEN = 2
"""Blanks between two columns."""
NO_TABLE = Table("", (), ())


def render_short(answer: ShortAnswer, console: Console, *, below: Table | None = None) -> None:
    """Write a short answer, with as many of its reasons as one screen takes.

    Parameters
    ----------
    answer : ShortAnswer
        The plan on one screen.
    console : Console
        Where to.
    below : Table, optional
        Options, where a number of them was asked for.
    """
    console.print(_fitting(answer, console.width))
    if below is not None:
        console.print()
        console.print(_titled(below, _stacked(below, console.width)))


class _Screen(NamedTuple):
    """What of an answer is shown: a tight one has no line that a heading or the gap at the end takes alone."""

    answer: ShortAnswer
    why: tuple[str, ...]
    changes: tuple[str, ...]
    is_tight: bool = False
    has_gap: bool = True


def _fitting(answer: ShortAnswer, width: int) -> Group:
    """Return the answer with as much as fits on a screen; one change of the decision stays, whatever else leaves."""
    within = min(max(width, NARROW_WIDTH), ITS_WIDTH)
    screens = _screens(answer)

    @cache
    def table_height(table: Table) -> int:
        return _height(_alternatives(table, within), within)

    def height(screen: _Screen) -> int:
        bare = screen._replace(answer=replace(screen.answer, alternatives=NO_TABLE))
        return _height(_short(bare, within), within) + table_height(screen.answer.alternatives)

    return _short(next((screen for screen in screens if height(screen) <= MOST_LINES), screens[-1]), width)


def _screens(answer: ShortAnswer) -> list[_Screen]:
    """Return the answer in ever fewer lines: the least weighty leaves first."""
    brief = replace(answer, left_out=answer.left_out_briefly)
    kept = [i for i, column in enumerate(answer.alternatives.columns) if column.leaves_after_count is None]
    narrow = replace(brief, alternatives=with_columns(answer.alternatives, kept))
    few_words, shortest = (replace(screen, next_steps=answer.next_steps_briefly) for screen in (brief, narrow))
    why, changes, first = answer.why, answer.changes, answer.changes[:1]
    return [
        *(_Screen(answer, why, changes[:count]) for count in range(len(changes), 0, -1)),
        *(_Screen(answer, why[:count], first) for count in range(len(why), 1, -1)),
        *(
            _Screen(brief, why[:count], first, is_tight)
            for count in range(min(len(why), 2), 0, -1)
            for is_tight in (False, True)
        ),
        *(_Screen(few_words, why[:count], first, is_tight=True) for count in range(min(len(why), 2), 0, -1)),
        _Screen(brief, (), first, is_tight=True),
        *(_Screen(narrow, why[:count], first, is_tight=True) for count in range(min(len(why), 1), -1, -1)),
        _Screen(shortest, (), first, is_tight=True),
        _Screen(shortest, (), first, is_tight=True, has_gap=False),
    ]


def _height(part: RenderableType, width: int) -> int:
    page = io.StringIO()
    Console(width=width, file=page).print(part)
    return page.getvalue().count("\n")


def _short(screen: _Screen, width: int) -> Group:
    answer = screen.answer
    parts: list[RenderableType] = [Text(answer.question)]
    if answer.defaults:
        parts.append(Text(f"Defaults: {answer.defaults}", style="dim"))
    parts += [Text(), Text(answer.headline, style="bold"), *([Text()] if screen.has_gap else [])]
    parts += [_alternatives(answer.alternatives, width)]
    for heading, bullets in (("Why", screen.why), ("What would change the decision", screen.changes)):
        if screen.is_tight and len(bullets) == 1:
            parts.append(Text.assemble((f"{heading}: ", "bold"), bullets[0]))
        elif bullets:
            parts += [Text(heading, style="bold"), *(_bullet(text) for text in bullets)]
    parts += [] if screen.is_tight else [Text()]
    lines = [*_shell_lines(answer.command and f"Again: {answer.command}", width)]
    for step in answer.next_steps:
        lines += _shell_lines(step, width)
    return Group(*parts, *(Text(line, style="dim") for line in [*_last_lines(answer.left_out, width), *lines]))


def _alternatives(table: Table, width: int) -> Group:
    return _block(table, width, widest=1) if table.rows else Group()


def _last_lines(left_out: str, width: int) -> list[str]:
    """Return what was left out and where more stands, on one line where that has room."""
    line = f"Left out: {left_out}. " if left_out else ""
    fitting = next((line + more for more in (MORE, MORE_BRIEFLY) if len(line + more) <= width), None)
    return [fitting] if fitting else [line.rstrip(), MORE]


def _shell_lines(command: str, width: int) -> list[str]:
    """Break a command where a shell reads on; an option stays with its value."""
    if not command:
        return []
    words = re.split(r" (?=--)", command)
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 <= width:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"  {word}")
    return lines


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
    width = console.width
    blocks = [_alternatives(view.alternatives, width)] if view.alternatives.rows else []
    blocks += [_titled(view.options, _stacked(view.options, width)), _block(view.break_evens, width)]
    blocks += [_block(table, width) for table in (view.turns, view.sensitivity) if table.rows]
    blocks += [_block(explained, width, widest=None)] if explained else []
    blocks.append(_assumptions(view.assumptions, every=explained is not None))
    blocks += [_block(view.funnel, width, widest=None)] if explained else []
    for block in (*blocks, _block(view.sources, width)):
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
        console.print(_block(without_empty(table), console.width, widest=None))


def _bullet(text: str) -> RichTable:
    grid = RichTable.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_row("-", Text(text))
    return grid


def _titled(table: Table, body: RenderableType) -> Group:
    parts: list[RenderableType] = [Text(table.title, style="bold")] if table.title else []
    if table.rows:
        parts.append(body)
    if table.note:
        parts.append(Text(table.note, style="dim"))
    return Group(*parts)


def _block(table: Table, width: int, *, widest: int | None = 0) -> Group:
    return _titled(table, _plain(table, width, widest=widest))


def _grid(*columns: Column, widest: int = 0) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        heading = Text(column.name + (f"\n{column.unit}" if column.unit else ""))
        grid.add_column(
            heading,
            justify="right" if column.is_number else "left",
            no_wrap=column.is_number or column.is_whole,
            overflow="fold",  # a name that is cut cannot be copied
            ratio=1 if index == widest else None,
        )
    return grid


def _plain(table: Table, width: int, widest: int | None = None) -> RichTable:
    """Return a table that fits: columns leave in the order of their priority before any cell is broken."""
    flexible = _longest_text(table) if widest is None else widest
    kept = _kept_columns(table, width, flexible)
    grid = _grid(*(table.columns[i] for i in kept), widest=kept.index(flexible) if flexible in kept else 0)
    for row in table.rows:
        grid.add_row(*(Text(row[i]) for i in kept), style="bold" if row[0].startswith("> ") else "")
    return grid


def _longest_text(table: Table) -> int:
    """Return the column of text that may be broken and takes the most space."""

    def length(index: int) -> int:
        column = table.columns[index]
        if column.is_number or column.is_whole:
            return -1
        return max((len(row[index]) for row in table.rows), default=0)

    return max(range(len(table.columns)), key=length)


def _kept_columns(table: Table, width: int, widest: int) -> list[int]:
    """Return the columns that fit into a width; the widest one may be broken where it takes more than 44 % of the space."""

    def needed(index: int) -> int:
        column = table.columns[index]
        cells = [column.name, column.unit, *(row[index] for row in table.rows)]
        natural = max(len(cell) for cell in cells)
        if index != widest or column.is_whole:
            return natural
        longest_word = max(len(word) for cell in cells for word in cell.split() or [""])
        return max(min(natural, width * 44 // 100), longest_word)

    kept = list(range(len(table.columns)))
    while sum(map(needed, kept)) + BETWEEN * (len(kept) - 1) > width:
        places = {i: place for i in kept if (place := table.columns[i].leaves_after_count) is not None}
        if not places:
            break
        kept.remove(min(places, key=places.__getitem__))
    return kept


def _stacked(table: Table, width: int) -> RichTable:
    """Put machines, place and payment into one cell of two lines, so that the figures fit beside it."""
    rank, machines, _, _, *figures, _ = table.columns
    below = [", ".join(filter(None, (where, paid, priced_on))) for _, _, where, paid, *_, priced_on in table.rows]
    rows = tuple((number, what, *numbers) for number, what, _, _, *numbers, _ in table.rows)
    shown = without_empty(Table("", (rank, machines, *figures), rows))
    kept = _kept_columns(shown, width, widest=1)
    grid = _grid(*(shown.columns[i] for i in kept), widest=1)
    for row, place in zip(shown.rows, below, strict=True):
        cells = [Text(row[i]) for i in kept]
        cells[1].append(f"\n{place}", style="dim")
        grid.add_row(*cells, style={"*": "bold", "?": "dim"}.get(row[0][-1:], ""))
    return grid


def _assumptions(table: Table, *, every: bool) -> Group:
    """List those that the user has set, and some of the weak ones; all of them with ``--explain``."""
    mine = [row for row in table.rows if row[4] == "set by you"]
    weak = [row for row in table.rows if row[4] == "weak"]
    rows = list(table.rows) if every else [*mine, *weak[:SHORT_ASSUMPTIONS]]
    shown = (0, 1, 2, 3, 4) if every else (0, 1, 2, 4)
    grid = _grid(*(table.columns[index] for index in shown))
    grid.columns[0].min_width = max((len(row[0]) for row in rows), default=0)  # a name that is cut cannot be copied
    for row in rows:
        first = Text(row[0])
        if every and row[5]:
            first.append(f"\n{row[5]} ({row[6]})" if row[6] else f"\n{row[5]}", style="dim")
        grid.add_row(first, *(Text(row[index]) for index in shown[1:]))
    hidden = len(table.rows) - len(rows)
    note = f"{hidden} more, and the source of each, with --explain" if hidden else ""
    return _titled(Table(table.title, table.columns, tuple(rows), note), grid)
