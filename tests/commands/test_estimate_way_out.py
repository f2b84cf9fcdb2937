"""A refusal tells the way out that fits its cause."""

from __future__ import annotations

import re
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
    assert "leaves 21.7 GB of each" in told
    assert "try more accelerators" in told
    assert "perf.engine_memory_share" in told


def test_what_is_needed_is_more_than_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = _told(tmp_path, capsys, "l4:2")
    figures = re.search(
        r"needs ([\d.]+) GB.*weights ([\d.]+), .* tokens ([\d.]+), .* itself ([\d.]+)\); .* leaves ([\d.]+) GB", told
    )
    assert figures is not None
    needed, *parts, left = map(float, figures.groups())
    assert needed > left
    assert needed == pytest.approx(sum(parts), abs=0.2)


def test_who_states_four_bits_is_not_told_to_take_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workload = tmp_path / "w.yaml"
    workload.write_text(SERVE.replace("fp8", "int4"), encoding="utf-8")
    assert main(["estimate", str(workload), "--on", "l4:1"]) == 3
    assert "smaller number format" not in capsys.readouterr().err
