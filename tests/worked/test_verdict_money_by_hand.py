"""Money of a verdict, worked out a second time by hand: bridges, blocks, upkeep and resale of owned servers."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import RentInputs
from planner.demand.workload import Workload
from planner.options.option import Option, ReasonCode
from planner.plan import Plan, make_plan
from tests.conftest import TODAY
from tests.portfolio.equal import usual_market

NUMBERS = default_assumptions()
HOURS = 730
STORAGE_USD = 200 * 0.07
"""200 GB at 0.07 USD a month."""
BIG_THREE = ["aws", "azure", "gcp"]


@cache
def _plan(*purchase: str, hours: int = HOURS, months: int = 36) -> Plan:
    content: dict[str, Any] = {
        "kind": "gpu_hours",
        "gpu_hours": {"gpu": "h100-sxm", "count": 8, "hours_per_month": hours},
        "constraints": {"providers": BIG_THREE, "purchase": list(purchase)},
        "horizon_months": months,
    }
    market = usual_market()
    return make_plan(Workload.model_validate(content), market.catalog, market.assumptions, today=TODAY, in_full=False)


def _owned(plan: Plan) -> Option:
    return next(option for option in plan.options if option.id == "own/8x-H100-SXM-server/colocation")


def _paid(option: Option, *items: str) -> float:
    return float(sum(option.timeline.component_usd(item).sum() for item in items))


def test_e1_until_delivery_the_dearest_allowed_commitment_is_paid_and_nothing_is_free() -> None:
    """Two months of lead time under commitments of three years alone: a whole term is paid, so owning is never the cheaper."""
    bound, free = _owned(_plan("reserved_3y")), _owned(_plan("reserved_3y", "on_demand"))
    bridge_usd = _paid(bound, "bridge_rent", "bridge_ahead")
    rents = [o for o in _plan("reserved_3y").options if o.kind.value == "rent"]
    cheapest = min((o.price_usd_per_hour or 0.0) * o.instance_count for o in rents if o.choosable)
    assert bridge_usd == pytest.approx(cheapest * HOURS * 36 + 2 * STORAGE_USD, rel=1e-6)
    assert bound.present_value_usd > free.present_value_usd  # one more purchase option makes owning cheaper, not dearer


def test_e2_until_delivery_the_hours_used_are_paid_at_the_cheapest_rent() -> None:
    for hours in (400, HOURS):
        plan = _plan("on_demand", hours=hours)
        cheapest = min((o.price_usd_per_hour or 0.0) * o.instance_count for o in plan.options if o.choosable and o.kind.value == "rent")  # fmt: skip
        assert _paid(_owned(plan), "bridge_rent", "bridge_ahead") == pytest.approx(2 * (cheapest * hours + STORAGE_USD))


@pytest.mark.slow
def test_e2_more_hours_turn_rent_into_buy_at_most_once() -> None:
    """Eight H100 of the big three: before, 400 h said Buy and 500 h Rent."""
    kinds = [
        _plan("reserved_3y", "on_demand", hours=hours).verdict.choice for hours in (100, 300, 400, 500, 600, HOURS)
    ]
    assert [one != other for one, other in pairwise(kinds)].count(True) <= 1


@pytest.mark.parametrize(("days", "sold_days"), [(0.4, 1), (13.2, 14), (14.5, 21), (53.7, 56), (170, 175)])
def test_e3_a_capacity_block_is_paid_in_days_and_above_two_weeks_in_whole_weeks(days: float, sold_days: int) -> None:
    """53.7 days of five UltraServers are 56 days: 2,559,997 USD at the 380.95 USD an hour of then, not 2,514,283."""
    book = RentInputs(
        price_usd_per_hour=380.952, instance_count=5, hours_per_month=0.0, run_hours=24 * days, minimum_hours=24,
        weekly_above_hours=14 * 24, paid_in_advance=True,
    )  # fmt: skip
    paid = timelines([book], NUMBERS, months=36, once=True).at(0).component_usd("in_advance").sum()
    assert float(paid) == pytest.approx(5 * 380.952 * 24 * sold_days)


def test_e3_no_block_is_recommended_for_more_than_64_instances_or_182_days() -> None:
    work = {"kind": "pretrain", "model": "llama-3.1-8b", "pretrain": {"tokens_b": 3000, "deadline_days": 360}}
    work |= {"constraints": {"providers": ["aws"], "purchase": ["capacity_block"], "min_tier": "A"}}
    market = usual_market()
    plan = make_plan(Workload.model_validate(work), market.catalog, market.assumptions, today=TODAY, in_full=False)
    for option in plan.options:
        codes = {reason.code for reason in option.not_recommended}
        if option.purchase_option == "capacity_block" and option.hours_per_run is not None:
            assert (ReasonCode.BLOCK_TOO_LARGE in codes) == (option.instance_count > 64)
            assert option.hours_per_run <= 182 * 24 or ReasonCode.BLOCK_TOO_SHORT in codes


def test_e4_parts_are_in_the_support_contract() -> None:
    """12 % of the hardware a year for 34 months of work; spares of 5 % a year are part of it."""
    owned = _owned(_plan("on_demand"))
    assert owned.capex_usd is not None
    assert _paid(owned, "support") == pytest.approx(owned.capex_usd * 0.12 * 34 / 12)
    assert _paid(owned, "spares") == 0


def test_e5_a_used_server_brings_what_used_cards_do() -> None:
    """Delivered in month 2 and sold in month 36, so 34 months old: between 60 % at 24 and 38 % at 36 months, less 10 % for the sale."""
    owned = _owned(_plan("on_demand"))
    assert owned.capex_usd is not None
    share = math.exp(math.log(0.60) + (34 - 24) / 12 * (math.log(0.38) - math.log(0.60)))
    assert -_paid(owned, "resale") == pytest.approx(owned.capex_usd * share * 0.90)
    assert 0.25 < share < 0.62  # cards sold in 2026 brought 25 to 62 % of their price after three years


def test_the_npv_of_renting_is_the_sum_of_discounted_months() -> None:
    option = next(o for o in _plan("on_demand").options if o.kind.value == "rent" and o.choosable)
    month_usd = (option.price_usd_per_hour or 0) * option.instance_count * HOURS + STORAGE_USD
    assert option.present_value_usd == pytest.approx(sum(month_usd / 1.1 ** (month / 12) for month in range(1, 37)))
