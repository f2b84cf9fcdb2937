"""A FOCUS bill as accelerator-hours and costs by hour."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.engine.session import Engine
from planner.notes import Note, NoteCode
from planner.usage import ledger, query
from planner.usage.bill import PLAN_WORD, Bill, Check, NonUsage, Rate
from planner.usage.cache import FileCache
from planner.usage.columns import narrowing_of, version_of
from planner.usage.faults import Fault, UsageError, refusal
from planner.usage.hours import HourTable, coded, spread_evenly
from planner.usage.relations import relations_of
from planner.usage.sku_numbers import PLAN_SKU, sku_numbers
from planner.usage.skus import Sku, SkuReader, provider_of
from planner.usage.sources import Source, working_folder
from planner.usage.unreadable_rows import first_name, readable_sources, unreadable_rows

if TYPE_CHECKING:
    from pyarrow import Table as ArrowTable

NANO = float(query.NANO)
MOST_SPREAD_ROWS = 1 << 25
"""Charges of several hours count in each of them; more rows than these would take gigabytes."""


def read_bill(
    engine: Engine,
    sources: Sequence[Source],
    reader: SkuReader,
    *,
    rates: Mapping[str, Rate] | None = None,
    tag: str = "",
    folder: Path | None = None,
    kept: FileCache | None = None,
    keep_copies: bool = False,
) -> Bill:
    """Read a bill.

    Parameters
    ----------
    engine : Engine
        Where it is added up.
    sources : sequence of Source
        FOCUS files of one or several versions.
    reader : SkuReader
        Knows which instance types have which accelerators.
    rates : mapping of str to Rate, optional
        Of the currencies other than USD.
    tag : str
        The tag by which the answer is to be divided.
    folder : Path, optional
        For what is laid down on the way; a temporary one by default.
    kept : Kept, optional
        Where files of text that were read once are kept.
    keep_copies : bool
        Count copies of a charge as often as they were exported.

    Raises
    ------
    UsageError
        Nothing can be read: no file has the columns, or no currency a rate.
    """
    if folder is None:
        with working_folder() as made:
            return read_bill(
                engine, sources, reader, rates=rates, tag=tag, folder=made, kept=kept, keep_copies=keep_copies
            )
    faults: list[Fault] = []
    whole = readable_sources(sources, faults)
    if not whole:
        raise refusal("no file can be read", faults)
    usd_rates = {"USD": Rate(usd=1.0, source="")} | dict(rates or {})
    rows = query.Rows(engine, tuple(relations_of(engine, whole, folder, faults, kept)), tag)
    kinds, skus, charges = _kinds_of(rows, reader)
    checks: list[Check] = []
    if (
        charges
        and len(whole) > 1
        and not keep_copies
        and (replaced := ledger.replaced_exports(engine, charges.table, whole))
    ):
        checks.append(replaced)
        kinds, skus, charges = _kinds_of(replace(rows, has_replaced=True), reader)
    left_out = unreadable_rows(kinds, usd_rates, whole, faults)
    words, hourly = [], None
    if charges:
        words = [_in_currency(row) for row in engine.table(query.dimensions(charges.rows, charges.skus)).to_pylist()]
        crowded = None if keep_copies else ledger.crowded_machines(engine, charges.table, whole)
        checks += [crowded] if crowded else []
        hourly = engine.table(query.hourly(charges.table, keep_copies=keep_copies, is_crowded=crowded is not None))
        engine.let_go(charges.table)
    readable = [row for row in kinds if not row["unreadable"] and row["currency"] in usd_rates]
    if not kinds:
        faults.append(Fault(what="there is a header and no row", where=first_name(whole)))
    if not readable:
        raise refusal("no row can be read", faults)
    carried = ledger.carried_purchases(readable, skus)
    hours = _hours(words, hourly, skus, usd_rates, _gpu_shares(readable), carried)
    checks += ledger.checks_of(readable, hours.table, usd_rates)
    notes = _notes(readable, hours, tag, keep_copies=keep_copies)
    return Bill(
        table=hours.table,
        rows=int(sum(row["rows"] for row in kinds)),
        gpu_rows=hours.rows,
        unreadable_rows=left_out,
        copied_rows=hours.copied,
        effective_usd=sum(_usd(row, "effective_cost", usd_rates) for row in readable if row["category"] == "Usage"),
        apart=_apart(readable, usd_rates),
        versions=tuple(sorted({s.export.name if s.export else version_of(s.columns) for s in whole})),
        rates={name: usd_rates[name] for name in sorted({row["currency"] for row in readable}) if name != "USD"},
        skus=tuple(dict.fromkeys(sku for sku in skus.values() if sku.basis != PLAN_SKU)),
        faults=tuple(faults),
        notes=tuple(notes),
        checks=tuple(checks),
        **_time_of(readable),
    )


@dataclass(frozen=True, slots=True)
class _Charges:
    """The accelerator charges as a table of the engine, and the facts about each kind of charge."""

    rows: query.Rows
    skus: Any
    table: Any


def _kinds_of(rows: query.Rows, reader: SkuReader) -> tuple[list[dict[str, Any]], dict[int, Sku], _Charges | None]:
    """Return the kinds of charges, what each is of, and the charges of accelerators."""
    kinds = [_in_currency(row) for row in rows.engine.table(query.profile(rows)).to_pylist()]
    # In an order of ours: sums of floats depend on it, and each engine answers in its own.
    kinds.sort(key=lambda row: tuple(str(row[name] or "") for name in query.PROFILE_WORDS))
    skus, facts = sku_numbers(kinds, reader)
    if not skus:
        return kinds, skus, None
    table = ledger.put_skus(rows.engine, facts)
    rows = replace(rows, narrowing=narrowing_of(kinds, {row["sku_mark"] for row in facts}, query.SKU_WORDS))
    return kinds, skus, _Charges(rows, table, rows.engine.keep("gpu_charges", query.charges(rows, table)))


def _in_currency(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that has a currency; what states no cost may state none."""
    return row | {"currency": row["currency"] or "USD"}


