"""The newest catalog there is: the store's, filled up from the bundled facts, with what should be said of its age."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from pricing.catalog import Catalog, FunnelStep, load_bundled
from pricing.clock import utc_now
from pricing.errors import NoPricesError
from pricing.facts.offers import Offer, identity_of
from pricing.facts.price_history import points
from pricing.plain_text import shortened
from pricing.providers import PROVIDERS, load_provider
from pricing.store.database import open_store
from pricing.store.parts import PartStatus

MOST_TOLD: Final = 5
"""Parts that are told to be too old, each in a note of its own."""

ONE_DAY: Final = timedelta(days=1)
"""Somewhere it is tomorrow already."""


LIST_PRICE_DAYS: Final = 30.0
SPOT_DAYS: Final = 2.0
"""A spot price of two days ago is no price any more."""
TOLD: Final = 5
"""Parts that one line names."""


def by_region(_provider: str, region: str) -> str:
    """Tell places apart by their regions: of the zones of one that are alike the cheapest stands for all."""
    return region


def load(
    store_uri: str | None = None,
    as_of: date | None = None,
    *,
    max_age_days: float | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    place_of: Callable[[str, str], str] | None = None,
) -> Catalog:
    """Return all offers that are known now, or were known at the end of a day; ``notes`` says what weakens them.

    Offers of parts that have not answered yet come from the bundled facts, with the dates of those; what a file or a rate card
    brings replaces the same offers alone.

    Parameters
    ----------
    store_uri : str, optional
        The user's own store by default; one that is named has to be there.
    as_of : date, optional
        A day (UTC).
    max_age_days : float, optional
        Refuse to answer from older prices.
    filters : mapping, optional
        Column (``provider``, ``region``, ``accelerator`` ...) to allowed values, for the store's part; the funnel counts the
        others all the same.
    place_of : callable, optional
        Provider and region to what the caller tells apart of a place (the region, its country, or one word for all). Of the
        store's offers that differ in nothing else but their price the cheapest then stands for all (`Catalog.stands_for`): a
        large store is read ten times as fast so.

    Raises
    ------
    NoPricesError
        Where no price was known on that day, or every price is older than `max_age_days`.
    StoreError
        Where the store cannot be read, or a named one is not there.
    """
    bundled = load_bundled()
    engine = open_store(store_uri)
    if store_uri is None and not engine.exists():
        bundled = bundled if as_of is None else bundled.as_of(as_of)
        note = f"no prices gathered yet: the bundled ones are used (newest of {bundled.newest_on}); `gpuplan prices refresh` gathers newer ones"
        return _usable(replace(bundled, notes=(note,)), max_age_days)
    from pricing.store.parts import answered_parts, listed_options, read_statuses
    from pricing.store.read import count_offers, held_identities, read_cheapest, read_offers

    with engine.reading():  # held open, so that each question finds the file open
        stands_for: dict[tuple[Any, ...], int] = {}
        if place_of is None:
            gathered = read_offers(engine, as_of, filters)
        else:
            gathered, stands_for = read_cheapest(engine, place_of, as_of, filters)
        gathered_count = count_offers(engine, as_of) if filters else sum(stands_for.values()) or len(gathered)
        statuses = read_statuses(engine)
        answered = answered_parts(engine, as_of)
        left = _not_answered(bundled.offers, answered, listed_options(engine, answered, as_of))
        held = held_identities(engine, [identity_of(offer) for offer in left], as_of)
    others = replace(bundled, offers=tuple(offer for offer in left if identity_of(offer) not in held))
    others = others if as_of is None else others.as_of(as_of)
    now = utc_now()
    notes = []
    if as_of is None:  # an outage of a large cloud has hundreds of parts
        old = too_old(statuses, now, max_age_days)
        notes = shortened(old, MOST_TOLD, "and {} more parts are too old: gpuplan prices status")
        notes += not_renewed(statuses, now)
    if others.offers:
        notes.append(f"not gathered, from the bundled facts (oldest of {others.oldest_on}): {_named(others, answered)}")
    newest = max((status.landed_at for status in statuses if status.landed_at), default=None)
    snapshot = f"store of {newest:%Y-%m-%d %H:%M} UTC" if newest and as_of is None else f"store as of {as_of}"
    first = (FunnelStep("offers", len(others)),) if filters else ()
    catalog = replace(
        others,
        offers=(*gathered, *others.offers),
        snapshot=snapshot if gathered_count else others.snapshot,
        stands_for=stands_for,
        funnel=tuple(FunnelStep(step.name, step.offer_count + gathered_count) for step in others.funnel or first),
        notes=tuple(notes),
    )
    return _usable(catalog, max_age_days)


def _not_answered(
    bundled: Sequence[Offer], answered: Mapping[str, Collection[str]], listed_options: Collection[tuple[str, str]]
) -> list[Offer]:
    """Return the bundled offers that no part of a source has replaced.

    A source replaces what it tells: a purchase option that it has never told (reservations, mostly) stays bundled.
    """
    part_of = {name: load_provider(name).part_of for name in answered if name in PROVIDERS}

    def is_replaced(offer: Offer) -> bool:
        parts = answered.get(offer.provider)
        if not parts or (offer.provider, offer.purchase_option.value) not in listed_options:
            return False
        find = part_of.get(offer.provider)
        return find is None or find(offer) in parts

    return [offer for offer in bundled if not is_replaced(offer)]


def _named(others: Catalog, answered: Mapping[str, Collection[str]]) -> str:
    """Return the providers that an adapter could ask for the bundled offers, what is meant of those that answered, and how many others."""
    sellers = {offer.provider for offer in others.offers}
    names = []
    for name in sorted(sellers & PROVIDERS.keys()):
        options = {offer.purchase_option.value for offer in others.offers if offer.provider == name}
        names.append(f"{name} in part ({', '.join(sorted(options))})" if name in answered else name)
    if rest := len(sellers - PROVIDERS.keys()):
        names.append(f"{rest} sellers without an adapter (gpuplan providers)")
    return ", ".join(names)


def _usable(catalog: Catalog, max_age_days: float | None) -> Catalog:
    """Return the offers within an age, or refuse where none is left."""
    as_of = catalog.window.last_on
    if not catalog.offers:
        dates = [
            [offer.observed_on, *(point.observed_on for point in points(offer))] for offer in catalog.out_of_window
        ]
        oldest = min((day for days in dates for day in days), default=None)
        raise NoPricesError(
            f"no price is known that was written down by {as_of}" + (f"; the oldest is of {oldest}" if oldest else ""),
            hint="choose a later --as-of; gpuplan prices import brings in older prices",
            where="--as-of",
        )
    today = as_of or utc_now().date()
    if as_of is None and catalog.newest_on and catalog.newest_on > today + ONE_DAY:
        note = f"the newest price is of {catalog.newest_on}, after today ({today}): is the clock of this machine right?"
        catalog = replace(catalog, notes=(*catalog.notes, note))
    if max_age_days is None:
        return catalog
    first_on = today - timedelta(days=min(max_age_days, (today - date.min).days))
    young = catalog.not_before(first_on)
    if not young.offers:
        raise NoPricesError(
            f"every price is older than {max_age_days:g} days; the newest is of {catalog.newest_on}",
            hint="gpuplan prices refresh gathers new ones; a larger --max-age answers from these",
            where=catalog.snapshot,
        )
    return young


def too_old(statuses: Iterable[PartStatus], now: datetime, max_age_days: float | None = None) -> list[str]:
    """Return a line for each part that holds offers and is older than it may be.

    Parameters
    ----------
    statuses : iterable of PartStatus
        As the store tells them.
    now : datetime
        UTC without zone.
    max_age_days : float, optional
        For every part; 30 days, and 2 for spot, without it.
    """
    lines = []
    for status in statuses:
        limit = (
            max_age_days
            if max_age_days is not None
            else SPOT_DAYS
            if status.part.startswith("spot")
            else LIST_PRICE_DAYS
        )
        age = status.age_days(now)
        if status.row_count and age is not None and age > limit:
            why = f"; the last asking failed: {status.message}" if status.status == "failed" else ""
            lines.append(f"{status.provider} {status.part}: prices are {age:.0f} days old (more than {limit:g}){why}")
    return lines


def not_renewed(statuses: Iterable[PartStatus], now: datetime) -> list[str]:
    """Return a line on the parts that answer with kept prices because their last asking failed; none where all went well.

    Parts that are too old have their own lines (`too_old`) and are passed over here.
    """
    kept = [
        status
        for status in statuses
        if status.status == "failed" and status.row_count and status.landed_at and not too_old([status], now)
    ]
    if not kept:
        return []
    listed = ", ".join(
        f"{status.provider} {status.part} (of {status.landed_at:%Y-%m-%d}: {status.message})" for status in kept[:TOLD]
    )
    more = f" and {len(kept) - TOLD} more" if len(kept) > TOLD else ""
    return [
        f"gave no new prices when last asked on {max(status.asked_at for status in kept):%Y-%m-%d}, kept ones answer: {listed}{more}"
    ]
