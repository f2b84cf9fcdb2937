"""What a SKU of the billing catalog prices: which resource, of which family, bought how.

The catalog says so in prose: ``Spot Preemptible A3 Instance Core running in Americas``. A description is a purchase option
(before or after), a thing, and a place. The way is read from the words, since most usage types say OnDemand; the place is
ignored, since the SKU lists its regions. A SKU whose thing or unit is unknown costs what it would have priced, nothing else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pricing.clock import HOURS_PER_MONTH

GB_PER_GIB: Final = 2**30 / 1e9

Mode = str
"""``on_demand``, ``spot``, ``commit_1y``, ``commit_3y``, ``flex_start``, ``calendar`` or ``reserved`` (a bare reservation)."""

Key = tuple[str, Mode, str]
"""Resource, mode and region. Resources: ``core:a3``, ``memory:a3``, ``gpu:nvidia-h100-80gb``, ``slice:nvidia-b200`` (a GPU
with its share of the host), ``vgpu:8`` (an eighth of a G4's GPU with its share of the host), ``tpu:6e`` (a chip with its share
of the host), ``local_ssd`` and ``local_ssd:c4d``."""

HOUR_UNITS: Final = {"h": 1.0}
BYTE_UNITS: Final = {
    "giby.h": 1.0,
    "gby.h": GB_PER_GIB,
    "giby.mo": 1 / HOURS_PER_MONTH,
    "gby.mo": GB_PER_GIB / HOURS_PER_MONTH,
}
"""Unit to what a price has to be multiplied with to hold for one GiB and one hour. Some memory is rated per decimal GB."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One SKU's price of one unit (a core, a GiB, a GPU) per hour."""

    sku_id: str
    price_usd_per_hour: float
    effective_on: date | None


@dataclass(frozen=True, slots=True)
class UnusableRate:
    """Why a resource that the catalog prices has no price: ``duplicate``, ``unit``, ``currency`` or ``price``, and in words."""

    reason: str
    message: str


class Rates:
    """The rates of a catalog by resource, mode and region."""

    def __init__(self) -> None:
        self._rates: dict[Key, list[Rate]] = defaultdict(list)
        self._unusable: dict[Key, UnusableRate] = {}
        self.sold: set[tuple[str, str]] = set()
        """Resources by region that have a SKU, however it is bought and whether or not it can be read."""
        self.unread: dict[str, str] = {}
        """Accelerators and disks whose text is not known: what is sold, and the first SKU that says so."""
        self.incomplete: list[str] = []
        """SKUs of a known resource that tell no place or no purchase option."""

    def add(self, key: Key, rate: Rate | UnusableRate) -> None:
        """Add a SKU's rate, or why it has none; a second SKU with the same price is no further one."""
        resource, _, region = key
        self.sold.add((resource, region))
        if isinstance(rate, UnusableRate):
            self._unusable.setdefault(key, rate)
        elif all(other.price_usd_per_hour != rate.price_usd_per_hour for other in self._rates[key]):
            self._rates[key].append(rate)

    def find(self, resource: str, mode: Mode, region: str) -> Rate | UnusableRate | None:
        """Return the rate of one resource, or why there is none that can be used; None where it is not sold so."""
        key = (resource, mode, region)
        rates = self._rates.get(key)
        if not rates:
            return self._unusable.get(key)
        if len(rates) > 1:  # neither wins: nobody knows which is right
            skus = ", ".join(f"{rate.sku_id} at {rate.price_usd_per_hour:g}" for rate in rates)
            return UnusableRate("duplicate", f"two prices for {resource}: {skus}")
        return rates[0]


GPU_WORDS: Final[Mapping[str, str]] = {
    "a100": "nvidia-tesla-a100",
    "a100 40gb": "nvidia-tesla-a100",
    "a100 80gb": "nvidia-a100-80gb",
    "h100 80gb": "nvidia-h100-80gb",
    "h100 80gb mega": "nvidia-h100-mega-80gb",
    "h100 80gb plus": "nvidia-h100-mega-80gb",
    "h200 141gb": "nvidia-h200-141gb",
    "b200": "nvidia-b200",
    "gb200": "nvidia-gb200",
    "gb300": "nvidia-gb300",
    "l4": "nvidia-l4",
    "rtx 6000 96gb": "nvidia-rtx-pro-6000",
    "rtx pro 6000": "nvidia-rtx-pro-6000",
    "rtx pro 6000 96gb": "nvidia-rtx-pro-6000",
    "t4": "nvidia-tesla-t4",
    "v100": "nvidia-tesla-v100",
    "p100": "nvidia-tesla-p100",
    "p4": "nvidia-tesla-p4",
    "k80": "nvidia-tesla-k80",
}
"""What a SKU calls a GPU, without the maker's name, to its accelerator type in the Compute API. The order of the words
changes between SKUs of one GPU (``H100 80GB Mega``, ``H100 Mega 80GB``), so they are compared as sets."""

_GPUS: Final = {frozenset(words.split()): name for words, name in GPU_WORDS.items()}
_GPU_NOISE: Final = {"nvidia", "tesla", "gpu"}

