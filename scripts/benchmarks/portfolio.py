"""A portfolio of 1,000, 10,000 and 100,000 workloads against the whole catalogue, by one worker and by two.

Each run is a process of its own, as a user starts it. The start (imports, catalogue) and that of the workers are told apart:
they are measured with one workload.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from portfolio_tables import COLUMNS, portfolio_rows

ROOT = Path(__file__).resolve().parents[2]

COUNTS = (1_000, 10_000, 100_000)
SHAPES = 300


def _table(path: Path, count: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(portfolio_rows(count, shapes=SHAPES))
    return path


def _run(table: Path, workers: int) -> tuple[float, dict[str, Any]]:
    """Return the seconds of a whole run, and what it tells of its work."""
    target = table.with_suffix(f".{workers}.parquet")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "planner", "plan", str(table), "-o", str(target), "--workers", str(workers), "-f", "json", "--quiet"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    took = time.perf_counter() - began
    record: dict[str, Any] = json.loads(done.stdout)
    assert record["workloads"] == sum(record["statuses"].values())
    return took, record["work"]


def measure() -> Iterator[tuple[str, str, str]]:
    """Plan tables of growing size."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cold, _ = _run(_table(place / "one.csv", 1), 1)
        yield "start of the program, and one workload", f"{cold:.1f} s", ""
        for count in COUNTS:
            table = _table(place / f"{count}.csv", count)
            took: dict[int, float] = {}
            for workers in (1, 2):
                took[workers], work = _run(table, workers)
                name = f"{count:,} workloads, {workers} worker{'s' * (workers > 1)}"
                goal = "under 60 s on two cores" if (count, workers) == (COUNTS[-1], 2) else ""
                yield name, f"{took[workers]:.1f} s", goal
                yield (
                    "  processor seconds of the work, a workload",
                    f"{work['core_s'] / count * 1e3:.2f} ms",
                    "flat or falling",
                )
                yield "  options weighed a second", f"{work['evaluations'] / work['work_s']:,.0f}", ""
            yield (
                f"  {work['shapes']:,} shapes: processor time of one",
                f"{work['core_s'] / work['shapes'] * 1e3:.0f} ms",
                "",
            )
            yield "  two workers over one", f"{took[1] / took[2]:.2f} x", "1.6 x or more for 100,000"
            yield "  read, and put together", f"{work['read_s']:.1f} s + {work['rest_s']:.1f} s", ""
