"""The page "Use it from Python" is run, and importing the packages stays cheap."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

import planner
import pricing
from tests.conftest import ROOT

HEAVY = {"numpy", "pandas", "pydantic", "duckdb", "planner.plan", "pricing.catalog"}


@pytest.mark.slow
def test_every_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    plan, options = names["plan"], names["options"]
    assert capsys.readouterr().out.startswith(("rent ", "buy ", "api "))
    assert list(options.loc[options["is_chosen"], "id"]) == [plan.verdict.option_id]
    assert len(options) == len(plan.options)
    assert len(names["offers"]) == len(names["europe"])


def test_importing_the_packages_loads_nothing_heavy() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, planner, pricing; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert not HEAVY & set(said.split())


@pytest.mark.parametrize("package", [planner, pricing])
def test_every_public_name_is_there_and_no_other(package: Any) -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
