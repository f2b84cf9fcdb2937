"""Tables of text, whatever form they are shown in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Column", "Drop", "Table"]


class Drop(IntEnum):
    """When a column leaves a table that is too wide: not at all, or in the order of these."""

    NEVER = 0
    THIRD = 1
    SECOND = 2
    FIRST = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, its unit, whether it holds numbers, and when it leaves where space is short.

    A column that may not be broken keeps its dates and names whole.
    """

    name: str
    unit: str = ""
    is_number: bool = False
    drop: Drop = Drop.NEVER
    is_whole: bool = False

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under columns, with what stands above and below them."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
