"""What binds is told with what its relief would bring; a job's curve of time against accelerator hours."""

from __future__ import annotations

import json

import pytest

from planner.cli import main
from tests.conftest import EXAMPLES


def _record(capsys: pytest.CaptureFixture[str], example: str, *more: str) -> dict[str, object]:
    assert main(["estimate", str(EXAMPLES / example), "-f", "json", *more]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_an_estimate_says_what_relieving_its_limit_would_bring(capsys: pytest.CaptureFixture[str]) -> None:
    gains = _record(capsys, "serve-llama-70b.yaml", "--on", "h100-sxm:8")["relief_speed_gain_share"]
    assert set(gains) == {"compute", "memory_bandwidth", "memory_size", "interconnect"}  # type: ignore[call-overload]
    assert all(gain >= -1e-9 for gain in gains.values())  # type: ignore[attr-defined]


def test_too_many_accelerators_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    many, enough = (_record(capsys, "serve-llama-70b.yaml", "--on", f"h100-sxm:{count}")["notes"] for count in (64, 8))
    assert any("over-provisioned" in note for note in many)  # type: ignore[attr-defined]
    assert not any("over-provisioned" in note for note in enough)  # type: ignore[attr-defined]


def test_no_accelerator_is_too_many_for_a_job_without_a_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    job = ["finetune", "--model", "llama-3.1-8b", "--method", "qlora", "--tokens", "20M"]
    for more, is_told in ([], False), (["--deadline-hours", "500"], True):
        assert main(["estimate", *job, *more, "--on", "rtx-3090:2", "-f", "json"]) == 0
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert any("over-provisioned" in note for note in notes) is is_told
        assert any("no deadline is stated; the run takes" in note for note in notes) is not is_told


def test_the_curve_of_a_job_falls_in_time_and_rises_in_accelerator_hours(capsys: pytest.CaptureFixture[str]) -> None:
    curve = _record(capsys, "pretrain-7b.yaml", "--on", "h100-sxm:64", "--curve")["curve"]
    hours, paid = ([point[key] for point in curve] for key in ("hours", "accelerator_hours"))  # type: ignore[attr-defined]
    assert hours == sorted(hours, reverse=True)
    assert paid[-1] > paid[0]
    assert sum(point["is_knee"] for point in curve) <= 1  # type: ignore[attr-defined]


def test_the_curve_is_shown_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", str(EXAMPLES / "pretrain-7b.yaml"), "--on", "h100-sxm:8", "--curve"]) == 0
    assert "Time against accelerator hours" in capsys.readouterr().out


def test_work_that_never_ends_has_no_curve(capsys: pytest.CaptureFixture[str]) -> None:
    record = _record(capsys, "serve-llama-70b.yaml", "--on", "h100-sxm:8", "--curve")
    assert record["curve"] == []
    assert any("no curve" in note for note in record["notes"])  # type: ignore[attr-defined]
