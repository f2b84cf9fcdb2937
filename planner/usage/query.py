"""The questions to a bill, each one expression that every engine answers alike.

Money and hours are added up as whole billionths: sums of whole numbers do not depend on their order, so an engine that
adds in parallel, or on many machines, returns the same digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner.engine.session import Engine
from planner.usage.columns import MOST, Columns, Narrowing, is_one_of
from planner.usage.relations import FILE, Relation

if TYPE_CHECKING:
    from ibis.expr.types import Column, Table


NANO = 1_000_000_000
DAY_S = 86_400
COSTS = ("effective_cost", "list_cost", "contracted_cost", "billed_cost")
SUMS = (*(f"{name}_nano" for name in COSTS), "unlisted_nano", "gpu_hours_nano")
SKU_WORDS = ("category", "provider", "service", "details", "meter", "resource_type", "description", "charge_words", "consumed_unit", "pricing_unit")  # fmt: skip
"""What a charge is of; everything that is read with the catalogue's help is read of these, once for each combination."""
PROFILE_WORDS = (*SKU_WORDS, "charge_class", "currency", "commitment_id", "commitment_status", "reservation_id", "is_costless", "is_split", "unreadable")  # fmt: skip
HOURLY_WORDS = ("account", "region", "provider", "currency", "charge_class", "pricing_category", "commitment_category", "commitment_id", "commitment_status", "reservation_id", "reservation_status", "tag")  # fmt: skip
IDENTITY = ("sku_number", *HOURLY_WORDS, "resource", "allocated", "sku", "starts_s", "ends_s", *COSTS, "consumed_quantity", "pricing_quantity")  # fmt: skip
"""Rows that agree in all of these are one charge that was exported more than once."""
SKU_FACTS = ("sku_number", "machine_number", "gpus", "consumed_factor", "pricing_factor", "month_gpus", "period_gpus")
LONG_MONTH_S = 27 * DAY_S
ABOVE_ONE = 1.01
"""A machine's own hours in an hour; clocks of two meters differ by seconds."""
GROUP_WORDS = r"(?i)scaleset|agentpool|node-?(?:group|pool)|autoscaling|instancegroup|endpoint|\bjob|-job|fleet|cluster"
"""Resources that are several machines under one name."""
RESERVATION_WORDS = r"(?i)(?:^|[/:])cr-[0-9a-z]|capacity-?reservation|\bprojects/.*/reservations/"


def _nano(column: Column) -> Column:
    """Return billionths; text and NaN count as 0, because engines fail on them."""
    import ibis

    return ibis.cases((column.abs() < MOST, (column * NANO).round()), else_=0).cast("int64")


@dataclass(frozen=True, slots=True)
class Rows:
    """A bill's rows: its files, the engine that reads them, and the tag that is wanted."""

    engine: Engine
    relations: tuple[Relation, ...]
    tag: str = ""
    has_replaced: bool = False
    narrowing: Narrowing = ()

    def tables(self) -> Iterator[tuple[Relation, Table]]:
        """Return each relation with its table."""
        import ibis

        for relation in self.relations:
            table = ibis.table(relation.schema, name=relation.name)
            if self.has_replaced:
                columns = self.columns(relation, table)
                marked = table.mutate(slice_mark=_slice_mark(self.engine, columns))
                gone = ibis.table({"file": "string", "slice_mark": self.engine.mark_type}, name="replaced_slices")
                kept = marked.anti_join(gone, [marked[FILE] == gone.file, marked.slice_mark == gone.slice_mark])
                table = kept.select(*relation.schema)
            yield relation, table

    def columns(self, relation: Relation, table: Table) -> Columns:
        """Return our own columns over a table that has a relation's."""
        return Columns(self.engine, table, relation.schema, is_text=relation.is_text, tag=self.tag)


