"""The kinds of charges that are of an accelerator, numbered, and how many of its hours a unit of each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from planner.usage import ledger
from planner.usage.skus import Sku, SkuReader, gpus_per_unit, hours_per_unit, is_gpu_hour, provider_of

PLAN_SKU = "commitment"
"""What an unused commitment is of that is tied to no instance type (a savings plan)."""
HOLDERS = frozenset({"purchase", "host", "commitment"})


def sku_numbers(kinds: Sequence[dict[str, Any]], reader: SkuReader) -> tuple[dict[int, Sku], list[dict[str, Any]]]:
    """Read what each kind of charge is of, and number those that are of an accelerator.

    Parameters
    ----------
    kinds : sequence of dict
        `planner.usage.query.profile`; each gets ``is_gpu`` and ``sku_number``.
    reader : SkuReader
        Knows which instance types have which accelerators.

    Returns
    -------
    dict of int to Sku, list of dict
        By number, and as `planner.usage.ledger.put_skus` takes them.
    """
    numbers: dict[Any, int] = {}
    skus: dict[int, Sku] = {}
    rows: dict[int, dict[str, Any]] = {}
    unused_marks = {row["sku_mark"] for row in kinds if (row["commitment_status"] or "") == "Unused"}
    google = [_sku_of(row, reader) for row in kinds if provider_of(row["provider"] or "") == "gcp"]
    reader = reader.for_bill({sku.gpu for sku in google if sku and sku.gpus})
    bought = ledger.nameless_blocks(kinds, lambda row: _sku_of(row, reader))
    for row in kinds:
        mark = row["sku_mark"]
        row["is_gpu"] = mark in numbers and skus[numbers[mark]].basis != PLAN_SKU
        row["sku_number"] = numbers.get(mark)
        if mark in numbers or row["unreadable"]:
            continue
        sku = _sku_of(row, reader) or bought.get(mark)
        if sku is None and mark in unused_marks:
            sku = Sku("", 0.0, "", PLAN_SKU)
        if sku is None:
            continue
        number = numbers[mark] = row["sku_number"] = len(numbers)
        skus[number] = sku
        rows[number] = row
        row["is_gpu"] = sku.basis != PLAN_SKU
    seen = {(provider_of(rows[n]["provider"] or ""), sku.gpu) for n, sku in skus.items() if sku.role == "machine" and sku.gpus}  # fmt: skip
    machines: dict[tuple[str, str], int] = {}
    table = []
    for number, sku in skus.items():
        row = rows[number]
        provider = provider_of(row["provider"] or "")
        # What holds machines has their hours only where the bill does not have them itself.
        has_hours = sku.role == "machine" or (sku.role in HOLDERS and (provider, sku.gpu) not in seen)
        has_hours |= sku.is_unused and sku.role == "reservation"
        machine = machines.setdefault((provider, sku.gpu if sku.basis == "text" else sku.instance_type), len(machines))
        table.append(
            {"sku_mark": row["sku_mark"], "sku_number": number, "machine_number": machine, "gpus": sku.gpus if has_hours else 0.0}
            | _factors(row, sku if has_hours else replace(sku, gpus=0.0))
        )  # fmt: skip
    return skus, table


def _sku_of(row: Mapping[str, Any], reader: SkuReader) -> Sku | None:
    texts = [row[name] or "" for name in ("meter", "resource_type", "description", "charge_words")]
    provider = provider_of(row["provider"] or "")
    sku = reader.read(provider, row["details"] or "", texts, category=row["category"] or "", service=row["service"] or "")  # fmt: skip
    if sku is None and row["category"] == "Usage" and is_gpu_hour(row["consumed_unit"] or row["pricing_unit"] or ""):
        # An hour of a GPU is one, whichever it is.
        return Sku(f"unknown ({ledger.label_of(row)})", 1.0, "", "text")
    return sku


def _factors(row: Mapping[str, Any], sku: Sku) -> dict[str, float | None]:
    """Return how many accelerator-hours a unit is; of months, that is a matter of the charge's period."""
    factors: dict[str, float | None] = {"month_gpus": None}
    for name in ("consumed", "pricing"):
        unit = row[f"{name}_unit"] or ""
        hours, gpus = hours_per_unit(unit), gpus_per_unit(unit, sku.gpus)
        is_month = hours is not None and hours % 730 == 0
        if hours is not None and is_month:
            factors["month_gpus"] = gpus * hours / 730
        factors[f"{name}_factor"] = hours * gpus if hours is not None and not is_month else None
    # What is bought for a month and states no unit of time is had for all of it.
    is_timeless = all(factors[name] is None for name in ("month_gpus", "consumed_factor", "pricing_factor"))
    factors["period_gpus"] = sku.gpus if is_timeless and sku.role == "purchase" else None
    return factors
