"""What the same accelerator-hours would cost at each provider of the catalog, on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from planner.usage.hours import HourTable
from pricing.catalog import Catalog
from pricing.facts.accelerators import families
from pricing.facts.offers import Launchable, Offer, PurchaseOption, offer_id

HOST_SHARE = 0.5
"""Providers pair the same accelerator with larger or smaller hosts; with less than half the host, work waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPrice:
    """The same hours at one provider.

    Attributes
    ----------
    provider : str
        The catalog's name.
    usd : float
        For the hours of the accelerators that it has.
    gpu_hours, gpu_hours_share : float
        Those hours, and which part of all they are.
    usd_per_gpu_hour : float
        Mean.
    offers : mapping of str to str
        The offer behind each accelerator.
    priced_on : date
        Of the oldest price.
    """

    provider: str
    usd: float
    gpu_hours: float
    gpu_hours_share: float
    usd_per_gpu_hour: float
    offers: Mapping[str, str]
    priced_on: date


def hosts_of(catalog: Catalog, table: HourTable, used: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
    """Return the mean cores and GiB of host memory per used accelerator, over machines in the catalog.

    Parameters
    ----------
    catalog : Catalog
        Knows machines.
    table : HourTable
        With words ``gpu``, ``provider`` and ``instance_type``.
    used : NDArray of bool, shape (rows,)
        Which rows count.
    """
    kinds = ("gpu", "provider", "instance_type")
    if not all(kind in table.codes for kind in kinds):
        return {}
    offers = {(offer.provider, offer.instance_type.lower()): offer for offer in catalog.offers}
    keys, which = table.combinations(kinds)
    hours = np.bincount(which, weights=np.where(used, table.values["gpu_hours"], 0.0), minlength=keys.shape[1])
    sums: dict[str, list[float]] = {}
    for key, weight in zip(keys.T, hours, strict=True):
        gpu, provider, instance = (table.words[kind][code] for kind, code in zip(kinds, key, strict=True))
        offer = offers.get((provider, instance.lower()))
        if weight > 0 and offer and offer.accelerator_count >= 1 and offer.vcpus and offer.memory_gib:
            sums_of_gpu = sums.setdefault(gpu, [0.0, 0.0, 0.0])
            for place, amount in enumerate((offer.vcpus, offer.memory_gib)):
                sums_of_gpu[place] += weight * amount / offer.accelerator_count
            sums_of_gpu[2] += weight
    return {gpu: (vcpus / weight, memory / weight) for gpu, (vcpus, memory, weight) in sums.items()}


def provider_prices(
    catalog: Catalog, gpu_hours: Mapping[str, float], hosts: Mapping[str, tuple[float, float]] | None = None
) -> tuple[ProviderPrice, ...]:
    """Price accelerator-hours at the cheapest on-demand offer that each provider has of the same accelerator.

    Parameters
    ----------
    catalog : Catalog
        Today's offers; third parties' machines and what cannot be launched stay out.
    gpu_hours : mapping of str to float
        Hours by accelerator.
    hosts : mapping of str to (float, float), optional
        Cores and GiB beside an accelerator (`hosts_of`); a machine with less than half of them is no stand-in.

    Returns
    -------
    tuple of Elsewhere
        Those with most of the hours first, the cheapest of them first.
    """
    total = sum(gpu_hours.values())
    best: dict[str, dict[str, Offer]] = {}
    for name in gpu_hours:
        same = {name, *families().get(name, ())}
        for offer in catalog.offers:
            if (
                offer.accelerator in same
                and offer.purchase_option is PurchaseOption.ON_DEMAND
                and offer.accelerator_count >= 1
                and not offer.shared_host
                and offer.launchable is not Launchable.NO
                and _is_as_large(offer, (hosts or {}).get(name))
            ):
                rival = best.setdefault(offer.provider, {}).get(name)
                if rival is None or _each(offer) < _each(rival):
                    best[offer.provider][name] = offer
    providers = []
    for provider, offers in best.items():
        hours = sum(gpu_hours[name] for name in offers)
        usd = sum(_each(offer) * gpu_hours[name] for name, offer in offers.items())
        if hours > 0:
            providers.append(
                ProviderPrice(
                    provider=provider,
                    usd=usd,
                    gpu_hours=hours,
                    gpu_hours_share=hours / total,
                    usd_per_gpu_hour=usd / hours,
                    offers={name: offer_id(offer) for name, offer in sorted(offers.items())},
                    priced_on=min(offer.observed_on for offer in offers.values()),
                )
            )
    return tuple(
        sorted(providers, key=lambda provider_priced: (-round(provider_priced.gpu_hours_share, 6), provider_priced.usd))
    )


def _is_as_large(offer: Offer, host: tuple[float, float] | None) -> bool:
    return host is None or all(
        there is None or there / offer.accelerator_count >= HOST_SHARE * needed
        for there, needed in zip((offer.vcpus, offer.memory_gib), host, strict=True)
    )


def _each(offer: Offer) -> float:
    return offer.price_usd_per_hour / offer.accelerator_count
