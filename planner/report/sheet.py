"""Rows of values as CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planner.report.values import Record, plain

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")

OPTION_COLUMNS = tuple(
    """
    id kind choosable provider region instance_type accelerator accelerator_count instance_count
    accelerators_total_count purchase_option price_usd_per_hour paid_hours_per_month hours_per_run
    utilisation_share present_value_usd total_usd usd_per_month usd_per_useful_gpu_hour usd_per_million_tokens
    usd_per_thousand_images tokens_per_s ttft_ms tpot_ms bound basis priced_on source reason_not_chosen
""".split()
)


def safe_text(value: object) -> object:
    """Return a value as it may stand in a cell: text that would start a formula gets an apostrophe in front.

    Examples
    --------
    >>> safe_text("=cmd|' /C calc'!A0"), safe_text(-3.5), safe_text(None)
    ("'=cmd|' /C calc'!A0", -3.5, '')
    """
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(STARTS_A_FORMULA):
        return f"'{value}"
    return value


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV (RFC 4180, UTF-8) with a heading; keys carry units."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_text(plain(row.get(column))) for column in columns])
    return out.getvalue()


def options_csv(*records: Record) -> str:
    """Return the options of a plan, unrounded, one a row; of several plans with the number and title of each in front."""
    several = ("plan", "work") if len(records) > 1 else ()
    rows = [
        {**option, **option["cost"], **(option["performance"] or {}), "plan": number, "work": record["title"]}
        for number, record in enumerate(records, 1)
        for option in record["options"]
    ]
    return csv_text((*several, *OPTION_COLUMNS), rows)
