"""Rates of exchange, as a user gives them for sellers that price in euros."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from pricing.errors import PricingError

RATE_HINT: Final = (
    "--usd-per-eur or GPUPLAN_USD_PER_EUR gives dollars per euro and the day of the rate, for example 1.16@2026-11-20"
)
PLAUSIBLE_USD_PER_EUR: Final = (0.5, 2.0)

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)@(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Rate:
    """What a euro was worth on a day."""

    usd_per_eur: float
    on: date


def read_rate(text: str) -> Rate:
    """Read a rate of exchange and its day.

    Raises
    ------
    PricingError
        Where the text is no rate with its day, or the rate is none that a euro has ever had.

    Examples
    --------
    >>> read_rate("1.16@2026-11-20").usd_per_eur
    1.16
    """
    match = _RATE.fullmatch(text.strip())
    try:
        rate = Rate(float(match[1]), date.fromisoformat(match[2])) if match else None
    except ValueError:
        rate = None
    if rate is None:
        raise PricingError(f"{text[:40]!r} is not an exchange rate with its day", hint=RATE_HINT)
    low, high = PLAUSIBLE_USD_PER_EUR
    if not low <= rate.usd_per_eur <= high:
        raise PricingError(f"{rate.usd_per_eur:g} dollars per euro is outside {low:g} to {high:g}", hint=RATE_HINT)
    return rate
