"""A refusal tells the way out that fits its cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.cli import main

SERVE = """\
kind: serve
model: llama-3.1-70b
precision: fp8
serve: {requests_per_s: 20, input_tokens: 2000, output_tokens: 300}
"""


def _told(tmp_path: Path, capsys: pytest.CaptureFixture[str], machine: str) -> str:
    workload = tmp_path / "w.yaml"
    workload.write_text(SERVE, encoding="utf-8")
    assert main(["estimate", str(workload), "--on", machine]) == 3
    return capsys.readouterr().err


def test_a_format_that_the_chip_lacks_is_answered_with_those_that_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = _told(tmp_path, capsys, "v100-32gb-sxm:8")
    assert "8 x V100-32GB-SXM does not compute in fp8" in told
    assert "computes in fp16" in told


def test_too_little_memory_is_answered_with_more_accelerators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = _told(tmp_path, capsys, "l4:1")
    assert "24 GB" in told
    assert "try more accelerators" in told
