"""Sellers: who offers machines, what an independent party says of them, the tier that follows, and their free tiers.

Free tiers change without notice, are not guaranteed and often forbid commercial or unattended use: something to try, never a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from pricing.clock import HOURS_PER_MONTH
from pricing.facts.dates import first_day
from pricing.tables import (
    read_facts,
    refuse_faults,
    refuse_unless_above_zero,
    refuse_unless_country,
    refuse_unless_known,
    refuse_unless_not_negative,
)

FREE_TIER_KINDS = {
    "quota": "hours that cost nothing, in each period",
    "credit": "a monthly credit in USD, converted to hours of this accelerator",
    "hourly": "a price per hour in addition to the free plan",
    "subscription": "a price per month",
    "units": "a price for a packet of compute units",
}
PERIOD_HOURS = {"day": 24.0, "week": 168.0, "month": HOURS_PER_MONTH}
"""Length of the period in which a quota renews itself; a month is 730 hours."""


KINDS = {
    "hyperscaler": "a general cloud with regions all over the world",
    "neocloud": "a cloud that sells GPUs above all",
    "marketplace": "brokers machines of third parties",
    "aggregator": "resells other clouds under one account",
    "notebook": "sells notebooks and single machines",
    "api": "sells models or functions on its GPUs",
}
RATINGS = ("platinum", "gold", "silver", "bronze", "participation_ribbon", "underperform", "unavailable")
"""Words of SemiAnalysis ClusterMAX, best first; ``unavailable`` could not be tested, which is no judgment."""
GOOD_RATINGS = RATINGS[: RATINGS.index("bronze") + 1]
TIERS = {
    "A": "a hyperscaler that is rated bronze or better",
    "B": "rated bronze or better, or with an SLA, node sizes and regions that are stated",
    "C": "a price list without these",
    "D": "a marketplace, an aggregator, a community host, a free tier, or shared GPUs sold as whole ones",
}
OTHER_NAMES = {
    "google": "gcp", "google-vertex": "gcp", "aws-bedrock": "aws", "ovhcloud": "ovh", "gmicloud": "gmi-cloud",
}  # fmt: skip
"""Names under which sellers of tokens list a seller of machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeTier:
    """One accelerator (or none) in one plan of one service.

    Attributes
    ----------
    service, plan : str
        Who offers it (``Kaggle``) and under which name (``Notebooks``).
    kind : str
        A word of `FREE_TIER_KINDS`.
    accelerator : str or None
        Canonical name; None for a CPU-only plan or where the source names none that is known.
    accelerator_stated : str
        As the source names it; empty for a CPU-only plan or one that names none.
    accelerator_count : float or None
        Accelerators at once; a fraction of a card, 0 for CPU only, None where it is not told.
    accelerator_memory_gb : float or None
        Nominal memory of one accelerator or slice.
    quota_hours : float or None
        Hours in each `period`; None where no number is published.
    period : str
        ``day``, ``week``, ``month``, or empty where there is no quota.
    max_session_hours : float or None
        The longest single session.
    price_usd : float or None
        0 is free; None is unknown. For `credit` the price of an hour beyond the credit, for `hourly` that of an hour, for
        `subscription` that of a month, for `units` that of a packet of 100.
    compute_units_per_hour : float or None
        What an hour uses up of the service's own units.
    superseded : bool
        True where a later row replaces this one; kept for its day.
    confidence : str
        ``official``, ``official_copy``, ``official_old``, ``official_undated``, ``observed``, ``third_party``, ``third_party_undated``, ``unknown``.
    as_of : str
        The day or month of the source, ISO 8601; empty where the source is undated.
    source, notes : str
        Who says so, and traps.
    """

    service: str
    plan: str
    kind: str
    accelerator: str | None = None
    accelerator_stated: str = ""
    accelerator_count: float | None = None
    accelerator_memory_gb: float | None = None
    quota_hours: float | None = None
    period: str = ""
    max_session_hours: float | None = None
    price_usd: float | None = None
    compute_units_per_hour: float | None = None
    superseded: bool = False
    confidence: str
    as_of: str = ""
    source: str
    notes: str = ""

    def __post_init__(self) -> None:
        faults = refuse_unless_known(self, "kind", FREE_TIER_KINDS)
        faults += refuse_unless_known(self, "period", ("", *PERIOD_HOURS))
        faults += refuse_unless_above_zero(
            self, "accelerator_memory_gb", "quota_hours", "max_session_hours", "compute_units_per_hour"
        )
        faults += refuse_unless_not_negative(self, "accelerator_count", "price_usd")
        if self.quota_hours is not None and not self.period:
            faults.append("quota_hours needs a period in which it renews itself")
        refuse_faults(faults)

    @property
    def day(self) -> date | None:
        """The first day of its source's date; None where the source is undated."""
        return first_day(self.as_of) if self.as_of else None

    @property
    def free(self) -> bool:
        """Whether hours of it cost nothing at all, up to the quota."""
        return not self.superseded and (
            (self.kind == "quota" and self.price_usd == 0) or (self.kind == "credit" and self.quota_hours is not None)
        )

    @property
    def quota_hours_per_month(self) -> float | None:
        """Free hours in a month of 730 hours; None where no number is published."""
        if self.quota_hours is None:
            return None
        return self.quota_hours * PERIOD_HOURS["month"] / PERIOD_HOURS[self.period]


