"""Remarks: what a careful buyer has to know of the verdict's option, as codes with their figures; `planner.report.remarks` says them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from planner.assumptions import Assumptions
from planner.costs.inputs import BuyInputs, RentInputs
from planner.demand.architecture import Architecture
from planner.demand.memory import model_state_bytes_per_parameter
from planner.demand.requirements import Requirements
from planner.demand.volume import volume
from planner.demand.workload import Batch, Diffusion, Embed, Finetune, GpuHours, Pretrain, Serve, Transcribe, Workload
from planner.options.hosted import hosted_options, nearest_hosted
from planner.options.option import RENTED, Option, OptionKind
from planner.options.substitutes import lead_months_of
from planner.supply.calibration import slow_ratio
from planner.supply.machines import Fleet
from planner.supply.serving.stacks import TUNED_STACK, stack_named
from planner.verdict.alternatives import alternatives_of
from planner.verdict.supply import Supply
from pricing.facts.offers import PurchaseOption
from pricing.facts.token_prices import TokenPrice

NEARLY_ALL_SHARE = 0.98
"""Hours paid above this share of the month are all of them."""
GB = 1e9


class RemarkCode(StrEnum):
    """What is said."""

    DEADLINE = "deadline"
    NO_SPARE = "no_spare"
    GIVEN_BACK = "given_back"
    AVAILABILITY = "availability"
    STARTS = "starts"
    TRAINED = "trained"
    MFU = "mfu"
    INTERCONNECT = "interconnect"
    CHECKPOINTS = "checkpoints"
    EMBEDDED = "embedded"
    VECTORS = "vectors"
    DELIVERY = "delivery"
    OWNERSHIP = "ownership"
    COMMITMENT = "commitment"
    TUNING = "tuning"
    UNJOINED = "unjoined"
    AUDIO = "audio"
    HOSTED = "hosted"
    LOWER_TIER = "lower_tier"
    CREDIT = "credit"
    CREDIT_OF_RUN = "credit_of_run"
    CREDIT_LOST = "credit_lost"
    CREDIT_USED = "credit_used"
    EXPIRED = "expired"
    NEAREST_HOSTED = "nearest_hosted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One of them.

    Attributes
    ----------
    code : RemarkCode
        Which.
    figures : tuple of float or str
        In the order in which its sentence names them.
    """

    code: RemarkCode
    figures: tuple[float | str, ...] = ()


def remarks_of(
    stated: Workload, workload: Workload, taken: Option, options: Sequence[Option], needs: Requirements, assumptions: Assumptions
) -> tuple[Remark, ...]:  # fmt: skip
    """Return what has to be known of the verdict's option, the most important first.

    Parameters
    ----------
    stated, workload : Workload
        The work as stated, and with the limits in force.
    taken : Option
        The verdict.
    options : sequence of Option
        All of them, ranked.
    needs : Requirements
        What the work takes.
    assumptions : Assumptions
        Stated numbers.
    """
    return (
        *_reliability(stated, workload, taken, assumptions),
        *_training(workload, taken, needs, assumptions),
        *_embedding(workload, needs, assumptions),
        *_media(workload, taken, assumptions),
        *_unjoined(workload, taken, options),
        *_availability(taken, assumptions),
        *_ownership(taken, options, assumptions),
        *_commitment(taken, options, assumptions),
    )


def nearest_hosted_remark(
    workload: Workload,
    architecture: Architecture,
    prices_of: Callable[[str], Sequence[TokenPrice]],
    assumptions: Assumptions,
) -> Iterator[Remark]:
    """Yield what the model nearest in size costs by the token, where nobody sells this one so.

    Parameters
    ----------
    workload, architecture
        The work, and its model.
    prices_of : callable
        Sellers of a known model by the token.
    assumptions : Assumptions
        Stated numbers.
    """
    if not isinstance(workload.work, Serve | Batch | Embed):
        return
    name, prices = nearest_hosted(architecture, prices_of, workload.constraints)
    work = volume(workload, assumptions["money.hours_per_month"])
    options = [option for option in hosted_options(prices, workload, work, assumptions) if option.choosable]
    if options:
        best = min(options, key=lambda option: option.present_value_usd)
        once = workload.runs_once
        figures = (name, best.provider, best.stated_usd(once=once), float(once))
        yield Remark(code=RemarkCode.NEAREST_HOSTED, figures=figures)


