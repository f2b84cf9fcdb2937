"""Price catalogs that other projects publish as CSV files: gpuhunt's and SkyPilot's (``catalogs/v8/NAME/vms.csv``).

Neither tells its seller or its day: whoever reads one does, a file by its name (``nebius@2026-10-01.csv``). gpuhunt has a row for
each purchase option, SkyPilot a column. gpuhunt's are also read as they are published (``{seller}/version``,
``{seller}/{version}/catalog.zip``), with the retries and time limits of every other source.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from pricing.clock import today, utc_now
from pricing.errors import PricingError
from pricing.facts.offers import Offer, PurchaseOption
from pricing.providers.client import Http, side_by_side
from pricing.providers.contract import (
    SHAPE_ERRORS,
    Fetched,
    Normalized,
    Provider,
    RawPage,
    RefusedRow,
    Request,
    SourceError,
    offer_or_refusal,
)
from pricing.providers.hardware import UNREADABLE, each_row, hardware_of, read_parts
from pricing.tables import read_text

SELLERS: Final = {"datacrunch": "verda", "do": "digitalocean", "lambdalabs": "lambda", "vastai": "vast"}
"""Their names of sellers to ours."""

ARCHITECTURES: Final = {"x86": "x86_64", "arm": "arm64"}

FILE_VERSION: Final = "catalog-1"

Row = Mapping[str, str]

_FILE_NAME: Final = re.compile(r"([a-z0-9][a-z0-9-]*)@(\d{4}-\d{2}-\d{2})")
_TOTAL_MIB: Final = re.compile(r"TotalGpuMemoryInMiB\W+(\d+)")


URL: Final = "https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3"
PART: Final = "gpuhunt"
VERSION: Final = "gpuhunt-1"
MOST_BYTES: Final = 1 << 27
_VERSION: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[-.][\w.-]*)?")


def is_catalog(text: str) -> bool:
    """Return whether a file is one of these catalogs, by its first line."""
    return _format(text) is not None


def file_rows(path: Path, text: str, part: str) -> Iterator[Normalized]:
    """Read a catalog from a file that is called after its seller and day.

    Raises
    ------
    PricingError
        Where the name tells neither, or the file has another shape.
    """
    named = _FILE_NAME.fullmatch(path.stem)
    try:
        observed_on = date.fromisoformat(named[2]) if named else None
    except ValueError:
        observed_on = None
    if named is None or observed_on is None or observed_on > today():
        raise PricingError(
            "a catalog of gpuhunt or SkyPilot states neither its seller nor its day",
            hint="call the file SELLER@DAY.csv, for example nebius@2026-10-01.csv: the seller and the day on which the prices were published",
            where=str(path),
        )
    seller = SELLERS.get(named[1], named[1])
    try:
        for row in catalog_rows(text, seller=seller, observed_on=observed_on, version=FILE_VERSION, part=part):
            if isinstance(row, RefusedRow) and row.reason == UNREADABLE:
                raise ValueError(f"{row.identity}: {row.message}")
            yield row
    except SHAPE_ERRORS as error:
        raise PricingError(f"a row has another shape than the first line says: {error}", where=str(path)) from error


def read_catalog(path: Path) -> list[Offer] | None:
    """Return the offers of a catalog file; None where the file is none.

    Raises
    ------
    PricingError
        Where the file cannot be read, or holds a row that cannot be an offer.
    """
    text = read_text(path) if path.suffix.lower() == ".csv" else ""
    if not is_catalog(text):
        return None
    rows = list(file_rows(path, text, part=""))
    refused = [f"{row.identity}: {row.message}" for row in rows if isinstance(row, RefusedRow)]
    if refused:
        raise PricingError(
            f"{len(refused)} of {len(rows)} rows cannot be offers; the first: {refused[0]}", where=str(path)
        )
    return [row for row in rows if isinstance(row, Offer)]


def catalog_rows(text: str, *, seller: str, observed_on: date, version: str, part: str) -> Iterator[Normalized]:
    """Read a catalog into offers.

    Parameters
    ----------
    text : str
        The file.
    seller : str
        Whose prices they are.
    observed_on : date
        The catalog's day.
    version, part : str
        Told by every row.

    Raises
    ------
    Exception
        One of `SHAPE_ERRORS`: a file of another shape.
    """
    reader = _format(text)
    if reader is None:
        raise ValueError(f"a catalog has other columns than {text.partition(chr(10))[0][:200]!r}")
    common = {"observed_on": observed_on, "adapter_version": version, "part": part}

    def offers(row: Row) -> Iterator[Normalized]:
        return (offer_or_refusal(**common, **fields) for fields in reader(seller, row))

    yield from each_row(part or seller, csv.DictReader(io.StringIO(text)), offers)


def _format(text: str) -> Callable[[str, Row], Iterator[dict[str, Any]]] | None:
    columns = set(text.partition("\n")[0].strip().split(","))
    return next((reader for needed, reader in FORMATS if needed <= columns), None)


def _gpuhunt(seller: str, row: Row) -> Iterator[dict[str, Any]]:
    count = float(row["gpu_count"])
    hardware = hardware_of(
        seller,
        row["instance_name"],
        vcpus=float(row["cpu"]) if row["cpu"] else None,
        memory_gib=float(row["memory"]) if row["memory"] else None,
        cpu_arch=ARCHITECTURES.get(row.get("cpu_arch", ""), ""),
        stated=row["gpu_name"],
        count=count,
        memory_gb=float(row["gpu_memory"]) if row["gpu_memory"] else None,
    )
    is_spot = {"true": True, "false": False}[row["spot"].lower()]
    yield {
        "region": row["location"] or "global",
        "source": "gpuhunt's published catalog",
        **hardware.fields(),
        **_paid(float(row["price"]), is_spot=is_spot),
    }


def _skypilot(seller: str, row: Row) -> Iterator[dict[str, Any]]:
    count = float(row["AcceleratorCount"] or 0)
    total_mib = _TOTAL_MIB.search(row.get("GpuInfo") or "")
    hardware = hardware_of(
        seller,
        row["InstanceType"],
        vcpus=float(row["vCPUs"]) if row["vCPUs"] else None,
        memory_gib=float(row["MemoryGiB"]) if row["MemoryGiB"] else None,
        stated=row["AcceleratorName"],
        count=count,
        memory_gb=float(round(float(total_mib[1]) / 1024 / max(count, 1.0))) if total_mib else None,
    )
    region, zone = row["Region"] or "global", row.get("AvailabilityZone") or ""
    for text, is_spot in ((row["Price"], False), (row.get("SpotPrice"), True)):
        # A price that is not told, or a spot price of 0, says that it is not sold so.
        if text and (float(text) or not is_spot):
            yield {
                "region": region,
                "zone": zone,
                "zone_kind": "zone" if zone else "region",
                "source": "SkyPilot's published catalog",
                **hardware.fields(),
                **_paid(float(text), is_spot=is_spot),
            }


def _paid(price_usd_per_hour: float, *, is_spot: bool) -> dict[str, Any]:
    option = PurchaseOption.SPOT if is_spot else PurchaseOption.ON_DEMAND
    return {"purchase_option": option, "interruptible": is_spot, "price_usd_per_hour": price_usd_per_hour}


FORMATS: Final = (
    ({"instance_name", "location", "price", "gpu_count", "gpu_name", "spot"}, _gpuhunt),
    ({"InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"}, _skypilot),
)
"""The columns that tell a catalog, and its reader."""


def published(seller: str) -> Provider:
    """Return the adapter of a seller whose prices gpuhunt publishes under the same name."""

    def fetch(request: Request) -> Iterator[Fetched]:
        """Ask for the version, and bring that catalog."""
        base = request.endpoint("GPUPLAN_GPUHUNT_URL", URL)
        return side_by_side(request, {PART: lambda: [_page(request, base, seller)]})

    def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
        """Read the rows into offers of the catalog's day."""
        return read_parts(pages, lambda pages_of_part: (row for page in pages_of_part for row in _offers(page, seller)))

    return Provider(
        name=seller,
        version=VERSION,
        fetch=fetch,
        normalize=normalize,
        endpoints={"GPUPLAN_GPUHUNT_URL": URL},
    )