_DROPPED: Final = re.compile(
    r"sole tenancy|custom|extended|premium|vm state|suspended|overcommit|upgrade|\bvws\b|workstation|licens|windows"
    r"|confidential|reservation fee|capacity optimized"
)
_MODES: Final = {
    "calendar": re.compile(r"\bcalendar mode\b"),
    "flex_start": re.compile(r"\bdefined duration\b|\bflex.start\b"),
    "spot": re.compile(r"\bpreemptible\b"),
    "": re.compile(r"^reserved .* for \d+ years?\b"),  # a reservation inside a commitment: bought by neither alone
    "commit_1y": re.compile(r"\bfor 1 years?\b"),
    "commit_3y": re.compile(r"\bfor 3 years?\b"),
    "reserved": re.compile(r"^reserved "),
}
_USAGE_MODES: Final = {
    "Preemptible": "spot",
    "Commit1Yr": "commit_1y",
    "Commit3Yr": "commit_3y",
    "OnDemand": "on_demand",
}
_WAY_BEFORE: Final = re.compile(
    r"^(?:(?:(?:spot )?preemptible|dws defined duration|dws calendar mode|dws flex.start|reserved|commitment(?: v\d+)?:) )+"
)
_WAY_AND_PLACE: Final = re.compile(r" (?:attached to|running in|in|for \d+ years?)\b.*$")

_HOST: Final = re.compile(
    r"(?:(?P<family>[a-z]\d+[a-z]*)(?: predefined)?(?: (?:arm|amd|intel))?(?: instance)? )?(?P<what>core|cpu|ram)"
)
_SLICE: Final = re.compile(r"(?:[a-z]\d+[a-z]* )?(?P<gpu>.+) \(1 gpu slice\)")
_VGPU: Final = re.compile(r"1/(?P<share>\d+) vgpu no lssd")
_TPU: Final = re.compile(r"(?:tpu[ -]?v?|v)(?P<chip>\d+[a-z]?)(?: tpu)?")
_LOCAL_SSD: Final = re.compile(
    r"ssd backed local storage|(?:(?P<family>(?:vgpu )?[a-z]\d+[a-z]*)(?: (?:arm|amd|intel|standard))* )?(?:instance )?local ssd"
)
_ACCELERATORS_AND_DISKS: Final = {"GPU", "TPU", "LocalSSD"}


def _mode(text: str, usage_type: str) -> Mode:
    for mode, pattern in _MODES.items():
        if pattern.search(text):
            return mode
    return _USAGE_MODES.get(usage_type, "")


def _resource(thing: str, mode: Mode) -> str:
    """Return the resource that a thing is; empty where it is none that is known."""
    if host := _HOST.fullmatch(thing):
        kind = "memory" if host["what"] == "ram" else "core"
        if host["family"]:
            return f"{kind}:{host['family']}"
        return f"{kind}:n1" if mode.startswith("commit_") else ""  # commitments leave N1's name out
    if disk := _LOCAL_SSD.fullmatch(thing):
        return f"local_ssd:{disk['family']}" if disk["family"] else "local_ssd"
    if share := _VGPU.fullmatch(thing):
        return f"vgpu:{share['share']}"
    if tpu := _TPU.fullmatch(thing):
        return f"tpu:{tpu['chip']}"
    part = _SLICE.fullmatch(thing)
    gpu = _GPUS.get(frozenset((part["gpu"] if part else thing).split()) - _GPU_NOISE)
    return f"{'slice' if part else 'gpu'}:{gpu}" if gpu else ""


def read_rates(rows: Iterable[Mapping[str, Any]]) -> Rates:
    """Sort SKUs by what they price.

    Parameters
    ----------
    rows : iterable of mapping
        As `pricing.providers.gcp.fetch` makes them.
    """
    rates = Rates()
    for row in rows:
        text = " ".join(row["description"].lower().split())
        if _DROPPED.search(text) or row.get("isToCome"):
            continue
        mode = _mode(text, row["usageType"])
        thing = _WAY_AND_PLACE.sub("", _WAY_BEFORE.sub("", text))  # what is sold, without how and where
        resource = _resource(thing, mode)
        sku = f"{row['skuId']} ({row['description']})"
        if resource and not (row["regions"] and (mode or row["usageType"])):
            rates.incomplete.append(sku)
        rate = _rate(row, resource, sku)
        if not mode or rate is None:
            continue  # bought in a way that is not planned with; not sold yet
        if not resource:
            if row["resourceGroup"] in _ACCELERATORS_AND_DISKS:
                rates.unread.setdefault(thing, sku)
            continue
        for region in row["regions"]:  # the text says "Americas", the list says which
            rates.add((resource, mode, region), rate)
    return rates


def _rate(row: Mapping[str, Any], resource: str, sku: str) -> Rate | UnusableRate | None:
    """Return what a SKU charges per unit and hour, or why that cannot be used; None where it costs nothing."""
    if not row.get("rates"):
        return UnusableRate("price", f"{sku} tells no price")
    _, currency, units, nanos = row["rates"][0]
    price = float(units) + float(nanos) / 1e9
    if price <= 0:
        return None
    if currency != "USD":
        return UnusableRate("currency", f"{sku} has the unknown currency {currency}")
    factor = (BYTE_UNITS if resource.startswith(("memory", "local_ssd")) else HOUR_UNITS).get(row["usageUnit"].lower())
    if factor is None:
        return UnusableRate("unit", f"{sku} has the unknown unit {row['usageUnit']}")
    return Rate(row["skuId"], price * factor, date.fromisoformat(row["effectiveOn"]) if row["effectiveOn"] else None)