def _time_of(kinds: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the hours that the bill is of, by all its charges of use; nothing where none is of a day or less."""
    rows = [row for row in kinds if row["category"] == "Usage" and row["first_s"] is not None]
    if not rows:
        return {}
    first, last = min(int(row["first_s"]) for row in rows), max(int(row["last_s"]) for row in rows)
    return {"first_hour": first // 3600, "end_hour": max(-(-last // 3600), first // 3600 + 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hours:
    """The charges of accelerators by hour: how many rows they were, how many of these copies, without hours, and the longest."""

    table: HourTable
    rows: int = 0
    copied: int = 0
    without_hours: int = 0
    longest: int = 1


def _usd(row: Mapping[str, Any], name: str, rates: Mapping[str, Rate]) -> float:
    return float(row[f"{name}_nano"] or 0.0) / NANO * rates[row["currency"]].usd


def _gpu_shares(kinds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return for each commitment how much of what it covered was of accelerators, by cost.

    What a savings plan did not use is of no instance type; it counts as accelerators' as far as its use was.
    """
    used: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in kinds:
        if row["commitment_id"] and (row["commitment_status"] or "") == "Used":
            cost = float(row["effective_cost_nano"])
            used[row["commitment_id"]][0] += cost if row["is_gpu"] else 0.0
            used[row["commitment_id"]][1] += cost
    return {name: gpu / total for name, (gpu, total) in used.items() if total > 0}


WORDS = ("gpu", "instance_type", "account", "region", "provider", "option", "state", "tag", "commitment", "charge_class", "role")  # fmt: skip
VALUES = ("gpu_hours", "effective_usd", "list_usd", "contracted_usd", "billed_usd", "unlisted_usd")


def _hours(
    rows: Sequence[Mapping[str, Any]], hourly: ArrowTable | None, skus: Mapping[int, Sku], rates: Mapping[str, Rate],
    shares: Mapping[str, float], carried: ledger.PaidByUse,
) -> _Hours:  # fmt: skip
    """Return the charges by hour, out of the words that they have and the engine's sums for each hour and mark of words."""
    marks, texts, usd_per_nano, is_machine = [], [], [], []
    for row in sorted(rows, key=lambda row: _word_order(row, skus)):
        sku = skus[int(row["sku_number"])]
        status = row["commitment_status"] or ""
        weight = 1.0
        if sku.basis == PLAN_SKU:
            # Charges of no instance type that are no unused commitment are none of ours.
            weight = shares.get(row["commitment_id"] or "", 0.0) if status == "Unused" else 0.0
        if weight == 0.0 or row["currency"] not in rates or carried.holds(sku, row):
            continue
        unused = status == "Unused" or row["reservation_status"] == "Unused" or sku.is_unused
        marks.append(row["mark"])
        usd_per_nano.append(weight / NANO * rates[row["currency"]].usd)
        is_machine.append(sku.gpus > 0 and sku.role == "machine")
        texts.append(
            (
                sku.gpu or PLAN_WORD,
                sku.instance_type,
                _printable(row["account"] or ""),
                _printable(row["region"] or ""),
                provider_of(row["provider"] or ""),
                option_of(row),
                "unused" if unused else "used",
                _printable(_tag_text(row["tag"] or "")),
                _printable(row["commitment_id"] or ""),
                row["charge_class"] or "",
                sku.role,
            )
        )
    of_kind = {kind: coded([text[place] for text in texts]) for place, kind in enumerate(WORDS)}
    words = {kind: names for kind, (_, names) in of_kind.items()}
    if hourly is None or not marks:
        nothing = {kind: np.zeros(0, dtype=np.int64) for kind in WORDS}
        return _Hours(table=HourTable(np.zeros(0, dtype=np.int64), nothing, words, {name: np.zeros(0) for name in VALUES}))  # fmt: skip
    mark = _column(hourly, "mark")
    by_mark = np.argsort(np.array(marks, dtype=mark.dtype))
    sorted_marks = np.array(marks, dtype=mark.dtype)[by_mark]
    place = np.minimum(np.searchsorted(sorted_marks, mark), len(marks) - 1)
    ours = np.flatnonzero(sorted_marks[place] == mark)
    which, hour, span = by_mark[place][ours], _column(hourly, "hour")[ours], _column(hourly, "span")[ours]
    # One number to sort by takes a third of the time of three.
    shape = (int(hour.max(initial=0)) + 1, len(marks), int(span.max(initial=0)) + 1)
    order = np.argsort(np.ravel_multi_index((hour, which, span), shape))
    which, hour, span, ours = which[order], hour[order], span[order], ours[order]
    rows_exported, charges = _column(hourly, "rows")[ours], _column(hourly, "charges")[ours]
    money = np.array(usd_per_nano)[which]
    values = {
        f"{name}_usd": _column(hourly, f"{name}_cost_nano")[ours] * money
        for name in ("effective", "list", "contracted", "billed")
    }
    values["unlisted_usd"] = _column(hourly, "unlisted_nano")[ours] * money
    values["gpu_hours"] = _column(hourly, "gpu_hours_nano")[ours] / NANO
    is_correction = np.array([text[WORDS.index("charge_class")] == "Correction" for text in texts])[which]
    without = charges[np.array(is_machine)[which] & ~is_correction & (values["gpu_hours"] == 0)].sum()
    longest = int(span.max(initial=1))
    if int(span.sum()) > MOST_SPREAD_ROWS:
        raise UsageError(
            f"the bill's charges of several hours would be spread over {int(span.sum()):,} rows",
            hint="give its files in parts, by month or by account",
        )
    if longest > 1:
        hour, origin, values = spread_evenly(hour, span, values)
        which = which[origin]
    return _Hours(
        table=HourTable(hour, {kind: codes[which] for kind, (codes, _) in of_kind.items()}, words, values),
        rows=int(rows_exported.sum()),
        copied=int(rows_exported.sum() - charges.sum()),
        without_hours=int(without),
        longest=longest,
    )


def _column(table: ArrowTable, name: str) -> Any:  # noqa: ANN401  an array of one type or another
    """Return a column of numbers without nulls; Arrow's own way to numpy imports pandas."""
    chunks = [np.from_dlpack(chunk) for chunk in table[name].chunks]
    return np.concatenate(chunks) if chunks else np.zeros(0)


def _word_order(row: Mapping[str, Any], skus: Mapping[int, Sku]) -> tuple[str, ...]:
    sku = skus[int(row["sku_number"])]
    words = (row[name] or "" for name in query.HOURLY_WORDS)
    return (sku.gpu, sku.instance_type, sku.basis, *words, f"{row['sku_number']:09d}")


def option_of(row: Mapping[str, Any]) -> str:
    """Return how a charge was bought, in this program's words.

    Examples
    --------
    >>> blank = dict.fromkeys(("commitment_category", "commitment_id", "pricing_category"))
    >>> option_of(blank | {"pricing_category": "Dynamic"}), option_of(blank | {"commitment_category": "Spend"})
    ('spot', 'savings_plan')
    """
    match row["commitment_category"] or "", row["pricing_category"] or "":
        case "Usage", _:
            return "reserved"
        case "Spend", _:
            return "savings_plan"
        case _, "Committed" | "Commitment-Based":  # FOCUS 1.0-preview's words
            return "committed"
        case _, "Dynamic":
            return "spot"
        case _, "Standard" | "On-Demand":
            return "on_demand"
        case _:
            return "committed" if row["commitment_id"] else "not_stated"


def _printable(text: str) -> str:
    """Return a name without characters that would steer a terminal."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _tag_text(raw: str) -> str:
    """Return a tag's value without JSON's escapes."""
    if "\\" in raw:
        with suppress(ValueError):
            return str(json.loads(f'"{raw}"'))
    return raw


def _apart(kinds: Sequence[Mapping[str, Any]], rates: Mapping[str, Rate]) -> tuple[NonUsage, ...]:
    sums: dict[tuple[str, str, bool], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for row in kinds:
        if row["category"] == "Usage" and not row["charge_class"]:
            continue
        figures = (row["rows"], _usd(row, "effective_cost", rates), _usd(row, "billed_cost", rates))
        key = (row["category"], row["charge_class"] or "", bool(row["is_gpu"]))
        sums[key] = [total + figure for total, figure in zip(sums[key], figures, strict=True)]
    return tuple(
        NonUsage(category=c, charge_class=k, rows=int(n), effective_usd=e, billed_usd=b, is_gpu=g)
        for (c, k, g), (n, e, b) in sorted(sums.items())
    )


def _notes(kinds: Sequence[Mapping[str, Any]], hours: _Hours, tag: str, *, keep_copies: bool) -> list[Note]:
    table, notes = hours.table, []
    if hours.longest > 1:
        notes.append(Note(NoteCode.SPREAD_CHARGES, (hours.longest,)))
    if hours.copied and not keep_copies:
        notes.append(Note(NoteCode.COPIED_ROWS, (hours.copied,)))
    if any(row["category"] == "Usage" and (row["charge_class"] or "") == "Correction" for row in kinds):
        notes.append(Note(NoteCode.CORRECTIONS))
    if len(table) and table.equals("gpu", PLAN_WORD).any():
        notes.append(Note(NoteCode.UNUSED_SAVINGS_PLANS))
    if tag and len(table) and not any(table.words["tag"]):
        notes.append(Note(NoteCode.NO_SUCH_TAG, (tag,)))
    if hours.without_hours:
        notes.append(Note(NoteCode.CHARGES_WITHOUT_HOURS, (hours.without_hours,)))
    return notes
