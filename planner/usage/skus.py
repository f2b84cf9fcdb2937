"""The accelerator that a charge on a bill pays for, and its hours per unit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction

from planner.usage.charge_roles import COST_ROLES, SIGN_WORDS, is_unused_capacity, role_of
from planner.usage.machine_types import machine_of, plain_type
from pricing.catalog import CLOUD_NAMES
from pricing.errors import PricingError
from pricing.facts.accelerators import resolve_all
from pricing.facts.instances import accelerator_of
from pricing.facts.offers import Offer

CLOUDS = ("aws", "azure", "gcp", "oci")
"""A GPU's name in their texts may be that of a machine's; sellers of GPUs alone name GPUs."""

HOURS = {"hour": 1.0, "hr": 1.0, "h": 1.0, "minute": 1 / 60, "min": 1 / 60, "second": 1 / 3600, "sec": 1 / 3600, "s": 1 / 3600, "day": 24.0, "month": 730.0}  # fmt: skip
UNIT = re.compile(
    r"(?:1/)?([\d,]*)\s*((?:gpu|instance|vm|node|machine|vcpu|compute|unit|chip|accelerator|server|host)s?[\s_*·-]*)?(?:per[\s_-]+)?([a-z]+?)s?"
)
ONE_BY_ONE = ("gpu", "chip", "accelerator")
INSTANCE_KEYS = ("instancetype", "servicetype", "vmsize", "machinetype")
GPU_WORDS = re.compile(r"\bgpus?\b|\bnvidia\b|\baccelerator", re.IGNORECASE)
HOST_WORDS = re.compile(r"\b(?:core|cores|ram|cpu|vcpu|memory|ssd)\b", re.IGNORECASE)
GPU_NAME = re.compile(
    r"\b((?:tesla |rtx (?:pro )?)?(?:[ablhtp]\d{1,4}s?g?|v\d{3}|gb\d{3}|gh\d{3}|mi\d{3}[ax]?|6000)(?:[ -]+\d+ ?gb)?"
    r"|rtx (?:a\d{4}|\d{4}(?: ada)?))\b",
    re.IGNORECASE,
)
HOST_FAMILY = re.compile(r"\bhostusage:(\w[\w-]*)", re.IGNORECASE)
CHIP = r"(?:nvidia[\s_-]*)?((?:[abhlv]\d{2,3}s?|gb\d{3}|gh\d{3}|mi\d{3}x?|t4|rtx[\s_-]?a?\d{4})(?![\d]))"
MANY = re.compile(rf"(?:(?<![\d.])(\d{{1,2}})\s?x[\s_-]*|(?<=x)(\d{{1,2}})){CHIP}", re.IGNORECASE)
MANY_AFTER = re.compile(
    rf"(?<![a-z0-9]){CHIP}[\w\s-]{{0,24}}?(?:[\s_.-](\d{{1,2}})x|[\s_.-]?x[\s_-]?(\d{{1,2}})|(?:-sxm\d?|-pcie)?-(\d{{1,2}})-\d+g)\b",
    re.IGNORECASE,
)
AWS_TYPE = re.compile(
    r"(?<![\w.])(?:ml\.)?((?:u-)?[a-z]+\d[a-z0-9-]*\.(?:\d*x?large|\d*metal|small|medium|\d+xlarge))", re.IGNORECASE
)
CHIP_WORDS = re.compile(r"\b(?:cloud )?tpu[ -]?(v\d+[a-z]*)\b|\b(trainium|inferentia|gaudi)[ -]?(\d)?\b", re.IGNORECASE)
ORACLE_GENERATION = re.compile(r"\bGPU(?:4|\s+Standard)?\s+-\s+(X7|V2|E3)\b", re.IGNORECASE)
ORACLE_GPUS = {"X7": "P100-16GB-PCIe", "V2": "V100-16GB-SXM", "E3": "A100-40GB-SXM"}
"""Oracle's older SKUs name the host's generation. Its price list (2026-11) has them at the GPU-hour of GPU2, GPU3 and GPU4 shapes."""
FAMILY = re.compile(r"(?:^(?:spot preemptible |preemptible |commitment v1: )?|attached to (?:spot preemptible )?)([a-z]\d[a-z]?(?:ultra)?)(?:plus|mega)? ", re.IGNORECASE)  # fmt: skip


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
    role : str
        What the row is (`planner.usage.charge_roles.role_of`); only machines carry hours.
    is_unused : bool
        Capacity that was reserved and not used, by the row's own words.
    """

    gpu: str
    gpus: float
    instance_type: str
    basis: str
    role: str = "machine"
    is_unused: bool = False


