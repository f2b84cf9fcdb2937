"""Free tiers: notebooks and credits that cost nothing up to a cap, and the paid hours beside them.

They change without notice, are not guaranteed and often forbid commercial or unattended use: something to try, never a plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from pricing.checks import refuse_faults, refuse_unless_above_zero, refuse_unless_known, refuse_unless_not_negative
from pricing.dates import first_day
from pricing.tables import read_facts
from pricing.units import HOURS_PER_MONTH

FREE_TIER_KINDS = {
    "quota": "hours that cost nothing, in each period",
    "credit": "a monthly credit in USD, converted to hours of this accelerator",
    "hourly": "a price per hour in addition to the free plan",
    "subscription": "a price per month",
    "units": "a price for a packet of compute units",
}
PERIOD_HOURS = {"day": 24.0, "week": 168.0, "month": HOURS_PER_MONTH}
"""Length of the period in which a quota renews itself; a month is 730 hours."""


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
