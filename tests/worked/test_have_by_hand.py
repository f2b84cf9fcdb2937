"""Credits and commitments that end, worked out by hand: both stages, what is lost, what is told, and what draws make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from planner.assumptions import Assumptions, default_assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import RentInputs
from planner.demand.workload import Workload
from planner.options.option import Option, OptionKind
from planner.options.price_evidence import Evidence
from planner.plan import Plan, make_plan
from planner.report.because import reasons_for
from planner.report.headline import headline
from planner.report.page.head import answer_html
from planner.report.record import plan_record
from planner.report.short import alternatives_table, short_answer
from planner.report.view import plan_view
from planner.uncertainty.plan_risk import JointDraws
from planner.verdict.ranking import ranked
from pricing.catalog import load_bundled

TODAY = date(2026, 11, 21)
DAYS = 365.25 / 12
STORAGE_USD = 200 * 0.07
"""200 GB at 0.07 USD a month."""
WORK: dict[str, Any] = {
    "kind": "gpu_hours",
    "gpu_hours": {"gpu": "h100-sxm", "count": 8, "hours_per_month": 730},
    "horizon_months": 36,
}
BILL_USD = 8 * 1.99 * 730
"""Eight H100 of voltage-park for a month, as listed on 2026-10-10."""
COMMITTED = {
    "provider": "aws",
    "instance_type": "p5.48xlarge",
    "count": 1,
    "usd_per_hour": 23.78,
    "until": "2027-06-30",
}
COMMITTED_MONTHS = ((date(2027, 6, 30) - TODAY).days + 1) / DAYS


def _plan(assumptions: Assumptions | None = None, **keys: Any) -> Plan:
    workload = Workload.model_validate({**WORK, **keys})
    return make_plan(workload, load_bundled(), assumptions or default_assumptions(), today=TODAY, in_full=False)


def _with_credit(usd: float, expires: str, **keys: Any) -> Plan:
    return _plan(have={"credits": [{"provider": "voltage-park", "usd": usd, "expires": expires}]}, **keys)


def _option(plan: Plan, start: str) -> Option:
    return next(option for option in plan.options if option.id.startswith(start))


def test_a_credit_that_is_spent_is_told_in_two_stages_in_every_form() -> None:
    """Four bills of 11,621.60 USD are paid from the credit; storage of 14 USD is not."""
    plan = _with_credit(4 * BILL_USD, "2028-12-31")
    stages = plan.chosen.stages
    assert stages is not None
    assert stages.first_usd_per_month == pytest.approx(STORAGE_USD)
    assert stages.first_months == pytest.approx(4.0)
    assert stages.then_usd_per_month == pytest.approx(BILL_USD + STORAGE_USD)
    assert plan.chosen.usd_per_month * 36 == pytest.approx(32 * BILL_USD + 36 * STORAGE_USD)
    record = plan_record(plan)
    told = "14.00 USD a month for 4.0 months, then 11,636"
    assert told in headline(plan)
    assert told in alternatives_table(record).note
    assert told in plan_view(record, top=5).options.note
    assert "14.00, then 11,636" in answer_html(record, short_answer(record), "", 1)


def test_a_commitment_that_ends_is_told_in_two_stages_and_its_storage_counts_once() -> None:
    plan = _plan(have={"committed": [COMMITTED]}, horizon_months=12)
    stages = _option(plan, "have/aws").stages
    assert stages is not None
    assert stages.first_months == pytest.approx(COMMITTED_MONTHS)
    assert stages.first_usd_per_month == pytest.approx(STORAGE_USD)
    assert stages.then_usd_per_month == pytest.approx(BILL_USD + STORAGE_USD)
    assert "14.00 USD a month for 7.3 months, then 11,636" in headline(plan)
    assert "from now on" not in headline(plan)


def test_a_quote_that_lapses_before_a_commitment_ends_takes_over_nothing() -> None:
    quote = {
        "provider": "voltage-park",
        "gpu": "h100-sxm",
        "count": 1,
        "price_per_gpu_hour": 1.2,
        "expires": "2026-12-01",
    }
    plan = _plan(have={"committed": [COMMITTED], "quotes": [quote]}, horizon_months=12)
    assert any(option.is_quoted and option.choosable for option in plan.options)
    stages = _option(plan, "have/aws").stages
    assert stages is not None
    assert stages.then_usd_per_month == pytest.approx(BILL_USD + STORAGE_USD)


@pytest.mark.parametrize(("credit_usd", "then_usd"), [(1e7, STORAGE_USD), (1_000.0, BILL_USD + STORAGE_USD)])
def test_a_credit_pays_for_its_own_seller_after_a_commitment_and_for_no_other(
    credit_usd: float, then_usd: float
) -> None:
    """The seller of the commitment takes 55.04 USD/h on demand; 1,000 USD of credit are no reason to stay with it."""
    credit = {"provider": "aws", "usd": credit_usd, "expires": "2040-12-31"}
    plan = _plan(have={"committed": [COMMITTED], "credits": [credit]}, horizon_months=12)
    assert _option(plan, "have/aws").timeline.by_month_usd()[9:] == pytest.approx(then_usd)


def test_what_ends_within_the_first_month_is_told_in_two_stages_too() -> None:
    stages = _with_credit(0.25 * BILL_USD, "2028-12-31").chosen.stages
    assert stages is not None
    assert stages.first_months == pytest.approx(0.25)
    assert stages.first_usd_per_month == pytest.approx(STORAGE_USD)
    assert stages.then_usd_per_month == pytest.approx(BILL_USD + STORAGE_USD)


def test_what_lasts_to_the_end_has_one_stage() -> None:
    assert _with_credit(1e6, "2040-12-31").chosen.stages is None
    assert _plan().chosen.stages is None


def test_a_credit_that_expires_is_used_for_the_days_before_and_the_rest_is_told() -> None:
    """From 2026-11-21 to 2027-03-31 are 131 days."""
    plan = _with_credit(100_000, "2027-03-31")
    used_usd = BILL_USD * 131 / DAYS
    assert plan.chosen.credit_used_usd == pytest.approx(used_usd)
    told = (
        f"{100_000 - used_usd:,.0f} USD of your credit at voltage-park are left unused when it expires on 2027-03-31."
    )
    assert told in [reason.text for reason in reasons_for(plan)]
    assert not [reason for reason in reasons_for(_with_credit(BILL_USD, "2027-03-31")) if "left unused" in reason.text]


def test_a_credit_begins_to_be_used_when_a_commitment_has_ended() -> None:
    """4,000 USD a month, of which the first 2.5 months are paid already: 2,000, 4,000, 4,000 are 10,000 USD."""
    book = RentInputs(
        price_usd_per_hour=10.0, hours_per_month=400.0, first_months=2.5, credit_usd=10_000.0, credit_months=24.0
    )
    used = -timelines([book], default_assumptions(), months=8).at(0).component_usd("credit")
    assert used.tolist() == pytest.approx([0, 0, 0, 2000, 4000, 4000, 0, 0, 0])


@pytest.mark.parametrize("share", [0.4, 1.3])
def test_draws_scale_the_price_and_then_the_credit_pays(share: float) -> None:
    """A run: the bill at the drawn price and speed, less the credit but never below nothing, is paid after a month."""
    run: dict[str, Any] = {
        "kind": "batch",
        "model": "llama-3.1-8b",
        "gpu_hours": None,
        "batch": {"requests": 20_000_000, "input_tokens": 800, "output_tokens": 200},
    }
    plain_run = _plan(**run)
    provider = plain_run.chosen.provider
    storage_usd = float(plain_run.chosen.timeline.component_usd("storage").sum())
    bill_usd = plain_run.chosen.total_usd - storage_usd
    credit = {"provider": provider, "usd": share * bill_usd, "expires": "2028-12-31"}
    plan = _plan(**run, have={"credits": [credit]})
    option = _option(plan, plain_run.chosen.id)
    evidence = Evidence.of(load_bundled().offers, default_assumptions(), today=TODAY)
    draws = JointDraws.of([option], default_assumptions(), evidence, months=36, once=True, count=200)
    ratio = draws.moved_ratio[0] * draws.slower_ratio[0]
    by_hand = (np.maximum(bill_usd * ratio - share * bill_usd, 0.0) + storage_usd) / 1.1 ** (1 / 12)
    assert draws.costs_usd[0] == pytest.approx(by_hand)
    assert len(set(draws.costs_usd[0].round(6))) > 20


def test_what_takes_over_after_a_commitment_moves_with_its_own_price() -> None:
    committed = {
        "provider": "aws",
        "instance_type": "p5.48xlarge",
        "count": 1,
        "usd_per_hour": 20,
        "until": "2027-06-30",
    }
    plan = _plan(have={"committed": [committed]})
    held = next(option for option in plan.options if option.kind == OptionKind.HAVE)
    assert isinstance(held.book, RentInputs)
    rival = _option(plan, held.book.takes_over_id)
    evidence = Evidence.of(load_bundled().offers, default_assumptions(), today=TODAY)
    draws = JointDraws.of([held, rival], default_assumptions(), evidence, months=36, once=False, count=200)
    dearer = replace(draws, moved_ratio=draws.moved_ratio * np.array([[1.0], [2.0]]))
    at_twice = replace(held, book=replace(held.book, price_usd_per_hour=2 * held.book.price_usd_per_hour))
    assert dearer.usd(0) == pytest.approx(draws.usd(0, at_twice))
    assert dearer.usd(0).mean() > 1.5 * draws.usd(0).mean()
    assert np.corrcoef(draws.usd(0), draws.usd(1))[0, 1] > 0.9


def test_a_commitment_is_not_left_because_the_rent_that_follows_it_becomes_cheaper() -> None:
    """The commitment's later months are that rent: both fall together, so its price turns nothing."""
    committed = {
        "provider": "aws",
        "instance_type": "p5.48xlarge",
        "count": 1,
        "usd_per_hour": 20,
        "until": "2026-12-31",
    }
    work = Workload.model_validate(WORK | {"have": {"committed": [committed]}})
    plan = make_plan(work, load_bundled(), default_assumptions(), today=TODAY)
    assert plan.chosen.kind is OptionKind.HAVE
    assert isinstance(plan.chosen.book, RentInputs)
    assert plan.chosen.book.takes_over_id not in {turn.option_id for turn in plan.turns}


