"""Instance types: what a provider's own name for a machine tells beyond its price row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from typing import TypeVar

from pricing.accelerator_names import read_name
from pricing.accelerators import accelerators, families, resolve_all
from pricing.checks import refuse_faults, refuse_unless_above_zero, refuse_unless_known, refuse_unless_not_negative
from pricing.errors import PricingError
from pricing.offers import Offer
from pricing.tables import read_facts

__all__ = [
    "NETWORKS",
    "InstanceAccelerator",
    "InstanceCores",
    "InstanceNetwork",
    "accelerator_of",
    "instance_network",
    "network_of",
    "physical_cores",
]

NETWORKS = ("infiniband", "efa", "ethernet", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAccelerator:
    """Which accelerator, form factor included, stands behind a provider's instance types.

    Attributes
    ----------
    provider, instance_pattern : str
        Provider, and its instance types as a shell pattern (``p4d.*``); the longest pattern that fits counts.
    accelerator : str
        Canonical name.
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
    source: str
    retrieved_on: date
    notes: str = ""


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


@cache
def _by_provider(row_type: type[Fact], file: str) -> dict[str, tuple[Fact, ...]]:
    """Return the rows of a table by provider, the longest pattern first."""
    found: dict[str, list[Fact]] = {}
    for row in read_facts(row_type, file):
        found.setdefault(row.provider, []).append(row)
    return {
        provider: tuple(sorted(rows, key=lambda row: -len(row.instance_pattern))) for provider, rows in found.items()
    }


def _first(rows: Iterable[Fact], instance_type: str) -> Fact | None:
    return next((row for row in rows if fnmatchcase(instance_type, row.instance_pattern)), None)


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
        Canonical name, None where nothing known fits; and words of `pricing.offers.FLAGS`.

    Examples
    --------
    >>> accelerator_of("aws", "p4d.24xlarge", "A100", 40)
    ('A100-40GB-SXM', ())
    >>> accelerator_of("nobody", "one A100", "A100", 80)
    ('A100-80GB', ('form_factor_unknown',))
    """
    whole_gb = memory_gb / slice_share if memory_gb is not None and slice_share < 1 else memory_gb
    known = accelerators()
    row = _first(_by_provider(InstanceAccelerator, "instance_accelerators.csv").get(provider, ()), instance_type)
    if row is not None:
        if whole_gb is not None and not _memory_agrees(known[row.accelerator].memory_nominal_gb, whole_gb):
            return None, ("accelerator_unknown", "memory_disagrees")
        return row.accelerator, ()
    size = f" {whole_gb:g}gb" if whole_gb is not None and slice_share == 1 else ""
    said, typed = read_name(stated), read_name(instance_type)
    form = said.form or (typed.form if typed.model == said.model else "")
    for words in (f"{stated} {form}{size}", f"{stated}{size}"):
        try:
            rows = resolve_all(words)
        except PricingError:
            continue
        variants = [each for each in rows if each.name not in families()]
        if len(variants) == 1:
            return variants[0].name, ()
        unsure = [each.name for each in rows if each.name in families()]
        if len(unsure) == 1 and {each.name for each in variants} <= set(families()[unsure[0]]):
            return unsure[0], ("form_factor_unknown",)
    return None, ("accelerator_unknown",)


def _memory_agrees(nominal_gb: float, stated_gb: float) -> bool:
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
    row = instance_network(offer.provider, offer.instance_type)
    return (row.network, row.network_gb_per_s_each_way) if row is not None else ("none", 0.0)


@cache
def instance_network(provider: str, instance_type: str) -> InstanceNetwork | None:
    """Return all that is known of a machine type's network (`rdma`, source, traps); None where nothing is published."""
    return _first(_by_provider(InstanceNetwork, "instance_networks.csv").get(provider, ()), instance_type)


def physical_cores(offer: Offer) -> float | None:
    """Return the physical cores of an offer's host, None where vCPUs or their meaning are not known."""
    per_core = _vcpus_per_core(offer.provider, offer.instance_type)
    return None if offer.vcpus is None or per_core is None else offer.vcpus / per_core


@cache
def _vcpus_per_core(provider: str, instance_type: str) -> float | None:
    row = _first(_by_provider(InstanceCores, "instance_cores.csv").get(provider, ()), instance_type)
    return row.vcpus_per_core if row is not None else None
