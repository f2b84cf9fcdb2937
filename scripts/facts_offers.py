"""Surveyed offers and past prices; used by make_facts.py."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from facts_lines import Line, lines_of, number

from pricing.facts.offers import TERM_MONTHS, Launchable, Offer, Payment, PurchaseOption, offer_id
from pricing.facts.price_history import PricePoint

GCP_NOT_ON_DEMAND = re.compile(r"a3-highgpu-[124]g|a3-ultragpu-.*|a4x?-.*")
"""Machine types whose parts have an on-demand price although Google sells them only by spot, flex-start, calendar or reservation."""


WITHOUT_HOST = {"daytona", "tensordock", "salad"}
"""Sellers that list the GPU alone and bill processor and memory on top."""
OUT_OF_STOCK = {"latitude"}
"""Sellers whose whole list was sold out when it was read."""
OPTIONS = {"calendar_block": "calendar"}
"""Words of the survey for purchase options, where they differ from ours."""


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
    from pricing.facts.instances import accelerator_of

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
