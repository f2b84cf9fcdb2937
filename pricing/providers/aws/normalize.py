"""AWS's answers as offers; pure. One region at a time, since prices, machines and zones meet there."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from pricing.facts.offers import Launchable, Offer, Payment, PurchaseOption, identity_of, identity_text
from pricing.providers.aws.commitments import (
    effective_day,
    in_force,
    plan_file_offers,
    plan_rate_offers,
    rates_of,
    reserved_api_offers,
    reserved_offers,
)
from pricing.providers.aws.price_list import is_wanted_product, read_lines
from pricing.providers.contract import Normalized, RawPage, RefusedRow, offer_or_refusal
from pricing.providers.hardware import Hardware, each_row, guarded, hardware_of

MIB_BYTES = 2**20


VERSION: Final = "aws-1"
ZONE_KINDS: Final = {"availability-zone": "zone", "local-zone": "local_zone"}


def hardware_from_type(entry: Mapping[str, Any]) -> Hardware:
    """Read an answer of `DescribeInstanceTypes`.

    Parameters
    ----------
    entry : mapping
        One of ``InstanceTypes``.
    """
    name = entry["InstanceType"]
    stated, count, memory_mib = _accelerators(entry)
    return hardware_of(
        "aws",
        name,
        vcpus=float(entry["VCpuInfo"]["DefaultVCpus"]),
        memory_gib=entry["MemoryInfo"]["SizeInMiB"] / 1024,
        cpu_arch=_architecture(" ".join(entry.get("ProcessorInfo", {}).get("SupportedArchitectures", []))),
        stated=stated,
        count=count,
        # EC2 tells the usable memory (an L4 as 22888 MiB), which is the nominal one within a tenth.
        memory_gb=memory_mib * MIB_BYTES / 1e9 if memory_mib else None,
    )


def _accelerators(entry: Mapping[str, Any]) -> tuple[str, float, float]:
    """Return name, count and memory in MiB of one accelerator; a count of 0 for a CPU-only type."""
    gpus = entry.get("GpuInfo", {}).get("Gpus", [])
    if gpus:
        gpu = gpus[0]
        count = float(gpu.get("Count", 0))
        if count == 0:  # a slice: EC2 counts no whole GPU, and tells the size of the part
            count = gpu.get("LogicalGpuCount", 1) * float(gpu["GpuPartitionSize"])
        memory_mib = gpu.get("MemoryInfo", {}).get("SizeInMiB", 0)
        if count > 1 and memory_mib == entry["GpuInfo"].get("TotalGpuMemoryInMiB"):
            memory_mib /= count  # some types are told with the memory of all their GPUs
        return f"{gpu.get('Manufacturer', '')} {gpu['Name']}".strip(), count, memory_mib
    devices = entry.get("NeuronInfo", {}).get("NeuronDevices", [])
    if devices:
        device = devices[0]
        return f"AWS {device['Name']}", float(device["Count"]), device.get("MemoryInfo", {}).get("SizeInMiB", 0)
    others = entry.get("InferenceAcceleratorInfo", {}).get("Accelerators", [])
    if others:
        return f"{others[0].get('Manufacturer', '')} {others[0]['Name']}".strip(), float(others[0]["Count"]), 0
    return "", 0.0, 0


def hardware_from_attributes(attributes: Mapping[str, str]) -> Hardware:
    """Read the attributes of a product of the price list, where the EC2 API could not be asked; they name no GPU."""
    count = _number(attributes.get("gpu", ""))
    memory_gb = _number(attributes.get("gpuMemory", ""))
    family = attributes["instanceType"].split(".")[0]
    return hardware_of(
        "aws",
        attributes["instanceType"],
        vcpus=_number(attributes.get("vcpu", "")) or None,
        memory_gib=_number(attributes.get("memory", "")) or None,
        processor=attributes.get("physicalProcessor", ""),
        cpu_arch="arm64" if re.match(r"^[a-z]+\d+g", family) and not count else "x86_64",
        stated=f"GPU of {family}" if count else "",
        count=count,
        memory_gb=memory_gb / count if memory_gb and count >= 1 else None,
    )


def _number(text: str) -> float:
    number = re.match(r"\s*([\d,]+(?:\.\d+)?)", text)
    return float(number[1].replace(",", "")) if number else 0.0


def _architecture(text: str) -> str:
    return "arm64" if "arm64" in text else "x86_64" if "x86_64" in text else ""


@dataclass(slots=True)
class Region:
    """What is known of one region while its parts are read.

    Attributes
    ----------
    name : str
        Region, or Local Zone with a price list of its own.
    hardware : dict
        By instance type.
    zones : dict of str to (str, str)
        Zone name to stable id and kind (names differ from account to account, ids do not).
    offered : dict of str to set of str, or None
        Instance type to the ids of the zones that offer it; None where the account could not be asked.
    not_on_demand : set of str
        Types whose usage classes do not hold on-demand.
    products : dict of str to str
        On-demand SKU to instance type.
    """

    name: str
    hardware: dict[str, Hardware] = field(default_factory=dict)
    zones: dict[str, tuple[str, str]] = field(default_factory=dict)
    offered: dict[str, set[str]] | None = None
    not_on_demand: set[str] = field(default_factory=set)
    products: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> dict[str, str]:
        """The offer's region, zone and kind of zone: a Local Zone counts under its parent."""
        parent = re.match(r"^([a-z]+(?:-[a-z]+)+-\d+)-", self.name)
        if parent is None:
            return {"region": self.name}
        kind = "edge" if "wl" in self.name else "local_zone"
        return {"region": parent.group(1), "zone": self.name, "zone_kind": kind}

    def launchable(self, instance_type: str) -> tuple[Launchable, str]:
        """Return whether a type can be started on demand here, and why not."""
        if instance_type in self.not_on_demand:
            return Launchable.NO, "EC2 does not list on-demand among its usage classes"
        if self.offered is None:
            return Launchable.UNKNOWN, ""
        if not self.offered.get(instance_type):
            return Launchable.NO, "priced, but offered in no zone of the region"
        return Launchable.YES, ""


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read pages into offers; a part that has another shape than known is a fault, its siblings are read all the same."""
    by_region: dict[str, dict[str, list[RawPage]]] = defaultdict(lambda: defaultdict(list))
    for page in pages:
        what, _, where = page.part.partition("/")
        by_region[where][what].append(page)
    for name, parts in sorted(by_region.items()):
        yield from _region_offers(Region(name), parts)


def _region_offers(region: Region, parts: Mapping[str, Sequence[RawPage]]) -> Iterator[Normalized]:
    types = [*parts.get("types", ()), *parts.get("capacity_block", ())]
    yield from guarded(f"types/{region.name}", lambda: _read_types(region, types))
    rows = {
        what: list(guarded(f"{what}/{region.name}", partial(read, region, parts.get(what, ()))))
        for what, read in READERS.items()
    }
    # Where the EC2 API told the reservations, it says what can be bought; the list may still carry the others.
    buyable = {identity_of(row) for row in rows["reserved"] if isinstance(row, Offer)}
    for row in rows.pop("on_demand"):
        if not (isinstance(row, Offer) and row.term_months and identity_of(row) in buyable):
            yield row
    yield from chain.from_iterable(rows.values())


def _read_types(region: Region, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    def zone(row: Mapping[str, Any]) -> None:
        kind = ZONE_KINDS.get(row.get("ZoneType", "availability-zone"), "edge")
        region.zones[row["ZoneName"]] = (row["ZoneId"], kind)

    def offered(row: Mapping[str, Any]) -> None:
        region.offered = region.offered or {}
        region.offered.setdefault(row["InstanceType"], set()).add(row["Location"])

    def machine(row: Mapping[str, Any]) -> None:
        region.hardware[row["InstanceType"]] = hardware_from_type(row)
        if "on-demand" not in row.get("SupportedUsageClasses", ["on-demand"]):
            region.not_on_demand.add(row["InstanceType"])

    readers = {"zones": zone, "offerings": offered, "types": machine}
    for page in pages:
        if page.kind in readers:
            yield from each_row(page.part, page.body, readers[page.kind])


def _listed(region: Region, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    for page in pages:
        yield from each_row(page.part, _products(page), partial(_product_offers, region, page))


def _product_offers(region: Region, page: RawPage, entry: Mapping[str, Any]) -> Iterator[Normalized]:
    attributes = entry["product"]["attributes"]
    if attributes.get("regionCode", region.name) != region.name:
        yield _foreign(region, page.part, attributes)
        return
    kind, sku = attributes["instanceType"], entry["product"]["sku"]
    hardware = region.hardware.setdefault(kind, hardware_from_attributes(attributes))
    if not hardware.processor:
        region.hardware[kind] = replace(hardware, processor=attributes.get("physicalProcessor", ""))
    region.products[sku] = kind
    shared, today = _shared(region, kind, page), page.fetched_at.date()
    for price, effective_on in _hourly(in_force(entry["terms"].get("OnDemand", {}).values(), today)):
        yield offer_or_refusal(
            **shared,
            purchase_option=PurchaseOption.ON_DEMAND,
            price_usd_per_hour=price,
            effective_on=effective_on,
            source_sku_ids=(sku,),
        )
    yield from reserved_offers(shared, sku, entry["terms"].get("Reserved", {}), today)


def _foreign(region: Region, part: str, attributes: Mapping[str, str]) -> RefusedRow:
    """Refuse a product of another place: a Local Zone's price must not stand for its parent's."""
    place = attributes["regionCode"]
    identity = identity_text("aws", attributes["instanceType"], place, purchase_option=PurchaseOption.ON_DEMAND)
    return RefusedRow(part, identity, "foreign_region", f"the list of {region.name} tells it of {place}")


def _products(page: RawPage) -> Iterator[dict[str, Any]]:
    if page.kind == "price_list":
        yield from read_lines(Path(page.body))
        return
    for text in page.body:  # the pricing API answers with JSON in JSON
        entry = json.loads(text)
        if is_wanted_product(entry["product"]):
            yield entry


def _shared(region: Region, kind: str, page: RawPage) -> dict[str, Any]:
    """Return the fields of an offer that do not depend on how it is paid for."""
    launchable, note = region.launchable(kind)
    place = region.place
    flag = "local_zone" if place.get("zone_kind") == "local_zone" else ""
    return {
        **place,
        **region.hardware[kind].fields(flag),
        "launchable": launchable,
        "launchable_note": note,
        "source": _source(page),
        "observed_on": page.fetched_at.date(),
        "adapter_version": VERSION,
        "part": page.part,
    }


def _source(page: RawPage) -> str:
    return "AWS price list file" if page.kind in {"price_list", "plan_list"} else f"AWS {page.url}"


def _hourly(terms: Iterable[Mapping[str, Any]]) -> Iterator[tuple[float, date | None]]:
    for term in terms:
        for unit, price in rates_of(term):
            if unit == "hour":
                yield price, effective_day(term)


def _reserved(region: Region, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    def offers(page_and_row: tuple[RawPage, Mapping[str, Any]]) -> Iterator[Normalized]:
        page, row = page_and_row
        kind = row["InstanceType"]
        if kind in region.hardware:
            yield from reserved_api_offers(_shared(region, kind, page), row)
        else:
            yield _without_hardware(page.part, region, kind, "reserved")

    yield from each_row(f"reserved/{region.name}", ((page, row) for page in pages for row in page.body), offers)


def _plans(region: Region, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    for page in pages:

        def shared(kind: str, page: RawPage = page) -> dict[str, Any] | None:
            return _shared(region, kind, page) if kind in region.hardware else None

        if page.kind == "plan_list":
            yield from plan_file_offers(page.part, Path(page.body), region.products, shared)
        else:
            yield from each_row(page.part, page.body, partial(plan_rate_offers, shared=shared))


def _without_hardware(part: str, region: Region, kind: str, option: str) -> RefusedRow:
    identity = identity_text("aws", kind, region.name, purchase_option=option)
    return RefusedRow(part, identity, "no_hardware", "no source says what the machine is")


def _spot(region: Region, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    readings: dict[tuple[str, str], list[tuple[datetime, float]]] = defaultdict(list)
    zone_ids: dict[str, str] = {}

    def note(row: Mapping[str, Any]) -> None:
        if row["ProductDescription"] in {"Linux/UNIX", "Linux/UNIX (Amazon VPC)"}:
            when, price = row["Timestamp"].replace(tzinfo=None), float(row["SpotPrice"])
            readings[row["InstanceType"], row["AvailabilityZone"]].append((when, price))
            if row.get("AvailabilityZoneId"):
                zone_ids[row["AvailabilityZone"]] = row["AvailabilityZoneId"]

    if not pages:
        return
    last_page = pages[-1]
    yield from each_row(last_page.part, (row for page in pages for row in page.body), note)
    for (kind, zone), prices in sorted(readings.items()):
        if kind not in region.hardware:
            yield _without_hardware(last_page.part, region, kind, "spot")
            continue
        zone_id, zone_kind = region.zones.get(zone, (zone_ids.get(zone, zone), "zone"))
        prices.sort()
        shared = _shared(region, kind, last_page)
        shared |= {"region": region.name, "zone": zone_id, "zone_kind": zone_kind}
        shared |= region.hardware[kind].fields("local_zone" if zone_kind == "local_zone" else "")
        shared |= {"launchable": Launchable.YES, "launchable_note": ""}
        yield offer_or_refusal(
            **shared,
            purchase_option=PurchaseOption.SPOT,
            interruptible=True,
            price_usd_per_hour=prices[-1][1],
            effective_on=prices[-1][0].date(),  # the price has held since its last change
            price_history=tuple(prices),
        )


def _capacity_blocks(region: Region, pages: Sequence[RawPage]) -> Iterator[Normalized]:
    cheapest: dict[tuple[str, str, int], tuple[float, Mapping[str, Any], RawPage]] = {}

    def note(page_and_row: tuple[RawPage, Mapping[str, Any]]) -> None:
        page, row = page_and_row
        if row["CurrencyCode"] != "USD":
            raise ValueError(f"unknown currency {row['CurrencyCode']}")
        hours = int(row["CapacityBlockDurationHours"])
        price = float(row["UpfrontFee"]) / (hours * int(row["InstanceCount"]))
        key = row["InstanceType"], row["AvailabilityZone"], hours
        if key not in cheapest or price < cheapest[key][0]:
            cheapest[key] = price, row, page

    blocks = ((page, row) for page in pages if page.kind == "capacity_blocks" for row in page.body)
    yield from each_row(f"capacity_block/{region.name}", blocks, note)
    for (kind, zone, hours), (price, row, page) in sorted(cheapest.items(), key=lambda item: item[0]):
        zone_id, zone_kind = region.zones.get(zone, (zone, "zone"))
        shared = _shared(region, kind, page)
        shared |= {"region": region.name, "zone": zone_id, "zone_kind": zone_kind, "launchable": Launchable.YES}
        shared["launchable_note"] = f"the cheapest block found starts on {row['StartDate'].date().isoformat()}"
        yield offer_or_refusal(
            **shared,
            purchase_option=PurchaseOption.CAPACITY_BLOCK,
            payment=Payment.ALL,
            minimum_hours=float(hours),
            cancellable=False,
            price_usd_per_hour=price,
            upfront_usd=price * hours,
        )


READERS: Final[Mapping[str, Callable[[Region, Sequence[RawPage]], Iterator[Normalized]]]] = {
    "on_demand": _listed,
    "reserved": _reserved,
    "savings_plans": _plans,
    "spot": _spot,
    "capacity_block": _capacity_blocks,
}
"""What a region's parts are read by, in this order: plans are of the products that the price list told."""
