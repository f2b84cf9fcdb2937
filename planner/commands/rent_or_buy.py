"""``gpuplan breakeven`` and ``server``: rent against buy from stated prices, and one owned server against every rental."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from planner.assumptions import Assumption, Assumptions
from planner.commands.catalog import catalog_of
from planner.commands.options import (
    Filters,
    NumberRange,
    PriceSource,
    Settings,
    assumption_options,
    filter_options,
    horizon_option,
    store_options,
    top_option,
)
from planner.commands.output import assumptions_table, show_rows
from planner.errors import InputError
from planner.report.figures import percent, usd
from planner.report.notes import note_text, note_texts
from planner.report.table import Table, headings, table_of
from planner.report.values import plain
from planner.report.wording import COMPONENTS
from pricing.clock import today
from pricing.commands.console import Output, Talk, common_options, output_options
from pricing.errors import NoPricesError
from pricing.facts.accelerators import resolve
from pricing.facts.dates import EVERY_DAY, Window
from pricing.facts.offers import offer_id
from pricing.facts.sellers import tier_of
from pricing.loading import by_region

if TYPE_CHECKING:
    from planner.options.owned import OwnableServer


@click.command()
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--horizon", type=click.IntRange(1, 600), metavar="MONTHS", envvar="GPUPLAN_HORIZON", help="Months to compare."
)
@click.option(
    "--draws",
    type=click.IntRange(100, 10_000_000),
    default=20_000,
    show_default=True,
    help="Random draws of the values that are stated as ranges.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the random draws."
)
@click.option(
    "--explain",
    is_flag=True,
    help="Also list every value in force, with defaults marked, and the cost of each year item by item.",
)
@click.option("--sobol", is_flag=True, help="Also show how much of the variance each range explains.")
@output_options("table", "json", "csv", "md")
@common_options
def breakeven(
    scenario: str, horizon: int | None, draws: int, seed: int, *, explain: bool, sobol: bool, output: Output, talk: Talk
) -> None:
    """Find from which month, utilization and rent on owning is cheaper, from your own numbers.

    SCENARIO is a YAML or JSON file (see examples/scenario-8x-h100.yaml), or - for standard input.
    """
    from planner.inputs.reading import read_document, validated
    from planner.report.scenario import explained_tables, inputs_in_force, month_rows, scenario_answer, scenario_tables
    from planner.scenario.costs import break_even_of
    from planner.scenario.risk import scenario_record
    from planner.scenario.schema import Scenario

    del talk
    document = read_document(scenario, example="scenario")
    if horizon:
        document.content["horizon_months"] = horizon
    stated = validated(document, Scenario)
    answer = scenario_answer(break_even_of(stated))
    answer["inputs"] = inputs_in_force(stated)
    answer |= scenario_record(stated, draws=draws, seed=seed, with_sobol=sobol)
    tables = [*scenario_tables(answer), *(explained_tables(answer) if explain else ())]
    show_rows(output, month_rows(answer), "months", tables, {"schema_version": 1, **answer})


SHARES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@click.command()
@click.argument("gpu", metavar="GPU[:COUNT]")
@click.option(
    "--rent",
    "rents",
    multiple=True,
    type=NumberRange(min=0, min_open=True),
    metavar="USD",
    help="A rent of your own, USD per GPU-hour; repeatable.",
)
@click.option(
    "--price",
    "price_usd",
    type=NumberRange(min=0, min_open=True),
    metavar="USD",
    help="Your quote for the server, instead of the bundled price.",
)
@horizon_option("Months to compare.", default=36)
@filter_options
@assumption_options
@store_options
@top_option("Rents to show.")
@click.option("--explain", is_flag=True, help="Also list every assumption behind the costs of owning, with its source.")
@output_options("table", "json", "csv", "md")
@common_options
def server(
    gpu: str,
    rents: tuple[float, ...],
    price_usd: float | None,
    horizon: int,
    filters: Filters,
    settings: Settings,
    prices: PriceSource,
    top: int | None,
    *,
    explain: bool,
    output: Output,
    talk: Talk,
) -> None:
    """Compare one server with COUNT GPUs (8 by default) with every rent: where owning wins, and where it does not."""
    import numpy as np

    from planner.costs.owned_against_rents import own_usd_per_gpu_hour, rivals
    from planner.mix.from_catalog import owned_timeline_of
    from planner.options.servers import dropped_prices
    from planner.report.option_words import items_usd

    assumptions = settings.assumptions()
    accelerator, stated = resolve(gpu)
    whole = catalog_of(prices, talk, by_region)
    owned = _server(accelerator.name, round(stated or 8), price_usd, assumptions, whole.window)
    count = owned.machine.accelerator_count
    catalog = whole.select(accelerators=[accelerator.name], launchable=True, **filters.stated())
    named: list[tuple[str, float, date | None, str, str | None]] = [
        (offer_id(offer), offer.price_usd_per_hour / offer.accelerator_count, offer.observed_on, offer.source,
         tier_of(offer.provider, shared_host=offer.shared_host).letter)
        for offer in catalog.offers
        if offer.accelerator_count >= 1 and not offer.term_months
    ]  # fmt: skip
    named += [(f"stated rent of {rent:g}", rent, None, "you", None) for rent in rents]
    if not named and whole.window:
        raise NoPricesError(
            f"no rent of {accelerator.name} within these filters has a price from the days asked for",
            hint="allow older prices (--max-age), ask for another day (--as-of), or state your own (--rent)",
            where=whole.snapshot,
        )
    named.sort(key=lambda row: row[1])
    money = {name: assumptions[f"money.{name}"] for name in ("discount_rate_share_per_year", "hours_per_month")}
    busy = owned_timeline_of(owned, assumptions, months=horizon)
    turns = rivals(busy, [price for _, price, *_ in named], gpu_count=count, **money)
    own = own_usd_per_gpu_hour(busy, gpu_count=count, utilisation_share=np.array(SHARES), **money)
    rows = [
        {
            "rent_id": name,
            "usd_per_gpu_hour": price,
            "utilisation_share": rival.utilisation_share,
            "full_use_month": rival.full_use_month,
            "because": note_text(rival.because),
            "priced_on": priced_on,
            "source": source,
            "seller_tier": tier,
        }
        for (name, price, priced_on, source, tier), rival in zip(named, turns, strict=True)
    ]
    curve = [
        {"utilisation_share": share, "own_usd_per_gpu_hour": float(cost)}
        for share, cost in zip(SHARES, own, strict=True)
    ]
    behind = _behind(assumptions)
    components = items_usd(busy)
    named_server = {name: getattr(owned, name) for name in ("name", "price_usd", "max_kw", "priced_on", "source")}
    record = {
        "schema_version": 1,
        "horizon_months": horizon,
        "server": {**named_server, "notes": note_texts(owned.notes)},
        "components_usd": components,
        "assumptions": behind,
        "curve": curve,
        "rents": rows,
        "dropped": [*catalog.dropped, *dropped_prices(whole.window)],
    }
    shown = _of_sellers(rows) if top is None else rows[:top]
    which = "the cheapest of each tier A or B seller, by payment" if top is None else "the cheapest"
    tables = _tables(owned, plain(curve), plain(shown), f"{len(shown)} of {len(rows)} rents: {which}", horizon)
    tables.insert(1, _made_of(components, count * money["hours_per_month"] * horizon))
    if explain:
        tables.append(assumptions_table("Assumptions", behind))
    show_rows(output, rows, "rents", tables, record)


def _behind(assumptions: Assumptions) -> list[Assumption]:
    """Return the assumptions that the costs of an owned server in colocation are worked out from."""
    from planner.costs.formulas import buy_model, site_names

    names, of_site = buy_model(once=False).names, site_names("colocation")
    wanted = {of_site.get(name, name) for name in names} - {"own.lead_time_months"}
    # It is there at once, so that no rent bridges the time until then.
    return [row for name, row in assumptions.rows.items() if name in wanted and not name.startswith("rent.")]


def _made_of(components: dict[str, float], hours: float) -> Table:
    """Return what a server that is always busy costs, item by item."""
    rows = tuple((COMPONENTS[name], usd(value), f"{value / hours:.3f}") for name, value in components.items())
    whole = sum(components.values())
    return Table(
        "The cost of owning, item by item, always busy",
        headings("item | over the horizon [USD]: | per GPU-hour [USD]:"),
        (*rows, ("all", usd(whole), f"{whole / hours:.3f}")),
        "undiscounted; the costs by use above discount each month's money and hours. --explain lists the assumptions",
    )


def _of_sellers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cheapest rent of each sound seller by each way to pay, and what the user states."""
    from planner.options.price_evidence import DEFAULT_MIN_TIER

    sound = [row for row in rows if (row["seller_tier"] or "") <= DEFAULT_MIN_TIER] or rows
    kinds = [(row["rent_id"].partition("/")[0], row["rent_id"].rpartition("/")[2]) for row in sound]
    return [row for index, row in enumerate(sound) if kinds[index] not in kinds[:index]]


