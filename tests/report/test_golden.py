"""Golden files: each form of one plan, kept where a reader can open it.

The plan is the one of plain GPU hours, so that the files move with prices and reports alone, not with the model of speed.
Write them anew with GPUPLAN_UPDATE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from planner.commands.output import trimmed
from planner.plan import Plan
from planner.report.explained import explained
from planner.report.markdown import markdown
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord
from planner.report.terminal import render
from planner.report.values import json_text, options_csv
from planner.report.view import plan_view

GOLDEN = Path(__file__).parent.parent / "golden"


def _terminal(record: PlanRecord, width: int) -> str:
    buffer = io.StringIO()
    render(plan_view(record, top=5), Console(file=buffer, width=width, no_color=True))
    return trimmed(buffer)


def _explained(record: PlanRecord) -> str:
    buffer = io.StringIO()
    table = explained(record, record["verdict"]["option_id"])
    render(plan_view(record, top=5), Console(file=buffer, width=100, no_color=True), explained=table)
    return trimmed(buffer)


FORMS: dict[str, Callable[[PlanRecord], str]] = {
    "plan-80-columns.txt": lambda record: _terminal(record, 80),
    "plan-110-columns.txt": lambda record: _terminal(record, 110),
    "plan-explained.txt": _explained,
    "plan.md": lambda record: markdown(plan_view(record, top=5)),
    "plan.csv": options_csv,
    "plan.json": json_text,
}


def _read(text: str) -> str:
    """Round what has more than ten digits: processors differ in the last ones of a sum."""
    return re.sub(r"-?\d+\.\d{7,}(e[+-]?\d+)?", lambda match: f"{float(match[0]):.10g}", text)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_each_form_is_as_it_was_last_looked_at(name: str, plan_of: Callable[[str], Plan]) -> None:
    text = FORMS[name](plan_record(plan_of("gpu-hours-h100"), top=5))
    path = GOLDEN / name
    if os.environ.get("GPUPLAN_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert _read(text) == _read(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_table_of_80_columns_stays_within_them(plan_of: Callable[[str], Plan]) -> None:
    for name in ("serve-llama-70b", "pretrain-7b", "diffusion-sdxl"):
        text = _terminal(plan_record(plan_of(name)), 80)
        assert max(len(line) for line in text.splitlines()) <= 80


def test_text_from_outside_stays_text(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=5)
    record["options"][0]["provider"] = "=cmd|' /C calc'!A0"
    record["options"][0]["instance_type"] = "<img src=x onerror=alert(1)>|[link](javascript:alert(1))"
    assert "'=cmd" in options_csv(record)
    document = markdown(plan_view(record, top=5))
    assert "<img" not in document.replace("\\<img", "")
    assert "](javascript" not in document.replace("\\](javascript", "")
    assert "\\|" in document


def test_the_view_rounds_every_form_alike(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=5)
    view = plan_view(record, top=5)
    money = view.options.rows[0][4]
    assert money in markdown(view)
    assert money in _terminal(record, 110)