def provider_of(name: str) -> str:
    """Return a provider under the catalogue's name.

    Examples
    --------
    >>> provider_of("Microsoft"), provider_of("Nebius")
    ('azure', 'nebius')
    """
    return CLOUD_NAMES.get(name.strip().lower(), name.strip().lower())


def hours_per_unit(unit: str) -> float | None:
    """Return the hours in one unit; None for a unit that is no time.

    Examples
    --------
    >>> hours_per_unit("Hours"), hours_per_unit("100 Hours"), hours_per_unit("GB-Hours"), hours_per_unit("GPU-hours")
    (1.0, 100.0, None, 1.0)
    >>> hours_per_unit("Hour(s)"), hours_per_unit("Units")
    (1.0, None)
    """
    match = UNIT.fullmatch(unit.strip().lower().replace("(s)", "s"))
    if match is None or match[3] not in HOURS or (match[2] and match[3] == "s"):  # "Units" are no unit-seconds
        return None
    return float(match[1].replace(",", "") or 1) * HOURS[match[3]]


def gpus_per_unit(unit: str, gpus: float) -> float:
    """Return the accelerators that a unit of time is of: a GPU-hour is of one, whatever machine it is in.

    Examples
    --------
    >>> gpus_per_unit("Hours", 8.0), gpus_per_unit("GPU-Hours", 8.0), gpus_per_unit("GPU Hours", 0.0)
    (8.0, 1.0, 0.0)
    """
    return min(gpus, 1.0) if is_gpu_hour(unit) else gpus