def _server(name: str, count: int, price_usd: float | None, assumptions: Assumptions, window: Window) -> OwnableServer:
    from dataclasses import replace

    from planner.options.servers import ownable_servers

    # Whoever states a price needs the machine alone.
    usable = EVERY_DAY if price_usd is not None else window
    fitting, ever = (
        [server for server in ownable_servers(assumptions, days) if server.machine.accelerator and server.machine.accelerator.name == name]
        for days in (usable, EVERY_DAY)
    )  # fmt: skip
    match = next((server for server in fitting if server.machine.accelerator_count == count), None)
    if match is None and any(server.machine.accelerator_count == count for server in ever):
        raise NoPricesError(
            f"no price of a server with {count} x {name} is from the days asked for",
            hint="state one with --price, or ask for other days (--max-age, --as-of)",
            where="GPU",
        )
    if match is None:
        counts = ", ".join(f"{server.machine.accelerator_count:g}" for server in ever)
        raise InputError(
            f"no price of a server with {count} x {name} is known",
            hint=f"servers with {counts} of them are known" if counts else "`gpuplan breakeven` takes your own quote",
            where="GPU",
        )
    if price_usd is None:
        return match
    return replace(match, price_usd=price_usd, source="you", priced_on=today(), notes=())


def _tables(
    owned: OwnableServer, curve: list[dict[str, Any]], rows: list[dict[str, Any]], which: str, horizon: int
) -> list[Table]:
    widest = max(point["own_usd_per_gpu_hour"] for point in curve)
    full = usd(curve[-1]["own_usd_per_gpu_hour"])
    return [
        table_of(
            f"{owned.name}: {usd(owned.price_usd)} USD, paid in cash, in colocation, over {horizon} months, before tax",
            curve,
            {
                "used": lambda point: percent(point["utilisation_share"]),
                "own [USD/GPU-h]:": lambda point: usd(point["own_usd_per_gpu_hour"]),
                "": lambda point: "#" * max(1, round(40 * point["own_usd_per_gpu_hour"] / widest)),
            },
            f"{owned.machine.accelerator_count:g} GPUs; {owned.source}",
        ),
        table_of(
            "Owning against rents paid by the hour",
            rows,
            {
                "rent": lambda row: row["rent_id"],
                "tier": lambda row: row["seller_tier"] or "-",
                "rent [USD/GPU-h]:": lambda row: usd(row["usd_per_gpu_hour"]),
                "owning wins [above use]:": lambda row: (
                    "never" if row["utilisation_share"] is None else percent(row["utilisation_share"])
                ),
                "always busy [from month]:": lambda row: (
                    "never" if row["full_use_month"] is None else f"{row['full_use_month']:.1f}"
                ),
                "priced on": lambda row: row["priced_on"] or "",
            },
            f"{which} (-f json: all); an owned hour costs {full} USD "
            "per GPU even when always busy: owning never wins below that rent",
        ),
    ]