@cache
def free_tiers() -> tuple[FreeTier, ...]:
    """Return all rows, superseded ones among them."""
    return read_facts(FreeTier, "free_tiers.csv")


class Tier(NamedTuple):
    """How far a seller can be relied on: a letter of `TIERS`, and the facts that led there."""

    letter: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """What is known of a provider as a company.

    Attributes
    ----------
    provider : str
        As in `pricing.facts.offers.Offer`.
    kind : str
        A word of `KINDS`; empty where it is not known.
    country : str or None
        Headquarters, ISO 3166-1 alpha-2; no place of its machines. None where it is not known.
    rating, rating_source : str
        The newest independent rating, a word of `RATINGS` or empty, and who gave it.
    rated_on : date or None
        Its day.
    earlier_rating, earlier_rating_source, earlier_rated_on
        The one before it, likewise.
    sla : str
        The availability that it promises in public; empty where none is known.
    node_sizes_stated, regions_stated : bool
        Whether its price list tells machines with several GPUs, and where they stand.
    shares_accelerators : bool
        Whether several tenants share what it sells as a whole GPU.
    clusters : str
        Whether it sells joined nodes, and over which network; empty where it is not known.
    minimum_commitment, certifications : str
        As it states them; empty where it is not known.
    price_api : str
        How its prices can be read by a program; empty where it is not known.
    source : str
        Who says so.
    observed_on : date
        The day of the survey.
    notes : str
        Traps.
    """

    provider: str
    kind: str = ""
    country: str | None = None
    rating: str = ""
    rating_source: str = ""
    rated_on: date | None = None
    earlier_rating: str = ""
    earlier_rating_source: str = ""
    earlier_rated_on: date | None = None
    sla: str = ""
    node_sizes_stated: bool = False
    regions_stated: bool = False
    shares_accelerators: bool = False
    clusters: str = ""
    minimum_commitment: str = ""
    certifications: str = ""
    price_api: str = ""
    source: str
    observed_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        faults = refuse_unless_country(self.country)
        faults += refuse_unless_known(self, "kind", ("", *KINDS))
        for name, day in (("rating", self.rated_on), ("earlier_rating", self.earlier_rated_on)):
            faults += refuse_unless_known(self, name, ("", *RATINGS))
            if getattr(self, name) and day is None:
                faults.append(f"{name} needs its day")
        refuse_faults(faults)

    @property
    def tier(self) -> Tier:
        """Its tier by these facts, the newest judgment of an independent party first."""
        if self.shares_accelerators:
            return Tier("D", "several tenants share what is sold as a whole GPU")
        if self.kind in {"marketplace", "aggregator"}:
            return Tier("D", KINDS[self.kind])
        judgments = [(self.rating, self.rated_on), (self.earlier_rating, self.earlier_rated_on)]
        rating, rated_on = next(((word, on) for word, on in judgments if word not in {"", "unavailable"}), ("", None))
        judgment = f"rated {rating.replace('_', ' ')} ({rated_on})" if rating else "not rated"
        if rating in GOOD_RATINGS:
            return Tier("A", f"hyperscaler, {judgment}") if self.kind == "hyperscaler" else Tier("B", judgment)
        stated = {"SLA": self.sla, "node sizes": self.node_sizes_stated, "regions": self.regions_stated}
        if all(stated.values()):
            return Tier("B", f"SLA of {self.sla}; node sizes and regions stated; {judgment}")
        missing = [name for name, is_stated in stated.items() if not is_stated]
        return Tier("C", f"{judgment}; {', '.join(missing)} not stated")


@cache
def sellers() -> Mapping[str, Seller]:
    """Return every seller that is known, by provider."""
    return MappingProxyType({row.provider: row for row in read_facts(Seller, "sellers.csv")})


def seller_of(provider: str) -> Seller | None:
    """Return what is known of a seller of machines or tokens, None where nothing is."""
    # Behind Hugging Face's router stands the seller that the listing names.
    name = provider.removeprefix("huggingface_")
    return sellers().get(OTHER_NAMES.get(name, name))


@cache
def tier_of(provider: str, *, shared_host: bool = False) -> Tier:
    """Return the tier of a seller, and why.

    Parameters
    ----------
    provider : str
        The provider's name, in offers or in lists of token prices.
    shared_host : bool
        Whether the machine is a third party's that the provider only brokers (`pricing.facts.offers.Offer.shared_host`).

    Examples
    --------
    >>> tier_of("aws")
    Tier(letter='A', reason='hyperscaler, rated bronze (2026-09-23)')
    >>> tier_of("packet-ai").letter
    'D'
    """
    seller = seller_of(provider)
    if shared_host:
        return Tier("D", "a third party's machine, brokered")
    if seller is None:
        if any(row.service == provider for row in free_tiers()):
            return Tier("D", "a free tier: no guarantee")
        return Tier("C", "nothing known but its prices")
    return seller.tier
