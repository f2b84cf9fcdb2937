"""The examples beside the documentation are read as it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from planner.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "usage"


@pytest.mark.parametrize(
    ("name", "options", "bases"),
    [
        ("bill.csv.gz", ["--rate", "EUR=1.25"], {("bill", "allocated")}),
        ("sacct.txt", ["--timezone", "Europe/Berlin"], {("slurm", "allocated")}),
        ("dcgm.csv", [], {("dcgm", "allocated"), ("dcgm", "present"), ("dcgm", "busy"), ("dcgm", "useful")}),
    ],
)
def test_an_example_is_read_whole(
    name: str, options: list[str], bases: set[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["usage", str(EXAMPLES / name), *options, "-f", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert not record["is_partial"]
    assert {(one["source"], one["basis"]) for one in record["measures"]} == bases


@pytest.mark.slow
def test_a_bill_is_read_without_pandas() -> None:
    code = (
        "import sys; from planner.cli import main; "
        f"assert main(['usage', {str(EXAMPLES / 'bill.csv.gz')!r}, '--rate', 'EUR=1.25', '-f', 'json', '--quiet']) == 0; "
        "print('pandas' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, cwd=ROOT
    )
    assert done.stderr.split()[-1] == "False"
