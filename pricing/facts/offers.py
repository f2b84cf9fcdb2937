"""Offers: an instance type in a region under a purchase option, at a price; and which rows of two days are the same offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Final

from pricing.tables import (
    refuse_faults,
    refuse_unless_above_zero,
    refuse_unless_known,
    refuse_unless_not_negative,
    refuse_unless_plain,
)

FLAGS = {
    "accelerator_unknown": "no known accelerator fits what the source names; kept and reported, not planned with",
    "community": "a third party's machine in the provider's community cloud, not its own data center",
    "derived_price": "the price of a part times how many of it the machine has, according to the source",
    "excludes_host": "price of the GPU only; CPU and memory are billed on top",
    "far_below_others": "more than 40 % below every other seller of this accelerator, and no second source confirms it",
    "floor_price": 'a "from" price: the least that the seller takes, not the price of a stated machine',
    "form_factor_unknown": "SXM or PCIe is not stated; planned with the weaker of the two",
    "joined_infiniband": "the quote says that machines are joined by InfiniBand, 400 Gb/s for each GPU",
    "local_zone": "in a Local Zone, which an account has to opt into",
    "lowest_zone": "the lowest of several zones at that moment; the others cost up to three times as much",
    "lowest_ask": "the lowest ask on a market at that moment, no list price",
    "median_ask": "the median of the live asks on a market, no list price",
    "memory_disagrees": "the source states a memory size that the accelerator of this name does not have",
    "move_held_back": "the last reading moved by more than 40 %; the earlier price is used until a second reading confirms the change",
    "out_of_stock": "not to be had when the price was read",
    "private_quote": "quoted to you, and valid until it expires",
    "spot_at_floor": "spot is exactly a tenth of on-demand: a floor price, usually without tested capacity",
    "spot_equals_on_demand": "spot costs as much as on-demand: there was no discounted capacity at that moment",
}
"""What a reader of an offer should know, and what each word means."""
SHARED_HOSTS = frozenset({"community", "lowest_ask", "median_ask"})
"""Flags of a third party's machine."""
ZONE_KINDS = ("region", "zone", "local_zone", "edge")
TEXTS = (
    "provider", "instance_type", "region", "zone", "accelerator_stated", "processor", "offering_class",
    "launchable_note", "source", "adapter_version", "part",
)  # fmt: skip
"""Fields of free text: what stands in them reaches terminals, tables and pages."""
IDENTITY = ("provider", "instance_type", "region", "source")
SHORTEST_BLOCK_HOURS = 24
"""Capacity Blocks are sold by the day; longer ones are offers of their own."""
IDENTITY_COLUMNS: Final = tuple(
    "provider instance_type region zone purchase_option term_months payment offering_class minimum_hours".split()
)
"""The fields of an offer that say what is sold; all others may change while it stays the same thing."""
identity_key = attrgetter(*IDENTITY_COLUMNS)
"""The same as a tuple: faster than the text where many offers are compared."""


class PurchaseOption(StrEnum):
    """How an instance is paid for; one name per product, since terms differ."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED_1M = "reserved_1m"
    RESERVED_3M = "reserved_3m"
    RESERVED_6M = "reserved_6m"
    RESERVED_1Y = "reserved_1y"
    RESERVED_2Y = "reserved_2y"
    RESERVED_3Y = "reserved_3y"
    RESERVED_5Y = "reserved_5y"
    RESERVED_UNSPECIFIED = "reserved_unspecified"
    SAVINGS_PLAN_1Y = "savings_plan_1y"
    SAVINGS_PLAN_3Y = "savings_plan_3y"
    CAPACITY_BLOCK = "capacity_block"
    FLEX_START = "flex_start"
    CALENDAR = "calendar"
    MARKETPLACE = "marketplace"
    SERVERLESS = "serverless"


class Payment(StrEnum):
    """When a commitment is paid."""

    NONE = "none"
    PARTIAL = "partial"
    ALL = "all"
    MONTHLY = "monthly"


class Launchable(StrEnum):
    """Whether the offer can be started as it is priced."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


