#!/usr/bin/env python3
"""Make the tables of pricing/facts from a folder of surveyed facts: scripts/make_facts.py [--facts FOLDER] [--into FOLDER].

The same folder gives the same files, byte for byte. The tables that are kept by hand are named in pricing/facts/README.md
and left alone.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pricing.accelerators import Accelerator  # noqa: E402 (the checkout must come first on the path)
from pricing.free_tiers import FreeTier  # noqa: E402
from pricing.history import PricePoint  # noqa: E402
from pricing.offers import TERM_MONTHS, Launchable, Offer, Payment, PurchaseOption, offer_id  # noqa: E402
from pricing.ownership import AcceleratorQuote, OwnershipInput, ResaleQuote, ServerQuote  # noqa: E402
from pricing.regions import HOSTED, Region  # noqa: E402
from pricing.sellers import Seller  # noqa: E402
from pricing.tables import read_facts, text_of_rows  # noqa: E402

SURVEYED_ON = date(2026, 11, 21)
"""The day on which the tables without a date of their own were written."""

Line = dict[str, str]


def stated_accelerators() -> set[str]:
    """Return the names of the tables that are kept by hand; families with an unknown form factor have no quotes."""
    return {
        row.name for name in ("accelerators.csv", "accelerators_by_hand.csv") for row in read_facts(Accelerator, name)
    }


def number(cell: str) -> float | None:
    return float(cell) if cell else None


INDEX_NUMBER = re.compile(r"(?:code index (?:files? )?)?\b[4-9]\d{9,10}\b")
"""The surveyor's own file numbers, which lead nowhere for anyone else."""


def lines_of(folder: Path, name: str) -> list[Line]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return [
            {key: INDEX_NUMBER.sub("public code", cell) for key, cell in line.items()} for line in csv.DictReader(file)
        ]


GCP_NOT_ON_DEMAND = re.compile(r"a3-highgpu-[124]g|a3-ultragpu-.*|a4x?-.*")
"""Machine types whose parts have an on-demand price although Google sells them only by spot, flex-start, calendar or reservation."""


WITHOUT_HOST = {"daytona", "tensordock", "salad"}
"""Sellers that list the GPU alone and bill processor and memory on top."""
OUT_OF_STOCK = {"latitude"}
"""Sellers whose whole list was sold out when it was read."""
OPTIONS = {"calendar_block": "calendar"}
"""Words of the survey for ways to pay, where they differ from ours."""


GCP_SOLD_APART = {PurchaseOption.SPOT, PurchaseOption.FLEX_START, PurchaseOption.CALENDAR}
"""Ways to have them."""


@cache
def brokers(folder: Path) -> frozenset[str]:
    """Return who brokers third parties' machines: what stands there is an ask of the moment."""
    kinds = {line["provider"]: line["kind"] for line in lines_of(folder, "providers.csv")}
    return frozenset(provider for provider, kind in kinds.items() if kind in {"marketplace", "aggregator"})


def option_of(line: Line, folder: Path) -> PurchaseOption:
    stated = line["purchase_option"]
    if line["provider"] in brokers(folder) and stated == "on_demand":
        return PurchaseOption.MARKETPLACE
    return PurchaseOption(OPTIONS.get(stated, stated))


def flags_of(line: Line, folder: Path, option: PurchaseOption, on_demand_usd_per_hour: float | None) -> list[str]:
    """Return what has to be known of how a price came about."""
    provider, flags = line["provider"], []
    if provider in brokers(folder):
        flags.append("median_ask" if "median ask" in line["instance_type"] else "lowest_ask")
    if provider == "runpod" and line["region"] == "community":
        flags.append("community")
    if option is PurchaseOption.SPOT and on_demand_usd_per_hour == float(line["price_usd_per_hour"]):
        flags.append("spot_equals_on_demand")
    if re.search(r"\bfrom\)|'from'|'starting from'", f"{line['instance_type']} {line['source']}"):
        flags.append("floor_price")
    if re.search(r" x8\b|x count", line["source"]):
        flags.append("derived_price")
    if re.search(r"min over .*AZs", line["source"]):
        flags.append("lowest_zone")
    return flags


