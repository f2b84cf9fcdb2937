"""Why the verdict is what it is, a sentence each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from planner.notes import NoteCode
from planner.options.option import Option, OptionKind, Reason, ReasonCode
from planner.plan import Plan
from planner.report.figures import bytes_text, count, duration, percent, significant, usd
from planner.report.notes import note_text
from planner.report.option_words import gpus, is_by_resale, machines, money, whole
from planner.report.remarks import remark_text, variant_texts
from planner.report.wording import reason_text
from planner.report.words import BOUND_WORDS, how_paid, label, seller
from planner.supply.machines import Refusal
from planner.verdict.alternatives import BreakEvenPair, best_by_kind
from planner.verdict.remarks import RemarkCode
from pricing.facts.accelerator_rows import Accelerator

Group = Literal["why", "alternatives", "risk"]
"""What a reason speaks of: why this is enough, what else there is, or what can go wrong."""
WHY, ALTERNATIVES, RISK = get_args(Group)

OTHERS_TOLD = 3
"""Other accelerators whose count is told."""
TERMS = frozenset({NoteCode.RATE_LIMITS, NoteCode.LATENCY_OF_SELLER, NoteCode.TERMS_OF_FREE_TIERS, NoteCode.QUOTA_USED})
MOST_TOLD = 1000
"""CPU machines: a number above this tells nobody anything."""
WORTH_TELLING_SHARE = 0.05
"""Costs nearer than this are the same."""


class Because(NamedTuple):
    """One sentence about a verdict, and what it speaks of."""

    group: Group
    text: str


def reasons_for(plan: Plan) -> tuple[Because, ...]:
    """Return why the verdict is what it is, a sentence each; the weightiest first, since a short answer shows the first few."""
    chosen, once = plan.chosen, plan.workload.runs_once
    is_hosted = chosen.kind is OptionKind.API
    best = best_by_kind(plan.options)
    deadline_hours = plan.in_force.deadline_hours
    stated_hours = plan.workload.kind == "gpu_hours"
    said: tuple[tuple[Group, Iterable[str]], ...] = (
        (WHY, _remarks(plan, RemarkCode.CREDIT_USED)),
        (RISK, _remarks(plan, RemarkCode.LOWER_TIER, RemarkCode.EXPIRED)),
        (ALTERNATIVES, _remarks(plan, RemarkCode.CREDIT, RemarkCode.CREDIT_OF_RUN, RemarkCode.CREDIT_LOST)),
        (WHY, _by_the_token(chosen, plan.options)),
        (WHY, _percentiles(plan, chosen)),
        (RISK, _remarks(plan, RemarkCode.DEADLINE, RemarkCode.NO_SPARE)),
        (RISK, _of_the_seller(chosen)),
        (WHY, () if is_hosted else _remarks(plan, RemarkCode.TUNING)),
        (RISK, _remarks(plan, RemarkCode.UNJOINED)),
        (RISK, _remarks(plan, *([] if plan.variants.readings else [RemarkCode.GIVEN_BACK]), RemarkCode.INTERCONNECT)),
        (WHY, _remarks(plan, RemarkCode.TRAINED, RemarkCode.MFU)),
        (WHY, _remarks(plan, RemarkCode.EMBEDDED, RemarkCode.VECTORS)),
        (WHY, _remarks(plan, RemarkCode.AUDIO)),
        (ALTERNATIVES, _remarks(plan, RemarkCode.HOSTED, RemarkCode.NEAREST_HOSTED)),
        (ALTERNATIVES, _passed_over(plan, once=once)),
        (WHY, _speed(plan, chosen, deadline_hours)),
        (WHY, _spares(plan, chosen)),
        (ALTERNATIVES, () if is_hosted else variant_texts(plan.variants)),
        (ALTERNATIVES, _ownership(plan) if stated_hours else ()),
        (RISK, _remarks(plan, RemarkCode.CHECKPOINTS, RemarkCode.STARTS, RemarkCode.AVAILABILITY)),
        (WHY, _sizing(chosen)),
        (ALTERNATIVES, _cheaper_not_recommended(chosen, plan.options, once=once)),
        (ALTERNATIVES, _processors(chosen, best, plan.refusals, once=once)),
        (ALTERNATIVES, _other_counts(chosen, plan.options, deadline_hours, once=once)),
        (ALTERNATIVES, _hosted(chosen, plan.options, once=once)),
        (ALTERNATIVES, _larger(chosen, plan.options)),
        (ALTERNATIVES, _owning(chosen, best, plan, once=once)),
        (ALTERNATIVES, () if stated_hours else _ownership(plan)),
        (ALTERNATIVES, variant_texts(plan.variants) if is_hosted else ()),
        (WHY, _remarks(plan, RemarkCode.TUNING) if is_hosted else ()),
        (WHY, _peak(chosen, plan.requirements.peak_flop_per_s)),
    )
    return tuple(Because(group, text) for group, texts in said for text in texts)


def _ownership(plan: Plan) -> list[str]:
    """Say what owning costs item by item and puts at risk, and from how many hours on a commitment pays."""
    return [*_remarks(plan, RemarkCode.OWNERSHIP, RemarkCode.DELIVERY), *_remarks(plan, RemarkCode.COMMITMENT)]


def _sizing(chosen: Option) -> Iterator[str]:
    """Say what is used, what bounds the speed, and what fills the memory."""
    fleet = chosen.fleet
    if fleet is None or fleet.machine.accelerator is None or fleet.performance.basis == "stated":
        return
    used, total = count(fleet.accelerators_used), count(chosen.accelerators_total_count)
    sharing = f"All {total} GPUs are used" if used == total else f"{used} of {total} GPUs are used"
    if total == "1":
        sharing = "The GPU is used"
    precision = f" ({fleet.layout.precision})" if fleet.layout.precision else ""
    bound = BOUND_WORDS.get(fleet.performance.bound, fleet.performance.bound)
    memory = ""
    if fleet.memory is not None:
        largest = sorted(fleet.memory.parts, key=lambda part: -part[1])[:2]
        parts = ", ".join(f"{_lowered(label(name))} {bytes_text(size)}" for name, size in largest if size > 0)
        filled, capacity = bytes_text(fleet.memory.total_bytes), bytes_text(fleet.memory.capacity_bytes)
        memory = f"; {filled} of {capacity} of memory ({parts})"
    yield f"{sharing}{precision}; the workload is {bound}{memory}."


def _lowered(words: str) -> str:
    """Begin with a small letter, unless an acronym stands there."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def _speed(plan: Plan, chosen: Option, deadline_hours: float) -> Iterator[str]:
    """Say how long the run takes, or how fast answers come, against the limits."""
    fleet = chosen.fleet
    if fleet is None or fleet.performance.basis == "stated":
        return
    speed = fleet.performance
    if chosen.hours_per_run is not None and speed.rate_per_s.low > 0 and not math.isfinite(deadline_hours):
        slow_hours = chosen.hours_per_run * speed.rate_per_s.typical / speed.rate_per_s.low
        yield f"The run takes {duration(chosen.hours_per_run)}, or {duration(slow_hours)} at the slow end of the 80 % band."
    if speed.ttft_ms is not None and speed.tpot_ms is not None and chosen.id not in plan.confirmed:
        limits = [getattr(plan.in_force.work, f"{name}_limit_ms", None) for name in ("ttft", "tpot")]
        ttft, tpot = (f", limit {limit:,.0f}" if limit else "" for limit in limits)
        yield (
            f"Mean TTFT is {speed.ttft_ms.typical:,.0f} ms (80 % band {speed.ttft_ms.low:,.0f} to {speed.ttft_ms.high:,.0f}{ttft}), "
            f"mean TPOT {speed.tpot_ms.typical:,.0f} ms ({speed.tpot_ms.low:,.0f} to {speed.tpot_ms.high:,.0f}{tpot}); "
            f"average utilization is {percent(fleet.utilisation_share)}."
        )


