"""Surveyed costs of owning: inputs, servers, cards, what used ones bring; used by make_facts.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from facts_lines import lines_of, number, stated_accelerators

from pricing.facts.ownership import AcceleratorQuote, OwnershipInput, ResaleQuote, ServerQuote

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