def purchase(line: Line, folder: Path, on_demand_usd_per_hour: float | None) -> dict[str, Any]:
    """Return the terms of an offer: how it is paid, for how long, what it promises."""
    provider, option = line["provider"], option_of(line, folder)
    flags = flags_of(line, folder, option, on_demand_usd_per_hour)
    local_zone = provider == "aws" and re.fullmatch(r"[a-z]+-[a-z]+-\d-[a-z]+-\d[a-z]", line["region"])
    if local_zone:
        flags.append("local_zone")
    terms: dict[str, object] = {
        "purchase_option": option,
        "zone_kind": "local_zone" if local_zone else "region",
        "interruptible": option is PurchaseOption.SPOT,
        "flags": flags,
    }
    if option in TERM_MONTHS:
        terms |= {"term_months": TERM_MONTHS[option], "cancellable": False}
        # AWS rows are "No Upfront"; Google bills a commitment monthly; Azure takes the same total at once or monthly.
        terms["payment"] = Payment.NONE if provider == "aws" else Payment.MONTHLY
        if option.value.startswith("savings_plan"):
            terms["offering_class"] = "compute"
        elif provider == "aws":
            terms["offering_class"] = "standard"
    if option is PurchaseOption.CAPACITY_BLOCK:
        terms |= {
            "payment": Payment.ALL,
            "minimum_hours": 24.0,
            "cancellable": False,
            "launchable_note": "a dated block of 1 to 14 days, or of whole weeks up to 182 days, starting within 8 weeks; price set at purchase",
        }
    if option is PurchaseOption.CALENDAR:
        terms |= {"minimum_hours": 24.0, "cancellable": False}
    if provider == "gcp":
        terms["launchable"] = Launchable.YES  # a row exists only where the region lists the machine type
        if GCP_NOT_ON_DEMAND.fullmatch(line["instance_type"]) and option not in GCP_SOLD_APART:
            if option is PurchaseOption.ON_DEMAND:
                terms |= {
                    "launchable": Launchable.NO,
                    "launchable_note": "Google lists a price but sells this type only as spot, flex-start, calendar or reservation",
                }
            else:
                terms |= {
                    "launchable": Launchable.UNKNOWN,
                    "launchable_note": "the commitment needs a reservation of this type, which Google grants on request",
                }
    for holds, flag, note in (
        (provider in WITHOUT_HOST, "excludes_host", "the price is that of the GPU alone; processor and memory are billed on top"),
        (provider in OUT_OF_STOCK, "out_of_stock", "out of stock when the price was read"),
        (option is PurchaseOption.RESERVED_UNSPECIFIED, "", "a 'starting from' price: term and volume are told on request"),
    ):  # fmt: skip
        if holds:
            terms |= {"launchable": Launchable.NO, "launchable_note": note}
            flags += [flag] if flag else []
    return terms


Key = tuple[str, str, str, str]
RENAMED_AFTER_DAYS = 30
"""A seller's older listing of the same machine under another name gives way to one that is so much younger."""


BILLED_BY_THE_HOUR = {"dedicated deployment", "on-demand deployment"}
"""Plans that the survey of serverless prices files with them, and that stay on."""


def serverless(folder: Path) -> list[Line]:
    """Return prices per second as lines of offers; Daytona's stand among the offers already."""
    return [
        line
        | {
            "instance_type": f"{line['gpu_name']} {line['gpu_memory_gib']}GB, {line['plan']}",
            "region": "global",
            "gpu_count": "1",
            "vcpus": "",
            "memory_gib": "",
            "purchase_option": "on_demand" if line["plan"] in BILLED_BY_THE_HOUR else "serverless",
        }
        for line in lines_of(folder, "serverless_gpu.csv")
        if line["provider"] != "daytona"
    ]


