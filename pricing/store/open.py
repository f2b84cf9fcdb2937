"""Which store is meant: a file, a server, or the user's own by default."""

from __future__ import annotations

import os
from pathlib import Path

from pricing.store.engine import DuckDbEngine, Engine, PostgresEngine
from pricing.store.errors import StoreError

FILE_NAME = "prices.duckdb"


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
