"""A choice that smaller weights would make much cheaper is told; where nothing is gained, nothing is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.cli import main

SERVE = """kind: serve
model: llama-3.1-70b
precision: {precision}
serve: {{requests_per_s: 0.2, input_tokens: 500, output_tokens: 200}}
constraints: {{gpus: [h100], providers: [azure, hyperstack]}}
"""


def _notes(tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str) -> list[str]:
    path = tmp_path / "workload.yaml"
    path.write_text(SERVE.format(precision=precision), encoding="utf-8")
    assert main(["plan", str(path), "-f", "json"]) == 0
    notes: list[str] = json.loads(capsys.readouterr().out)["notes"]
    return [note for note in notes if "of the cost" in note]


def test_weights_of_16_bit_on_many_cards_are_told_to_fit_on_fewer_when_smaller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (note,) = _notes(tmp_path, capsys, "bf16")
    assert "H100" in note
    assert 0 < int(note.split("at ")[1].split("%")[0]) < 80


def test_who_allows_4_bit_weights_hears_of_nothing_smaller(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _notes(tmp_path, capsys, "[bf16, fp8, int8, int4]") == []