def surveyed(folder: Path) -> tuple[list[Line], list[Line]]:
    """Return the newest line of each offer, and the older ones that gave way."""
    newest: dict[Key, Line] = {}
    older = []
    tables = ("offers.csv", "offers_2026_11.csv", "cpu_offers.csv")
    lines = [*(line for name in tables for line in lines_of(folder, name)), *serverless(folder)]
    for line in sorted(lines, key=lambda line: line["as_of"]):
        if not line["price_usd_per_hour"]:
            continue  # a price that is missing is a row that is missing
        key = (line["provider"], line["instance_type"], line["region"], line["purchase_option"])
        if key in newest:
            older.append(newest[key])
        newest[key] = line
    return list(newest.values()), older


def offers(folder: Path) -> list[Offer]:
    from pricing.instances import accelerator_of

    lines, _ = surveyed(folder)
    place = ("provider", "instance_type", "region")
    on_demand = {
        tuple(line[key] for key in place): float(line["price_usd_per_hour"])
        for line in lines
        if line["purchase_option"] == "on_demand"
    }
    rows = []
    for line in lines:
        terms = purchase(line, folder, on_demand.get(tuple(line[key] for key in place)))
        flags: list[str] = list(terms.pop("flags"))
        count = number(line["gpu_count"]) or 0.0
        memory_gb = number(line["gpu_memory_gib"])
        accelerator = None
        if line["gpu_name"]:
            accelerator, doubts = accelerator_of(
                line["provider"], line["instance_type"], line["gpu_name"], memory_gb, min(count, 1.0)
            )
            flags += doubts
        rows.append(
            Offer(
                provider=line["provider"],
                instance_type=line["instance_type"],
                region=line["region"],
                accelerator=accelerator,
                accelerator_stated=line["gpu_name"],
                accelerator_count=count,
                accelerator_memory_gb=memory_gb,
                vcpus=number(line["vcpus"]),
                memory_gib=number(line["memory_gib"]),
                processor=line.get("cpu_model", ""),
                cpu_arch=line.get("cpu_arch", ""),
                price_usd_per_hour=float(line["price_usd_per_hour"]),
                source=line["source"],
                observed_on=date.fromisoformat(line["as_of"]),
                flags=tuple(sorted(flags)),
                **terms,
            )
        )
    rows = without_renamed(rows)
    twice = [identity for identity, times in Counter(map(offer_id, rows)).items() if times > 1]
    if twice:
        raise SystemExit(f"these offers stand twice: {', '.join(twice)}")
    return rows


def without_renamed(rows: list[Offer]) -> list[Offer]:
    """Leave out a seller's listings of a machine that a much younger list of the same seller has under another name."""

    def machine(row: Offer) -> tuple[object, ...]:
        return (row.provider, row.accelerator, row.accelerator_count, row.region, row.purchase_option)

    newest: dict[tuple[object, ...], date] = {}
    for row in rows:
        newest[machine(row)] = max(row.observed_on, newest.get(machine(row), row.observed_on))
    return [
        row
        for row in rows
        if row.accelerator is None
        or row.provider in PRICED_BY_REGION
        or (newest[machine(row)] - row.observed_on).days <= RENAMED_AFTER_DAYS
    ]


PRICED_BY_REGION = {"aws", "azure", "gcp"}
"""Here names are stable, and a machine of another name is another machine."""


def price_points(folder: Path) -> list[PricePoint]:
    """Return what offers cost on earlier days; prices that gave way to younger ones are among them."""
    _, older = surveyed(folder)
    rows = [
        PricePoint(
            provider=line["provider"],
            instance_type=line["instance_type"],
            region=line["region"],
            purchase_option=option_of(line, folder),
            observed_on=date.fromisoformat(line["as_of"]),
            price_usd_per_hour=float(line["price_usd_per_hour"]),
            source=line["source"],
        )
        for line in (*lines_of(folder, "price_history.csv"), *lines_of(folder, "price_history_2026_11.csv"), *older)
    ]
    # One price a day: the tables repeat each other.
    return list({(*point_key(row), row.price_usd_per_hour): row for row in reversed(rows)}.values())


