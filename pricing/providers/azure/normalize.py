"""Azure's answers as offers; pure. The price list holds placeholders, superseded rows and whole-term totals."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any, Final

from pricing.clock import HOURS_PER_MONTH
from pricing.facts.offers import Launchable, Payment, PurchaseOption
from pricing.providers.contract import Normalized, RawPage, RefusedRow, offer_or_refusal
from pricing.providers.hardware import Hardware, each_row, guarded, hardware_of

VERSION: Final = "azure-1"

TERMS: Final[Mapping[str, tuple[PurchaseOption, int]]] = {
    "1 Year": (PurchaseOption.RESERVED_1Y, 12),
    "3 Years": (PurchaseOption.RESERVED_3Y, 36),
    "5 Years": (PurchaseOption.RESERVED_5Y, 60),
}
PLANS: Final[Mapping[str, tuple[PurchaseOption, int]]] = {
    "1 Year": (PurchaseOption.SAVINGS_PLAN_1Y, 12),
    "3 Years": (PurchaseOption.SAVINGS_PLAN_3Y, 36),
}

_NO_LINUX: Final = re.compile(r" windows| win$|cloud services|dedicated host|low priority|_type1", re.IGNORECASE)
_HOURS: Final = re.compile(r"(?P<count>[1-9]\d*)[ /]?(?:hours?|hrs?)", re.IGNORECASE)
_CARD: Final = re.compile(r"(GB[23]00|H[12]00|A100|MI\d+X|A10|V710|T4|V100)", re.IGNORECASE)


@dataclass(slots=True)
class Sizes:
    """What a subscription tells of sizes.

    Attributes
    ----------
    hardware : dict
        By size.
    locations : dict of str to set of str
        Where the subscription lists it, in small letters.
    restricted : dict of str to set of str
        Where it may not be started.
    """

    hardware: dict[str, Hardware] = field(default_factory=dict)
    locations: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    restricted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def launchable(self, name: str, region: str) -> tuple[Launchable, str]:
        """Return whether a size can be started in a region, and why not."""
        if not self.locations:
            return Launchable.UNKNOWN, ""
        if region in self.restricted[name]:
            return Launchable.NO, "not available for this subscription: ask for quota"
        if region not in self.locations[name]:
            return Launchable.NO, "priced, but not listed in this region for this subscription"
        return Launchable.YES, ""


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read pages into offers, region by region."""
    by_part: dict[str, list[RawPage]] = defaultdict(list)
    for page in pages:
        by_part[page.part].append(page)
    sizes = Sizes()
    yield from guarded("sizes", lambda: _read_sizes(sizes, by_part.pop("sizes", [])))
    for part, kept in sorted(by_part.items()):
        yield from guarded(part, partial(_offers, part, kept, sizes))


