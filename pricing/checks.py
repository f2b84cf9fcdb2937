"""Checks: what a row type refuses, in words, all faults of a row at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

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
    return _wrong_numbers(row, names, "be above 0", lambda value: value > 0)


def refuse_unless_not_negative(row: object, *names: str) -> list[str]:
    """Say which of a row's numbers are negative or not finite; None is no fault."""
    return _wrong_numbers(row, names, "not be negative", lambda value: value >= 0)


def _wrong_numbers(row: object, names: Iterable[str], rule: str, is_right: Callable[[float], bool]) -> list[str]:
    values = [(name, getattr(row, name)) for name in names]
    return [
        f"{name} must {rule}, got {value:g}"
        for name, value in values
        if value is not None and not (is_right(value) and math.isfinite(value))
    ]


def refuse_unless_known(row: object, name: str, words: Iterable[str]) -> list[str]:
    """Say when a row's word is none of those that are known."""
    value = getattr(row, name)
    return [] if value in words else [f"{name} must be one of {', '.join(words)}, got {value!r}"]


def refuse_unless_country(value: str | None) -> list[str]:
    """Say when a country is no ISO 3166-1 alpha-2 code; None is no fault."""
    if value is None or (len(value) == 2 and value.isalpha() and value.isupper()):
        return []
    return [f"country must be two capital letters (ISO 3166-1 alpha-2), got {value!r}"]


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
