"""What the price commands show: each a pure function to text."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from pricing.commands.console import Output
from pricing.plain_text import shortened
from pricing.providers.contract import RefusedRow
from pricing.refresh.run import RefreshSummary, SourceSummary
from pricing.store.parts import PartStatus
from pricing.store.read import Change, PriceAt
from pricing.store.write import PartResult

Row = dict[str, Any]

MOST_CAUSES_SHOWN = 3
"""Of what was refused, without ``--verbose``."""


def _shown(rows: Sequence[Row], columns: Sequence[str], output: Output, key: str, **around: Any) -> str:
    match output.format:
        case "json":
            return json.dumps({"schema_version": 1, **around, key: rows}, indent=2, default=_plain, ensure_ascii=False)
        case "csv":
            buffer = io.StringIO()
            writer = csv.DictWriter(buffer, columns, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
            return buffer.getvalue()
        case _:
            return _table(rows, columns, output)


def _cell(value: object) -> object:
    """Return a cell that a spreadsheet does not take for a formula."""
    text = _plain(value) if isinstance(value, date) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _plain(value: object) -> str:
    return value.isoformat(timespec="milliseconds") + "Z" if isinstance(value, datetime) else str(value)


def _table(rows: Sequence[Row], columns: Sequence[str], output: Output) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        is_number = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(
            _heading(name),
            justify="right" if is_number else "left",
            vertical="bottom",
            overflow="fold",
            no_wrap=name in {"provider", "source"},
        )
    for row in rows:
        table.add_row(*(Text(_text(row.get(name))) for name in columns))
    buffer = io.StringIO()
    output.table_console(buffer).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _heading(name: str) -> str:
    r"""Return a column's heading, its unit on a line of its own.

    Examples
    --------
    >>> _heading("age_days"), _heading("last_asked")
    ('age\ndays', 'last asked')
    """
    what, _, unit = name.rpartition("_")
    return f"{what.replace('_', ' ')}\n{unit}" if unit in {"days", "s"} else name.replace("_", " ")


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.2f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M")
    return str(value)


def _source_row(source: SourceSummary) -> Row:
    return {
        "source": source.provider,
        "status": source.status,
        "rows": source.total("row_count"),
        "new": source.total("new_count"),
        "changed": source.total("changed_count"),
        "gone": source.total("gone_count"),
        "held_back": source.total("held_count"),
        "refused": len(source.refused),
        "duration_s": round(source.duration_s, 1),
    }


def refresh_table(summary: RefreshSummary, output: Output, *, is_verbose: bool = False) -> str:
    """Show a refresh: a line for each source, then what went wrong and what waits."""
    rows = [_source_row(source) for source in summary.sources]
    lines = [_table(rows, list(rows[0]) if rows else ["source"], output), "", *refresh_warnings(summary)]
    for source in summary.sources:
        answers = [part.answer for part in source.parts if part.answer.status != "ok"]
        if is_verbose:
            lines += [f"{source.provider} {answer.part}: {answer.status}: {answer.message}" for answer in answers]
        else:
            lines += grouped_faults(
                (source.provider, answer.part, answer.status, answer.reason, answer.message) for answer in answers
            )
        for part in source.parts:
            for identity, kept, held in part.held:
                change = f"{held / kept - 1:+.0%}"
                lines.append(
                    f"{source.provider}: {identity} moved {change} ({kept:g} to {held:g}): held back until the next refresh says it too"
                )
        lines += _refused_lines(source, is_verbose=is_verbose)
    return "\n".join(lines).rstrip()


def _refused_lines(source: SourceSummary, *, is_verbose: bool) -> list[str]:
    """Return a line for each refused row; in short, one for each of the first causes, with how many rows it spoils."""
    by_cause: dict[str, list[RefusedRow]] = defaultdict(list)
    for number, row in enumerate(source.refused):
        by_cause[f"row {number}" if is_verbose else row.cause or row.identity].append(row)
    shown = list(by_cause.values())[: None if is_verbose else MOST_CAUSES_SHOWN]
    lines = []
    for first, *others in shown:
        more = f" and {len(others)} more" if others else ""
        lines.append(f"{source.provider}: refused {first.identity}{more}: {first.message}")
    left = len(source.refused) - sum(len(rows) for rows in shown)
    return [*lines, f"{source.provider}: {left} more refused (--verbose shows them)"] if left else lines


def refresh_warnings(summary: RefreshSummary) -> list[str]:
    """Return the odd rows that were accepted: they are shown with the failures and count in the exit status."""
    lines = [f"{source.provider} {line}" for source in summary.sources for line in source.warnings]
    return [f"warning: {line}" for line in (*summary.warnings, *lines)]


def refresh_record(summary: RefreshSummary, store: str) -> str:
    """Return a refresh as JSON."""
    sources = [
        _source_row(source)
        | {
            "parts": [
                {
                    **{name: value for name, value in asdict(part.answer).items() if name != "row_count"},
                    **{name: getattr(part, name) for name in ("row_count", "new_count", "changed_count", "gone_count")},
                    "held": [
                        {"identity": identity, "kept_usd_per_hour": kept, "held_usd_per_hour": held}
                        for identity, kept, held in part.held
                    ],
                }
                for part in source.parts
            ],
            "refused_rows": [asdict(row) for row in source.refused],
        }
        for source in summary.sources
    ]
    record = {
        "schema_version": 1,
        "store": store,
        "asked_at": _plain(summary.asked_at),
        "duration_s": round(summary.duration_s, 2),
        "exit_status": summary.exit_status,
        "warnings": refresh_warnings(summary),
        "sources": sources,
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def import_lines(results: Sequence[PartResult]) -> list[str]:
    """Return what became of a file's rows: every row is counted once, and what did not take effect is told with its reason."""

    def total(name: str) -> int:
        return sum(getattr(part, name) for part in results)

    rows, new, changed, kept, repeated = (
        total(name) for name in ("row_count", "new_count", "changed_count", "older_count", "known_count")
    )
    same = rows - new - changed - kept - repeated
    counted = [
        f"{rows} offers read: {new} new",
        f"{changed} with another price from now on",
        f"{same} as they were",
        f"{kept} older than what the store knows and kept as history",
        f"{repeated} older and known already",
    ]
    lines = [", ".join(counted)]
    since = max((part.newest_at for part in results if part.newest_at), default=None)
    if since is None:
        return lines
    if outdated := total("outdated_count"):
        lines.append(
            f"{outdated} of the older ones differ from today's price, which still holds: the store has seen it since"
            f" (last on {since:%Y-%m-%d}). If the file's prices hold now, import them with --now"
        )
    if unlisted := total("unlisted_count"):
        lines.append(
            f"{unlisted} of the older ones are of offers that the answers since (last on {since:%Y-%m-%d}) no longer tell: they stay"
            " history. If they can be had now, import them with --now"
        )
    return lines


