"""``gpuplan mix``: the cheapest mix of owned, committed, spot and on-demand capacity for an hourly demand curve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.assumptions import Assumptions
from planner.commands.catalog import selected
from planner.commands.options import (
    Filters,
    NumberRange,
    PriceSource,
    Settings,
    assumption_options,
    filter_options,
    horizon_option,
    store_options,
)
from planner.commands.output import show_rows
from planner.report.figures import count, percent, usd
from planner.report.table import Table, headings, table_of
from pricing.catalog import Catalog
from pricing.commands.console import CommandLineError, Output, Talk, common_options, output_options
from pricing.facts.accelerators import resolve_all
from pricing.facts.dates import Dropped

if TYPE_CHECKING:
    from planner.mix.capacity import DemandCurve, Tier
    from planner.mix.cheapest import MixResult
    from planner.mix.request import MixRequest


PROFILES = ("steady", "office_hours", "batch_nights", "bursty")


@click.command()
@click.argument("demand", metavar="DEMAND")
@click.option("--gpu", help="Accelerator whose offers and servers become the tiers: h100-sxm.")
@click.option(
    "--mean-gpus", type=NumberRange(min=0, max=1e9, min_open=True), help="Mean number of GPUs of a named profile."
)
@click.option(
    "--peak-gpus", type=NumberRange(min=0, max=1e9, min_open=True), help="Peak number of GPUs of a named profile."
)
@horizon_option("Months over which an owned server is counted.", default=36)
@click.option(
    "--time-limit",
    type=NumberRange(min=1, max=86_400),
    default=60.0,
    metavar="SECONDS",
    show_default=True,
    help="Stop after this long and report the best mix found, with its gap to the optimum.",
)
@click.option("--secure", is_flag=True, help="Leave out community hosts and marketplaces.")
@filter_options
@assumption_options
@store_options
@output_options("table", "json", "csv", "md")
@common_options
def mix(
    demand: str,
    gpu: str | None,
    mean_gpus: float | None,
    peak_gpus: float | None,
    horizon: int,
    time_limit: float,
    filters: Filters,
    settings: Settings,
    prices: PriceSource,
    *,
    secure: bool,
    output: Output,
    talk: Talk,
) -> None:
    """Find the cheapest mix that serves every hour of DEMAND.

    DEMAND is a CSV file with a line an hour (column gpus), a named profile (steady, office_hours, batch_nights, bursty)
    with --mean-gpus or --peak-gpus, or a YAML file with demand, tiers and limits (`gpuplan schema demand`).
    """
    from planner.mix.cheapest import cheapest_mix

    request = _request(demand, gpu, mean_gpus, peak_gpus)
    curve = request.curve(lambda name: _text_beside(demand, name))
    tiers = request.stated_tiers()
    dropped: tuple[Dropped, ...] = ()
    if not tiers:
        catalog = selected(prices, talk, [request.gpu], secure=secure, launchable=True, **filters.stated())
        tiers = _tiers(catalog, request.gpu, settings.assumptions(), horizon)
        dropped = catalog.dropped
    result = cheapest_mix(curve, tiers, request.stated_limits(), time_limit_s=time_limit)
    record = {**_record(curve, tiers, result), "dropped": dropped}
    show_rows(output, record["tiers"], "tiers", _tables(record), record)


def _request(demand: str, gpu: str | None, mean_gpus: float | None, peak_gpus: float | None) -> MixRequest:
    from planner.inputs.reading import read_document, validated
    from planner.mix.request import MixRequest

    is_csv = demand.lower().endswith(".csv")
    if demand not in PROFILES and not is_csv:
        request = validated(read_document(demand, example="demand"), MixRequest)
        return request.model_copy(update={"gpu": gpu}) if gpu else request
    if not gpu:
        raise CommandLineError(
            "an accelerator is missing: its prices make the tiers", where="--gpu", hint="--gpu h100-sxm"
        )
    if is_csv:
        return MixRequest.model_validate({"demand": {"csv": demand}, "gpu": gpu})
    if (mean_gpus is None) == (peak_gpus is None):
        raise CommandLineError(
            "a profile needs its size", where=demand, hint="say --mean-gpus or --peak-gpus, and not both"
        )
    return MixRequest.model_validate(
        {"demand": {"profile": demand, "mean_gpus": mean_gpus, "peak_gpus": peak_gpus}, "gpu": gpu}
    )


def _text_beside(demand: str, name: str) -> str:
    """Read the file that a request names, beside the request itself."""
    from planner.inputs.reading import read_text

    path = name if demand in {name, "-"} else str(Path(demand).parent / name)
    return read_text(path)[0]


def _tiers(catalog: Catalog, gpu: str, assumptions: Assumptions, horizon: int) -> tuple[Tier, ...]:
    from planner.mix.from_catalog import tiers_of_offers
    from planner.options.servers import ownable_servers

    names = {accelerator.name for accelerator in resolve_all(gpu)}
    servers = ownable_servers(assumptions, catalog.window)
    fitting = [server for server in servers if server.machine.accelerator and server.machine.accelerator.name in names]
    return tiers_of_offers(catalog, fitting, assumptions, months=horizon)


def _record(curve: DemandCurve, tiers: tuple[Tier, ...], result: MixResult) -> dict[str, Any]:
    by_name = {tier.name: tier for tier in tiers}
    alone, alone_usd = min(result.single_tier_usd.items(), key=lambda item: item[1], default=(None, None))
    return {
        "schema_version": 1,
        "total_usd": result.total_usd,
        "tail_usd": result.total_usd,
        "hours": len(curve.units),
        "gpu_hours": float(curve.units.sum()),
        "peak_gpus": float(curve.units.max()),
        "mean_gpus": float(curve.units.mean()),
        "best_single_tier": alone,
        "saving_usd": None if alone_usd is None else alone_usd - result.total_usd,
        "single_tier_usd": result.single_tier_usd,
        "gap_share": result.gap_share,
        "rounded_to_gpus": result.rounded_to_units,
        "tiers": [
            {
                "name": use.name,
                "kind": by_name[use.name].kind,
                "machines": use.machines,
                "gpus": use.machines * by_name[use.name].units_per_machine,
                "gpu_hours": use.unit_hours,
                "idle_gpu_hours": use.idle_unit_hours,
                "fixed_usd": use.fixed_usd,
                "variable_usd": use.variable_usd,
                "fixed_usd_per_machine_hour": by_name[use.name].fixed_usd_per_machine_hour,
                "usd_per_gpu_hour": by_name[use.name].usd_per_unit_hour,
            }
            for use in result.tiers
        ],
    }


def _tables(record: dict[str, Any]) -> list[Table]:
    used = [tier for tier in record["tiers"] if tier["gpu_hours"] > 0 or tier["machines"] > 0]
    title = f"{usd(record['total_usd'])} USD for {count(round(record['gpu_hours']))} GPU-hours over {record['hours']:,} hours"
    if record["best_single_tier"] is not None:
        title += f", {usd(record['saving_usd'])} USD less than {record['best_single_tier']} alone"
    note = f"peak {count(record['peak_gpus'])} GPUs, mean {count(round(record['mean_gpus'], 1))}; before tax"
    if record["gap_share"] > 1e-6:
        note += f"; the optimum may be {percent(record['gap_share'])} lower (--time-limit)"
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "tier": lambda tier: tier["name"],
        "kind": lambda tier: tier["kind"].replace("_", " "),
        "machines:": lambda tier: count(round(tier["machines"], 2)) if tier["machines"] else "by the hour",
        "served [GPU-h]:": lambda tier: count(round(tier["gpu_hours"])),
        "share:": lambda tier: percent(tier["gpu_hours"] / record["gpu_hours"]) if record["gpu_hours"] else "-",
        "idle [GPU-h]:": lambda tier: count(round(tier["idle_gpu_hours"])),
        "cost [USD]:": lambda tier: usd(tier["fixed_usd"] + tier["variable_usd"]),
    }
    alone = sorted(record["single_tier_usd"].items(), key=lambda item: item[1])
    tier_table = Table(
        "Each tier alone", headings("tier | cost [USD]:"), tuple((name, usd(cost)) for name, cost in alone)
    )
    return [table_of(title, used, columns, note), *([tier_table] if alone else [])]
