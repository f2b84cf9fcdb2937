"""Two engines under one small interface: an embedded DuckDB file, and a PostgreSQL server.

A session is one transaction: it is written whole or not at all, and a reader sees the state before it or after it. A file is
opened, used and closed at once, because DuckDB lets one process write or many read, and a scheduler's refresh must never
find the file held open by a page.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pricing.errors import StoreBusyError, StoreError, StoreVersionError
from pricing.plain_text import without_secrets
from pricing.store.session import ADDED, INDEXES, SCHEMA_VERSION, TABLES, Session, _DuckDbSession, _PostgresSession

if TYPE_CHECKING:
    import duckdb

STORAGE_VERSION: Final = "v1.0.0"
"""File format of new stores: DuckDB 2.0's own default cannot be read by 1.x, this one can be read by every release since 1.0."""

WRITER_LOCK: Final = 0x67_70_75  # "gpu": the number under which writers queue on a PostgreSQL server


OTHER_FILE: Final = "is it a store of this program? name another file with --store"


_PROCESS_LOCKS: dict[str, threading.RLock] = {}
_PROCESS_LOCKS_GUARD = threading.Lock()
FILE_NAME = "prices.duckdb"


def no_store(uri: str) -> StoreError:
    """Return that nothing is there yet, and what fills it."""
    return StoreError("there is no store", hint="fill one: gpuplan prices refresh", where=uri)


def check_version(session: Session, where: str) -> None:
    """Refuse a store that this program would misread.

    Raises
    ------
    StoreVersionError
        Where the schema version is another one, or none is told.
    """
    versions = session.rows("select value from store_meta where name = 'schema_version'")
    version = versions[0][0] if len(versions) == 1 else "none"
    if version == str(SCHEMA_VERSION):
        return
    is_newer = version.isdigit() and int(version) > SCHEMA_VERSION
    hint = "install a newer gpuplan" if is_newer else "move the file away and refresh again; its rows are not touched"
    raise StoreVersionError(
        f"the store has schema version {version}, this program reads version {SCHEMA_VERSION}", hint=hint, where=where
    )


def _create_tables(session: Session, statements: Sequence[str]) -> None:
    for statement in statements:
        session.execute(statement)
    if not session.rows("select value from store_meta where name = 'schema_version'"):
        session.execute("insert into store_meta values ('schema_version', ?)", [str(SCHEMA_VERSION)])
        session.execute("insert into detail values (0, '', '')")


