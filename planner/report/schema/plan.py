"""The record of a plan as types: what a script may rely on, what the JSON Schema says, and what is read back is held against."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, with_config

from planner.demand.workload import Workload
from planner.errors import InputError
from planner.options.option import OptionKind
from planner.report.schema.option import (
    PARTS,
    Code,
    Count,
    Day,
    Months,
    Number,
    OptionRecord,
    OrNone,
    OrNull,
    Part,
    Positive,
    Share,
    says,
    written,
)
from planner.verdict.choice import Status
from planner.verdict.remarks import RemarkCode


class Crossing(Part):
    at: Number
    cheaper_after: Literal["rent", "buy"]


class BreakEven(Part):
    rent_id: str
    buy_id: str
    month: Annotated[Number | None, says("From which on owning stays cheaper (NPV); null means never.")]
    undiscounted_month: Number | None
    utilisation_share: Annotated[Share | None, says("Above which owning is cheaper; null means at none.")]
    price_usd_per_hour: Annotated[Positive | None, says("Rent of one instance at which both cost the same.")]
    saving_usd: Number
    crossings: list[Crossing]


class AssumptionRecord(Part):
    name: str
    value: Number
    low: Number
    high: Number
    unit: str
    source: str
    as_of: str
    weak: bool
    overridden: bool
    notes: NotRequired[Annotated[str, Field(default="")]]


class Bar(Part):
    name: str
    low: Number
    high: Number
    saving_at_low_usd: Number
    saving_at_high_usd: Number
    turns_verdict: bool


class Risk(Part):
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


class PassedOver(Part):
    """A cheaper option that binds for more than a year, and why it was not taken."""

    option_id: str
    code: str
    text: str


class TurnRecord(Part):
    """A value at which the verdict changes, everything else as planned."""

    what: Annotated[
        str,
        says(
            "``price`` of an option, ``rents`` (all together, over today's), or the key that says how much work there is."
        ),
    ]
    option_id: Annotated[str, says("Whose price; empty where it is none.")]
    planned: Number
    value: Number
    unit: str
    then: Annotated[str, says("The option that is taken there.")]


class Alternatives(Part):
    """The cheapest option of each sort by its id; null where there is none, with the reason."""

    hyperscaler: str | None
    established: str | None
    cheapest_listed: str | None
    api: str | None
    own: str | None
    cpu: str | None
    have: NotRequired[OrNull[str]]
    reason: dict[str, str]


class Default(Part):
    """A value in force that the workload does not state."""

    key: str
    value: Any


class RemarkRecord(Part):
    """What has to be known of the verdict's option."""

    code: Annotated[str, written(RemarkCode)]
    figures: list[Number | str]
    text: str


class ScaledToZeroRecord(Part):
    """All machines given back when no request has come for five minutes."""

    paid_share: Share
    usd_per_month: Number
    staying_ready_usd_per_month: Annotated[Number, says("What it costs to keep a machine on instead.")]
    waiting_share: Annotated[Share, says("Requests that wait for a start.")]


class FollowingRecord(Part):
    """Machines paid by the hour that follow the demand over the week."""

    option_id: str
    least_instance_count: Count
    most_instance_count: Count
    target_requests_per_s: Annotated[Number, says("For each replica.")]
    start_minutes: Number
    paid_share: Annotated[
        Share, says("Machine hours that are paid, starts counted, over those of machines that are always on.")
    ]
    usd_per_month: Number
    always_on_usd_per_month: Number
    to_zero: ScaledToZeroRecord


class OtherPercentileRecord(Part):
    option_id: NotRequired[Annotated[str, Field(default="")]]
    percentile: Number
    instance_count: Annotated[int, says("0 where no number of them holds the limits.")]
    usd_per_month: Number


class OtherLimitRecord(Part):
    """The cheapest machines at a tighter or looser time per further token; an empty id where none keeps it."""

    tpot_limit_ms: Positive
    option_id: str
    accelerator: str
    accelerators_total_count: Positive
    usd_per_month: Positive


class OtherCountRecord(Part):
    """The run on fewer or more of the verdict's machines."""

    accelerators_total_count: Positive
    hours_per_run: Positive
    usd: Positive
    late_hours: NotRequired[OrNull[Positive]]
    deadline_hours: NotRequired[OrNull[Positive]]


class OtherDeadlineRecord(Part):
    """A job with half and twice the time; an empty id where no machine that may be recommended meets it."""

    deadline_hours: Positive
    option_id: str
    accelerator: str
    accelerators_total_count: Positive
    usd: Positive


class TwiceTheWorkRecord(Part):
    """What twice the work by the same deadline costs, where that is more than twice as much and a machine."""

    option_id: str
    accelerator: str
    accelerators_total_count: Positive
    usd: Positive
    ratio: Positive
    causes: list[Code]
    is_unjoined: bool


class LaterRunRecord(Part):
    """A run on new documents after the first one."""

    document_count: Positive
    usd: Positive


class ReadingRecord(Part):
    """Stated hours read one way: idle machines given back, or kept all month."""

    is_releasable: bool
    option_id: str
    usd_per_month: Positive
    usd_per_useful_gpu_hour: Positive


class ReasonRecord(Part):
    """One sentence of `because`, and what it speaks of."""

    group: Literal["why", "alternatives", "risk"]
    text: str


