"""``gpuplan prices import`` and ``export``: offers from files into the store, and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pricing.commands.console import Talk, common_options, write_output
from pricing.commands.prices import Day, Filters, filter_options, store_option
from pricing.errors import PricingError
from pricing.plain_text import shortened

if TYPE_CHECKING:
    from pricing.facts.offers import Offer
    from pricing.refresh.gates import Judged


MOST_ROWS_TOLD = 50


@click.command(name="import")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--now", "is_now", is_flag=True,
              help="The prices hold from this moment on, whatever day the file states.")  # fmt: skip
@store_option
@common_options
def import_(source: Path, is_now: bool, store: str | None, talk: Talk) -> int:
    """Import offers from a CSV file, a Parquet file or a folder of them into the store.

    Name a catalog from SkyPilot or gpuhunt after its seller and day: nebius@2026-10-01.csv.

    Each row holds from its observed_on on. What is older than the store's own knowledge of an offer is kept as history and
    leaves today's price alone; this is told, and --now makes the file's prices the ones in force. Every row passes the gates of
    a refresh: one that does not is told and left out (exit status 5); with many of them nothing is read (2).
    """
    from pricing.catalog import load_bundled
    from pricing.clock import utc_now
    from pricing.commands.views import import_lines
    from pricing.providers.catalogs import read_catalog
    from pricing.refresh.gates import Market, judge_table
    from pricing.store.database import open_store
    from pricing.store.exchange import import_offers, read_offer_file
    from pricing.store.read import read_cheapest

    engine = open_store(store)
    gathered = read_cheapest(engine)[0] if engine.exists() else ()
    offers = read_catalog(source) or read_offer_file(source)
    judged = judge_table(offers, Market.of(load_bundled().offers, gathered), today=utc_now().date())
    refused = _refused_lines(offers, judged)
    if refused and (judged.faults or not judged.offers):
        raise PricingError("\n  ".join(refused), hint="correct the table; nothing was read from it", where=str(source))
    results = import_offers(engine, judged.offers, source.stem, is_now=is_now)
    for line in refused:
        talk.warn(f"refused {line}")
    for line in import_lines(results):
        talk.say(line)
    talk.say(f"store: {engine.uri}")
    return 5 if refused else 0


def _refused_lines(offers: Sequence[Offer], judged: Judged) -> list[str]:
    """Return a line for each row of a file that the gates refuse."""
    from pricing.facts.offers import identity_of

    places = {identity_of(offer): number for number, offer in reversed(list(enumerate(offers, 1)))}
    lines = [f"row {places[row.identity]}, {row.identity}: {row.message}" for row in judged.refused]
    return shortened(lines, MOST_ROWS_TOLD, "and {} more rows")


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--as-of", type=Day(), envvar="GPUPLAN_AS_OF", help="As on that day (UTC).")
@filter_options
@store_option
@common_options
def export(target: Path, as_of: date | None, filters: Filters, store: str | None, talk: Talk) -> int:
    """Write a day's offers: a table into TARGET.csv or TARGET.json (-: CSV on standard output), else Parquet into folder TARGET."""
    from pricing.clock import utc_now
    from pricing.store.database import open_store
    from pricing.store.exchange import offers_as_csv, offers_as_json, write_parquet
    from pricing.store.read import read_offers

    offers = read_offers(open_store(store), as_of, filters.by_column())
    if not offers:
        talk.warn("no offer of the store matches; nothing was written")
        return 3
    match target.suffix.lower():
        case _ if str(target) == "-":
            write_output(offers_as_csv(offers))
        case ".csv":
            write_output(offers_as_csv(offers), target)
        case ".json":
            write_output(offers_as_json(offers), target)
        case _:
            write_parquet(offers, target, as_of or utc_now().date())
    talk.say(f"{len(offers)} offers written to {target}")
    return 0
