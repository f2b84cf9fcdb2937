"""The gates: each rule on a case by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.facts.offers import Offer, Payment, PurchaseOption, identity_of
from pricing.providers.contract import RefusedRow
from pricing.refresh.gates import Market, has_shrunk, is_confirmed_shrink, judge, judge_table, missing_anchors

H100 = Offer(
    provider="aws", instance_type="p5.48xlarge", region="us-east-1", accelerator="H100-SXM", accelerator_stated="NVIDIA H100",
    accelerator_count=8.0, vcpus=192.0, purchase_option=PurchaseOption.ON_DEMAND, price_usd_per_hour=55.04, source="by hand",
    observed_on=date(2026, 11, 1), part="p",
)  # fmt: skip


def paid(option: PurchaseOption, price: float, **fields: Any) -> Offer:
    return replace(H100, purchase_option=option, price_usd_per_hour=price, **fields)


def reasons(*offers: Offer) -> list[str]:
    judged = judge(offers)
    return [row.reason for row in judged.refused] + [fault.reason for fault in judged.faults]


def test_sound_prices_pass() -> None:
    one = paid(PurchaseOption.RESERVED_1Y, 37.0, term_months=12)
    three = paid(PurchaseOption.RESERVED_3Y, 24.0, term_months=36)
    judged = judge([H100, paid(PurchaseOption.SPOT, 17.0), one, three])
    assert len(judged.offers) == 4
    assert not judged.refused
    assert not judged.faults


def test_spot_above_on_demand_is_refused() -> None:
    assert reasons(H100, paid(PurchaseOption.SPOT, 60.0)) == ["spot_above_on_demand"]


def test_spot_in_a_local_zone_is_not_held_against_its_parents_price() -> None:
    local = paid(PurchaseOption.SPOT, 60.0, zone="use1-atl2-az1", zone_kind="local_zone", flags=("local_zone",))
    assert reasons(H100, local) == []


def test_a_commitment_above_on_demand_is_refused() -> None:
    assert reasons(H100, paid(PurchaseOption.SAVINGS_PLAN_1Y, 56.0, term_months=12)) == ["commitment_above_on_demand"]


def test_three_years_above_one_are_refused_payment_by_payment() -> None:
    one = paid(PurchaseOption.RESERVED_1Y, 30.0, term_months=12)
    three = paid(PurchaseOption.RESERVED_3Y, 35.0, term_months=36)
    assert reasons(H100, one, three) == ["longer_is_dearer"]
    assert reasons(H100, one, replace(three, payment=Payment.ALL, upfront_usd=1.0)) == []


def test_an_hour_of_an_accelerator_has_a_sane_price() -> None:
    assert reasons(paid(PurchaseOption.ON_DEMAND, 0.08)) == ["out_of_band"]  # 0.01 for each: a bid floor, no price
    assert reasons(paid(PurchaseOption.ON_DEMAND, 45.0 * 8)) == []  # a GB300 in a dear region
    assert reasons(paid(PurchaseOption.ON_DEMAND, 551_499.0)) == ["out_of_band"]  # a whole term read as an hour
    host = replace(H100, accelerator=None, accelerator_stated="", accelerator_count=0.0)
    assert reasons(replace(host, price_usd_per_hour=6.5)) == []
    assert reasons(replace(host, price_usd_per_hour=6_500.0)) == ["out_of_band"]


def test_two_prices_for_one_thing_are_told_by_row_and_neither_wins() -> None:
    judged = judge([H100, replace(H100, price_usd_per_hour=54.0), replace(H100, instance_type="p5e.48xlarge")])
    assert [(row.identity, row.reason) for row in judged.refused] == [(identity_of(H100), "duplicate")]
    assert "55.04 and 54" in judged.refused[0].message
    assert [offer.instance_type for offer in judged.offers] == ["p5e.48xlarge"]


def seller(name: str, price: float, **fields: Any) -> Offer:
    return replace(H100, provider=name, instance_type=f"{name}-8", price_usd_per_hour=price, **fields)


@pytest.mark.parametrize(
    ("price", "others", "is_flagged"),
    [
        (9.0, [seller("a", 16.0), seller("b", 20.0)], True),
        (9.7, [seller("a", 16.0), seller("b", 20.0)], False),  # 39 % below
        (9.0, [seller("a", 16.0)], False),  # one seller is no market
        (9.0, [seller("a", 16.0), seller("b", 9.5)], False),
        (9.0, [seller("a", 16.0), seller("b", 20.0), seller("new", 10.0)], False),  # a second source lists it so
        (9.0, [seller("a", 16.0), seller("b", 20.0), seller("new", 30.0)], True),
        (9.0, [seller("a", 16.0, purchase_option=PurchaseOption.SPOT, interruptible=True), seller("b", 20.0)], False),
        (9.0, [seller("a", 16.0, accelerator="H200-SXM"), seller("b", 20.0)], False),
    ],
)
def test_a_listing_far_below_every_other_seller_is_flagged(price: float, others: list[Offer], is_flagged: bool) -> None:
    (found,) = judge([seller("new", price)], market=Market.of(others)).offers
    assert ("far_below_others" in found.flags) is is_flagged


def test_a_flagged_listing_is_no_other_ones_market_and_loses_its_flag_when_the_market_follows() -> None:
    odd = replace(seller("odd", 5.0), flags=("far_below_others",))
    market = Market.of([seller("a", 16.0), seller("b", 20.0)], [odd])
    assert judge([seller("new", 9.0)], market=market).offers[0].flags == ("far_below_others",)
    assert judge([odd], market=Market.of([seller("a", 6.0), seller("b", 6.0)])).offers[0].flags == ()


def test_a_file_is_judged_day_by_day() -> None:
    later = replace(H100, price_usd_per_hour=40.0, observed_on=date(2026, 11, 9))
    assert len(judge_table([H100, later]).offers) == 2
    judged = judge_table([H100, replace(later, observed_on=H100.observed_on), later])
    assert [row.reason for row in judged.refused] == ["duplicate"]


def test_the_same_row_twice_is_one_offer() -> None:
    assert len(judge([H100, H100]).offers) == 1


def test_spot_at_on_demand_and_at_a_tenth_are_flagged() -> None:
    judged = judge(
        [H100, paid(PurchaseOption.SPOT, 55.04), paid(PurchaseOption.SPOT, 5.504, zone="z", zone_kind="zone")]
    )
    assert [offer.flags for offer in judged.offers] == [(), ("spot_equals_on_demand",), ("spot_at_floor",)]


def test_a_part_in_which_too_much_is_refused_fails_whole() -> None:
    good = [replace(H100, instance_type=f"g{number}") for number in range(10)]
    bad = [RefusedRow(part="p", identity=f"b{number}", reason="impossible", message="price 0") for number in range(4)]
    assert [fault.reason for fault in judge(good, bad).faults] == ["too_many_refused"]
    assert not judge(good, bad[:3]).faults


def test_rows_that_one_cause_spoils_count_once() -> None:
    good = [replace(H100, instance_type=f"g{number}") for number in range(10)]
    bad = [
        RefusedRow(part="p", identity=f"b{number}", reason="unit", message="m", cause="SKU-1") for number in range(9)
    ]
    assert not judge(good, bad).faults
    assert len(judge(good, bad).refused) == 9
    causes = [replace(row, cause=f"SKU-{number}") for number, row in enumerate(bad)]
    assert [fault.reason for fault in judge(good, causes).faults] == ["too_many_refused"]


@given(st.permutations([H100, paid(PurchaseOption.SPOT, 60.0), paid(PurchaseOption.RESERVED_1Y, 80.0, term_months=12)]))
def test_the_order_of_the_rows_changes_nothing(rows: list[Offer]) -> None:
    judged = judge(rows)
    assert {row.identity for row in judged.refused} == {identity_of(row) for row in rows if row is not H100}


@given(st.integers(0, 500), st.integers(10, 400))
def test_an_answer_as_large_as_the_last_is_never_too_small(more: int, held: int) -> None:
    assert not has_shrunk(held + more, held)


@given(st.integers(1, 400))
def test_no_answer_at_all_is_always_too_small(held: int) -> None:
    assert has_shrunk(0, held)


@pytest.mark.parametrize(
    ("days", "is_accepted"),
    [
        ([], False),
        ([0, 0, 0], False),  # as often as one likes within a day
        ([-1], False),
        ([-1, -2], True),
        ([-3, -9], True),  # a refresh does not run every night
    ],
)
def test_a_smaller_answer_is_accepted_when_it_came_on_three_days(days: list[int], is_accepted: bool) -> None:
    today = date(2026, 11, 20)
    earlier = [(today + timedelta(days=day), 60) for day in days]
    assert is_confirmed_shrink(60, earlier, today) is is_accepted
    assert not is_confirmed_shrink(40, earlier, today)  # another one
    assert not is_confirmed_shrink(0, [(day, 0) for day, _ in earlier], today)


def test_anchors_that_are_missing_are_named() -> None:
    assert missing_anchors([H100], ("p5.48xlarge", "g6.xlarge")) == ["g6.xlarge"]
