"""Credits: what a provider's bill is paid from first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from planner.costs.inputs import RentInputs
from planner.demand.have import Credit
from planner.notes import Note, NoteCode
from pricing.clock import HOURS_PER_MONTH

DAYS_PER_MONTH = 365.25 / 12
LEAST_LOST_USD = 1.0


def months_until(day: date, today: date) -> float:
    """Return the months up to the end of a day; 0 for one that is past."""
    return max(((day - today).days + 1) / DAYS_PER_MONTH, 0.0)


def with_credits(rent: RentInputs, provider: str, stated: Sequence[Credit], today: date) -> RentInputs:
    """Return the book of a rent that is paid from credits first: of several with one provider, the one that expires first.

    What the planned bill leaves of a credit when it expires is lost; what is used of all of them pays without a gap, until
    it is spent or the last one expires.
    """
    uses = list(_uses(rent, provider, stated, today))
    if not uses:
        return rent
    *earlier, (last, months, _) = uses
    return replace(rent, credit_usd=sum(used for *_, used in earlier) + last.usd, credit_months=months)


def lost_credits(
    rent: RentInputs, provider: str, stated: Sequence[Credit], today: date, *, months: int
) -> Iterator[Note]:
    """Yield what the bill leaves of credits that expire within the horizon; what a run leaves may pay for other work."""
    for credit, until, used_usd in (
        () if rent.run_hours or rent.paid_in_advance else _uses(rent, provider, stated, today)
    ):
        if until < months and credit.usd - used_usd >= LEAST_LOST_USD:
            yield Note(NoteCode.CREDIT_LOST, (credit.usd - used_usd, credit.usd, provider, credit.expires.isoformat()))


def _uses(
    rent: RentInputs, provider: str, stated: Sequence[Credit], today: date
) -> Iterator[tuple[Credit, float, float]]:
    """Yield the credits with a provider in the order in which they expire: the months until then, and what is used of it."""
    paid_usd = 0.0
    for credit in sorted(stated, key=lambda credit: (credit.expires, credit.usd)):
        months = months_until(credit.expires, today)
        if credit.provider == provider and months:
            used_usd = min(credit.usd, max(_bill_usd(rent, months) - paid_usd, 0.0))
            paid_usd += used_usd
            yield credit, months, used_usd


def _bill_usd(rent: RentInputs, months: float) -> float:
    """Return the bill of so many months from now."""
    hours = HOURS_PER_MONTH if rent.term_months or rent.run_hours else rent.hours_per_month
    if rent.run_hours and not rent.term_months:
        months = min(months, rent.run_hours / HOURS_PER_MONTH)
    first = min(months, rent.first_months)
    usd_per_hour = rent.first_usd_per_hour * first + rent.price_usd_per_hour * (months - first)
    return usd_per_hour * rent.instance_count * hours * rent.overhead_ratio
