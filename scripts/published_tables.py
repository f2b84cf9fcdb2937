"""Run the published tables of a folder and print what came out right, wrong and refused."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from planner.assumptions import default_assumptions
from planner.errors import PlanningError
from tests.published.tables import check_table, table_kind


def main() -> int:
    arguments = argparse.ArgumentParser(prog="scripts/published", description=__doc__)
    arguments.add_argument("folder", type=Path, help="holds the tables (*.csv)")
    arguments.add_argument("--format", choices=("table", "json"), default="table")
    chosen = arguments.parse_args()
    if not chosen.folder.is_dir():
        print(f"{chosen.folder} is no folder", file=sys.stderr)
        return 2
    files = [result for path in sorted(chosen.folder.glob("*.csv")) if (result := check(path)) is not None]
    if not files:
        print(f"{chosen.folder} holds no table of a known shape", file=sys.stderr)
        return 2
    if chosen.format == "json":
        print(json.dumps({"schema_version": 1, "files": files}, indent=2))
    else:
        for file in files:
            show(file)
    return 1 if any(file["wrong"] for file in files) else 0


def check(path: Path) -> dict[str, Any] | None:
    """Return what came out for one table; None for a table of another shape."""
    kind = table_kind(path)
    if kind is None:
        return None
    if kind == "measured":
        return measured(path)
    rows = check_table(path)
    counts = Counter(row.verdict for row in rows)
    return {
        "file": path.name,
        "kind": kind,
        "rows": len(rows),
        **{verdict: counts[verdict] for verdict in ("right", "wrong", "refused")},
        "detail": [asdict(row) for row in rows],
    }


def measured(path: Path) -> dict[str, Any]:
    """Return how far predictions lie from measurements: there is no tolerance, so no row is wrong."""
    from planner.measured.verify import verify

    none = {"file": path.name, "kind": "measured", "rows": 0, "right": 0, "wrong": 0, "refused": 0}
    try:
        report = verify([path], default_assumptions()).record()
    except PlanningError as error:
        return {**none, "note": str(error)}
    (found,) = cast("list[dict[str, Any]]", report["files"])
    return {**none, **found, "file": path.name}


def show(file: dict[str, Any]) -> None:
    """Print one table's outcome, the rows that are not right one by one."""
    print(
        f"{file['file']}: {file['rows']} rows, {file['right']} right, {file['wrong']} wrong, {file['refused']} refused"
    )
    for name in ("median_abs_relative_error_share", "p90_abs_relative_error_share", "bias_share"):
        if file.get(name) is not None:
            print(f"  {name.removesuffix('_share').replace('_', ' ')}: {file[name]:.1%}")
    for row in file.get("detail", ()):
        if row.get("verdict") == "right" and not row.get("note"):
            continue
        if "verdict" not in row:
            continue
        error = "" if row["error_share"] is None else f", off by {row['error_share']:.2%}"
        note = f" ({row['note']})" if row["note"] else ""
        print(
            f"  {row['verdict']:7} {row['id']} {row['formula']}: {row['computed']} for {row['expected']}{error}{note}"
        )


if __name__ == "__main__":
    sys.exit(main())
