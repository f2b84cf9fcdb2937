"""Values as JSON has them: what every record is written with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any

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
