"""A bill as tables of FOCUS, in any version of it, and those as files; used by make_usage.py."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from make_usage import Bill

NANO = 10**9
EUR_USD = 1.25
"""A rate that binary fractions hold exactly, so that answers are exact to the cent."""
START = datetime(2026, 10, 1, tzinfo=UTC)

COLUMNS_1_0 = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
]
ADDED = {
    "1.0": [],
    "1.1": [
        "CapacityReservationId",
        "CapacityReservationStatus",
        "CommitmentDiscountQuantity",
        "CommitmentDiscountUnit",
        "ServiceSubcategory",
        "SkuMeter",
        "SkuPriceDetails",
    ],
    "1.2": [
        "BillingAccountType",
        "InvoiceId",
        "PricingCurrency",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "SubAccountType",
    ],
    "1.3": [
        "AllocatedMethodDetails",
        "AllocatedMethodId",
        "AllocatedResourceId",
        "AllocatedResourceName",
        "AllocatedTags",
        "ContractApplied",
        "HostProviderName",
        "ServiceProviderName",
    ],
}
VERSIONS = tuple(ADDED)
NUMBERS = {
    "BilledCost", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost", "ListUnitPrice",
    "PricingQuantity", "CommitmentDiscountQuantity", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
}  # fmt: skip
TIMES = {"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"}


def columns_of(version: str) -> list[str]:
    """Return the columns of a version of the specification, in alphabetical order."""
    names = list(COLUMNS_1_0)
    for each in VERSIONS[: VERSIONS.index(version) + 1]:
        names += ADDED[each]
    return sorted(names)


def tables(bill: Bill, version: str, *, seed: int, rows_each: int = 500_000, doubles: int = 0) -> Iterator[Any]:
    """Return the bill as Arrow tables in the order of time, `doubles` of its GPU rows twice.

    Parameters
    ----------
    bill : Bill
        See `make`.
    version : str
        Of the specification.
    seed : int
        Which rows come twice.
    rows_each : int
        Of a table.
    doubles : int
        Rows that come twice.
    """
    import pyarrow as pa

    template, hour = np.concatenate(bill.template), np.concatenate(bill.hour)
    span, quantity, nano = np.concatenate(bill.span), np.concatenate(bill.quantity), np.concatenate(bill.nano)
    order = np.argsort(hour, kind="stable")
    if doubles:
        again = np.random.default_rng(seed).choice(bill.known["gpu_rows"], doubles, replace=False)
        order = np.concatenate([order, again])
    begin = np.datetime64(START.replace(tzinfo=None), "us")
    one_hour = np.timedelta64(1, "h")
    texts = {
        name: _coded([one.get(name) for one in bill.templates])
        for name in columns_of(version)
        if name not in NUMBERS | TIMES
    }
    texts["BillingAccountId"] = _coded(["payer-1" for _ in bill.templates])
    if "ServiceProviderName" in texts:
        texts["ServiceProviderName"] = texts["ProviderName"]
    late = np.array([bool(one.get("late")) for one in bill.templates])
    per_hour = np.array([one.get("per_hour", 1.0) for one in bill.templates])
    consumes = np.array([one.get("ConsumedUnit") is not None for one in bill.templates])
    prices = np.array([one.get("PricingUnit") is not None for one in bill.templates])
    for first in range(0, len(order), rows_each):
        rows = order[first : first + rows_each]
        which, starts = template[rows], begin + hour[rows] * one_hour
        month = begin + np.where(late[which], 31 * 24, 0) * one_hour
        times = {
            "ChargePeriodStart": starts, "ChargePeriodEnd": starts + span[rows] * one_hour,
            "BillingPeriodStart": month, "BillingPeriodEnd": month + 31 * 24 * one_hour,
        }  # fmt: skip
        numbers = dict(
            zip(("EffectiveCost", "ListCost", "ContractedCost", "BilledCost"), nano[rows].T / NANO, strict=True)
        )
        numbers["ConsumedQuantity"] = np.where(consumes[which], quantity[rows], np.nan)
        numbers["PricingQuantity"] = np.where(prices[which], quantity[rows] * per_hour[which], np.nan)
        columns = []
        for name in columns_of(version):
            if name in times:
                columns.append(pa.array(times[name], pa.timestamp("us", tz="UTC")))
            elif name in NUMBERS:
                values = numbers.get(name)
                columns.append(
                    pa.nulls(len(rows), pa.float64()) if values is None else pa.array(values, from_pandas=True)
                )
            else:
                codes, words = texts[name]
                columns.append(pa.DictionaryArray.from_arrays(pa.array(codes[which], mask=codes[which] < 0), words))
        yield pa.table(columns, names=columns_of(version))


def _coded(values: list[Any]) -> tuple[np.ndarray, list[str]]:
    """Return text of templates as numbers of words; -1 is none."""
    words = sorted({value for value in values if value is not None}) or [""]
    place = {word: number for number, word in enumerate(words)}
    return np.array([-1 if value is None else place[value] for value in values], dtype=np.int32), words


def write_csv(table: Any, path: Path, *, offset_hours: int = 0) -> None:  # noqa: ANN401  Arrow's table
    """Write a table as CSV (gzip where the name says so), its times as ISO 8601 with the offset of a time zone."""
    import csv

    zone = f"{offset_hours:+03d}:00" if offset_hours else "Z"
    shift = timedelta(hours=offset_hours)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow(
            [
                f"{(value + shift).replace(tzinfo=None).isoformat()}{zone}" if isinstance(value, datetime) else value
                for value in row
            ]
        )
    data = out.getvalue().encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
