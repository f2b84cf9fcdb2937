"""Costs in another currency, by a dated rate."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from planner.demand.workload import Workload
from planner.plan import Plan, make_plan
from planner.report.headline import headline
from planner.report.record import plan_record
from planner.report.schema.plan import check_record
from planner.report.short import alternatives_table
from planner.report.values import json_text
from tests.conftest import TODAY
from tests.portfolio.equal import market, usual_market

HOURS = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8}}


def _plan(settings: dict[str, float] | None = None, **more: object) -> Plan:
    where = market(settings) if settings else usual_market()
    return make_plan(
        Workload.model_validate(HOURS | more), where.catalog, where.assumptions, today=TODAY, in_full=False
    )


def test_euros_are_told_with_the_rate_its_source_and_day() -> None:
    plan = _plan(currency="EUR")
    assert (
        f"That is {plan.chosen.usd_per_month / 1.1699:,.0f} EUR a month, at 1.1699 USD/EUR (ECB reference rate, 2026-08-21)."
        in headline(plan)
    )
    assert "at 1.05 USD/EUR (set by you)" in headline(_plan({"money.usd_per_eur": 1.05}, currency="EUR"))


def test_another_currency_takes_its_rate() -> None:
    plan = _plan(currency="GBP", usd_per_unit=1.3)
    assert f"That is {plan.chosen.usd_per_month / 1.3:,.0f} GBP a month, at 1.3 USD/GBP." in headline(plan)
    with pytest.raises(ValidationError, match="what one GBP is worth"):
        _plan(currency="GBP")


@pytest.mark.slow
def test_the_table_has_a_column_of_it_and_dollars_stay_alone_without() -> None:
    record = plan_record(_plan(currency="EUR"), top=3)
    check_record(json_text(record), "euros")
    assert record["currency"] == {"code": "EUR", "usd_per_unit": 1.1699}
    table = alternatives_table(record)
    assert table.columns[-1].name == "EUR/month"
    dollars = plan_record(_plan(), top=3)
    assert dollars["currency"] is None
    assert "EUR" not in " ".join(column.name for column in alternatives_table(dollars).columns)


@pytest.mark.slow
def test_an_assumption_that_is_set_without_effect_is_told() -> None:
    """Hardware paid in cash has no loan: who sets the loan's rate has to know that nothing came of it."""
    stated = {"money.loan_rate_share_per_year": 0.09, "money.tax_share": 0.21}
    told = [note for note in plan_record(_plan(stated))["notes"] if "without effect" in note]
    assert told == ["set, but without effect on this plan: money.loan_rate_share_per_year"]
    assert not [note for note in plan_record(_plan({"own.life_months": 48}))["notes"] if "without effect" in note]
