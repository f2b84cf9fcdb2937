"""A session: one transaction on either engine, with parameters written alike."""

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
