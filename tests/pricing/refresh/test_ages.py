"""Age is the age of the price: neither a refresh nor a file's own time makes one younger."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from pricing.clock import utc_now
from pricing.errors import NoPricesError
from pricing.facts.offers import Offer
from pricing.loading import load
from pricing.refresh.run import RefreshSummary, refresh
from pricing.store.database import DuckDbEngine
from pricing.store.exchange import import_offers, offers_as_csv, read_offer_file
from pricing.store.parts import read_statuses
from pricing.store.read import read_offers
from tests.conftest import KNOWS_BUNDLED

HEADER = "provider,instance_type,region,accelerator_stated,accelerator_count,accelerator_memory_gb,purchase_option,price_usd_per_hour,source,observed_on"
OLD = date(2024, 1, 15)
TODAY = utc_now().date()
Card = Callable[..., RefreshSummary]


def line(kind: str = "h100-8", price: float = 19.2, day: date = OLD) -> str:
    return f"my-cloud,{kind},EU-1,H100 SXM5,8,80,on_demand,{price:g},by hand,{day}"


@pytest.fixture
def store(tmp_path: Path) -> DuckDbEngine:
    return DuckDbEngine(tmp_path / "prices.duckdb")


@pytest.fixture
def card(tmp_path: Path, store: DuckDbEngine) -> Card:
    """Return what writes a card and refreshes from it."""
    folder = tmp_path / "cards"
    folder.mkdir()

    def call(*lines: str) -> RefreshSummary:
        (folder / "mine.csv").write_text("\n".join((HEADER, *lines, "")))
        return refresh(store, ["rate_card"], settings={}, rate_cards=[folder])

    return call


def days(store: DuckDbEngine, as_of: date | None = None) -> dict[str, date]:
    return {offer.instance_type: offer.observed_on for offer in read_offers(store, as_of)}


@pytest.mark.slow
@KNOWS_BUNDLED
def test_a_card_keeps_the_day_on_which_it_was_read_however_often_it_is_refreshed(
    card: Card, store: DuckDbEngine, tmp_path: Path
) -> None:
    for _ in range(2):
        assert card(line(), line("h100-1", 2.4, OLD + timedelta(days=40))).exit_status == 0
        os.utime(tmp_path / "cards" / "mine.csv")
        assert days(store) == {"h100-8": OLD, "h100-1": OLD + timedelta(days=40)}
    (status,) = read_statuses(store)
    assert status.age_days(utc_now()) == pytest.approx((TODAY - OLD).days, abs=1)
    found = load(str(store.path), max_age_days=(TODAY - OLD).days - 1)
    assert not [offer for offer in found.offers if offer.instance_type == "h100-8"]
    assert any("prices are" in note and "card/mine" in note for note in found.notes)


@pytest.mark.slow
def test_a_card_that_was_read_again_is_as_young_as_it_says(card: Card, store: DuckDbEngine) -> None:
    card(line())
    card(line(day=TODAY - timedelta(days=3)))  # the same price
    assert days(store) == {"h100-8": TODAY - timedelta(days=3)}
    card(line(price=21.0, day=TODAY - timedelta(days=2)))
    assert days(store) == {"h100-8": TODAY - timedelta(days=2)}
    card(line("other", day=TODAY))
    assert days(store) == {"other": TODAY}  # what a card no longer lists is gone


@pytest.mark.slow
def test_rows_of_a_file_keep_their_own_days(store: DuckDbEngine, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join((HEADER, line(), line("h100-1", 2.4, date(2026, 3, 1)), "")))
    import_offers(store, read_offer_file(path), "mine")
    told = {"h100-8": OLD, "h100-1": date(2026, 3, 1)}
    assert days(store) == told
    assert days(store, date(2025, 1, 1)) == {"h100-8": OLD}
    (tmp_path / "again.csv").write_text(offers_as_csv(read_offers(store)))
    other = DuckDbEngine(tmp_path / "other.duckdb")
    import_offers(other, read_offer_file(tmp_path / "again.csv"), "again")
    assert days(other) == told


def test_the_same_price_told_by_a_later_file_is_of_the_later_day(store: DuckDbEngine, tmp_path: Path) -> None:
    for day in (date(2026, 3, 1), date(2026, 4, 1)):
        path = tmp_path / "mine.csv"
        path.write_text("\n".join((HEADER, line(day=day), *([line("b", day=day)] if day.month == 3 else []), "")))
        import_offers(store, read_offer_file(path), "mine")
    assert days(store) == {"h100-8": date(2026, 4, 1), "b": date(2026, 3, 1)}


def test_a_store_from_before_is_read_and_gets_what_it_lacks_when_it_is_written(card: Card, store: DuckDbEngine) -> None:
    card(line())
    with store.writing() as session:
        session.execute("drop table observation")
    assert [type(offer) for offer in read_offers(store)] == [Offer]
    card(line())
    assert days(store) == {"h100-8": OLD}


@KNOWS_BUNDLED
def test_nothing_is_left_that_is_young_enough(card: Card, store: DuckDbEngine) -> None:
    card(line(day=TODAY - timedelta(days=400)))
    with pytest.raises(NoPricesError):
        load(str(store.path), max_age_days=0)


def test_a_card_of_a_day_to_come_is_told_and_left_out(card: Card, store: DuckDbEngine) -> None:
    summary = card(line(day=TODAY + timedelta(days=2)), line("h100-1", 2.4, TODAY))
    assert [row.reason for row in summary.sources[0].refused] == ["future_date"]
    assert days(store) == {"h100-1": TODAY}
