"""The plan: from a workload, a catalogue of prices and stated beliefs to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from planner.assumptions import Assumption, Assumptions, TracedAssumptions
from planner.comparison import BreakEvenPair, best_by_kind, break_evens
from planner.demand.architecture import Architecture
from planner.demand.models import resolve_model
from planner.demand.requirements import Requirements, requirements
from planner.demand.suitability import suitable_model
from planner.demand.volume import volume
from planner.demand.workload import Constraints, Workload
from planner.doubt import Doubt, doubt
from planner.errors import NothingFitsError
from planner.options.free import free_options, lent_machines
from planner.options.hosted import hosted_options
from planner.options.option import Option, OptionKind
from planner.options.owned import owned_options
from planner.options.place import beliefs_at
from planner.options.rented import rented_options
from planner.options.servers import ownable_servers
from planner.supply.calibration import Calibration
from planner.supply.candidates import Candidates, find_candidates
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Machine, Refusal
from planner.supply.scaling import relief, relief_sentence
from planner.verdict import Verdict, choose
from pricing.accelerators import resolve_all
from pricing.catalog import Catalog, FunnelStep
from pricing.free_tiers import FreeTier
from pricing.offers import offer_id
from pricing.token_prices import TokenPrice

__all__ = ["Plan", "Provenance", "make_plan"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the prices come from.

    Attributes
    ----------
    snapshot : str
        Name of the catalogue.
    oldest_price_on, newest_price_on : date
        Of the options shown.
    """

    snapshot: str
    oldest_price_on: date
    newest_price_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A workload's options, ranked, with the verdict and everything it rests on.

    Attributes
    ----------
    workload : Workload
        As stated.
    model : str
        The model's name; empty for plain GPU hours.
    planned_on : date
        Today, as the caller has it.
    horizon_months : int
        How far the comparison looks.
    requirements : Requirements
        What the work takes.
    verdict : Verdict
        What to do, and why.
    options : tuple of Option
        Ranked by present value.
    break_evens : tuple of BreakEvenPair
        Rents against owning.
    doubt : Doubt
        How sure it is that renting or owning is cheaper, and which belief would turn it.
    refusals : tuple of Refusal
        Machines that cannot do the work.
    assumptions : tuple of Assumption
        Beliefs that were looked up on the way.
    funnel : tuple of FunnelStep
        Where options were lost.
    notes : tuple of str
        What the reader should know.
    provenance : Provenance
        Dates of the prices.
    """

    workload: Workload
    model: str
    planned_on: date
    horizon_months: int
    requirements: Requirements
    verdict: Verdict
    options: tuple[Option, ...]
    break_evens: tuple[BreakEvenPair, ...]
    doubt: Doubt
    refusals: tuple[Refusal, ...]
    assumptions: tuple[Assumption, ...]
    funnel: tuple[FunnelStep, ...]
    notes: tuple[str, ...]
    provenance: Provenance


def make_plan(
    workload: Workload,
    catalog: Catalog,
    beliefs: Assumptions,
    *,
    today: date,
    token_prices: Sequence[TokenPrice] = (),
    free_tiers: Sequence[FreeTier] = (),
    calibration: Calibration | None = None,
) -> Plan:
    """Return what to do, and everything that the answer rests on.

    Parameters
    ----------
    workload : Workload
        The work, what it has to respect, and how far the comparison looks.
    catalog : Catalog
        Offers of a day.
    beliefs : Assumptions
        Stated beliefs.
    today : date
        The caller's today.
    token_prices : sequence of TokenPrice
        Sellers of the same model by the token.
    free_tiers : sequence of FreeTier
        Notebooks and credits that cost nothing.
    calibration : Calibration, optional
        Fitted constants, where the user measured for himself; the shipped ones by default.

    Raises
    ------
    NothingFitsError
        No option does the work; the message carries the funnel.
    """
    traced = TracedAssumptions(
        beliefs_at(beliefs, workload.own.place).rows if workload.own.place != "US" else beliefs.rows
    )
    months = workload.horizon_months
    architecture = None if workload.model is None else suitable_model(workload, resolve_model(workload.model))
    needs = requirements(workload, architecture)
    work = volume(workload, traced["money.hours_per_month"])
    candidates = find_candidates(catalog, workload.constraints)
    servers = [s for s in ownable_servers(traced) if is_wanted(s.machine, workload.constraints)]
    tiers = () if workload.constraints.providers else free_tiers
    lent = [n for n in lent_machines(tiers) if is_wanted(n.machine, workload.constraints)]
    machines = dict.fromkeys([*candidates.machines, *(s.machine for s in servers), *(n.machine for n in lent)])
    sized = size(
        workload,
        architecture,
        tuple(machines),
        traced,
        max_accelerators=workload.constraints.max_gpus,
        calibration=calibration,
    )
    fleets = {each.machine: each for each in sized if isinstance(each, Fleet)}
    refusals = tuple(each for each in sized if isinstance(each, Refusal))
    rented = rented_options(candidates.offers, fleets, candidates.machine_by_id, workload, work, traced, months=months)
    owned = owned_options(
        servers,
        fleets,
        work,
        traced,
        place=workload.own.place,
        months=months,
        bridge_usd_per_month=_bridge_usd_per_month(rented),
    )
    # Who names providers means sellers of machines and of tokens alike; a free tier is neither.
    providers = workload.constraints.providers
    sellers = [price for price in token_prices if not providers or price.provider in providers]
    hosted = hosted_options(sellers, workload, work, traced, months=months)
    free = free_options(lent, fleets, work, traced, months=months)
    options = ranked(well_founded([*rented, *owned, *hosted, *free]), workload.constraints)
    funnel = (*candidates.funnel, *_sieves(candidates, fleets, refusals, options))
    if not options:
        raise NothingFitsError(_nothing_fits(funnel, refusals), hint=_way_out(refusals))
    once = work.is_job and not work.runs_per_month
    pairs = break_evens(options, traced)
    verdict = choose(
        options,
        pairs,
        refusals,
        traced,
        months=months,
        once=once,
        peak_flop_per_s=needs.peak_flop_per_s,
        deadline_hours=workload.deadline_hours,
    )
    options = tuple(
        _with_relief(option, workload, architecture, traced, calibration) if option.id == verdict.option_id else option
        for option in options
    )
    best = best_by_kind(options)
    # One run is over before anything can move; over a horizon rents, demand and used prices do.
    doubts = Doubt() if once else doubt(best.get(OptionKind.RENT), best.get(OptionKind.BUY), traced)
    return Plan(
        workload=workload,
        model=needs.model,
        planned_on=today,
        horizon_months=months,
        requirements=needs,
        verdict=verdict,
        options=options,
        break_evens=pairs,
        doubt=doubts,
        refusals=refusals,
        assumptions=traced.used(),
        funnel=funnel,
        notes=(*(calibration.notes() if calibration else ()), *catalog.notes, *needs.notes, *_notes(candidates)),
        provenance=Provenance(
            snapshot=catalog.snapshot,
            oldest_price_on=min(option.priced_on for option in options),
            newest_price_on=max(option.priced_on for option in options),
        ),
    )


def is_wanted(machine: Machine, constraints: Constraints) -> bool:
    """Tell whether a machine that is not rented has an accelerator that was asked for."""
    if not constraints.gpus:
        return True
    names = {accelerator.name for gpu in constraints.gpus for accelerator in resolve_all(gpu)}
    return machine.accelerator is not None and machine.accelerator.name in names


def well_founded(options: Sequence[Option]) -> list[Option]:
    """Return the options, machines whose speed nobody measured anything near marked as hints where others are known."""
    machines = {OptionKind.RENT, OptionKind.BUY}
    extrapolated = {
        option.id
        for option in options
        if option.kind in machines and option.fleet is not None and option.fleet.performance.basis == "extrapolated"
    }
    if not any(o.choosable and o.kind is OptionKind.RENT and o.id not in extrapolated for o in options):
        return list(options)
    reason = "no measured speed is near, so it is extrapolated: try it before you rely on it"
    return [
        replace(option, choosable=False, reason_not_chosen=option.reason_not_chosen or reason)
        if option.id in extrapolated
        else option
        for option in options
    ]


def ranked(options: Sequence[Option], constraints: Constraints) -> tuple[Option, ...]:
    """Return the options within the budget: first those that may be recommended, then the hints; each cheapest first."""
    budget = constraints.max_usd_per_month
    kept = [option for option in options if budget is None or option.usd_per_month <= budget]
    return tuple(
        sorted(kept, key=lambda o: (not o.choosable, o.present_value_usd, _size(o), o.hours_per_run or 0.0, o.id))
    )


def _with_relief(
    option: Option,
    workload: Workload,
    architecture: Architecture | None,
    beliefs: Assumptions,
    calibration: Calibration | None,
) -> Option:
    """Return the chosen option with a note on what relieving its limit would bring."""
    if option.fleet is None or architecture is None:
        return option
    machine = option.fleet.machine
    accelerators = round(option.fleet.instance_count * machine.accelerator_count)
    told = relief_sentence(relief(workload, architecture, machine, accelerators, beliefs, calibration=calibration))
    return replace(option, notes=(*option.notes, told)) if told else option


def _size(option: Option) -> float:
    """Return how many accelerators an option takes up; of two that cost the same, fewer are enough."""
    return option.accelerators_total_count


def _bridge_usd_per_month(rented: Sequence[Option]) -> float | None:
    """Return the cheapest rent that can be left when the servers arrive."""
    return min((o.usd_per_month for o in rented if o.choosable and o.purchase_option == "on_demand"), default=None)


def _sieves(
    candidates: Candidates, fleets: Mapping[Machine, Fleet], refusals: Sequence[Refusal], options: Sequence[Option]
) -> tuple[FunnelStep, ...]:
    """Follow the candidates through the stages at which machines were refused, in the order of the sizing."""
    machine_by_id = candidates.machine_by_id
    lost_at = {refusal.machine: refusal.stage for refusal in refusals}
    left = [machine_by_id[offer_id(offer)] for offer in candidates.offers]
    stages = []
    for stage, words in SIEVES.items():
        kept = [machine for machine in left if lost_at.get(machine) != stage]
        if len(kept) != len(left):
            stages.append(FunnelStep(words, len(kept)))
            left = kept
    kept = [machine for machine in left if machine in fleets]
    if len(kept) != len(left):
        stages.append(FunnelStep("that do the work", len(kept)))
    return (*stages, FunnelStep("options, with owned, hosted and free ones", len(options)))


def _nothing_fits(funnel: Sequence[FunnelStep], refusals: Sequence[Refusal]) -> str:
    lines = ["nothing does this work", *(f"  {step.offer_count:>7,}  {step.name}" for step in funnel)]
    biggest = [refusal for refusal in refusals if refusal.machine.accelerator is not None]
    if biggest:
        nearest = max(biggest, key=_memory_gib)
        accelerator = nearest.machine.accelerator
        assert accelerator is not None
        lines.append(f"  even {nearest.machine.accelerator_count:g} x {accelerator.name}: {nearest.reason}")
    return "\n".join(lines)


def _memory_gib(refusal: Refusal) -> float:
    accelerator = refusal.machine.accelerator
    return 0.0 if accelerator is None else accelerator.memory_gib * refusal.machine.accelerator_count


def _way_out(refusals: Sequence[Refusal]) -> str:
    stages = [refusal.stage for refusal in refusals]
    if not stages:
        return "loosen the constraints"
    return WAYS_OUT.get(max(set(stages), key=stages.count), "loosen the constraints")


def _notes(candidates: Candidates) -> tuple[str, ...]:
    if not candidates.unknown_accelerators:
        return ()
    names = ", ".join(candidates.unknown_accelerators)
    return (f"offers with {names} are left out, since nothing is known of these accelerators",)
