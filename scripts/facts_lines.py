"""Lines of the surveyed tables; used by make_facts.py."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

from pricing.facts.accelerator_rows import Accelerator
from pricing.tables import read_facts

SURVEYED_ON = date(2026, 11, 21)
"""The day on which the tables without a date of their own were written."""

Line = dict[str, str]


def stated_accelerators() -> set[str]:
    """Return the names of the tables that are kept by hand; families with an unknown form factor have no quotes."""
    return {
        row.name for name in ("accelerators.csv", "accelerators_by_hand.csv") for row in read_facts(Accelerator, name)
    }


def number(cell: str) -> float | None:
    return float(cell) if cell else None


INDEX_NUMBER = re.compile(r"(?:code index (?:files? )?)?\b[4-9]\d{9,10}\b")
"""The surveyor's own file numbers, which lead nowhere for anyone else."""


def lines_of(folder: Path, name: str) -> list[Line]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return [
            {key: INDEX_NUMBER.sub("public code", cell) for key, cell in line.items()} for line in csv.DictReader(file)
        ]
