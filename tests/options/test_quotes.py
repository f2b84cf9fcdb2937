"""Private quotes: prices of today from whoever gave them, in dollars or by a stated rate, until they expire."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from planner.demand.workload import Workload
from planner.plan import Plan, make_plan
from planner.report.question import command_of, question_of
from planner.report.record import plan_record
from planner.verdict.choice import Status
from tests.conftest import TODAY
from tests.portfolio.equal import market, usual_market

ACME = {"provider": "acme", "gpu": "h100-sxm", "count": 8, "price_per_gpu_hour": 1.2, "expires": "2099-12-31"}


def _plan(*quotes: dict[str, Any], count: int = 8, settings: dict[str, float] | None = None, **more: Any) -> Plan:
    content = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": count}, "have": {"quotes": list(quotes)}}
    where = market(settings) if settings else usual_market()
    workload = Workload.model_validate(content | more)
    return make_plan(workload, where.catalog, where.assumptions, today=TODAY, in_full=False)


def test_a_quote_below_the_market_is_taken_as_from_a_seller_of_tier_a() -> None:
    plan = _plan(ACME)
    assert (plan.chosen.provider, plan.chosen.tier, plan.verdict.status) == ("acme", "A", Status.DECIDED)
    assert plan.chosen.usd_per_month == pytest.approx(1.2 * 8 * 730 + 14, rel=1e-3)  # and storage
    assert plan.chosen.source == "private quote: acme, 1.2 USD/GPU-hour, 2099-12-31"


def test_a_quote_that_has_expired_is_counted_and_not_used() -> None:
    plan = _plan(ACME | {"expires": "2020-01-31"})
    assert plan.chosen.provider != "acme"
    assert [(each.count, each.reason) for each in plan.dropped if "quotes" in each.reason] == [
        (1, "private quotes that have expired")
    ]


def test_euros_count_by_the_dated_rate_and_other_currencies_by_a_stated_one() -> None:
    def price(quote: dict[str, Any], **settings: float) -> float | None:
        options = _plan(quote, settings=settings or None).options
        return next(option.price_usd_per_hour for option in options if option.provider == "acme")

    assert price(ACME | {"currency": "EUR"}) == pytest.approx(1.2 * 8 * 1.1699)
    assert price(ACME | {"currency": "EUR"}, **{"money.usd_per_eur": 1.05}) == pytest.approx(1.2 * 8 * 1.05)
    assert price(ACME | {"currency": "GBP", "usd_per_unit": 1.3}) == pytest.approx(1.2 * 8 * 1.3)
    with pytest.raises(ValidationError, match="what one GBP is worth"):
        _plan(ACME | {"currency": "GBP"})


def test_many_gpus_are_decided_on_where_so_many_are_quoted() -> None:
    assert _plan(ACME, count=256).verdict.status is Status.DECIDED
    few = _plan(ACME | {"max_gpus": 128}, count=256)
    assert few.verdict.status is Status.ASK_FOR_QUOTES


def test_a_server_that_is_quoted_is_bought_without_asking_again() -> None:
    server = {"provider": "maker", "gpu": "h100-sxm", "price_per_server": 90_000, "expires": "2099-12-31"}
    plan = _plan(server, constraints={"providers": ["aws", "azure", "gcp"]})
    assert (plan.verdict.choice, plan.verdict.status) == ("buy", Status.DECIDED)
    assert plan.chosen.instance_type.endswith("by maker")


def test_a_discount_does_not_lower_what_is_quoted() -> None:
    plan = _plan(ACME | {"provider": "aws"}, discounts={"aws": 0.5})
    assert plan.chosen.price_usd_per_hour == pytest.approx(1.2 * 8)


def test_the_question_names_the_quote_and_the_command_asks_it_again() -> None:
    plan = _plan(ACME)
    assert "a quote of acme for h100-sxm, 1.2 USD per GPU-hour, until 2099-12-31" in question_of(plan_record(plan))[0]
    assert "--have" in command_of(plan.workload, {}, TODAY)


def test_one_price_is_stated() -> None:
    with pytest.raises(ValidationError, match="one of them"):
        _plan(ACME | {"price_per_server": 1})