def is_gpu_hour(unit: str) -> bool:
    """Say whether a unit is the time of a single accelerator."""
    match = UNIT.fullmatch(unit.strip().lower())
    return match is not None and (match[2] or "").startswith(ONE_BY_ONE) and match[3] in HOURS


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
            # Price lists round a sixth of a card.
            count = float(Fraction(offer.accelerator_count).limit_denominator(8))
            types[plain_type(offer.instance_type)] = (offer.instance_type, name, count or offer.accelerator_count)
            if offer.provider == "gcp":
                family = offer.instance_type.split("-")[0]
                # Google bills an A3 Ultra's cores as A3Ultra, those of every other A3 as A3 or A3Plus.
                family += "ultra" * offer.instance_type.startswith("a3-ultragpu")
                families.setdefault(("gcp", family), set()).add(name)
        self.families = families

    def for_bill(self, gpus: AbstractSet[str]) -> SkuReader:
        """Return a reader for a bill with these accelerators: cores of a family that has two (A2) are of the one that is there."""
        reader = copy(self)
        reader.families = {key: names & gpus if len(names) > 1 else names for key, names in self.families.items()}
        return reader

    def read(
        self, provider: str, details: str, texts: Sequence[str], *, category: str = "Usage", service: str = ""
    ) -> Sku | None:
        """Return what a charge is of; None where it is of no accelerator, or no part of one's cost.

        Parameters
        ----------
        provider : str
            The catalogue's name of it.
        details : str
            ``SkuPriceDetails``: JSON.
        texts : sequence of str
            Meter, resource type, description, and what the charge says of itself at length: whatever else the bill says.
        category, service : str
            ``ChargeCategory`` and ``ServiceName``.
        """
        text = " | ".join(texts)
        role = role_of(category, service, f"{text} | ComputeHR_SW" if "ComputeHR_SW" in details else text)
        if role not in COST_ROLES:
            return None
        # What a charge says at length counts where its columns say nothing.
        said = _details(details)
        short = [*texts[:3], *re.findall(SIGN_WORDS, " ".join(texts[3:]))]
        sku = self._hardware(provider, said, short)
        if sku is None and not AWS_TYPE.search(" | ".join(texts[:3])):
            sku = self._hardware(provider, said, texts)
        if sku is None:
            return None
        return replace(sku, role=role, is_unused=is_unused_capacity(text))

    def _hardware(self, provider: str, said: Mapping[str, object], texts: Sequence[str]) -> Sku | None:
        spelled = {re.sub("^x_|_", "", key.lower()): value for key, value in said.items()}
        named_types = [str(spelled[key]) for key in INSTANCE_KEYS if spelled.get(key)]
        text = " | ".join(texts)
        types = ((name, self._machine(provider, name, texts)) for name in named_types or [""])
        instance, machine = next((pair for pair in types if pair[1]), (named_types[0] if named_types else "", None))
        is_part = provider == "gcp" or not machine
        if is_part and provider not in CLOUDS and (several := _counted(f"{instance} {text}")):
            return Sku(*several, instance, "text")
        speaks = GPU_WORDS.search(text) or (provider not in CLOUDS and _gpu_name(text))
        if is_part and speaks and not (HOST_WORDS.search(text) and not _gpu_name(text)):
            named = _gpu_name(text) or self._family(provider, texts)
            if not named and provider == "oci" and (match := ORACLE_GENERATION.search(text)):
                named = ORACLE_GPUS[match[1].upper()]
            if named or machine:
                # The machine's name gives the form factor that the SKU's text lacks.
                return Sku(machine[1] if machine else named, 1.0, machine[0] if machine else instance, "text")
        if is_part and (chip := _chip_name(text)):
            return Sku(chip, 1.0, instance, "text")
        if is_part and HOST_WORDS.search(text):
            gpu = machine[1] if machine else self._family(provider, texts)
            return Sku(gpu, 0.0, machine[0] if machine else instance, "host") if gpu else None
        if machine:
            return Sku(machine[1], machine[2], machine[0], "catalogue")
        count = _number(said.get("GpuCount"))
        stated = str(said.get("GpuType") or said.get("GpuModel") or "")
        if count and (instance or stated):
            name, _ = accelerator_of(provider, instance, stated, None)
            return Sku(name or f"unknown ({instance or stated})", count, instance, "details")
        return None

    def _machine(self, provider: str, instance: str, texts: Sequence[str]) -> tuple[str, str, float] | None:
        # A platform that sells on top of a cloud names the cloud's machines.
        clouds = (provider,) if provider in self.known else CLOUDS
        types = self.known.get(provider, {})

        def of_name(name: str) -> tuple[str, str, float] | None:
            plain = plain_type(name)
            for cloud in clouds:
                if machine := self.known.get(cloud, {}).get(plain):
                    return machine
                if rare := machine_of(cloud, name):
                    return plain, *rare
            return None

        if instance and (machine := of_name(instance)):
            return machine
        if instance:
            return None
        for text in texts:
            parts = (
                part.removesuffix(" spot").removesuffix(" low priority") for part in re.split("/| - ", text.lower())
            )
            for words in (
                text,
                *parts,
                *re.split(r"[\s:,;|()/]+", text),
                *(kind.rpartition("-")[2] for kind in AWS_TYPE.findall(text)),
                *AWS_TYPE.findall(text),
            ):
                if words and (machine := of_name(words)):
                    return machine
            if provider == "aws" and (host := HOST_FAMILY.search(text)):
                family = f"{host[1].lower()}."
                largest = max((machine_type for name, machine_type in types.items() if name.startswith(family)), key=lambda machine_type: machine_type[2], default=None)  # fmt: skip
                if largest:
                    return largest
        return None

    def _family(self, provider: str, texts: Sequence[str]) -> str:
        for text in texts:
            if match := FAMILY.search(text):
                names = self.families.get((provider, match[1].lower()), set())
                return next(iter(names)) if len(names) == 1 else ""
        return ""


def _counted(text: str) -> tuple[str, float] | None:
    """Return accelerator and count of a machine whose name gives both (``gd-8xh100ib``, ``b200-8x``)."""
    before, after = MANY.search(text), MANY_AFTER.search(text)
    if before:
        chip, number = before[3], before[1] or before[2]
    elif after:
        chip, number = after[1], after[2] or after[3] or after[4]
    else:
        return None
    name = _gpu_name(chip)
    return (name, float(number)) if name and float(number) else None


def _chip_name(text: str) -> str:
    match = CHIP_WORDS.search(text)
    if match is None or HOST_WORDS.search(text):
        return ""
    return f"TPU {match[1].lower()}" if match[1] else f"{match[2].title()}{match[3] or ''}"


def _gpu_name(text: str) -> str:
    for name in GPU_NAME.findall(text):
        try:
            rows = resolve_all(name)
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
        details = json.loads(text) if text else {}
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
