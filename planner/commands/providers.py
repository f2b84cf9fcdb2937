"""``gpuplan providers``: who is in the catalog, how far each can be relied on, and how old its prices are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from planner.commands.options import PriceSource, names_option, store_options
from planner.commands.prices import catalog_of
from planner.commands.tables import show_rows
from planner.errors import NothingFitsError
from planner.report.table import Table, table_of
from pricing.catalog import Catalog, names_among
from pricing.console import Output, Talk, common_options, output_options
from pricing.offers import Offer
from pricing.regions import countries_named
from pricing.sellers import KINDS, TIERS, Seller, seller_of, sellers, tier_of


@click.command()
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice(list(TIERS), case_sensitive=False),
    help="Only sellers of this tier.",
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Only sellers of this kind.")
@names_option("--provider", "providers", "Only this provider.")
@names_option("--country", "countries", "Only sellers with headquarters in this country (DE) or group (EU).")
@click.option("--all", "with_unpriced", is_flag=True, help="Also list sellers without a known price.")
@store_options
@output_options("table", "json", "csv", "md")
@common_options
def providers(
    tiers: tuple[str, ...],
    kinds: tuple[str, ...],
    providers: tuple[str, ...],
    countries: tuple[str, ...],
    prices: PriceSource,
    *,
    with_unpriced: bool,
    output: Output,
    talk: Talk,
) -> None:
    """List sellers: kind, headquarters, tier and why, rating, age of prices and how they are updated."""
    from planner.supply.candidates import places_told_apart

    offers_of: dict[str, list[Offer]] = defaultdict(list)
    catalog = catalog_of(prices, talk, places_told_apart([]))
    for offer in catalog.offers:
        offers_of[offer.provider].append(offer)
    every = {*sellers(), *offers_of}
    shown = names_among("provider", providers, every) if providers else every if with_unpriced else set(offers_of)
    lands = countries_named(countries)
    day = prices.day
    rows = [
        row
        for row in (_record(name, offers_of[name], catalog, day) for name in sorted(shown))
        if (not tiers or row["tier"] in tiers)
        and (not kinds or row["kind"] in kinds)
        and (not countries or row["country"] in lands)
    ]
    if not rows:
        raise NothingFitsError("no seller matches", hint="leave out one of the options, or add --all")
    rows.sort(key=lambda row: (row["tier"], row["provider"]))
    show_rows(output, rows, "providers", [_table(rows)])


def _record(name: str, offers: list[Offer], catalog: Catalog, day: date) -> dict[str, Any]:
    seller = seller_of(name) or Seller(provider=name, source="", observed_on=day)
    tier, reason = tier_of(name)
    facts = {key: value for key, value in asdict(seller).items() if key not in {"provider", "source", "observed_on"}}
    days = sorted(offer.observed_on for offer in offers for _ in range(catalog.count([offer])))
    return {
        "provider": name,
        "tier": tier,
        "tier_reason": reason,
        **facts,
        "offer_count": len(days),
        "oldest_price_on": days[0] if days else None,
        "newest_price_on": days[-1] if days else None,
        "median_price_age_days": (day - days[len(days) // 2]).days if days else None,
        "renewed_by": _renewed_by(name, offers),
        "source": seller.source,
        "observed_on": seller.observed_on if seller.source else None,
    }


def _renewed_by(name: str, offers: list[Offer]) -> str:
    """Return what brings new prices: an adapter, a rate card or an import that brought these, a release, or nothing."""
    from pricing.providers import PROVIDERS

    readers = {offer.adapter_version.partition("-")[0] for offer in offers}
    if name in PROVIDERS or readers - {"", "rate_card", "import"}:
        return "adapter"
    return next((reader for reader in ("rate_card", "import") if reader in readers), "release" if offers else "none")


def _table(rows: list[dict[str, Any]]) -> Table:
    return table_of(
        "",
        rows,
        {
            "provider": lambda row: row["provider"],
            "tier": lambda row: row["tier"],
            "kind": lambda row: row["kind"] or "-",
            "country": lambda row: row["country"] or "-",
            "offers:": lambda row: f"{row['offer_count']:,}",
            "age [days]:": lambda row: (
                "-" if row["median_price_age_days"] is None else str(row["median_price_age_days"])
            ),
            "updated by": lambda row: row["renewed_by"].replace("_", " "),
            "why this tier": lambda row: row["tier_reason"],
        },
        "age: of the median price; updated by: an adapter (`gpuplan prices refresh`), your rate card, or only a new release; "
        "country: of the headquarters, not of the machines; ratings and sources with -f json",
        leaving=("country", "offers", "kind"),
        whole=("provider", "kind", "country"),
    )
