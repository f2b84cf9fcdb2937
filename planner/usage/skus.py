"""Which accelerator stands behind a charge of a bill, and how many of its hours one unit is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pricing.accelerators import resolve_all
from pricing.errors import PricingError
from pricing.instances import accelerator_of
from pricing.offers import Offer

__all__ = ["Sku", "SkuReader", "hours_per_unit", "provider_of"]

PROVIDERS = {
    "aws": "aws",
    "amazon": "aws",
    "amazon web services": "aws",
    "microsoft": "azure",
    "azure": "azure",
    "microsoft azure": "azure",
    "gcp": "gcp",
    "google": "gcp",
    "google cloud": "gcp",
    "google cloud platform": "gcp",
    "oracle": "oci",
    "oracle cloud": "oci",
    "oci": "oci",
}
"""How bills spell the providers of the catalogue."""

HOURS = {"hour": 1.0, "hr": 1.0, "h": 1.0, "minute": 1 / 60, "min": 1 / 60, "second": 1 / 3600, "sec": 1 / 3600, "s": 1 / 3600, "day": 24.0, "month": 730.0}  # fmt: skip
UNIT = re.compile(r"(?:1/)?([\d,]*)\s*(?:(?:gpu|instance|vm|node|machine|vcpu|compute|unit)s?[\s-]+)?([a-z]+?)s?")
INSTANCE_KEYS = ("InstanceType", "instanceType", "ServiceType", "VMSize", "machineType")
GPU_WORDS = re.compile(r"\bgpus?\b|\bnvidia\b|\baccelerator", re.IGNORECASE)
HOST_WORDS = re.compile(r"\b(?:core|cores|ram|cpu|vcpu|memory|ssd)\b", re.IGNORECASE)
GPU_NAME = re.compile(
    r"\b((?:tesla |rtx (?:pro )?)?(?:[ablhtpv]\d{1,4}s?g?|gb\d{3}|gh\d{3}|mi\d{3}[ax]?|6000)(?:[ -]+\d+ ?gb)?)\b",
    re.IGNORECASE,
)
FAMILY = re.compile(r"^(?:spot preemptible |preemptible |commitment v1: )?([a-z]\d[a-z]?)(?:plus|mega|ultra)? ", re.IGNORECASE)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sku:
    """What one kind of charge is of.

    Attributes
    ----------
    gpu : str
        Canonical name; the instance type where the catalogue knows none.
    gpus : float
        Accelerators that one hour of the charge holds; 0 for a part of the host that is billed apart.
    instance_type : str
        The provider's own name, where told.
    basis : str
        ``catalogue`` (instance type found there), ``details`` (the bill's own GpuCount), ``text`` (a GPU's own SKU) or
        ``host`` (cores and memory of a machine with accelerators, billed apart).
    """

    gpu: str
    gpus: float
    instance_type: str
    basis: str


def provider_of(name: str) -> str:
    """Return a provider under the catalogue's name.

    Examples
    --------
    >>> provider_of("Microsoft"), provider_of("Nebius")
    ('azure', 'nebius')
    """
    return PROVIDERS.get(name.strip().lower(), name.strip().lower())


def hours_per_unit(unit: str) -> float | None:
    """Return how many hours one unit is; None for what is no time.

    Examples
    --------
    >>> hours_per_unit("Hours"), hours_per_unit("100 Hours"), hours_per_unit("GB-Hours"), hours_per_unit("GPU-hours")
    (1.0, 100.0, None, 1.0)
    """
    found = UNIT.fullmatch(unit.strip().lower())
    if found is None or found[2] not in HOURS:
        return None
    return float(found[1].replace(",", "") or 1) * HOURS[found[2]]


def _plain(instance_type: str) -> str:
    """Return an instance type as all spellings of it agree on (``Standard_ND96isr_H100_v5``, ``ND96isr H100 v5``)."""
    return re.sub(r"[\s_]+", "_", instance_type.strip().lower()).removeprefix("standard_")


class SkuReader:
    """Reads charges with the instance types that a catalogue knows.

    Parameters
    ----------
    offers : sequence of Offer
        Their instance types tell accelerator and count.
    """

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.known: dict[str, dict[str, tuple[str, str, float]]] = {}
        families: dict[tuple[str, str], set[str]] = {}
        for offer in offers:
            if not offer.accelerator_count:
                continue
            name = offer.accelerator or offer.accelerator_stated
            types = self.known.setdefault(offer.provider, {})
            types[_plain(offer.instance_type)] = (offer.instance_type, name, offer.accelerator_count)
            if offer.provider == "gcp":
                families.setdefault(("gcp", offer.instance_type.split("-")[0]), set()).add(name)
        # A family with one accelerator tells it (A3), one with two does not (A2).
        self.families = {key: next(iter(names)) for key, names in families.items() if len(names) == 1}

    def read(self, provider: str, details: str, texts: Sequence[str]) -> Sku | None:
        """Return what a charge is of; None where it is of no accelerator.

        Parameters
        ----------
        provider : str
            The catalogue's name of it.
        details : str
            ``SkuPriceDetails``: JSON.
        texts : sequence of str
            Meter, resource type, description: whatever else the bill says of the SKU.
        """
        said = _details(details)
        instance = next((str(said[key]) for key in INSTANCE_KEYS if said.get(key)), "")
        text = " | ".join(texts)
        found = self._machine(provider, instance, texts)
        is_part = provider == "gcp" or (provider not in self.known and not instance)
        if is_part and GPU_WORDS.search(text) and not (HOST_WORDS.search(text) and not _gpu_name(text)):
            named = _gpu_name(text)
            if named or found:
                # The machine tells the form factor that the SKU's text does not.
                return Sku(found[1] if found else named, 1.0, found[0] if found else instance, "text")
        if is_part and HOST_WORDS.search(text):
            gpu = found[1] if found else self._family(provider, texts)
            return Sku(gpu, 0.0, found[0] if found else instance, "host") if gpu else None
        if found:
            return Sku(found[1], found[2], found[0], "catalogue")
        count = _number(said.get("GpuCount"))
        if count and instance:
            stated = str(said.get("GpuType") or said.get("GpuModel") or "")
            name, _ = accelerator_of(provider, instance, stated, None)
            return Sku(name or f"unknown ({instance})", count, instance, "details")
        return None

    def _machine(self, provider: str, instance: str, texts: Sequence[str]) -> tuple[str, str, float] | None:
        types = self.known.get(provider, {})
        if instance:
            return types.get(_plain(instance))
        for text in texts:
            for words in (text, *re.split(r"[\s:,;|()/]+", text)):
                if words and (found := types.get(_plain(words))):
                    return found
        return None

    def _family(self, provider: str, texts: Sequence[str]) -> str:
        for text in texts:
            if found := FAMILY.match(text):
                return self.families.get((provider, found[1].lower()), "")
        return ""


def _gpu_name(text: str) -> str:
    for found in GPU_NAME.findall(text):
        try:
            rows = resolve_all(found)
        except PricingError:
            continue
        names = [row.name for row in rows]
        if len(names) == 1:
            return names[0]
        # Clouds that sell GPUs one by one have the modules; the PCIe cards are sold as machines.
        return next((name for name in names if name.endswith("-SXM")), names[0])
    return ""


def _details(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
