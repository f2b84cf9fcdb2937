"""The tables that the package ships, as rows of text."""

from __future__ import annotations

import csv
from importlib import resources


def fact_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of ``planner/facts`` by its name, each by the names of its columns."""
    text = resources.files("planner").joinpath("facts", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
