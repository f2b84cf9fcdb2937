"""The record of an option as types: its speed, its memory, its cost, and what its money was worked out from.

The classes are the JSON itself: a reader indexes a plan's dictionary, mypy checks the keys, and pydantic reads the same
classes for the JSON Schema and for what is read back. A key that older plans lack is `NotRequired`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, NotRequired, TypeVar

from pydantic import ConfigDict, Field, GetPydanticSchema, with_config
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from planner.options.option import OptionKind, ReasonCode

T = TypeVar("T")
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Months = Annotated[int, Field(ge=1, le=600)]
Number = Annotated[float, Field(ge=-1e18, le=1e18)]
Positive = Annotated[float, Field(ge=0, le=1e18)]
Share = Annotated[float, Field(ge=0, le=1)]
OrNull = Annotated[T | None, Field(default=None)]
OrNone = Annotated[list[T], Field(default=[])]
PARTS = ConfigDict(extra="allow", allow_inf_nan=False, strict=True)
"""More keys may come in later versions; no number is infinite."""


def says(description: str) -> Any:  # noqa: ANN401  as pydantic's Field
    """Describe a key in the JSON Schema; pydantic finds docstrings under keys too, but takes 0.15 s for it."""
    return Field(description=description)


def written(kind: Any) -> GetPydanticSchema:  # noqa: ANN401  any type that pydantic reads
    """Hold a plain value of JSON against the type that it is written from."""
    return GetPydanticSchema(lambda _, handler: handler(kind))


Day = Annotated[str, written(date)]
Kind = Annotated[str, written(OptionKind)]
Code = Annotated[str, written(ReasonCode)]


@with_config(PARTS)
class Part(TypedDict):
    """A part of a plan's record."""


class Range(Part):
    low: Number
    typical: Number
    high: Number


TimeName = Literal["TTFT", "TPOT", "total time"]


class LatencyCurve(Part):
    """The times within which so many percent of the requests are."""

    what: TimeName
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
    ttft_p50_ms: NotRequired[
        Annotated[
            OrNull[Number],
            says(
                "Of requests as they vary, simulated at the busiest rate with the spares lost; null for what was not simulated."
            ),
        ]
    ]
    ttft_p90_ms: NotRequired[OrNull[Number]]
    ttft_p95_ms: NotRequired[OrNull[Number]]
    ttft_p99_ms: NotRequired[OrNull[Number]]
    tpot_p50_ms: NotRequired[OrNull[Number]]
    tpot_p90_ms: NotRequired[OrNull[Number]]
    tpot_p95_ms: NotRequired[OrNull[Number]]
    tpot_p99_ms: NotRequired[OrNull[Number]]
    total_p50_ms: NotRequired[OrNull[Number]]
    total_p90_ms: NotRequired[OrNull[Number]]
    total_p95_ms: NotRequired[OrNull[Number]]
    total_p99_ms: NotRequired[OrNull[Number]]
    latency_curves: NotRequired[
        Annotated[
            OrNone[LatencyCurve], says("The share of the requests within each time, of the times that have a limit.")
        ]
    ]
    over_ttft_limit_share: NotRequired[OrNull[Share]]
    over_tpot_limit_share: NotRequired[OrNull[Share]]
    over_total_limit_share: NotRequired[OrNull[Share]]
    limit_percentile: NotRequired[
        Annotated[
            OrNull[Number], says("Percent of the requests that have to keep the limits; null holds the mean to them.")
        ]
    ]
    limits_hold: NotRequired[OrNull[bool]]
    simulated_replica_count: NotRequired[Annotated[OrNull[Count], says("Replicas without the spares.")]]
    limits_replica_count: NotRequired[
        Annotated[
            OrNull[Count],
            says(
                "Replicas that hold the limits at the percentile; null where up to twice as many do not, or where it was not searched."
            ),
        ]
    ]
    limits_p99_replica_count: NotRequired[OrNull[Count]]


class Stages(Part):
    """What a month costs while a credit or a commitment you have lasts, and after; `usd_per_month` is the mean."""

    first_usd_per_month: Number
    first_months: Positive
    then_usd_per_month: Number


class Cost(Part):
    present_value_usd: Number
    total_usd: NotRequired[
        Annotated[
            OrNull[Number],
            says(
                "All that is paid within the horizon, not discounted: of work that is run once, what the run costs; null in older plans."
            ),
        ]
    ]
    usd_per_month: Number
    low_usd_per_month: NotRequired[
        Annotated[
            OrNull[Number], says("10th percentile of the joint draws; null for what the verdict is not held against.")
        ]
    ]
    high_usd_per_month: NotRequired[Annotated[OrNull[Number], says("90th percentile.")]]
    spare_usd_per_month: NotRequired[
        Annotated[Number, Field(default=0.0), says("Part of the mean month that machines on standby add.")]
    ]
    stages: NotRequired[OrNull[Stages]]
    usd_per_useful_gpu_hour: Positive | None
    usd_per_million_tokens: Positive | None
    usd_per_thousand_images: Positive | None