class DuckDbEngine:
    """A store in one file.

    Parameters
    ----------
    path : Path
        The file; made by `create`.
    wait_s : float
        How long to wait for another process that has the file open.
    """

    def __init__(self, path: Path, wait_s: float = 30.0) -> None:
        self.path = path
        self.uri = str(path)
        self.wait_s = wait_s
        # The file's lock is the process's, so threads of one process queue here.
        with _PROCESS_LOCKS_GUARD:
            self._lock = _PROCESS_LOCKS.setdefault(str(path.absolute()), threading.RLock())

    def exists(self) -> bool:
        """Return whether the file is there."""
        try:
            return self.path.exists()
        except (OSError, ValueError) as error:  # a name that no file can have
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(f"no store can be there: {reason}", where=f"{self.uri:.80}") from None

    def create(self) -> None:
        """Make the file whole under another name, then let it appear: no one meets half a store."""
        with self._lock:
            if self.exists():
                return
            import duckdb

            draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                draft.unlink(missing_ok=True)
                connection = duckdb.connect(str(draft), config={"storage_compatibility_version": STORAGE_VERSION})
                try:
                    _create_tables(_DuckDbSession(connection), TABLES)
                    connection.execute("checkpoint")  # on a full disk the one at the end fails without a word
                finally:
                    connection.close()
                draft.chmod(0o600)
                with suppress(FileExistsError):  # another process was faster: its store is as good
                    os.link(draft, self.path)
            except (OSError, duckdb.Error) as error:
                reason = getattr(error, "strerror", None) or _first_line(error)
                hint = "is the disk full?" if isinstance(error, duckdb.Error) else ""
                raise StoreError(f"cannot make the store: {reason}", hint=hint, where=self.uri) from error
            finally:
                for left in (draft, draft.with_name(f"{draft.name}.wal")):
                    with suppress(OSError):  # where the folder cannot be written, that has been said
                        left.unlink(missing_ok=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open the file read-only and close it at the end."""
        with self._connected(read_only=True) as connection:
            session = _DuckDbSession(connection)
            connection.begin()
            self._check(session)
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open the file alone, commit at the end, close it."""
        self.create()
        import duckdb

        with self._connected(read_only=False) as connection:
            session = _DuckDbSession(connection)
            self._check(session)
            connection.begin()
            try:
                session.execute(ADDED)
                yield session
                connection.commit()
            except (duckdb.OperationalError, duckdb.FatalException) as error:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise StoreError(
                    f"the store could not be written, and nothing of this landing was kept: {_first_line(error)}",
                    hint="is the disk full?",
                    where=self.uri,
                ) from error
            except BaseException:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise

    def held(self) -> AbstractContextManager[Any]:
        """Open the file for writing once: the sessions of this thread share it, and it is written out at the end."""
        return self._connected(read_only=False)

    def _check(self, session: Session) -> None:
        import duckdb

        try:
            check_version(session, self.uri)
        except duckdb.CatalogException as error:
            raise StoreVersionError(
                "the file is a DuckDB database, but no store of this program",
                hint="name another file with --store",
                where=self.uri,
            ) from error

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[Any]:
        import duckdb

        with self._lock:
            if not self.exists():
                raise no_store(self.uri)
            connection = self._open(read_only=read_only)
            try:
                yield connection
            except (duckdb.ProgrammingError, duckdb.IntegrityError):
                raise  # a wrong statement is a bug of ours
            except duckdb.Error as error:  # a block that fails its checksum is told by the bare class
                raise StoreError(
                    f"the store is damaged, or its disk is: {_first_line(error)}",
                    hint="put a copy of the file back, or move it away and refresh again: gpuplan prices refresh",
                    where=self.uri,
                ) from error
            finally:
                with suppress(duckdb.Error):  # a full disk fails the checkpoint again; the log beside the file stays
                    connection.close()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        give_up_at = time.monotonic() + self.wait_s
        config: dict[str, Any] = {} if read_only else {"storage_compatibility_version": STORAGE_VERSION}
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=config)
            except duckdb.IOException as error:
                text = str(error)
                if "lock" not in text.lower():
                    message = f"the store cannot be read: {_first_line(error)}"
                    raise StoreError(message, hint=OTHER_FILE, where=self.uri) from error
                if time.monotonic() > give_up_at:
                    message = f"another program has held the store for {self.wait_s:.0f} s: {_first_line(error)}"
                    raise StoreBusyError(message, hint="try again when it is done", where=self.uri) from error
                time.sleep(random.uniform(0.005, 0.03))  # noqa: S311 - jitter, so that two waiters do not march in step
            except duckdb.Error as error:
                message = f"the store cannot be opened: {_first_line(error)}"
                raise StoreError(message, hint=OTHER_FILE, where=self.uri) from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class PostgresEngine:
    """A store on a PostgreSQL server, for a team.

    Parameters
    ----------
    uri : str
        ``postgresql://user@host/database``; the password comes from the URI, ``PGPASSWORD`` or ``~/.pgpass``.
    """

    def __init__(self, uri: str) -> None:
        self._conninfo = uri
        self.uri = without_secrets(uri)

    def exists(self) -> bool:
        """Return whether the tables are there."""
        with self._connected() as connection:
            return bool(_PostgresSession(connection).rows("select to_regclass('store_meta')")[0][0])

    def create(self) -> None:
        """Make the tables and indexes; two programs that do it at once queue."""
        with self._connected() as connection:
            session = _PostgresSession(connection)
            session.execute(f"select pg_advisory_xact_lock({WRITER_LOCK})")
            _create_tables(session, (*TABLES, *INDEXES))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that reads one state."""
        if not self.exists():
            raise no_store(self.uri)
        with self._connected() as connection:
            session = _PostgresSession(connection)
            session.execute("set transaction isolation level repeatable read read only")
            check_version(session, self.uri)
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction behind the other writers; committed at its end."""
        if not self.exists():
            self.create()
        with self._connected() as connection:
            session = _PostgresSession(connection)
            session.execute(f"select pg_advisory_xact_lock({WRITER_LOCK})")
            check_version(session, self.uri)
            session.execute(ADDED)
            yield session

    def held(self) -> AbstractContextManager[Any]:
        """Keep nothing: a session of a server is opened fast."""
        return nullcontext()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import psycopg

        try:
            with psycopg.connect(self._conninfo, connect_timeout=10) as connection:
                connection.execute("set time zone 'UTC'")
                yield connection
        except psycopg.Error as error:
            raise StoreError(f"the PostgreSQL store failed: {self._without_password(error)}", where=self.uri) from None

    def _without_password(self, error: BaseException) -> str:
        """Return the server's words without the pieces of a password that libpq took for something else."""
        text = _first_line(error)
        login = self._conninfo.partition("//")[2].rpartition("@")[0]
        for piece in re.split("[:@/]", login.partition(":")[2]):
            text = text.replace(piece, "***") if piece else text
        return without_secrets(text)


Engine = DuckDbEngine | PostgresEngine
"""A place where sessions are had."""


def default_store() -> str:
    """Return the store of the user: ``GPUPLAN_STORE``, else a file in the user's data folder."""
    named = os.environ.get("GPUPLAN_STORE", "")
    if named:
        return named
    from platformdirs import user_data_path

    return str(user_data_path("gpuplan") / FILE_NAME)


def open_store(uri: str | None = None) -> Engine:
    """Return the store at an address; nothing is opened yet.

    Parameters
    ----------
    uri : str, optional
        A file, ``duckdb:///file``, or ``postgresql://user@host/database``; the user's own without it.

    Raises
    ------
    StoreError
        Where the address is of another kind.

    Examples
    --------
    >>> open_store("prices.duckdb").uri
    'prices.duckdb'
    >>> open_store("postgresql://planner:secret@db.example.org/prices").uri
    'postgresql://planner:***@db.example.org/prices'
    """
    address = uri or default_store()
    scheme, separator, rest = address.partition("://")
    if not separator:
        return DuckDbEngine(Path(address).expanduser())
    match scheme.lower():
        case "duckdb" | "file":
            return DuckDbEngine(Path("/" + rest.lstrip("/")) if rest.startswith("/") else Path(rest))
        case "postgresql" | "postgres":
            return PostgresEngine(address)
    raise StoreError(
        f"no store is known of the kind {scheme}", hint="name a file, or postgresql://user@host/database", where=address
    )
