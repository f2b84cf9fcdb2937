"""Checks: what a row type refuses, in words, all faults of a row at once."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pricing.errors import PricingError

__all__ = ["refuse_faults", "refuse_unless_above_zero", "refuse_unless_known", "refuse_unless_not_negative"]


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


def refuse_faults(faults: list[str]) -> None:
    """Raise one error with all faults of a row, or nothing.

    Raises
    ------
    PricingError
        When there is a fault.
    """
    if faults:
        raise PricingError("; ".join(faults))
