"""The funnel: where options were lost, and what to do where all of them were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.errors import NothingFitsError
from planner.options.option import Option
from planner.supply.candidates import Candidates
from planner.supply.machines import Fleet, Machine, Refusal
from pricing.catalog import FunnelStep

__all__ = ["funnel_of", "nothing_fits"]

SIEVES = {
    "interconnect": "joined well enough",
    "precision": "with a number format that the work allows",
    "memory": "that hold the work in memory",
    "ttft": "that meet the limit on the time to first token",
    "tpot": "that meet the limit on the time per further token",
    "deadline": "that meet the deadline",
    "max_gpus": "within max_gpus",
    "evidence": "of which enough is known",
}
"""Stages of `planner.supply.machines.Refusal`, in the order of the funnel."""
WAYS_OUT = {
    "memory": "allow a smaller number format (precision: [fp8, int4]) or more accelerators (max_gpus)",
    "precision": "name another number format, or none so that every one is tried",
    "ttft": "raise ttft_limit_ms or shorten the prompts",
    "tpot": "raise tpot_limit_ms",
    "deadline": "move the deadline or allow more accelerators (max_gpus)",
    "max_gpus": "raise max_gpus",
    "interconnect": "allow another interconnect",
}


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
    return (*candidates.funnel, *stages, FunnelStep("options, with owned, hosted and free ones", len(options)))


def nothing_fits(
    funnel: Sequence[FunnelStep],
    refusals: Sequence[Refusal],
    budget_usd_per_month: float | None = None,
    dearer: Sequence[Option] = (),
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
    """
    if dearer and budget_usd_per_month is not None:
        best = next((option for option in dearer if option.choosable), None) or dearer[0]
        words = f"{best.instance_type} at {best.provider}" if best.fleet is None else (
            f"{best.instance_count} x {best.instance_type} at {best.provider}, {best.purchase_option}"
        )  # fmt: skip
        what = f"nothing that does this work stays within {budget_usd_per_month:,.0f} USD a month (constraints.max_usd_per_month)"
        return NothingFitsError(
            "\n".join([what, *_steps(funnel), f"  the cheapest that can be recommended costs {best.usd_per_month:,.0f} USD a month: {words}"]),
            hint=f"allow {best.usd_per_month:,.0f} USD a month or more, or ask for less work",
        )  # fmt: skip
    return NothingFitsError(_nothing_fits(funnel, refusals), hint=_way_out(refusals))


def _steps(funnel: Sequence[FunnelStep]) -> list[str]:
    return [f"  {step.offer_count:>7,}  {step.name}" for step in funnel]


def _nothing_fits(funnel: Sequence[FunnelStep], refusals: Sequence[Refusal]) -> str:
    lines = ["nothing does this work", *_steps(funnel)]
    biggest = [refusal for refusal in refusals if refusal.machine.accelerator is not None]
    if biggest:
        nearest = max(biggest, key=_memory_gib)
        from planner.report.notes import note_text

        lines.append(f"  even {nearest.machine.label}: {note_text(nearest.reason)}")
    return "\n".join(lines)


def _memory_gib(refusal: Refusal) -> float:
    accelerator = refusal.machine.accelerator
    return 0.0 if accelerator is None else accelerator.memory_gib * refusal.machine.accelerator_count


def _way_out(refusals: Sequence[Refusal]) -> str:
    stages = [refusal.stage for refusal in refusals]
    if not stages:
        return "loosen the constraints"
    return WAYS_OUT.get(max(set(stages), key=stages.count), "loosen the constraints")
