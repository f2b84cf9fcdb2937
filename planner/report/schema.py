"""The record of a plan as types: what a script may rely on, what the JSON Schema says, and what is read back is held against."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from planner.errors import InputError
from planner.options.option import OptionKind
from planner.options.reason import ReasonCode
from planner.report.values import SCHEMA_VERSION
from planner.verdict.choice import Status
from planner.verdict.remarks import RemarkCode

__all__ = ["PlanRecord", "check_record", "plan_schema"]

Count = Annotated[int, Field(ge=0, le=1 << 53)]
Months = Annotated[int, Field(ge=1, le=600)]
Number = Annotated[float, Field(ge=-1e18, le=1e18)]
Positive = Annotated[float, Field(ge=0, le=1e18)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    """More keys may come in later versions; no number is infinite."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, frozen=True, use_attribute_docstrings=True)


class Range(_Part):
    low: Number
    typical: Number
    high: Number


class Performance(_Part):
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
    over_ttft_limit_share: Share | None = None
    over_tpot_limit_share: Share | None = None
    limit_percentile: Number | None = None
    """Percent of the requests that have to keep the limits; null holds the mean to them."""
    limits_hold: bool | None = None
    simulated_replica_count: Count | None = None
    """Replicas without the spares."""
    limits_replica_count: Count | None = None
    """Replicas that hold the limits at the percentile; null where up to twice as many do not."""
    limits_p99_replica_count: Count | None = None


class Cost(_Part):
    present_value_usd: Number
    usd_per_month: Number
    low_usd_per_month: Number | None = None
    """10th percentile of the joint draws; null for what the verdict is not held against."""
    high_usd_per_month: Number | None = None
    """90th percentile."""
    spare_usd_per_month: Number = 0.0
    """Part of the mean month that machines on standby add."""
    usd_per_useful_gpu_hour: Positive | None
    usd_per_million_tokens: Positive | None
    usd_per_thousand_images: Positive | None


class NotRecommended(_Part):
    code: ReasonCode
    text: str


class Layout(_Part):
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


class Memory(_Part):
    parts_bytes: dict[str, Number]
    total_bytes: Positive
    capacity_bytes: Annotated[float, Field(gt=0, le=1e18)]


BookNumber = Annotated[float, Field(ge=0, le=1e12)]


class RentBookRecord(_Part):
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


class BridgeRecord(_Part):
    option_id: str = ""
    """What does the work until delivery; empty where nothing does."""
    usd_per_hour: BookNumber = 0.0
    hours_per_month: BookNumber = 0.0
    minimum_hours: BookNumber = 0.0
    term_months: BookNumber = 0.0
    weekly_above_hours: BookNumber = 0.0
    interruptible: bool = False
    tokens_usd_per_month: BookNumber = 0.0


class BuyBookRecord(_Part):
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


class TokenBookRecord(_Part):
    kind: Literal["tokens"]
    usd_per_month: BookNumber
    run_usd: BookNumber


class OptionRecord(_Part):
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


class Crossing(_Part):
    at: Number
    cheaper_after: Literal["rent", "buy"]


class BreakEven(_Part):
    rent_id: str
    buy_id: str
    month: Number | None
    """From which on owning stays cheaper (NPV); null means never."""
    undiscounted_month: Number | None
    utilisation_share: Share | None
    """Above which owning is cheaper; null means at none."""
    price_usd_per_hour: Positive | None
    """Rent of one instance at which both cost the same."""
    saving_usd: Number
    crossings: list[Crossing]


class AssumptionRecord(_Part):
    name: str
    value: Number
    low: Number
    high: Number
    unit: str
    source: str
    as_of: str
    weak: bool
    overridden: bool
    notes: str = ""


class Bar(_Part):
    name: str
    low: Number
    high: Number
    saving_at_low_usd: Number
    saving_at_high_usd: Number
    turns_verdict: bool


class Risk(_Part):
    rent_id: str
    buy_id: str
    draws: Count
    probability_buy_cheaper_share: Share
    saving_p5_usd: Number
    saving_p50_usd: Number
    saving_p95_usd: Number
    expected_usd: dict[str, Number]
    regret_usd: dict[str, Number]
    value_of_knowing_usd: Number


class PassedOver(_Part):
    """A cheaper option that binds for more than a year, and why it was not taken."""

    option_id: str
    code: str
    text: str


class TurnRecord(_Part):
    """A value at which the verdict changes, everything else as planned."""

    what: str
    """``price`` of an option, ``rents`` (all together, over today's), or the key that says how much work there is."""
    option_id: str
    """Whose price; empty where it is none."""
    planned: Number
    value: Number
    unit: str
    then: str
    """The option that is taken there."""


class Alternatives(_Part):
    """The cheapest option of each sort by its id; null where there is none, with the reason."""

    hyperscaler: str | None
    established: str | None
    cheapest_listed: str | None
    api: str | None
    own: str | None
    cpu: str | None
    have: str | None = None
    reason: dict[str, str]


class Default(_Part):
    """A value in force that the workload does not state."""

    key: str
    value: Any


class RemarkRecord(_Part):
    """What has to be known of the verdict's option."""

    code: RemarkCode
    figures: list[Number | str]
    text: str


