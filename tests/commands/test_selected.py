"""What is read of a store for one GPU is what a whole reading, filtered, would give: the same offers, counts and notes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planner.commands.catalog import catalog_of, selected
from planner.commands.options import PriceSource
from pricing.catalog import load_bundled
from pricing.clock import utc_now
from pricing.commands.console import Talk
from pricing.errors import PricingError
from pricing.store.database import DuckDbEngine
from pricing.store.parts import PartAnswer
from pricing.store.write import Landing, land


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store that has gathered a few hundred of RunPod's and Lambda's prices, at half of the bundled ones."""
    path = tmp_path_factory.mktemp("store") / "prices.duckdb"
    for provider in ("runpod", "lambda"):
        part = "gpu_types" if provider == "runpod" else "instance_types"
        offers = [
            replace(
                offer, price_usd_per_hour=offer.price_usd_per_hour / 2, part=part, price_history=(), upfront_usd=0.0
            )
            for offer in load_bundled().offers
            if offer.provider == provider
        ]
        land(
            DuckDbEngine(path),
            Landing(provider=provider, asked_at=utc_now(), parts=(PartAnswer(part=part),), offers=offers),
        )
    return str(Path(path))


@pytest.mark.parametrize("filters", [{}, {"count": 8}, {"providers": ["runpod"], "purchase": ["on_demand"]}])
def test_the_same_offers_are_left_and_as_many_are_said_to_be_left_out(store: str, filters: dict[str, object]) -> None:
    talk, source = Talk(is_quiet=True), PriceSource(store_uri=store, as_of=None, max_age_days=None)
    found = selected(source, talk, ["h100-sxm"], **filters)
    whole = catalog_of(source, talk).select(accelerators=["h100-sxm"], **filters)  # type: ignore[arg-type]
    assert set(found.offers) == set(whole.offers)
    assert found.offers
    assert found.funnel == whole.funnel
    assert (found.snapshot, found.notes, found.dropped) == (whole.snapshot, whole.notes, whole.dropped)


def test_a_seller_without_that_gpu_is_known_and_a_seller_of_nothing_is_not(store: str) -> None:
    talk, source = Talk(is_quiet=True), PriceSource(store_uri=store, as_of=None, max_age_days=None)
    assert not selected(source, talk, ["tpu-v5e"], providers=["runpod"]).offers
    with pytest.raises(PricingError, match="runpot"):
        selected(source, talk, ["h100-sxm"], providers=["runpot"])
