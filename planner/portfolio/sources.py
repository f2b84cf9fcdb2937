"""Sources: whether what was named on the command line is one workload or many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

TABLES = (".csv", ".csv.gz", ".tsv", ".parquet", ".xlsx")
"""Endings of tables."""
DOCUMENTS = frozenset({".yaml", ".yml", ".json"})
"""Endings of single workloads in a folder."""


def is_portfolio(sources: Sequence[str]) -> bool:
    """Tell whether any of the sources is a folder or a table of workloads.

    Examples
    --------
    >>> is_portfolio(["serve.yaml"]), is_portfolio(["jobs.csv"]), is_portfolio(["-"])
    (False, True, False)
    """
    return any(source.lower().endswith(TABLES) or (source != "-" and _is_folder(source)) for source in sources)


def _is_folder(source: str) -> bool:
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False
