"""Rate cards: price lists that a person typed, one CSV file a card, dropped into a folder.

A card has the columns of an offer; only those without a default have to be there: ``provider``, ``instance_type``, ``region``,
``purchase_option``, ``price_usd_per_hour``, ``source``, ``observed_on`` (the day on which the list was read). A catalog that gpuhunt or
SkyPilot publishes is a card too, where its name says whose and of which day it is (``nebius@2026-10-01.csv``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from pricing.clock import utc_now
from pricing.errors import PricingError
from pricing.facts.instances import named
from pricing.facts.offers import Offer
from pricing.providers.catalogs import file_rows, is_catalog
from pricing.providers.contract import Fetched, Normalized, PartFault, Provider, RawPage, Request
from pricing.tables import read_rows, read_text

VERSION: Final = "rate_card-1"


def fetch(request: Request) -> Iterator[Fetched]:
    """Read the files of the folders; a folder that is not there holds no card."""
    for folder in request.rate_cards:
        for path in sorted(folder.glob("*.csv")) if folder.is_dir() else ():
            part = f"card/{path.stem}"
            try:
                text = read_text(path)
            except PricingError as error:
                yield PartFault(part=part, reason="unreadable", message=str(error))
                continue
            yield RawPage(part=part, kind="card", body=text, url=str(path), fetched_at=utc_now())


def normalize(pages: Iterable[RawPage]) -> Iterator[Normalized]:
    """Read cards into offers; a card with a fault in any line is refused whole, with all faults told."""
    for page in pages:
        try:
            rows = list(_rows(page))
        except PricingError as error:
            yield PartFault(part=page.part, reason="shape", message=str(error))
            continue
        yield from rows


def _rows(page: RawPage) -> Iterable[Normalized]:
    if is_catalog(page.body):
        return file_rows(Path(page.url), page.body, page.part)
    rows = read_rows(Offer, page.body, where=page.url)
    return (replace(named(row), part=page.part, adapter_version=VERSION) for row in rows)


PROVIDER = Provider(
    name="rate_card",
    version=VERSION,
    fetch=fetch,
    normalize=normalize,
    endpoints={},
    needs="CSV files in the rate card folder",
)
