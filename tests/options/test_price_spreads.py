"""How far prices move: the assumptions are what the bundled price history says."""

from __future__ import annotations

from datetime import date

import pytest
from fit.prices import fitted, moves

from planner.assumptions import default_assumptions
from pricing.facts.offers import PurchaseOption
from pricing.facts.price_history import PricePoint

CLASSES = ("block", "hyperscaler_list", "list", "marketplace", "spot")


@pytest.mark.parametrize("name", CLASSES)
def test_the_spread_of_each_class_is_that_of_the_price_history(name: str) -> None:
    row, spread = default_assumptions().rows[f"evidence.{name}_spread_share"], fitted()[name]
    assert (row.value, row.low, row.high) == pytest.approx((spread.share, spread.low, spread.high), abs=0.0051)
    assert f"{spread.series_count} " in row.source
    assert f"over {spread.years:.0f} years" in row.source


def test_prices_of_the_same_weeks_tell_how_sources_differ_and_are_not_compared() -> None:
    days = (date(2026, 1, 1), date(2026, 1, 15), date(2026, 3, 1))
    seen = tuple(
        PricePoint(
            provider="a",
            instance_type="b",
            region="c",
            purchase_option=PurchaseOption.ON_DEMAND,
            observed_on=day,
            price_usd_per_hour=price,
            source="test",
        )
        for day, price in zip(days, (1.0, 9.0, 1.0), strict=True)
    )
    assert moves(seen) == [(0.0, 59 / 365.25)]
