"""A session: one transaction on either engine, and the tables of the store in SQL that both read.

Prices are kept as changes. ``price_change`` and ``terms_change`` are only ever added to (but that a file corrects what an
import told of the same moment); ``current_offer`` is what they add
up to now; ``snapshot`` says of each part of each source when it was asked and how it answered, which tells "unchanged" from
"not asked". Times are UTC without a zone (DuckDB needs a further package to hand out a zoned one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb
    import psycopg

StagedColumn = tuple[str, Sequence[Any]]
"""SQL type and values of one column of a stage."""

NO_DAY: Final = -(2**63)
EPOCH: Final = 719_163
"""1970-01-01, counted as Python counts days."""


SCHEMA_VERSION: Final = 1
ADDED: Final = """create table if not exists observation (
        offer_id integer not null, told_at timestamp not null, observed_on date)"""
"""The day of offers that tell their own: rate cards, files, a catalog that somebody else gathered. From a row without a day on,
the offer is as young as its part again. A store made before this table was known gets it when it is next written to."""
TABLES: Final[tuple[str, ...]] = (
    ADDED,
    "create table if not exists store_meta (name text not null, value text not null)",
    # One row per identity: the thing that is sold. Numbered from 1 up, since small numbers pack ten times better than hashes.
    """create table if not exists offer (
        offer_id integer not null, identity text not null, provider text not null, part text not null,
        instance_type text not null, region text not null, zone text not null, purchase_option text not null,
        term_months integer not null, payment text not null, offering_class text not null,
        minimum_hours double precision not null)""",
    # What many offers share: the hardware and the terms in words.
    """create table if not exists description (
        description_id integer not null, fingerprint text not null, zone_kind text not null, accelerator text,
        accelerator_stated text not null, accelerator_count double precision not null,
        accelerator_memory_gb double precision, vcpus double precision, memory_gib double precision,
        processor text not null, cpu_arch text not null, cancellable boolean not null, interruptible boolean not null,
        launchable text not null, launchable_note text not null, source text not null, adapter_version text not null,
        flags text not null)""",
    # Where exactly the number stands at the source; JSON, since it is shown and never searched. Number 0 holds nothing.
    """create table if not exists detail (
        detail_id integer not null, source_sku_ids text not null, price_parts text not null)""",
    # A price that is null says: gone. A repeated row is a milestone's, see `milestone`.
    """create table if not exists price_change (
        offer_id integer not null, seen_at timestamp not null, price_usd_per_hour double precision,
        upfront_usd double precision not null, effective_on date, is_repeat boolean not null)""",
    """create table if not exists terms_change (
        offer_id integer not null, seen_at timestamp not null, description_id integer not null,
        detail_id integer not null)""",
    """create table if not exists current_offer (
        offer_id integer not null, price_usd_per_hour double precision not null, upfront_usd double precision not null,
        effective_on date, description_id integer not null, detail_id integer not null, changed_at timestamp not null)""",
    # Moves too large to believe at once; a second fetch confirms them.
    """create table if not exists held_price (
        offer_id integer not null, price_usd_per_hour double precision not null, held_at timestamp not null)""",
    # What a source itself tells of the past (EC2's 90 days of spot prices).
    """create table if not exists reading (
        offer_id integer not null, read_at timestamp not null, price_usd_per_hour double precision not null)""",
    # Made anew by each refresh, so that a plan reads it instead of three months of changes.
    """create table if not exists spread (
        offer_id integer not null, price_median_usd_per_hour double precision not null,
        price_high_usd_per_hour double precision not null)""",
    """create table if not exists snapshot (
        snapshot_id integer not null, provider text not null, part text not null, asked_at timestamp not null,
        landed_at timestamp not null, status text not null, reason text not null, message text not null,
        row_count integer not null, new_count integer not null, changed_count integer not null,
        gone_count integer not null, held_count integer not null, adapter_version text not null)""",
    # Moments at which every current price was written once more, so that an old day is rebuilt from few rows.
    "create table if not exists milestone (set_at timestamp not null)",
)
INDEXES: Final[tuple[str, ...]] = (
    "create unique index if not exists offer_identity on offer (identity)",
    "create unique index if not exists offer_number on offer (offer_id)",
    "create unique index if not exists description_fingerprint on description (fingerprint)",
    "create unique index if not exists detail_number on detail (detail_id)",
    "create index if not exists price_change_offer on price_change (offer_id, seen_at)",
    "create index if not exists price_change_time on price_change (seen_at)",
    "create index if not exists terms_change_offer on terms_change (offer_id, seen_at)",
    "create unique index if not exists current_offer_number on current_offer (offer_id)",
    "create unique index if not exists spread_number on spread (offer_id)",
    "create index if not exists reading_offer on reading (offer_id, read_at)",
    "create index if not exists snapshot_part on snapshot (provider, part, asked_at)",
)
"""For PostgreSQL alone: DuckDB scans its columns faster than it keeps an index, and an index would treble the file."""


class Session:
    """One transaction; parameters are written ``?``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection | psycopg.Connection) -> None:
        self.connection: Any = connection

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - a cursor of either library
        """Run a statement and return the library's own answer."""
        return self.connection.execute(sql, list(parameters) or None)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement and drop its answer."""
        self.run(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return all its rows."""
        return list(self.run(sql, parameters).fetchall())

    def columns(self, sql: str, parameters: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run a query and return its columns, which a file hands out twice as fast as rows; a day comes as a date or a time."""
        raise NotImplementedError

    def stage(self, table: str, columns: Mapping[str, StagedColumn]) -> None:
        """Make a temporary table of columns of equal length."""
        raise NotImplementedError


class _DuckDbSession(Session):
    """A transaction on an embedded file."""

    def columns(self, sql: str, parameters: Sequence[Any] = ()) -> list[Sequence[Any]]:
        return [array.tolist() for array in self.run(sql, parameters).fetchnumpy().values()]

    def stage(self, table: str, columns: Mapping[str, StagedColumn]) -> None:
        import numpy as np

        self.execute(f"create temporary table {table} ({', '.join(f'{n} {t}' for n, (t, _) in columns.items())})")
        if not len(next(iter(columns.values()))[1]):
            return
        arrays = {name: _array(np, kind, values) for name, (kind, values) in columns.items()}
        casts = ", ".join(f"cast({name} as {kind})" for name, (kind, _) in columns.items())
        self.connection.register("staged_arrays", arrays)
        self.execute(f"insert into {table} select {casts} from staged_arrays")
        self.connection.unregister("staged_arrays")


def _array(np: Any, kind: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - numpy is imported late
    if kind == "double precision" and None not in values:
        return np.asarray(values, dtype=float)
    if kind == "integer" and None not in values:
        return np.asarray(values, dtype=np.int64)
    if kind == "timestamp":
        return np.asarray(values, dtype="datetime64[us]")
    if kind == "date":
        # By day numbers: numpy reads a list of dates ten times slower. The least integer is its "no date".
        days = [NO_DAY if value is None else value.toordinal() - EPOCH for value in values]
        return np.asarray(days, dtype=np.int64).view("datetime64[D]").astype("datetime64[us]")
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


class _PostgresSession(Session):
    """A transaction on a server, which writes parameters ``%s``."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - a cursor
        return super().run(sql.replace("?", "%s"), parameters)

    def columns(self, sql: str, parameters: Sequence[Any] = ()) -> list[Sequence[Any]]:
        cursor = self.run(sql, parameters)
        return list(zip(*cursor, strict=True)) or [()] * len(cursor.description or ())

    def stage(self, table: str, columns: Mapping[str, StagedColumn]) -> None:
        definitions = ", ".join(f"{n} {t}" for n, (t, _) in columns.items())
        self.execute(f"create temporary table {table} ({definitions}) on commit drop")
        copy_sql = f"copy {table} ({', '.join(columns)}) from stdin"
        with self.connection.cursor() as cursor, cursor.copy(copy_sql) as copy:
            for row in zip(*(values for _, values in columns.values()), strict=True):
                copy.write_row(row)
        self.execute(f"analyze {table}")
