"""Credits: what a provider's bill is paid from first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from planner.costs.inputs import RentInputs
from planner.demand.have import Credit
from pricing.units import HOURS_PER_MONTH

DAYS_PER_MONTH = 365.25 / 12


def months_until(day: date, today: date) -> float:
    """Return the months up to the end of a day; 0 for one that is past."""
    return max(((day - today).days + 1) / DAYS_PER_MONTH, 0.0)


def with_credits(book: RentInputs, provider: str, stated: Sequence[Credit], today: date) -> RentInputs:
    """Return the book of a rent that is paid from credits first: of several with one provider, the one that expires first.

    What the planned bill leaves of a credit when it expires is lost; what is used of all of them pays without a gap, until
    it is spent or the last one expires.
    """
    mine = [(months_until(credit.expires, today), credit.usd) for credit in stated if credit.provider == provider]
    usable = sorted((months, usd) for months, usd in mine if months)
    if not usable:
        return book
    hours = HOURS_PER_MONTH if book.term_months else book.hours_per_month or min(book.run_hours, HOURS_PER_MONTH)
    bill_usd = book.price_usd_per_hour * book.instance_count * hours * book.overhead_ratio
    used_usd = 0.0
    for months, usd in usable[:-1]:
        # A month that has begun is paid as a whole.
        used_usd += min(usd, max(math.ceil(months) * bill_usd - used_usd, 0.0))
    months, usd = usable[-1]
    return replace(book, credit_usd=used_usd + usd, credit_months=months)
