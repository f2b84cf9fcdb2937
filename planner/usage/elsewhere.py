"""What the same accelerator-hours would cost at each provider of the catalogue, on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pricing.accelerators import families
from pricing.catalog import Catalog
from pricing.offers import Launchable, Offer, PurchaseOption, offer_id

__all__ = ["Elsewhere", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The same hours at one provider.

    Attributes
    ----------
    provider : str
        The catalogue's name.
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


def elsewhere(catalog: Catalog, gpu_hours: Mapping[str, float]) -> tuple[Elsewhere, ...]:
    """Price accelerator-hours at the cheapest on-demand offer that each provider has of the same accelerator.

    Parameters
    ----------
    catalog : Catalog
        Today's offers; third parties' machines and what cannot be launched stay out.
    gpu_hours : mapping of str to float
        Hours by accelerator.

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
            ):
                rival = best.setdefault(offer.provider, {}).get(name)
                if rival is None or _each(offer) < _each(rival):
                    best[offer.provider][name] = offer
    found = []
    for provider, offers in best.items():
        hours = sum(gpu_hours[name] for name in offers)
        usd = sum(_each(offer) * gpu_hours[name] for name, offer in offers.items())
        if hours > 0:
            found.append(
                Elsewhere(
                    provider=provider,
                    usd=usd,
                    gpu_hours=hours,
                    gpu_hours_share=hours / total,
                    usd_per_gpu_hour=usd / hours,
                    offers={name: offer_id(offer) for name, offer in sorted(offers.items())},
                    priced_on=min(offer.observed_on for offer in offers.values()),
                )
            )
    return tuple(sorted(found, key=lambda one: (-round(one.gpu_hours_share, 6), one.usd)))


def _each(offer: Offer) -> float:
    return offer.price_usd_per_hour / offer.accelerator_count
