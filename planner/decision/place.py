"""Where accelerators run: machines of one shape in one region of one provider, which no other place stands in for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.usage.answer import Usage
from planner.usage.charge_roles import FEE_ROLES
from pricing.catalog import Catalog
from pricing.facts.instances import instance_network
from pricing.facts.offers import Offer

HOST_SHARE = 0.85
"""A host with less of the cores or memory than this is another machine; providers cut theirs a little differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Machines of one shape at one place.

    Attributes
    ----------
    gpu, provider, region, instance_type : str
        As the bill says.
    gpus_per_machine : int
        Accelerators in one; 0 where the bill does not tell.
    vcpus, memory_gib : float
        Of one machine; 0 where the catalog does not know it.
    rows : NDArray of bool, shape (rows,)
        Of the usage's table.
    has_rdma : bool
        Whether its machines reach each other by RDMA (InfiniBand, EFA), as several at one job need it.
    is_part : bool
        Whether one has a part of an accelerator alone, which is sold in that size or not at all.
    """

    gpu: str
    provider: str
    region: str
    instance_type: str
    gpus_per_machine: int
    vcpus: float
    memory_gib: float
    rows: NDArray[np.bool_]
    has_rdma: bool = False
    is_part: bool = False

    @property
    def name(self) -> str:
        """What to call it beside others of the same accelerator."""
        words = (self.provider, self.region, self.instance_type)
        return ", ".join(word for word in words if word)

    def is_of(self, offer: Offer) -> bool:
        """Say whether an offer is for these very machines; where the bill names none, for any at their place."""
        there = (offer.provider, offer.region, offer.instance_type.lower())
        mine = (self.provider, self.region, self.instance_type.lower())
        return all(not wanted or wanted == had for wanted, had in zip(mine, there, strict=True))

    def takes(self, offer: Offer, *, anywhere: bool) -> bool:
        """Say whether an offer can stand in: the same shape, no smaller host and, unless asked otherwise, the same place."""
        if not anywhere and (offer.provider != self.provider or (self.region and offer.region != self.region)):
            return False
        if self.gpus_per_machine and round(offer.accelerator_count) != self.gpus_per_machine:
            return False
        if self.has_rdma and offer.provider == self.provider and not _has_rdma(offer.provider, offer.instance_type):
            return False
        return all(
            there is None or not needed or there >= HOST_SHARE * needed
            for there, needed in ((offer.vcpus, self.vcpus), (offer.memory_gib, self.memory_gib))
        )


def places_of(usage: Usage, catalog: Catalog) -> list[Place]:
    """Return the places of a bill that have hours, the busiest first; cost without hours goes to the busiest of its region.

    Fees, licenses and software stay whatever the machines are paid by, and are of no place.
    """
    table = usage.table
    kinds = [kind for kind in ("gpu", "provider", "region", "instance_type") if kind in table.codes]
    unique, which = table.combinations(kinds)
    used = table.equals("state", "used")
    hours = np.bincount(which, weights=np.where(used, table.values["gpu_hours"], 0.0), minlength=unique.shape[1])
    order = np.argsort(-hours, kind="stable")
    busy = [int(key) for key in order if hours[key] > 0]
    target = np.arange(unique.shape[1])
    for key in range(unique.shape[1]):
        if hours[key] <= 0:
            near = [
                other for depth in (3, 2, 1) for other in busy if (unique[:depth, other] == unique[:depth, key]).all()
            ]
            target[key] = near[0] if near else -1
    offers = {(offer.provider, offer.instance_type.lower()): offer for offer in catalog.offers}
    places = []
    for key in busy:
        said = dict(
            zip(kinds, (table.words[kind][code] for kind, code in zip(kinds, unique[:, key], strict=True)), strict=True)
        )
        offer = offers.get((said.get("provider", ""), said.get("instance_type", "").lower()))
        places.append(
            Place(
                gpu=said["gpu"],
                provider=said.get("provider", ""),
                region=said.get("region", ""),
                instance_type=said.get("instance_type", ""),
                gpus_per_machine=max(round(offer.accelerator_count), 1) if offer else _shape(usage, said),
                vcpus=float(offer.vcpus or 0.0) if offer else 0.0,
                memory_gib=float(offer.memory_gib or 0.0) if offer else 0.0,
                rows=(target[which] == key) & ~table.equals("role", *FEE_ROLES),
                is_part=_part(usage, said, offer),
                has_rdma=_has_rdma(said.get("provider", ""), said.get("instance_type", "")),
            )
        )
    return places


def _part(usage: Usage, said: dict[str, str], offer: Offer | None) -> bool:
    skus = usage.bill.skus if usage.bill else ()
    counts = [sku.gpus for sku in skus if sku.instance_type == said.get("instance_type", "") and sku.gpus > 0]
    return 0 < (offer.accelerator_count if offer else max(counts, default=1.0)) < 1


def _has_rdma(provider: str, instance_type: str) -> bool:
    network = instance_network(provider, instance_type)
    return network is not None and bool(network.rdma)


def _shape(usage: Usage, said: dict[str, str]) -> int:
    """Return the accelerators of a machine that no price list holds, where the bill says so."""
    skus = usage.bill.skus if usage.bill else ()
    name = said.get("instance_type", "")
    return next((round(sku.gpus) for sku in skus if name and sku.instance_type == name and sku.gpus >= 1), 0)
