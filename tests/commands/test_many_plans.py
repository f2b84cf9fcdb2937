"""Many plans in one answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.cli import main
from tests.conftest import ROOT


@pytest.mark.parametrize("ending", ["html", "xlsx"])
def test_more_plans_than_a_file_holds_are_refused_before_any_is_made(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("planner.commands.plan.planned", lambda *_, **__: pytest.fail("a plan was made"))
    workload, out = str(ROOT / "examples" / "gpu-hours-h100.yaml"), tmp_path / f"plans.{ending}"
    assert main(["plan", *[workload] * 13, "-o", str(out)]) == 2
    assert "holds at most 12 plans, 13 were asked for" in capsys.readouterr().err
    assert not out.exists()