def status_view(
    statuses: Sequence[PartStatus], now: datetime, store: str, output: Output, *, is_verbose: bool = False
) -> str:
    """Show how old prices are and how each source last answered: a line for each provider, or for each part."""
    rows: list[Row] = []
    for status in statuses:
        age = status.age_days(now)
        rows.append(
            {
                "provider": status.provider,
                "part": status.part,
                "status": status.status,
                "rows": status.row_count,
                "age_days": None if age is None else round(age, 2),
                "last_good": status.landed_at,
                "last_asked": status.asked_at,
                "reason": status.reason,
                "message": status.message,
            }
        )
    if output.format == "table" and not is_verbose:
        return _status_summary(rows, output)
    columns = ["provider", "part", "status", "rows", "age_days", "last_good", "last_asked", "message"]
    return _shown(rows, columns, output, "parts", store=store)


def _status_summary(rows: Sequence[Row], output: Output) -> str:
    """Return a line for each provider, then one for each way in which parts of it failed."""
    by_provider: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_provider[row["provider"]].append(row)
    summaries: list[Row] = []
    for provider, parts in by_provider.items():
        counts = Counter(part["status"] for part in parts)
        ages = [part["age_days"] for part in parts if part["rows"] and part["age_days"] is not None]
        summaries.append(
            {
                "provider": provider,
                "parts": len(parts),
                "failed": counts["failed"],
                "skipped": counts["skipped"],
                "rows": sum(part["rows"] for part in parts),
                "oldest_days": round(max(ages), 1) if ages else None,
                "newest_days": round(min(ages), 1) if ages else None,
                "last_asked": max(part["last_asked"] for part in parts).date(),
            }
        )
    odd = [
        (row["provider"], row["part"], row["status"], row["reason"], row["message"])
        for row in rows
        if row["status"] != "ok"
    ]
    columns = ["provider", "parts", "failed", "skipped", "rows", "oldest_days", "newest_days", "last_asked"]
    lines = [_table(summaries, columns, output), "", *grouped_faults(odd, most=MOST_FAULTS_SHOWN)]
    return "\n".join([*lines, "--verbose shows every part"]).strip()


MOST_FAULTS_SHOWN = 10
MOST_PARTS_NAMED = 3


def grouped_faults(odd: Iterable[tuple[str, str, str, str, str]], most: int | None = None) -> list[str]:
    """Return a line for each provider, status and reason, with the first message and the parts that it is of.

    Parameters
    ----------
    odd : iterable of (provider, part, status, reason, message)
        What did not answer as it should.
    most : int, optional
        Lines at most; all without it.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for provider, part, status, reason, message in odd:
        groups[provider, status, reason].append((part, message))
    lines = []
    for (provider, status, _), faults in groups.items():
        names = ", ".join(part for part, _ in faults[:MOST_PARTS_NAMED])
        more = f" and {len(faults) - MOST_PARTS_NAMED} more" if len(faults) > MOST_PARTS_NAMED else ""
        lines.append(f"{provider} {names}{more}: {status}: {faults[0][1]}")
    return lines if most is None else shortened(lines, most, "and {} more (--verbose shows them)")


def history_view(prices: Sequence[PriceAt], output: Output) -> str:
    """Show prices over time."""
    rows: list[Row] = [
        {
            "offer": price.identity,
            "from": price.seen_at,
            "price_usd_per_hour": price.price_usd_per_hour,
            "basis": price.basis,
        }
        for price in prices
    ]
    return _shown(rows, ["offer", "from", "price_usd_per_hour", "basis"], output, "prices")


def diff_view(changes: Sequence[Change], output: Output) -> str:
    """Show what changed, the largest moves first; new and gone offers after them."""
    rows: list[Row] = [
        {
            "provider": change.provider,
            "instance_type": change.instance_type,
            "place": change.region,
            "purchase_option": change.purchase_option,
            "before_usd_per_hour": change.before_usd_per_hour,
            "after_usd_per_hour": change.after_usd_per_hour,
            "change_share": None if change.change_share is None else round(change.change_share, 4),
            "what": change.what,
            "offer": change.identity,
        }
        for change in sorted(
            changes, key=lambda change: (change.change_share is None, -abs(change.change_share or 0.0), change.identity)
        )
    ]
    return _shown(rows, list(rows[0])[:-1] if rows else ["provider", "instance_type"], output, "changes")