def test_of_options_that_a_credit_pays_whole_the_one_that_uses_less_of_it_comes_first() -> None:
    plan = _with_credit(1e7, "2040-12-31")
    dear = replace(
        plan.chosen,
        id="a/dearer",
        timeline=replace(plan.chosen.timeline, cash_usd=plan.chosen.timeline.cash_usd * 1.0),
    )
    credit = dear.timeline.components.index("credit")
    hours = dear.timeline.components.index("on_demand")
    dear.timeline.cash_usd[credit] *= 2
    dear.timeline.cash_usd[hours] *= 2
    assert dear.total_usd == pytest.approx(plan.chosen.total_usd)
    assert [option.id for option in ranked([dear, plan.chosen], plan.workload.constraints)] == [
        plan.chosen.id,
        "a/dearer",
    ]


def test_of_options_that_a_credit_pays_whole_the_one_that_does_not_bind_comes_first() -> None:
    """All ways to pay for the machines of one seller cost the storage alone, and a commitment for years uses least of the credit."""
    credit = {"provider": "azure", "usd": 1e8, "expires": "2040-12-31"}
    plan = _plan(have={"credits": [credit]}, constraints={"providers": ["azure"]})
    paid = [o for o in plan.options if o.provider == "azure" and o.choosable and o.total_usd < 2 * 36 * STORAGE_USD]
    assert len({option.term_months for option in paid}) > 1
    assert min(paid, key=lambda option: option.credit_used_usd).term_months
    assert (plan.chosen.provider, plan.chosen.term_months) == ("azure", 0)
    free = [option for option in paid if not option.term_months]
    assert plan.chosen.credit_used_usd == min(option.credit_used_usd for option in free)


