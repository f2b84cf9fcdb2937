"""What of a bill can be read: files with all that a row needs, and the rows that cannot, with their first place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from planner.usage.bill import Rate
from planner.usage.columns import MANDATORY, MOST, NEEDED, TIMES, UNREADABLE, missing_columns
from planner.usage.faults import Fault, UsageError
from planner.usage.hours import LONGEST_S, SINCE_S, UNTIL_S
from planner.usage.relations import first_line
from planner.usage.sources import Source


def readable_sources(sources: Sequence[Source], faults: list[Fault]) -> list[Source]:
    """Return the files that have every column that a row cannot do without; the others are added to the faults."""
    whole = []
    for source in sources:
        columns = source.focus_columns
        twice = sorted({name for name in columns if name in NEEDED and columns.count(name) > 1})
        odd = [] if twice else _odd_times(source)
        if twice:
            faults.append(Fault(what=f"{', '.join(twice)} comes twice among its columns", where=source.name))
        elif odd:
            hint = "a timestamp, a date, or text in ISO 8601"
            faults.append(Fault(what=f"{' and '.join(odd)}, which is not a time", where=source.name, hint=hint))
        elif missing := missing_columns(columns):
            noun = "column" if len(missing) == 1 else "columns"
            hint = "export it with all mandatory columns of FOCUS"
            faults.append(Fault(what=f"the {noun} {', '.join(missing)} is missing", where=source.name, hint=hint))
        else:
            whole.append(source)
    return whole


def _odd_times(source: Source) -> list[str]:
    """Return which columns of time a Parquet file keeps as something else."""
    import pyarrow.types as kinds

    if source.schema is None or source.export is not None:
        return []
    readable = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_timestamp, kinds.is_date)
    odd = []
    for name in (name for name in TIMES.values() if name in source.columns):
        kind = source.schema.field(name).type
        kind = kind.value_type if kinds.is_dictionary(kind) else kind
        if not any(is_kind(kind) for is_kind in readable):
            odd.append(f"{name} is of type {kind}")
    return odd


def unreadable_rows(
    kinds: Sequence[Mapping[str, Any]], rates: Mapping[str, Rate], sources: Sequence[Source], faults: list[Fault]
) -> int:
    """Count the rows that cannot be read or have no rate, with the first place of each kind; refuse a second header of another order."""
    unreadable: dict[str, int] = defaultdict(int)
    without: dict[str, int] = defaultdict(int)
    for row in kinds:
        if row["unreadable"]:
            unreadable[UNREADABLE[row["unreadable"]]] += row["rows"]
        elif row["currency"] not in rates:
            without[row["currency"]] += row["rows"]
    if unreadable and (where := first_line(sources, _is_another_header)):
        hint = "cut the file at that header, and give both parts"
        raise UsageError("a second header has its columns in another order than the first", where=where, hint=hint)
    for column, count in sorted(unreadable.items()):
        cells: list[str] = []
        where = first_line(sources, partial(_is_unreadable, column=column, cells=cells))
        hint = (
            "times as 2026-10-31T13:00:00Z, or days and months in the one order of the file"
            if column in TIMES.values()
            else "numbers as 1234.56"
            if column == "EffectiveCost"
            else ""
        )
        held = (
            f"{cells[0]!r}, which cannot be read; write {hint}" if any(cells) and hint else "nothing that can be read"
        )
        faults.append(Fault(what=f"{column} holds {held}", where=where, rows=count, hint=hint))
    for currency, count in sorted(without.items()):
        where = first_line(sources, partial(_is_in, currency=currency))
        hint = f"--rate {currency}=1.08"
        what = f"{currency} has no rate to the US dollar ({hint})"
        faults.append(Fault(what=what, where=where or first_name(sources), rows=count, hint=hint))
    return sum(unreadable.values()) + sum(without.values())


def first_name(sources: Sequence[Source]) -> str:
    """Return the name of the one file; of several, none."""
    return sources[0].name if len(sources) == 1 else ""


def _cell(row: Sequence[str], header: Sequence[str], column: str) -> str:
    place = header.index(column) if column in header else -1
    return row[place] if 0 <= place < len(row) else ""


def _is_another_header(row: Sequence[str], header: Sequence[str]) -> bool:
    return row != header and len({*row} & {*header} & {*MANDATORY}) > 2


def _is_in(row: Sequence[str], header: Sequence[str], currency: str) -> bool:
    return _cell(row, header, "BillingCurrency") == currency


def _is_unreadable(row: Sequence[str], header: Sequence[str], column: str, cells: list[str]) -> bool:
    """Judge a cell as the engines do, closely enough to find the place; keep the text of one that cannot be read."""
    text = _cell(row, header, column)
    is_wrong = _is_odd(text, row, header, column)
    if is_wrong:
        cells.append(text)
    return is_wrong


def _is_odd(text: str, row: Sequence[str], header: Sequence[str], column: str) -> bool:
    if not text or text in {"NULL", "null", "None"}:
        return True
    try:
        if column.startswith("ChargePeriod"):
            seconds = _seconds(text)
            is_end = column == "ChargePeriodEnd" and _cell(row, header, "ChargeCategory") == "Usage"
            begins = _seconds(_cell(row, header, "ChargePeriodStart")) if is_end else seconds
            return not SINCE_S <= seconds <= UNTIL_S or (begins >= SINCE_S and seconds - begins > LONGEST_S)
        if column == "EffectiveCost":
            return not abs(float(text)) < MOST
    except (ValueError, OverflowError):
        return True
    return False


def _seconds(text: str) -> float:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