class VerdictRecord(Part):
    needs_gpu: bool
    choice: Annotated[str, written(OptionKind | Literal["none"])]
    option_id: str
    status: NotRequired[OrNull[Annotated[str, written(Status)]]]
    confidence_share: NotRequired[
        Annotated[
            OrNull[Share],
            says("Of the joint draws, those in which neither another kind of answer nor the next seller costs less."),
        ]
    ]
    kind_confidence_share: NotRequired[Annotated[OrNull[Share], says("The same against other kinds of answer alone.")]]
    seller_confidence_share: NotRequired[
        Annotated[OrNull[Share], says("The same against the next seller of the same kind alone, to the cent.")]
    ]
    passed_over: NotRequired[OrNone[PassedOver]]
    outdated_id: NotRequired[
        Annotated[
            str,
            Field(default=""),
            says(
                "A cheaper rent to ask for a quote, since its price is too old to count on; empty where there is none."
            ),
        ]
    ]
    turns_at: NotRequired[OrNone[TurnRecord]]
    remarks: NotRequired[OrNone[RemarkRecord]]
    at_other_limits: NotRequired[OrNone[OtherLimitRecord]]
    at_other_percentiles: NotRequired[OrNone[OtherPercentileRecord]]
    following: NotRequired[OrNull[FollowingRecord]]
    at_other_counts: NotRequired[OrNone[OtherCountRecord]]
    at_other_deadlines: NotRequired[OrNone[OtherDeadlineRecord]]
    at_twice_the_work: NotRequired[OrNull[TwiceTheWorkRecord]]
    later_run: NotRequired[OrNull[LaterRunRecord]]
    readings: NotRequired[OrNone[ReadingRecord]]
    alternatives: NotRequired[OrNull[Alternatives]]
    command: NotRequired[Annotated[str, Field(default="")]]
    headline: str
    because: list[str]
    reasons: NotRequired[OrNone[ReasonRecord]]


class OptionTimeline(Part):
    option_id: str
    usd_by_month: list[Number]
    components_usd: dict[str, Number]


class FunnelRecord(Part):
    name: str
    offer_count: Count


class DroppedRecord(Part):
    count: Count
    reason: str


class PricePoint(Part):
    day: Day
    usd_per_hour: Positive


class PriceHistory(Part):
    option_id: str
    points: list[PricePoint]


class ProvenanceRecord(Part):
    snapshot: str
    oldest_price_on: Day
    newest_price_on: Day


class RequirementsRecord(Part):
    kind: str
    model: str
    units_per_s: NotRequired[Annotated[OrNull[Number], says("Mean over the week; null for a job.")]]
    peak_units_per_s: NotRequired[Annotated[OrNull[Number], says("At the busiest time, or what a deadline asks for.")]]
    deadline_s: NotRequired[OrNull[Number]]
    notes: list[str]


class CurrencyRecord(Part):
    code: Annotated[str, says("ISO 4217.")]
    usd_per_unit: Positive


@with_config({**PARTS, "title": "gpuplan plan"})
class PlanRecord(Part):
    """What ``gpuplan plan --format json`` writes."""

    schema_version: Literal[1]
    program: str
    planned_on: Day
    title: str
    workload: Annotated[dict[str, Any], written(Workload)]
    defaults: NotRequired[OrNone[Default]]
    currency: NotRequired[
        Annotated[OrNull[CurrencyRecord], says("In which costs are told besides dollars; null for dollars alone.")]
    ]
    horizon_months: Months
    runs_once: Annotated[bool, says("Whether the work is a job that is run once.")]
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
    dropped: NotRequired[OrNone[DroppedRecord]]
    notes: list[str]
    price_history: list[PriceHistory]
    provenance: ProvenanceRecord


def _names_options_that_are_there(plan: PlanRecord) -> PlanRecord:
    ids = {option["id"] for option in plan["options"]}
    if len(ids) != len(plan["options"]):
        raise ValueError("two options have the same id")
    named = [plan["verdict"]["option_id"], *(timeline["option_id"] for timeline in plan["timelines"])]
    named += [name for pair in plan["break_evens"] for name in (pair["rent_id"], pair["buy_id"])]
    named += [plan["risk"]["rent_id"], plan["risk"]["buy_id"]] if plan["risk"] else []
    missing = sorted(set(named) - ids)
    if missing:
        raise ValueError(f"no option is called {missing[0]!r}, which is named elsewhere in the plan")
    return plan


PLANS: TypeAdapter[PlanRecord] = TypeAdapter(Annotated[PlanRecord, AfterValidator(_names_options_that_are_there)])


def check_record(text: str, where: str) -> None:
    """Hold a plan's JSON text against the types.

    Raises
    ------
    InputError
        A key is missing or of another type; the message names the first such place and counts the others.
    """
    try:
        PLANS.validate_json(text)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        first = faults[0]
        place = ".".join(str(step) for step in first["loc"])
        more = f" (and {len(faults) - 1} more places)" if len(faults) > 1 else ""
        said = {"missing": "this key is missing"}.get(first["type"], first["msg"])
        said = said.removeprefix("Value error, ").replace("Input should be", "expected")
        raise InputError(
            f"this is not a complete plan: {said}{more}",
            where=f"{where}: {place}" if place else where,
            hint="`gpuplan plan WORKLOAD -o plan.json` writes one",
        ) from None