def test_a_credit_elsewhere_is_told_as_the_part_of_a_run_that_it_pays() -> None:
    """Of a batch done once elsewhere, 10 USD of credit are a part of one run and not months of machines."""
    batch = {"requests": 1_000_000, "input_tokens": 800, "output_tokens": 200, "deadline_hours": 12}
    run: dict[str, Any] = {"kind": "batch", "model": "llama-3.1-8b", "gpu_hours": None, "batch": batch}
    credit = {"provider": "azure", "usd": 10, "expires": "2027-11-28"}
    plan = _plan(**run, have={"credits": [credit]})
    assert plan.chosen.provider != "azure"
    option = next(o for o in plan.options if o.provider == "azure" and o.purchase_option == "on_demand")
    assert option.hours_per_run is not None
    bill_usd = option.paid_hours_per_month * (option.price_usd_per_hour or 0.0)
    storage_usd = STORAGE_USD * option.paid_hours_per_month / option.instance_count / 730
    (told,) = [reason.text for reason in reasons_for(plan) if "Your credit at azure" in reason.text]
    assert f"would pay 10.00 USD, {10 / bill_usd:.0%}".replace("%", " %") in told
    assert f"then cost {bill_usd - 10 + storage_usd:,.2f} USD" in told


def test_the_first_reason_says_what_a_credit_pays_each_month() -> None:
    """36 bills of 11,621.60 USD are 418,377.60 USD."""
    (first, *_) = reasons_for(_with_credit(1e6, "2040-12-31"))
    assert first.text == (
        "Your credit at voltage-park pays up to 11,622 USD a month on top of this cost, 418,378 USD in all."
    )
    assert "on top of this cost" not in " ".join(reason.text for reason in reasons_for(_plan()))


