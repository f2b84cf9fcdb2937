"""The first offers of a large store: those that all would begin with, although alike ones are read once."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from pricing.facts.offers import PurchaseOption
from pricing.store.database import DuckDbEngine
from tests.pricing.store.conftest import land_day, offer

KINDS: tuple[dict[str, Any], ...] = (
    {"kind": "p5.48xlarge"},
    {"kind": "p4d.24xlarge", "accelerator": "A100-40GB-SXM", "accelerator_stated": "A100"},
    {"kind": "g6.xlarge", "accelerator": "L4", "accelerator_stated": "L4", "accelerator_count": 1.0},
    {"kind": "p5.48xlarge", "purchase_option": PurchaseOption.SPOT, "interruptible": True},
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of offers in three regions and zones, each at a price of its own, some of them a third party's."""
    dice = random.Random(5)
    path = tmp_path_factory.mktemp("store") / "prices.duckdb"
    offers = [
        offer(
            **kind,
            region=region,
            zone=zone,
            price=round(dice.uniform(0.001, 0.01), 6),
            flags=("community",) if zone == "z3" else (),
        )
        for kind in KINDS
        for region in ("us-east-1", "eu-west-1", "ap-south-1")
        for zone in ("z1", "z2", "z3")
    ]
    land_day(DuckDbEngine(path), 0, offers)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--sort", "price_per_gpu"),
        ("--country", "EU", "--secure"),
        ("--region", "us-east-1", "--region", "ap-south-1"),
        ("--purchase", "spot", "--count", "8"),
        ("--provider", "aws", "--min-memory-gib", "30"),
    ],
)
def test_the_first_offers_are_those_that_all_begin_with(
    words: tuple[str, ...], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(*more: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["offers", *words, *more, "--store", str(store), "--as-of", "2026-11-26", "-f", "json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    every, first = answer(), answer("--top", "7")
    assert first["offers"] == every["offers"][:7]
    assert {row["zone"] for row in first["offers"]} >= {"z1", "z2"}
    assert first["dropped"] == every["dropped"]
