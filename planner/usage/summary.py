"""The answer of ``gpuplan usage``, and the use of one accelerator as a workload."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.errors import InputError
from planner.notes import Note, NoteCode
from planner.usage.answer import COMMITTED, Commitments, Group, Idle, Measure, Usage, curve_of, idle_of, level_held
from planner.usage.bill import Bill
from planner.usage.faults import Fault, NoUsageError, UsageError
from planner.usage.hours import ALL, HourTable, Mask, concatenated
from planner.usage.other_providers import hosts_of, provider_prices
from planner.usage.records import Records
from pricing.catalog import Catalog
from pricing.clock import HOURS_PER_MONTH
from pricing.errors import PricingError
from pricing.facts.accelerators import resolve_all

SIZE_SHARE = 0.01
"""A workload is as large as the level that is exceeded in one hour of a hundred; a single spike makes no fleet."""


MOST_HOURS = 20 * 8766
MOST_CURVE_VALUES = 1 << 26
GROUPS = ("gpu", "option", "account", "region", "provider", "tag", "role")
SOURCE_ORDER = ("bill", "slurm", "dcgm", "plain")
BASIS_ORDER = ("allocated", "present", "busy", "useful")
NO_USE_HINT = "GPU charges are found by instance type (SkuPriceDetails), meter or description; `gpuplan offers` lists the known ones"
NO_RECORD_HINT = "jobs hold what AllocTRES names as gres/gpu, if it is not cut off (sacct -P); counters are found by name (DCGM_FI_DEV_GPU_UTIL), tables by a column gpus"


def chosen_gpu(usage: Usage, wanted: str) -> str:
    """Return the accelerator that is meant.

    Parameters
    ----------
    usage : Usage
        What was used.
    wanted : str
        As people write it; empty where there is one alone.

    Raises
    ------
    InputError
        There are several and none was named, or it was not used.
    """
    names = [name for name, level in usage.levels.items() if level.any()]
    there = ", ".join(name or "(not told)" for name in names)
    if not wanted:
        if len(names) == 1:
            return names[0]
        raise InputError(
            f"{len(names)} kinds of accelerators were used, and a curve is of one",
            where="--gpu",
            hint=f"there are {there}",
        )
    if wanted in names:
        return wanted
    try:
        meant = {row.name for row in resolve_all(wanted)}
    except PricingError:
        meant = set()
    matches = [name for name in names if name in meant or name.lower() == wanted.lower()]
    if len(matches) != 1:
        raise InputError(f"{wanted} was not used, or means several", where="--gpu", hint=f"there are {there}")
    return matches[0]


def workload_text(gpu: str, level: NDArray[np.float64], basis: str) -> str:
    """Return a curve as a workload of kind ``gpu_hours``: a fleet, and the hours a month in which it works.

    Examples
    --------
    >>> print(workload_text("H100-SXM", np.array([8.0, 0.0]), "allocated").splitlines()[-1].strip())
    gpu_hours: {gpu: H100-SXM, count: 8, hours_per_month: 365}
    """
    count = max(1, math.ceil(level_held(level, SIZE_SHARE)))
    hours = min(float(level.mean()) * HOURS_PER_MONTH / count, HOURS_PER_MONTH)
    return (
        f"# From {len(level):,} hours of {basis} use: {level.mean():.1f} GPUs on average, {level.max():.1f} at the peak.\n"
        f"# count is exceeded in one hour of a hundred.\n"
        "kind: gpu_hours\n"
        f"gpu_hours: {{gpu: {gpu or 'H100-SXM'}, count: {count}, hours_per_month: {hours:.6g}}}\n"
    )


def summarize(
    bill: Bill | None, records: Sequence[Records], catalog: Catalog, *, faults: Sequence[Fault] = (), basis: str = ""
) -> Usage:
    """Return the answer.

    Parameters
    ----------
    bill : Bill or None
        What was paid.
    records : sequence of Records
        The cluster's own.
    catalog : Catalog
        For the same hours elsewhere.
    faults : sequence of Fault
        Files that could not be looked into.
    basis : str
        Which hours groups and curve are of; by default the first there is of allocated, present, busy, useful.

    Raises
    ------
    NoUsageError
        There is no accelerator-hour; the message has the funnel.
    """
    tables = [source.table for source in records]
    if bill is not None:
        tables.insert(0, _with_basis(bill.table))
    table = concatenated(tables)
    used = table.equals("state", "used") if len(table) else np.zeros(0, dtype=bool)
    paid = bill is not None and len(table) and (table.values["gpu_hours"][~used] > 0).any()
    if not len(table) or not ((table.values["gpu_hours"][used] > 0).any() or paid):
        raise NoUsageError(
            "no accelerator was used:\n  " + "\n  ".join(_funnel(bill, records)),
            hint=NO_USE_HINT if bill is not None else NO_RECORD_HINT,
        )
    measures = _measures(table, used, bill)
    if not measures and bill is not None:  # everything that was paid for stood unused
        nothing = np.zeros(_span(table, "bill", bill)[1])
        measures = (Measure(source="bill", basis="allocated", gpu_hours=0.0, curve=curve_of(nothing)),)
    main = next((measure for measure in measures if not basis or measure.basis == basis), None)
    if main is None:
        there = ", ".join(sorted({measure.basis for measure in measures}))
        raise NoUsageError(f"no file tells {basis} hours", where="--basis", hint=f"there are {there}")
    measures = (main, *(measure for measure in measures if measure is not main))
    first, hours = _span(table, main.source, bill)
    ours = table.equals("source", main.source) & table.equals("basis", main.basis)
    part = table.where(ours)
    part_used = part.equals("state", "used")
    money = bill is not None and main.source == "bill"
    if (kinds := len(part.words["gpu"])) * hours > MOST_CURVE_VALUES:
        raise UsageError(
            f"{kinds:,} names of accelerators over {hours:,} hours are more curves than are kept",
            hint="is an accelerator's own number taken for its model?",
        )
    levels = {
        gpu: part.level("gpu_hours", first, hours, part_used & part.equals("gpu", gpu))
        for gpu in sorted(part.by("gpu", "gpu_hours", part_used))
    }

    def usd(value: str, mask: Mask = ALL) -> float | None:
        return part.total(value, mask) if money else None

    effective, listed = usd("effective_usd"), usd("list_usd", part_used)
    # What has no list price is in neither side of the rate.
    unlisted = part.total("unlisted_usd", part_used) if money and "unlisted_usd" in part.values else 0.0
    by_gpu = {name: value for name, value in part.by("gpu", "gpu_hours", part_used).items() if value > 0}
    idle = _idle(table, measures, bill)
    seen = sum(of_gpu.seen_gpu_hours for of_gpu in idle)
    return Usage(
        measures=measures,
        first_hour=first,
        hours=hours,
        gpu_hours=part.total("gpu_hours", part_used),
        unused_gpu_hours=part.total("gpu_hours", ~part_used),
        effective_usd=effective,
        list_usd=listed,
        contracted_usd=usd("contracted_usd", part_used),
        unused_usd=usd("effective_usd", ~part_used),
        savings_rate_share=round(1.0 - (effective - unlisted) / listed, 12)
        if effective is not None and listed
        else None,
        groups={kind: _groups(part, part_used, kind, money=money) for kind in GROUPS if kind in part.codes},
        levels=levels,
        level=part.level("gpu_hours", first, hours, part_used),
        commitments=_commitments(part, part_used) if money else None,
        elsewhere=provider_prices(catalog, by_gpu, hosts_of(catalog, part, part_used)),
        idle=idle,
        idle_gpu_hours=sum(of_gpu.gpu_hours for of_gpu in idle) if idle else None,
        idle_share=sum(of_gpu.gpu_hours for of_gpu in idle) / seen if seen > 0 else None,
        bill=bill,
        energy_kwh=next((source.energy_kwh for source in records if source.energy_kwh is not None), None),
        faults=(*faults, *(bill.faults if bill else ()), *(fault for source in records for fault in source.faults)),
        notes=(
            *(bill.notes if bill else ()),
            *(note for source in records for note in source.notes),
            *_own_notes(part, money=money),
        ),
        table=part,
        counters=_counters(table, measures, first, hours),
    )


def _with_basis(table: HourTable) -> HourTable:
    none = np.zeros(len(table), dtype=np.int64)
    codes = {**table.codes, "basis": none, "source": none}
    return HourTable(table.hour, codes, {**table.words, "basis": ("allocated",), "source": ("bill",)}, table.values)


def _funnel(bill: Bill | None, records: Sequence[Records]) -> list[str]:
    lines = []
    if bill is not None:
        readable = bill.rows - bill.unreadable_rows
        lines.append(f"{bill.rows:,} rows in the bill, {readable:,} readable, {bill.gpu_rows:,} of accelerators")
        lines += [
            f"{check.usd:,.2f} USD of charges that speak of accelerators, and none that is known: {', '.join(check.items)}"
            for check in bill.checks
            if check.code == "not_counted"
        ]
    lines += [f"{part.rows:,} rows of records, none with an accelerator at work" for part in records]
    return lines


def _measures(table: HourTable, used: NDArray[np.bool_], bill: Bill | None) -> tuple[Measure, ...]:
    measures = []
    # Without owner labels there are no allocated hours; use the larger of the remaining measures.
    for source, basis in product(SOURCE_ORDER, BASIS_ORDER):
        mask = used & table.equals("source", source) & table.equals("basis", basis)
        if table.values["gpu_hours"][mask].any():
            level = table.level("gpu_hours", *_span(table, source, bill), mask)
            if level.any():
                hours = table.total("gpu_hours", mask)
                measures.append(Measure(source=source, basis=basis, gpu_hours=hours, curve=curve_of(level)))
    return tuple(measures)


def _groups(part: HourTable, used: NDArray[np.bool_], kind: str, *, money: bool) -> tuple[Group, ...]:
    hours, unused = part.by(kind, "gpu_hours", used), part.by(kind, "gpu_hours", ~used)
    groups = [Group(name=name, gpu_hours=hours.get(name, 0.0), unused_gpu_hours=unused.get(name, 0.0)) for name in part.by(kind, "gpu_hours")]  # fmt: skip
    if money:
        paid, wasted = part.by(kind, "effective_usd"), part.by(kind, "effective_usd", ~used)
        listed = part.by(kind, "list_usd", used)
        groups = [
            replace(
                group,
                effective_usd=paid[group.name],
                list_usd=listed.get(group.name, 0.0),
                unused_usd=wasted.get(group.name, 0.0),
                usd_per_gpu_hour=paid[group.name] / group.gpu_hours if group.gpu_hours > 0 else None,
            )
            for group in groups
        ]
    if len(groups) == 1 and not groups[0].name:
        return ()
    # Equal sums differ by what was added first.
    return tuple(
        sorted(
            groups, key=lambda group: (-round(group.effective_usd or 0.0, 6), -round(group.gpu_hours, 6), group.name)
        )
    )


def _commitments(part: HourTable, used: NDArray[np.bool_]) -> Commitments | None:
    committed = part.equals("option", *COMMITTED)
    reserved = ~used & ~committed
    if not committed.any() and not reserved.any():
        return None
    on_demand = part.equals("option", "on_demand", "not_stated")
    covered = part.total("gpu_hours", used & committed)
    open_hours = part.total("gpu_hours", used & on_demand)
    used_usd, unused_usd = part.total("effective_usd", used & committed), part.total("effective_usd", ~used & committed)
    of_used, of_unused = (part.by("commitment", "effective_usd", mask & committed) for mask in (used, ~used))
    names = sorted({*of_used, *of_unused})
    rows = [(name, of_used.get(name, 0.0), of_unused.get(name, 0.0)) for name in names]
    return Commitments(
        coverage_share=covered / (covered + open_hours) if covered + open_hours > 0 else None,
        utilisation_share=used_usd / (used_usd + unused_usd) if used_usd + unused_usd > 0 else None,
        used_usd=used_usd,
        unused_usd=unused_usd,
        used_gpu_hours=covered,
        unused_gpu_hours=part.total("gpu_hours", ~used & committed),
        unused_reservation_usd=part.total("effective_usd", reserved),
        by_commitment=tuple(sorted(rows, key=lambda row: (-row[2], row[0]))),
    )


def _span(table: HourTable, source: str, bill: Bill | None) -> tuple[int, int]:
    """Return the first hour of a source and how many it has.

    A bill's time is that of all its charges of use: accelerators that ran on three days of a month cost three days a
    month, not thirty.
    """
    hour = table.hour[(table.values["gpu_hours"] != 0) & table.equals("source", source)]
    first, end = int(hour.min()), int(hour.max()) + 1
    if source == "bill" and bill is not None and bill.first_hour is not None and bill.end_hour is not None:
        first, end = min(first, bill.first_hour), max(end, bill.end_hour)
    if end - first > MOST_HOURS:
        raise UsageError(
            f"the {source} hours reach from {_day(first)} to {_day(end)}; {MOST_HOURS // 8766} years are the most",
            hint="correct the mistyped date, or give the years one by one",
        )
    return first, end - first


def _day(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).date().isoformat()


def _idle(table: HourTable, measures: Sequence[Measure], bill: Bill | None) -> tuple[Idle, ...]:
    busy = next((measure for measure in measures if measure.basis == "busy"), None)
    allocated = [measure for measure in measures if measure.basis == "allocated"]
    # The counters' own word for whose an accelerator was is nearer to them than a bill.
    own = next(
        (measure for measure in allocated if busy and measure.source == busy.source), next(iter(allocated), None)
    )
    if own is None or busy is None:
        return ()
    return idle_of(table, own.source, busy.source, lambda source: _span(table, source, bill))


def _counters(
    table: HourTable, measures: Sequence[Measure], first: int, hours: int
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return busy and present accelerators by hour, of each kind; under no name where bill and counters call them differently."""
    busy = next((measure for measure in measures if measure.basis == "busy"), None)
    if busy is None or busy.source == measures[0].source:
        return {}
    ours = table.equals("source", busy.source)
    names = set(table.by("gpu", "gpu_hours", ours))
    alike = names <= set(table.by("gpu", "gpu_hours", table.equals("source", measures[0].source)))
    counters = {}
    for gpu in sorted(names) if alike and "" not in names else [""]:
        mask = ours & table.equals("gpu", gpu) if gpu else ours
        level = {
            basis: table.level("gpu_hours", first, hours, mask & table.equals("basis", basis))
            for basis in ("busy", "present")
        }
        # Records that state no presence are taken as everything there was.
        present = level["present"] if level["present"].any() else np.where(level["busy"] > 0, np.inf, 0.0)
        counters[gpu] = (level["busy"], present)
    return counters


def _own_notes(part: HourTable, *, money: bool) -> list[Note]:
    notes = []
    unknown = sorted(word for word in part.by("gpu", "gpu_hours") if word.startswith("unknown ("))
    if unknown:
        notes.append(Note(NoteCode.NOT_IN_CATALOG, (", ".join(unknown),)))
    if money and not part.total("list_usd"):
        notes.append(Note(NoteCode.NO_LIST_PRICES))
    return notes
