"""What is paid for already: owned machines and commitments, at what using them costs from now on."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from planner.assumptions import Assumptions
from planner.costs.carbon import Footprint
from planner.costs.evaluate import timelines
from planner.costs.financing import UNFINANCED
from planner.costs.inputs import BuyInputs, RentInputs
from planner.costs.timeline import discount_factors
from planner.demand.volume import Volume
from planner.demand.workload import Commitment, OwnedMachines, Workload
from planner.errors import InputError
from planner.notes import Note, NoteCode
from planner.options.credits import lost_credits, months_until, with_credits
from planner.options.energy import machine_max_kw, own_place, owned_footprint, rented_footprint
from planner.options.machine_hours import Schedule, hours_of_work, needed_share, schedule
from planner.options.option import Option, OptionKind, Reason, ReasonCode, unit_costs
from planner.options.servers import own_machine
from planner.options.substitutes import NO_REST, RestOfTheWork, after_takeover, before_tax_usd, rest_of
from planner.supply.candidates import machine_of
from planner.supply.machines import Fleet, Machine
from pricing.errors import PricingError
from pricing.facts.accelerators import resolve
from pricing.facts.offers import Offer, PurchaseOption, offer_id

MOST_IN_A_SERVER = 8
NEVER_REPLACED = {**UNFINANCED, "own.network_share": 0.0, "own.install_share": 0.0, "own.lead_time_months": 0.0, "own.life_months": 600.0, "own.selling_cost_share": 0.0,
    **{f"site.{site}.{key}": 0.0 for site in ("home", "colocation") for key in ("staff_share", "support_share_per_year")}}  # fmt: skip
"""What is owned already stands where it works, and those who look after it are there; parts are replaced as they fail; selling costs as much now as later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidAlready:
    """Machines that are paid for already.

    Attributes
    ----------
    stated : OwnedMachines or Commitment
        As the workload states them.
    machine : Machine
        One of them.
    count : int
        How many.
    months : float
        For how long they can be used, or are paid for.
    offer : Offer or None
        What the provider takes for such an instance on demand, now; None for what is owned.
    """

    stated: OwnedMachines | Commitment
    machine: Machine
    count: int
    months: float
    offer: Offer | None = None


