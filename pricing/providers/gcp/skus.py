"""What a SKU of the billing catalogue prices: which resource, of which family, bought how.

The catalogue tells it in prose. The texts here are those of mid 2026; each trap that they hold has a line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

__all__ = ["Mode", "Rate", "Rates", "read_rates"]

HOURS_PER_MONTH: Final = 730

Mode = str
"""``on_demand``, ``spot``, ``commit_1y``, ``commit_3y``, ``flex_start`` or ``calendar``."""

Key = tuple[str, Mode, str]
"""Resource (``core:a3``, ``memory:a3``, ``gpu:nvidia-h100-80gb``, ``local_ssd``), mode and region."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One SKU's price of one unit (a core, a GiB, a GPU) per hour."""

    sku_id: str
    price_usd_per_hour: float
    effective_on: date | None


class Rates:
    """The rates of a catalogue by resource, mode and region.

    Two SKUs with different prices for the same thing are both kept: who asks for them is told, and neither wins.
    """

    def __init__(self) -> None:
        self._found: dict[Key, list[Rate]] = defaultdict(list)

    def add(self, key: Key, rate: Rate) -> None:
        """Add a rate; a second SKU with the same price is no further one."""
        if all(known.price_usd_per_hour != rate.price_usd_per_hour for known in self._found[key]):
            self._found[key].append(rate)

    def find(self, resource: str, mode: Mode, region: str) -> list[Rate]:
        """Return the rates of one resource; none, one, or more where the catalogue contradicts itself."""
        return self._found.get((resource, mode, region), [])


GPU_TEXTS: Final[Mapping[str, str]] = {
    "nvidia-tesla-a100": r"nvidia tesla a100 gpu",
    "nvidia-a100-80gb": r"nvidia tesla a100 80gb gpu",
    "nvidia-h100-80gb": r"nvidia h100 80gb gpu",
    "nvidia-h100-mega-80gb": r"nvidia h100 80gb (?:plus|mega) gpu",  # both spellings, told apart by region alone
    "nvidia-h200-141gb": r"h200 141gb gpu",  # without the maker's name
    "nvidia-b200": r"nvidia b200 \(1 gpu slice\)",
    "nvidia-l4": r"nvidia l4 gpu",
    "nvidia-rtx-pro-6000": r"rtx (?:pro )?6000 96gb",  # without the word GPU
    "nvidia-tesla-t4": r"nvidia tesla t4 gpu",
    "nvidia-tesla-v100": r"nvidia tesla v100 gpu",
    "nvidia-tesla-p100": r"nvidia tesla p100 gpu",
    "nvidia-tesla-p4": r"nvidia tesla p4 gpu",
}
"""Accelerator type of the Compute API to the text of its SKU."""

_GPUS: Final = {name: re.compile(text) for name, text in GPU_TEXTS.items()}
_HOST: Final = re.compile(r"\b([a-z]\d+[a-z]*)(?: predefined)?(?: (?:arm|amd|intel))? instance (core|ram)\b")
_HOST_COMMITTED: Final = re.compile(r"\b([a-z]\d+[a-z]*)(?: (?:arm|amd|intel))? (cpu|core|ram) in\b")
_DROPPED: Final = re.compile(
    r"sole tenancy|custom|premium|suspended|overcommit|upgrade|\bvws\b|workstation|license|windows|confidential|reservation fee"
)
_USAGE_MODES: Final = {
    "Preemptible": "spot",
    "Commit1Yr": "commit_1y",
    "Commit3Yr": "commit_3y",
    "OnDemand": "on_demand",
}


def _mode(text: str, usage_type: str) -> Mode:
    # Flex-start, calendar and some spot SKUs carry the usage type OnDemand: the text is asked first.
    if "calendar mode" in text:
        return "calendar"
    if "dws defined duration" in text:
        return "flex_start"
    if "spot preemptible" in text:
        return "spot"
    if found := re.search(r"for (1|3) years?\b", text):
        return f"commit_{found.group(1)}y"
    return _USAGE_MODES.get(usage_type, "")


def _resource(text: str) -> str:
    for name, pattern in _GPUS.items():
        if pattern.search(text):
            return f"gpu:{name}"
    if "local storage" in text or "local ssd" in text:
        return "local_ssd" if "ssd" in text else ""
    found = _HOST.search(text) or _HOST_COMMITTED.search(text)
    if found is None:
        return ""
    family, what = found.groups()
    return f"{'memory' if what == 'ram' else 'core'}:{family}"


def read_rates(rows: Iterable[Mapping[str, Any]]) -> Rates:
    """Sort SKUs by what they price.

    Parameters
    ----------
    rows : iterable of mapping
        As `pricing.providers.gcp.asking` makes them.

    Raises
    ------
    ValueError
        Where a SKU that is read has another currency or unit than known.
    """
    rates = Rates()
    for row in rows:
        text = row["description"].lower()
        if _DROPPED.search(text) or not row.get("rates"):
            continue
        resource, mode = _resource(text), _mode(text, row["usageType"])
        if not resource or not mode:
            continue
        rate = Rate(
            row["skuId"], _hourly_usd(row), date.fromisoformat(row["effectiveOn"]) if row["effectiveOn"] else None
        )
        if rate.price_usd_per_hour <= 0:
            continue  # a SKU that is not sold yet
        for region in row["regions"]:  # the text says "Americas", the list says which
            rates.add((resource, mode, region), rate)
    return rates


def _hourly_usd(row: Mapping[str, Any]) -> float:
    start, currency, units, nanos = row["rates"][0]
    if currency != "USD":
        raise ValueError(f"{row['skuId']}: unknown currency {currency}")
    price = float(units) + float(nanos) / 1e9
    match row["usageUnit"]:
        case "h" | "GiBy.h":
            return price
        case "GiBy.mo":
            return price / HOURS_PER_MONTH
    raise ValueError(f"{row['skuId']}: unknown unit {row['usageUnit']} from {start}")
