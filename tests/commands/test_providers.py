"""Who is in the catalogue, and the tier and the age of what they sell."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from pricing.store.database import DuckDbEngine
from tests.conftest import CLOCK_DAY
from tests.pricing.store.conftest import land_day, offer


def _answer(
    capsys: pytest.CaptureFixture[str], *words: str, status: int = 0, as_of: date = date(2026, 11, 21)
) -> dict[str, Any]:
    assert main([*words, "--as-of", f"{as_of}", "-f", "json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_sellers_with_prices_come_with_tier_reason_age_and_how_they_are_renewed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = _answer(capsys, "providers")["providers"]
    assert all(row["tier"] in "ABCD" and row["tier_reason"] and row["offer_count"] > 0 for row in rows)
    assert [row["tier"] for row in rows] == sorted(row["tier"] for row in rows)
    by_name = {row["provider"]: row for row in rows}
    assert by_name["coreweave"]["tier_reason"] == "rated platinum (2026-09-23)"
    assert by_name["aws"]["renewed_by"] == "adapter"
    assert by_name["packet-ai"]["renewed_by"] == "release"
    assert by_name["packet-ai"]["median_price_age_days"] == 181


def test_a_seller_without_prices_is_shown_where_all_or_its_name_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    priced = {row["provider"] for row in _answer(capsys, "providers")["providers"]}
    everyone = {row["provider"] for row in _answer(capsys, "providers", "--all")["providers"]}
    assert "tensorwave" not in priced
    assert priced | {"tensorwave"} <= everyone
    row = _answer(capsys, "providers", "--provider", "TensorWave")["providers"][0]
    assert (row["offer_count"], row["renewed_by"], row["newest_price_on"]) == (0, "none", None)


def test_filters_meet(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _answer(capsys, "providers", "--tier", "b", "--kind", "neocloud", "--country", "EU")["providers"]
    assert {"nebius", "scaleway", "verda"} <= {row["provider"] for row in rows}
    assert all((row["tier"], row["kind"]) == ("B", "neocloud") for row in rows)
    assert not {"US", "GB"} & {row["country"] for row in rows}


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("--provider", "nobody"), 2, "pricing"),
        (("--country", "Atlantis"), 2, "pricing"),
        (("--tier", "A", "--kind", "marketplace"), 3, "nothing_fits"),
    ],
)
def test_what_leaves_no_seller_is_told(
    words: tuple[str, ...], status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _answer(capsys, "providers", *words, status=status)["error"]["code"] == code


def test_nodes_of_eight_joined_h100_are_sold_by_ten_sellers_with_tier_and_age(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = _answer(capsys, "offers", "--gpu", "h100-sxm", "--count", "8", "--purchase", "on_demand")["offers"]
    assert len({row["provider"] for row in rows}) >= 10
    assert all(row["accelerator_count"] == 8 for row in rows)
    assert {row["tier"] for row in rows} == {"A", "B", "C"}
    assert all(row["price_age_days"] >= 42 for row in rows)
    secure = _answer(capsys, "offers", "--provider", "runpod")["offers"]
    assert {row["region"]: row["tier"] for row in secure} == {"secure": "C", "community": "D", "global": "C"}


def test_the_table_cuts_neither_names_nor_dates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offers", "--gpu", "a100-80gb", "--count", "8", "--as-of", "2026-11-21"]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    assert "2026-10-10" in text


def test_sellers_without_a_stated_place_are_told_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offers", "--gpu", "b200", "--country", "EU", "--as-of", "2026-11-21"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "offers not in a stated place (not stated by akash, baseten, cerebrium and" in text


def test_every_offer_of_a_store_counts_although_alike_ones_are_read_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    engine = DuckDbEngine(tmp_path / "prices.duckdb")
    zones = [
        offer(region=region, zone=zone, price=price, part=f"on_demand/{region}")
        for region, price in (("us-east-1", 50.0), ("eu-west-1", 60.0))
        for zone in ("z1", "z2", "z3")
    ]
    land_day(engine, 0, zones)
    land_day(engine, 4, zones[:3])
    here = ("--provider", "aws", "--store", engine.uri)
    rows = _answer(capsys, "providers", *here, as_of=CLOCK_DAY)["providers"]
    alone = _answer(capsys, "offers", *here, as_of=CLOCK_DAY)["offers"]
    ages = sorted(row["price_age_days"] for row in alone)
    assert len([row for row in alone if row["zone"]]) == len(zones)
    assert (rows[0]["offer_count"], rows[0]["median_price_age_days"]) == (len(alone), ages[(len(ages) - 1) // 2])