def _percentiles(plan: Plan, chosen: Option) -> Iterator[str]:
    """Say what requests wait at the percentile of the limits, on the best rented GPUs where the verdict has none, and what p99 takes."""
    rents = (option for option in plan.options if option.kind is OptionKind.RENT and option.choosable)
    option = chosen if chosen.fleet else next(rents, None)
    confirmed = plan.confirmed.get(option.id) if option else None
    if confirmed is None or option is None or option.fleet is None:
        return
    service, limits, percentile = confirmed.service, confirmed.limits, confirmed.limits.percentile
    name = "mean" if percentile is None else f"p{percentile:g}"
    ttft_ms, tpot_ms, total_ms = service.at_limit_ms
    where = "" if option is chosen else f"On {gpus(option)}, "
    spares = option.spare_instance_count
    lost = f" with {spares:,} machine{'s' if spares > 1 else ''} lost" if spares else ""
    total = f"total time {total_ms:,.0f} ms (limit {limits.total_ms:,.0f}), " if math.isfinite(limits.total_ms) else ""
    more = ""
    if not service.holds:
        more = f" The limits do not hold at {name}: {_needed(confirmed.needed_count, confirmed.replica_count)}."
    elif confirmed.strictest_count != confirmed.replica_count:
        more = f" At p99, {_needed(confirmed.strictest_count, confirmed.replica_count)}."
    yield (
        f"{where}TTFT {name} is {ttft_ms:,.0f} ms (limit {limits.ttft_ms:,.0f}), TPOT {name} {tpot_ms:,.0f} ms (limit {limits.tpot_ms:,.0f}), "
        f"{total}simulated{lost}; {percent(option.fleet.utilisation_share)} utilized.{more}"
    )


