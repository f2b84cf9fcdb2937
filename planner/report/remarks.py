"""Remarks and variants in sentences: what a careful buyer has to know of the verdict, and how it would be a little differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from planner.report.figures import bytes_text, count, duration, machines_text, months_text, percent, significant, usd
from planner.report.wording import REASONS
from planner.report.words import how_paid, seller
from planner.verdict.autoscaling import Autoscaled
from planner.verdict.remarks import Remark, RemarkCode
from planner.verdict.runs import LaterRun, OtherCount
from planner.verdict.variants import OtherDeadline, OtherLimit, Reading, TwiceTheWork, Variants

GB = 1e9
NETWORKS = {"infiniband": "InfiniBand", "efa": "EFA", "roce": "RoCE", "ethernet": "Ethernet"}


def _deadline(hours: float, late: float, percentile: float, deadline: float, is_default: float) -> str:
    left = deadline - late
    margin = f"{duration(left)} before the deadline" if left >= 0 else f"{duration(-left)} after the deadline"
    return (
        f"The run takes {duration(hours)}, or {duration(late)} at the slow end (P{percentile:.0f}) of the speed band: {margin} "
        f"of {duration(deadline)}{', which is only a default' if is_default else ''}."
    )


def _no_spare(machines: float, kind: str, spare_usd: float) -> str:
    if kind != "serve":
        which = "One server and no spare" if machines == 1 else f"None of the {machines:,.0f} servers is a spare"
        return f"{which}: while one is repaired, its part of the work waits."
    if machines == 1:
        return "One machine and no spare: while it is down there is no service (serve.spare_replicas: 1 prices a second one)."
    return (
        f"None of the {machines:,.0f} machines is a spare: with one lost, the limits may not hold at peaks; a spare (serve.spare_replicas: 1) "
        f"costs {usd(spare_usd)} USD a month."
    )


def _given_back(share: float, all_hours_usd: float) -> str:
    return (
        f"Idle machines are given back: {percent(share)} of the month's hours are paid. Kept all month they cost "
        f"{usd(all_hours_usd)} USD, and getting them back each time is not guaranteed on demand."
    )


def _starts(minutes: float, cost: float, minimum_hours: float) -> str:
    least = f"; the minimum charge is {duration(minimum_hours)}" if minimum_hours else ""
    return f"Includes {minutes:.0f} minutes to start and load ({usd(cost)} USD){least}."


def _trained(per_epoch: float, epochs: float, total: float) -> str:
    passes = "1 epoch" if epochs == 1 else f"{count(epochs)} epochs"
    return f"{_tokens(per_epoch)} tokens x {passes} = {_tokens(total)} training tokens."


def _tokens(amount: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if amount >= size:
            return f"{significant(amount / size):g}{letter}"
    return f"{amount:g}"


def _interconnect(machines: float, network: str, gb_per_s: float) -> str:
    speed = f" ({8 * gb_per_s:,.0f} Gb/s per machine)" if gb_per_s else ""
    return (
        f"{'Both' if machines == 2 else f'All {machines:,.0f}'} machines train together: they must be in one cluster with "
        f"{NETWORKS.get(network, network)}{speed}. Ask the seller to confirm it."
    )


def _checkpoints(kept: float, each_gb: float, cost: float, counted_gb: float) -> str:
    counted = f"; the plan includes {counted_gb:,.0f} GB of storage" if counted_gb else ""
    return f"Storing {kept:,.0f} checkpoints of {bytes_text(each_gb * GB)} costs {usd(cost)} USD a month{counted}."


def _embedded(documents: float, length: float, tokens: float, text_gb: float, hours: float) -> str:
    return (
        f"{count(documents)} documents of {count(length)} tokens are {_tokens(tokens)} tokens: {significant(text_gb):g} GB of text to "
        f"read, tokenized in {duration(hours)} on one server's CPU."
    )


def _vectors(width: float, vectors_gb: float, cost: float) -> str:
    return (
        f"The vectors ({width:,.0f} numbers each) are {significant(vectors_gb):g} GB: {usd(cost)} USD a month in a vector store, "
        "not included."
    )


def _availability(machines: float, provider: str) -> str:
    what = "this machine" if machines == 1 else f"{machines:,.0f} of these machines"
    return f"Availability was not checked: ask {provider} whether it has {what}."


def _ownership(  # noqa: PLR0913 - the items of one sentence
    capex: float, loan: float, lease: float, power: float, space: float, staff: float, upkeep: float, bridge: float,
    resale: float, written_off: float, *owned: Any
) -> str:  # fmt: skip
    items = {
        "loan": loan,
        "lease": lease,
        "power": power,
        "colocation": space,
        "staff": staff,
        "support and parts": upkeep,
        "rent until delivery": bridge,
    }
    least = LEAST_ITEM_SHARE * sum(items.values())
    monthly = ", ".join(f"{name} {usd(cost)}" for name, cost in items.items() if cost > least)
    instances, *machine, place = owned
    what = f"{machines_text(int(instances), *machine)}, {place}"
    parts = [f"{usd(capex)} USD capex"] if capex else []
    parts += [f"per month {monthly} USD"]
    parts += [f"{usd(resale)} USD from resale at the end"] if not lease else []
    parts += [f"{usd(written_off)} USD of tax saved by depreciation"] if written_off else []
    return f"{'Leasing' if lease else 'Owning'} {what}: {'; '.join(parts)}."


def _delivery(
    lead: float, machines: float, spares: float, provider: str = "", priced_on: str = "", term_months: float = 0.0
) -> str:
    wait = (
        f"delivery takes about {lead:,.0f} months, and each month of delay costs another month of rent" if lead else ""
    )
    if wait and provider:
        wait += f"; until then {provider} does the work"
        wait += f", under a commitment of {term_months:,.0f} months that is paid to its end" if term_months else ""
        wait += f", at a price of {priced_on} that is too old to rely on" if priced_on else ""
    single = "one server without a spare is down while it is repaired" if machines == 1 and not spares else ""
    risks = "; ".join(filter(None, (wait, single))) or "its value falls faster than planned"
    return f"Risks of owning: {risks}."


def _commitment(option: str, bound: str, by_term: float, hourly: str, by_hour: float, hours: float, used: float) -> str:
    term = f"{how_paid(option)} at {bound} ({usd(by_term)} USD per GPU-hour)"
    if hours >= 730:
        return f"{term[:1].upper()}{term[1:]} never beats paying {usd(by_hour)} USD by the hour at {hourly}."
    return (
        f"{term[:1].upper()}{term[1:]} beats {usd(by_hour)} USD by the hour at {hourly} from {hours:,.0f} h a month on; "
        f"a used GPU-hour would cost {usd(used)} USD."
    )


def _tuning(stack: str, machines: float, tuned: float) -> str:
    named = f"Speeds assume {STACK_WORDS.get(stack, stack)}"
    if tuned >= machines:
        return f"{named}; tuning it (stack: tuned) would save no machine."
    return f"{named}; tuned to the model and the machine (stack: tuned), {tuned:,.0f} of the {machines:,.0f} machines would be enough."


STACK_WORDS = {
    "default": "an engine's default settings",
    "vllm": "vLLM's default settings",
    "sglang": "SGLang's default settings",
    "trtllm": "TensorRT-LLM, tuned",
    "llama.cpp": "llama.cpp",
    "tuned": "an engine tuned to the model and the machine",
    "submission": "a vendor's benchmark submission",
}
"""Serving stacks in words."""


def _unjoined(machines: float, gpus_each: float, count_gpus: float, usd_per_month: float, provider: str) -> str:
    return (
        f"These are {machines:,.0f} machines of {count(gpus_each)} GPU{'' if gpus_each == 1 else 's'}, not one of {count_gpus:,.0f} with a fast link "
        f"between its GPUs: one of that size costs {usd(usd_per_month)} USD a month at {provider}."
    )


def _audio(hours: float, gb: float, usd_per_hour: float) -> str:
    return (
        f"{count(hours)} hours of audio are about {significant(gb):,g} GB to read and decode; an hour of audio costs "
        f"{usd(usd_per_hour)} USD."
    )


def _hosted(kind: str, cost: float, price: float, low: float, high: float, as_of: str) -> str:
    api, unit, total = {
        "transcribe": ("speech", "hour of audio", "for all of it"),
        "diffusion": ("image", "image", "a month"),
    }[kind]
    return (
        f"A hosted {api} API costs about {usd(cost)} USD {total}, at {price:g} USD per {unit} ({low:g} to {high:g}; lists of {as_of}). "
        "It is not taken, since no seller's own price with a date is known: confirm one first."
    )


def _credit(credit: float, provider: str, months: float, *machines_and_saving: Any) -> str:
    *machines, saving = machines_and_saving
    return (
        f"Use your credit first: {usd(credit)} USD at {provider} pay for {months_text(months)} of {machines_text(*machines)} on demand there, "
        f"and save {usd(saving)} USD of what this choice costs."
    )


def _credit_of_run(used: float, provider: str, share: float, *machines_and_cost: Any) -> str:
    *machines, cost = machines_and_cost
    return (
        f"Your credit at {provider} would pay {usd(used)} USD, {percent(share)} of the run on {machines_text(*machines)} on demand there, "
        f"which would then cost {usd(cost)} USD."
    )


def _credit_used(used: float, provider: str, usd_per_month: float) -> str:
    if not usd_per_month:
        return f"{usd(used)} USD of the run are paid from your credit at {provider}, on top of this cost."
    return f"Your credit at {provider} pays up to {usd(usd_per_month)} USD a month on top of this cost, {usd(used)} USD in all."


def _expired(*figures: Any) -> str:
    gone = [
        f"{usd(amount)} USD of credit at {provider} ({day})"
        if what == "credit"
        else f"the commitment to {amount:,.0f} x {instance_type} at {provider} ({day})"
        for what, amount, instance_type, provider, day in zip(*[iter(figures)] * 5, strict=True)
    ]
    return f"Expired, and counted for nothing: {'; '.join(gone)}."


TEXTS: Mapping[RemarkCode, Callable[..., str]] = {
    RemarkCode.DEADLINE: _deadline,
    RemarkCode.NO_SPARE: _no_spare,
    RemarkCode.GIVEN_BACK: _given_back,
    RemarkCode.AVAILABILITY: _availability,
    RemarkCode.STARTS: _starts,
    RemarkCode.TRAINED: _trained,
    RemarkCode.MFU: lambda mfu, low, high, over_run: (
        f"Model FLOP utilization (MFU) is {percent(mfu)} of the dense peak while it trains (80 % band {percent(low)} to {percent(high)}), and "
        f"{percent(over_run)} over the whole run, with evaluation, checkpoints and restarts."
    ),
    RemarkCode.INTERCONNECT: _interconnect,
    RemarkCode.CHECKPOINTS: _checkpoints,
    RemarkCode.EMBEDDED: _embedded,
    RemarkCode.VECTORS: _vectors,
    RemarkCode.DELIVERY: _delivery,
    RemarkCode.OWNERSHIP: _ownership,
    RemarkCode.COMMITMENT: _commitment,
    RemarkCode.TUNING: _tuning,
    RemarkCode.UNJOINED: _unjoined,
    RemarkCode.AUDIO: _audio,
    RemarkCode.HOSTED: _hosted,
    RemarkCode.CREDIT: _credit,
    RemarkCode.CREDIT_OF_RUN: _credit_of_run,
    RemarkCode.CREDIT_USED: _credit_used,
    RemarkCode.EXPIRED: _expired,
    RemarkCode.CREDIT_LOST: lambda lost, _, provider, expires: (
        f"{usd(lost)} USD of your credit at {provider} are left unused when it expires on {expires}."
    ),
    RemarkCode.NEAREST_HOSTED: lambda name, provider, cost, once: (
        f"No seller is known to host this model by the token; the nearest in size, {name} at {seller(provider)}, costs {usd(cost)} USD "
        f"{'for the run' if once else 'a month'}."
    ),
    RemarkCode.LOWER_TIER: lambda tier: (
        f"No seller of tier A or B has what this takes, so this one is of tier {tier} (gpuplan providers says why): test it before you rely on it."
    ),
}


def remark_text(remark: Remark) -> str:
    """Return a remark as a sentence.

    Examples
    --------
    >>> remark_text(Remark(code=RemarkCode.TRAINED, figures=(50e6, 3.0, 150e6)))
    '50M tokens x 3 epochs = 150M training tokens.'
    """
    return TEXTS[remark.code](*remark.figures)


def variant_texts(variants: Variants) -> tuple[str, ...]:
    """Return the variants, a sentence each."""
    said = []
    if variants.at_other_limits:
        said.append(f"At other limits: {'; '.join(map(_at_limit, variants.at_other_limits))}.")
    if len({(other.option_id, other.accelerators_total_count) for other in variants.at_other_deadlines}) > 1:
        said.append(f"At other deadlines: {'; '.join(map(_at_deadline, variants.at_other_deadlines))}.")
    if variants.following is not None:
        said += _following(variants.following)
    if variants.at_other_counts:
        said.append(f"More GPUs save time, not money: {'; '.join(map(_at_count, variants.at_other_counts))}.")
    if variants.at_twice_the_work is not None:
        said.append(_at_twice(variants.at_twice_the_work))
    if variants.later_run is not None:
        said.append(_later(variants.later_run))
    if variants.readings:
        said.append(f"{'; '.join(map(_reading, variants.readings))}.")
    return tuple(said)


LEAST_ITEM_SHARE = 0.001
HARDLY_SHARE = 0.001
WORTH_SAYING_SHARE = 0.05
"""Of a machine's cost, from which on scaling to zero is worth a sentence."""


