"""What `server` and `breakeven` are made of: items that add up, and every value in force."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from planner.cli import gpuplan
from tests.conftest import ROOT

SCENARIO = str(ROOT / "examples" / "scenario-8x-h100.yaml")
SERVER = ("server", "h100-sxm:8", "--provider", "lambda", "--as-of", "2026-11-21")


def _said(*words: str) -> str:
    result = CliRunner().invoke(gpuplan, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


def _record(*words: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(_said(*words, "-f", "json"))
    return record


def test_items_of_an_owned_server_add_up_to_its_cost_without_a_discount_rate() -> None:
    record = _record(*SERVER, "--set", "money.discount_rate_share_per_year=0")
    whole = sum(record["components_usd"].values())
    assert record["curve"][-1]["own_usd_per_gpu_hour"] == pytest.approx(whole / (8 * 730 * 36))
    assert record["components_usd"]["servers"] == record["server"]["price_usd"]


def test_a_server_tells_the_assumptions_that_it_rests_on_and_no_others() -> None:
    record = _record(*SERVER, "--set", "own.life_months=48")
    names = {row["name"]: row for row in record["assumptions"]}
    assert names["own.life_months"]["overridden"]
    assert {
        "money.discount_rate_share_per_year",
        "site.colocation.support_share_per_year",
        "own.selling_cost_share",
    } <= set(names)
    assert not [name for name in names if name.startswith(("serve.", "rent.", "evidence.", "site.home."))]


def test_a_server_shows_its_items_and_explains_its_assumptions_when_asked() -> None:
    short, long = _said(*SERVER), _said(*SERVER, "--explain")
    assert "The cost of owning, item by item" in short
    assert "own.selling_cost_share" not in short
    assert "own.selling_cost_share" in long


def test_a_scenario_explains_every_value_and_its_years_add_up() -> None:
    record = _record("breakeven", SCENARIO)
    inputs = {each["name"]: each for each in record["inputs"]}
    assert (inputs["buy.capex_usd"]["is_default"], inputs["money.tax_share"]["is_default"]) == (False, True)
    for side in ("rent", "buy"):
        for month in record[side]["by_month"]:
            assert sum(month["components_usd"].values()) == pytest.approx(month["cost_usd"])
    said = _said("breakeven", SCENARIO, "--explain")
    assert "money.depreciation_years" in said
    assert "Owning, year by year" in said
    assert "Values in force" not in _said("breakeven", SCENARIO)


def test_the_risk_of_a_scenario_is_told_of_the_verdict_that_it_has() -> None:
    ranges = str(ROOT / "examples" / "scenario-ranges.yaml")
    record = _record("breakeven", ranges, "--draws", "2000")
    said = " ".join(_said("breakeven", ranges, "--draws", "2000").split())
    risk = record["risk"]
    assert record["recommendation"] == "rent"
    assert risk["saving_p50_usd"] < 0
    # Knowing all saves what the side that is cheaper on average costs above the cheaper side of each draw.
    assert risk["value_of_knowing_usd"] == min(risk["regret_usd"].values())
    assert f"perfect information is worth, if you would buy {risk['value_of_knowing_usd']:,.0f} USD" in said
    assert f"in the median draw owning costs {-risk['saving_p50_usd']:,.0f} USD more" in said
    saved_usd = risk["regret_usd"]["rent"] - risk["regret_usd"]["buy"]
    assert saved_usd > 0
    assert f"on average owning saves {saved_usd:,.0f} USD" in said
    gap_usd = record["buy"]["present_value_usd"] - record["rent"]["present_value_usd"]
    assert f"costs {gap_usd:,.0f} USD more (NPV)" in said
    assert "Paid up to the end of a month, not discounted" in said