def _needed(number: int | None, have: int) -> str:
    if number is None:
        return "more replicas do not help; a faster layout or GPU would"
    return f"{number:,} replicas would meet them; {have:,} {'does' if have == 1 else 'do'} not"


def _remarks(plan: Plan, *codes: RemarkCode) -> list[str]:
    """Say some of what has to be known of the verdict's option, a sentence each."""
    return [remark_text(remark) for remark in plan.remarks if remark.code in codes]


def _spares(plan: Plan, chosen: Option) -> Iterator[str]:
    """Say what stands by, and what it costs."""
    spares = chosen.spare_instance_count
    if spares:
        lost = "one machine" if spares == 1 else f"{spares} machines"
        which = f"{spares} of the {chosen.instance_count:,} machines {'is a spare' if spares == 1 else 'are spares'}"
        confirmed = plan.confirmed.get(chosen.id)
        holds = f": the limits hold with {lost} lost" if confirmed is None or confirmed.service.holds else ""
        yield f"{which}, for {usd(chosen.spare_usd_per_month)} USD a month{holds}."


def _peak(chosen: Option, peak_flop_per_s: float | None) -> Iterator[str]:
    """Say how many accelerators the arithmetic alone would take."""
    fleet = chosen.fleet
    accelerator = fleet.machine.accelerator if fleet and fleet.performance.basis != "stated" else None
    if fleet is None or accelerator is None or not peak_flop_per_s or chosen.accelerators_total_count <= 1:
        return
    if peak := accelerator.dense_flop_per_s(fleet.layout.precision):
        enough = f"{significant(peak_flop_per_s / peak, 2):g} {accelerator.name}"
        rates = f"{significant(peak_flop_per_s / 1e12):,g} TFLOP/s in all, {significant(peak / 1e12, 4):,g} dense each"
        yield f"At peak rates {enough} would be enough ({rates}); real kernels, the limits, headroom and whole machines take more."


def _other_counts(chosen: Option, options: Sequence[Option], deadline_hours: float, *, once: bool) -> Iterator[str]:
    """Say how many of the other accelerators the deadline asks for."""
    if not math.isfinite(deadline_hours) or chosen.accelerators_total_count <= 1:
        return
    others = [option for name, option in _cheapest_rents(options).items() if name != chosen.accelerator]
    counts = [
        f"{count(option.accelerators_total_count)} {option.accelerator} ({duration(option.hours_per_run)}, {usd(option.stated_usd(once=once))} USD{'' if once else ' a month'})"
        for option in others[:OTHERS_TOLD]
    ]
    if counts:
        yield f"The deadline of {duration(deadline_hours)} would also be met by {' or '.join(counts)}."


