"""Paths that are no plain files, given where files are read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.cli import main
from tests.conftest import ROOT

WORKLOAD = str(ROOT / "examples" / "gpu-hours-h100.yaml")


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "X.csv"],
        ["plan", "X.yaml"],
        ["usage", "X.csv"],
        ["prices", "import", "X.csv", "--store", "s.duckdb"],
        ["prices", "status", "--store", "X.duckdb"],
        ["report", "X.json"],
        ["plan", WORKLOAD, "-o", "X.json"],
    ],
)
@pytest.mark.parametrize("name", ["n" * 300, "loop/x"])
def test_a_path_that_no_file_can_have_is_told_in_one_sentence(
    words: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    assert main([word.replace("X", name) for word in words]) == 2
    err = capsys.readouterr().err
    assert err.count("error: ") == 1
    assert "a bug of this program" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize("words", [["schema", "X"], ["plan", "X"], ["gpus", "X"], ["offers", "--gpu", "X"], ["X"]])
def test_an_endless_word_is_not_said_back_whole(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word.replace("X", "y" * 100_000) for word in words]) == 2
    assert len(capsys.readouterr().err) < 3000
