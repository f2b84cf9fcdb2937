"""The result's columns, and parts of it as Parquet files that land whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import PlanningError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "PortfolioError", "land", "part_table", "schema", "write_table"]

COLUMNS: Mapping[str, str] = {
    "row": "int64",
    "status": "string",
    "reason": "string",
    "needs_gpu": "bool",
    "choice": "string",
    "option_id": "string",
    "provider": "string",
    "region": "string",
    "instance_type": "string",
    "accelerator": "string",
    "accelerators_total_count": "float64",
    "instance_count": "int64",
    "purchase_option": "string",
    "runs_once": "bool",
    "present_value_usd": "float64",
    "usd_per_month": "float64",
    "hours_per_run": "float64",
    "runner_up_id": "string",
    "runner_up_present_value_usd": "float64",
    "break_even_month": "float64",
    "basis": "string",
    "priced_on": "date32",
}
"""Columns of an answer and their types in Parquet."""


class PortfolioError(PlanningError):
    """A portfolio's work that cannot go on: a folder that cannot be written, a full disk."""

    code = "portfolio"


def schema() -> pa.Schema:
    """Return the columns as Arrow has them."""
    import pyarrow as pa

    types = {
        "int64": pa.int64(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "float64": pa.float64(),
        "date32": pa.date32(),
    }
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])


def part_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return answers as a table, in the order of the input."""
    import pyarrow as pa

    ordered = sorted(rows, key=lambda row: int(row["row"]))
    return pa.Table.from_pylist([dict(row) for row in ordered], schema=schema())


def land(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all.

    Raises
    ------
    PortfolioError
        It cannot be written (no space, no right).
    """
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise PortfolioError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="what is done is kept; make room and run the same command again, it goes on from there",
        ) from error


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet, whole or not at all; see `land`."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    land(path, sink.getvalue().to_pybytes())
