"""One's own measured rows change what is estimated and planned on that accelerator, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.cli import main
from tests.conftest import EXAMPLES

SERVE = str(EXAMPLES / "serve-llama-70b.yaml")
HEADER = "id,block,kind,model,precision,gpu,n_gpus,tp,input_len,output_len,concurrency,load,framework,out_tok_s_total,quality\n"
ROW = "a1,mine,llm,llama-3.1-8b,bf16,H100-SXM,1,1,1000,500,32,closed loop at concurrency,vllm,1000,A\n"


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Return rows of an engine that runs slowly."""
    path = tmp_path / "my.csv"
    path.write_text(HEADER + ROW, encoding="utf-8")
    return str(path)


def _estimate(capsys: pytest.CaptureFixture[str], machine: str, *more: str) -> dict[str, object]:
    assert main(["estimate", SERVE, "--on", machine, "-f", "json", *more]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_slow_engine_of_ones_own_slows_the_estimate_on_that_accelerator_alone(
    own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = _estimate(capsys, "h100-sxm:8"), _estimate(capsys, "h100-sxm:8", "--calibration", own)
    assert after["performance"]["tokens_per_s"] < before["performance"]["tokens_per_s"]  # type: ignore[index]
    assert after["performance"]["basis"] == "measured_nearby"  # type: ignore[index]
    assert "calibrated on 1 of your own rows" in after["notes"][0]  # type: ignore[index]
    other, same = _estimate(capsys, "h200-sxm:8"), _estimate(capsys, "h200-sxm:8", "--calibration", own)
    assert other["performance"] == same["performance"]


@pytest.mark.slow
def test_the_plan_tells_what_ones_own_rows_changed(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", SERVE, "--calibration", own, "-f", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert any("of your own rows" in note for note in record["notes"])


def test_verify_compares_with_ones_own_calibration(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", own, "--calibration", own, "-f", "json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["files"][0]["bias_share"] == pytest.approx(0.0, abs=0.01)
    assert "of your own rows" in told.err


def test_a_calibration_file_that_is_none_is_an_input_to_be_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", SERVE, "--on", "h100-sxm:8", "--calibration", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err