def lower_tier_remark(stated: Workload, in_force: Workload) -> Iterator[Remark]:
    """Yield that no better seller had what the work takes, where the tier was lowered for it."""
    tier = in_force.constraints.min_tier
    if tier is not None and tier != stated.constraints.min_tier:
        yield Remark(code=RemarkCode.LOWER_TIER, figures=(tier,))


def tuning_remarks(workload: Workload, taken: Option, supply: Supply) -> tuple[Remark, ...]:
    """Return which serving stack the verdict's speed is of, and how many of its machines a tuned one would take.

    Parameters
    ----------
    workload : Workload
        The work, with the limits in force.
    taken : Option
        The verdict, or the first machines beside a hosted one; of an option without a fleet, or of other work than text, nothing is said.
    supply : Supply
        What may do the work.
    """
    fleet = taken.fleet
    if (
        fleet is None
        or supply.architecture is None
        or not fleet.layout.stack
        or not stack_named(fleet.layout.stack).is_default
    ):
        return ()
    asked = workload.model_copy(update={"stack": TUNED_STACK})
    (tuned,) = supply.sized_on(asked, [fleet.machine])
    fewest = tuned.instance_count if isinstance(tuned, Fleet) else fleet.instance_count
    return (Remark(code=RemarkCode.TUNING, figures=(fleet.layout.stack, float(fleet.instance_count), float(fewest))),)


def _reliability(stated: Workload, workload: Workload, taken: Option, assumptions: Assumptions) -> Iterator[Remark]:
    """Yield whether a deadline holds, and what a failing machine would do to a service."""
    fleet, deadline = taken.fleet, workload.deadline_hours
    if fleet is not None and taken.hours_per_run is not None and math.isfinite(deadline):
        percentile = assumptions["perf.deadline_band_percentile"]
        late = taken.hours_per_run * slow_ratio(percentile, fleet.performance.rate_per_s.spread_log)
        is_default = float(not math.isfinite(stated.deadline_hours))
        yield Remark(code=RemarkCode.DEADLINE, figures=(taken.hours_per_run, late, percentile, deadline, is_default))
    is_service = isinstance(workload.work, Serve) or (not workload.runs_once and taken.kind is OptionKind.BUY)
    if fleet is not None and is_service and not fleet.spare_instance_count:
        spare_usd = taken.usd_per_month / (fleet.instance_count * fleet.elastic_share)
        yield Remark(code=RemarkCode.NO_SPARE, figures=(float(fleet.instance_count), workload.kind, spare_usd))


def _training(workload: Workload, taken: Option, needs: Requirements, assumptions: Assumptions) -> Iterator[Remark]:
    work = workload.work
    if not isinstance(work, Pretrain | Finetune):
        return
    epochs = work.epochs if isinstance(work, Finetune) else 1.0
    tokens = volume(workload, assumptions["money.hours_per_month"]).trained_tokens
    yield Remark(code=RemarkCode.TRAINED, figures=(tokens / epochs, epochs, tokens))
    fleet = taken.fleet
    if fleet is None:
        return
    speed = fleet.performance
    if speed.mfu_share is not None and speed.rate_per_s.typical > 0:
        low, high = (speed.mfu_share * edge / speed.rate_per_s.typical for edge in (speed.rate_per_s.low, speed.rate_per_s.high))  # fmt: skip
        busy_share = tokens / (speed.rate_per_s.typical * 3600.0 * (taken.hours_per_run or math.inf))
        yield Remark(code=RemarkCode.MFU, figures=(speed.mfu_share, low, min(high, 1.0), speed.mfu_share * busy_share))
    if fleet.instance_count > 1:
        network = fleet.machine.network
        each_way = fleet.machine.network_gb_per_s_each_way
        yield Remark(code=RemarkCode.INTERCONNECT, figures=(float(fleet.instance_count), network, each_way))
    weights, _, states = model_state_bytes_per_parameter(work.optimizer)
    each_gb = needs.trained_parameters * (weights + states) / GB
    kept = assumptions["train.checkpoints_kept_count"]
    usd = each_gb * kept * assumptions["rent.storage_usd_per_gb_month"]
    yield Remark(
        code=RemarkCode.CHECKPOINTS, figures=(kept, each_gb, usd, assumptions["rent.storage_gb"])
    )  # beyond what is counted


