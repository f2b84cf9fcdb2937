"""Options: the ways to get the work done, with their machines, their money over time, and the reasons not to recommend them.

Reasons are codes with their figures; `planner.report.wording` says them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypedDict

from planner.costs.inputs import BuyInputs, CostInputs, RentInputs
from planner.costs.timeline import Timeline
from planner.demand.volume import Volume
from planner.notes import Note
from planner.supply.machines import Fleet


class ReasonCode(StrEnum):
    """Why an option is not recommended."""

    RECLAIMABLE = "reclaimable"
    BLOCK_TOO_SHORT = "block_too_short"
    BLOCK_TOO_LARGE = "block_too_large"
    GANG_RECLAIMABLE = "gang_reclaimable"
    NO_TIME_TO_REPEAT = "no_time_to_repeat"
    MARKETPLACE_ASK = "marketplace_ask"
    COMMUNITY_HOST = "community_host"
    FAR_BELOW_OTHERS = "far_below_others"
    SINGLE_RUN = "single_run"
    DELIVERED_TOO_LATE = "delivered_too_late"
    NO_BRIDGE = "no_bridge"
    CAPEX_ABOVE_LIMIT = "capex_above_limit"
    SERVICE_AT_HOME = "service_at_home"
    SINGLE_SERVER = "single_server"
    CONSUMER_LICENSE = "consumer_license"
    QUOTA_UNPUBLISHED = "quota_unpublished"
    CREDIT = "credit"
    SESSION_TOO_SHORT = "session_too_short"
    NEEDS_XLA = "needs_xla"
    TOO_FEW_OWNED = "too_few_owned"
    LIMITS_MISSED = "limits_missed"
    SPEED_EXTRAPOLATED = "speed_extrapolated"
    TIER_B = "tier_b"
    TIER_C = "tier_c"
    TIER_D = "tier_d"
    QUANTITY = "quantity"
    PRICE_OLD = "price_old"
    FLOOR_PRICE = "floor_price"
    COLD_START_UNKNOWN = "cold_start_unknown"
    FREE_TIER = "free_tier"
    MARGIN = "margin"
    CONFIDENCE = "confidence"
    PAYS_OFF_LATE = "pays_off_late"
    QUOTES = "quotes"
    OUTLASTS_RUN = "outlasts_run"
    UNDATED_PRICE = "undated_price"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, and the figures that its sentence needs, in the order in which the sentence names them.

    Attributes
    ----------
    code : ReasonCode
        Which rule speaks against the option.
    figures : tuple of float
        Months or hours, as the rule states them.
    """

    code: ReasonCode
    figures: tuple[float, ...] = ()


NEAR_A_MONTH = 0.05
"""What lasts to within a day or two of the horizon lasts to its end."""


class UnitCosts(TypedDict):
    """The figures of `planner.options.option.Option` that follow from money and work alone."""

    present_value_usd: float
    usd_per_month: float
    usd_per_useful_gpu_hour: float | None
    usd_per_million_tokens: float | None
    usd_per_thousand_images: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What a month costs at first, for how many months, and then."""

    first_usd_per_month: float
    first_months: float
    then_usd_per_month: float


def stages_of(rent: RentInputs, costs: Timeline) -> Stages | None:
    """Return what a month costs while a credit or another price of the first months lasts, and after.

    None where neither ends within the horizon, and for work that is run once, which has one bill. What is paid today for a
    term is in neither.
    """
    by_month, months = costs.by_month_usd()[1:], rent.first_months
    if not months and rent.credit_usd > 0:
        bill_usd = costs.component_usd("on_demand")[1] + costs.component_usd("commitment")[1]
        months = -float(costs.component_usd("credit").sum()) / bill_usd if bill_usd > 0 else 0.0
    if rent.run_hours or not 0 < months < costs.months - NEAR_A_MONTH:
        return None
    # The month in which it ends is of both kinds.
    first = by_month[0] if months >= 1 else (by_month[0] - (1.0 - months) * by_month[1]) / months
    then = (by_month.sum() - first * months) / (costs.months - months)
    return Stages(first_usd_per_month=float(first), first_months=months, then_usd_per_month=float(then))


def unit_costs(
    timelines: Timeline, work: Volume, *, working_months: Sequence[int], discount_rate_share_per_year: float
) -> list[UnitCosts]:
    """Return what each of many alternatives comes to, in their order.

    Parameters
    ----------
    timelines : Timeline
        One or more alternatives.
    work : Volume
        What is done in a month or a run.
    working_months : sequence of int
        Months in which there is work, of each; the mean month is taken over these.
    discount_rate_share_per_year : float
        For the present value; unit costs are plain money over plain work.
    """
    runs = work.runs(timelines.months)
    tokens, images = work.tokens * runs, work.images * runs
    worth_usd = timelines.present_value_usd(discount_rate_share_per_year)
    totals = zip(
        worth_usd.tolist(),
        timelines.total_usd().tolist(),
        timelines.useful_gpu_hours.sum(axis=-1).tolist(),
        working_months,
        strict=True,
    )
    return [
        UnitCosts(
            present_value_usd=worth,
            usd_per_month=total_usd / months,
            usd_per_useful_gpu_hour=total_usd / hours if hours > 0 else None,
            usd_per_million_tokens=total_usd / tokens * 1e6 if tokens > 0 else None,
            usd_per_thousand_images=total_usd / images * 1e3 if images > 0 else None,
        )
        for worth, total_usd, hours, months in totals
    ]


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
        Tier of the seller, ``A`` to ``D`` (`pricing.facts.sellers`); empty for what is owned.
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
        What the user should know, as codes.
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