def _read_sizes(sizes: Sizes, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    def note(row: Mapping[str, Any]) -> None:
        name = row["name"]
        sizes.locations[name].update(place.lower() for place in row["locations"])
        sizes.hardware[name] = _hardware(name, row["family"], row["capabilities"])
        for restriction in row["restrictions"]:
            if "NotAvailableForSubscription" in restriction["reason"] and "location" in restriction["type"].lower():
                sizes.restricted[name].update(place.lower() for place in restriction["locations"])

    yield from each_row("sizes", (row for page in pages for row in page.body), note)


def _hardware(name: str, family: str, capabilities: Mapping[str, str]) -> Hardware:
    """Return the machine as the subscription's capabilities tell it; a size that forgets its GPUs is filled up from facts."""
    card = _CARD.search(name)
    count = float(capabilities.get("GPUs", 0))
    return hardware_of(
        "azure",
        name,
        vcpus=float(capabilities.get("vCPUs", 0)) or None,
        memory_gib=float(capabilities.get("MemoryGB", 0)) or None,
        cpu_arch={"Arm64": "arm64", "x64": "x86_64"}.get(capabilities.get("CpuArchitectureType", ""), ""),
        stated=(card[1].upper() if card else f"GPU of {family or name}") if count else "",
        count=count,
    )


def _unlisted(name: str) -> Hardware:
    """Return what is known of a size that no subscription told of: the facts, else what its name says."""
    cores = re.match(r"^Standard_[A-Z]+(\d+)", name)
    hardware = hardware_of("azure", name, vcpus=float(cores.group(1)) if cores else None)
    if hardware.accelerator_count or not name.startswith("Standard_N"):
        return hardware
    # Neither the price list nor the name tells how many GPUs a size holds, so it is kept and not planned with.
    card = _CARD.search(name)
    stated = card[1].upper() if card else name
    return replace(hardware, accelerator_stated=stated, accelerator_count=1.0, flags=("accelerator_unknown",))


@dataclass(frozen=True, slots=True)
class _Row:
    """One price of one size."""

    effective_on: date
    price: float
    row: Mapping[str, Any]

    @property
    def rank(self) -> tuple[date, bool]:
        return self.effective_on, bool(self.row.get("isPrimaryMeterRegion", True))


PLACEHOLDER_SHARE: Final = 1 / 3
"""A price of the same day below this share of another is a placeholder (NV6ads_A10_v5: 0.10 beside 0.454); nearer ones contradict."""


def _in_force(rows: Sequence[_Row]) -> list[_Row]:
    """Return the newest price that holds already; several where the list tells several, which the gates refuse."""
    rank = max(row.rank for row in rows)
    newest = {row.price: row for row in rows if row.rank == rank}
    return [row for price, row in newest.items() if price >= PLACEHOLDER_SHARE * max(newest)]


def _offers(part: str, pages: Sequence[RawPage], sizes: Sizes) -> Iterator[Normalized]:
    prices: dict[tuple[str, str, str], list[_Row]] = defaultdict(list)
    today = pages[-1].fetched_at.date()
    region = part.partition("/")[2]

    def note(row: Mapping[str, Any]) -> Iterator[Normalized]:
        kind = _kind(row)
        price = float(row["retailPrice"])
        effective_on = date.fromisoformat(row["effectiveStartDate"][:10])
        is_over = row.get("effectiveEndDate") and date.fromisoformat(row["effectiveEndDate"][:10]) <= today
        # 0.0 is a meter that is not sold yet; a further tier is what is paid beyond the first hours.
        if not kind or price == 0.0 or effective_on > today or is_over or row.get("tierMinimumUnits"):
            return
        place, name = str(row.get("armRegionName") or region), row["armSkuName"].strip()
        if place.lower() != region.lower():
            message = f"the list of {region} tells it of {place}"
            yield RefusedRow(part, f"azure {name} in {place}", "foreign_region", message)
            return
        if row["currencyCode"] != "USD":
            raise ValueError(f"unknown currency {row['currencyCode']}")
        hours = _HOURS.fullmatch(row["unitOfMeasure"])
        if hours is None:
            raise ValueError(f"unknown unit {row['unitOfMeasure']}")
        prices[(name, *kind)].append(_Row(effective_on, price / float(hours["count"]), row))

    yield from each_row(part, (row for page in pages for row in page.body), note)
    plans: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    for (name, kind, term), rows in sorted(prices.items()):
        hardware = sizes.hardware.get(name) or _unlisted(name)
        for held in _in_force(rows):
            shared = _shared(part, name, held, hardware, sizes, today)
            yield _priced(shared, kind, term, held.price)
            if kind == "consumption":
                plans += [(shared, plan) for plan in held.row.get("savingsPlan") or ()]
    yield from each_row(part, plans, _planned, of=f"the savings plans of {part}")


def _kind(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return ``consumption``, ``spot`` or ``reservation`` with its term; None for what is no plain Linux machine."""
    texts = f"{row.get('productName', '')}|{row.get('skuName', '')}|{row.get('meterName', '')}|{row['armSkuName']}"
    if any(_NO_LINUX.search(text) for text in texts.split("|")):
        return None
    if row["type"] == "Reservation":
        return ("reservation", row["reservationTerm"]) if row["reservationTerm"] in TERMS else None
    if row["type"] != "Consumption":
        return None
    is_spot = row["skuName"].endswith(" Spot") or row.get("meterName", "").endswith(" Spot")
    return ("spot", "") if is_spot else ("consumption", "")


def _shared(part: str, name: str, held: _Row, hardware: Hardware, sizes: Sizes, today: date) -> dict[str, Any]:
    """Return the fields of an offer that do not depend on how it is paid for."""
    region = part.partition("/")[2]
    launchable, note = sizes.launchable(name, region)
    return {
        "region": region, **hardware.fields(),
        "launchable": launchable, "launchable_note": note, "source": "Azure Retail Prices API",
        "source_sku_ids": tuple(text for text in (held.row.get("skuId"), held.row.get("meterId")) if text),
        "effective_on": held.effective_on, "observed_on": today, "adapter_version": VERSION, "part": part,
    }  # fmt: skip


def _priced(shared: Mapping[str, Any], kind: str, term: str, price: float) -> Normalized:
    match kind:
        case "spot":
            return offer_or_refusal(
                **shared, purchase_option=PurchaseOption.SPOT, interruptible=True, price_usd_per_hour=price
            )
        case "reservation":
            option, months = TERMS[term]
            return offer_or_refusal(
                **shared, purchase_option=option, term_months=months, payment=Payment.MONTHLY, cancellable=False,
                offering_class="", price_usd_per_hour=price / (months * HOURS_PER_MONTH),  # it is that of the whole term
            )  # fmt: skip
    return offer_or_refusal(**shared, purchase_option=PurchaseOption.ON_DEMAND, price_usd_per_hour=price)


def _planned(shared_and_plan: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Iterator[Normalized]:
    shared, plan = shared_and_plan
    if plan["term"] in PLANS:
        option, months = PLANS[plan["term"]]
        yield offer_or_refusal(
            **shared, purchase_option=option, term_months=months, payment=Payment.NONE, cancellable=False,
            offering_class="compute", price_usd_per_hour=float(plan["retailPrice"]),
        )  # fmt: skip