def test_the_first_reason_says_how_much_credit_a_run_uses() -> None:
    batch = {"requests": 1_000_000, "input_tokens": 800, "output_tokens": 200, "deadline_hours": 12}
    run: dict[str, Any] = {"kind": "batch", "model": "llama-3.1-8b", "gpu_hours": None, "batch": batch}
    plan = _plan(**run, have={"credits": [{"provider": "hyperstack", "usd": 1e4, "expires": "2028-12-31"}]})
    assert plan.chosen.provider == "hyperstack"
    used_usd = plan.chosen.paid_hours_per_month * (plan.chosen.price_usd_per_hour or 0.0)
    first, *_ = reasons_for(plan)
    assert first.text == f"{used_usd:,.2f} USD of the run are paid from your credit at hyperstack, on top of this cost."


def test_what_has_expired_is_told_and_counts_for_nothing() -> None:
    """The last day of each counts still."""
    credit = {"provider": "voltage-park", "usd": 5000, "expires": "2026-11-20"}
    plan = _plan(have={"credits": [credit], "committed": [{**COMMITTED, "until": "2026-11-20"}]})
    assert plan.chosen.usd_per_month == pytest.approx(BILL_USD + STORAGE_USD)
    (told,) = [reason.text for reason in reasons_for(plan) if "Expired" in reason.text]
    assert told == (
        "Expired, and counted for nothing: 5,000 USD of credit at voltage-park (2026-11-20); "
        "the commitment to 1 x p5.48xlarge at aws (2026-11-20)."
    )
    today = _plan(have={"credits": [{**credit, "expires": "2026-11-21"}]})
    assert not [reason for reason in reasons_for(today) if "Expired" in reason.text]


