"""Parse of an EC2 price list file of real size and shape: time, and the most memory that it took."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SIZE_BYTES = 500_000_000

FAMILIES = ("p5", "p4d", "g6", "g6e", "g5", "c7i", "m7i", "r7i", "c8g", "m8g", "t3", "m5", "c5", "r5", "i4i", "x2idn")
SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge")
SYSTEMS = ("Linux", "Windows", "RHEL", "SUSE", "Ubuntu Pro", "Red Hat Enterprise Linux with HA")
TENANCIES = ("Shared", "Dedicated", "Host")
CAPACITY = ("Used", "UnusedCapacityReservation", "AllocatedCapacityReservation")
SOFTWARE = ("NA", "SQL Ent", "SQL Std", "SQL Web")


def _product(sku: str, kind: str, system: str, tenancy: str, capacity: str, software: str) -> dict[str, object]:
    return {
        "sku": sku,
        "productFamily": "Compute Instance",
        "attributes": {
            "servicecode": "AmazonEC2", "location": "US East (N. Virginia)", "locationType": "AWS Region",
            "instanceType": kind, "currentGeneration": "Yes", "instanceFamily": "General purpose", "vcpu": "96",
            "physicalProcessor": "Intel Xeon Scalable (Emerald Rapids)", "clockSpeed": "3.1 GHz", "memory": "384 GiB",
            "storage": "EBS only", "networkPerformance": "37.5 Gigabit", "processorArchitecture": "64-bit",
            "tenancy": tenancy, "operatingSystem": system, "licenseModel": "No License required",
            "usagetype": f"BoxUsage:{kind}", "operation": "RunInstances", "availabilityzone": "NA",
            "capacitystatus": capacity, "classicnetworkingsupport": "false", "dedicatedEbsThroughput": "30000 Mbps",
            "ecu": "NA", "enhancedNetworkingSupported": "Yes", "gpuMemory": "NA", "intelAvxAvailable": "Yes",
            "intelAvx2Available": "Yes", "intelTurboAvailable": "Yes", "marketoption": "OnDemand",
            "normalizationSizeFactor": "192", "preInstalledSw": software,
            "processorFeatures": "Intel AVX; Intel AVX2; Intel AVX512; Intel Turbo", "regionCode": "us-east-1",
            "servicename": "Amazon Elastic Compute Cloud", "vpcnetworkingsupport": "true",
        },
    }  # fmt: skip


def _dimension(sku: str, term: str, rate: str, unit: str, price: str) -> dict[str, object]:
    code = f"{sku}.{term}.{rate}"
    return {
        "rateCode": code, "description": f"${price} per unit of the instance, as the price list words it at length",
        "beginRange": "0", "endRange": "Inf", "unit": unit, "pricePerUnit": {"USD": price}, "appliesTo": [],
    }  # fmt: skip


def _on_demand(sku: str, price: str) -> dict[str, object]:
    code = f"{sku}.JRTCKXETXF"
    dimension = _dimension(sku, "JRTCKXETXF", "6YS6EN2CT7", "Hrs", price)
    return {
        code: {
            "offerTermCode": "JRTCKXETXF", "sku": sku, "effectiveDate": "2026-11-01T00:00:00Z",
            "priceDimensions": {f"{code}.6YS6EN2CT7": dimension}, "termAttributes": {},
        }
    }  # fmt: skip


def _reserved(sku: str, price: str) -> dict[str, object]:
    terms: dict[str, object] = {}
    for years in ("1yr", "3yr"):
        for offering in ("standard", "convertible"):
            for number, payment in enumerate(("No Upfront", "Partial Upfront", "All Upfront")):
                term = f"T{years[0]}{offering[:4].upper()}{number}"
                code = f"{sku}.{term}"
                terms[code] = {
                    "offerTermCode": term, "sku": sku, "effectiveDate": "2026-11-01T00:00:00Z",
                    "priceDimensions": {
                        f"{code}.6YS6EN2CT7": _dimension(sku, term, "6YS6EN2CT7", "Hrs", price),
                        f"{code}.2TG2D8R56U": _dimension(sku, term, "2TG2D8R56U", "Quantity", "100"),
                    },
                    "termAttributes": {
                        "LeaseContractLength": years, "OfferingClass": offering, "PurchaseOption": payment,
                    },
                }  # fmt: skip
    return terms


def write_price_list(path: Path, size_bytes: int) -> int:
    """Write a regional price list of about a size in its real shape, and return its number of products.

    Parameters
    ----------
    path : Path
        To write.
    size_bytes : int
        About how large.
    """
    prices = random.Random(1)  # noqa: S311 - figures for a benchmark
    products, number = size_bytes // 11_900, 0  # a product with its terms takes about 11.9 kB
    kinds = [f"{family}.{size}" for family in FAMILIES for size in SIZES]
    skus: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        file.write('{"formatVersion":"v1.0","offerCode":"AmazonEC2","version":"20261101000000",\n"products":{\n')
        while number < products:
            pick = (number // len(kinds)) % (len(SYSTEMS) * len(TENANCIES) * len(CAPACITY) * len(SOFTWARE))
            sku = f"SKU{number:013d}"
            system, rest = SYSTEMS[pick % 6], pick // 6
            product = _product(
                sku,
                kinds[number % len(kinds)],
                system,
                TENANCIES[rest % 3],
                CAPACITY[rest // 3 % 3],
                SOFTWARE[rest // 9 % 4],
            )
            file.write(("," if number else "") + json.dumps(sku) + ":" + json.dumps(product) + "\n")
            skus.append(sku)
            number += 1
        for kind, terms in (("OnDemand", _on_demand), ("Reserved", _reserved)):
            file.write('},"terms":{\n"OnDemand":{\n' if kind == "OnDemand" else '},\n"Reserved":{\n')
            for place, sku in enumerate(skus):
                price = f"{prices.uniform(0.05, 60):.10f}"
                file.write(("," if place else "") + json.dumps(sku) + ":" + json.dumps(terms(sku, price)) + "\n")
        file.write("}}}\n")
    return number


def parse(path: Path) -> tuple[int, float, float]:
    """Read a price list; return the products kept, the seconds it took and the process's peak memory in MB."""
    from pricing.providers.aws.price_list import read_price_list

    start = time.perf_counter()
    kept = sum(1 for _ in read_price_list(path))
    return kept, time.perf_counter() - start, _peak_mb()


def _peak_mb() -> float:
    """Return this program's own peak; `getrusage` would count that of the program which started it, too."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return float(line.split()[1]) / 1024


def measure() -> Iterator[tuple[str, str, str]]:
    """Write a price list of 500 MB, read it in a process of its own; yield what was measured, the figure, the goal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.json"
        products = write_price_list(path, SIZE_BYTES)
        size_mb = path.stat().st_size / 1e6
        # A process of its own, so that the peak is the reader's and not the writer's.
        done = subprocess.run([sys.executable, __file__, str(path)], capture_output=True, text=True, check=True)
        kept, seconds, peak_mb = json.loads(done.stdout)
    yield f"price list of {size_mb:.0f} MB, {products:,} products, {kept} kept", f"{seconds:.1f} s", ""
    yield "its speed", f"{size_mb / seconds:.0f} MB/s", ""
    yield "most memory while reading it", f"{peak_mb:.0f} MB", "300 MB"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    print(json.dumps(parse(Path(sys.argv[1]))))
