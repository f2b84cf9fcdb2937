"""How far rents moved, against the assumption that is shipped."""

from __future__ import annotations

from datetime import date

import pytest

from planner.assumptions import default_assumptions
from planner.errors import PlanningError
from pricing.facts.price_history import price_history
from tests.published.rent_history import spread_of_changes, yearly_changes


def test_the_shipped_spread_of_spot_prices_is_that_of_the_bundled_history() -> None:
    series = [
        [(point.observed_on, point.price_usd_per_hour) for point in points]
        for (provider, _, _, option), points in price_history().items()
        if option == "spot" and provider == "gcp"
    ]
    assumption = default_assumptions().rows["rent.spot_price_change_share_per_year"]
    assert sum(len(yearly_changes(one)) for one in series) == 44
    low, median, high = spread_of_changes(series)
    assert (assumption.low, assumption.high) == pytest.approx((low, high), abs=5e-4)
    assert abs(median - assumption.value) < 0.05


def test_prices_of_a_few_months_tell_nothing_about_a_year() -> None:
    with pytest.raises(PlanningError, match="a year apart"):
        spread_of_changes([[(date(2026, 1, 1), 2.0), (date(2026, 5, 1), 3.0)]])


def test_the_order_of_observations_does_not_matter() -> None:
    forward = [(date(2025, 1, 1), 2.0), (date(2026, 1, 1), 3.0)]
    assert yearly_changes(forward) == yearly_changes(forward[::-1]) == (0.5,)
