"""The plan: from a workload, a catalog of prices and stated assumptions to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from planner.assumptions import Assumption, Assumptions, TracedAssumptions
from planner.demand.architecture import Architecture
from planner.demand.defaults import with_limits
from planner.demand.models import resolve_model, suitable_model
from planner.demand.requirements import Requirements, requirements
from planner.demand.volume import volume
from planner.demand.workload import Workload
from planner.notes import Note, NoteCode
from planner.options.energy import assumptions_at, own_place
from planner.options.free import free_machines
from planner.options.hosted import admitted_sellers
from planner.options.machine_hours import is_wanted
from planner.options.option import RENTED, Option, OptionKind
from planner.options.paid_already import machines_paid_already
from planner.options.price_evidence import Evidence
from planner.options.servers import dropped_prices, ownable_servers, quoted
from planner.supply.calibration import Calibration
from planner.supply.candidates import find_candidates
from planner.supply.machines import Refusal
from planner.supply.scaling import relief
from planner.traffic.confirm import Confirmed
from planner.uncertainty.plan_risk import JointDraws, KnownWorths, PlanRisk, plan_risk
from planner.verdict.alternatives import BreakEvenPair, alternatives_of, best_by_kind, break_evens
from planner.verdict.choice import Verdict, choice_of, verdict_of, without_passed_over
from planner.verdict.confirmation import Confirmation, confirmation_of, percentiles_of
from planner.verdict.credit_remarks import paid_already_remarks
from planner.verdict.plan_notes import FewOffers, few_offers_of, notes_on_data, smaller_weights_note
from planner.verdict.ranking import ranked
from planner.verdict.refusal import funnel_of, refuse, refuse_rents_out_of_window
from planner.verdict.remarks import Remark, lower_tier_remark, remarks_of, tuning_remarks
from planner.verdict.supply import Supply
from planner.verdict.turns import Turn, cost_ranges, rivals_of, turns_of
from planner.verdict.variants import Variants, variants_of
from pricing.catalog import Catalog, FunnelStep
from pricing.facts.dates import Dropped
from pricing.facts.sellers import FreeTier
from pricing.facts.token_prices import TokenPrice

if TYPE_CHECKING:
    import pandas as pd


FRAME_COLUMNS = (
    "id",
    "kind",
    "choosable",
    "provider",
    "region",
    "instance_type",
    "accelerator",
    "accelerators_total_count",
    "purchase_option",
    "term_months",
    "price_usd_per_hour",
    "present_value_usd",
    "total_usd",
    "usd_per_month",
    "usd_per_useful_gpu_hour",
    "usd_per_million_tokens",
    "utilisation_share",
    "priced_on",
    "source",
)
"""What `Plan.to_frame` tells of each option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the prices come from.

    Attributes
    ----------
    snapshot : str
        Name of the catalog.
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
    in_force : Workload
        With the limits and spare replicas that were filled in for what is not stated.
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
    uncertainty : PlanRisk
        How sure it is that renting or owning is cheaper, and which assumption would turn it.
    turns : tuple of Turn
        Prices and use at which the verdict would be another one.
    cost_ranges : mapping of str to (float, float)
        10th and 90th percentile of what the verdict and its rivals cost in joint draws, over what is planned, by option id.
    remarks : tuple of Remark
        What has to be known of the verdict's option.
    variants : Variants
        The same work asked a little differently.
    confirmed : mapping of str to Confirmed
        Percentiles of the fleets of the cheapest options, simulated, by option id; empty where no requests are served.
    refusals : tuple of Refusal
        Machines that cannot do the work.
    assumptions : tuple of Assumption
        Assumptions that were looked up on the way.
    funnel : tuple of FunnelStep
        Where options were lost.
    dropped : tuple of Dropped
        Offers and other dated facts that a filter took out.
    few_offers : FewOffers or None
        How few offers ``--as-of`` and ``--max-age`` have left, where they took out most of them.
    notes : tuple of Note
        What the reader should know.
    provenance : Provenance
        Dates of the prices.
    """

    workload: Workload
    in_force: Workload
    model: str
    planned_on: date
    horizon_months: int
    requirements: Requirements
    verdict: Verdict
    options: tuple[Option, ...]
    break_evens: tuple[BreakEvenPair, ...]
    uncertainty: PlanRisk
    turns: tuple[Turn, ...]
    cost_ranges: Mapping[str, tuple[float, float]]
    remarks: tuple[Remark, ...]
    variants: Variants
    confirmed: Mapping[str, Confirmed]
    refusals: tuple[Refusal, ...]
    assumptions: tuple[Assumption, ...]
    funnel: tuple[FunnelStep, ...]
    dropped: tuple[Dropped, ...]
    few_offers: FewOffers | None
    notes: tuple[Note, ...]
    provenance: Provenance

    @property
    def chosen(self) -> Option:
        """The option that the verdict takes."""
        return next(option for option in self.options if option.id == self.verdict.option_id)

    @property
    def usd_per_unit(self) -> float | None:
        """What a unit of the currency asked for is worth; None where costs are shown in dollars alone."""
        if self.workload.currency in {None, "USD"}:
            return None
        rows = (row.value for row in self.assumptions if row.name == "money.usd_per_eur")
        return self.workload.usd_per_unit or next(rows, None)

    def to_frame(self) -> pd.DataFrame:
        """Return the options as a pandas frame, one a row in the plan's own order, unrounded."""
        import pandas as pd

        return pd.DataFrame(
            {name: getattr(option, name) for name in FRAME_COLUMNS} | {"is_chosen": option.id == self.verdict.option_id}
            for option in self.options
        )


