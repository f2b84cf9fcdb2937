"""Tables of text, whatever form they are shown in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, its unit, whether it holds numbers, and when it leaves where space is short.

    Where space is short a column leaves after so many others, or never. One that may not be broken keeps its dates and names whole.
    """

    name: str
    unit: str = ""
    is_number: bool = False
    leaves_after_count: int | None = None
    is_whole: bool = False

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


def headings(line: str, *, leaving: Sequence[str] = (), whole: Sequence[str] = ()) -> tuple[Column, ...]:
    """Return the columns of a line of headings; a colon behind one stands for numbers, as in the rule of a Markdown table.

    Parameters
    ----------
    line : str
        Names with their units, parted by ``|``.
    leaving : sequence of str
        Names of the columns that leave where space is short, the first to leave first.
    whole : sequence of str
        Names of those that may not be broken.

    Examples
    --------
    >>> [(column.name, column.unit, column.is_number) for column in headings("provider | price [USD, old]: | [new]:")]
    [('provider', '', False), ('price', 'USD, old', True), ('', 'new', True)]
    """
    columns = []
    for heading in line.split("|"):
        text = heading.strip()
        name, _, unit = text.removesuffix(":").removesuffix("]").partition("[")
        name = name.strip()
        place = leaving.index(name) if name in leaving else None
        columns.append(Column(name, unit, text.endswith(":"), place, name in whole))
    return tuple(columns)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under columns, with what stands above and below them."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def table_of(
    title: str,
    rows: Iterable[Row],
    columns: Mapping[str, Callable[[Row], str]],
    note: str = "",
    *,
    leaving: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> Table:
    """Return a table with a line for each row: each heading (see `headings`) stands beside what it shows of a row.

    Examples
    --------
    >>> table_of("Squares", (2, 3), {"number:": str, "square:": lambda number: str(number**2)}).rows
    (('2', '4'), ('3', '9'))
    """
    cells = tuple(tuple(cell(row) for cell in columns.values()) for row in rows)
    return Table(title, headings(" | ".join(columns), leaving=leaving, whole=whole), cells, note)
