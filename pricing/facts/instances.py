"""Instance types: what a provider's own name for a machine tells beyond its price row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from typing import TypeVar

from pricing.errors import PricingError
from pricing.facts.accelerator_names import read_name
from pricing.facts.accelerator_rows import Accelerator, slice_of, slices
from pricing.facts.accelerators import accelerators, families, resolve_all
from pricing.facts.offers import Offer
from pricing.tables import (
    read_facts,
    refuse_faults,
    refuse_unless_above_zero,
    refuse_unless_known,
    refuse_unless_not_negative,
)

NETWORKS = ("infiniband", "efa", "ethernet", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAccelerator:
    """Which accelerator, form factor included, stands behind a provider's instance types.

    Attributes
    ----------
    provider, instance_pattern : str
        Provider, and its instance types as a shell pattern (``p4d.*``); the longest pattern that fits counts.
    accelerator : str
        Canonical name, or the maker's where no data sheet of it is known.
    accelerator_count : float or None
        How many one instance holds, a fraction where it is a slice; None for the pattern of a family.
    accelerator_memory_gb : float or None
        Nominal memory of one accelerator, or of the slice, 1e9 bytes.
    vcpus, memory_gib : float or None
        Of the whole instance.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.
    """

    provider: str
    instance_pattern: str
    accelerator: str
    accelerator_count: float | None = None
    accelerator_memory_gb: float | None = None
    vcpus: float | None = None
    memory_gib: float | None = None
    source: str
    retrieved_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        names = ("accelerator_count", "accelerator_memory_gb", "vcpus", "memory_gib")
        refuse_faults(refuse_unless_above_zero(self, *names))


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNetwork:
    """What joins a provider's machines of a type, and how fast.

    Attributes
    ----------
    provider, instance_pattern : str
        As in `InstanceAccelerator`.
    network : str
        ``infiniband``, ``efa``, ``ethernet`` or ``none``. RDMA over Ethernet with a GPU fabric of its own says so in `notes`.
    network_gb_per_s_each_way : float
        Sustained, of the whole machine, 1e9 bytes per second; bursts ("up to") are left out.
    rdma : bool
        Whether the cards of two machines write into each other's memory past the processor.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.
    """

    provider: str
    instance_pattern: str
    network: str
    network_gb_per_s_each_way: float
    rdma: bool = False
    source: str
    retrieved_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        refuse_faults(
            refuse_unless_known(self, "network", NETWORKS)
            + refuse_unless_not_negative(self, "network_gb_per_s_each_way")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceCores:
    """How many of a provider's vCPUs share one physical core.

    Attributes
    ----------
    provider, instance_pattern : str
        As in `InstanceAccelerator`.
    vcpus_per_core : float
        2 where a vCPU is a hyperthread, 1 where it is a core.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.
    """

    provider: str
    instance_pattern: str
    vcpus_per_core: float
    source: str
    retrieved_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        refuse_faults(refuse_unless_above_zero(self, "vcpus_per_core"))


Fact = TypeVar("Fact", InstanceAccelerator, InstanceNetwork, InstanceCores)


_FILES: Mapping[type, str] = {
    InstanceAccelerator: "instance_accelerators.csv",
    InstanceNetwork: "instance_networks.csv",
    InstanceCores: "instance_cores.csv",
}


@cache
def _by_provider(row_type: type[Fact]) -> dict[str, tuple[Fact, ...]]:
    """Return the rows of a table by provider: whole names before patterns, the longest pattern first."""
    rows: dict[str, list[Fact]] = {}
    for row in read_facts(row_type, _FILES[row_type]):
        rows.setdefault(row.provider, []).append(row)
    for listed in rows.values():
        listed.sort(key=lambda row: (bool(re.search(r"[*?\[]", row.instance_pattern)), -len(row.instance_pattern)))
    return {provider: tuple(listed) for provider, listed in rows.items()}


@cache
def _fact(row_type: type[Fact], provider: str, instance_type: str) -> Fact | None:
    """Return what is published of a machine type; None where nothing is."""
    rows = _by_provider(row_type).get(provider, ())  # type: ignore[arg-type]  # every class has a hash
    return next((row for row in rows if fnmatchcase(instance_type, row.instance_pattern)), None)


def instance_accelerators(provider: str) -> tuple[InstanceAccelerator, ...]:
    """Return what is published of the accelerators of a provider's machine types, the longest pattern first."""
    return _by_provider(InstanceAccelerator).get(provider, ())


def instance_accelerator(provider: str, instance_type: str) -> InstanceAccelerator | None:
    """Return what is published of the accelerators of a machine type; None where nothing is."""
    return _fact(InstanceAccelerator, provider, instance_type)


def instance_network(provider: str, instance_type: str) -> InstanceNetwork | None:
    """Return all that is known of a machine type's network (`rdma`, source, traps); None where nothing is published."""
    return _fact(InstanceNetwork, provider, instance_type)