def make_plan(
    workload: Workload,
    catalog: Catalog,
    assumptions: Assumptions,
    *,
    today: date,
    token_prices: Sequence[TokenPrice] = (),
    free_tiers: Sequence[FreeTier] = (),
    calibration: Calibration | None = None,
    in_full: bool = True,
) -> Plan:
    """Return what to do, and everything that the answer rests on.

    Parameters
    ----------
    workload : Workload
        The work, what it has to respect, and how far the comparison looks.
    catalog : Catalog
        Offers of a day.
    assumptions : Assumptions
        Stated assumptions.
    today : date
        The caller's today.
    token_prices : sequence of TokenPrice
        Sellers of the same model by the token.
    free_tiers : sequence of FreeTier
        Notebooks and credits that cost nothing.
    calibration : Calibration, optional
        Fitted constants, from the user's own measurements; the shipped ones by default.
    in_full : bool
        Whether to add what does not come out of the formulas at once and takes as long as all the rest: simulated percentiles of the
        cheapest services, which may correct their fleets; variants of the verdict; ranges of costs, and the values at which it turns.

    Raises
    ------
    NothingFitsError
        No option does the work; the message carries the funnel.
    NoPricesError
        Rents that do the work are known, and all of them are too old or of a later day.
    """
    traced = TracedAssumptions(assumptions_at(assumptions, own_place(workload)).rows)
    stated, workload = workload, with_limits(workload, traced)
    architecture = None if workload.model is None else suitable_model(workload, resolve_model(workload.model))
    needs = requirements(workload, architecture)
    if workload.currency == "EUR" and workload.usd_per_unit is None:
        traced["money.usd_per_eur"]
    catalog, supply, dropped = _gathered(
        workload, catalog, traced, today, token_prices, free_tiers, architecture, calibration
    )
    candidates, evidence = supply.candidates, supply.evidence
    fleets, refusals = supply.sized(workload)
    work = volume(workload, traced["money.hours_per_month"])
    all_options, workload = supply.recommended(workload, fleets)
    checked = Confirmation(supply=supply, fleets=fleets, refusals=refusals, options=all_options)
    if in_full:
        checked = confirmation_of(workload, supply, fleets, refusals, all_options)
        supply, fleets, refusals, all_options = checked.supply, checked.fleets, checked.refusals, checked.options
    funnel = funnel_of(candidates, fleets, refusals, all_options)
    kinds = {option.kind for option in all_options if option.choosable}
    if not kinds & RENTED and kinds <= {OptionKind.BUY}:
        refuse_rents_out_of_window(workload, work, catalog, supply)
    if not kinds:
        refuse(all_options, funnel, refusals, stated, workload, lambda asked: supply.options(asked, fleets))
    known_usd: KnownWorths = {}
    choice = choice_of(all_options, workload, traced, evidence, known_usd)
    options = ranked(without_passed_over(all_options, choice), workload.constraints)
    verdict = verdict_of(choice, traced, age_days=evidence.age_days(choice.option.priced_on))
    chosen = next(option for option in options if option.id == verdict.option_id)
    shown = chosen if chosen.fleet is not None else best_by_kind(options).get(OptionKind.RENT)
    simulated = percentiles_of(workload, checked, options, shown) if in_full else {}
    unmarked = {option.id: option for option in all_options}  # as they were before what is passed over was marked
    named = [unmarked[option.id] for option in (chosen, *alternatives_of(options).values()) if option is not None]
    turns, ranges = _turns(workload, chosen, all_options, named, supply, known_usd) if in_full else ((), {})
    smaller = smaller_weights_note(workload, work, chosen, supply)
    sized = next((option for option in (chosen, *options) if option.fleet), chosen)
    relieved = _with_relief(chosen, workload, supply)
    return Plan(
        workload=stated,
        in_force=workload,
        model=needs.model,
        planned_on=today,
        horizon_months=workload.horizon_months,
        requirements=needs,
        verdict=verdict,
        options=tuple(relieved if option is chosen else option for option in options),
        break_evens=break_evens(all_options, traced),
        uncertainty=_uncertainty(all_options, workload, traced),
        turns=turns,
        cost_ranges=ranges,
        remarks=(
            *lower_tier_remark(stated, workload),
            *paid_already_remarks(workload, chosen, options, today),
            *remarks_of(stated, workload, chosen, options, needs, traced),
            *tuning_remarks(workload, sized, supply),
        ),
        variants=variants_of(workload, chosen, options, supply, simulated.get(shown.id) if shown else None)
        if in_full
        else Variants(),
        confirmed=simulated,
        refusals=refusals,
        assumptions=traced.used(),
        funnel=funnel,
        dropped=dropped,
        few_offers=few_offers_of(catalog),
        notes=(
            *(calibration.notes() if calibration else ()),
            *([smaller] if smaller else []),
            *(Note(NoteCode.AS_STATED, (text,)) for text in catalog.notes),
            *needs.notes,
            *notes_on_data(candidates, traced, catalog.window),
        ),
        provenance=Provenance(
            snapshot=catalog.snapshot,
            oldest_price_on=min(option.priced_on for option in options),
            newest_price_on=max(option.priced_on for option in options),
        ),
    )


