#!/usr/bin/env python3
"""Make the tables of pricing/facts from a folder of surveyed facts: scripts/make_facts.py [--facts FOLDER] [--into FOLDER].

The same folder gives the same files, byte for byte. The tables that are kept by hand are named in pricing/facts/README.md
and left alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from facts_lines import lines_of, number
from facts_offers import offers, point_key, price_points, serverless
from facts_ownership import accelerator_quotes, ownership_inputs, resale_quotes, server_quotes

from pricing.facts.offers import Offer, offer_id
from pricing.facts.ownership import AcceleratorQuote, OwnershipInput, ResaleQuote, ServerQuote
from pricing.facts.price_history import PricePoint
from pricing.facts.regions import HOSTED, Region
from pricing.facts.sellers import FreeTier, Seller
from pricing.tables import read_facts, text_of_rows

ROOT = Path(__file__).resolve().parents[1]


def free_tiers(folder: Path) -> list[FreeTier]:
    from pricing.facts.instances import accelerator_of

    rows = []
    for line in lines_of(folder, "free_tiers.csv"):
        named = re.fullmatch(r"(.*?)(?: \(([^()]*)\))?", line["provider"])
        assert named is not None
        unit = line["unit"]
        period = unit.removeprefix("hours/") if unit.startswith("hours/") else ""
        derived = "credit / GPU price" in line["notes"]
        kind = (
            "credit"
            if derived or unit == "credit usd/month"
            else "quota"
            if period
            else {"usd/hour": "hourly", "usd/month": "subscription", "usd/100 compute units": "units"}[unit]
        )
        count = number(line["gpu_count"])
        memory_gb = number(line["gpu_memory_gib"]) or None  # a CPU-only plan is written with 0 GB
        accelerator = None
        if line["gpu_name"]:
            stated = "TPU v5e" if line["gpu_name"] == "TPU v5e-8" else line["gpu_name"]
            share = min(count or 1.0, 1.0)
            accelerator, _ = accelerator_of(line["provider"], stated, stated, memory_gb, share)
        rows.append(
            FreeTier(
                service=named[1],
                plan=named[2] or "",
                kind=kind,
                accelerator=accelerator,
                accelerator_stated=line["gpu_name"],
                accelerator_count=count,
                accelerator_memory_gb=memory_gb,
                quota_hours=number(line["hours_per_week_or_month"]),
                period=period,
                max_session_hours=number(line["max_session_hours"]),
                price_usd=number(line["price_usd"]),
                compute_units_per_hour=number(line["compute_units_per_hour"]),
                superseded=line["notes"].startswith("HISTORY"),
                confidence=line["confidence"],
                as_of=line["as_of"],
                source=line["source"],
                notes=line["notes"],
            )
        )
    return rows


SHARED = {
    "packet-ai": "its technology page says that GPUs are shared between tenants; its blog sells dedicated B200 at 5.60 USD an hour"
}
"""Sellers whose own pages say that several tenants share what they list as a GPU."""


def country_code(name: str) -> str | None:
    return {"UK": "GB"}.get(name, name) or None


def regions(folder: Path) -> list[Region]:
    """Return where regions lie; of sellers of tokens only those that say where they compute."""

    def source(text: str) -> str:
        return re.sub(
            r"package regions\.csv \((.*)\)|package regions\.csv",
            lambda found: found[1] or "providers' price lists",
            text,
        )

    rows = [
        Region(
            provider=line["provider"],
            region=HOSTED if line["kind"] == "hosted api" else line["region"],
            city=line["city"],
            country=None if line["region"] == "headquarters" else country_code(line["country"]),
            source=source(line["source"]),
            observed_on=date.fromisoformat(line["as_of"]),
            weak=line["confidence"] == "C",
            notes=re.sub(r"^already in the package; continent added(; )?", "", line["notes"]),
        )
        for line in lines_of(folder, "regions_2026_11.csv")
    ]
    told = {(row.provider, row.region) for row in rows}
    placeless = {(line["provider"], line["region"]): line for line in serverless(folder)}
    rows += [
        Region(provider=place[0], region=place[1], source=line["source"], observed_on=date.fromisoformat(line["as_of"]))
        for place, line in placeless.items()
        if place not in told
    ]
    told |= placeless.keys()
    # An adapter brings its own regions, which the survey does not know.
    return rows + [row for row in read_facts(Region, "regions.csv") if (row.provider, row.region) not in told]


def sellers(folder: Path) -> list[Seller]:
    listed = [*lines_of(folder, "offers.csv"), *lines_of(folder, "offers_2026_11.csv")]
    with_nodes = {line["provider"] for line in listed if (number(line["gpu_count"]) or 0) > 1}
    with_regions = {line["provider"] for line in listed if line["region"] not in NO_PLACE}

    def rating(word: str) -> str:
        return "" if word == "unrated" else word

    def rating_source(text: str) -> str:
        return re.sub(
            r", public code; top tiers confirmed .*\)|same study",
            lambda m: ")" if m[0][0] == "," else "as listed in a public study of 2026-09-29",
            text,
        )

    def day(text: str) -> date | None:
        return date.fromisoformat(text) if text else None

    return [
        Seller(
            provider=line["provider"],
            kind=line["kind"],
            country=country_code(line["country"]),
            rating=rating(line["independent_rating"]),
            rating_source=rating_source(line["rating_source"]),
            rated_on=day(line["rating_date"]),
            earlier_rating=rating(line["earlier_rating"]),
            earlier_rating_source=rating_source(line["earlier_rating_source"]),
            earlier_rated_on=day(line["earlier_rating_date"]),
            sla=line["public_sla"],
            node_sizes_stated=line["provider"] in with_nodes,
            regions_stated=line["provider"] in with_regions,
            shares_accelerators=line["provider"] in SHARED,
            clusters="" if line["sells_clusters"] == "unknown" else line["sells_clusters"],
            minimum_commitment=line["minimum_commitment"],
            certifications=line["certifications_stated"],
            price_api=" ".join(filter(None, (line["price_api_without_account"], line["price_api_path"]))),
            source=line["source"],
            observed_on=date.fromisoformat(line["as_of"]),
            notes="; ".join(filter(None, (line["notes"], SHARED.get(line["provider"], "")))),
        )
        for line in lines_of(folder, "providers.csv")
    ]


NO_PLACE = {"global", "secure", "community", "marketplace"}
"""Regions that name no place."""


TABLES: tuple[tuple[type, str, Callable[[Path], list[Any]], Callable[[Any], Any]], ...] = (
    (Offer, "offers.csv", offers, offer_id),
    (Region, "regions.csv", regions, lambda row: (row.provider, row.region)),
    (Seller, "sellers.csv", sellers, lambda row: row.provider),
    (
        PricePoint,
        "price_history.csv",
        price_points,
        lambda row: (*point_key(row), row.price_usd_per_hour),
    ),
    (OwnershipInput, "ownership_inputs.csv", ownership_inputs, lambda row: row.input_id),
    (
        ServerQuote,
        "server_quotes.csv",
        server_quotes,
        lambda row: (row.accelerator, row.accelerator_count, row.as_of, row.name),
    ),
    (
        AcceleratorQuote,
        "accelerator_quotes.csv",
        accelerator_quotes,
        lambda row: (row.accelerator, row.condition, row.as_of),
    ),
    (
        ResaleQuote,
        "resale_quotes.csv",
        resale_quotes,
        lambda row: (row.accelerator, row.basis, row.as_of, row.age_months or 0, row.source, row.notes),
    ),
    (
        FreeTier,
        "free_tiers.csv",
        free_tiers,
        lambda row: (
            row.service,
            row.plan,
            row.superseded,
            row.accelerator_stated,
            row.accelerator_memory_gb or 0,
            row.kind,
            row.as_of,
        ),
    ),
)
"""Row type, file, what makes its rows, and their order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--facts", type=Path, default=ROOT.parent / "shared" / "facts", help="folder of surveyed facts")
    parser.add_argument("--into", type=Path, default=ROOT / "pricing" / "facts", help="where the tables are written")
    options = parser.parse_args()
    if not (options.facts / "offers.csv").is_file():
        parser.error(f"{options.facts} holds no offers.csv")
    options.into.mkdir(parents=True, exist_ok=True)
    for row_type, name, make, order in TABLES:
        rows = sorted(make(options.facts), key=order)
        (options.into / name).write_text(text_of_rows(row_type, rows), encoding="utf-8", newline="\n")
        print(f"{len(rows):6} rows  {name}")
        if row_type is Offer:
            tell(rows)


def tell(rows: list[Offer]) -> None:
    flags = Counter(flag for offer in rows for flag in offer.flags)
    print("            flags:", ", ".join(f"{flag} {times}" for flag, times in sorted(flags.items())))
    unknown = Counter(offer.accelerator_stated for offer in rows if "accelerator_unknown" in offer.flags)
    print("            accelerator unknown:", ", ".join(f"{name} {times}" for name, times in unknown.items()) or "none")


if __name__ == "__main__":
    main()
