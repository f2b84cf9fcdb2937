"""The store's promises, on both engines: changes only, gone only where a source said so, any day can be asked for."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing.facts.offers import Launchable, Offer, Payment, PricePart, PurchaseOption, identity_of
from pricing.store.database import DuckDbEngine, Engine
from pricing.store.parts import PartAnswer, end_of_day, read_statuses
from pricing.store.read import changes_between, history_of, read_offers
from pricing.store.spreads import renew_spreads
from pricing.store.write import Landing, land
from tests.pricing.store.conftest import DAY, land_day, offer, on_day

FAILED = PartAnswer(part="on_demand/us-east-1", status="failed", reason="http_503", message="answered 503")


def rows(engine: Engine, table: str) -> int:
    with engine.reading() as session:
        return int(session.rows(f"select count(*) from {table}")[0][0])


def prices_of(engine: Engine, day: int | None = None) -> dict[str, float]:
    offers = read_offers(engine, None if day is None else on_day(day))
    return {each.instance_type: each.price_usd_per_hour for each in offers}


def test_an_offer_comes_back_as_it_went_in(engine: Engine) -> None:
    stored = offer(
        zone="use1-az6",
        zone_kind="zone",
        processor="AMD EPYC 7R13 Processor",
        cpu_arch="x86_64",
        purchase_option=PurchaseOption.RESERVED_3Y,
        term_months=36,
        payment=Payment.PARTIAL,
        offering_class="convertible",
        cancellable=False,
        launchable=Launchable.NO,
        launchable_note='it\'s "100 %" sold out; ask; söld',
        upfront_usd=297594.0,
        price_parts=(PricePart(name="core", sku_id="A-1", quantity=208.0, price_usd_per_hour=0.0292),),
        source_sku_ids=("A-1", "B-2"),
        flags=("local_zone",),
    )
    land_day(engine, 0, [stored])
    assert read_offers(engine) == [stored]
    assert read_offers(engine, on_day(0)) == [stored]


def test_an_unknown_accelerator_and_missing_numbers_stay_unknown(engine: Engine) -> None:
    stored = offer(accelerator=None, accelerator_memory_gb=None, vcpus=None, memory_gib=None, effective_on=None)
    land_day(engine, 0, [stored])
    assert read_offers(engine) == [stored]


def test_an_unchanged_refresh_stores_no_price_row(engine: Engine) -> None:
    offers = [offer(), offer("g6.xlarge", 0.8)]
    land_day(engine, 0, offers)
    (result,) = land_day(engine, 1, offers)
    assert (result.new_count, result.changed_count, result.gone_count) == (0, 0, 0)
    assert rows(engine, "price_change") == 2
    assert rows(engine, "terms_change") == 2
    assert {each.observed_on for each in read_offers(engine)} == {on_day(1)}  # unchanged, and seen again


def test_only_what_changed_is_stored(engine: Engine) -> None:
    land_day(engine, 0, [offer(), offer("g6.xlarge", 0.8)])
    (result,) = land_day(engine, 1, [offer(), offer("g6.xlarge", 0.9)])
    assert (result.new_count, result.changed_count, result.gone_count) == (0, 1, 0)
    assert rows(engine, "price_change") == 3


def test_a_change_of_terms_alone_is_no_change_of_price(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    (result,) = land_day(engine, 1, [offer(launchable=Launchable.NO, launchable_note="sold out")])
    assert result.changed_count == 0
    assert rows(engine, "price_change") == 1
    assert read_offers(engine)[0].launchable is Launchable.NO
    assert read_offers(engine, on_day(0))[0].launchable is Launchable.UNKNOWN


def test_each_day_answers_as_it_was(engine: Engine) -> None:
    land_day(engine, 0, [offer(price=60.0)])
    land_day(engine, 3, [offer(price=55.0), offer("g6.xlarge", 0.8)])
    land_day(engine, 7, [offer("g6.xlarge", 0.8)])
    assert prices_of(engine, -1) == {}
    assert prices_of(engine, 0) == prices_of(engine, 2) == {"p5.48xlarge": 60.0}
    assert prices_of(engine, 3) == {"p5.48xlarge": 55.0, "g6.xlarge": 0.8}
    assert prices_of(engine, 9) == prices_of(engine) == {"g6.xlarge": 0.8}


def test_an_offer_that_comes_back_is_new_again(engine: Engine) -> None:
    land_day(engine, 0, [offer(), offer("g6.xlarge", 0.8)])
    land_day(engine, 1, [offer("g6.xlarge", 0.8)])
    (result,) = land_day(engine, 2, [offer(), offer("g6.xlarge", 0.8)])
    assert result.new_count == 1
    assert rows(engine, "offer") == 2
    assert [each.price_usd_per_hour for each in history_of(engine, {"instance_type": ["p5.48xlarge"]})] == [
        55.04,
        None,
        55.04,
    ]


def test_nothing_vanishes_where_the_source_failed(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    land_day(engine, 1, [], FAILED)
    assert prices_of(engine) == {"p5.48xlarge": 55.04}
    assert read_offers(engine)[0].observed_on == on_day(0)  # and its age is told


def test_a_part_that_answered_says_nothing_of_its_sibling(engine: Engine) -> None:
    elsewhere = offer(part="on_demand/eu-west-1", region="eu-west-1", price=59.0)
    land_day(engine, 0, [offer(), elsewhere])
    results = land_day(engine, 1, [], PartAnswer(part="on_demand/eu-west-1"), FAILED)
    assert [result.gone_count for result in results] == [1, 0]
    assert [each.region for each in read_offers(engine)] == ["us-east-1"]


def test_a_provider_that_answered_says_nothing_of_another(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    land_day(engine, 1, [], PartAnswer(part="on_demand/us-east-1"), provider="gcp")
    assert len(read_offers(engine)) == 1


def test_a_refused_row_keeps_what_is_held_of_it(engine: Engine) -> None:
    land_day(engine, 0, [offer(), offer("g6.xlarge", 0.8)])
    land_day(engine, 1, [offer()], kept=[identity_of(offer("g6.xlarge"))])
    assert prices_of(engine) == {"p5.48xlarge": 55.04, "g6.xlarge": 0.8}


def test_a_large_move_waits_for_a_second_reading(engine: Engine) -> None:
    from pricing.clock import utc_now

    start = utc_now() - timedelta(days=2)
    parts = (PartAnswer(part="on_demand/us-east-1"),)
    land(engine, Landing(provider="aws", asked_at=start, parts=parts, offers=[offer(price=98.32)]))
    half = [offer(price=55.04)]  # the real cut of June 2025
    (first,) = land(engine, Landing(provider="aws", asked_at=start + timedelta(days=1), parts=parts, offers=half))
    assert first.held == ((identity_of(offer()), 98.32, 55.04),)
    assert prices_of(engine) == {"p5.48xlarge": 98.32}
    assert "move_held_back" in read_offers(engine)[0].flags
    (second,) = land(engine, Landing(provider="aws", asked_at=utc_now(), parts=parts, offers=half))
    assert (second.held_count, second.changed_count) == (0, 1)
    assert prices_of(engine) == {"p5.48xlarge": 55.04}
    assert read_offers(engine)[0].flags == ()


def test_a_large_move_that_was_a_slip_is_forgotten(engine: Engine) -> None:
    land_day(engine, 0, [offer(price=98.32)])
    land_day(engine, 1, [offer(price=9.83)])
    land_day(engine, 2, [offer(price=98.32)])
    assert rows(engine, "held_price") == 0
    assert prices_of(engine) == {"p5.48xlarge": 98.32}


def test_two_refreshes_at_once_do_not_confirm_each_other(engine: Engine) -> None:
    land_day(engine, 0, [offer(price=98.32)])
    wrong = [offer(price=9.83)]
    land_day(engine, 1, wrong)
    (result,) = land_day(engine, 1, wrong)  # begun at the same time, landed after
    assert result.held_count == 1
    assert prices_of(engine) == {"p5.48xlarge": 98.32}


def test_a_refresh_that_began_earlier_does_not_overwrite_a_later_one(engine: Engine) -> None:
    land_day(engine, 2, [offer(price=55.0)])
    (result,) = land_day(engine, 1, [offer(price=60.0)])
    assert result.answer.status == "superseded"
    assert prices_of(engine) == {"p5.48xlarge": 55.0}


def test_the_log_tells_unchanged_from_not_asked(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    land_day(engine, 1, [offer()])
    land_day(engine, 2, [], FAILED)
    (status,) = read_statuses(engine)
    assert (status.status, status.reason, status.row_count) == ("failed", "http_503", 1)
    assert status.landed_at == DAY + timedelta(days=1)
    assert status.age_days(DAY + timedelta(days=4)) == pytest.approx(3.0)


def test_an_older_day_is_added_beside_the_newer_one(engine: Engine) -> None:
    land_day(engine, 10, [offer(price=55.0)])
    land_day(engine, 3, [offer(price=98.0), offer("p3.2xlarge", 3.06)], is_import=True)
    assert prices_of(engine) == {"p5.48xlarge": 55.0}
    assert prices_of(engine, 5)["p5.48xlarge"] == 98.0
    assert prices_of(engine, 10)["p5.48xlarge"] == 55.0


def test_a_diff_tells_changed_new_and_gone(engine: Engine) -> None:
    land_day(engine, 0, [offer(price=60.0), offer("p3.2xlarge", 3.06), offer("m7i.2xlarge", 0.4)])
    land_day(engine, 1, [offer(price=54.0), offer("g6.xlarge", 0.8), offer("m7i.2xlarge", 0.4)])
    found = {each.instance_type: each for each in changes_between(engine, on_day(0), on_day(1))}
    assert found.keys() == {"p5.48xlarge", "p3.2xlarge", "g6.xlarge"}
    assert found["p5.48xlarge"].change_share == pytest.approx(-0.1)
    assert found["p3.2xlarge"].after_usd_per_hour is None
    assert found["g6.xlarge"].before_usd_per_hour is None


def test_filters_leave_what_they_say(engine: Engine) -> None:
    land_day(engine, 0, [offer(), offer("g6.xlarge", 0.8, accelerator="L4")])
    assert [each.instance_type for each in read_offers(engine, None, {"accelerator": ["L4"]})] == ["g6.xlarge"]
    assert [each.instance_type for each in read_offers(engine, on_day(0), {"instance_type": ["p5.48xlarge"]})] == [
        "p5.48xlarge"
    ]
    assert [each.price_usd_per_hour for each in history_of(engine, {"accelerator": ["L4"]})] == [0.8]


def spot(price: float, *history: tuple[float, float]) -> Offer:
    told = tuple((DAY + timedelta(days=day), each) for day, each in history)
    return offer(
        price=price, part="spot/us-east-1", zone="use1-az6", zone_kind="zone", interruptible=True,
        purchase_option=PurchaseOption.SPOT, price_history=told,
    )  # fmt: skip


def test_the_sources_own_past_is_kept_once(engine: Engine) -> None:
    land_day(engine, 10, [spot(16.0, (0, 14.0), (5, 17.0), (9, 16.0))])
    land_day(engine, 11, [spot(16.0, (5, 17.0), (9, 16.0), (10.5, 15.0))])
    assert rows(engine, "reading") == 4


def test_median_and_high_price_weigh_each_price_by_how_long_it_held(engine: Engine) -> None:
    # By hand: 10 USD for 60 days, 20 for 25, 30 for 5 of the 90: half the time 10; nine tenths (81 days) are reached at 20.
    land_day(engine, 90, [spot(30.0, (0, 10.0), (60, 20.0), (85, 30.0))])
    renew_spreads(engine, DAY + timedelta(days=90))
    for as_of in (None, on_day(90)):
        (read,) = read_offers(engine, as_of)
        assert (read.price_median_usd_per_hour, read.price_high_usd_per_hour) == (10.0, 20.0)


def test_a_price_that_never_moved_has_no_spread(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    land_day(engine, 1, [offer()])
    renew_spreads(engine, DAY + timedelta(days=2))
    for as_of in (None, on_day(2)):
        (read,) = read_offers(engine, as_of)
        assert (read.price_median_usd_per_hour, read.price_high_usd_per_hour) == (None, None)


@pytest.mark.slow
def test_milestones_change_no_answer(engine: Engine) -> None:
    dice = random.Random(7)
    truth: dict[int, dict[str, float]] = {}
    held = {f"t{number}.large": 1.0 + number for number in range(6)}
    for day in range(30):
        for name, price in list(held.items()):
            if dice.random() < 0.5:
                held[name] = round(price * dice.uniform(0.8, 1.2), 4)
        if day == 12:
            held.pop("t3.large")
        land_day(engine, day, [offer(name, price) for name, price in held.items()])
        truth[day] = dict(held)
    assert rows(engine, "milestone") >= 2
    assert {day: prices_of(engine, day) for day in truth} == truth
    # A row that is brought into the past of a milestone is not hidden by it.
    land_day(engine, 2, [offer("old.large", 9.0, part="import/old")], is_import=True)
    assert prices_of(engine, 29)["t1.large"] == truth[29]["t1.large"]
    assert prices_of(engine, 20)["old.large"] == 9.0


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.floats(0.5, 0.69).map(lambda x: round(x, 3))),
        min_size=1,
        max_size=6,
    )
)
def test_every_day_of_any_past_can_be_asked_for(tmp_path: Path, days: list[dict[str, float]]) -> None:
    engine = DuckDbEngine(Path(tempfile.mkdtemp(dir=tmp_path)) / "prices.duckdb")
    answered = PartAnswer(part="on_demand/us-east-1")
    for day, told in enumerate(days):
        land_day(engine, day, [offer(name, price) for name, price in told.items()], answered)
    for day, told in enumerate(days):
        assert prices_of(engine, day) == told
    assert prices_of(engine) == days[-1]


def test_the_end_of_a_day_is_its_last_moment() -> None:
    assert end_of_day(on_day(0)).isoformat() == f"{on_day(0)}T23:59:59.999999"


def test_an_offer_that_another_part_tells_now_moves_there(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    moved = replace(offer(), part="reserved/us-east-1")
    land_day(engine, 1, [moved], PartAnswer(part="reserved/us-east-1"), PartAnswer(part="on_demand/us-east-1"))
    assert [each.part for each in read_offers(engine)] == ["reserved/us-east-1"]
