"""Where large tables are computed: embedded by default, or on an engine that already runs; one expression for both."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from planner.engine.address import DUCKDB_SETTINGS, EngineAddress, EngineError, read_address
from planner.notes import Note, NoteCode
from pricing.errors import GpuplanError

if TYPE_CHECKING:
    from ibis.expr.types import Column as IbisColumn
    from ibis.expr.types import Table as IbisTable
    from pyarrow import Table as ArrowTable


DUCKDB_TYPES = {"int64": "BIGINT", "uint64": "UBIGINT", "float64": "DOUBLE", "string": "VARCHAR"}
SPARK_TYPES = {"int64": "bigint", "float64": "double", "string": "string"}
ANSWER_TIMEOUT_S = 5.0
REFUSED_HINT = "the server does not take this token: it may have expired, or be another server's"
RETRIES = 5
"""Of a call to Spark that fails on the way: 0.05 s, and each time four times as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An open connection.

    Attributes
    ----------
    address : EngineAddress
        What was asked for.
    ibis : ibis.backends.BaseBackend
        The connection that runs Ibis expressions.
    spark : pyspark.sql.SparkSession or None
        The session, where the engine is Spark.
    warehouse : ibis.backends.BaseBackend or None
        Where tables are fetched from; the work is DuckDB's then.
    start_s : float
        Seconds until it answered; told apart from those of the work.
    notes : tuple of Note
        What weakens the answer (an engine of another version).
    """

    address: EngineAddress
    ibis: Any
    spark: Any = None
    warehouse: Any = None
    start_s: float = 0.0
    notes: tuple[Note, ...] = ()

    @property
    def is_spark(self) -> bool:
        """Whether the work runs on Spark."""
        return self.spark is not None

    def table(self, expression: IbisTable) -> ArrowTable:
        """Run an expression and return its rows as an Arrow table.

        Neither way goes through pandas: one copy less, and no warning of a version that pandas leaves behind.

        Raises
        ------
        EngineError
            The engine gave up: its memory or disk is full, or its server is gone.
        """
        query = self.ibis.compile(expression)
        with self.readable_errors():
            if self.spark is not None:
                answer: ArrowTable = self.spark.sql(query).toArrow()
                return answer
            return self.ibis.con.sql(query).to_arrow_table()

    @contextmanager
    def readable_errors(self) -> Iterator[None]:
        """Turn an error of the engine into one that the user can act on."""
        try:
            yield
        except GpuplanError:
            raise
        except Exception as error:
            if type(error).__name__ == "InterruptException" or "Query interrupted" in str(error):
                # DuckDB takes Ctrl-C for an error of its own.
                raise KeyboardInterrupt from error
            hint = _hint_of(error, is_spark=self.is_spark)
            if not hint:
                raise
            is_gone = "RETRIES_EXCEEDED" in str(error)
            what = (
                "the server does not answer any more"
                if is_gone
                else f"the engine gave up: {self.address.error_text(error)}"
            )
            raise EngineError(what, hint=hint, where=f"--engine {self.address.shown}") from error

    def table_there(self, name: str) -> IbisTable:
        """Return a table of the warehouse by its name, ``catalog.schema.table``."""
        *where, table = name.split(".")
        remote: IbisTable = self.warehouse.table(table, database=tuple(where) if len(where) > 1 else where[0])
        return remote

    def fetch(self, name: str, columns: Sequence[str], target: Path) -> None:
        """Write some columns of a warehouse's table into a Parquet file, a batch of rows after the other.

        Raises
        ------
        EngineError
            The warehouse gave up.
        """
        import pyarrow.parquet as pq

        wanted = self.table_there(name).select(*columns)
        try:
            with pq.ParquetWriter(target, wanted.schema().to_pyarrow()) as file:
                for batch in self.warehouse.to_pyarrow_batches(wanted):
                    file.write_batch(batch)
        except Exception as error:  # each client's own
            raise EngineError(f"the table cannot be fetched: {self.address.error_text(error)}", where=name) from error

    def put(self, name: str, types: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
        """Make a small table known to the engine.

        Parameters
        ----------
        name : str
            Of the table.
        types : mapping of str to str
            Columns and what they hold: ``int64``, ``uint64`` (not on Spark), ``float64``, ``string``.
        rows : sequence of sequence
            Some hundreds. Handing over an Arrow table would import pandas, which takes longer than the rows do.
        """
        if self.spark is not None:
            schema = ", ".join(f"`{column}` {SPARK_TYPES[kind]}" for column, kind in types.items())
            self.spark.createDataFrame([tuple(row) for row in rows], schema).createOrReplaceTempView(name)
            return
        columns = ", ".join(f'"{column}" {DUCKDB_TYPES[kind]}' for column, kind in types.items())
        self.ibis.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" ({columns})')
        if rows:
            places = ", ".join("?" for _ in types)
            self.ibis.con.executemany(f'INSERT INTO "{name}" VALUES ({places})', [list(row) for row in rows])

    def keep(self, name: str, expression: IbisTable) -> IbisTable:
        """Run an expression once and keep its rows with the engine, in memory or (DuckDB) where there is no room on disk.

        Raises
        ------
        EngineError
            The engine gave up.
        """
        import ibis

        query = self.ibis.compile(expression)
        with self.readable_errors():
            if self.spark is not None:
                self.spark.sql(query).persist().createOrReplaceTempView(name)
            else:
                self.ibis.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')
        kept: IbisTable = ibis.table(expression.schema(), name=name)
        return kept

    def let_go(self, kept: IbisTable) -> None:
        """Free what `keep` has kept here; a cluster frees it when its session ends."""
        if self.spark is None:
            self.ibis.con.execute(f'DROP TABLE "{kept.get_name()}"')

    def hash_of(self, *columns: IbisColumn) -> IbisColumn:
        """Return 64 bits that are equal where all columns are equal (Ibis' own hash has 32 bits on Spark)."""
        # One argument a column: a row of columns as one argument costs DuckDB three times as much.
        mark: IbisColumn = self._builtin("xxhash64" if self.is_spark else "hash", self.mark_type, *columns)
        return mark

    @property
    def mark_type(self) -> str:
        """What `hash_of` returns."""
        return "int64" if self.is_spark else "uint64"

    def seconds_of(self, column: IbisColumn) -> IbisColumn:
        """Return a time in whole seconds since 1970 (UTC; a time without zone is taken for UTC).

        Ibis' own way goes through a time without zone, which costs DuckDB forty times as much.
        """
        time: Any = column.cast("timestamp('UTC')") if self.is_spark else column
        micros: Any = self._builtin("unix_micros" if self.is_spark else "epoch_us", "int64", time)
        seconds: IbisColumn = (micros // 1_000_000).cast("int64")
        return seconds

    def _builtin(self, name: str, kind: str, *columns: Any) -> object:
        """Call a function of the engine's own."""
        import inspect

        import ibis

        def call(*_: Any) -> None:
            """Stand for the engine's function, which has a body of its own."""

        names = [f"c{number}" for number in range(len(columns))]
        by_position = inspect.Parameter.POSITIONAL_OR_KEYWORD
        call.__signature__ = inspect.Signature([inspect.Parameter(parameter, by_position) for parameter in names])  # type: ignore[attr-defined]  # functions may have one
        function: Any = ibis.udf.scalar.builtin(
            call, name=name, signature=(tuple(column.type() for column in columns), kind)
        )
        return function(*columns)

    def close(self) -> None:
        """Leave the engine; a cluster goes on running."""
        with suppress(Exception):  # a server that is gone cannot be told that we go
            if self.spark is not None:
                self.spark.stop()
            else:
                self.ibis.disconnect()


def connect(uri: str | None = None) -> Engine:
    """Open an engine.

    Parameters
    ----------
    uri : str or None
        See `read_address`.

    Raises
    ------
    EngineError
        An address that cannot be read, a client that is not installed, a server that does not answer.
    """
    address = read_address(uri)
    start = time.perf_counter()
    match address.kind:
        case "spark":
            return _spark(address, start)
        case "warehouse":
            return _warehouse(address, start)
        case _:
            return _duckdb(address, start)


def _warehouse(address: EngineAddress, start: float) -> Engine:
    """Open DuckDB with a warehouse beside it; Trino's client asks nothing before its first query."""
    import ibis

    parts = urlsplit(address.uri)
    catalog, _, schema = parts.path.strip("/").partition("/")
    try:
        if parts.scheme == "trino":
            # A password goes over TLS alone.
            host = f"https://{address.host}" if parts.password else address.host
            warehouse = ibis.trino.connect(
                user=unquote(parts.username or "gpuplan"), auth=unquote(parts.password) if parts.password else None, host=host,
                port=address.port or (443 if parts.password else 8080), database=catalog or None, schema=schema or None, source="gpuplan",
            )  # fmt: skip
        else:
            warehouse = ibis.connect(address.uri)
    except ImportError as error:
        hint = f"pip install 'ibis-framework[{parts.scheme}]'"
        raise EngineError(f"the client of {parts.scheme} is not installed", hint=hint, where="--engine") from error
    except Exception as error:  # each client's own
        raise EngineError(
            f"the warehouse cannot be opened: {address.error_text(error)}", where=f"--engine {address.shown}"
        ) from error
    return replace(_duckdb(read_address(None), start), address=address, warehouse=warehouse)


def _duckdb(address: EngineAddress, start: float) -> Engine:
    import duckdb
    import ibis

    if address.path and not Path(address.path).resolve().parent.is_dir():
        raise EngineError("the folder of DuckDB's file does not exist", where=address.path)
    options: dict[str, Any] = {DUCKDB_SETTINGS[name]: value for name, value in address.settings.items()}
    if "threads" in options:
        options["threads"] = max(1, int(options["threads"]))
    try:
        backend = ibis.duckdb.connect(address.path or ":memory:", **options)
    except duckdb.Error as error:
        raise EngineError(f"DuckDB cannot be opened: {error}", where=f"--engine {address.shown}") from error
    backend.raw_sql("SET TimeZone = 'UTC'")
    # Rows of a bill have no order of their own, and keeping one costs memory.
    backend.raw_sql("SET preserve_insertion_order = false")
    # Its bar would be drawn on standard output, which is for data.
    backend.raw_sql("SET enable_progress_bar = false")
    return Engine(address=address, ibis=backend, start_s=time.perf_counter() - start)


def _spark(address: EngineAddress, start: float) -> Engine:
    import ibis
    import pyspark
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession as RemoteSession

    _refuse_unless_answered(address)
    session: Any = None
    try:
        # `create`, and not `getOrCreate`: a session whose server is gone must not come back.
        session = RemoteSession.builder.remote(address.uri).create()
        version = str(session.version)
        # Half a minute for a server that is gone, instead of ten.
        session.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES)])
        session.conf.set("spark.sql.session.timeZone", "UTC")
        backend = ibis.pyspark.connect(session)
    except Exception as error:
        # gRPC's and Spark's own errors have no common ancestor.
        if session is not None:  # else Spark's client takes it for the active one, and asks it again and again
            session.release_session_on_close = False
            session.stop()
        raise EngineError(
            f"Spark Connect does not answer as it should: {address.error_text(error)}",
            hint=REFUSED_HINT if "UNAUTHENTICATED" in str(error) else "",
            where=f"--engine {address.shown}",
        ) from error
    notes: tuple[Note, ...] = ()
    if version.split(".")[:2] != pyspark.__version__.split(".")[:2]:
        notes = (Note(NoteCode.OTHER_SPARK, (version, pyspark.__version__)),)
    return Engine(address=address, ibis=backend, spark=session, start_s=time.perf_counter() - start, notes=notes)


