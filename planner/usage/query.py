"""The questions to a bill, each one expression that every engine answers alike.

Money and hours are added up as whole billionths: sums of whole numbers do not depend on their order, so an engine that
adds in parallel, or on many machines, returns the same digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner.engine import Engine
from planner.usage.columns import MOST, Columns
from planner.usage.relations import Relation

if TYPE_CHECKING:
    from ibis.expr.types import Column, Table

__all__ = [
    "COSTS",
    "HOURLY_WORDS",
    "NANO",
    "PROFILE_WORDS",
    "SKU_WORDS",
    "SUMS",
    "Rows",
    "dimensions",
    "hourly",
    "profile",
]

NANO = 1_000_000_000
DAY_S = 86_400
COSTS = ("effective_cost", "list_cost", "contracted_cost", "billed_cost")
SUMS = (*(f"{name}_nano" for name in COSTS), "gpu_hours_nano")
SKU_WORDS = ("provider", "details", "meter", "resource_type", "description", "consumed_unit", "pricing_unit")
"""What a charge is of; everything that is read with the catalogue's help is read of these, once for each combination."""
PROFILE_WORDS = (*SKU_WORDS, "category", "charge_class", "currency", "commitment_id", "commitment_status", "unreadable")  # fmt: skip
HOURLY_WORDS = ("account", "region", "provider", "currency", "charge_class", "pricing_category", "commitment_category", "commitment_id", "commitment_status", "reservation_status", "tag")  # fmt: skip
IDENTITY = ("sku_number", *HOURLY_WORDS, "resource", "sku", "starts_s", "ends_s", *COSTS, "consumed_quantity", "pricing_quantity")  # fmt: skip
"""Rows that agree in all of these are one charge that was exported more than once."""


def _nano(column: Column) -> Column:
    """Return billionths; what is no number, or none that can be (NaN), counts as nothing: engines stumble over it."""
    import ibis

    return ibis.cases((column.abs() < MOST, (column * NANO).round()), else_=0).cast("int64")


@dataclass(frozen=True, slots=True)
class Rows:
    """A bill's rows: its files, the engine that reads them, and the tag that is wanted."""

    engine: Engine
    relations: tuple[Relation, ...]
    tag: str = ""

    def tables(self) -> Iterator[tuple[Relation, Table]]:
        """Return each relation with its table."""
        import ibis

        for relation in self.relations:
            yield relation, ibis.table(relation.schema, name=relation.name)

    def columns(self, relation: Relation, table: Table) -> Columns:
        """Return our own columns over a table that has a relation's."""
        return Columns(self.engine, table, relation.schema, is_text=relation.is_text, tag=self.tag)


def _union(parts: Sequence[Table]) -> Table:
    import ibis

    return parts[0] if len(parts) == 1 else ibis.union(*parts)


def profile(rows: Rows) -> Table:
    """Ask what there is: rows and sums for each kind of charge, category, currency and commitment.

    Returns
    -------
    Table
        `PROFILE_WORDS`, their sums, when charges of a day or less begin and end, and `sku_mark`, by which `hourly` finds
        a kind of charge again.
    """
    names = (*PROFILE_WORDS, "effective_cost", "billed_cost", "starts_s", "ends_s")
    parts = [table.select(**rows.columns(relation, table).named(names)) for relation, table in rows.tables()]
    whole = _union(parts)
    sums = {f"{name}_nano": _nano(whole[name]).sum().cast("float64") for name in ("effective_cost", "billed_cost")}
    # A subscription of a month says nothing of which days the bill is of.
    is_short = whole.ends_s - whole.starts_s <= DAY_S
    times = {"first_s": whole.starts_s.min(where=is_short), "last_s": whole.ends_s.max(where=is_short)}
    found = whole.group_by(list(PROFILE_WORDS)).agg(rows=whole.count(), **sums, **times)
    return found.mutate(sku_mark=rows.engine.hash_of(*(found[name] for name in SKU_WORDS)))


def _of_gpus(rows: Rows, skus: Table, names: Sequence[str]) -> Table:
    """Keep the charges that are of an accelerator or of an unused commitment, with what is known of their kind."""
    parts = []
    for relation, table in rows.tables():
        columns = rows.columns(relation, table)
        readable = table.filter(columns.of("category") == "Usage", *columns.is_readable())
        columns = rows.columns(relation, readable)
        marked = readable.mutate(sku_mark=rows.engine.hash_of(*(columns.of(name) for name in SKU_WORDS)))
        joined = marked.inner_join(skus, "sku_mark")
        known = {name: joined[name] for name in ("sku_number", "consumed_factor", "pricing_factor")}
        parts.append(joined.select(**known, **rows.columns(relation, joined).named(names)))
    return _union(parts)


def _words_mark(engine: Engine, rows: Table) -> Column:
    return engine.hash_of(rows.sku_number, *(rows[name] for name in HOURLY_WORDS))


def dimensions(rows: Rows, skus: Table) -> Table:
    """Ask which combinations of words the charges of accelerators have.

    Returns
    -------
    Table
        ``sku_number``, `HOURLY_WORDS`, and `mark`, by which `hourly` names them: whole numbers are grouped far faster
        than text, and the text of a month fits no memory.
    """
    found = _of_gpus(rows, skus, HOURLY_WORDS)
    words = {name: found[name].arbitrary() for name in ("sku_number", *HOURLY_WORDS)}
    return found.mutate(mark=_words_mark(rows.engine, found)).group_by("mark").agg(**words)


def hourly(rows: Rows, skus: Table, *, keep_copies: bool = False) -> Table:
    """Ask for accelerator-hours and costs by hour (since 1970), length in hours, and mark of the words.

    A charge of an hour or less that crosses the full hour counts where it begins. Charges that agree in every column of
    `IDENTITY` are one that was exported more than once, and count once.

    Returns
    -------
    Table
        `rows` as exported, `charges` without copies, and sums over the charges.
    """
    import ibis

    found = _of_gpus(rows, skus, IDENTITY[1:])
    hour = (found.starts_s // 3600).cast("int64")
    whole = ((found.ends_s + 3599) // 3600).cast("int64") - hour
    span = ibis.cases((found.ends_s - found.starts_s <= 3600, 1), else_=ibis.greatest(whole, 1)).cast("int64")
    hours = ibis.coalesce(
        found.consumed_quantity * found.consumed_factor, found.pricing_quantity * found.pricing_factor
    )
    timed = found.select(
        hour=hour,
        span=span,
        mark=_words_mark(rows.engine, found),
        copy_mark=rows.engine.hash_of(*(found[name] for name in IDENTITY)),
        gpu_hours_nano=_nano(hours),
        **{f"{name}_nano": _nano(found[name]) for name in COSTS},
    )
    once = timed.group_by(["hour", "span", "mark", "copy_mark"]).agg(
        found=timed.count(), **{name: timed[name].arbitrary() for name in SUMS}
    )
    if keep_copies:
        once = once.mutate(**{name: once[name] * once.found for name in SUMS})
    return once.group_by(["hour", "span", "mark"]).agg(
        rows=once.found.sum().cast("float64"),
        charges=once.count().cast("float64"),
        **{name: once[name].sum().cast("float64") for name in SUMS},
    )
