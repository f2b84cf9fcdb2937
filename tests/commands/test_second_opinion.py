"""``--second-opinion``: beside the figures, never in them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from planner.cli import main
from planner.report.schema import plan_schema
from tests.conftest import EXAMPLES

SERVE = str(EXAMPLES / "serve-llama-70b.yaml")
FAKE = """
from types import SimpleNamespace
def cli_estimate(model, system, **asked):
    return SimpleNamespace(backend_version="9.9", tokens_per_second_per_gpu=500.0, ttft=200.0, tpot=20.0, kv_cache_warning=None)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small module stand for the other program."""
    package = tmp_path / "aiconfigurator" / "cli"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (package / "api.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main([*words, "-f", "json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("installed")
def test_an_estimate_shows_it_beside_its_own_figures_and_changes_none(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("estimate", SERVE, "--on", "h100-sxm:8")
    plain, beside = _json(capsys, *words), _json(capsys, *words, "--second-opinion")
    opinion = beside.pop("second_opinion")
    assert plain == beside
    assert isinstance(opinion, dict)
    assert (opinion["engine"], opinion["theirs"]["tokens_per_s_per_gpu"]) == ("trtllm 9.9", 500.0)
    assert opinion["ratio"]["tpot_ms"] == pytest.approx(20.0 / opinion["ours"]["tpot_ms"])
    assert main([*words, "--second-opinion"]) == 0
    told = capsys.readouterr()
    assert "Second opinion: aiconfigurator" in told.out
    assert "asking aiconfigurator" in told.err


@pytest.mark.usefixtures("installed")
def test_a_plan_says_it_in_its_notes_and_keeps_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    plain, beside = _json(capsys, "plan", SERVE), _json(capsys, "plan", SERVE, "--second-opinion")
    assert not list(jsonschema.Draft202012Validator(plan_schema()).iter_errors(beside))
    assert plain["verdict"] == beside["verdict"]
    assert plain["options"] == beside["options"]
    assert "second_opinion" not in plain
    assert isinstance(beside["second_opinion"], dict)
    assert any("opinion" in note for note in beside["notes"])  # type: ignore[attr-defined]


@pytest.mark.skipif(importlib.util.find_spec("aiconfigurator") is not None, reason="aiconfigurator is installed")
def test_without_it_one_line_says_how_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "estimate", SERVE, "--on", "h100-sxm:8", "--second-opinion")
    assert isinstance(found["second_opinion"], dict)
    assert found["second_opinion"]["reason"] == "aiconfigurator is not installed; pip install 'gpuplan[aic]'"


def test_a_folder_of_workloads_has_no_second_opinion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(EXAMPLES), "--second-opinion"]) == 2
    assert "one workload at a time" in capsys.readouterr().err
