"""What a file of older prices does to the past, and what it must not do to the present; on both engines."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing.clock import utc_now
from pricing.commands.prices import prices
from pricing.commands.views import import_lines
from pricing.errors import StoreError
from pricing.facts.offers import Offer, PurchaseOption
from pricing.store.database import DuckDbEngine, Engine
from pricing.store.exchange import import_offers, offers_as_csv
from pricing.store.parts import PartAnswer, read_statuses
from pricing.store.read import history_of, read_offers
from pricing.store.write import Landing, PartResult, land
from tests.conftest import SEEN_ON
from tests.pricing.store.conftest import DAY, land_day, offer, on_day

H100, L4 = "p5.48xlarge", "g6.xlarge"


def prices_of(engine: Engine, day: int | None = None) -> dict[str, float]:
    offers = read_offers(engine, None if day is None else on_day(day))
    return {each.instance_type: each.price_usd_per_hour for each in offers}


def from_file(engine: Engine, day: int, *offers: Offer) -> PartResult:
    """Import offers as of the n-th day, as a file that names their part."""
    (result,) = land_day(engine, day, list(offers), is_import=True)
    return result


def counts(result: PartResult) -> tuple[int, int, int, int]:
    return result.new_count, result.changed_count, result.older_count, result.known_count


def told_prices(engine: Engine, kind: str = H100) -> list[tuple[int, float | None]]:
    found = history_of(engine, {"instance_type": [kind]})
    return [((each.seen_at - DAY).days, each.price_usd_per_hour) for each in found]


def test_an_older_price_is_told_as_history_and_not_as_a_change(engine: Engine) -> None:
    land_day(engine, 10, [offer(price=55.0)])
    result = from_file(engine, 3, offer(price=98.0))
    assert counts(result) == (0, 0, 1, 0)
    assert (result.outdated_count, result.newest_at) == (1, DAY + timedelta(days=10))
    assert prices_of(engine) == {H100: 55.0}
    assert prices_of(engine, 5) == {H100: 98.0}
    assert told_prices(engine) == [(3, 98.0), (10, 55.0)]


@pytest.mark.slow
def test_a_price_seen_again_after_the_files_day_stays_the_answer_of_every_later_day(engine: Engine) -> None:
    for day in (0, 4, 10):
        land_day(engine, day, [offer(price=60.0)])  # unchanged: the log alone tells the two later ones
    from_file(engine, 2, offer(price=98.0))
    assert [prices_of(engine, day)[H100] for day in (1, 2, 3, 4, 10, 20)] == [60.0, 98.0, 98.0, 60.0, 60.0, 60.0]
    assert prices_of(engine) == {H100: 60.0}


@pytest.mark.slow
def test_an_offer_that_newer_answers_no_longer_tell_does_not_rise_from_the_dead(engine: Engine) -> None:
    land_day(engine, 0, [offer(), offer(L4, 0.8)])
    land_day(engine, 10, [offer()])
    for day in (5, 3, 7):
        assert from_file(engine, day, offer(L4, 0.9)).unlisted_count == 1
    never_seen = from_file(engine, 5, offer("p3.2xlarge", 3.06))
    assert (counts(never_seen), never_seen.unlisted_count) == ((0, 0, 1, 0), 1)
    assert prices_of(engine) == prices_of(engine, 10) == prices_of(engine, 30) == {H100: 55.04}
    assert prices_of(engine, 6) == {H100: 55.04, L4: 0.9, "p3.2xlarge": 3.06}


def test_a_row_without_a_part_is_history_where_the_provider_was_asked_since(engine: Engine) -> None:
    land_day(engine, 10, [offer()])
    land_day(engine, 20, [offer()])
    result = from_file(engine, 3, offer("p3.2xlarge", 3.06, part="import/old"))
    assert (counts(result), result.unlisted_count) == ((0, 0, 1, 0), 1)
    assert prices_of(engine, 15) == {H100: 55.04, "p3.2xlarge": 3.06}
    assert prices_of(engine, 20) == prices_of(engine) == {H100: 55.04}


def test_an_older_day_of_a_part_that_was_not_asked_since_is_the_newest_there_is(engine: Engine) -> None:
    """Today's list prices say nothing of spot: yesterday's spot price from a colleague is today's best knowledge."""
    land_day(engine, 10, [offer()])
    spot = offer(price=16.0, part="spot/us-east-1", purchase_option=PurchaseOption.SPOT, interruptible=True)
    assert counts(from_file(engine, 9, spot)) == (1, 0, 0, 0)
    assert sorted(each.price_usd_per_hour for each in read_offers(engine)) == [16.0, 55.04]
    assert sorted(each.price_usd_per_hour for each in read_offers(engine, on_day(30))) == [16.0, 55.04]


