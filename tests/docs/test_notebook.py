"""The notebook among the examples runs from its first cell to its last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import EXAMPLES


@pytest.mark.slow
def test_the_notebook_runs() -> None:
    notebook = json.loads((EXAMPLES / "plan.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]  # what it prints is what it prints today
            exec("".join(cell["source"]), names)
    assert names["plan"].chosen.usd_per_month > 0
    assert not names["best"].empty
