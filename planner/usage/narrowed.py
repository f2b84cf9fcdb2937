"""Which rows of a bill can be of accelerators, by a few words: an engine looks at these before it reads all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ibis.expr.types import Column


Narrowing = tuple[tuple[str, tuple[str | None, ...]], ...]
MOST_COLUMNS = 3
MOST_VALUES = 1000
LEAST_GAIN = 0.9
"""A further column has to leave no more than this share of the rows."""


def narrowing_of(kinds: Sequence[Mapping[str, Any]], marks: Collection[Any], words: Sequence[str]) -> Narrowing:
    """Return columns and the values in them that every charge of an accelerator has, and few others.

    Parameters
    ----------
    kinds : sequence of mapping
        The kinds of charges, each with its ``rows`` and ``sku_mark``.
    marks : collection
        Of those that are of accelerators.
    words : sequence of str
        Columns to choose from.

    Examples
    --------
    >>> kinds = [{"rows": 9, "sku_mark": 1, "meter": "m7i"}, {"rows": 1, "sku_mark": 2, "meter": "p5"}]
    >>> narrowing_of(kinds, {2}, ["meter"])
    (('meter', ('p5',)),)
    """
    ours = [row for row in kinds if row["sku_mark"] in marks]
    values = {name: {row[name] for row in ours} for name in words}
    left, chosen = list(kinds), list[str]()
    while len(chosen) < MOST_COLUMNS:
        few = [name for name in words if len(values[name]) <= MOST_VALUES and name not in chosen]
        through = {name: sum(row["rows"] for row in left if row[name] in values[name]) for name in few}
        best = min(through, key=lambda name: through[name], default="")
        if not best or through[best] > LEAST_GAIN * sum(row["rows"] for row in left):
            break
        chosen.append(best)
        left = [row for row in left if row[best] in values[best]]
    return tuple((name, tuple(sorted(values[name], key=str))) for name in chosen)


def is_one_of(column: Column, values: Sequence[str | None]) -> Column:
    """Return whether a column has one of these values, which may be none at all."""
    there = column.isin([value for value in values if value is not None])
    return there | column.isnull() if None in values else there