@pytest.mark.slow
def test_a_corrected_file_of_the_same_day_replaces_the_first_one(engine: Engine) -> None:
    from_file(engine, 3, offer(price=98.0))
    assert counts(from_file(engine, 3, offer(price=97.0))) == (0, 1, 0, 0)
    assert prices_of(engine) == prices_of(engine, 3) == {H100: 97.0}
    land_day(engine, 10, [offer(price=97.0)])
    assert counts(from_file(engine, 3, offer(price=96.0))) == (0, 0, 1, 0)
    assert told_prices(engine) == [(3, 96.0), (10, 97.0)]  # the tenth day's own answer is not the file's to change
    assert prices_of(engine) == prices_of(engine, 30) == {H100: 97.0}


def test_a_file_that_comes_twice_is_known_the_second_time(engine: Engine) -> None:
    land_day(engine, 10, [offer(price=55.0)])
    from_file(engine, 3, offer(price=98.0))
    before = told_prices(engine)
    assert counts(from_file(engine, 3, offer(price=98.0))) == (0, 0, 0, 1)
    assert told_prices(engine) == before


@pytest.mark.slow
def test_the_terms_of_an_older_day_hold_until_the_newer_ones(engine: Engine) -> None:
    land_day(engine, 0, [offer(vcpus=192.0)])
    land_day(engine, 10, [offer(vcpus=192.0)])
    from_file(engine, 4, offer(vcpus=96.0, price=50.0))
    assert [read_offers(engine, on_day(day))[0].vcpus for day in (0, 4, 9, 10, 12)] == [192.0, 96.0, 96.0, 192.0, 192.0]
    assert read_offers(engine)[0].vcpus == 192.0