def point_key(row: PricePoint) -> tuple[object, ...]:
    return (row.provider, row.instance_type, row.region, row.purchase_option, row.observed_on)


WEAK = re.compile(
    r"secondary|judgement|not re-checked|check before use|our judgement|digest|transcription|press|back-solved|alpha-one|Remangu|Introl|Compute Forecast",
    re.IGNORECASE,
)


def ownership_inputs(folder: Path) -> list[OwnershipInput]:
    return [
        OwnershipInput(
            input_id=line["input_id"],
            key=line["key"],
            category=line["category"],
            scope=line["scope"],
            low=number(line["low"]),
            typical=number(line["typical"]),
            high=number(line["high"]),
            unit=line["unit"],
            source=line["source"].removesuffix(" (see economics.md section 3)"),
            as_of=line["as_of"],
            weak=bool(WEAK.search(line["source"] + " " + line["notes"])),
            notes=line["notes"],
        )
        for line in lines_of(folder, "tco_inputs.csv")
    ]


SERVERS = {
    "IN089": ("H100-NVL", 8, "list", True, None),
    "IN090": ("H100-SXM", 8, "street", True, "IN107"),
    "IN091": ("B200", 8, "street", True, None),
    "IN092": ("A100-80GB-SXM", 8, "street", False, "IN108"),
    "IN093": ("H100-SXM", 8, "street", True, "IN107"),
}
"""Input -> accelerator, how many, kind of price, complete server or baseboard, the input that states its power."""

STATUS_WORDS = (
    ("phased out", "phased_out"),
    ("end of sale", "phased_out"),
    ("archived", "phased_out"),
    ("superseded", "phased_out"),
    ("out of stock", "phased_out"),
    ("last sales", "phased_out"),
    ("refurbished", "used"),
    ("used", "used"),
    ("announced", "not_yet"),
    ("pre-order", "not_yet"),
    ("shipping to", "not_yet"),
    ("on sale", "on_sale"),
)
"""How the status of a server begins in words, and what that is; anything else says nothing of it."""
NOT_FIRM = ("starting price",)
"""What a source says of a price that is not that of one configuration."""

CARDS = {
    "IN094": ("H100-SXM", "new"),
    "IN095": ("H100-PCIe", "new"),
    "IN096": ("H200-SXM", "new"),
    "IN097": ("A100-80GB-PCIe", "new"),
    "IN099": ("A40", "new"),
    "IN100": ("RTX A6000", "new"),
    "IN101": ("RTX 4090", "new"),
    "IN102": ("RTX 5090", "new"),
}
"""Input -> accelerator and condition. The B200's figure there is an eighth of a server, no card's price, and is left out."""


def price_range(row: OwnershipInput) -> dict[str, Any]:
    """Return typical price and range; the middle of the range where no typical price is stated."""
    known = [value for value in (row.low, row.typical, row.high) if value is not None]
    typical = row.typical if row.typical is not None else sum(known) / len(known)
    return {"price_usd": typical, "price_low_usd": min(known), "price_high_usd": max(known)}


