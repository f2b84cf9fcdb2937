"""The plan: from a workload, a catalogue of prices and stated beliefs to a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from planner.assumptions import Assumption, Assumptions, TracedAssumptions
from planner.comparison import BreakEvenPair, best_by_kind, break_evens
from planner.demand.architecture import Architecture
from planner.demand.models import resolve_model
from planner.demand.requirements import Requirements, requirements
from planner.demand.suitability import suitable_model
from planner.demand.volume import volume
from planner.demand.workload import Constraints, Precision, Workload
from planner.doubt import Doubt, doubt
from planner.funnel import funnel_of, nothing_fits
from planner.leaner import leaner_note
from planner.options.free import free_options, lent_machines
from planner.options.hosted import hosted_options
from planner.options.option import Option, OptionKind
from planner.options.owned import owned_options
from planner.options.place import beliefs_at
from planner.options.rented import rented_options
from planner.options.servers import ownable_servers
from planner.ranking import ranked, well_founded
from planner.second_opinion.opinion import SecondOpinion
from planner.supply.calibration import Calibration
from planner.supply.candidates import Candidates, find_candidates
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Machine, Refusal
from planner.supply.scaling import relief, relief_sentence
from planner.verdict import Verdict, choose
from pricing.accelerators import resolve_all
from pricing.catalog import Catalog, FunnelStep
from pricing.free_tiers import FreeTier
from pricing.token_prices import TokenPrice

__all__ = ["Plan", "Provenance", "asked_of_processors", "is_wanted", "make_plan"]

FORMATS_OF_ACCELERATORS = frozenset({Precision.FP8, Precision.FP4})


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
    second_opinion : SecondOpinion or None
        What another program says of the verdict's machines, where it was asked; the verdict does not hang on it.
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
    second_opinion: SecondOpinion | None = None


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
    traced = TracedAssumptions(beliefs_at(beliefs, workload.own.place).rows)
    needs, architecture = _needs(workload)
    work = volume(workload, traced["money.hours_per_month"])
    candidates = find_candidates(catalog, workload.constraints)
    servers = [s for s in ownable_servers(traced) if is_wanted(s.machine, workload.constraints)]
    lent = [n for n in lent_machines(free_tiers) if is_wanted(n.machine, workload.constraints)]
    machines = dict.fromkeys([*candidates.machines, *(s.machine for s in servers), *(n.machine for n in lent)])
    most = workload.constraints.max_gpus
    sized = [
        each
        for asked, sort in _by_format(workload, tuple(machines))
        for each in size(asked, architecture, sort, traced, max_accelerators=most, calibration=calibration)
    ]
    fleets = {each.machine: each for each in sized if isinstance(each, Fleet)}
    refusals = tuple(each for each in sized if isinstance(each, Refusal))
    rented = rented_options(candidates, fleets, workload, work, traced)
    owned = owned_options(servers, fleets, workload, work, traced, bridge_usd_per_month=_bridge_usd_per_month(rented))
    hosted = hosted_options(token_prices, workload, work, traced)
    free = free_options(lent, fleets, workload, work, traced)
    options = ranked(well_founded([*rented, *owned, *hosted, *free]), workload.constraints)
    funnel = funnel_of(candidates, fleets, refusals, options)
    if not options:
        raise nothing_fits(funnel, refusals)
    pairs = break_evens(options, traced)
    verdict = choose(options, pairs, refusals, traced, workload=workload, peak_flop_per_s=needs.peak_flop_per_s)
    chosen = next(option for option in options if option.id == verdict.option_id)
    leaner = leaner_note(workload, architecture, candidates, work, chosen, traced, calibration=calibration)
    return Plan(
        workload=workload,
        model=needs.model,
        planned_on=today,
        horizon_months=workload.horizon_months,
        requirements=needs,
        verdict=verdict,
        options=tuple(
            _with_relief(option, workload, architecture, traced, calibration)
            if option.id == verdict.option_id
            else option
            for option in options
        ),
        break_evens=pairs,
        doubt=_doubt(options, workload, traced),
        refusals=refusals,
        assumptions=traced.used(),
        funnel=funnel,
        notes=(
            *(calibration.notes() if calibration else ()),
            *([leaner] if leaner else []),
            *catalog.notes,
            *needs.notes,
            *_notes(candidates),
        ),
        provenance=Provenance(
            snapshot=catalog.snapshot,
            oldest_price_on=min(option.priced_on for option in options),
            newest_price_on=max(option.priced_on for option in options),
        ),
    )


def _by_format(workload: Workload, machines: Sequence[Machine]) -> Iterator[tuple[Workload, tuple[Machine, ...]]]:
    """Ask processors for 16 bit where only formats are allowed that no processor computes in; it loses nothing by it."""
    yield workload, tuple(machine for machine in machines if machine.accelerator is not None)
    yield asked_of_processors(workload), tuple(machine for machine in machines if machine.accelerator is None)


def asked_of_processors(workload: Workload) -> Workload:
    """Return the work as processors are asked for it: in 16 bit where only formats are allowed that none computes in."""
    if workload.precision and set(workload.precision) <= FORMATS_OF_ACCELERATORS:
        return workload.model_copy(update={"precision": (Precision.BF16,), "kv_precision": ()})
    return workload


def _needs(workload: Workload) -> tuple[Requirements, Architecture | None]:
    architecture = None if workload.model is None else suitable_model(workload, resolve_model(workload.model))
    return requirements(workload, architecture), architecture


def _doubt(options: Sequence[Option], workload: Workload, beliefs: Assumptions) -> Doubt:
    """Return how sure the verdict is; one run is over before rents, demand and used prices can move."""
    if workload.runs_once:
        return Doubt()
    best = best_by_kind(options)
    return doubt(best.get(OptionKind.RENT), best.get(OptionKind.BUY), beliefs)


def is_wanted(machine: Machine, constraints: Constraints) -> bool:
    """Tell whether a machine that is not rented has an accelerator that was asked for."""
    if not constraints.gpus:
        return True
    names = {accelerator.name for gpu in constraints.gpus for accelerator in resolve_all(gpu)}
    return machine.accelerator is not None and machine.accelerator.name in names


def _bridge_usd_per_month(rented: Sequence[Option]) -> float | None:
    """Return the cheapest rent that can be left when the servers arrive."""
    return min((o.usd_per_month for o in rented if o.choosable and o.purchase_option == "on_demand"), default=None)


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
    if machine.accelerator is not None and accelerators < 1:
        return option  # a slice of one has nothing to be relieved by itself
    told = relief_sentence(relief(workload, architecture, machine, accelerators, beliefs, calibration=calibration))
    return replace(option, notes=(*option.notes, told)) if told else option


def _notes(candidates: Candidates) -> tuple[str, ...]:
    if not candidates.unknown_accelerators:
        return ()
    names = ", ".join(candidates.unknown_accelerators)
    return (f"offers with {names} are left out, since nothing is known of these accelerators",)
