"""``gpuplan offers`` and ``providers``, and the catalog that a command answers from, with what has to be said of its age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import date
from operator import attrgetter
from typing import Any, Final

import click

from planner.commands.options import (
    Filters,
    NumberRange,
    PriceSource,
    filter_options,
    names_option,
    store_options,
    top_option,
)
from planner.commands.output import show_rows
from planner.errors import NothingFitsError
from planner.report.figures import count, usd
from planner.report.table import Table, table_of
from planner.report.wording import dropped_text
from planner.report.words import how_paid
from pricing.catalog import Catalog, names_among
from pricing.commands.console import Output, Talk, common_options, output_options
from pricing.errors import PricingError
from pricing.facts.accelerators import resolve_all
from pricing.facts.offers import Offer, offer_id
from pricing.facts.regions import countries_named, country_of
from pricing.facts.sellers import KINDS, TIERS, Seller, seller_of, sellers, tier_of
from pricing.loading import load

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
    from planner.supply.candidates import place_key

    place_of = place_key([Constraints(regions=filters["regions"], countries=filters["countries"])])
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


SORTS: dict[str, Callable[[Offer], Any]] = {
    "price": lambda offer: (offer.price_usd_per_hour, -offer.accelerator_count),
    "price_per_gpu": lambda offer: (
        offer.price_usd_per_hour / offer.accelerator_count if offer.accelerator_count else 1e9,
        -offer.accelerator_count,
    ),
    "gpu": lambda offer: offer.accelerator or offer.accelerator_stated,
    "provider": lambda offer: (offer.provider, offer.instance_type),
    "date": lambda offer: offer.observed_on,
}
SHOWN = 40


@click.command()
@click.option("--gpu", "gpus", multiple=True, help="Accelerator by any of its names: h100, A100-80GB, 'RTX 4090'.")
@click.option("--min-memory-gib", type=NumberRange(min=0, min_open=True), help="Least memory of one accelerator.")
@click.option("--count", type=NumberRange(min=0), help="Accelerators in one instance, exactly; 0 for CPU-only.")
@filter_options
@click.option("--max-usd-per-hour", type=NumberRange(min=0, min_open=True), help="Highest price of the instance.")
@click.option("--sort", type=click.Choice(list(SORTS)), default="price", show_default=True, help="Order of the rows.")
@click.option("--secure", is_flag=True, help="Leave out community hosts and marketplaces.")
@store_options
@top_option(f"Rows to show; by default {SHOWN} in a table, all in other formats.")
@output_options("table", "json", "csv", "md")
@common_options
def offers(
    gpus: tuple[str, ...],
    min_memory_gib: float | None,
    count: float | None,
    filters: Filters,
    max_usd_per_hour: float | None,
    sort: str,
    prices: PriceSource,
    top: int | None,
    *,
    secure: bool,
    output: Output,
    talk: Talk,
) -> None:
    """List priced offers, the cheapest first; each price has its date and its source."""
    wanted: dict[str, Any] = {
        "min_memory_gib": min_memory_gib, "count": count, "secure": secure, **asdict(filters)
    }  # fmt: skip
    limit = top or (SHOWN if output.format in {"table", "md"} else None)
    if limit is None or gpus or max_usd_per_hour is not None:
        catalog = selected(prices, talk, gpus, max_usd_per_hour=max_usd_per_hour, **wanted)
        rows = sorted(catalog.offers, key=SORTS[sort])[:limit]
    else:
        catalog, rows = first_of(prices, talk, SORTS[sort], limit, **wanted)
    if not catalog.offers:
        steps = "\n".join(f"  {step.offer_count:>7,}  {step.name}" for step in catalog.funnel)
        raise NothingFitsError(f"no offer matches\n{steps}", hint="leave out one of the options")
    records = [_record(offer, prices.day) for offer in rows]
    answer = {"schema_version": 1, "offers": records, "dropped": catalog.dropped}
    show_rows(output, records, "offers", [_table(rows, len(catalog), catalog, prices.day)], answer)


def _record(offer: Offer, day: date) -> dict[str, Any]:
    left_out = {"price_parts", "price_history", "source_sku_ids", "flags"}
    tier, reason = tier_of(offer.provider, shared_host=offer.shared_host)
    return {
        "id": offer_id(offer),
        **{field.name: getattr(offer, field.name) for field in fields(offer) if field.name not in left_out},
        "flags": " ".join(offer.flags),
        "country": country_of(offer.provider, offer.region),
        "tier": tier,
        "tier_reason": reason,
        "price_age_days": (day - offer.observed_on).days,
        "price_usd_per_gpu_hour": offer.accelerators_usd_per_hour,
    }


def _table(shown: list[Offer], total: int, catalog: Catalog, day: date) -> Table:
    left_out = f"; left out: {dropped_text(catalog.dropped)}" if catalog.dropped else ""
    return table_of(
        "",
        shown,
        {
            "provider": lambda offer: offer.provider,
            "tier": lambda offer: tier_of(offer.provider, shared_host=offer.shared_host).letter,
            "machine": lambda offer: offer.instance_type,
            "GPUs": _hardware,
            "region": lambda offer: offer.region,
            "paid": lambda offer: how_paid(offer.purchase_option),
            "price [USD/h]:": lambda offer: usd(offer.price_usd_per_hour),
            "each GPU [USD/h]:": lambda offer: (
                usd(offer.price_usd_per_hour / offer.accelerator_count) if offer.accelerator_count else "-"
            ),
            "priced on:": lambda offer: offer.observed_on.isoformat(),
            "age [days]:": lambda offer: str((day - offer.observed_on).days),
            "remarks": lambda offer: "; ".join(
                ["not sold this way"] * (offer.launchable == "no") + [flag.replace("_", " ") for flag in offer.flags]
            ),
        },
        f"{len(shown):,} of {total:,} offers, catalog {catalog.snapshot}; sources with -f json; tiers: gpuplan providers{left_out}",
        leaving=("remarks", "priced on", "GPUs", "each GPU"),
        whole=("provider", "GPUs", "region"),
    )


def _hardware(offer: Offer) -> str:
    if not offer.accelerator_count:
        return f"{count(offer.vcpus)} vCPU"
    return f"{count(offer.accelerator_count)} x {offer.accelerator or offer.accelerator_stated + ' (unknown)'}"


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
    from planner.supply.candidates import place_key

    offers_of: dict[str, list[Offer]] = defaultdict(list)
    catalog = catalog_of(prices, talk, place_key([]))
    for offer in catalog.offers:
        offers_of[offer.provider].append(offer)
    every = {*sellers(), *offers_of}
    shown = names_among("provider", providers, every) if providers else every if with_unpriced else set(offers_of)
    lands = countries_named(countries)
    day = prices.day
    rows = [
        row
        for row in (_providers_record(name, offers_of[name], catalog, day) for name in sorted(shown))
        if (not tiers or row["tier"] in tiers)
        and (not kinds or row["kind"] in kinds)
        and (not countries or row["country"] in lands)
    ]
    if not rows:
        raise NothingFitsError("no seller matches", hint="leave out one of the options, or add --all")
    rows.sort(key=lambda row: (row["tier"], row["provider"]))
    show_rows(output, rows, "providers", [_providers_table(rows)])


def _providers_record(name: str, offers: list[Offer], catalog: Catalog, day: date) -> dict[str, Any]:
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


def _providers_table(rows: list[dict[str, Any]]) -> Table:
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