def _page(request: Request, base: str, seller: str) -> RawPage:
    version_file, archive = request.spool / f"{seller}-version", request.spool / f"{seller}.zip"
    with Http(request) as http:
        http.download(f"{base}/{seller}/version", version_file)
        version = version_file.read_text("utf-8", "replace").strip()
        if not _VERSION.fullmatch(version):
            raise SourceError(f"the version is {version[:40]!r}, which is no day", reason="shape", where=base)
        url = f"{base}/{seller}/{version}/catalog.zip"
        http.download(url, archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            named = next(
                name
                for name in (f"{seller}.csv", *opened.namelist())
                if name in opened.namelist() and name.endswith(".csv")
            )
            if opened.getinfo(named).file_size > MOST_BYTES:
                raise SourceError("the catalog is larger than 128 MiB", reason="shape", where=url)
            text = opened.read(named).decode("utf-8-sig")
    except (zipfile.BadZipFile, StopIteration, KeyError, UnicodeDecodeError) as error:
        raise SourceError(f"no catalog can be read from the archive: {error}", reason="shape", where=url) from error
    return RawPage(part=PART, kind=version, body=text, url=url, fetched_at=utc_now())


def _offers(page: RawPage, seller: str) -> Iterator[Normalized]:
    version = _VERSION.fullmatch(page.kind)
    if version is None:
        raise ValueError(f"{page.kind!r} is no version")
    observed_on = date(*(int(part) for part in version.groups()))
    return catalog_rows(page.body, seller=seller, observed_on=observed_on, version=VERSION, part=page.part)


NEBIUS, CLOUDRIFT = published("nebius"), published("cloudrift")
