"""The catalog that a command answers from, with what has to be said of its age."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pricing.accelerators import resolve_all
from pricing.catalog import Catalog
from pricing.console import Talk
from pricing.errors import PricingError
from pricing.latest import load

__all__ = ["catalog_of", "selected"]


def catalog_of(
    store_uri: str | None,
    as_of: datetime | None,
    max_age_days: int | None,
    talk: Talk,
    place_of: Callable[[str, str], str] | None = None,
) -> Catalog:
    """Return the catalog of a day; what weakens it (its age, its gaps) is said on standard error."""
    catalog = load(store_uri, as_of.date() if as_of else None, max_age_days=max_age_days, place_of=place_of)
    _say(catalog, talk)
    return catalog


def selected(
    store_uri: str | None,
    as_of: datetime | None,
    max_age_days: int | None,
    talk: Talk,
    accelerators: Sequence[str],
    **filters: Any,
) -> Catalog:
    """Return the offers that meet filters (`Catalog.select`).

    Of a store the accelerators' offers alone are read, and the others only where nothing is left, to tell why.
    """
    names = [row.name for text in accelerators for row in resolve_all(text)]
    if names:
        day = as_of.date() if as_of else None
        with suppress(PricingError):
            catalog = load(store_uri, day, max_age_days=max_age_days, filters={"accelerator": names})
            found = catalog.select(accelerators=accelerators, **filters)
            if found.offers:
                _say(catalog, talk)
                return found
    return catalog_of(store_uri, as_of, max_age_days, talk).select(accelerators=accelerators, **filters)


def _say(catalog: Catalog, talk: Talk) -> None:
    for note in catalog.notes:
        talk.say(f"note: {note}")
    for dropped in catalog.dropped:
        talk.say(f"note: left out: {dropped.count:,} {dropped.reason}")
