"""``gpuplan offers``: priced offers, filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date
from typing import Any

import click

from planner.commands.options import Filters, NumberRange, PriceSource, filter_options, store_options, top_option
from planner.commands.prices import first_of, selected
from planner.commands.tables import show_rows
from planner.errors import NothingFitsError
from planner.figures import count, usd
from planner.report.table import Table, table_of
from planner.report.wording import dropped_text
from planner.words import how_paid
from pricing.catalog import Catalog
from pricing.console import Output, Talk, common_options, output_options
from pricing.offers import Offer, offer_id
from pricing.regions import country_of
from pricing.sellers import tier_of

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