def machines_paid_already(workload: Workload, offers: Sequence[Offer], today: date) -> tuple[PaidAlready, ...]:
    """Return what the workload says is paid for already, and what is not over yet.

    Parameters
    ----------
    workload : Workload
        With `planner.demand.have.Have`.
    offers : sequence of Offer
        Of all sellers, whatever the constraints.
    today : date
        The caller's today.

    Raises
    ------
    InputError
        An accelerator, a provider or an instance type that nothing is known of; all of them at once.
    """
    faults: list[str] = []
    machines: list[PaidAlready] = []
    for number, owned in enumerate(workload.have.owned):
        try:
            accelerator, _ = resolve(owned.gpu)
        except PricingError as error:
            faults.append(f"have.owned.{number}.gpu: {error.message}" + (f" ({error.hint})" if error.hint else ""))
            continue
        gpus_each = min(owned.count, MOST_IN_A_SERVER)
        months = float(owned.remaining_months or workload.horizon_months)
        machines.append(PaidAlready(stated=owned, machine=own_machine(accelerator, gpus_each), count=owned.count // gpus_each, months=months))  # fmt: skip
    for number, committed in enumerate(workload.have.committed):
        offer = _offer_like(committed, offers)
        if offer is None:
            faults.append(f"have.committed.{number}: {_unknown(committed, offers)}")
            continue
        months = months_until(committed.until, today)
        if months:
            machines.append(PaidAlready(stated=committed, machine=machine_of(offer), count=committed.count, months=months, offer=offer))  # fmt: skip
    faults += _unknown_sellers(workload, offers)
    if faults:
        raise InputError("\n  ".join(faults), where="have")
    return tuple(machines)


def _offer_like(committed: Commitment, offers: Sequence[Offer]) -> Offer | None:
    """Return the cheapest offer of such an instance: on demand where there is one."""
    same = [o for o in offers if (o.provider, o.instance_type) == (committed.provider, committed.instance_type)]
    same = [offer for offer in same if not offer.interruptible and (offer.accelerator or not offer.accelerator_stated)]
    return min(
        same,
        key=lambda o: (
            o.purchase_option is not PurchaseOption.ON_DEMAND,
            o.term_months,
            o.price_usd_per_hour,
            o.region,
        ),
        default=None,
    )


def _unknown(committed: Commitment, offers: Sequence[Offer]) -> str:
    sellers = {offer.provider for offer in offers}
    if committed.provider not in sellers:
        return _not_known("provider", committed.provider, sellers)
    types = {offer.instance_type for offer in offers if offer.provider == committed.provider}
    return _not_known("instance type", committed.instance_type, types)


def _not_known(what: str, name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.5)
    return f"unknown {what} {name!r}" + (f"; did you mean {', '.join(near)}?" if near else "")


def _unknown_sellers(workload: Workload, offers: Sequence[Offer]) -> Iterator[str]:
    sellers = {offer.provider for offer in offers}
    for number, credit in enumerate(workload.have.credits):
        if credit.provider not in sellers:
            yield f"have.credits.{number}: {_not_known('provider', credit.provider, sellers)}"
    for name in workload.discounts:
        if name not in sellers:
            yield f"discounts: {_not_known('provider', name, sellers)}"


def options_paid_already(
    held: Sequence[PaidAlready],
    fleets: Mapping[Machine, Fleet],
    others: Sequence[Option],
    workload: Workload,
    work: Volume,
    assumptions: Assumptions,
    today: date,
    *,
    share_of: Callable[[PaidAlready], float],
) -> list[Option]:
    """Return an option for each sort of machine that is paid for already and does the work.

    Owned machines cost what running them costs and what they lose in value while they are kept; when they are past it, the
    cheapest rent takes over. Where they are too few for work that can be split, the cheapest other choice does the rest. A commitment is paid whether it is used or not, so its machines cost nothing until it ends, and then
    what the provider takes on demand; so do machines that are needed beyond it, where that price may be recommended. Else
    the cheapest other choice does what they are too few for; a run, which cannot be split, is not recommended.

    Parameters
    ----------
    held : sequence of PaidAlready
        `machines_paid_already`.
    fleets : mapping of Machine to Fleet
        Sized machines.
    others : sequence of Option
        Rented and hosted options.
    workload, work : Workload, Volume
        What has to be done.
    assumptions : Assumptions
        Stated numbers.
    today : date
        The caller's today: the date of what the user states.
    share_of : callable
        Which part of the work the stated number of machines does.
    """
    hours_per_month = assumptions["money.hours_per_month"]
    options = []
    for holding in held:
        fleet = fleets.get(holding.machine)
        if fleet is None:
            continue
        rest: RestOfTheWork | None = NO_REST
        unsound = _against_more(holding, others) if fleet.instance_count > holding.count else ()
        if fleet.instance_count - fleet.spare_instance_count <= holding.count < fleet.instance_count:
            fleet = _fewer(fleet, holding.count)  # nobody rents a machine to stand by beside those that are paid for
        elif (holding.offer is None or unsound) and fleet.instance_count > holding.count and not work.is_job:
            rest = rest_of(1.0 - share_of(holding), others)
            fleet = fleet if rest is None else _fewer(fleet, holding.count)
        plan = schedule(fleet, work, months=workload.horizon_months, hours_per_month=hours_per_month)
        if holding.offer is None:
            rent = _owned_book(
                holding, plan, others, workload, assumptions, rest_usd_per_month=(rest or NO_REST).usd_per_month
            )
        else:
            rent = _committed_book(holding, plan, others, workload, assumptions, today)
            if rest:
                usd_per_hour = before_tax_usd(rest.usd_per_month, assumptions) / (rent.hours_per_month or 1.0)
                added_usd_per_hour = usd_per_hour / rent.instance_count
                rent = replace(rent, first_usd_per_hour=rent.first_usd_per_hour + added_usd_per_hour)
        option = _option(holding, plan, rent, workload, work, assumptions, today)
        if fleet.instance_count > holding.count:
            option = replace(option, not_recommended=(*option.not_recommended, *unsound))
        options.append(replace(option, rest_share=rest.share, rest_id=rest.option_id) if rest else option)
    return options


def _against_more(holding: PaidAlready, others: Sequence[Option]) -> tuple[Reason, ...]:
    """Return what speaks against the price of more machines than are committed to, but for how many the whole work would take."""
    if holding.offer is None:
        return ()
    same = next((option for option in others if option.id == offer_id(holding.offer)), None)
    return tuple(reason for reason in same.not_recommended if reason.code is not ReasonCode.QUANTITY) if same else ()


def _fewer(fleet: Fleet, count: int) -> Fleet:
    """Return what is left of a fleet of which only so many machines are there: the spares are missing first."""
    working = fleet.instance_count - fleet.spare_instance_count
    return replace(
        fleet,
        instance_count=count,
        spare_instance_count=max(count - working, 0),
        accelerators_used=fleet.accelerators_used * count / fleet.instance_count,
        utilisation_share=min(fleet.utilisation_share * fleet.instance_count / count, 1.0),
        elastic_share=min(fleet.elastic_share * fleet.instance_count / count, 1.0),
    )


def _committed_book(
    holding: PaidAlready,
    plan: Schedule,
    others: Sequence[Option],
    workload: Workload,
    assumptions: Assumptions,
    today: date,
) -> RentInputs:
    """Return committed instances as hours that cost nothing until the commitment ends.

    Then the cheapest rent takes over, or the provider's own price on demand, which its credits pay.
    """
    assert holding.offer is not None
    count = plan.fleet.instance_count
    price = holding.offer.price_usd_per_hour * (1 - workload.discounts.get(holding.offer.provider, 0.0))
    on_hours, run_hours, _ = hours_of_work(plan, assumptions["money.hours_per_month"], once=workload.runs_once)
    rent = RentInputs(
        price_usd_per_hour=price,
        instance_count=count,
        hours_per_month=on_hours,
        run_hours=run_hours,
        first_months=holding.months,
        first_usd_per_hour=price * max(count - holding.count, 0) / count,
        takes_over_id=offer_id(holding.offer),
    )
    moves = after_takeover(rent, others, workload, assumptions)
    stays = with_credits(rent, holding.offer.provider, workload.have.credits, today)
    if moves is None:
        return stays
    if not any(option.choosable and option.id == offer_id(holding.offer) for option in others):
        return moves
    costs = timelines([stays, moves], assumptions, months=workload.horizon_months, once=workload.runs_once)
    stays_usd, moves_usd = costs.total_usd()
    return stays if stays_usd <= moves_usd else moves


def _owned_book(
    holding: PaidAlready,
    plan: Schedule,
    others: Sequence[Option],
    workload: Workload,
    assumptions: Assumptions,
    *,
    rest_usd_per_month: float,
) -> RentInputs:
    """Return owned machines as hours at what each costs to run, and to keep."""
    assert isinstance(holding.stated, OwnedMachines)
    count, hours_per_month = plan.fleet.instance_count, assumptions["money.hours_per_month"]
    on_hours, run_hours, busy_ratio = hours_of_work(plan, hours_per_month, once=workload.runs_once)
    months = max(1, math.ceil(min(holding.months, workload.horizon_months) - 1e-9))
    own = BuyInputs(
        site=holding.stated.place,
        server_price_usd=holding.stated.resale_usd / holding.count,
        server_max_kw=machine_max_kw(holding.machine, assumptions) or 0.0,
        accelerator_count=holding.machine.accelerator_count,
        server_count=count,
        hours_per_month=on_hours,
        run_hours=run_hours,
        busy_ratio=busy_ratio,
    )
    once = workload.runs_once  # then the machines run, and lose value, for the run alone
    kept = timelines([own], {**assumptions, **NEVER_REPLACED}, months=months, once=once).at(0)
    factors = discount_factors(assumptions["money.discount_rate_share_per_year"], months)
    hours = (run_hours if once else on_hours) or 1.0
    hours_on = np.clip(hours - hours_per_month * np.arange(months), 0.0, hours_per_month) if once else hours
    paid_usd = kept.by_month_usd()
    if once:  # the space is paid with and without the run; power, parts and loss of value are the run's for its hours
        busy_usd = kept.component_usd("busy_power")
        hours_paid = hours_per_month * np.count_nonzero(hours_on)
        paid_usd = busy_usd + (paid_usd - busy_usd - kept.component_usd("colocation")) * (np.sum(hours_on) / hours_paid)
    usd_per_hour = float(paid_usd @ factors) / float(np.sum(hours_on * factors[1:]))
    marginal = (max(usd_per_hour, 0.0) + before_tax_usd(rest_usd_per_month, assumptions) / hours) / count
    rent = RentInputs(
        price_usd_per_hour=marginal,
        instance_count=count,
        hours_per_month=on_hours,
        run_hours=run_hours,
        first_months=holding.months,
        first_usd_per_hour=marginal,
    )
    if holding.months >= workload.horizon_months:
        return rent
    return after_takeover(rent, others, workload, assumptions) or rent


def _option(
    holding: PaidAlready,
    plan: Schedule,
    rent: RentInputs,
    workload: Workload,
    work: Volume,
    assumptions: Assumptions,
    today: date,
) -> Option:
    months, hours_per_month = workload.horizon_months, assumptions["money.hours_per_month"]
    fleet = plan.fleet
    alone = timelines([rent], assumptions, months=months, once=workload.runs_once, useful_gpu_hours_per_month=plan.useful_gpu_hours[None, :])  # fmt: skip
    (costs,) = unit_costs(
        alone, work, working_months=[plan.last_month],
        discount_rate_share_per_year=assumptions["money.discount_rate_share_per_year"],
    )  # fmt: skip
    stated, end, busy_share = holding.stated, plan.last_month, float(plan.busy_share[: plan.last_month].mean())
    reasons: list[Reason] = []
    energy: Footprint | None
    if isinstance(stated, OwnedMachines):
        accelerator = holding.machine.accelerator
        instance_type = (
            f"{holding.machine.accelerator_count:g}x-{(accelerator.name if accelerator else '').replace(' ', '-')}"
        )
        provider, region = "own", stated.place.replace("_", " ")
        if fleet.instance_count > holding.count:
            reasons.append(Reason(ReasonCode.TOO_FEW_OWNED, (holding.count, fleet.instance_count)))
        notes = [Note(NoteCode.RUNNING_COSTS, (rent.first_usd_per_hour,))]
        paid = fleet.instance_count * hours_per_month
        energy = owned_footprint(
            machine_max_kw(holding.machine, assumptions) or 0.0,
            stated.place,
            own_place(workload),
            server_count=fleet.instance_count,
            busy_share=busy_share,
            assumptions=assumptions,
        )
    else:
        assert holding.offer is not None
        provider, region, instance_type = stated.provider, holding.offer.region, stated.instance_type
        notes = [Note(NoteCode.PAID_UNTIL, (stated.until, stated.usd_per_hour))]
        if fleet.instance_count > holding.count:
            figures = (fleet.instance_count - holding.count, holding.offer.price_usd_per_hour)
            notes.append(Note(NoteCode.BEYOND_COMMITMENT, figures))
        notes += lost_credits(rent, provider, workload.have.credits, today, months=months)
        paid = fleet.instance_count * plan.mean_on_hours
        energy = rented_footprint(
            holding.machine,
            provider,
            region,
            machine_hours_per_month=paid,
            busy_share=busy_share,
            assumptions=assumptions,
        )
    if holding.months < end:
        notes.append(Note(NoteCode.RENT_AFTERWARDS, (holding.months,)))
    return Option(
        id=f"have/{provider}/{instance_type}/{region}".replace(" ", "_"),
        kind=OptionKind.HAVE,
        provider=provider,
        region=region,
        instance_type=instance_type,
        purchase_option="have",
        fleet=fleet,
        price_usd_per_hour=rent.first_usd_per_hour,
        paid_hours_per_month=paid,
        timeline=alone.at(0),
        book=rent,
        **costs,
        utilisation_share=busy_share,
        kwh_per_month=energy.kwh_per_month if energy else None,
        co2e_kg_per_month=energy.co2e_kg_per_month if energy else None,
        grid_place=energy.grid.place if energy else "",
        needed_share=needed_share(plan, hours_per_month),
        hours_per_run=fleet.busy_hours_per_run,
        priced_on=today,
        source="stated by you",
        not_recommended=tuple(reasons),
        notes=tuple(notes),
    )
