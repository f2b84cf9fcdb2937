"""The catalogue that a command answers from, with what has to be said of its age."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pricing.catalog import Catalog
from pricing.console import Talk
from pricing.latest import load

__all__ = ["catalog_of"]


def catalog_of(
    store_uri: str | None,
    as_of: datetime | None,
    max_age_days: int | None,
    talk: Talk,
    place_of: Callable[[str, str], str] | None = None,
) -> Catalog:
    """Return the catalogue of a day; what weakens it (its age, its gaps) is said on standard error."""
    catalog = load(store_uri, as_of.date() if as_of else None, max_age_days=max_age_days, place_of=place_of)
    for note in catalog.notes:
        talk.say(f"note: {note}")
    for dropped in catalog.dropped:
        talk.say(f"note: left out: {dropped.count:,} {dropped.reason}")
    return catalog