def _embedding(workload: Workload, needs: Requirements, assumptions: Assumptions) -> Iterator[Remark]:
    work = workload.work
    if not isinstance(work, Embed) or not needs.dimension_count:
        return
    tokens = float(work.documents) * work.tokens_per_document
    text_gb = tokens * assumptions["embed.text_bytes_per_token"] / GB
    hours = text_gb / assumptions["embed.tokenized_gb_per_s"] / 3600.0
    yield Remark(
        code=RemarkCode.EMBEDDED,
        figures=(float(work.documents), float(work.tokens_per_document), tokens, text_gb, hours),
    )
    vectors_gb = work.documents * needs.dimension_count * assumptions["embed.vector_bytes_per_number"] / GB
    usd = vectors_gb * assumptions["embed.vector_store_usd_per_gb_month"]
    yield Remark(code=RemarkCode.VECTORS, figures=(float(needs.dimension_count), vectors_gb, usd))


def _media(workload: Workload, taken: Option, assumptions: Assumptions) -> Iterator[Remark]:
    """Yield what the audio takes besides the GPUs, and what speech and images cost at a hosted API."""
    match workload.work:
        case Transcribe() as work:
            gb = work.audio_hours * 3600.0 * assumptions["transcribe.audio_kbit_per_s"] / 8e6
            usd = taken.usd_per_run(workload.runs_per_month)
            yield Remark(code=RemarkCode.AUDIO, figures=(work.audio_hours, gb, usd / work.audio_hours))
            name, amount = "transcribe.hosted_usd_per_audio_hour", work.audio_hours
        case Diffusion() as work:
            name, amount = (
                "diffusion.hosted_usd_per_image",
                work.images_per_day * assumptions["money.hours_per_month"] / 24.0,
            )
        case _:
            return
    price = assumptions[name]
    row = assumptions.rows[name]
    yield Remark(code=RemarkCode.HOSTED, figures=(workload.kind, amount * price, price, row.low, row.high, row.as_of))


def _unjoined(workload: Workload, taken: Option, options: Sequence[Option]) -> Iterator[Remark]:
    """Yield that single GPUs are not one machine, where one of as many is asked for, and what the cheapest such machine costs."""
    work = workload.work
    if not isinstance(work, GpuHours) or taken.kind is not OptionKind.RENT or taken.accelerator_count >= work.count:
        return
    whole = next(
        (
            option
            for option in options
            if option.choosable and option.kind in RENTED and option.accelerator_count >= work.count
        ),
        None,
    )
    if whole is not None:
        figures = (
            float(taken.instance_count),
            taken.accelerator_count,
            float(work.count),
            whole.usd_per_month,
            whole.provider,
        )
        yield Remark(code=RemarkCode.UNJOINED, figures=figures)


