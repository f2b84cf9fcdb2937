"""What is paid for already, and what was negotiated: it enters at what it costs from now on."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import RentInputs
from planner.demand.have import Credit
from planner.demand.workload import Workload
from planner.errors import InputError
from planner.options.credits import with_credits
from planner.options.option import Option
from planner.plan import Plan, make_plan
from pricing.catalog import load_bundled

TODAY = date(2026, 11, 21)
H100 = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8, "hours_per_month": 400}, "horizon_months": 12}
A100 = {"kind": "gpu_hours", "gpu_hours": {"gpu": "a100-80gb-sxm", "count": 8, "hours_per_month": 500}}
COMMITTED = {
    "provider": "aws",
    "instance_type": "p5.48xlarge",
    "count": 1,
    "usd_per_hour": 23.78,
    "until": "2027-06-30",
}
STORAGE_USD = 200 * 0.07
DAYS = 365.25 / 12
OWNED = {"gpu": "a100-80gb-sxm", "count": 8, "place": "own_room", "remaining_months": 24, "resale_usd": 20000}


def _plan(work: dict[str, Any], **keys: Any) -> Plan:
    workload = Workload.model_validate({**work, **keys})
    return make_plan(workload, load_bundled(), default_assumptions(), today=TODAY, in_full=False)


def _option(plan: Plan, start: str) -> Option:
    return next(option for option in plan.options if option.id.startswith(start))


def test_a_commitment_costs_nothing_until_it_ends_and_then_what_the_cheapest_rent_does() -> None:
    plan = _plan(H100, have={"committed": [COMMITTED]})
    assert (plan.verdict.choice, plan.chosen.id.split("/")[1]) == ("have", "aws")
    paid = plan.chosen.timeline.by_month_usd()
    assert paid[1:8] == pytest.approx(STORAGE_USD)  # to 2027-06-30 are 7.3 months
    cheapest = min(o.usd_per_month for o in plan.options if o.kind.value == "rent" and o.choosable)
    assert paid[9:] == pytest.approx(cheapest)
    assert STORAGE_USD < paid[8] < cheapest


def test_more_machines_than_committed_to_are_paid_at_the_list_price() -> None:
    work = {**H100, "gpu_hours": {"gpu": "h100-sxm", "count": 16, "hours_per_month": 400}}
    option = _option(_plan(work, have={"committed": [COMMITTED]}), "have/aws")
    listed = min(o.price_usd_per_hour for o in load_bundled().offers if (o.provider, o.instance_type, o.purchase_option.value) == ("aws", "p5.48xlarge", "on_demand"))  # fmt: skip
    assert option.timeline.component_usd("on_demand")[1] == pytest.approx(listed * 400)


def test_more_machines_than_committed_to_are_no_answer_at_a_price_too_old_to_recommend() -> None:
    """The part that they are too few for is done by what may be recommended."""
    work = {**H100, "gpu_hours": {"gpu": "h100-sxm", "count": 16, "hours_per_month": 400}}
    bundled = load_bundled()
    aged = [replace(o, observed_on=date(2025, 1, 1)) if o.instance_type == "p5.48xlarge" else o for o in bundled.offers]
    workload = Workload.model_validate({**work, "have": {"committed": [COMMITTED]}})
    catalog = replace(bundled, offers=tuple(aged))
    plan = make_plan(workload, catalog, default_assumptions(), today=TODAY, in_full=False)
    option = _option(plan, "have/aws")
    rest = next(other for other in plan.options if other.id == option.rest_id)
    assert rest.choosable
    assert rest.provider != "aws"
    assert (option.rest_share, option.instance_count) == (0.5, 1)
    part = math.ceil(rest.instance_count / 2) / rest.instance_count
    assert option.timeline.by_month_usd()[1] == pytest.approx(STORAGE_USD + rest.usd_per_month * part, rel=1e-3)


def test_owned_machines_cost_power_parts_and_what_they_lose_in_value() -> None:
    """8 x (400 W + 575 W), half of the time at 75 and else at 25 %; 5 % a year of 20,000 USD in parts; 60 % of it left after 24 months."""
    plan = _plan(A100, have={"owned": [OWNED]})
    assert plan.verdict.choice == "have"
    used = 500 / 730
    kw = 8 * 0.975 * (0.25 + 0.5 * used)
    running = kw * 1.42 * 0.146 * 730 + 20_000 * 0.05 / 12
    factors = 1.1 ** (-np.arange(25) / 12)
    lost = 20_000 - 20_000 * 0.6 * factors[24]
    by_hand = running + lost / factors[1:].sum()
    assert plan.chosen.timeline.component_usd("on_demand")[1:25] == pytest.approx(by_hand, rel=1e-3)
    assert plan.chosen.timeline.component_usd("on_demand")[26] > by_hand


def test_what_owned_machines_are_too_few_for_is_done_by_the_cheapest_other_choice() -> None:
    work = {**A100, "gpu_hours": {"gpu": "a100-80gb-sxm", "count": 16}}
    alone, half = _plan({**A100, "gpu_hours": {"gpu": "a100-80gb-sxm", "count": 8}}, have={"owned": [OWNED]}), _plan(work, have={"owned": [OWNED]})  # fmt: skip
    option = _option(half, "have/own")
    rest = next(other for other in half.options if other.id == option.rest_id)
    assert (option.rest_share, option.instance_count, half.verdict.choice) == (0.5, 1, "have")
    part = math.ceil(rest.instance_count / 2) / rest.instance_count
    both = _option(alone, "have/own").timeline.component_usd("on_demand")[1] + rest.usd_per_month * part
    assert option.timeline.component_usd("on_demand")[1] == pytest.approx(both)


def test_a_run_is_not_split_between_owned_machines_and_others() -> None:
    work = {"kind": "pretrain", "model": "llama-2-7b", "pretrain": {"tokens_b": 1000, "deadline_days": 60}}
    option = _option(_plan(work, have={"owned": [OWNED]}), "have/own")
    assert [reason.code for reason in option.not_recommended] == ["too_few_owned"]


@pytest.mark.parametrize(("credit_usd", "credit_months"), [(10_000.0, 2.2), (100_000.0, 4.5), (500.0, 36.0)])
def test_a_credit_pays_the_bill_first_as_long_as_it_lasts(credit_usd: float, credit_months: float) -> None:
    book = RentInputs(
        price_usd_per_hour=10.0, hours_per_month=400.0, credit_usd=credit_usd, credit_months=credit_months
    )
    used = -timelines([book], default_assumptions(), months=36).at(0).component_usd("credit")
    left, by_hand = credit_usd, [0.0]
    for month in range(36):
        paid = min(4000.0 * min(max(credit_months - month, 0.0), 1.0), left)
        left -= paid
        by_hand.append(paid)
    assert used.tolist() == pytest.approx(by_hand)


def test_a_credit_of_a_run_that_is_done_once_is_never_more_than_the_run() -> None:
    book = RentInputs(price_usd_per_hour=10.0, run_hours=1000.0, credit_usd=9000.0, credit_months=12.0)
    timeline = timelines([book], default_assumptions(), months=12, once=True).at(0)
    assert timeline.component_usd("credit").sum() == pytest.approx(-9000.0)
    assert timeline.component_usd("credit")[1] == pytest.approx(-7300.0)


def test_a_discount_lowers_list_prices_and_not_those_of_spot() -> None:
    works = {**H100, "constraints": {"providers": ["aws"], "purchase": ["on_demand", "spot", "reserved_3y"]}}
    before, after = _plan(works), _plan(works, discounts={"aws": 0.12})
    prices = {o.id: o.price_usd_per_hour or 0.0 for o in before.options if o.kind.value == "rent"}
    for option in after.options:
        if option.kind.value == "rent":
            ratio = 1.0 if option.purchase_option == "spot" else 0.88
            assert option.price_usd_per_hour == pytest.approx(prices[option.id] * ratio)


@pytest.mark.parametrize("site", ["home", "colocation", "own_room"])
def test_servers_stand_where_the_workload_says(site: str) -> None:
    work = {"kind": "gpu_hours", "gpu_hours": {"gpu": "l40s", "count": 1}, "own": {"place": site, "country": "DE"}}
    plan = _plan(work)
    owned = [option for option in plan.options if option.kind.value == "buy"]
    assert {option.id.rsplit("/", 1)[1] for option in owned} == {site}
    for option in owned:
        assert bool(option.timeline.component_usd("colocation").sum()) == (site == "colocation")


def test_what_nobody_knows_is_told_all_at_once() -> None:
    have = {
        "owned": [{"gpu": "h1000"}],
        "committed": [{**COMMITTED, "instance_type": "p5.49xlarge"}, {**COMMITTED, "provider": "awss"}],
        "credits": [{"provider": "gpc", "usd": 1, "expires": "2027-01-01"}],
    }
    with pytest.raises(InputError) as caught:
        _plan(H100, have=have, discounts={"azur": 0.1})
    for word in ("h1000", "p5.48xlarge", "did you mean aws", "did you mean gcp", "did you mean azure"):
        assert word in caught.value.message


def test_what_is_over_by_now_is_left_out() -> None:
    plan = _plan(H100, have={"committed": [{**COMMITTED, "until": "2026-11-20"}]})
    assert not [option for option in plan.options if option.kind.value == "have"]


def test_of_two_credits_with_one_provider_the_one_that_expires_first_is_used_first() -> None:
    """4,000 USD a month; 20,000 USD for 67 days, 2.2 months, of which so many bills are used, then 10,000 USD for 9 months."""
    today = date(2026, 11, 21)
    stated = [
        Credit(provider="gcp", usd=10_000, expires=date(2027, 8, 20)),
        Credit(provider="gcp", usd=20_000, expires=date(2027, 1, 26)),
        Credit(provider="aws", usd=90_000, expires=date(2027, 8, 20)),
    ]
    book = with_credits(RentInputs(price_usd_per_hour=10.0, hours_per_month=400.0), "gcp", stated, today)
    used = -timelines([book], default_assumptions(), months=12).at(0).component_usd("credit")
    assert used.tolist() == pytest.approx([0.0, *[4000.0] * 4, 4000 * 67 / DAYS + 10_000 - 16_000, *[0.0] * 7])
