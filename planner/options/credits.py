"""Credits: what a provider's bill is paid from first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from planner.costs.inputs import RentInputs
from planner.demand.have import Credit

__all__ = ["months_until", "with_credits"]

DAYS_PER_MONTH = 365.25 / 12


def months_until(day: date, today: date) -> float:
    """Return the months up to the end of a day; 0 for one that is past."""
    return max(((day - today).days + 1) / DAYS_PER_MONTH, 0.0)


def with_credits(book: RentInputs, provider: str, stated: Sequence[Credit], today: date) -> RentInputs:
    """Return the book of a rent that is paid from a credit first; several with one provider are used as one."""
    mine = [(credit.usd, months_until(credit.expires, today)) for credit in stated if credit.provider == provider]
    usable = [(usd, months) for usd, months in mine if months]
    if not usable:
        return book
    return replace(book, credit_usd=sum(usd for usd, _ in usable), credit_months=min(months for _, months in usable))
