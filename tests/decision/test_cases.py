"""Bills on which a decision easily goes wrong, read from files and decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.assumptions import default_assumptions
from planner.decision import decide
from planner.engine.session import connect
from planner.report.decision import headline
from planner.usage.counters.hours import read_dcgm
from planner.usage.focus_bill import read_bill
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources
from planner.usage.summary import summarize
from pricing.catalog import load_bundled
from tests.usage.conftest import load_cases

CASES = load_cases().decision_cases()


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_decision_says_what_is_right(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    folder = load_cases().write_decision_case(case, tmp_path / "case")
    sources, faults = find_sources([str(folder)], folder=tmp_path)
    assert faults == []
    engine = connect("duckdb:?threads=1")
    try:
        bill = read_bill(engine, [one for one in sources if one.kind == "focus"], SkuReader(load_bundled().offers), folder=tmp_path)  # fmt: skip
    finally:
        engine.close()
    counters = [one for one in sources if one.kind == "dcgm"]
    usage = summarize(bill, [read_dcgm(counters, timezone="UTC")] if counters else [], load_bundled())
    found = decide(usage, load_bundled(), default_assumptions(), resamples=0)
    assert found.paid_usd_per_month == pytest.approx(case.paid_usd_per_month, rel=1e-3)
    owned = sum(part.gpus for gpu in found.gpus for part in gpu.parts if part.kind == "owned")
    assert found.saving_usd_per_month <= case.most_saved_usd_per_month
    assert case.owned_gpus[0] <= owned <= case.owned_gpus[1]
    said = headline(found).replace("Stop", "stop")
    assert [word for word in case.words if word not in said] == []