class OtherPercentileRecord(_Part):
    percentile: Number
    instance_count: int
    """0 where no number of them holds the limits."""
    usd_per_month: Number


class OtherLimitRecord(_Part):
    """The cheapest machines at a tighter or looser time per further token; an empty id where none keeps it."""

    tpot_limit_ms: Positive
    option_id: str
    accelerator: str
    accelerators_total_count: Positive
    usd_per_month: Positive


class OtherCountRecord(_Part):
    """The run on fewer or more of the verdict's machines."""

    accelerators_total_count: Positive
    hours_per_run: Positive
    usd: Positive


class TwiceTheWorkRecord(_Part):
    """What twice the work by the same deadline costs, where that is more than twice as much and a machine."""

    option_id: str
    accelerator: str
    accelerators_total_count: Positive
    usd: Positive
    ratio: Positive
    causes: list[ReasonCode]
    is_unjoined: bool


class ReadingRecord(_Part):
    """Stated hours read one way: idle machines given back, or kept all month."""

    is_releasable: bool
    option_id: str
    usd_per_month: Positive
    usd_per_useful_gpu_hour: Positive


class ReasonRecord(_Part):
    """One sentence of `because`, and what it speaks of."""

    group: Literal["why", "alternatives", "risk"]
    text: str


class VerdictRecord(_Part):
    needs_gpu: bool
    choice: OptionKind | Literal["none"]
    option_id: str
    status: Status | None = None
    confidence_share: Share | None = None
    passed_over: list[PassedOver] = []
    outdated_id: str = ""
    """A cheaper rent to ask for a quote, since its price is too old to count on; empty where there is none."""
    turns_at: list[TurnRecord] = []
    remarks: list[RemarkRecord] = []
    at_other_limits: list[OtherLimitRecord] = []
    at_other_percentiles: list[OtherPercentileRecord] = []
    at_other_counts: list[OtherCountRecord] = []
    at_twice_the_work: TwiceTheWorkRecord | None = None
    readings: list[ReadingRecord] = []
    alternatives: Alternatives | None = None
    command: str = ""
    headline: str
    because: list[str]
    reasons: list[ReasonRecord] = []


class OptionTimeline(_Part):
    option_id: str
    usd_by_month: list[Number]
    components_usd: dict[str, Number]


class FunnelRecord(_Part):
    name: str
    offer_count: Count


class DroppedRecord(_Part):
    count: Count
    reason: str


class PricePoint(_Part):
    day: date
    usd_per_hour: Positive


class PriceHistory(_Part):
    option_id: str
    points: list[PricePoint]


class ProvenanceRecord(_Part):
    snapshot: str
    oldest_price_on: date
    newest_price_on: date


class WorkloadRecord(_Part):
    kind: str


class RequirementsRecord(_Part):
    kind: str
    model: str
    notes: list[str]


class PlanRecord(_Part):
    """What ``gpuplan plan --format json`` writes."""

    schema_version: Literal[1]
    program: str
    planned_on: date
    title: str
    workload: WorkloadRecord
    defaults: list[Default] = []
    horizon_months: Months
    runs_once: bool
    """Whether the work is a job that is run once."""
    model: str
    requirements: RequirementsRecord
    verdict: VerdictRecord
    options: Annotated[list[OptionRecord], Field(min_length=1)]
    options_found_count: Count
    break_evens: list[BreakEven]
    timelines: list[OptionTimeline]
    sensitivity: list[Bar]
    risk: Risk | None
    assumptions: list[AssumptionRecord]
    funnel: list[FunnelRecord]
    dropped: list[DroppedRecord] = []
    notes: list[str]
    price_history: list[PriceHistory]
    provenance: ProvenanceRecord

    @model_validator(mode="after")
    def _names_options_that_are_there(self) -> PlanRecord:
        ids = {option.id for option in self.options}
        if len(ids) != len(self.options):
            raise ValueError("two options have the same id")
        named = [self.verdict.option_id, *(timeline.option_id for timeline in self.timelines)]
        named += [name for pair in self.break_evens for name in (pair.rent_id, pair.buy_id)]
        named += [self.risk.rent_id, self.risk.buy_id] if self.risk else []
        missing = sorted(set(named) - ids)
        if missing:
            raise ValueError(f"no option is called {missing[0]!r}, which is named elsewhere in the plan")
        return self


def check_record(text: str, where: str) -> None:
    """Hold a plan's JSON text against the types.

    Raises
    ------
    InputError
        A key is missing or of another type; the message names the first such place and counts the others.
    """
    try:
        PlanRecord.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        first = faults[0]
        place = ".".join(str(step) for step in first["loc"])
        more = f" (and {len(faults) - 1} more places)" if len(faults) > 1 else ""
        said = {"missing": "this key is missing"}.get(first["type"], first["msg"])
        said = said.removeprefix("Value error, ").replace("Input should be", "expected")
        raise InputError(
            f"this is no whole plan: {said}{more}",
            where=f"{where}: {place}" if place else where,
            hint="`gpuplan plan WORKLOAD -o plan.json` writes one",
        ) from None


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of what ``gpuplan plan --format json`` writes."""
    return {**PlanRecord.model_json_schema(), "title": "gpuplan plan"}


assert SCHEMA_VERSION == 1