def _following(following: Autoscaled) -> list[str]:
    """Say how machines follow the demand, and what it costs to stay ready."""
    least, most, zero = following.least_instance_count, following.most_instance_count, following.to_zero
    minutes = f"{following.start_minutes:.0f} minutes"
    said = []
    if 0 < least < most:
        said.append(
            f"Autoscaling takes {least:,} to {most:,} machines, one replica per {significant(following.target_requests_per_s):g} requests/s, started "
            f"{minutes} ahead: {percent(following.paid_share)} of the machine hours are paid for, {usd(following.usd_per_month)} USD a month with the hours of starting, "
            f"which the other figures leave out, against {usd(following.always_on_usd_per_month)} always on."
        )
    waits = (
        f"{percent(zero.waiting_share)} of the requests" if zero.waiting_share > HARDLY_SHARE else "hardly any request"
    )
    if not least:
        said.append(
            f"Scaled to zero when idle, the service costs {usd(zero.usd_per_month)} USD a month, and {waits} wait up to {minutes} for a start; "
            f"staying ready would cost {usd(zero.staying_ready_usd_per_month)} USD more."
        )
    elif zero.staying_ready_usd_per_month > WORTH_SAYING_SHARE * following.usd_per_month:
        said.append(
            f"Staying ready costs {usd(zero.staying_ready_usd_per_month)} USD a month: scaled to zero when idle, the service would cost {usd(zero.usd_per_month)} USD, "
            f"and {waits} would wait up to {minutes} for a start."
        )
    return said


