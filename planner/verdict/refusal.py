"""No plan: where options were lost, why none is left that may be recommended, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from planner.demand.volume import Volume
from planner.demand.workload import Workload
from planner.errors import InputError, NothingFitsError
from planner.notes import NoteCode
from planner.options.option import Option, ReasonCode
from planner.options.rented import rented_options
from planner.report.words import how_paid
from planner.supply.candidates import Candidates, find_candidates
from planner.supply.machines import Fleet, Machine, Refusal
from planner.verdict.supply import Supply
from pricing.catalog import Catalog, FunnelStep
from pricing.clock import SECONDS_PER_DAY
from pricing.errors import NoPricesError

SIEVES = {
    "interconnect": "with a fast enough interconnect",
    "precision": "with a number format that the work allows",
    "memory": "with enough memory for the work",
    "ttft": "that meet the limit on the time to first token",
    "tpot": "that meet the limit on the time per output token",
    "total": "that meet the limit on the total time",
    "deadline": "that meet the deadline",
    "max_gpus": "within max_gpus",
    "max_replicas": "within max_replicas",
    "evidence": "with enough evidence behind them",
}
"""Stages of `planner.supply.machines.Refusal`, in the order of the funnel."""
WAYS_OUT = {
    "precision": "name another number format, or none so that every one is tried",
    "ttft": "raise ttft_limit_ms or shorten the prompts",
    "tpot": "raise tpot_limit_ms",
    "total": "raise total_limit_ms",
    "deadline": "move the deadline or allow more accelerators (max_gpus)",
    "max_gpus": "raise max_gpus",
    "max_replicas": "raise serve.max_replicas",
    "interconnect": "allow another interconnect",
}

RULE_OUT = (
    "allow more: constraints.purchase: [spot], constraints.min_tier: C, constraints.free_tiers: true, or name a provider that "
    "you trust in constraints.providers"
)
RULES_OUT = {
    ReasonCode.NO_BRIDGE: (
        "nothing within the constraints can do the work until servers are delivered: allow more providers, purchase options or a "
        "larger max_usd_per_month, or `--set own.lead_time_months=0` where the work can wait"
    ),
    ReasonCode.CAPEX_ABOVE_LIMIT: "raise max_capex_usd, or allow more providers or purchase options",
}
"""What lets an option be recommended, by the reason that speaks against it."""


def funnel_of(
    candidates: Candidates, fleets: Mapping[Machine, Fleet], refusals: Sequence[Refusal], options: Sequence[Option]
) -> tuple[FunnelStep, ...]:
    """Follow the candidates through the stages at which machines were refused, in the order of the sizing."""
    lost_at = {refusal.machine: refusal.stage for refusal in refusals}
    left = list(candidates.behind)
    stages = []
    for stage, words in SIEVES.items():
        kept = [machine for machine in left if lost_at.get(machine) != stage]
        if len(kept) != len(left):
            stages.append(FunnelStep(words, len(kept)))
            left = kept
    kept = [machine for machine in left if machine in fleets]
    if len(kept) != len(left):
        stages.append(FunnelStep("that do the work", len(kept)))
    return (*candidates.funnel, *stages, FunnelStep("options, including owned, hosted and free ones", len(options)))


def nothing_fits(
    funnel: Sequence[FunnelStep],
    refusals: Sequence[Refusal],
    budget_usd_per_month: float | None = None,
    dearer: Sequence[Option] = (),
    *,
    workload: Workload | None = None,
    has_deadline: bool = True,
) -> NothingFitsError:
    """Return the error that says where every option was lost.

    Parameters
    ----------
    funnel : sequence of FunnelStep
        Where.
    refusals : sequence of Refusal
        Machines that cannot do the work.
    budget_usd_per_month : float, optional
        The budget.
    dearer : sequence of Option
        What does the work beyond the budget, ranked.
    workload : Workload, optional
        The work, which decides what helps where memory is short.
    has_deadline : bool
        Whether the deadline was stated, and is not the default.
    """
    if dearer and budget_usd_per_month is not None:
        sound = next((option for option in dearer if option.choosable), None)
        best, which = (sound, "that can be recommended ") if sound else (dearer[0], "")
        words = f"{best.instance_type} at {best.provider}" if best.fleet is None else (
            f"{best.instance_count} x {best.instance_type} at {best.provider}, {how_paid(best.purchase_option)}"
        )  # fmt: skip
        what = f"no option that can do this work and be recommended stays within {budget_usd_per_month:,.10g} USD a month (constraints.max_usd_per_month)"
        return NothingFitsError(
            "\n".join([what, *_steps(funnel), f"  the cheapest {which}costs {math.ceil(best.usd_per_month):,} USD a month: {words}"]),
            hint=f"allow {math.ceil(best.usd_per_month):,} USD a month or more, or reduce the work",
        )  # fmt: skip
    return NothingFitsError(
        _nothing_fits(funnel, refusals), hint=_way_out(refusals, workload, has_deadline=has_deadline)
    )


def _steps(funnel: Sequence[FunnelStep]) -> list[str]:
    return [f"  {step.offer_count:>7,}  {step.name}" for step in funnel]


def _nothing_fits(funnel: Sequence[FunnelStep], refusals: Sequence[Refusal]) -> str:
    lines = ["nothing can do this work", *_steps(funnel)]
    biggest = [refusal for refusal in refusals if refusal.machine.accelerator is not None]
    has_deadline_missed = any(math.isfinite(_missed_s(refusal)[0]) for refusal in biggest)
    if biggest:
        nearest = min(biggest, key=_missed_s) if has_deadline_missed else max(biggest, key=_memory_gib)
        from planner.report.notes import note_text

        reason = note_text(nearest.reason)
        has_machines = nearest.reason.code is NoteCode.DEADLINE_MISSED  # which says how many there would be
        lines.append(f"  even {reason}" if has_machines else f"  even {nearest.machine.label}: {reason}")
    return "\n".join(lines)


def _missed_s(refusal: Refusal) -> tuple[float, float]:
    """Return how long the work takes where that is too long, and the deadline; infinite where something else is the matter."""
    match refusal.reason.code, refusal.reason.figures:
        case NoteCode.DEADLINE_MISSED, (_, _, float() as late_s, float() as deadline_s, *_):
            return late_s, deadline_s
        case _:
            return math.inf, math.inf


def _memory_gib(refusal: Refusal) -> float:
    accelerator = refusal.machine.accelerator
    return 0.0 if accelerator is None else accelerator.memory_gib * refusal.machine.accelerator_count


def _way_out(refusals: Sequence[Refusal], workload: Workload | None, *, has_deadline: bool) -> str:
    stages = [refusal.stage for refusal in refusals]
    if not stages:
        return "loosen the constraints"
    late_s, deadline_s = min(map(_missed_s, refusals))
    if math.isfinite(late_s):
        days, default_days = math.ceil(late_s / SECONDS_PER_DAY), deadline_s / SECONDS_PER_DAY
        least = (
            f"{days:,} days or more would do"
            if late_s > SECONDS_PER_DAY
            else f"{late_s / 3600:,.1f} hours or more would do"
        )
        if has_deadline:
            return f"{WAYS_OUT['deadline']}; {least}"
        return f"no deadline was stated, so the default of {default_days:,.0f} days holds: state a longer one; {least}"
    stage = max(set(stages), key=stages.count)
    if stage == "memory" and workload is not None:
        from planner.report.option_words import memory_remedies

        return "allow " + ", or ".join(memory_remedies(workload))
    return WAYS_OUT.get(stage, "loosen the constraints")


def none_recommended(options: Sequence[Option], *, once: bool) -> NothingFitsError:
    """Return the error that names the cheapest of options of which none may be recommended, and what would let it be.

    Parameters
    ----------
    options : sequence of Option
        Ranked; at least one.
    once : bool
        Whether the work is done once.
    """
    from planner.report.wording import reason_text

    first = options[0]
    reason = first.not_recommended[0]
    codes = {reason.code for option in options for reason in option.not_recommended}
    what = f"{first.instance_count} x {first.instance_type}" if first.instance_count else first.instance_type
    return NothingFitsError(
        f"no option can be recommended for this work; {len(options)} were found that are not recommended\n"
        f"  the cheapest: {what} at {first.provider}, {how_paid(first.purchase_option)}, {first.stated_usd(once=once):,.2f} USD {'for the run' if once else 'a month'}: {reason_text(reason)}",
        hint="; ".join(
            [
                *([RULE_OUT] if codes - RULES_OUT.keys() else []),
                *(way_out for code, way_out in RULES_OUT.items() if code in codes),
            ]
        ),
    )


def refuse(
    options: Sequence[Option],
    funnel: Sequence[FunnelStep],
    refusals: Sequence[Refusal],
    stated: Workload,
    workload: Workload,
    options_of: Callable[[Workload], Sequence[Option]],
) -> NoReturn:
    """Stop where nothing does the work, or nothing that does may be recommended; a budget that is too low is named first."""
    budget = workload.constraints.max_usd_per_month
    no_budget = workload.constraints.model_copy(update={"max_usd_per_month": None})
    dearer = options_of(workload.model_copy(update={"constraints": no_budget})) if budget else ()
    sound = next((option for option in dearer if option.choosable), None)
    if not options or (budget and sound is not None and sound.usd_per_month > budget):
        raise nothing_fits(
            funnel, refusals, budget, dearer, workload=stated, has_deadline=math.isfinite(stated.deadline_hours)
        )
    raise none_recommended(options, once=workload.runs_once)


def refuse_rents_out_of_window(
    workload: Workload,
    work: Volume,
    catalog: Catalog,
    supply: Supply,
) -> None:
    """Stop where no rent is left to compare with, and only because of its date: a gap in the data is no reason to buy."""
    if not catalog.out_of_window:
        return
    taken_out = replace(catalog, offers=catalog.out_of_window, funnel=())
    try:
        candidates = find_candidates(taken_out, workload.constraints)
    except InputError:
        return  # a provider or place that none of these has
    fleets, _ = replace(supply, candidates=candidates, servers=(), free=(), held=()).sized(workload)
    rents = rented_options(candidates, fleets, workload, work, supply.assumptions, supply.evidence)
    days = [option.priced_on for option in rents if option.choosable]
    if days:
        first, last = catalog.window.first_on, catalog.window.last_on
        bounds = f"from {first} on" if first and not last else f"until {last}" if not first else f"{first} to {last}"
        raise NoPricesError(
            f"rents that do this work are known, but none with a price from the days asked for ({bounds}); "
            f"theirs are of {min(days)} to {max(days)}",
            hint="allow older prices (--max-age), ask for another day (--as-of), or `gpuplan prices refresh`",
            where=catalog.snapshot,
        )
