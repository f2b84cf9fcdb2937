"""Whether a bill adds up: exports that replace each other, hours above one machine, and money that no machine explains."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.engine.session import Engine
from planner.usage import query
from planner.usage.bill import Check, Rate
from planner.usage.charge_roles import looks_like_gpu
from planner.usage.columns import version_of
from planner.usage.exports import FOCUS
from planner.usage.hours import HourTable
from planner.usage.relations import source_of_file
from planner.usage.skus import Sku, provider_of
from planner.usage.sources import Source

if TYPE_CHECKING:
    from ibis.expr.types import Table


NANO = float(query.NANO)
SHARED_SHARE = 0.5
"""Files that have so many of an account's charges of a day in common are two exports of the same day, and not parts of one."""
CAPACITY_BLOCK = re.compile(r"capacity ?block", re.IGNORECASE)
AZURE_HOST = re.compile(r"\bN[CDVG]\w*v\d\w*[-_ ]?Type ?\d", re.IGNORECASE)
"""A dedicated host is called after the series of its machines (NVsv3-Type1)."""
LEAST_NAMELESS = 12
"""Charges without a resource name differ only by time and quantity; this many equal ones are no coincidence."""
SHOWN = 5
SKU_TYPES = {"sku_number": "int64", "machine_number": "int64", "gpus": "float64", "consumed_factor": "float64", "pricing_factor": "float64", "month_gpus": "float64", "period_gpus": "float64"}  # fmt: skip


def put_skus(engine: Engine, table: Sequence[Mapping[str, Any]]) -> Table:
    """Load the facts about each kind of charge into the engine, and return them as its table."""
    import ibis

    types = {"sku_mark": engine.mark_type} | SKU_TYPES
    engine.put("gpu_skus", types, [[row[name] for name in types] for row in table])
    return ibis.table(types, name="gpu_skus")


def replaced_exports(engine: Engine, charges: Table, sources: Sequence[Source]) -> Check | None:
    """Find what a later export of the same account and day replaces, and make it known to the engine.

    Parameters
    ----------
    engine : Engine
        Holds the charges.
    charges : Table
        Of all files; see `query.charges`.
    sources : sequence of Source
        The files.

    Returns
    -------
    Check or None
        What is to be left out; None where no two files have the same charges.
    """
    both = engine.table(query.shared_charges(charges)).to_pylist()
    finer = engine.table(query.coarser_charges(charges)).to_pylist()
    if not both and not finer:
        return None
    slices = {(row["file"], row["slice_mark"]): row for row in engine.table(query.exports(charges)).to_pylist()}
    files = {file: source_of_file(file, sources) for file in {file for file, _ in slices}}
    ages = {file: _age(file, source) for file, source in files.items()}
    gone: dict[tuple[str, Any], str] = {}
    for row in finer:  # what one export has by the hour, and another by the day or month
        key = (row["file"], row["slice_mark"])
        if row["charges"] >= SHARED_SHARE * slices[key]["charges"]:
            gone[key] = row["other_file"]
    for row in both:
        pair = (row["file"], row["other_file"])
        have = [slices[file, row["slice_mark"]] for file in pair]
        least = min(export["charges"] for export in have)
        is_same = row["nameless"] >= LEAST_NAMELESS and all(export["nameless"] == row["nameless"] for export in have)
        # What a later export has for nothing is billed elsewhere (Azure's actual cost of reserved machines).
        costs = {file: export["usd_nano"] > 0 for file, export in zip(pair, have, strict=True)}
        older, newer = sorted(pair, key=lambda file: (costs[file], ages[file]))
        number = {file: export["charges"] for file, export in zip(pair, have, strict=True)}
        if (row["charges"] >= SHARED_SHARE * number[older] > 0) or (not least and is_same):
            gone[older, row["slice_mark"]] = newer
        elif row["charges"] == number[newer] > 0 and not _are_copies(row, files[older], files[newer]):
            # A later file that has a few of a day's charges again is no export of that day.
            gone[newer, row["slice_mark"]] = older
    if not gone:
        return None
    engine.put(
        "replaced_slices", {"file": "string", "slice_mark": engine.mark_type}, [list(key) for key in sorted(gone)]
    )
    replaced: dict[str, str] = dict(sorted((file, newer) for (file, _), newer in gone.items()))
    return Check(
        code="replaced_export",
        usd=sum(float(slices[key]["usd_nano"]) for key in gone) / NANO,
        rows=int(sum(slices[key]["charges"] + slices[key]["nameless"] for key in gone)),
        is_counted=False,
        items=tuple(f"{_name(file, sources)} (counted: {_name(newer, sources)})" for file, newer in replaced.items()),
    )