def _at_limit(other: OtherLimit) -> str:
    limit = f"TPOT {significant(other.tpot_limit_ms):g} ms"
    if not other.option_id:
        return f"{limit} is met by no recommended machine"
    return f"{limit} takes {count(other.accelerators_total_count)} {other.accelerator}, {usd(other.usd_per_month)} USD a month"


def _at_deadline(other: OtherDeadline) -> str:
    if not other.option_id:
        return f"no recommended machine does it in {duration(other.deadline_hours)}"
    return f"in {duration(other.deadline_hours)} {count(other.accelerators_total_count)} {other.accelerator}, {usd(other.usd)} USD a run"


def _at_count(other: OtherCount) -> str:
    take = "takes" if other.accelerators_total_count == 1 else "take"
    deadline, late = other.deadline_hours or math.inf, ""
    if other.hours_per_run > deadline:
        late = ", past the deadline"
    elif other.late_hours > deadline:
        late = f", past the deadline at the slow end ({duration(other.late_hours)})"
    return f"{count(other.accelerators_total_count)} {take} {duration(other.hours_per_run)} and {usd(other.usd)} USD a run{late}"


def _at_twice(twice: TwiceTheWork) -> str:
    cost = "cannot be done"
    if twice.option_id:
        what = f"{count(twice.accelerators_total_count)} {twice.accelerator}, " if twice.accelerator else ""
        cost = f"costs {twice.ratio:.1f} times as much ({what}{usd(twice.usd)} USD)"
    if twice.is_unjoined:
        why = "the machines of this answer cannot be joined into one job"
    elif twice.causes:
        why = f"for the machines of this answer, {REASONS[twice.causes[0]].partition('{')[0].rstrip(' ,')}"
    else:
        why = "each machine does less in a larger job"
    return f"Twice the work by the same deadline {cost}: {why}."


def _later(later: LaterRun) -> str:
    return (
        f"After the first run, {count(later.document_count)} new documents cost about {usd(later.usd)} USD done the same way, the start of the machines included "
        "(runs_per_month plans such runs)."
    )


def _reading(reading: Reading) -> str:
    cost = f"{usd(reading.usd_per_month)} USD a month, {usd(reading.usd_per_useful_gpu_hour)} USD per used GPU-hour"
    if reading.is_releasable:
        return (
            f"If idle machines can be given back: {cost}, and getting them back each time is not guaranteed on demand"
        )
    return f"if they have to be kept all month: {cost}"