UnitKey = Literal["usd_per_useful_gpu_hour", "usd_per_million_tokens", "usd_per_thousand_images"]
"""What a unit of work costs."""


class NotRecommended(Part):
    code: Code
    text: str


class Grid(Part):
    place: Annotated[str, says("ISO country, or World where the seller states no place.")]
    g_co2e_per_kwh: Positive
    basis: Annotated[Literal["life_cycle"], says("Building plants and bringing fuel counted.")]
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
    stack: NotRequired[
        Annotated[
            str, Field(default=""), says("How text is served; of plans before 2026-11-27, and of other work, nothing.")
        ]
    ]
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
    weekly_above_hours: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    paid_in_advance: bool
    overhead_ratio: BookNumber
    interruptible: NotRequired[Annotated[bool, Field(default=False)]]
    first_months: NotRequired[
        Annotated[BookNumber, Field(default=0.0), says("For so many months ``first_usd_per_hour`` holds.")]
    ]
    first_usd_per_hour: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    credit_usd: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    credit_months: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    takes_over_id: NotRequired[
        Annotated[
            str,
            Field(default=""),
            says("The option whose price holds after ``first_months``; empty where it is this option's own."),
        ]
    ]


class BridgeRecord(Part):
    option_id: NotRequired[
        Annotated[str, Field(default=""), says("What does the work until delivery; empty where nothing does.")]
    ]
    usd_per_hour: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    hours_per_month: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    minimum_hours: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    term_months: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    weekly_above_hours: NotRequired[Annotated[BookNumber, Field(default=0.0)]]
    interruptible: NotRequired[Annotated[bool, Field(default=False)]]
    tokens_usd_per_month: NotRequired[Annotated[BookNumber, Field(default=0.0)]]


NO_BRIDGE = BridgeRecord(
    option_id="",
    usd_per_hour=0.0,
    hours_per_month=0.0,
    minimum_hours=0.0,
    term_months=0.0,
    weekly_above_hours=0.0,
    interruptible=False,
    tokens_usd_per_month=0.0,
)


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
    bridge: NotRequired[Annotated[BridgeRecord, Field(default=NO_BRIDGE)]]


class TokenBookRecord(Part):
    kind: Literal["tokens"]
    usd_per_month: BookNumber
    run_usd: BookNumber


Book = RentBookRecord | BuyBookRecord | TokenBookRecord


class OptionRecord(Part):
    id: str
    kind: Kind
    provider: str
    region: str
    instance_type: str
    accelerator: Annotated[str | None, says("Canonical name; null without one.")]
    accelerator_count: Annotated[Positive, says("In one instance.")]
    instance_count: Annotated[Count, says("Whole machines.")]
    spare_instance_count: NotRequired[
        Annotated[Count, Field(default=0), says("Machines of these that stand by: the speeds hold with so many lost.")]
    ]
    accelerators_total_count: Annotated[Positive, says("In all instances together.")]
    accelerators_used_count: Positive
    purchase_option: str
    price_usd_per_hour: Annotated[Positive | None, says("Of one instance.")]
    paid_hours_per_month: Annotated[Positive, says("Machine hours, all instances together.")]
    hours_per_run: Annotated[Number | None, says("Clock hours of one run of a job.")]
    utilisation_share: Annotated[Share | None, says("Busy share of the paid hours.")]
    needed_share: Annotated[Share, says("Share of the clock hours in use.")]
    layout: Layout | None
    memory: Memory | None
    performance: Performance | None
    cost: Cost
    kwh_per_month: Positive | None
    co2e_kg_per_month: Positive | None
    grid: NotRequired[Annotated[OrNull[Grid], says("What the emissions rest on; the same basis for all options.")]]
    priced_on: Day
    price_age_days: NotRequired[Annotated[OrNull[int], says("On the day of the plan.")]]
    tier: NotRequired[
        Annotated[
            OrNull[Literal["A", "B", "C", "D"]], says("Of the seller (`gpuplan providers`); null for what is owned.")
        ]
    ]
    capex_usd: NotRequired[
        Annotated[OrNull[Positive], says("Paid for owned servers before they work; null for what is not bought.")]
    ]
    source: str
    rest_share: NotRequired[
        Annotated[
            Share,
            Field(default=0.0),
            says(
                "Part of the work that what is paid for already is too little for, and `rest_id` does; its cost is counted."
            ),
        ]
    ]
    rest_id: NotRequired[Annotated[str, Field(default="")]]
    choosable: Annotated[bool, says("Whether the verdict may recommend it.")]
    reason_not_chosen: str
    not_recommended: list[NotRecommended]
    notes: list[str]
    book: Annotated[
        Annotated[Book, Field(discriminator="kind")] | None,
        says("What the timeline was made from, besides the assumptions."),
    ]
