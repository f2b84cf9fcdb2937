"""The record of an option as types: its speed, its memory, its cost, and what its money was worked out from."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.options.option import OptionKind, ReasonCode

Count = Annotated[int, Field(ge=0, le=1 << 53)]
Months = Annotated[int, Field(ge=1, le=600)]
Number = Annotated[float, Field(ge=-1e18, le=1e18)]
Positive = Annotated[float, Field(ge=0, le=1e18)]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """More keys may come in later versions; no number is infinite."""

    model_config = ConfigDict(
        extra="allow", allow_inf_nan=False, frozen=True, strict=True, use_attribute_docstrings=True
    )


class Range(Part):
    low: Number
    typical: Number
    high: Number


class LatencyCurve(Part):
    """The times within which so many percent of the requests are."""

    what: Literal["TTFT", "TPOT", "total time"]
    limit_ms: Number
    percentiles: list[Number]
    ms: list[Number]


class Performance(Part):
    tokens_per_s: Number | None
    ttft_ms: Number | None
    tpot_ms: Number | None
    step_s: Number | None
    mfu_share: Share | None
    bound: str
    basis: str
    evidence: str
    rate_per_s: Range
    rate_unit: str
    ttft_range_ms: Range | None
    tpot_range_ms: Range | None
    ttft_p50_ms: Number | None = None
    """Of requests as they vary, simulated at the busiest rate with the spares lost; null for what was not simulated."""
    ttft_p90_ms: Number | None = None
    ttft_p95_ms: Number | None = None
    ttft_p99_ms: Number | None = None
    tpot_p50_ms: Number | None = None
    tpot_p90_ms: Number | None = None
    tpot_p95_ms: Number | None = None
    tpot_p99_ms: Number | None = None
    total_p50_ms: Number | None = None
    total_p90_ms: Number | None = None
    total_p95_ms: Number | None = None
    total_p99_ms: Number | None = None
    latency_curves: list[LatencyCurve] = []
    """The share of the requests within each time, of the times that have a limit."""
    over_ttft_limit_share: Share | None = None
    over_tpot_limit_share: Share | None = None
    over_total_limit_share: Share | None = None
    limit_percentile: Number | None = None
    """Percent of the requests that have to keep the limits; null holds the mean to them."""
    limits_hold: bool | None = None
    simulated_replica_count: Count | None = None
    """Replicas without the spares."""
    limits_replica_count: Count | None = None
    """Replicas that hold the limits at the percentile; null where up to twice as many do not, or where it was not searched."""
    limits_p99_replica_count: Count | None = None


class Stages(Part):
    """What a month costs while a credit or a commitment you have lasts, and after; `usd_per_month` is the mean."""

    first_usd_per_month: Number
    first_months: Positive
    then_usd_per_month: Number


class Cost(Part):
    present_value_usd: Number
    total_usd: Number | None = None
    """All that is paid within the horizon, not discounted: of work that is run once, what the run costs; null in older plans."""
    usd_per_month: Number
    low_usd_per_month: Number | None = None
    """10th percentile of the joint draws; null for what the verdict is not held against."""
    high_usd_per_month: Number | None = None
    """90th percentile."""
    spare_usd_per_month: Number = 0.0
    """Part of the mean month that machines on standby add."""
    stages: Stages | None = None
    usd_per_useful_gpu_hour: Positive | None
    usd_per_million_tokens: Positive | None
    usd_per_thousand_images: Positive | None


class NotRecommended(Part):
    code: ReasonCode
    text: str


class Grid(Part):
    place: str
    """ISO country, or World where the seller states no place."""
    g_co2e_per_kwh: Positive
    basis: Literal["life_cycle"]
    """Building plants and bringing fuel counted."""
    year: int | None
    source: str
    source_url: str
    retrieved_on: str


class Layout(Part):
    precision: str
    kv_precision: str
    tensor: Count
    pipeline: Count
    data: Count
    expert: Count
    context: Count
    micro_batch: Count
    stack: str = ""
    """How text is served; of plans before 2026-11-27, and of other work, nothing."""
    techniques: list[str]


class Memory(Part):
    parts_bytes: dict[str, Number]
    total_bytes: Positive
    capacity_bytes: Annotated[float, Field(gt=0, le=1e18)]


BookNumber = Annotated[float, Field(ge=0, le=1e12)]


class RentBookRecord(Part):
    kind: Literal["rent"]
    price_usd_per_hour: BookNumber
    upfront_usd: BookNumber
    instance_count: Count
    hours_per_month: BookNumber
    run_hours: BookNumber
    term_months: BookNumber
    minimum_hours: BookNumber
    weekly_above_hours: BookNumber = 0.0
    paid_in_advance: bool
    overhead_ratio: BookNumber
    interruptible: bool = False
    first_months: BookNumber = 0.0
    """For so many months ``first_usd_per_hour`` holds."""
    first_usd_per_hour: BookNumber = 0.0
    credit_usd: BookNumber = 0.0
    credit_months: BookNumber = 0.0


class BridgeRecord(Part):
    option_id: str = ""
    """What does the work until delivery; empty where nothing does."""
    usd_per_hour: BookNumber = 0.0
    hours_per_month: BookNumber = 0.0
    minimum_hours: BookNumber = 0.0
    term_months: BookNumber = 0.0
    weekly_above_hours: BookNumber = 0.0
    interruptible: bool = False
    tokens_usd_per_month: BookNumber = 0.0


class BuyBookRecord(Part):
    kind: Literal["buy"]
    site: Literal["home", "colocation", "own_room"]
    server_price_usd: BookNumber
    server_max_kw: BookNumber
    accelerator_count: BookNumber
    server_count: Count
    hours_per_month: BookNumber
    run_hours: BookNumber
    busy_ratio: BookNumber
    bridge: BridgeRecord = BridgeRecord()


class TokenBookRecord(Part):
    kind: Literal["tokens"]
    usd_per_month: BookNumber
    run_usd: BookNumber


class OptionRecord(Part):
    id: str
    kind: OptionKind
    provider: str
    region: str
    instance_type: str
    accelerator: str | None
    """Canonical name; null without one."""
    accelerator_count: Positive
    """In one instance."""
    instance_count: Count
    """Whole machines."""
    spare_instance_count: Count = 0
    """Machines of these that stand by: the speeds hold with so many lost."""
    accelerators_total_count: Positive
    """In all instances together."""
    accelerators_used_count: Positive
    purchase_option: str
    price_usd_per_hour: Positive | None
    """Of one instance."""
    paid_hours_per_month: Positive
    """Machine hours, all instances together."""
    hours_per_run: Number | None
    """Clock hours of one run of a job."""
    utilisation_share: Share | None
    """Busy share of the paid hours."""
    needed_share: Share
    """Share of the clock hours in use."""
    layout: Layout | None
    memory: Memory | None
    performance: Performance | None
    cost: Cost
    kwh_per_month: Positive | None
    co2e_kg_per_month: Positive | None
    grid: Grid | None = None
    """What the emissions rest on; the same basis for all options."""
    priced_on: date
    price_age_days: int | None = None
    """On the day of the plan."""
    tier: Literal["A", "B", "C", "D"] | None = None
    """Of the seller (`gpuplan providers`); null for what is owned."""
    capex_usd: Positive | None = None
    """Paid for owned servers before they work; null for what is not bought."""
    source: str
    rest_share: Share = 0.0
    """Part of the work that what is paid for already is too little for, and `rest_id` does; its cost is counted."""
    rest_id: str = ""
    choosable: bool
    """Whether the verdict may recommend it."""
    reason_not_chosen: str
    not_recommended: list[NotRecommended]
    notes: list[str]
    book: Annotated[RentBookRecord | BuyBookRecord | TokenBookRecord, Field(discriminator="kind")] | None
    """What the timeline was made from, besides the assumptions."""