def _cheapest_rents(options: Sequence[Option]) -> dict[str, Option]:
    """Return the cheapest rent of each accelerator that may be recommended."""
    cheapest: dict[str, Option] = {}
    for option in options:
        if option.choosable and option.kind is OptionKind.RENT and option.accelerator:
            cheapest.setdefault(option.accelerator, option)
    return cheapest


def _processors(
    chosen: Option, best: Mapping[OptionKind, Option], refusals: Sequence[Refusal], *, once: bool
) -> Iterator[str]:
    """Say what the work would take without accelerators."""
    rent, cpu = best.get(OptionKind.RENT), best.get(OptionKind.CPU)
    without = [refusal for refusal in refusals if refusal.machine.accelerator is None]
    if chosen.kind is OptionKind.CPU:
        if rent is not None:
            ratio = rent.present_value_usd / chosen.present_value_usd
            yield f"The cheapest GPU for it, {machines(rent)} at {rent.provider}, costs {_times(ratio)}."
    elif chosen.fleet is not None and chosen.fleet.performance.basis == "stated":
        return  # who states the accelerator has answered this
    elif cpu is not None:
        ratio = cpu.present_value_usd / chosen.present_value_usd if chosen.present_value_usd > 0 else math.inf
        times = f", {_times(ratio)}" if 0 < ratio < math.inf else ""
        yield f"Without a GPU it would take {machines(cpu)} at {cpu.provider} and {money(cpu, once=once)}{times}."
    elif without:
        nearest = min(without, key=lambda refusal: refusal.machines_needed or math.inf)
        needed = nearest.machines_needed or 0
        if nearest.stage in {"deadline", "interconnect"} or needed > MOST_TOLD:
            yield "CPUs alone are too slow for it."
        elif needed > 1 and nearest.stage in {"max_gpus", "max_replicas", "max_machines"}:  # so many are the reason
            yield f"Without a GPU it would take {needed:,} machines of {nearest.machine.processor or 'CPUs alone'}."
        else:
            yield f"Without a GPU it cannot be done: {note_text(nearest.reason)}."


def _times(ratio: float) -> str:
    return f"{ratio:,.1f} times as much" if ratio < 1000 else "more than a thousand times as much"


def _hosted(chosen: Option, options: Sequence[Option], *, once: bool) -> Iterator[str]:
    """Say what the model costs by the token: the best seller that may be recommended, else the cheapest."""
    sellers = [option for option in options if option.kind is OptionKind.API]
    api = next((option for option in sellers if option.choosable), next(iter(sellers), None))
    if api is None or chosen.kind is OptionKind.API:
        return
    if any(reason.code is ReasonCode.UNDATED_PRICE for reason in api.not_recommended):
        yield (
            f"A hosted fine-tune at {seller(api.provider)} cost {money(api, once=once)} by a price list without a date, of "
            f"{api.priced_on:%Y} or before ({usd(api.usd_per_million_tokens)} USD per million tokens): ask for today's price."
        )
        return
    reason = f"; {reason_text(api.not_recommended[0])}" if api.not_recommended else ""
    price = f"{usd(api.usd_per_million_tokens)} USD per million tokens, price of {api.priced_on:%Y-%m-%d}"
    yield f"The same model per token at {seller(api.provider)} costs {money(api, once=once)} ({price}{reason})."


def _by_the_token(chosen: Option, options: Sequence[Option]) -> Iterator[str]:
    """Say why to pay by the token: how much of the cheapest rented GPUs would be used."""
    rents = (option for option in options if option.kind is OptionKind.RENT and option.choosable)
    rent = next(rents, None) if chosen.kind is OptionKind.API else None
    if rent is not None and rent.fleet is not None and rent.hours_per_run is None:
        used = percent(rent.fleet.utilisation_share)
        yield f"The cheapest rented GPUs would be {used} utilized on average; by the token you pay only for use."


def _of_the_seller(chosen: Option) -> Iterator[str]:
    """Say what a seller of tokens does not promise, and the terms of a free tier."""
    if chosen.kind in {OptionKind.API, OptionKind.FREE}:
        words = "; ".join(note_text(note) for note in chosen.notes if note.code in TERMS)
        if words:
            yield f"{words[:1].upper()}{words[1:]}."


