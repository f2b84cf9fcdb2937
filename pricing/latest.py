"""The newest catalogue there is: the store's, filled up from the bundled facts, with what should be said about its age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from pricing.catalog import Catalog, load_bundled
from pricing.clock import utc_now
from pricing.freshness import not_renewed, too_old
from pricing.store.errors import NoPricesError
from pricing.store.open import default_store, open_store
from pricing.store.reading import end_of_day, read_offers, read_statuses

__all__ = ["load"]


def load(
    store_uri: str | None = None,
    as_of: date | None = None,
    *,
    max_age_days: float | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
) -> Catalog:
    """Return all offers that are known now, or were known at the end of a day; ``notes`` says what weakens them.

    Offers of providers that the store does not hold come from the bundled facts, with the dates of those.

    Parameters
    ----------
    store_uri : str, optional
        The user's own store by default; one that is named has to be there.
    as_of : date, optional
        A day (UTC).
    max_age_days : float, optional
        Refuse to answer from older prices.
    filters : mapping, optional
        Column (``provider``, ``region``, ``accelerator`` ...) to allowed values, for the store's part: a large store is read
        faster so.

    Raises
    ------
    NoPricesError
        Where every price is older than `max_age_days`.
    StoreError
        Where the store cannot be read, or a named one is not there.
    """
    bundled = load_bundled()
    if as_of is not None:
        bundled = bundled.as_of(as_of)
    engine = open_store(store_uri)
    if store_uri is None and not engine.exists():
        note = f"no prices were gathered yet, so the bundled ones answer (up to {bundled.newest_on}); gpuplan prices refresh gathers"
        return _young_enough(replace(bundled, notes=(note,)), as_of, max_age_days)
    gathered = read_offers(engine, as_of, filters)
    statuses = read_statuses(engine)
    held = {offer.provider for offer in gathered} | {
        status.provider for status in statuses if status.row_count and as_of is None
    }
    others = [offer for offer in bundled.offers if offer.provider not in held]
    now = utc_now()
    notes = [] if as_of is not None else [*too_old(statuses, now, max_age_days), *not_renewed(statuses, now)]
    if others:
        names = ", ".join(sorted({offer.provider for offer in others}))
        oldest = min(offer.observed_on for offer in others)
        notes.append(f"not gathered, from the bundled facts (oldest of {oldest}): {names}")
    newest = max((status.landed_at for status in statuses if status.landed_at), default=None)
    snapshot = f"store of {newest:%Y-%m-%d %H:%M} UTC" if newest and as_of is None else f"store as of {as_of}"
    if not gathered:
        snapshot = bundled.snapshot
    catalog = Catalog(offers=(*gathered, *others), snapshot=snapshot, notes=tuple(notes))
    return _young_enough(catalog, as_of, max_age_days)


def _young_enough(catalog: Catalog, as_of: date | None, max_age_days: float | None) -> Catalog:
    """Return the offers within an age, or refuse where none is."""
    if max_age_days is None:
        return catalog
    today = end_of_day(as_of).date() if as_of else utc_now().date()
    young = tuple(offer for offer in catalog.offers if (today - offer.observed_on).days <= max_age_days)
    if not young:
        newest = catalog.newest_on
        raise NoPricesError(
            f"every price is older than {max_age_days:g} days" + (f"; the newest is of {newest}" if newest else ""),
            hint="gpuplan prices refresh gathers new ones; a larger --max-age answers from these",
            where=default_store() if newest is None else catalog.snapshot,
        )
    left = len(catalog.offers) - len(young)
    note = (f"{left} offers older than {max_age_days:g} days are left out",) if left else ()
    return replace(catalog, offers=young, notes=(*catalog.notes, *note))
