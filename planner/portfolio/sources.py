"""Sources: whether what was named on the command line is one workload or many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["DOCUMENTS", "TABLES", "is_portfolio"]

TABLES = (".csv", ".csv.gz", ".tsv", ".parquet")
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
    return any(source.lower().endswith(TABLES) or (source != "-" and Path(source).is_dir()) for source in sources)