def server_quotes(folder: Path) -> list[ServerQuote]:
    inputs = {row.input_id: row for row in ownership_inputs(folder)}
    rows = []
    for input_id, (accelerator, count, kind, complete, power_id) in SERVERS.items():
        row = inputs[input_id]
        rows.append(
            ServerQuote(
                name=row.scope,
                accelerator=accelerator,
                accelerator_count=count,
                price_kind=kind,
                complete=complete,
                max_power_kw=inputs[power_id].typical if power_id else None,
                source=row.source,
                as_of=row.as_of,
                weak=row.weak,
                notes=row.notes,
                **price_range(row),
            )
        )
    known = stated_accelerators()
    for line in lines_of(folder, "servers_2026_11.csv"):
        if line["accelerator"] not in known or line["price_kind"] == "estimate":
            continue
        typical, low, high = (number(line[key]) for key in ("price_usd", "price_low_usd", "price_high_usd"))
        assert low is not None
        assert high is not None
        status = next((status for words, status in STATUS_WORDS if line["status"].startswith(words)), "")
        rows.append(
            ServerQuote(
                name=line["name"],
                vendor="" if line["vendor"] in {"several", "not named"} else line["vendor"],
                accelerator=line["accelerator"],
                accelerator_count=int(line["accelerator_count"]),
                price_usd=typical or (low + high) / 2,
                price_low_usd=low,
                price_high_usd=high,
                price_kind=line["price_kind"] if typical else "range",
                status=status,
                complete=line["complete"] == "yes",
                max_power_kw=number(line["max_power_kw"]),
                source=line["source"],
                as_of=line["as_of"],
                weak=line["weak"] == "yes" or any(words in line["notes"] for words in NOT_FIRM),
                notes="" if line["notes"].startswith("repeat") else line["notes"],
            )
        )
    return rows


def accelerator_quotes(folder: Path) -> list[AcceleratorQuote]:
    known = stated_accelerators()
    inputs = {row.input_id: row for row in ownership_inputs(folder)}
    return [
        AcceleratorQuote(
            accelerator=accelerator,
            condition=condition,
            source=inputs[input_id].source,
            as_of=inputs[input_id].as_of,
            weak=inputs[input_id].weak,
            notes=inputs[input_id].notes,
            **price_range(inputs[input_id]),
        )
        for input_id, (accelerator, condition) in CARDS.items()
    ] + [
        AcceleratorQuote(
            accelerator=line["package_accelerator"],
            condition="new",
            price_usd=number(line["price_usd"]) or (float(line["price_low_usd"]) + float(line["price_high_usd"])) / 2,
            price_low_usd=float(line["price_low_usd"]),
            price_high_usd=float(line["price_high_usd"]),
            source=line["source"],
            as_of=line["as_of"],
            weak=line["weak"] == "yes",
            notes=line["notes"],
        )
        for line in lines_of(folder, "resale_quotes_2026_11.csv")
        if line["condition"] == "new"
        and line["value_kind"] in {"list", "street", "reseller"}
        and line["package_accelerator"] in known
    ]


def resale_quotes(folder: Path) -> list[ResaleQuote]:
    """Return what used cards were sold and offered for; a range and the mean of all offers are what was asked."""
    known, rows = stated_accelerators(), []
    for line in lines_of(folder, "resale_quotes_2026_11.csv"):
        kind = line["value_kind"]
        if line["condition"] == "new" or "factor" in line["condition"]:
            continue
        basis = (
            "sold"
            if kind.startswith("sold")
            else "curve"
            if line["fraction_of_new"] and line["age_months"]
            else "asked"
        )
        rows += [
            ResaleQuote(
                accelerator=name,
                basis=basis,
                price_usd=number(line["price_usd"]),
                price_low_usd=number(line["price_low_usd"]),
                price_high_usd=number(line["price_high_usd"]),
                age_months=int(line["age_months"]) if line["age_months"] else None,
                new_price_share=number(line["fraction_of_new"]),
                is_recalled=line["confidence"] == "C",
                source=line["source"],
                as_of=line["as_of"],
                notes=f"{kind}; {line['notes']}".removesuffix("; "),
            )
            for name in line["package_accelerator"].split("|")
            if name in known
        ]
    return rows


def free_tiers(folder: Path) -> list[FreeTier]:
    from pricing.instances import accelerator_of

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