def _passed_over(plan: Plan, *, once: bool) -> Iterator[str]:
    """Say what would cost less but binds, and why it was not taken."""
    by_id = {option.id: option for option in plan.options}
    for name, reason in plan.verdict.passed_over:
        yield _cheaper(by_id[name], plan.chosen, "taken", reason, once=once)


def _owning(chosen: Option, best: Mapping[OptionKind, Option], plan: Plan, *, once: bool) -> Iterator[str]:
    owned = best.get(OptionKind.BUY)
    if owned is None:
        return
    if chosen.kind is not OptionKind.BUY and not any(name.startswith("own/") for name, _ in plan.verdict.passed_over):
        yield f"Owning {machines(owned)}, {owned.region}, costs {money(owned, once=once)} over {plan.horizon_months} months."
    by_id = {option.id: option for option in plan.options}
    for pair in plan.break_evens:
        rent = by_id[pair.rent_id]
        if rent.id == chosen.id or pair is plan.break_evens[0] or rent.purchase_option == "on_demand":
            yield (
                f"Against {rent.provider} {rent.instance_type}, {how_paid(rent.purchase_option)}, at "
                f"{usd(rent.price_usd_per_hour)} USD/h {_crossing(pair, plan.horizon_months)}."
            )


def _crossing(pair: BreakEvenPair, months: int) -> str:
    """Say when owning pays off, or what would make it."""
    share = pair.utilisation_share
    if pair.month is not None:
        when = f"owning pays off from month {pair.month:.0f} on"
        if is_by_resale(pair.month, months):
            return f"{when} of {months}, only by its resale at the end"
        return f"{when}, at a utilization of {percent(share)} or more" if share else when
    would = []
    if share:
        would.append(f"at a utilization of {percent(share)}")
    if pair.price_usd_per_hour:
        would.append(f"at a rent above {usd(pair.price_usd_per_hour)} USD/h")
    tail = f"; it would {' or '.join(would)}" if would else ""
    return f"owning does not pay off within {months} months{tail}"


def _larger(chosen: Option, options: Sequence[Option]) -> Iterator[str]:
    """Say what the bigger or newer accelerators would have cost, since these are what people take."""
    ours = _accelerator(chosen)
    if ours is None:
        return
    bigger = [
        option
        for option in _cheapest_rents(options).values()
        if (other := _accelerator(option))
        and other.name != ours.name
        and other.memory_gib > ours.memory_gib
        and other.launch_year >= ours.launch_year
        and option.present_value_usd > chosen.present_value_usd > 0
    ]
    option = min(bigger, key=lambda option: option.present_value_usd, default=None)
    more = option.present_value_usd / chosen.present_value_usd - 1 if option else 0.0
    if option and more >= WORTH_TELLING_SHARE:
        took = f", done in {duration(option.hours_per_run)}" if option.hours_per_run is not None else ""
        how = f"{percent(more)} more" if more < 1 else _times(1 + more)
        yield f"A bigger accelerator is not needed: {machines(option)} at {option.provider} costs {how} for the same work{took}."


def _accelerator(option: Option) -> Accelerator | None:
    return option.fleet.machine.accelerator if option.fleet else None


def _cheaper(option: Option, chosen: Option, not_done: str, reason: Reason, *, once: bool) -> str:
    """Say that an option costs less, by which measure where the costs that are told say the contrary, and why it is not chosen."""
    head = "Cheaper" if option.stated_usd(once=once) <= chosen.stated_usd(once=once) else "Cheaper as NPV"
    return f"{head}, but not {not_done}: {whole(option)}, for {money(option, once=once)} ({reason_text(reason)})."


def _cheaper_not_recommended(chosen: Option, options: Sequence[Option], *, once: bool) -> Iterator[str]:
    other = next((option for option in options if not option.choosable), None)
    if other is not None and other.present_value_usd < chosen.present_value_usd:
        yield _cheaper(other, chosen, "recommended", other.not_recommended[0], once=once)
