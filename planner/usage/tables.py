"""Tables of a catalog, which an engine knows by name (``catalog.schema.table``)."""

from __future__ import annotations

import re
from pathlib import Path

from planner.engine import Engine
from planner.usage.faults import UsageError
from planner.usage.sources import Source

NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*){1,2}")


def is_table_name(text: str) -> bool:
    """Say whether a text is the name of a table, and no file.

    Examples
    --------
    >>> is_table_name("main.billing.focus"), is_table_name("bill"), is_table_name("/data/bill.csv")
    (True, False, False)
    """
    return NAME.fullmatch(text) is not None and not Path(text).exists()


def quoted_table(name: str, *, is_spark: bool) -> str:
    """Return a table's name as the engine's SQL has it.

    Examples
    --------
    >>> quoted_table("main.billing.focus-2026", is_spark=True)
    '`main`.`billing`.`focus-2026`'
    """
    mark = "`" if is_spark else '"'
    return ".".join(f"{mark}{part}{mark}" for part in name.split("."))


def table_source(engine: Engine, name: str) -> Source:
    """Return a table of the engine's as a source; its kind is empty, as that of a file before its header is read.

    Raises
    ------
    UsageError
        The engine knows no such table, or may not read it.
    """
    query = f"SELECT * FROM {quoted_table(name, is_spark=engine.is_spark)} LIMIT 0"
    try:
        if engine.warehouse is not None:
            schema = engine.table_there(name).schema().to_pyarrow()
        elif engine.is_spark:
            schema = engine.spark.sql(query).toArrow().schema
        else:
            schema = engine.ibis.con.sql(query).to_arrow_table().schema
    except Exception as error:  # each engine's own
        raise UsageError(f"the engine cannot read this table: {engine.address.said(error)}", where=name) from error
    return Source(name=name, path=name, form="table", columns=tuple(schema.names), kind="", schema=schema)