def test_a_file_does_not_take_an_offer_out_of_its_sources_part(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    land_day(engine, 2, [offer(price=50.0, part="import/mine")], is_import=True)
    (held,) = read_offers(engine)
    assert (held.part, held.price_usd_per_hour, held.observed_on) == ("on_demand/us-east-1", 50.0, on_day(2))
    (result,) = land_day(engine, 3, [], PartAnswer(part="on_demand/us-east-1"))
    assert result.gone_count == 1  # its source can still say that it is not sold any more
    assert read_offers(engine) == []


def test_some_rows_of_a_part_make_the_others_no_younger(engine: Engine) -> None:
    land_day(engine, 0, [offer(), offer(L4, 0.8)])
    from_file(engine, 5, offer(price=50.0))
    assert {each.instance_type: each.observed_on for each in read_offers(engine)} == {H100: on_day(5), L4: on_day(0)}
    (status,) = read_statuses(engine)
    assert status.landed_at == DAY
    from_file(engine, 6, offer(price=50.0), offer(L4, 0.8))
    assert {each.observed_on for each in read_offers(engine)} == {on_day(6)}  # the whole part: all of it was seen again


def test_a_file_does_not_hide_that_the_source_failed_last(engine: Engine) -> None:
    land_day(engine, 0, [offer()])
    land_day(engine, 4, [], PartAnswer(part="on_demand/us-east-1", status="failed", message="answered 503"))
    from_file(engine, 2, offer())
    (status,) = read_statuses(engine)
    assert (status.status, status.asked_at) == ("failed", DAY + timedelta(days=4))


@pytest.mark.slow
def test_with_now_the_files_prices_are_in_force(engine: Engine) -> None:
    asked_at = utc_now() - timedelta(minutes=5)
    parts = (PartAnswer(part="on_demand/us-east-1"),)
    land(engine, Landing(provider="aws", asked_at=asked_at, parts=parts, offers=[offer(price=60.0)]))
    stale = replace(offer(price=40.0), observed_on=date(2025, 1, 1))
    (kept,) = import_offers(engine, [stale], "mine")
    assert "still holds" in " ".join(import_lines([kept]))
    assert "--now" in " ".join(import_lines([kept]))
    assert prices_of(engine) == {H100: 60.0}
    (taken,) = import_offers(engine, [stale], "mine", is_now=True)
    assert counts(taken) == (0, 1, 0, 0)
    (held,) = read_offers(engine)
    assert (held.price_usd_per_hour, held.observed_on) == (40.0, datetime.now(UTC).date())


def test_two_rows_for_one_offer_and_day_are_refused_and_nothing_is_made(file_engine: DuckDbEngine) -> None:
    twice = [offer(price=1.0), offer(price=2.0)]
    with pytest.raises(StoreError, match=f"comes twice for {on_day(0)}"):
        import_offers(file_engine, twice, "mine")
    assert not file_engine.exists()
    days = [replace(offer(), observed_on=on_day(day)) for day in (1, 2)]
    with pytest.raises(StoreError, match="--now"):
        import_offers(file_engine, days, "mine", is_now=True)


def test_the_command_says_what_took_effect_and_what_did_not(tmp_path: Path) -> None:
    store, file = str(tmp_path / "prices.duckdb"), tmp_path / "mine.csv"
    days = [offer(price=60.0, observed_on=on_day(1)), offer(price=61.0, observed_on=on_day(8))]

    def told(*offers: Offer) -> str:
        file.write_text(offers_as_csv(offers), encoding="utf-8")
        result = CliRunner().invoke(prices, ["import", str(file), "--store", store])
        assert result.exit_code == 0, result.output
        return result.output

    assert told(*days).startswith("2 offers read: 1 new, 1 with another price from now on, 0 as they were, 0 older")
    text = told(replace(days[0], price_usd_per_hour=59.0))
    assert (
        "0 with another price from now on, 0 as they were, 1 older than what the store knows and kept as history"
        in text
    )
    assert "1 of the older ones differ from today's price, which still holds" in text
    assert f"last on {on_day(8)}" in text
    assert "--now" in text


HOUR = 1 / 24
ANSWER = st.tuples(st.booleans(), st.integers(0, 8), st.dictionaries(st.sampled_from("abc"), st.floats(0.5, 0.69).map(lambda x: round(x, 2))))  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANSWER, min_size=1, max_size=7))
def test_whatever_files_come_late_the_end_of_time_answers_as_now_and_the_sources_own_day_as_it_said(
    tmp_path: Path, answers: list[tuple[bool, int, dict[str, float]]]
) -> None:
    engine = DuckDbEngine(Path(tempfile.mkdtemp(dir=tmp_path)) / "prices.duckdb")
    answered = PartAnswer(part="on_demand/us-east-1")
    said: dict[int, dict[str, float]] = {}
    for is_import, day, told in answers:
        if not is_import and day in said:
            continue  # two refreshes of one microsecond do not happen
        offers = [offer(name, price) for name, price in told.items()]
        before = prices_of(engine) if engine.exists() else {}
        (result,) = land_day(engine, day if is_import else day + HOUR, offers, answered, is_import=is_import)
        if not is_import and result.answer.status == "ok":
            said[day] = dict(told)
        after = prices_of(engine)
        assert prices_of(engine, 99) == after
        if is_import:
            moved = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            assert result.new_count + result.changed_count == len(moved)
            assert result.row_count == len(told)
    for day, truth in said.items():
        assert prices_of(engine, day) == truth


def test_a_published_catalog_imports_under_its_seller_and_day(tmp_path: Path) -> None:
    path = tmp_path / f"nebius@{SEEN_ON}.csv"
    path.write_text(
        "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice\n"
        "gpu-l40s-a_1gpu-8vcpu-32gb,L40S,1,8,32,1.5484,eu-north1,{'TotalGpuMemoryInMiB': 49152},0.9\n"
    )
    store = tmp_path / "prices.duckdb"
    result = CliRunner().invoke(prices, ["import", str(path), "--store", str(store)])
    assert result.exit_code == 0, result.output
    found = read_offers(DuckDbEngine(store))
    assert {(o.provider, o.accelerator, o.purchase_option.value, o.price_usd_per_hour) for o in found} == {
        ("nebius", "L40S", "on_demand", 1.5484),
        ("nebius", "L40S", "spot", 0.9),
    }
