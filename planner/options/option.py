"""Options: the ways to get the work done, each with its machines, its money over time and its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from planner.costs.inputs import BuyInputs, CostInputs, RentInputs
from planner.costs.timeline import Timeline
from planner.notes import Note
from planner.options.reason import Reason
from planner.options.unit_costs import Stages, stages_of
from planner.supply.machines import Fleet

NO_END_MONTHS = 1200
LONGEST_FREE_TERM_MONTHS = 12
"""A commitment of up to a year needs no margin."""


class OptionKind(StrEnum):
    """What sort of answer an option is; ``have`` is what is paid for already."""

    RENT = "rent"
    BUY = "buy"
    API = "api"
    FREE = "free"
    HAVE = "have"
    CPU = "cpu"


RENTED = frozenset({OptionKind.RENT, OptionKind.CPU})
"""Machines that are rented, with or without accelerators."""


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
    capex_usd : float or None
        What owned servers cost to buy, installed; 0 where they are leased, None for what is not owned.
    book : CostInputs or None
        What the timeline was made from besides assumptions; None where nothing is paid.
    present_value_usd, usd_per_month : float
        Cost over the horizon (NPV), and the plain mean of a month in which there is work.
    spare_usd_per_month : float
        Part of the mean month that machines on standby add.
    usd_per_useful_gpu_hour, usd_per_million_tokens, usd_per_thousand_images : float or None
        Cost of an hour of useful work of one accelerator, of 1e6 tokens, and of 1e3 images.
    utilisation_share : float or None
        Busy share of the paid hours.
    needed_share : float
        Share of the clock hours in use; 1 for a service that never closes.
    hours_per_run : float or None
        Clock hours of one run of a job.
    kwh_per_month, co2e_kg_per_month : float or None
        Electricity used, the site's overhead counted, and its emissions; None where nobody states the draw.
    is_quoted : bool
        Whether its price was quoted to the user alone.
    grid_place : str
        Whose grid the emissions rest on (`planner.costs.carbon.grid_intensity`); empty without them.
    priced_on : date
        Date of the price.
    source : str
        Who states it.
    tier : str
        Tier of the seller, ``A`` to ``D`` (`pricing.sellers`); empty for what is owned.
    staleness_count : int
        How much older the price is than its class of price may be: 0 within the limit, 1 within twice, 2 within four times ...
    is_floor_price : bool
        Whether the price is a "from" price, which names no machine.
    most_accelerators : float
        How many accelerators of this kind can be counted on without a commitment or a quote.
    rest_share : float
        Part of the work that what is paid for already is too little for, and `rest_id` does.
    rest_id : str
        The option that does the rest; its cost is counted.
    not_recommended : tuple of Reason
        Why the verdict may not recommend it; empty where it may.
    notes : tuple of Note
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
    capex_usd: float | None = None
    book: CostInputs | None = None
    present_value_usd: float
    usd_per_month: float
    spare_usd_per_month: float = 0.0
    usd_per_useful_gpu_hour: float | None = None
    usd_per_million_tokens: float | None = None
    usd_per_thousand_images: float | None = None
    utilisation_share: float | None = None
    needed_share: float = 1.0
    hours_per_run: float | None = None
    kwh_per_month: float | None = None
    co2e_kg_per_month: float | None = None
    grid_place: str = ""
    is_quoted: bool = False
    priced_on: date
    source: str
    tier: str = ""
    staleness_count: int = 0
    is_floor_price: bool = False
    most_accelerators: float = math.inf
    rest_share: float = 0.0
    rest_id: str = ""
    not_recommended: tuple[Reason, ...] = ()
    notes: tuple[Note, ...] = field(default=())

    @property
    def choosable(self) -> bool:
        """Whether the verdict may recommend it."""
        return not self.not_recommended

    @property
    def size(self) -> tuple[float, int]:
        """Accelerators and machines that it takes up; of two options at one price the smaller is enough, and one node's GPUs are joined."""
        return self.accelerators_total_count, self.fleet.instance_count if self.fleet else 0

    @property
    def term_months(self) -> int:
        """For how long it binds: its commitment; an owned server binds beyond any horizon."""
        if isinstance(self.book, BuyInputs):
            return NO_END_MONTHS
        return int(self.book.term_months) if isinstance(self.book, RentInputs) else 0

    @property
    def total_usd(self) -> float:
        """All that is paid within the horizon, not discounted; of work that is run once, what the run costs."""
        return float(self.timeline.total_usd())

    @property
    def credit_used_usd(self) -> float:
        """What is paid from credits; its cost does not hold it."""
        has_credit = isinstance(self.book, RentInputs) and self.book.credit_usd > 0
        return -float(self.timeline.component_usd("credit").sum()) if has_credit else 0.0

    @property
    def stages(self) -> Stages | None:
        """What a month costs while a credit or what is paid for already lasts, and after; None without a change."""
        return stages_of(self.book, self.timeline) if isinstance(self.book, RentInputs) else None

    def stated_usd(self, *, once: bool) -> float:
        """Return the cost that people are told: of the run, or of the mean month."""
        return self.total_usd if once else self.usd_per_month

    def usd_per_run(self, runs_per_month: float | None) -> float:
        """Return the cost of one run, of a job that comes again every month or is run once."""
        return self.usd_per_month / runs_per_month if runs_per_month else self.total_usd

    @property
    def binds(self) -> bool:
        """Whether it binds for more than a year, so that it has to be cheaper by a margin and with confidence."""
        return self.term_months > LONGEST_FREE_TERM_MONTHS

    @property
    def instance_count(self) -> int:
        """Whole machines."""
        return self.fleet.instance_count if self.fleet else 0

    @property
    def spare_instance_count(self) -> int:
        """Whole machines of these that stand by."""
        return self.fleet.spare_instance_count if self.fleet else 0

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
