"""Google's answers as offers; pure. A price is a sum of parts, and the parts stay with it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final

from pricing.facts.offers import IDENTITY_COLUMNS, Launchable, Payment, PricePart, PurchaseOption, identity_text
from pricing.providers.contract import Normalized, RawPage, RefusedRow, offer_or_refusal
from pricing.providers.gcp.fetch import PART
from pricing.providers.gcp.skus import Rate, Rates, UnusableRate, read_rates
from pricing.providers.hardware import UNREADABLE, each_row, guarded, hardware_of

VERSION: Final = "gcp-2"

LOCAL_SSD_GIB: Final = (("z3-*-metal", 6000), ("z3-*", 3000), ("c4-*-metal", 3000), ("a4x-*", 3000), ("*", 375))
"""Size of one local SSD partition by machine type; the first pattern that fits counts. The API tells their number alone."""

HOST_FAMILIES: Final = {"a3-megagpu": "a3plus", "a3-ultragpu": "a3ultra"}
"""Machine families whose SKUs go by another name than their first letters."""

TPU_CHIPS: Final = {"ct5l": "5e", "ct5lp": "5e", "ct5p": "5p", "ct6e": "6e", "tpu7x": "7x"}
"""Accelerator type of a TPU machine to the chip that its SKU names."""

CPU_MACHINES: Final = re.compile(
    r"(?:n2|c3|c3d|c4|c4a|c4d|h4d)-(?:standard|highcpu|highmem)-\d+(?:-lssd)?|z3-highmem-\d+-\w+"
)
"""Machines without an accelerator that are of use for inference."""

_ACCELERATED: Final = re.compile(r"(?:a[2-9]|g[2-9]|ct\d)[a-z]*-")
"""Machines that are never without one."""

ATTACHED: Final = {
    1: ("n1-standard-8", 8, 30.0),
    2: ("n1-standard-16", 16, 60.0),
    4: ("n1-standard-32", 32, 120.0),
    8: ("n1-standard-64", 64, 240.0),
}
"""Hosts for the accelerators that are attached to N1 machines: name, cores and GiB by number of accelerators."""

ATTACHABLE: Final = ("nvidia-tesla-t4", "nvidia-tesla-v100", "nvidia-tesla-p100", "nvidia-tesla-p4")

NOT_ON_DEMAND: Final = re.compile(r"^(a3-highgpu-[124]g|a3-ultragpu-8g|a4-.*|a4x-.*)$")
"""Machines whose SKUs have an on-demand price, although Google does not sell them so."""

MODES: Final[Mapping[str, dict[str, Any]]] = {
    "on_demand": {"purchase_option": PurchaseOption.ON_DEMAND},
    "spot": {"purchase_option": PurchaseOption.SPOT, "interruptible": True},
    "commit_1y": {
        "purchase_option": PurchaseOption.RESERVED_1Y, "term_months": 12, "payment": Payment.MONTHLY, "cancellable": False,
    },
    "commit_3y": {
        "purchase_option": PurchaseOption.RESERVED_3Y, "term_months": 36, "payment": Payment.MONTHLY, "cancellable": False,
    },
    "flex_start": {"purchase_option": PurchaseOption.FLEX_START},
    "calendar": {"purchase_option": PurchaseOption.CALENDAR, "minimum_hours": 24.0, "cancellable": False},
}  # fmt: skip


INSTEAD: Final = {"calendar": "reserved"}
"""Mode to the one whose SKUs stand in: calendar mode's hosts are plain reservations, its GPUs name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine type in one region, with what its price is summed over."""

    name: str
    region: str
    zones: tuple[str, ...]
    vcpus: float
    memory_gib: float
    cpu_arch: str = ""
    stated: str = ""
    count: float = 0.0
    local_ssd_count: int = 0

    def is_incomplete(self) -> bool:
        """Return whether the machine list tells less of it than a price is summed over."""
        has_accelerators = self.count > 0 and bool(self.stated)
        is_plain = not (self.count or self.stated or _ACCELERATED.match(self.name))
        return min(self.vcpus, self.memory_gib) <= 0 or not (has_accelerators or is_plain)

    def needs(self, rates: Rates) -> list[tuple[str, str, float]]:
        """Return what is paid for in this region: part, resource of the catalog, quantity."""
        family = HOST_FAMILIES.get(self.name.rsplit("-", 1)[0], self.name.split("-")[0])
        with_host = next((sold for sold in self._with_host() if (sold[0], self.region) in rates.sold), None)
        if with_host and self.count >= 1:
            return [("accelerator", *with_host)]  # disks included: Google lists whole A4 machines at their slices alone
        parts = [("core", f"core:{family}", self.vcpus), ("memory", f"memory:{family}", self.memory_gib)]
        if with_host:
            parts = [("accelerator", *with_host)]
        elif self.count:
            parts.append(("accelerator", f"gpu:{self.stated}", self.count))
        if self.local_ssd_count:
            names = [f"local_ssd:vgpu {family}"] if 0 < self.count < 1 else []
            names.append(f"local_ssd:{family}")
            disk = next((name for name in names if (name, self.region) in rates.sold), "local_ssd")
            size_gib = next(gib for pattern, gib in LOCAL_SSD_GIB if fnmatchcase(self.name, pattern))
            parts.append(("local_ssd", disk, float(self.local_ssd_count * size_gib)))
        return parts

    def _with_host(self) -> list[tuple[str, float]]:
        """Return the resources that would pay for accelerators and their share of the host at once."""
        if self.stated in TPU_CHIPS:
            return [(f"tpu:{TPU_CHIPS[self.stated]}", self.count)]
        if 0 < self.count < 1:
            return [(f"vgpu:{1 / self.count:g}", 1.0), ("vgpu:8", self.count * 8)]
        return [(f"slice:{self.stated}", self.count)]


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read pages into offers; a catalog that cannot be read is a fault of the whole."""
    kept = list(pages)
    if kept:
        yield from guarded(PART, lambda: _offers(kept))


def _offers(pages: Sequence[RawPage]) -> Iterator[Normalized]:
    rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for page in pages:
        rows[page.kind].extend(page.body)
    if not {"machines", "skus"} <= rows.keys():
        raise ValueError(f"an answer is missing: there is {', '.join(sorted(rows)) or 'nothing'}")
    rates = read_rates(rows["skus"])
    observed_on = pages[-1].fetched_at.date()

    def offers(machine: Machine) -> Iterator[Normalized]:
        if machine.is_incomplete():
            message = "the list of machines leaves out its cores, its memory or its accelerators"
            yield RefusedRow(PART, f"gcp {machine.name} in {machine.region}", UNREADABLE, message)
            return
        for mode in MODES:
            yield from _priced(machine, mode, rates, observed_on)

    machines = [*_machines(rows["machines"]), *_attached(rows["accelerators"])]
    read = list(each_row(PART, machines, offers, of="Google's machines"))
    if all(isinstance(row, RefusedRow) for row in read):
        first = next((row.message for row in read if isinstance(row, RefusedRow)), "no SKU prices a machine")
        raise ValueError(f"not one of {len(rows['skus'])} SKUs can be used: {first}")
    yield from read
    for row in rows["unread"]:
        yield RefusedRow(PART, f"gcp {row['list']}", UNREADABLE, row["message"])
    for thing, sku in rates.unread.items():
        message = f"{sku}: no accelerator or disk is known by this text"
        yield RefusedRow(PART, f"gcp SKU: {thing}", "unknown_text", message)
    for sku in rates.incomplete:
        yield RefusedRow(PART, f"gcp SKU: {sku}", UNREADABLE, "it states no region, or no purchase option")


def _machines(rows: Sequence[Mapping[str, Any]]) -> Iterator[Machine]:
    by_region: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        is_host = CPU_MACHINES.fullmatch(row["name"])
        if (
            row["deprecated"] in {"DELETED", "OBSOLETE"}
            or not (row["accelerators"] or is_host or _ACCELERATED.match(row["name"]))
            or "-vws" in str(row["accelerators"])
        ):
            continue
        by_region[row["name"], row["zone"].rsplit("-", 1)[0]].append(row)
    for (name, region), by_zone in sorted(by_region.items()):
        row = by_zone[0]
        stated, count = row["accelerators"][0] if row["accelerators"] else ("", 0)
        yield Machine(
            name=name,
            region=region,
            zones=tuple(sorted(zoned["zone"] for zoned in by_zone)),
            vcpus=float(row["guestCpus"]),
            memory_gib=row["memoryMb"] / 1024,
            cpu_arch={"ARM64": "arm64", "X86_64": "x86_64"}.get(row["architecture"], ""),
            stated=stated,
            # A G4 machine holds a GPU to each 48 cores, and a slice below: the API counts whole ones.
            count=float(row["guestCpus"]) / 48 if stated and name.startswith("g4-") else float(count),
            local_ssd_count=int(row["localSsdCount"]),
        )


def _attached(rows: Sequence[Mapping[str, Any]]) -> Iterator[Machine]:
    zones: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["name"] in ATTACHABLE:
            zones[row["name"], row["zone"].rsplit("-", 1)[0]].append(row)
    for (name, region), by_zone in sorted(zones.items()):
        for count, (host, vcpus, memory_gib) in ATTACHED.items():
            if count > max(row["most"] for row in by_zone):
                continue
            yield Machine(
                name=f"{host}+{count}x-{name}",
                region=region,
                zones=tuple(sorted(row["zone"] for row in by_zone)),
                vcpus=vcpus,
                memory_gib=memory_gib,
                cpu_arch="x86_64",
                stated=name,
                count=float(count),
            )


def _priced(machine: Machine, mode: str, rates: Rates, observed_on: date) -> Iterator[Normalized]:
    priced: list[tuple[str, float, Rate]] = []
    unusable: UnusableRate | None = None
    for part, resource, quantity in machine.needs(rates):
        # Disks have no commitment or spot SKU in every region.
        modes = [mode, INSTEAD.get(mode, ""), "on_demand" if part == "local_ssd" else ""]
        rate = next(filter(None, (rates.find(resource, sold, machine.region) for sold in modes)), None)
        if isinstance(rate, Rate):
            priced.append((part, quantity, rate))
        elif isinstance(rate, UnusableRate):
            unusable = unusable or rate
        else:
            return  # priced in part: a host without its GPUs is the classic wrong price, so there is none
    if unusable:
        sold = {name: value for name, value in MODES[mode].items() if name in IDENTITY_COLUMNS}
        identity = identity_text("gcp", machine.name, machine.region, **sold)
        yield RefusedRow(PART, identity, unusable.reason, unusable.message, cause=unusable.message)
        return
    hardware = hardware_of(
        "gcp", machine.name, vcpus=machine.vcpus, memory_gib=machine.memory_gib, cpu_arch=machine.cpu_arch,
        stated=machine.stated, count=machine.count,
    )  # fmt: skip
    launchable, note = Launchable.YES, f"in {', '.join(machine.zones)}"
    if mode == "on_demand" and NOT_ON_DEMAND.match(machine.name):
        launchable, note = Launchable.NO, "has a price, but is sold only as spot, flex-start, calendar or reservation"
    days = [rate.effective_on for _, _, rate in priced if rate.effective_on]
    yield offer_or_refusal(
        region=machine.region,
        **hardware.fields(),
        **MODES[mode],
        launchable=launchable,
        launchable_note=note,
        price_usd_per_hour=sum(quantity * rate.price_usd_per_hour for _, quantity, rate in priced),
        price_parts=tuple(
            PricePart(name=part, sku_id=rate.sku_id, quantity=quantity, price_usd_per_hour=rate.price_usd_per_hour)
            for part, quantity, rate in priced
        ),
        source="Google Cloud Billing catalogue and Compute API",
        source_sku_ids=tuple(rate.sku_id for _, _, rate in priced),
        effective_on=max(days, default=None),
        observed_on=observed_on,
        adapter_version=VERSION,
        part=PART,
    )
