#!/usr/bin/env python3
"""Write a seeded table of workloads: scripts/make_portfolio.py COUNT FILE.csv|FILE.parquet [--shapes N] [--seed N] [--folder]."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from portfolio_tables import COLUMNS, content, portfolio_rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="workloads")
    parser.add_argument("file", type=Path, help="table to write; with --folder, a folder with a file for each")
    parser.add_argument("--shapes", type=int, default=300, help="different shapes of work (300)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same table (1)")
    parser.add_argument("--folder", action="store_true", help="write JSON files in folders by team")
    asked = parser.parse_args()
    rows = portfolio_rows(asked.count, shapes=asked.shapes, seed=asked.seed)
    if asked.folder:
        for row in rows:
            place = asked.file / row["team"]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{row['id']}.json").write_text(json.dumps(content(row), indent=1))
    elif asked.file.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(list(rows)), asked.file)
    else:
        with asked.file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
