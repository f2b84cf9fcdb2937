"""The result's columns, and parts of it as files that land whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planner.errors import PlanningError

COLUMNS: Mapping[str, str] = {
    "row": "BIGINT",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "needs_gpu": "BOOLEAN",
    "choice": "VARCHAR",
    "option_id": "VARCHAR",
    "provider": "VARCHAR",
    "region": "VARCHAR",
    "instance_type": "VARCHAR",
    "accelerator": "VARCHAR",
    "accelerators_total_count": "DOUBLE",
    "instance_count": "BIGINT",
    "purchase_option": "VARCHAR",
    "runs_once": "BOOLEAN",
    "present_value_usd": "DOUBLE",
    "total_usd": "DOUBLE",
    "usd_per_month": "DOUBLE",
    "hours_per_run": "DOUBLE",
    "runner_up_id": "VARCHAR",
    "runner_up_present_value_usd": "DOUBLE",
    "break_even_month": "DOUBLE",
    "basis": "VARCHAR",
    "priced_on": "DATE",
}
"""Columns of an answer and their types in SQL."""


class PortfolioError(PlanningError):
    """A portfolio's work that cannot go on: a folder that cannot be written, a full disk."""

    code = "portfolio"


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
            hint="what is done is kept; make room and run the same command again to continue from there",
        ) from error


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as lines of JSON, whole or not at all; see `land`."""
    land(path, "".join(f"{json.dumps(row, default=str)}\n" for row in rows).encode())
