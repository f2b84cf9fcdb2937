"""The catalog that a command answers from, with what has to be said of its age."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, Final

from planner.commands.options import PriceSource
from pricing.accelerators import resolve_all
from pricing.catalog import Catalog
from pricing.console import Talk
from pricing.errors import PricingError
from pricing.latest import load
from pricing.offers import Offer

_SORT: Final = attrgetter(
    *("provider", "instance_type", "purchase_option", "term_months", "observed_on", "flags", "launchable"),
    *("accelerator", "accelerator_stated", "accelerator_count", "accelerator_memory_gb"),
)
"""What filters and orders of offers look at, but for the price and the place."""


def catalog_of(prices: PriceSource, talk: Talk, place_of: Callable[[str, str], str] | None = None) -> Catalog:
    """Return the catalog of a day; what weakens it (its age, its gaps) is said on standard error."""
    catalog = load(prices.store_uri, prices.as_of, max_age_days=prices.max_age_days, place_of=place_of)
    _say(catalog, talk)
    return catalog


def selected(prices: PriceSource, talk: Talk, accelerators: Sequence[str], **filters: Any) -> Catalog:
    """Return the offers that meet filters (`Catalog.select`).

    Of a store the accelerators' offers alone are read, and the others only where nothing is left, to tell why.
    """
    names = [row.name for text in accelerators for row in resolve_all(text)]
    if names:
        with suppress(PricingError):
            catalog = load(
                prices.store_uri, prices.as_of, max_age_days=prices.max_age_days, filters={"accelerator": names}
            )
            matching = catalog.select(accelerators=accelerators, **filters)
            if matching.offers:
                _say(catalog, talk)
                return matching
    return catalog_of(prices, talk).select(accelerators=accelerators, **filters)


def first_of(
    prices: PriceSource, talk: Talk, order: Callable[[Offer], Any], limit: int, **filters: Any
) -> tuple[Catalog, list[Offer]]:
    """Return the offers that meet filters other than a price, alike ones once, and the first of all of them in an order.

    Of a large store the cheapest of alike offers are read, and then all that are like the first of these: an order tells alike
    offers apart by their prices alone.
    """
    from planner.demand.workload import Constraints
    from planner.supply.candidates import places_told_apart

    place_of = places_told_apart([Constraints(regions=filters["regions"], countries=filters["countries"])])
    catalog = catalog_of(prices, talk, place_of).select(**filters)
    first = sorted(catalog.offers, key=order)[:limit]
    if not catalog.stands_for:
        return catalog, first

    def sort_of(offer: Offer) -> tuple[Any, ...]:
        return (*_SORT(offer), place_of(offer.provider, offer.region))

    wanted = {sort_of(offer) for offer in first}
    columns = {name: sorted({str(getattr(offer, name)) for offer in first}) for name in ("provider", "instance_type")}
    alike = load(prices.store_uri, prices.as_of, max_age_days=prices.max_age_days, filters=columns)
    return catalog, sorted((offer for offer in alike.offers if sort_of(offer) in wanted), key=order)[:limit]


def _say(catalog: Catalog, talk: Talk) -> None:
    for note in catalog.notes:
        talk.say(f"note: {note}")
    for dropped in catalog.dropped:
        talk.say(f"note: left out: {dropped.count:,} {dropped.reason}")