TERM_MONTHS = {
    PurchaseOption.RESERVED_1M: 1,
    PurchaseOption.RESERVED_3M: 3,
    PurchaseOption.RESERVED_6M: 6,
    PurchaseOption.RESERVED_1Y: 12,
    PurchaseOption.RESERVED_2Y: 24,
    PurchaseOption.RESERVED_3Y: 36,
    PurchaseOption.RESERVED_5Y: 60,
    PurchaseOption.SAVINGS_PLAN_1Y: 12,
    PurchaseOption.SAVINGS_PLAN_3Y: 36,
}
"""Length of the commitments that have one by name; the other options are bought by the hour or the block.

A ``serverless`` machine is billed by the second and given back when it has nothing to do. A ``reserved_unspecified`` price is a "starting from": term and volume are told on request.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePart:
    """One summand of a price, as the source sells it (a core, a GiB, a GPU).

    Attributes
    ----------
    name : str
        What is priced, in the trade's words (``core``, ``memory``, ``accelerator``, ``local_ssd``).
    sku_id : str
        The source's identifier.
    quantity, price_usd_per_hour : float
        How many units the instance holds, and what one costs per hour.
    """

    name: str
    sku_id: str = ""
    quantity: float = 1.0
    price_usd_per_hour: float

    def __post_init__(self) -> None:
        refuse_faults(
            refuse_unless_above_zero(self, "quantity") + refuse_unless_not_negative(self, "price_usd_per_hour")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance type in a region under a purchase option, at a price.

    Attributes
    ----------
    provider, instance_type, region : str
        The provider's own names; ``global`` where one price holds everywhere.
    zone : str
        Stable zone id, empty where the price holds for the whole region.
    zone_kind : str
        ``region``, ``zone``, ``local_zone`` or ``edge``.
    accelerator : str or None
        Canonical name of the accelerator; None for a CPU-only instance, or where the accelerator is not known
        (then `accelerator_stated` is not empty, and the offer is kept and reported but not planned with).
    accelerator_stated : str
        The accelerator as the source names it; empty for a CPU-only instance.
    accelerator_count : float
        Accelerators in one instance; a fraction where a slice is sold, 0 for a CPU-only instance.
    accelerator_memory_gb : float or None
        Nominal memory of one accelerator (or of the slice), as the source states it, 1e9 bytes.
    vcpus, memory_gib : float or None
        Of the whole instance; None where the source gives none.
    processor, cpu_arch : str
        Chip and instruction set of the host; empty where unknown.
    purchase_option : PurchaseOption
        How it is paid for.
    term_months : int
        Length of the commitment, 0 without one.
    payment : Payment
        When the commitment is paid.
    offering_class : str
        ``standard`` or ``convertible`` reserved instances, ``compute`` or ``ec2_instance`` savings plans; else empty.
    minimum_hours : float
        The shortest time that is billed or has to be bought (a Capacity Block's 24 hours).
    cancellable, interruptible : bool
        Whether the buyer can leave early, and whether the provider can take the machine back.
    launchable : Launchable
        Whether it can be started; `launchable_note` says why not.
    price_usd_per_hour : float
        Effective price of the whole instance per hour, up-front payment spread over the term (730 hours a month).
    upfront_usd : float
        The part of it that is paid at the start.
    price_parts : tuple of PricePart
        The summands, where the source sells parts.
    source : str
        Who says so.
    source_sku_ids : tuple of str
        The source's own identifiers of the price.
    effective_on : date or None
        From when on the source says that the price holds.
    observed_on : date
        The day on which the source was read.
    adapter_version : str
        Version of the reader that made the row.
    flags : tuple of str
        What a reader should know, words of `FLAGS` (``spot_equals_on_demand``, ``lowest_ask``).
    part : str
        The part of the source that the row came from (``on_demand/us-east-1``): what answers or fails as one.
    price_median_usd_per_hour, price_high_usd_per_hour : float or None
        Median and 90th percentile over time of the last 90 days, where a history is kept; None where there is none.
    price_history : tuple of (datetime, float)
        Earlier readings that the source itself tells (time in UTC without zone, USD per hour of the whole instance).

    Raises
    ------
    PricingError
        A row that cannot be, all its faults at once.
    """

    provider: str
    instance_type: str
    region: str
    zone: str = ""
    zone_kind: str = "region"
    accelerator: str | None = None
    accelerator_stated: str = ""
    accelerator_count: float = 0.0
    accelerator_memory_gb: float | None = None
    vcpus: float | None = None
    memory_gib: float | None = None
    processor: str = ""
    cpu_arch: str = ""
    purchase_option: PurchaseOption
    term_months: int = 0
    payment: Payment = Payment.NONE
    offering_class: str = ""
    minimum_hours: float = 0.0
    cancellable: bool = True
    interruptible: bool = False
    launchable: Launchable = Launchable.UNKNOWN
    launchable_note: str = ""
    price_usd_per_hour: float
    upfront_usd: float = 0.0
    price_parts: tuple[PricePart, ...] = field(default=())
    source: str
    source_sku_ids: tuple[str, ...] = ()
    effective_on: date | None = None
    observed_on: date
    adapter_version: str = ""
    flags: tuple[str, ...] = ()
    part: str = ""
    price_median_usd_per_hour: float | None = None
    price_high_usd_per_hour: float | None = None
    price_history: tuple[tuple[datetime, float], ...] = ()

    def __post_init__(self) -> None:
        faults = [f"{name} must not be empty" for name in IDENTITY if not getattr(self, name)]
        prices = ("price_usd_per_hour", "price_median_usd_per_hour", "price_high_usd_per_hour")
        faults += refuse_unless_above_zero(self, *prices, "accelerator_memory_gb", "vcpus", "memory_gib")
        faults += refuse_unless_not_negative(self, "accelerator_count", "term_months", "minimum_hours", "upfront_usd")
        faults += refuse_unless_known(self, "zone_kind", ZONE_KINDS)
        faults += refuse_unless_plain(self, *TEXTS)
        faults += [f"unknown flag {flag!r}; add it to FLAGS first" for flag in self.flags if flag not in FLAGS]
        if self.accelerator_count > 1 and self.accelerator_count != int(self.accelerator_count):
            faults.append(f"accelerator_count above 1 must be whole, got {self.accelerator_count:g}")
        if bool(self.accelerator_stated) != (self.accelerator_count > 0):
            faults.append(
                f"accelerator_count is {self.accelerator_count:g} and accelerator_stated is {self.accelerator_stated!r}: "
                "a CPU-only instance has neither, any other has both"
            )
        if self.accelerator is not None and not self.accelerator_stated:
            faults.append(f"accelerator is {self.accelerator!r} although the source states none")
        if self.launchable is Launchable.NO and not self.launchable_note:
            faults.append("launchable_note must say why the offer cannot be launched")
        term_months = TERM_MONTHS.get(self.purchase_option)
        if term_months is not None and self.term_months != term_months:
            faults.append(f"term_months must be {term_months} for {self.purchase_option.value}, got {self.term_months}")
        if self.interruptible and self.term_months:
            faults.append("an interruptible offer has no term")
        refuse_faults(faults)

    @property
    def accelerators_usd_per_hour(self) -> float | None:
        """Price of one accelerator-hour with its share of the host; None for a CPU-only instance."""
        return self.price_usd_per_hour / self.accelerator_count if self.accelerator_count else None

    @property
    def shared_host(self) -> bool:
        """Whether the machine is a third party's that the provider only brokers (a market, a community cloud)."""
        return not SHARED_HOSTS.isdisjoint(self.flags)


