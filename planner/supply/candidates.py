"""Candidates: the offers that respect the constraints, and the machine behind each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from planner.demand.workload import Constraints, Interconnect
from planner.errors import InputError
from planner.supply.machines import Machine
from pricing.catalog import Catalog, FunnelStep
from pricing.errors import PricingError
from pricing.facts.accelerators import accelerators
from pricing.facts.dates import Dropped
from pricing.facts.instances import instance_network, network_of, physical_cores
from pricing.facts.offers import Offer, offer_id
from pricing.facts.regions import country_of
from pricing.facts.sellers import sellers
from pricing.facts.token_prices import sells_tokens

NETWORKS_THAT_SERVE: Mapping[Interconnect, frozenset[str]] = {
    Interconnect.ANY: frozenset({"none", "ethernet", "roce", "efa", "infiniband"}),
    Interconnect.ETHERNET: frozenset({"ethernet", "roce", "efa", "infiniband"}),
    Interconnect.EFA: frozenset({"roce", "efa", "infiniband"}),
    Interconnect.INFINIBAND: frozenset({"infiniband"}),
}
"""An interconnect is asked for as a minimum."""
JOINED = "joined_infiniband"
GB_PER_S_OF_A_GPU = 50.0
"""400 Gb/s, as `pricing.facts.offers.FLAGS` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Offers that may be asked to do the work.

    Attributes
    ----------
    offers : tuple of Offer
        One for each instance type, provider and purchase option: the region with the lowest price.
    ids, behind : tuple of str, tuple of Machine
        The id of each offer, and the machine behind it.
    funnel : tuple of FunnelStep
        How many were left behind each sieve.
    dropped : tuple of Dropped
        How many offers each filter took out, dates and constraints.
    unknown_accelerators : tuple of str
        Stated names of accelerators of which nothing is known; their offers could not be considered.
    """

    offers: tuple[Offer, ...]
    ids: tuple[str, ...]
    behind: tuple[Machine, ...]
    funnel: tuple[FunnelStep, ...]
    dropped: tuple[Dropped, ...]
    unknown_accelerators: tuple[str, ...]

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Different machines, each once."""
        return tuple(dict.fromkeys(self.behind))

    def at(self, rows: Sequence[int]) -> Candidates:
        """Return some of the offers, by their place."""
        ids, behind = tuple(self.ids[row] for row in rows), tuple(self.behind[row] for row in rows)
        return replace(self, offers=tuple(self.offers[row] for row in rows), ids=ids, behind=behind)


def network_kind(offer: Offer) -> str:
    """Return what joins machines of an offer; Ethernet that reaches into memory past the processor is told apart."""
    if JOINED in offer.flags:
        return "infiniband"
    network = instance_network(offer.provider, offer.instance_type)
    if network is None:
        return "none"
    return "roce" if network.network == "ethernet" and network.rdma else network.network


def machine_of(offer: Offer) -> Machine:
    """Return what the physics needs to know of an offer; the caller has made sure that its accelerator is known."""
    network = network_kind(offer)
    each_way = GB_PER_S_OF_A_GPU * offer.accelerator_count if JOINED in offer.flags else network_of(offer)[1]
    return Machine(
        accelerator=accelerators()[offer.accelerator] if offer.accelerator else None,
        accelerator_count=offer.accelerator_count,
        vcpus=offer.vcpus,
        physical_cores=physical_cores(offer),
        memory_gib=offer.memory_gib,
        processor=offer.processor,
        cpu_arch=offer.cpu_arch,
        network=network,
        network_gb_per_s_each_way=each_way,
    )


def _refuse_unknown(catalog: Catalog, wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Tell the unknown names of all filters at once; the catalog itself stops at the first."""
    faults = []
    for name, values in wanted.items():
        if values:
            try:
                catalog.select(**cast("dict[str, Any]", {name: values}))
            except PricingError as error:
                faults.append(f"{error.message}\n  {error.hint}" if error.hint else error.message)
    if faults:
        raise InputError("\n".join(faults), where="constraints")


def _of_machines(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without those of sellers of tokens alone."""
    return tuple(name for name in names if name in sellers() or not sells_tokens(name))


def place_key(constraints: Sequence[Constraints]) -> Callable[[str, str], str]:
    """Return what `find_candidates` tells apart of a place under some constraints, from its provider and region."""
    if any(limits.regions for limits in constraints):
        return lambda _provider, region: region
    if any(limits.countries for limits in constraints):
        return lambda provider, region: country_of(provider, region) or ""
    return lambda _provider, _region: ""


def find_candidates(
    catalog: Catalog, constraints: Constraints, is_old: Callable[[Offer], bool] = lambda _: False
) -> Candidates:
    """Return the offers within the constraints, the cheapest region of each kind.

    Parameters
    ----------
    catalog : Catalog
        All offers of a day.
    constraints : Constraints
        What an option has to respect.
    is_old : callable
        Whether an offer's price is too old to win over a fresher one of the same sort.

    Raises
    ------
    InputError
        A provider, region, country, accelerator or purchase option that nothing is known of.
    """
    named = _of_machines(constraints.providers)
    wanted: dict[str, Any] = {
        "providers": named,
        "exclude_providers": _of_machines(constraints.exclude_providers),
        "regions": constraints.regions,
        "countries": constraints.countries,
        "accelerators": constraints.gpus,
        "purchase": constraints.purchase,
    }
    _refuse_unknown(catalog, wanted)
    selection = catalog.select(**wanted, secure=constraints.min_secure, launchable=True)
    if constraints.providers and not named:
        selection = selection.filtered(
            f"from {', '.join(constraints.providers)}, who sell no machines", lambda _: False
        )
    unknown = sorted({o.accelerator_stated for o in selection.offers if o.accelerator is None and o.accelerator_stated})
    if unknown:
        selection = selection.filtered(
            "of known hardware", lambda offer: bool(offer.accelerator) or not offer.accelerator_stated
        )
    if constraints.interconnect is not Interconnect.ANY:
        allowed = NETWORKS_THAT_SERVE[constraints.interconnect]
        selection = selection.filtered(
            f"joined by {constraints.interconnect}", lambda offer: network_kind(offer) in allowed
        )
    best: dict[tuple[str, str, str], tuple[tuple[bool, float, str], Offer]] = {}
    for offer in selection.offers:
        key = (offer.provider, offer.instance_type, offer.purchase_option)
        rank = (is_old(offer), offer.price_usd_per_hour, offer.region)
        if key not in best or rank < best[key][0]:
            best[key] = rank, offer
    kept = sorted(((offer_id(offer), offer) for _, offer in best.values()), key=lambda pair: pair[0])
    return Candidates(
        offers=tuple(offer for _, offer in kept),
        ids=tuple(name for name, _ in kept),
        behind=tuple(machine_of(offer) for _, offer in kept),
        funnel=(
            *selection.funnel,
            FunnelStep("different machines and purchase options, each in its cheapest region", len(kept)),
        ),
        dropped=selection.dropped,
        unknown_accelerators=tuple(unknown),
    )
