"""History: what one offer has cost over time, as other people wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from pricing.facts.offers import Offer, PurchaseOption
from pricing.tables import read_facts, refuse_faults, refuse_unless_above_zero


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePoint:
    """What an offer cost on one day.

    Attributes
    ----------
    provider, instance_type, region : str
        The provider's own names, as in `pricing.facts.offers.Offer`.
    purchase_option : PurchaseOption
        How it is paid for.
    observed_on : date
        The day for which the price is known to have held.
    price_usd_per_hour : float
        Effective price of the whole instance per hour.
    source : str
        Who says so.
    """

    provider: str
    instance_type: str
    region: str
    purchase_option: PurchaseOption
    observed_on: date
    price_usd_per_hour: float
    source: str

    def __post_init__(self) -> None:
        refuse_faults(refuse_unless_above_zero(self, "price_usd_per_hour"))


Key = tuple[str, str, str, PurchaseOption]


@cache
def price_history() -> Mapping[Key, tuple[PricePoint, ...]]:
    """Return the bundled price points by (provider, instance type, region, purchase option), oldest first."""
    by_offer: dict[Key, list[PricePoint]] = {}
    for row in read_facts(PricePoint, "price_history.csv"):
        by_offer.setdefault((row.provider, row.instance_type, row.region, row.purchase_option), []).append(row)
    return MappingProxyType(
        {key: tuple(sorted(rows, key=lambda row: row.observed_on)) for key, rows in by_offer.items()}
    )


def points(offer: Offer) -> tuple[PricePoint, ...]:
    """Return the bundled price points of one offer, oldest first; empty where none was written down."""
    return price_history().get((offer.provider, offer.instance_type, offer.region, offer.purchase_option), ())