def _availability(taken: Option, assumptions: Assumptions) -> Iterator[Remark]:
    """Yield what a rent by the hour leaves open: getting machines back each morning, starting them, having them at all."""
    inputs = taken.book
    if taken.kind not in RENTED or not isinstance(inputs, RentInputs) or taken.fleet is None:
        return
    clock = assumptions["money.hours_per_month"]
    hourly = not inputs.term_months and not inputs.paid_in_advance
    if hourly and not inputs.run_hours and inputs.hours_per_month < NEARLY_ALL_SHARE * clock:
        all_hours_usd = taken.usd_per_month * clock / inputs.hours_per_month
        yield Remark(code=RemarkCode.GIVEN_BACK, figures=(inputs.hours_per_month / clock, all_hours_usd))
    if hourly and taken.hours_per_run is not None:
        start = assumptions["rent.start_hours"]
        usd = start * inputs.instance_count * inputs.price_usd_per_hour
        yield Remark(code=RemarkCode.STARTS, figures=(start * 60.0, usd, inputs.minimum_hours))
    yield Remark(code=RemarkCode.AVAILABILITY, figures=(float(taken.instance_count), taken.provider))


def _ownership(taken: Option, options: Sequence[Option], assumptions: Assumptions) -> Iterator[Remark]:
    """Yield what the best owned servers cost item by item, and what delivery and failure put at risk."""
    owned = taken if taken.kind is OptionKind.BUY else alternatives_of(options)["own"]
    if owned is None or not isinstance(owned.book, BuyInputs) or owned.book.run_hours:
        return
    months = owned.timeline.months

    def mean(*names: str) -> float:
        return float(sum(owned.timeline.component_usd(name).sum() for name in names)) / months

    yield Remark(
        code=RemarkCode.OWNERSHIP,
        figures=(
            owned.capex_usd or 0.0,
            mean("loan", "loan_payoff"),
            mean("lease"),
            mean("idle_power", "busy_power"),
            mean("colocation"),
            mean("staff"),
            mean("support", "spares", "software"),
            mean("bridge_rent", "bridge_ahead"),
            -mean("resale") * months,
            -mean("depreciation_tax_shield", "tax_on_resale") * months,
            float(owned.instance_count),
            owned.instance_type,
            owned.accelerator_count,
            owned.accelerator or "",
            owned.region,
        ),
    )
    lead = lead_months_of(assumptions)
    bridge = next((option for option in options if option.id == owned.book.bridge.option_id), None)
    until: tuple[str | float, ...] = ()
    if bridge is not None and (bridge.staleness_count or bridge.term_months > lead):
        priced_on = f"{bridge.priced_on}" if bridge.staleness_count else ""
        until = (bridge.provider, priced_on, float(bridge.term_months if bridge.term_months > lead else 0))
    figures = (float(lead), float(owned.instance_count), float(owned.spare_instance_count), *until)
    yield Remark(code=RemarkCode.DELIVERY, figures=figures)


def _commitment(taken: Option, options: Sequence[Option], assumptions: Assumptions) -> Iterator[Remark]:
    """Yield from how many hours a month on the cheapest commitment of the verdict's accelerator beats paying by the hour."""
    if taken.kind is not OptionKind.RENT or not isinstance(taken.book, RentInputs) or taken.hours_per_run is not None:
        return
    same = [
        option
        for option in options
        if option.choosable
        and option.kind is OptionKind.RENT
        and option.accelerator == taken.accelerator
        and option.fleet
    ]
    hourly = next((option for option in same if option.purchase_option == PurchaseOption.ON_DEMAND), None)
    bound = next((option for option in same if option.term_months), None)
    if (
        hourly is None
        or bound is None
        or not isinstance(hourly.book, RentInputs)
        or not isinstance(bound.book, RentInputs)
    ):
        return
    clock = assumptions["money.hours_per_month"]
    by_hour = hourly.book.price_usd_per_hour / hourly.accelerator_count
    by_term = bound.book.price_usd_per_hour / bound.accelerator_count
    hours = by_term / by_hour * clock
    used = hourly.book.hours_per_month * hourly.instance_count * hourly.accelerator_count
    paid = clock * bound.instance_count * bound.accelerator_count
    per_used_hour = by_term * paid / used if used else 0.0
    yield Remark(
        code=RemarkCode.COMMITMENT,
        figures=(bound.purchase_option, bound.provider, by_term, hourly.provider, by_hour, hours, per_used_hour),
    )
