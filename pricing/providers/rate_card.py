"""Rate cards: price lists that a person typed, one CSV file a card, dropped into a folder.

A card has the columns of an offer; only those without a default have to be there: ``provider``, ``instance_type``, ``region``,
``purchase_option``, ``price_usd_per_hour``, ``source``, ``observed_on`` (the day on which the list was read).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pricing.clock import utc_now
from pricing.errors import PricingError
from pricing.instances import accelerator_of
from pricing.offers import Offer
from pricing.providers.contract import Fetched, Normalised, PartFault, Provider, RawPage, Request
from pricing.tables import read_rows

__all__ = ["PROVIDER", "fetch", "normalise"]

VERSION: Final = "rate_card-1"


def fetch(request: Request) -> Iterator[Fetched]:
    """Read the files of the folders; a folder that is not there holds no card."""
    for folder in request.rate_cards:
        for path in sorted(folder.glob("*.csv")) if folder.is_dir() else ():
            part = f"card/{path.stem}"
            try:
                text = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                yield PartFault(part=part, reason="unreadable", message=f"{path}: {error}")
                continue
            yield RawPage(part=part, kind="card", body=text, url=str(path), fetched_at=_changed_at(path))


def _changed_at(path: Path) -> datetime:
    return min(utc_now(), datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None))


def normalise(pages: Iterable[RawPage]) -> Iterator[Normalised]:
    """Read cards into offers; a card with a fault in any line is refused whole, with all faults told."""
    for page in pages:
        try:
            rows = read_rows(Offer, page.body, where=page.url)
        except PricingError as error:
            yield PartFault(part=page.part, reason="shape", message=str(error))
            continue
        yield from (_named(row, page) for row in rows)


def _named(row: Offer, page: RawPage) -> Offer:
    name, flags = row.accelerator, row.flags
    if name is None and row.accelerator_count:
        name, unsure = accelerator_of(
            row.provider,
            row.instance_type,
            row.accelerator_stated,
            row.accelerator_memory_gb,
            min(row.accelerator_count, 1.0),
        )
        flags = (*flags, *unsure)
    return replace(row, accelerator=name, flags=flags, part=page.part, adapter_version=VERSION)


PROVIDER = Provider(
    name="rate_card",
    version=VERSION,
    fetch=fetch,
    normalise=normalise,
    endpoints={},
    needs="CSV files in the rate card folder",
)