def _gathered(
    workload: Workload,
    catalog: Catalog,
    assumptions: Assumptions,
    today: date,
    token_prices: Sequence[TokenPrice],
    free_tiers: Sequence[FreeTier],
    architecture: Architecture | None,
    calibration: Calibration | None,
) -> tuple[Catalog, Supply, tuple[Dropped, ...]]:
    """Return the catalog with the user's quotes, all that may do the work, and the dated facts that are left out."""
    window, constraints = catalog.window, workload.constraints
    token_prices, old_token_prices = window.split(token_prices, lambda price: price.priced_on, "prices per token")
    free_tiers, old_free_tiers = window.split(free_tiers, lambda tier: tier.day, "free tiers")
    token_prices, barred_sellers = admitted_sellers(token_prices, constraints)
    quotes = quoted(workload.have.quotes, assumptions, today)
    catalog = replace(catalog, offers=(*catalog.offers, *quotes.offers)) if quotes.offers else catalog
    evidence = Evidence.of(catalog.offers, assumptions, today=today, quoted_most=quotes.most_accelerators)
    candidates = find_candidates(catalog, constraints, evidence.is_old)
    servers = (*ownable_servers(assumptions, window), *quotes.servers)
    supply = Supply(
        candidates=candidates,
        servers=[server for server in servers if is_wanted(server.machine, constraints)],
        free=[free for free in free_machines(free_tiers) if is_wanted(free.machine, constraints)],
        held=machines_paid_already(workload, catalog.offers, today),
        token_prices=token_prices,
        evidence=evidence,
        architecture=architecture,
        assumptions=assumptions,
        calibration=calibration,
    )
    dropped = (*candidates.dropped, *dropped_prices(window), *old_token_prices, *barred_sellers, *old_free_tiers)
    return catalog, supply, (*dropped, *quotes.dropped)


