"""Values as JSON has them, and rows of them as CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


SCHEMA_VERSION = 1
Record = dict[str, Any]
PLAIN = {str, int, bool, type(None)}


def plain(value: Any) -> Any:  # noqa: ANN401  any value in, JSON's own types out
    """Return a value in JSON's own types: dates as ISO text, enums as their value, no NaN, no numpy."""
    kind = type(value)
    if kind in PLAIN:  # most values are these; a match tries its cases one by one
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {str(key): plain(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [plain(item) for item in value]
    if (names := getattr(kind, "__dataclass_fields__", None)) is not None:
        return {name: plain(getattr(value, name)) for name in names}
    match value:
        case None | bool() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return value.value
        case date():
            return value.isoformat()
        case int():
            return int(value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _ if hasattr(
            value, "tolist"
        ):  # numpy's scalars and arrays, without importing numpy for commands that need none
            return plain(value.tolist())
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as dotted names.

    Examples
    --------
    >>> flat({"own": {"pue_ratio": 1.2, "life_months": 48}, "title": "a"})
    {'own.pue_ratio': 1.2, 'own.life_months': 48, 'title': 'a'}
    """
    by_name: dict[str, Any] = {}
    for key, value in content.items():
        by_name |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return by_name


def json_text(record: Mapping[str, Any]) -> str:
    """Return a record as JSON text, indented, keys in their own order."""
    return json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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


def options_csv(*records: PlanRecord) -> str:
    """Return the options of a plan, unrounded, one a row; of several plans with the number and title of each in front."""
    several = ("plan", "work") if len(records) > 1 else ()
    rows = [
        {**option, **option["cost"], **(option["performance"] or {}), "plan": number, "work": record["title"]}
        for number, record in enumerate(records, 1)
        for option in record["options"]
    ]
    return csv_text((*several, *OPTION_COLUMNS), rows)
