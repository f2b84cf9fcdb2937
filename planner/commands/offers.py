"""``gpuplan offers``: priced offers, filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from planner.commands.options import Filters, NumberRange, PriceSource, filter_options, store_options, top_option
from pricing.console import Output, Talk, common_options, output_options

if TYPE_CHECKING:
    from planner.report.table import Table
    from pricing.catalog import Catalog
    from pricing.offers import Offer


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
    from planner.commands.prices import first_of, selected
    from planner.commands.tables import show_rows
    from planner.errors import NothingFitsError

    wanted: dict[str, Any] = {
        "min_memory_gib": min_memory_gib, "count": count, "secure": secure, **asdict(filters)
    }  # fmt: skip
    limit = top or (SHOWN if output.format in {"table", "md"} else None)
    if limit is None or gpus or max_usd_per_hour is not None:
        found = selected(prices, talk, gpus, max_usd_per_hour=max_usd_per_hour, **wanted)
        rows = sorted(found.offers, key=SORTS[sort])[:limit]
    else:
        found, rows = first_of(prices, talk, SORTS[sort], limit, **wanted)
    if not found.offers:
        steps = "\n".join(f"  {step.offer_count:>7,}  {step.name}" for step in found.funnel)
        raise NothingFitsError(f"no offer matches\n{steps}", hint="leave out one of the options")
    day = prices.day
    table = _table(rows, len(found), found, day)
    records = [_record(offer, day) for offer in rows]
    answer = {"schema_version": 1, "offers": records, "dropped": found.dropped}
    show_rows(output, records, "offers", [table], answer)


def _record(offer: Offer, day: date) -> dict[str, Any]:
    from dataclasses import fields

    from pricing.offers import offer_id
    from pricing.regions import country_of
    from pricing.sellers import tier_of

    row: dict[str, Any] = {"id": offer_id(offer)}
    row |= {
        each.name: getattr(offer, each.name)
        for each in fields(offer)
        if each.name not in {"price_parts", "price_history", "source_sku_ids", "flags"}
    }
    row["flags"] = " ".join(offer.flags)
    row["country"] = country_of(offer.provider, offer.region)
    row["tier"], row["tier_reason"] = tier_of(offer.provider, shared_host=offer.shared_host)
    row["price_age_days"] = (day - offer.observed_on).days
    row["price_usd_per_gpu_hour"] = offer.accelerators_usd_per_hour
    return row


def _table(shown: list[Offer], total: int, found: Catalog, day: date) -> Table:
    from planner.figures import usd
    from planner.report.table import Table, headings
    from planner.report.wording import dropped_text
    from planner.words import how_paid
    from pricing.sellers import tier_of

    rows = tuple(
        (
            offer.provider,
            tier_of(offer.provider, shared_host=offer.shared_host).letter,
            offer.instance_type,
            _hardware(offer),
            offer.region,
            how_paid(offer.purchase_option),
            usd(offer.price_usd_per_hour),
            usd(offer.price_usd_per_hour / offer.accelerator_count) if offer.accelerator_count else "-",
            offer.observed_on.isoformat(),
            str((day - offer.observed_on).days),
            "; ".join(_remarks(offer)),
        )
        for offer in shown
    )
    return Table(
        "",
        headings(
            "provider | tier | machine | GPUs | region | paid | price [USD/h]: | each GPU [USD/h]: | priced on: | age [days]: | remarks",
            leaving=("remarks", "priced on", "GPUs", "each GPU"),
            whole=("provider", "GPUs", "region"),
        ),
        rows,
        f"{len(shown):,} of {total:,} offers, catalog {found.snapshot}; sources with -f json; tiers: gpuplan providers"
        + (f"; left out: {dropped_text(found.dropped)}" if found.dropped else ""),
    )


def _hardware(offer: Offer) -> str:
    from planner.figures import count

    if not offer.accelerator_count:
        return f"{count(offer.vcpus)} vCPU"
    return f"{count(offer.accelerator_count)} x {offer.accelerator or offer.accelerator_stated + ' (unknown)'}"


def _remarks(offer: Offer) -> list[str]:
    return ["not sold this way"] * (offer.launchable == "no") + [flag.replace("_", " ") for flag in offer.flags]
