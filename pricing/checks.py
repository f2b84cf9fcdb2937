"""Checks: what a row type refuses, in words, all faults of a row at once."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pricing.errors import PricingError
from pricing.plain_text import controls_in


def refuse_unless_above_zero(row: object, *names: str) -> list[str]:
    """Say which of a row's numbers are zero, negative or not finite; None is no fault (it means unknown).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> refuse_unless_above_zero(SimpleNamespace(price_usd_per_hour=0.0), "price_usd_per_hour")
    ['price_usd_per_hour must be above 0, got 0']
    """
    faults = []
    for name in names:
        value = getattr(row, name)
        if value is not None and not (value > 0 and math.isfinite(value)):
            faults.append(f"{name} must be above 0, got {value:g}")
    return faults


def refuse_unless_not_negative(row: object, *names: str) -> list[str]:
    """Say which of a row's numbers are negative or not finite; None is no fault."""
    faults = []
    for name in names:
        value = getattr(row, name)
        if value is not None and not (value >= 0 and math.isfinite(value)):
            faults.append(f"{name} must not be negative, got {value:g}")
    return faults


def refuse_unless_known(row: object, name: str, known: Iterable[str]) -> list[str]:
    """Say when a row's word is none of those that are known."""
    value = getattr(row, name)
    words = tuple(known)
    return [] if value in words else [f"{name} must be one of {', '.join(words)}, got {value!r}"]


def refuse_unless_country(row: object, name: str) -> list[str]:
    """Say when a row's country is no ISO 3166-1 alpha-2 code; None is no fault."""
    value = getattr(row, name)
    if value is None or (len(value) == 2 and value.isalpha() and value.isupper()):
        return []
    return [f"{name} must be two capital letters (ISO 3166-1 alpha-2), got {value!r}"]


def refuse_unless_plain(row: object, *names: str) -> list[str]:
    """Say which of a row's texts hold characters that steer a terminal."""
    return [
        f"{name} holds a control character ({controls_in(text)})"
        for name in names
        if isinstance(text := getattr(row, name), str) and not text.isprintable() and controls_in(text)
    ]


def refuse_faults(faults: list[str]) -> None:
    """Raise one error with all faults of a row, or nothing.

    Raises
    ------
    PricingError
        When there is a fault.
    """
    if faults:
        raise PricingError("; ".join(faults))