def machine_type(name: str) -> tuple[Accelerator, float, str, float] | None:
    """Return the accelerator of a machine type that a cloud sells, how many are in it, and what joins several machines.

    Returns
    -------
    tuple or None
        Accelerator (a slice where a part is sold), count, network and its 1e9 bytes per second each way; None where no
        cloud is known to sell a machine of that name.

    Examples
    --------
    >>> chip, count, network, _ = machine_type("p5.48xlarge")
    >>> chip.name, count, network
    ('H100-SXM', 8.0, 'efa')
    >>> machine_type("v5litepod-8")[1], machine_type("h100-sxm")
    (8.0, None)
    """
    wanted = name.strip()
    for provider in _by_provider(InstanceAccelerator):
        row = instance_accelerator(provider, wanted)
        if row is None or row.accelerator not in accelerators():
            continue
        chips = re.fullmatch(r"(?:v5litepod|v6e)-(\d+)", wanted)
        count = float(chips[1]) if chips else row.accelerator_count
        if not count:
            continue
        chip = accelerators()[row.accelerator]
        joined = _network(provider, wanted)
        part = next((part.profile for part in slices() if part.profile.lower() == wanted.lower()), None)
        if part is not None and count < 1:
            return slice_of(chip, part), 1.0, *joined
        return chip, count, *joined
    return None


@cache
def accelerator_of(
    provider: str, instance_type: str, stated: str, memory_gb: float | None, slice_share: float = 1.0
) -> tuple[str | None, tuple[str, ...]]:
    """Return the canonical accelerator behind an offer, and what is unsure about it.

    A price list says ``H100``; the instance type tells which. First the table of instance types is asked, then the words of
    the instance type itself, then memory. Where the form factor stays open, the family stands in (``A100-80GB``).

    Parameters
    ----------
    provider, instance_type : str
        The provider's own names.
    stated : str
        The accelerator as the source names it.
    memory_gb : float or None
        Nominal memory of one accelerator or slice, as the source states it.
    slice_share : float
        Share of an accelerator that is sold, 1 for whole ones.

    Returns
    -------
    tuple of (str or None) and tuple of str
        Canonical name, None where nothing known fits; and words of `pricing.facts.offers.FLAGS`.

    Examples
    --------
    >>> accelerator_of("aws", "p4d.24xlarge", "A100", 40)
    ('A100-40GB-SXM', ())
    >>> accelerator_of("nobody", "one A100", "A100", 80)
    ('A100-80GB', ('form_factor_unknown',))
    """
    whole_gb = memory_gb / slice_share if memory_gb is not None and slice_share < 1 else memory_gb
    row = instance_accelerator(provider, instance_type)
    if row is not None:
        if row.accelerator not in accelerators():
            return None, ("accelerator_unknown",)
        if whole_gb is not None and not memory_agrees(accelerators()[row.accelerator].memory_nominal_gb, whole_gb):
            return None, ("accelerator_unknown", "memory_disagrees")
        return row.accelerator, ()
    size = f" {whole_gb:g}gb" if whole_gb is not None and slice_share == 1 else ""
    listed, typed = read_name(stated), read_name(instance_type.partition("(")[0])
    form = listed.form or (typed.form if typed.model.startswith(listed.model) else "")
    # The type may name a card of its own: "RTX PRO 6000" stated, "RTX PRO 6000 Max-Q" sold.
    is_closer = listed.model and re.fullmatch(rf"{re.escape(listed.model)}[a-z].*", typed.model)
    closer = [f"{typed.model}{size}"] if is_closer else []
    for words in (*closer, f"{stated} {form}{size}", f"{stated}{size}"):
        try:
            rows = resolve_all(words)
        except PricingError:
            continue
        variants = [row.name for row in rows if row.name not in families()]
        if len(variants) == 1:
            return variants[0], ()
        unsure = [row.name for row in rows if row.name in families()]
        if len(unsure) == 1 and set(variants) <= set(families()[unsure[0]]):
            return unsure[0], ("form_factor_unknown",)
    return None, ("accelerator_unknown",)


def named(offer: Offer) -> Offer:
    """Return an offer of a table with the canonical name of the accelerator that the table states, where it gives none."""
    if offer.accelerator is not None or not offer.accelerator_count:
        return offer
    share = min(offer.accelerator_count, 1.0)
    name, unsure = accelerator_of(
        offer.provider, offer.instance_type, offer.accelerator_stated, offer.accelerator_memory_gb, share
    )
    return replace(offer, accelerator=name, flags=tuple(dict.fromkeys((*offer.flags, *unsure))))


def memory_agrees(nominal_gb: float, stated_gb: float) -> bool:
    """Say whether a stated size may be this accelerator's; sources count raw or usable memory, within a tenth."""
    return abs(stated_gb - nominal_gb) <= 0.1 * nominal_gb


def network_of(offer: Offer) -> tuple[str, float]:
    """Return what joins several machines of an offer, and its speed.

    Returns
    -------
    tuple of str and float
        ``infiniband``, ``efa``, ``ethernet`` or ``none``, and 1e9 bytes per second each way of the whole machine. Where
        nothing is published the machines count as not joined: ``("none", 0.0)``.
    """
    return _network(offer.provider, offer.instance_type)


def _network(provider: str, instance_type: str) -> tuple[str, float]:
    row = instance_network(provider, instance_type)
    return (row.network, row.network_gb_per_s_each_way) if row is not None else ("none", 0.0)


def physical_cores(offer: Offer) -> float | None:
    """Return the physical cores of an offer's host, None where vCPUs or their meaning are not known."""
    row = _fact(InstanceCores, offer.provider, offer.instance_type)
    return None if offer.vcpus is None or row is None else offer.vcpus / row.vcpus_per_core
