"""Offers: an instance type in a region under a purchase option, at a price."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

__all__ = ["Launchable", "Offer", "Payment", "PricePart", "PurchaseOption"]


class PurchaseOption(StrEnum):
    """How an instance is paid for; one name per product, since terms differ."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved_1y"
    RESERVED_3Y = "reserved_3y"
    RESERVED_5Y = "reserved_5y"
    SAVINGS_PLAN_1Y = "savings_plan_1y"
    SAVINGS_PLAN_3Y = "savings_plan_3y"
    CAPACITY_BLOCK = "capacity_block"
    FLEX_START = "flex_start"
    CALENDAR = "calendar"
    MARKETPLACE = "marketplace"


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
        What a reader should know (``spot_equals_on_demand``, ``lowest_ask``).
    part : str
        The part of the source that the row came from (``on_demand/us-east-1``): what answers or fails as one.
    price_median_usd_per_hour, price_high_usd_per_hour : float or None
        Median and 90th percentile over time of the last 90 days, where a history is kept; None where there is none.
    price_history : tuple of (datetime, float)
        Earlier readings that the source itself tells (time in UTC without zone, USD per hour of the whole instance).
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
