"""The prices on which the examples are decided, and the catalogue that the README promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from planner.plan import Plan
from pricing.catalog import load_bundled
from pricing.facts.sellers import tier_of
from tests.conftest import EXAMPLES

WRITTEN_ON = date(2026, 11, 26)
"""The day on which the bundled prices were last looked over."""
OLDEST_DAYS = 60


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml") if "scenario" not in path.stem))
def test_no_price_that_decides_an_example_is_older_than_two_months(name: str, plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of(name)
    chosen = next(option for option in plan.options if option.id == plan.verdict.option_id)
    assert WRITTEN_ON - chosen.priced_on <= timedelta(days=OLDEST_DAYS)


def test_ten_sellers_and_more_have_a_node_of_eight_joined_h100_with_a_tier() -> None:
    nodes = load_bundled().select(accelerators=["h100-sxm"], count=8).offers
    sellers = {offer.provider for offer in nodes}
    assert len(sellers) >= 10
    assert {tier_of(seller).letter for seller in sellers} <= set("ABCD")
    assert (
        len({offer.provider for offer in nodes if WRITTEN_ON - offer.observed_on <= timedelta(days=OLDEST_DAYS)}) >= 8
    )
