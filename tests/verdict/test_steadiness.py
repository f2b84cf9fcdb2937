"""Verdicts hold: without the cheapest seller, and with older prices, an answer grows less sure before it becomes another one."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

import pytest
import yaml

from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.plan import Plan, make_plan
from pricing.facts.sellers import free_tiers, seller_of
from pricing.facts.token_prices import token_prices
from tests.conftest import ROOT, TODAY
from tests.portfolio.equal import usual_market

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.yaml") if not path.name.startswith("scenario"))
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case["workload"]
    for case in yaml.safe_load((ROOT / "tests" / "verdict" / "cases.yaml").read_text(encoding="utf-8"))
    if not case.get("nothing_fits")
}
QUICK = {"gpu-hours-h100.yaml"}
DRAWN_SHARE = 0.02
"""A share of 2,000 draws is known to two points."""


@cache
def _plan(name: str, *, older_days: int = 0, without: str = "") -> Plan:
    content = CASES.get(name) or yaml.safe_load((ROOT / "examples" / name).read_text(encoding="utf-8"))
    content = dict(content)
    limits = content.get("constraints") or {}
    if without:
        content["constraints"] = {**limits, "exclude_providers": [*limits.get("exclude_providers", ()), without]}
    workload, market = Workload.model_validate(content), usual_market()
    return make_plan(
        workload, market.catalog, market.assumptions, today=TODAY + timedelta(days=older_days), in_full=False,
        token_prices=token_prices(workload.model, TODAY) if isinstance(workload.model, str) else (), free_tiers=free_tiers(),
    )  # fmt: skip


def _is_less_sure(before: Plan, after: Plan) -> bool:
    """Tell whether an answer was undecided already, or has lost confidence."""
    return before.verdict.status != "decided" or after.verdict.confidence_share < before.verdict.confidence_share


EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in (*EXAMPLES, *CASES)]


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("days", [100, 500])
def test_older_prices_change_confidence_before_they_change_the_recommendation(name: str, days: int) -> None:
    before, after = _plan(name), _plan(name, older_days=days)
    assert after.verdict.option_id == before.verdict.option_id or _is_less_sure(before, after)
    is_surer = after.verdict.confidence_share > before.verdict.confidence_share + DRAWN_SHARE
    assert not is_surer or before.verdict.status != "decided"
    # Where even the freshest price is past its limit, the oldest do not come back.
    if name in EXAMPLES and before.verdict.choice == after.verdict.choice == "rent":
        assert after.verdict.option_id == before.verdict.option_id
    assert all(len(set(option.not_recommended)) == len(option.not_recommended) for option in after.options)


@pytest.mark.parametrize("name", EACH)
def test_without_the_cheapest_seller_the_choice_holds_or_is_less_sure(name: str) -> None:
    before = _plan(name)
    seller = seller_of(before.chosen.provider)
    if before.verdict.choice in {"free", "have", "buy"}:
        pytest.skip("nobody sells it")
    try:
        after = _plan(name, without=seller.provider if seller else before.chosen.provider)
    except NothingFitsError:
        pytest.skip("nobody else sells it")
    assert after.chosen.provider != before.chosen.provider
    assert after.verdict.choice == before.verdict.choice or _is_less_sure(before, after)
