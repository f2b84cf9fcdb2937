"""Tiers of a mix from the catalog: an owned server, and the cheapest offer of each purchase option for one accelerator."""

from __future__ import annotations

from collections.abc import Sequence

from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.financing import UNFINANCED
from planner.costs.inputs import BuyInputs
from planner.costs.spot import spot_overhead_ratio
from planner.costs.timeline import Timeline
from planner.errors import NothingFitsError
from planner.mix.capacity import Tier, TierKind
from planner.mix.request import owned_tier
from planner.options.owned import OwnableServer
from pricing.catalog import Catalog
from pricing.facts.offers import TERM_MONTHS, Offer, PurchaseOption, offer_id

KINDS = {
    PurchaseOption.ON_DEMAND: TierKind.ON_DEMAND,
    PurchaseOption.SPOT: TierKind.SPOT,
    **dict.fromkeys(TERM_MONTHS, TierKind.COMMITTED),
}
"""Ways to pay that an hourly curve can be served from; dated blocks and queues cannot follow one."""


def tiers_of_offers(
    catalog: Catalog, servers: Sequence[OwnableServer], assumptions: Assumptions, *, months: int
) -> tuple[Tier, ...]:
    """Return a tier for the cheapest offer of each purchase option, and one for the cheapest server.

    Parameters
    ----------
    catalog : Catalog
        Offers of one accelerator, filtered as the user wants them.
    servers : sequence of OwnableServer
        Servers of the same accelerator.
    assumptions : Assumptions
        Stated assumptions.
    months : int
        Months over which an owned server is counted.

    Raises
    ------
    NothingFitsError
        There is neither an offer nor a server.
    """
    best: dict[PurchaseOption, tuple[float, Offer]] = {}
    for offer in catalog.offers:
        if offer.purchase_option not in KINDS or offer.accelerator_count < 1 or offer.shared_host:
            continue
        usd_per_gpu_hour = offer.price_usd_per_hour / offer.accelerator_count
        if offer.purchase_option not in best or usd_per_gpu_hour < best[offer.purchase_option][0]:
            best[offer.purchase_option] = (usd_per_gpu_hour, offer)
    tiers = [_tier(offer, assumptions) for _, offer in best.values()]
    if servers:
        server = min(servers, key=lambda server: server.price_usd / server.machine.accelerator_count)
        tiers.append(
            owned_tier(
                f"own {server.name}",
                owned_timeline_of(server, assumptions, months=months),
                gpus_per_machine=round(server.machine.accelerator_count),
                capex_usd=server.price_usd,
                max_kw=server.max_kw,
                discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
                hours_per_month=assumptions["money.hours_per_month"],
            )
        )
    if not tiers:
        raise NothingFitsError("no offer and no server has this accelerator", hint="name another --gpu, or state tiers")
    return tuple(sorted(tiers, key=lambda tier: tier.name))


def _tier(offer: Offer, assumptions: Assumptions) -> Tier:
    kind = KINDS[offer.purchase_option]
    units = round(offer.accelerator_count)
    usd_per_gpu_hour = offer.price_usd_per_hour / units
    stretch = 1.0
    if kind is TierKind.SPOT:
        stretch = float(
            spot_overhead_ratio(
                checkpoint_hours=assumptions["rent.spot_checkpoint_hours"],
                hours_between_of_one=assumptions["rent.spot_hours_between_interruptions"],
                restart_hours=assumptions["rent.spot_restart_hours"],
                instance_count=1,
            )
        )
    committed = kind is TierKind.COMMITTED
    return Tier(
        name=offer_id(offer),
        kind=kind,
        fixed_usd_per_machine_hour=offer.price_usd_per_hour if committed else 0.0,
        usd_per_unit_hour=0.0 if committed else usd_per_gpu_hour,
        units_per_machine=units,
        max_share_of_demand=assumptions["mix.spot_share"] if kind is TierKind.SPOT else 1.0,
        availability_share=1.0 / stretch,
        term_hours=round(offer.term_months * assumptions["money.hours_per_month"]),
    )


def owned_timeline_of(server: OwnableServer, assumptions: Assumptions, *, months: int) -> Timeline:
    """Return what one server costs in colocation that is always busy, delivered at once and paid in cash, before tax."""
    hours = assumptions["money.hours_per_month"]
    cost_inputs = BuyInputs(
        site="colocation",
        server_price_usd=server.price_usd,
        server_max_kw=server.max_kw,
        accelerator_count=server.machine.accelerator_count,
        hours_per_month=hours,
    )
    at_once = {**assumptions, **UNFINANCED, "own.lead_time_months": 0.0}
    useful = server.machine.accelerator_count * hours
    return timelines([cost_inputs], at_once, months=months, useful_gpu_hours_per_month=useful).at(0)