def _are_copies(row: Mapping[str, Any], first: Source | None, second: Source | None) -> bool:
    """Say whether charges that two files share are the same rows, which count once whatever is left out."""
    return (
        row["as_dear"] == row["charges"]
        and first is not None
        and second is not None
        and first.focus_columns == second.focus_columns
    )


def _name(file: str, sources: Sequence[Source]) -> str:
    source = source_of_file(file, sources)
    return source.name if source else file


def _age(file: str, source: Source | None) -> tuple[Any, ...]:
    """Return an order of exports: a later version of the specification is newer, then the later name (run-10 after run-9)."""
    parts = re.split(r"(\d+)", source.name if source else file)
    number = tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)
    version = version_of(source.focus_columns) if source and (source.export is None or source.export.name == FOCUS) else ""  # fmt: skip
    return (version, number)


def crowded_machines(engine: Engine, charges: Table, sources: Sequence[Source]) -> Check | None:
    """Find machines with more than one machine's hours in an hour."""
    if not any("ResourceId" in source.focus_columns for source in sources):
        return None
    row = engine.table(query.crowded_hours(charges)).to_pylist()[0]
    if row["machines"]:  # perhaps of charges that were exported twice alone, which count once
        row = engine.table(query.crowded_hours(query.without_copies(charges))).to_pylist()[0]
    if not row["machines"]:
        return None
    return Check(
        code="above_one_machine",
        usd=float(row["charged_nano"]) / NANO,
        gpu_hours=float(row["extra_nano"]) / NANO,
        rows=int(row["machines"]),
    )


@dataclass(frozen=True, slots=True)
class PaidByUse:
    """Purchases whose cost the rows of use carry: commitments and reservations by their ids, and machines without one.

    Attributes
    ----------
    ids : frozenset of str
        Commitments and reservations whose use has a cost.
    machines : frozenset of (str, str)
        Provider and accelerator of use that has a cost, and none of which is free.
    """

    ids: frozenset[str]
    machines: frozenset[tuple[str, str]]

    def holds(self, sku: Sku, row: Mapping[str, Any]) -> bool:
        """Tell whether a row is a purchase of this kind."""
        if sku.role != "purchase":
            return False
        names = {row["commitment_id"] or "", row["reservation_id"] or ""} - {""}
        if names:
            return bool(names & self.ids)
        return (provider_of(row["provider"] or ""), sku.gpu) in self.machines


def carried_purchases(kinds: Sequence[Mapping[str, Any]], skus: Mapping[int, Sku]) -> PaidByUse:
    """Return what the rows of use pay for."""
    ids, paid, free = set(), set(), set()
    for row in kinds:
        if row["category"] != "Usage" or not row["is_gpu"]:
            continue
        sku = skus[row["sku_number"]]
        key = (provider_of(row["provider"] or ""), sku.gpu)
        if row["effective_cost_nano"]:
            ids |= {row["commitment_id"] or "", row["reservation_id"] or ""}
            paid.add(key)
        elif sku.role == "machine" and sku.gpus:
            free.add(key)
    return PaidByUse(frozenset(ids - {""}), frozenset(paid - free))