def _slice_mark(engine: Engine, columns: Columns) -> Column:
    """Mark an account's day: of each, the newest export counts."""
    return engine.hash_of(columns.of("account"), columns.of("starts_s") // DAY_S)


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
    kinds = whole.group_by(list(PROFILE_WORDS)).agg(rows=whole.count(), **sums, **times)
    return kinds.mutate(sku_mark=rows.engine.hash_of(*(kinds[name] for name in SKU_WORDS)))


def _of_gpus(rows: Rows, skus: Table, names: Sequence[str]) -> Table:
    """Keep the charges for accelerators and unused commitments, with the facts about their kind."""
    parts = []
    for relation, table in rows.tables():
        columns = rows.columns(relation, table)
        category = columns.of("category")
        # A purchase that is not billed as usage has its own cost; an amortized one has none.
        counts = (category == "Usage") | ((category == "Purchase") & (columns.of("effective_cost") != 0))
        likely = [is_one_of(columns.of(name), values) for name, values in rows.narrowing]
        readable = table.filter(*likely, counts, *columns.is_readable())
        columns = rows.columns(relation, readable)
        marked = readable.mutate(sku_mark=rows.engine.hash_of(*(columns.of(name) for name in SKU_WORDS)))
        joined = marked.inner_join(skus, "sku_mark")
        facts = {name: joined[name] for name in SKU_FACTS}
        columns = rows.columns(relation, joined)
        if "file" in names:
            facts |= {"file": joined[FILE], "slice_mark": _slice_mark(rows.engine, columns)}
        parts.append(joined.select(**facts, **columns.named(name for name in names if name != "file")))
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
    ours = _of_gpus(rows, skus, HOURLY_WORDS)
    words = {name: ours[name].arbitrary() for name in ("sku_number", *HOURLY_WORDS)}
    return ours.mutate(mark=_words_mark(rows.engine, ours)).group_by("mark").agg(**words)


def charges(rows: Rows, skus: Table) -> Table:
    """Ask for the charges of accelerators as numbers and marks, which an engine can keep: the bill is read for them once.

    Returns
    -------
    Table
        Hour, span, sums and marks of each: of its words, of all that makes copies of it, of its machine, and of the
        charge whatever it costs; ``file`` and ``slice_mark`` tell which export it is from.
    """
    import ibis

    ours = _of_gpus(rows, skus, (*IDENTITY[1:], "file"))
    charge = ("machine_number", "account", "resource", "allocated", "starts_s", "ends_s")
    has_resource = ours.resource.fill_null("") != ""
    # Machines without a name are distinguished by how much of them was used.
    amount = ibis.cases((has_resource, 0.0), else_=ibis.coalesce(ours.consumed_quantity, ours.pricing_quantity, 0.0))
    return ours.select(
        "file",
        "slice_mark",
        charge_mark=rows.engine.hash_of(*(ours[name] for name in charge), amount),
        hour=(ours.starts_s // 3600).cast("int64"),
        span=_span(ours),
        mark=_words_mark(rows.engine, ours),
        copy_mark=rows.engine.hash_of(*(ours[name] for name in IDENTITY)),
        gpu_hours_nano=_nano(_gpu_hours(ours)),
        unlisted_nano=_nano(_unlisted(ours)),
        has_resource=has_resource,
        **{f"{name}_nano": _nano(ours[name]) for name in COSTS},
        **_machine(rows.engine, ours),
    )


def without_copies(charges: Table) -> Table:
    """Return each charge once, however often it was exported."""
    return charges.group_by(["hour", "span", "mark", "copy_mark"]).agg(
        **{name: charges[name].arbitrary() for name in (*SUMS, *MACHINE)}
    )


def hourly(charges: Table, *, keep_copies: bool = False, is_crowded: bool = False) -> Table:
    """Ask for accelerator-hours and costs by hour (since 1970), length in hours, and mark of the words.

    A charge of an hour or less that crosses the full hour counts where it begins. Charges that agree in every column of
    `IDENTITY` are one that was exported more than once, and count once. Where `crowded_hours` found machines with more than an
    hour in an hour (`is_crowded`), their hours are cut to one machine's; costs are not.

    Parameters
    ----------
    charges : Table
        See `charges`.

    Returns
    -------
    Table
        `rows` as exported, `charges` without copies, and sums over the charges.
    """
    once = charges.group_by(["hour", "span", "mark", "copy_mark"]).agg(
        found=charges.count(),
        **{name: charges[name].arbitrary() for name in (*SUMS, *(MACHINE if is_crowded else ()))},
    )
    if keep_copies:
        once = once.mutate(**{name: once[name] * once.found for name in SUMS})
    if is_crowded:
        once = _one_machine_each(once)
    return once.group_by(["hour", "span", "mark"]).agg(
        rows=once.found.sum().cast("float64"),
        charges=once.count().cast("float64"),
        **{name: once[name].sum().cast("float64") for name in SUMS},
    )


MACHINE = ("resource_mark", "machine_number", "one_nano")


def _span(charges: Table) -> Column:
    """Return the hours that a charge is of, 1 at least."""
    import ibis

    whole = ((charges.ends_s + 3599) // 3600).cast("int64") - (charges.starts_s // 3600).cast("int64")
    return ibis.cases((charges.ends_s - charges.starts_s <= 3600, 1), else_=ibis.greatest(whole, 1)).cast("int64")


def _gpu_hours(charges: Table) -> Column:
    """Return a charge's accelerator-hours: none where it takes money back, or is a reservation's copy of them at no cost."""
    import ibis

    seconds = charges.ends_s - charges.starts_s
    quantity = ibis.coalesce(charges.consumed_quantity, charges.pricing_quantity)
    hours = ibis.coalesce(
        charges.consumed_quantity * charges.consumed_factor,
        charges.pricing_quantity * charges.pricing_factor,
        quantity * charges.month_gpus * ibis.cases((seconds >= LONG_MONTH_S, seconds / 3600.0), else_=730.0),
        ibis.cases(
            (seconds >= LONG_MONTH_S, quantity.fill_null(1.0) * charges.period_gpus * seconds / 3600.0), else_=None
        ),
    )
    is_correction = charges.charge_class.fill_null("") == "Correction"
    takes_back = (charges.effective_cost < 0) & (quantity > 0) & ~is_correction
    is_kept_free = (
        (charges.effective_cost == 0)
        & (charges.reservation_status.fill_null("") != "Unused")
        & (charges.commitment_status.fill_null("") == "")
        & (charges.resource.fill_null("").re_search(RESERVATION_WORDS))
    )
    return ibis.cases((takes_back | is_kept_free, 0.0), else_=hours)


def _unlisted(charges: Table) -> Column:
    """Return the cost of a charge that states no list price."""
    import ibis

    is_unlisted = (charges.list_cost.fill_null(0.0) <= 0) & (charges.effective_cost > 0) & (charges.gpus > 0)
    return ibis.cases((is_unlisted, charges.effective_cost), else_=0.0)


def _machine(engine: Engine, charges: Table) -> dict[str, Column]:
    """Return which machine a charge is of (null for several under one name), and its accelerators."""
    import ibis

    name = charges.resource.fill_null("")
    is_one = (name != "") & ~name.re_search(GROUP_WORDS)
    mark = engine.hash_of(charges.resource, charges.machine_number)
    return {
        "resource_mark": ibis.cases((is_one, mark), else_=None),
        "machine_number": charges.machine_number,
        "one_nano": _nano(charges.gpus),
    }


def _crowds(charges: Table) -> Table:
    """Return machines that have more than an hour in an hour, though no charge of theirs alone does."""
    ours = charges.filter(charges.resource_mark.notnull(), charges.gpu_hours_nano > 0)
    machine_hours = ours.group_by(["resource_mark", "hour", "span"]).agg(
        total_nano=ours.gpu_hours_nano.sum().cast("int64"),
        largest_nano=ours.gpu_hours_nano.max(),
        most_nano=ours.one_nano.max(),
        charged_nano=ours.effective_cost_nano.sum().cast("int64"),
    )
    most = machine_hours.most_nano * machine_hours.span
    return machine_hours.filter(
        machine_hours.total_nano > most * ABOVE_ONE, machine_hours.largest_nano <= most * ABOVE_ONE
    )


def _one_machine_each(once: Table) -> Table:
    """Cut the hours of machines that have more than an hour in an hour to what a machine can have."""
    import ibis

    crowds = _crowds(once).rename(crowd_hour="hour", crowd_span="span", crowd_mark="resource_mark")
    joined = once.left_join(
        crowds,
        [once.resource_mark == crowds.crowd_mark, once.hour == crowds.crowd_hour, once.span == crowds.crowd_span],
    )
    share = joined.most_nano * joined.span / joined.total_nano
    cut = ibis.cases((joined.total_nano.isnull(), joined.gpu_hours_nano), else_=(joined.gpu_hours_nano * share).round())
    return joined.select(
        *("hour", "span", "mark", "found"),
        gpu_hours_nano=cut.cast("int64"),
        **{name: joined[name] for name in SUMS if name != "gpu_hours_nano"},
    )


def crowded_hours(charges: Table) -> Table:
    """Ask how many machine-hours there are above one machine in an hour, and what the charges of those hours cost.

    Returns
    -------
    Table
        One row: `machines` (with an hour too many), `extra_nano` (accelerator-hours above one machine) and
        `charged_nano`.
    """
    crowds = _crowds(charges)
    return crowds.agg(
        machines=crowds.resource_mark.nunique().cast("float64"),
        extra_nano=(crowds.total_nano - crowds.most_nano * crowds.span).sum().cast("float64"),
        charged_nano=crowds.charged_nano.sum().cast("float64"),
    )


def exports(charges: Table) -> Table:
    """Ask how many machines' charges each file has of each account and day, with a resource's name and without."""
    of_files = _charges_of_files(charges)
    return of_files.group_by(["file", "slice_mark"]).agg(
        **_counts(of_files, of_files.has_resource), usd_nano=of_files.usd_nano.sum().cast("float64")
    )


def shared_charges(charges: Table) -> Table:
    """Ask how many charges of an account and day two files both have, whatever they cost."""
    mine = _charges_of_files(charges)
    other = _charges_of_files(charges).select(
        other_file="file", other_slice="slice_mark", other_mark="charge_mark", other_times="times", other_usd="usd_nano"
    )
    both = mine.inner_join(
        other,
        [mine.charge_mark == other.other_mark, mine.slice_mark == other.other_slice, mine.file < other.other_file],
    )
    same = both.filter(both.has_resource | (both.times == both.other_times))
    return same.group_by(["slice_mark", "file", "other_file"]).agg(
        **_counts(same, same.has_resource),
        as_dear=same.count(where=same.has_resource & (same.usd_nano == same.other_usd)).cast("float64"),
    )


def coarser_charges(charges: Table) -> Table:
    """Ask how many charges of each file, account and day lie over finer charges of the same machine in another file.

    Returns
    -------
    Table
        ``file``, ``slice_mark``, ``other_file`` (which has the hours of what `file` has by day or month) and ``charges``.
    """
    machines = charges.filter(charges.one_nano > 0, charges.resource_mark.notnull())
    whole = machines.filter(machines.span > 1).select(
        "file", "slice_mark", "charge_mark", "resource_mark", "hour", "span"
    )
    other = machines.select(other_file="file", other_mark="resource_mark", other_hour="hour", other_span="span")
    both = whole.inner_join(
        other,
        [
            whole.resource_mark == other.other_mark, whole.file != other.other_file, other.other_span < whole.span,
            other.other_hour >= whole.hour, other.other_hour < whole.hour + whole.span,
        ],
    )  # fmt: skip
    return both.group_by(["file", "slice_mark", "other_file"]).agg(charges=both.charge_mark.nunique().cast("float64"))


def _counts(rows: Table, has_resource: Column) -> dict[str, Column]:
    return {
        "charges": rows.count(where=has_resource).cast("float64"),
        "nameless": rows.count(where=~has_resource).cast("float64"),
    }


def _charges_of_files(charges: Table) -> Table:
    machines = charges.filter(charges.one_nano > 0)
    return machines.group_by(["file", "slice_mark", "charge_mark", "has_resource"]).agg(
        usd_nano=machines.effective_cost_nano.sum().cast("int64"), times=machines.count()
    )
