"""The script that makes the bundled tables gives the same tables again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pricing.tables import facts_path

ROOT = Path(__file__).resolve().parents[2]
FACTS = ROOT.parent / "shared" / "facts"


@pytest.mark.skipif(not (FACTS / "offers.csv").is_file(), reason="the surveyed facts are not at hand")
def test_the_surveyed_facts_make_the_bundled_tables_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_facts.py"), "--facts", str(FACTS), "--into", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert "offers.csv" in made
    for name in made:
        assert (tmp_path / name).read_bytes() == facts_path(name).read_bytes(), name


def test_without_a_folder_of_facts_the_script_says_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_facts.py"), "--facts", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "holds no offers.csv" in done.stderr
    assert "Traceback" not in done.stderr
