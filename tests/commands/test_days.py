"""Days: an answer uses nothing of after --as-of and nothing older than --max-age, counts what it leaves out, and says so."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from pricing.catalog import load_bundled

EXAMPLES = Path(__file__).parents[2] / "examples"
NEWEST = ("--as-of", "2026-11-21")
"""A day on which every bundled fact is known; ages are counted from it."""


def _answer(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    assert main([*words, "-f", "json"]) == status
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def _workload(folder: Path, text: str) -> str:
    path = folder / "work.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "words",
    [
        *(["plan", str(path)] for path in sorted(EXAMPLES.glob("*-*.yaml")) if "scenario" not in path.name),
        ["plan", str(EXAMPLES / "portfolio")],
        ["server", "h100-sxm:8"],
        ["offers", "--gpu", "h100"],
        ["mix", "steady", "--gpu", "h100-sxm", "--mean-gpus", "8"],
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
@pytest.mark.parametrize("days", [("--as-of", "2020-01-01"), (*NEWEST, "--max-age", "0")], ids=["future", "old"])
def test_no_price_of_the_days_asked_for_is_data_missing(
    words: list[str], days: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    error = _answer(capsys, *words, *days, status=4)["error"]
    assert error["code"] == "no_prices"
    assert error["hint"]


@pytest.mark.slow
def test_a_plan_of_a_past_day_uses_nothing_of_later(capsys: pytest.CaptureFixture[str]) -> None:
    day = "2025-06-01"
    plan = _answer(capsys, "plan", str(EXAMPLES / "serve-llama-70b.yaml"), "--as-of", day)
    assert {option["kind"] for option in plan["options"]} >= {"rent", "buy"}
    assert max(option["priced_on"] for option in plan["options"]) <= day
    reasons = " ".join(each["reason"] for each in plan["dropped"])
    for facts in (
        "offers not known on",
        "server prices",
        "prices of single accelerators",
        "prices per token",
        "free tiers",
    ):
        assert facts in reasons
    assert any("assumptions dated after 2025-06-01 are used anyway" in note for note in plan["notes"])


@pytest.mark.slow
def test_a_filter_that_drops_nearly_every_offer_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", str(EXAMPLES / "serve-llama-70b.yaml"), *NEWEST, "--max-age", "90")
    plan = _answer(capsys, *words)
    offers = load_bundled().offers
    young = sum(offer.observed_on >= date(2026, 8, 23) for offer in offers)
    assert plan["verdict"]["headline"].startswith(
        f"Only {young:,} of {len(offers):,} offers have a price from the days asked for."
    )
    assert {"count": len(offers) - young, "reason": "offers not dated 2026-08-23 or later"} in plan["dropped"]
    assert min(option["priced_on"] for option in plan["options"]) >= "2026-08-23"
    for form in ("table", "md", "html"):
        main([*words, "-f", form])
        text = " ".join(capsys.readouterr().out.split())
        assert f"{len(offers) - young:,} offers not dated 2026-08-23 or later" in text, form


def test_an_answer_from_most_offers_has_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    plan = _answer(capsys, "plan", str(EXAMPLES / "gpu-hours-h100.yaml"), *NEWEST, "--max-age", "400")
    assert not plan["verdict"]["headline"].startswith("Only")


def test_constraints_count_what_they_drop(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", str(EXAMPLES / "gpu-hours-h100.yaml"), "--provider", "aws", "--purchase", "on_demand")
    plan = _answer(capsys, *words)
    reasons = [each["reason"] for each in plan["dropped"]]
    assert "offers not from aws" in reasons
    assert "offers not on_demand" in reasons
    assert all(each["count"] > 0 for each in plan["dropped"])


def test_rents_that_are_all_too_old_are_missing_data_and_no_reason_to_buy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _workload(tmp_path, "kind: gpu_hours\ngpu_hours: {gpu: a10g, count: 8}\n")
    error = _answer(capsys, "plan", path, *NEWEST, "--max-age", "90", status=4)["error"]
    assert "rents that do this work are known" in error["message"]
    assert "--max-age" in error["hint"]


def test_a_portfolio_refuses_the_row_for_which_every_rent_is_too_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "work.csv"
    table.write_text("kind,gpu_hours.gpu,gpu_hours.count\ngpu_hours,a10g,8\n", encoding="utf-8")
    assert main(["plan", str(table), *NEWEST, "--max-age", "90", "-o", str(tmp_path / "out.csv")]) in {0, 2, 3}
    assert "rents that do this work are known" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_a_server_of_other_days_is_not_held_against_rents(capsys: pytest.CaptureFixture[str]) -> None:
    then = _answer(capsys, "server", "h100-sxm:8", "--as-of", "2025-06-01")["server"]
    assert then["priced_on"] == "2024-03-01"
    error = _answer(capsys, "server", "a100-80gb-pcie:8", *NEWEST, "--max-age", "200", status=4)["error"]
    assert "no price of a server with 8 x A100-80GB-PCIe is from the days asked for" in error["message"]
    mine = _answer(capsys, "server", "a100-80gb-pcie:8", *NEWEST, "--max-age", "200", "--price", "300000")
    assert mine["server"]["price_usd"] == 300_000
    assert mine["dropped"]


def test_any_age_may_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert _answer(capsys, "offers", "--gpu", "h100", "--max-age", "9" * 30)["offers"]
