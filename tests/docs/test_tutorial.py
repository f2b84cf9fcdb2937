"""The tutorial is run, command by command, and says what the program says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from planner.cli import main
from tests.conftest import EXAMPLES, ROOT

TYPO = """kind: finetune
model: llama-3.1-8b
finetune:
  tokens_mm: 50
  deadline_hours: -3
  tokens_m: 50
"""


def _blocks() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = []
    for block in re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            blocks.append((command, output))
    return blocks


def _says(wanted: str, said: str) -> bool:
    """Compare without regard to white space; ``...`` stands for anything, nothing too."""
    text = "".join(said.split())
    parts = ["".join(part.split()) for part in wanted.split("...")]
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    start = len(first)
    for part in middle:
        found = text.find(part, start)
        if found < 0:
            return False
        start = found + len(part)
    return text.startswith(first) and text.endswith(last) and len(text) - len(last) >= start


@pytest.mark.slow
def test_every_command_of_the_tutorial_says_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.yaml").write_text(TYPO)
    shutil.copy(EXAMPLES / "scenario-8x-h100.yaml", tmp_path)
    blocks = _blocks()
    assert len(blocks) > 8
    for command, wanted in blocks:
        words = shlex.split(command)
        assert words[0] == "gpuplan"
        status = main(words[1:])
        captured = capsys.readouterr()
        said = captured.err if wanted.startswith(("error", "edit")) else captured.out
        # Hints of an error are left to the program: the tutorial shows the fault.
        said = said.split("\n  hint:")[0] + "\n" if wanted.startswith("error") else said
        assert status == (2 if wanted.startswith("error") else 0), command
        assert _says(wanted, said), f"{command}\n{said}"


@pytest.mark.slow
def test_the_generated_pages_are_up_to_date() -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "scripts/make_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run scripts/make_docs.py: {done.stdout}{done.stderr}"


def test_no_link_of_the_documents_leads_nowhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