def offer_id(offer: Offer) -> str:
    """Return a stable, readable identity: the same offer at another price on another day has the same.

    Returns
    -------
    str
        ``provider/region[@zone]/instance_type/purchase_option``, followed by the class and the payment of a commitment
        where they are not the usual ones (standard or compute; nothing up front or monthly), and by the hours of a block
        that is longer than a day.

    Examples
    --------
    >>> row = Offer(provider="aws", instance_type="p5.48xlarge", region="us-east-1", price_usd_per_hour=55.04,
    ...             purchase_option=PurchaseOption.ON_DEMAND, source="doctest", observed_on=date(2026, 7, 20))
    >>> offer_id(row)
    'aws/us-east-1/p5.48xlarge/on_demand'
    """
    place = f"{offer.region}@{offer.zone}" if offer.zone else offer.region
    parts = [offer.provider, place, offer.instance_type, offer.purchase_option.value]
    if offer.purchase_option in TERM_MONTHS:
        if offer.offering_class not in {"", "standard", "compute"}:
            parts.append(offer.offering_class)
        if offer.payment in {Payment.PARTIAL, Payment.ALL}:
            parts.append(offer.payment.value)
    if offer.purchase_option is PurchaseOption.CAPACITY_BLOCK and offer.minimum_hours > SHORTEST_BLOCK_HOURS:
        parts.append(f"{offer.minimum_hours:g}h")
    return "/".join([part.replace("/", "_").replace(" ", "_") for part in parts])


def identity_of(offer: Offer) -> str:
    """Return the text under which an offer is known, from day to day.

    Examples
    --------
    >>> from datetime import date
    >>> from pricing.facts.offers import PurchaseOption
    >>> identity_of(Offer(provider="aws", instance_type="p5.48xlarge", region="us-east-1", source="doctest",
    ...     purchase_option=PurchaseOption.ON_DEMAND, price_usd_per_hour=55.04, observed_on=date(2026, 11, 1)))
    'aws|p5.48xlarge|us-east-1||on_demand|0|none||0'
    """
    return identity_text(*identity_key(offer))


def identity_text(  # noqa: PLR0913 - the fields that make an identity
    provider: str,
    instance_type: str,
    region: str,
    zone: str = "",
    purchase_option: str = "",
    term_months: int = 0,
    payment: str = "none",
    offering_class: str = "",
    minimum_hours: float = 0.0,
) -> str:
    """Return the same text from the fields alone, for a row that cannot become an offer."""
    place = f"{provider}|{instance_type}|{region}|{zone}"
    return f"{place}|{purchase_option}|{term_months}|{payment}|{offering_class}|{minimum_hours:g}"