def test_a_run_on_owned_machines_costs_their_power_and_not_the_space_that_is_paid_anyway() -> None:
    """8 x H100 of 10.2 kW at 75 % for the hours of the run, at 1.42 x 0.146 USD/kWh, and storage."""
    batch = {"requests": 300_000, "input_tokens": 3000, "output_tokens": 500, "deadline_hours": 24}
    run: dict[str, Any] = {"kind": "batch", "model": "llama-3.1-70b", "gpu_hours": None, "batch": batch}
    plan = _plan(**run, have={"owned": [{"gpu": "h100-sxm", "count": 8}]})
    option = _option(plan, "have/own")
    assert isinstance(option.book, RentInputs)
    hours = option.book.run_hours
    power_usd = 10.2 * 0.75 * 1.42 * 0.146 * hours
    assert 0 < hours < 24
    assert option.total_usd == pytest.approx(power_usd + STORAGE_USD * hours / 730, rel=1e-3)
    assert plan.chosen is option


def test_a_run_on_owned_machines_costs_the_parts_and_the_value_of_its_own_hours() -> None:
    """Of 150,000 USD: 5 % a year in parts, and what a month takes of the value and its interest, each for the hours of the run."""
    batch = {"requests": 300_000, "input_tokens": 3000, "output_tokens": 500, "deadline_hours": 24}
    run: dict[str, Any] = {"kind": "batch", "model": "llama-3.1-70b", "gpu_hours": None, "batch": batch}
    owned = {"gpu": "h100-sxm", "count": 8}
    free, worth = (
        _option(_plan(**run, have={"owned": [{**owned, "resale_usd": usd}]}), "have/own") for usd in (0, 150_000)
    )
    assert isinstance(free.book, RentInputs)
    month = 1.1 ** (-1 / 12)
    kept_share = 0.625 ** (1 / 12)
    lost_usd = 150_000 * (1 - kept_share * month) / month
    used_share = free.book.run_hours / 730
    assert worth.total_usd - free.total_usd == pytest.approx((lost_usd + 150_000 * 0.05 / 12) * used_share, rel=1e-3)


@pytest.mark.parametrize("tax_share", [0.0, 0.25])
def test_what_takes_over_costs_what_it_does_by_itself_and_is_taxed_once(tax_share: float) -> None:
    taxed = default_assumptions().override({"money.tax_share": tax_share}, "--set")
    plan = _plan(taxed, have={"committed": [COMMITTED]}, horizon_months=12)
    cheapest = min(o.usd_per_month for o in plan.options if o.kind.value == "rent" and o.choosable and not o.binds)
    assert cheapest == pytest.approx((BILL_USD + STORAGE_USD) * (1 - tax_share))
    assert _option(plan, "have/aws").timeline.by_month_usd()[9:] == pytest.approx(cheapest)


def test_a_run_that_a_commitment_does_not_last_for_is_ended_at_the_price_of_the_whole_cheapest_run() -> None:
    """79 days on a GH200 that is committed to for 30 more days."""
    work: dict[str, Any] = {
        "kind": "pretrain",
        "model": "llama-3.1-8b",
        "gpu_hours": None,
        "pretrain": {"tokens_b": 60, "deadline_days": 200},
    }
    committed = {
        "provider": "lambda",
        "instance_type": "gpu_1x_gh200",
        "count": 1,
        "usd_per_hour": 2.0,
        "until": "2026-12-20",
    }
    plan = _plan(**work, constraints={"max_gpus": 2}, have={"committed": [committed]})
    option = _option(plan, "have/lambda")
    assert isinstance(option.book, RentInputs)
    cheapest = min(o.total_usd for o in plan.options if o.kind.value == "rent" and o.choosable and not o.binds)
    storage_usd = STORAGE_USD * option.book.run_hours / 730
    whole_usd = option.book.price_usd_per_hour * option.book.run_hours * option.instance_count + storage_usd
    assert whole_usd == pytest.approx(min(cheapest, 2.29 * option.book.run_hours + storage_usd))
    first_share = 30 / DAYS * 730 / option.book.run_hours
    assert option.total_usd == pytest.approx((whole_usd - storage_usd) * (1 - first_share) + storage_usd)