def _refuse_unless_answered(address: EngineAddress) -> None:
    """Say at once that nothing listens, or nothing that speaks gRPC; Spark's own client tries for ten minutes."""
    import grpc  # type: ignore[import-untyped]  # has no types
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        with socket.create_connection((address.host, address.port), timeout=ANSWER_TIMEOUT_S):
            pass
        with DefaultChannelBuilder(address.uri).toChannel() as channel:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_TIMEOUT_S)
    except (OSError, grpc.FutureTimeoutError, PySparkException) as error:
        why = (
            "what listens there speaks no gRPC"
            if isinstance(error, grpc.FutureTimeoutError)
            else address.error_text(error)
        )
        raise EngineError(
            f"no engine answers at {address.host}:{address.port}: {getattr(error, 'strerror', None) or why}",
            hint="start it (a local one to try: scripts/engine start), or leave --engine away",
            where=f"--engine {address.shown}",
        ) from error


def _hint_of(error: Exception, *, is_spark: bool) -> str:
    """Return the way out of what an engine ran into; nothing for what must be a bug of ours (a query it refuses)."""
    name = type(error).__name__
    if is_spark:
        if "UNAUTHENTICATED" in str(error):
            return REFUSED_HINT
        is_ours = name in {"AnalysisException", "ParseException", "TypeError", "AttributeError", "AssertionError"}
        return "" if is_ours else "see the server's own log; is it still there, and does it see the files?"
    match name:
        case "OutOfMemoryException":
            return "give it more: --engine 'duckdb:?memory=4GB', or a folder for what does not fit (TMPDIR)"
        case "IOException" | "HTTPException" | "PermissionException":
            return "see the disk, and whether the files are still there"
        case "InvalidInputException" | "ConversionException" | "InvalidConfigurationException":
            return "a file holds what its header does not say, or its lines end in different ways; give the files one by one to find it"
        case _:
            return ""