def nameless_blocks(
    kinds: Sequence[Mapping[str, Any]], sku_of: Callable[[Mapping[str, Any]], Sku | None]
) -> dict[int, Sku]:
    """Return what capacity blocks and dedicated hosts are of that name no machine, by their mark: what runs in them at no cost.

    Parameters
    ----------
    kinds : sequence of mapping
        The kinds of charges.
    sku_of : callable
        What a kind of charge is of.
    """
    blocks = [
        row for row in kinds
        if row["effective_cost_nano"] and _holds_nameless(row) and sku_of(row) is None
    ]  # fmt: skip
    if not blocks:
        return {}
    free = [
        (row, sku)
        for row in kinds
        if row["category"] == "Usage" and not row["effective_cost_nano"] and (sku := sku_of(row)) and sku.role == "machine"
    ]  # fmt: skip
    skus = {}
    for block in blocks:
        same = [(row, sku) for row, sku in free if row["provider"] == block["provider"]]
        inside = [
            sku for row, sku in same if row["reservation_id"] and row["reservation_id"] == block["reservation_id"]
        ]
        meant = set(inside or [sku for _, sku in same])
        if len(meant) == 1:
            role = "purchase" if block["category"] == "Purchase" else "host"
            skus[block["sku_mark"]] = replace(meant.pop(), role=role, gpus=0.0)
    return skus


def _holds_nameless(row: Mapping[str, Any]) -> bool:
    pattern = {"Purchase": CAPACITY_BLOCK, "Usage": AZURE_HOST}.get(row["category"])
    return pattern is not None and pattern.search(_words(row)) is not None


def checks_of(kinds: Sequence[Mapping[str, Any]], hours: HourTable, rates: Mapping[str, Rate]) -> list[Check]:
    """Return the amounts that no machine explains, by kind of charge."""
    checks = []
    purchase = hours.equals("role", "purchase") if len(hours) else np.zeros(0, dtype=bool)
    if (usd := hours.total("effective_usd", purchase) if len(hours) else 0.0) != 0.0:
        checks.append(Check(code="purchase_counted", usd=usd, gpu_hours=hours.total("gpu_hours", purchase)))
    skipped = _check(
        "purchase_not_counted", kinds, rates,
        lambda row: row["category"] == "Purchase" and row["is_gpu"] and row["effective_cost_nano"], is_counted=False,
    )  # fmt: skip
    if skipped.usd - usd > 0.005:
        checks.append(replace(skipped, usd=skipped.usd - usd))
    not_counted = _check(
        "not_counted", kinds, rates,
        lambda row: row["category"] in {"Usage", "Purchase"} and not row["is_gpu"] and row["effective_cost_nano"] and looks_like_gpu(_words(row)),
        is_counted=False,
    )  # fmt: skip
    costless = _check("no_cost", kinds, rates, lambda row: row["is_gpu"] and row["is_costless"] and row["category"] == "Usage")  # fmt: skip
    split = _check("split_allocation", kinds, rates, lambda row: row["is_gpu"] and row["is_split"])
    checks += [check for check in (not_counted, costless, replace(split, items=())) if check.rows]
    if len(hours):
        used = hours.equals("state", "used")
        unlisted = hours.total("unlisted_usd", used)
        if unlisted > 0.005 and hours.total("list_usd", used) > 0:
            mask = used & (hours.values["unlisted_usd"] > 0)
            checks.append(Check(code="no_list_price", usd=unlisted, gpu_hours=hours.total("gpu_hours", mask)))
    return checks


def _check(
    code: str, kinds: Sequence[Mapping[str, Any]], rates: Mapping[str, Rate], is_meant: Callable[[Mapping[str, Any]], object], *, is_counted: bool = True
) -> Check:  # fmt: skip
    """Add up the kinds of charges that are meant; the dearest are named."""
    usd: dict[str, float] = defaultdict(float)
    meant = [row for row in kinds if is_meant(row)]
    for row in meant:
        usd[label_of(row)] += float(row["effective_cost_nano"] or 0.0) / NANO * rates[row["currency"]].usd
    order = sorted(usd, key=lambda label: (-abs(usd[label]), label))
    return Check(
        code=code,
        usd=sum(usd[label] for label in order),
        rows=int(sum(row["rows"] for row in meant)),
        is_counted=is_counted,
        items=tuple(f"{label} ({usd[label]:,.2f} USD)" for label in order[:SHOWN]),
    )


def _words(row: Mapping[str, Any]) -> str:
    names = (name for name in query.SKU_WORDS if name not in {"category", "provider"})
    return " | ".join(str(row[name]) for name in names if row[name])


def label_of(row: Mapping[str, Any]) -> str:
    """Return what to call a kind of charge."""
    text = str(row["meter"] or row["description"] or row["details"] or row["resource_type"] or row["service"] or "?")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= 80 else text[:77] + "..."
