"""The page as a file: everything in it, nothing from outside, nothing that came from outside believed."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.plan import Plan
from planner.report.page.document import ENGINE, asset, page, policy
from planner.report.record import plan_record

ASSETS = Path(__file__).parents[2] / "planner" / "report" / "assets"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)> =cmd|' /C calc'!A0 \u2028"

CODES = {"buy_id", "code", "id", "kind", "option_id", "rent_id", "site"}
"""Keys of the record whose texts are our own, and looked up."""


def payload(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="plan">(.*?)</script>', text, re.DOTALL)
    assert found
    return dict(json.loads(found.group(1)))


def test_the_page_asks_for_nothing_from_anywhere(plan_of: Callable[[str], Plan]) -> None:
    text = page(plan_record(plan_of("gpu-hours-h100")))
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"<(?:script|img|link|iframe|object|video|audio|source)[^>]+(?:src|href)=", markup)
    security = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert security
    rules = html.unescape(security.group(1))
    assert rules.startswith("default-src 'none'")
    assert "unsafe" not in rules
    assert "http" not in rules


def test_every_script_of_the_page_is_allowed_by_its_hash_and_no_other_is(plan_of: Callable[[str], Plan]) -> None:
    text = page(plan_record(plan_of("gpu-hours-h100")))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(scripts) == len(ENGINE) + 2
    assert html.unescape(text.split('Content-Security-Policy" content="', 1)[1].split('"', 1)[0]) == policy(
        scripts, styles
    )


def _hostile(value: Any, key: str = "") -> Any:
    """Return a record with hostile text behind every text that is no code."""
    if isinstance(value, dict):
        return {name: _hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hostile(inner, key) for inner in value]
    return value + HOSTILE if isinstance(value, str) and key not in CODES else value


def test_what_came_from_outside_stays_text(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=5)
    text, clean = page(_hostile(record)), page(record)
    for tag in ("<script", "<img", "</script"):
        assert text.count(tag) == clean.count(tag)
    assert payload(text)["headline"] == record["verdict"]["headline"] + HOSTILE


def test_a_plan_without_anything_to_compare_has_a_page_without_sliders(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=5)
    record["break_evens"] = []
    text = page(record)
    assert 'id="controls"' not in text
    assert payload(text)["rent"] is None


def test_a_plan_of_an_older_program_still_has_a_page(plan_of: Callable[[str], Plan]) -> None:
    record: Any = plan_record(plan_of("gpu-hours-h100"), top=5)
    for option in record["options"]:
        del option["book"], option["needed_share"]
    del record["runs_once"]
    assert html.escape(record["verdict"]["headline"]) in page(record)


@pytest.mark.parametrize(
    "name",
    [
        "pretrain-7b",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("serve-llama-70b-office", "diffusion-sdxl", "serve-small-cpu")
        ),
    ],
)
def test_each_kind_of_work_has_its_charts(name: str, plan_of: Callable[[str], Plan]) -> None:
    charts = payload(page(plan_record(plan_of(name))))["charts"]
    for spec in charts.values():
        assert spec["description"]
        assert spec["width"] == "container"
        assert all(rows for rows in spec["datasets"].values())
    assert {"paid", "speed", "tornado"} <= set(charts) | ({"speed"} if name == "diffusion-sdxl" else set())


def test_the_chart_engine_is_the_one_that_was_reviewed() -> None:
    sums = (ASSETS / "vega" / "SHA256SUMS").read_text().split()
    pinned = dict(zip(sums[1::2], sums[::2], strict=True))
    scripts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ASSETS / "vega").glob("*.js")}
    assert scripts == pinned
    assert {name.removeprefix("vega/") for name in ENGINE} == set(pinned)
    for name in pinned:
        licence = (ASSETS / "vega" / f"LICENSE-{name.removesuffix('.min.js')}.txt").read_text()
        assert "Redistribution and use in source and binary forms" in licence


def test_the_script_never_evaluates_text() -> None:
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", asset("page.js"))
