"""Settings files: keys and values are checked, and a foreign folder steers nothing that matters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planner.cli import main
from tests.conftest import EXAMPLES, ROOT

PLAN = ["plan", str(EXAMPLES / "gpu-hours-h100.yaml"), "--top", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("horizn = 12", "did you mean horizon?"),
        ("provider = {a = 1}", "expected a list"),
        ("top = nan", "nan"),
        ("top = 1.5", "1.5"),
        ("top = true", "expected one value"),
        ("plan = 3", "no option is called plan"),
        ("as_of = 2026-13-01", "cannot read the settings"),
        ("horizon = [1, 2]", "expected one value"),
        ("quiet = 5", "expected true or false"),
        ('country = "DE"', 'country = ["DE"]'),
        ("[plan]\ntopp = 3", "did you mean top?"),
        ("[prices.refresh]\nprovidr = []", "did you mean provider?"),
        (f"top = {'9' * 5000}", "settings"),
        (f"x = {'[' * 5000}", "nested too deeply"),
    ],
)
def test_a_key_or_value_that_no_option_has_is_told_with_its_place(
    text: str, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "gpuplan.toml").write_text(f"# mine\n{text}\n", encoding="utf-8")
    assert main(PLAN) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "gpuplan.toml" in err


def test_a_settings_file_in_another_encoding_is_told_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "gpuplan.toml").write_bytes("# fine\n# Größe\n".encode("latin-1"))
    assert main(PLAN) == 2
    assert "gpuplan.toml, line 2: not UTF-8 text" in capsys.readouterr().err


def test_a_day_may_be_written_as_toml_writes_it(folder: Path) -> None:
    (folder / "gpuplan.toml").write_text("as_of = 2026-11-01\n")
    assert main(PLAN) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('output = "victim.txt"', PLAN),
        ('[plan]\noutput = "victim.txt"', PLAN),
        ('[web]\nhost = "0.0.0.0"', ["web"]),
        ('[web]\nallow_host = ["evil.example"]', ["web"]),
        ('store = "postgresql://h/x"', PLAN),
        ('engine = "sc://h"', PLAN),
        ('[prices.schedule]\ncommand = "/any/program"', ["prices", "schedule"]),
    ],
)
def test_the_file_of_a_folder_steers_nothing_that_matters_unless_the_user_trusts_it(
    text: str, words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = folder / "victim.txt"
    victim.write_text("mine")
    (folder / "gpuplan.toml").write_text(text)
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "unless you trust the folder" in err
    assert "trusted_folders" in err
    assert victim.read_text() == "mine"


def test_a_trusted_folder_may_set_everything_and_the_file_used_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "gpuplan" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"trusted_folders = ['{folder}']\n")
    try:
        (folder / "gpuplan.toml").write_text('output = "plan.md"\n')
        assert main(PLAN) == 0
    finally:
        config.unlink()
    assert (folder / "plan.md").is_file()
    assert f"settings: {config}, {folder / 'gpuplan.toml'}" in capsys.readouterr().err


def test_settings_of_commands_and_groups_reach_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "gpuplan.toml").write_text("[offers]\ntop = 1\nformat = 'csv'\n")
    assert main(["offers", "--gpu", "h100", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirect", "status"),
    [
        (">/dev/full", 2),
        (">&-", 2),
        ("<&-", 0),
        ("2>&-", 0),
        ("- <&-", 2),
    ],
)
def test_standard_streams_that_are_full_or_closed_are_told(redirect: str, status: int, tmp_path: Path) -> None:
    source = "" if redirect.startswith("-") else str(EXAMPLES / "gpu-hours-h100.yaml")
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -P -m planner plan {source} --top 1 {redirect}'],
        capture_output=True, text=True, cwd=tmp_path, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8:strict"])
def test_an_encoding_that_cannot_show_everything_costs_characters_and_not_the_answer(
    encoding: str, tmp_path: Path
) -> None:
    for words in (["assumptions"], ["diff", b"\xff", "x", "-f", "json"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "planner", *words],
            capture_output=True, cwd=tmp_path, check=False, env={**os.environ, "PYTHONIOENCODING": encoding},
        )  # fmt: skip
        assert done.returncode == (0 if words == ["assumptions"] else 2), done.stderr
        assert b"Traceback" not in done.stderr