def _turns(
    workload: Workload, chosen: Option, options: Sequence[Option], named: Sequence[Option], supply: Supply, known_usd: KnownWorths
) -> tuple[tuple[Turn, ...], dict[str, tuple[float, float]]]:  # fmt: skip
    """Return where the verdict turns, and how far the costs of what it is shown beside may differ."""
    draws = JointDraws.of(
        rivals_of(options, named),
        supply.assumptions,
        supply.evidence,
        months=workload.horizon_months,
        once=workload.runs_once,
        known=known_usd,
    )
    return turns_of(workload, chosen, draws, supply, options), cost_ranges(draws)


def _uncertainty(options: Sequence[Option], workload: Workload, assumptions: Assumptions) -> PlanRisk:
    """Return how sure the verdict is; one run is over before rents, demand and used prices can move."""
    if workload.runs_once:
        return PlanRisk()
    best = best_by_kind(options)
    return plan_risk(best.get(OptionKind.RENT), best.get(OptionKind.BUY), assumptions, months=workload.horizon_months)


def _with_relief(option: Option, workload: Workload, supply: Supply) -> Option:
    """Return the chosen option with a note on what relieving its limit would bring."""
    if option.fleet is None or supply.architecture is None:
        return option
    machine = option.fleet.machine
    accelerators = round(option.fleet.instance_count * machine.accelerator_count)
    if machine.accelerator is not None and accelerators < 1:
        return option  # a slice of one has nothing to be relieved by itself
    gains = relief(
        workload, supply.architecture, machine, accelerators, supply.assumptions, calibration=supply.calibration
    )
    return replace(option, notes=(*option.notes, Note(NoteCode.RELIEF, tuple(gains.items())))) if gains else option


def planned(
    workload: Workload, catalog: Catalog, assumptions: Assumptions, today: date, calibration: Calibration | None = None
) -> Plan:
    """Return the plan of a workload, with the sellers of its model by the token and the free tiers.

    Parameters
    ----------
    workload : Workload
        The work.
    catalog : Catalog
        Offers.
    assumptions : Assumptions
        Stated assumptions.
    today : date
        The caller's today.
    calibration : Calibration, optional
        Constants of the user's own measured rows.
    """
    from planner.verdict.remarks import nearest_hosted_remark
    from pricing.facts.sellers import free_tiers
    from pricing.facts.token_prices import token_prices

    model = workload.model if isinstance(workload.model, str) and workload.kind in {"serve", "batch", "embed"} else None
    sellers = token_prices(model, today) if model else ()
    plan = make_plan(
        workload,
        catalog,
        assumptions,
        today=today,
        token_prices=sellers,
        free_tiers=free_tiers(),
        calibration=calibration,
    )
    if sellers or plan.workload.model is None:
        return plan
    architecture = resolve_model(plan.workload.model)
    near = nearest_hosted_remark(plan.in_force, architecture, lambda name: token_prices(name, today), assumptions)
    return replace(plan, remarks=(*plan.remarks, *near))
