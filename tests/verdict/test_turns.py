"""Where the verdict turns: a plan that is made again just before and just after the value says the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.plan import Plan, make_plan
from planner.report.record import plan_record
from planner.verdict.turns import Turn
from pricing.catalog import load_bundled
from pricing.facts.offers import offer_id
from tests.conftest import TODAY

PlanOf = Callable[[str], Plan]
EIGHT = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8, "hours_per_month": 438}}
BOUGHT = {**EIGHT, "gpu_hours": {"gpu": "h100-sxm", "count": 8}, "constraints": {"providers": ["aws"], "purchase": ["on_demand"]}}  # fmt: skip


def _plan(content: dict[str, Any], prices: dict[str, float] | None = None) -> Plan:
    catalog = load_bundled()
    if prices:
        offers = tuple(
            replace(offer, price_usd_per_hour=prices.get(offer_id(offer), offer.price_usd_per_hour))
            for offer in catalog.offers
        )
        catalog = replace(catalog, offers=offers)
    return make_plan(Workload.model_validate(content), catalog, default_assumptions(), today=TODAY)


def _price_turn(plan: Plan) -> Turn:
    return next(t for t in plan.turns if t.what == "price" and t.option_id == plan.verdict.option_id)


@pytest.mark.slow
def test_above_the_price_at_which_it_turns_a_plan_takes_the_other_option() -> None:
    plan = _plan(EIGHT)
    turn = _price_turn(plan)
    assert turn.value > turn.planned
    below, above = (
        _plan(EIGHT, {turn.option_id: price}).verdict.option_id for price in (turn.value * 0.99, turn.value * 1.01)
    )
    assert below == plan.verdict.option_id
    assert above == turn.then


@pytest.mark.slow
def test_a_purchase_turns_at_the_rent_at_which_a_plan_rents() -> None:
    plan = _plan(BOUGHT)
    assert plan.verdict.choice == "buy"
    (turn,) = (t for t in plan.turns if t.what == "rents")
    rents = {o.id: o.price_usd_per_hour for o in plan.options if o.kind.value == "rent" and o.price_usd_per_hour}
    dearer, cheaper = (
        _plan(BOUGHT, {name: price * ratio for name, price in rents.items()}).verdict.choice
        for ratio in (turn.value * 1.03, turn.value * 0.97)
    )
    assert (dearer, cheaper) == ("buy", "rent")


@pytest.mark.slow
@pytest.mark.parametrize("requests_per_s", [36, 60, 100])
def test_at_the_use_at_which_it_turns_a_plan_takes_the_other_sort(requests_per_s: int) -> None:
    content = {
        "kind": "serve",
        "model": "llama-3.1-8b",
        "stack": "tuned",
        "serve": {"requests_per_s": requests_per_s, "input_tokens": 500, "output_tokens": 200},
    }
    from pricing.facts.token_prices import token_prices

    def planned(ratio: float) -> Plan:
        serve = {**content["serve"], "requests_per_s": requests_per_s * ratio}  # type: ignore[dict-item]
        return make_plan(
            Workload.model_validate({**content, "serve": serve}), load_bundled(), default_assumptions(), today=TODAY,
            token_prices=token_prices("llama-3.1-8b", TODAY),
        )  # fmt: skip

    plan = planned(1.0)
    turns = [t for t in plan.turns if t.what == "requests_per_s"]
    assert turns
    for turn in turns:
        assert planned(turn.value / turn.planned).verdict.choice != plan.verdict.choice
        assert planned((turn.value / turn.planned) ** 0.9).verdict.choice == plan.verdict.choice


def test_the_record_holds_turns_and_the_range_of_each_alternative(plan_of: PlanOf) -> None:
    record: Any = plan_record(plan_of("serve-llama-70b"))
    verdict = record["verdict"]
    assert verdict["turns_at"]
    ids = {option["id"] for option in record["options"]}
    assert {turn["then"] for turn in verdict["turns_at"]} <= ids
    by_id = {option["id"]: option["cost"] for option in record["options"]}
    for name in ("hyperscaler", "established", "cheapest_listed", "api", "own"):
        cost = by_id[verdict["alternatives"][name]]
        assert cost["low_usd_per_month"] < cost["usd_per_month"] < cost["high_usd_per_month"], name
