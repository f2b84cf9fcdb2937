"""Options: the ways to get the work done, each with its machines, its money over time and its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from planner.costs.timeline import Timeline
from planner.options.book import Book
from planner.supply.machines import Fleet

__all__ = ["Option", "OptionKind"]


class OptionKind(StrEnum):
    """What sort of answer an option is."""

    RENT = "rent"
    BUY = "buy"
    API = "api"
    FREE = "free"
    CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to get the work done.

    Attributes
    ----------
    id : str
        Stable name, such as ``aws/us-east-1/p5.48xlarge/on_demand`` or ``own/H100-SXM-8/colocation``.
    kind : OptionKind
        Rented accelerators, owned ones, a hosted API, a free tier, or CPU-only machines.
    provider, region, instance_type, purchase_option : str
        Who sells what, where and how it is paid; empty where it does not apply.
    fleet : Fleet or None
        The machines; None for a hosted API.
    price_usd_per_hour : float or None
        Of one instance.
    paid_hours_per_month : float
        Machine hours paid in a month (of one run, for a job that is run once), all instances together.
    timeline : Timeline
        Money and useful hours by month.
    book : Book or None
        What the timeline was made from besides beliefs; None where nothing is paid.
    present_value_usd, usd_per_month : float
        Cost over the horizon in today's money, and the plain mean of a month (of the run, for a job run once).
    usd_per_useful_gpu_hour, usd_per_million_tokens, usd_per_thousand_images : float or None
        Cost of an hour of useful work of one accelerator, of 1e6 tokens, and of 1e3 images.
    utilisation_share : float or None
        Busy share of the paid hours.
    needed_share : float
        Share of the clock hours in which the machines are needed; 1 for a service that never closes.
    hours_per_run : float or None
        Clock hours of one run of a job.
    kwh_per_month, co2e_kg_per_month : float or None
        Electricity used, the site's overhead counted, and its emissions; None where nobody states the draw.
    priced_on : date
        Date of the price.
    source : str
        Who states it.
    choosable : bool
        Whether the verdict may recommend it; `reason_not_chosen` says why not.
    reason_not_chosen : str
        Why it is shown as a hint only.
    notes : tuple of str
        What the user should know, in sentences.
    """

    id: str
    kind: OptionKind
    provider: str
    region: str = ""
    instance_type: str = ""
    purchase_option: str = ""
    fleet: Fleet | None = None
    price_usd_per_hour: float | None = None
    paid_hours_per_month: float = 0.0
    timeline: Timeline
    book: Book | None = None
    present_value_usd: float
    usd_per_month: float
    usd_per_useful_gpu_hour: float | None = None
    usd_per_million_tokens: float | None = None
    usd_per_thousand_images: float | None = None
    utilisation_share: float | None = None
    needed_share: float = 1.0
    hours_per_run: float | None = None
    kwh_per_month: float | None = None
    co2e_kg_per_month: float | None = None
    priced_on: date
    source: str
    choosable: bool = True
    reason_not_chosen: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def instance_count(self) -> int:
        """Whole machines."""
        return self.fleet.instance_count if self.fleet else 0

    @property
    def accelerator(self) -> str | None:
        """Name of the accelerator, None without one."""
        machine = self.fleet.machine if self.fleet else None
        return machine.accelerator.name if machine and machine.accelerator else None

    @property
    def accelerator_count(self) -> float:
        """Accelerators in one instance."""
        return self.fleet.machine.accelerator_count if self.fleet else 0.0

    @property
    def accelerators_total_count(self) -> float:
        """Accelerators paid for, all instances together."""
        return self.accelerator_count * self.instance_count
