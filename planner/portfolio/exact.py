"""The single plan's own arithmetic for a few options of one workload: where costs are equal but for rounding, and break-evens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.costs.inputs import Bridge, RentInputs, bridge_of
from planner.demand.models import resolve_model
from planner.demand.suitability import suitable_model
from planner.demand.volume import volume
from planner.demand.workload import Workload
from planner.options.hosted import hosted_options
from planner.options.option import Option
from planner.options.owned import owned_options
from planner.options.rented import rented_options
from planner.options.sized import sized_machines
from planner.plan import choice_of
from planner.portfolio.market import AllowedMarket, Market
from planner.portfolio.money import HorizonCosts
from planner.portfolio.option_table import OptionTable
from planner.portfolio.work import Work
from planner.supply.machines import Fleet, Layout, Machine, Performance, Range
from planner.verdict.break_evens import break_evens
from planner.verdict.choice import barred_sorts
from planner.verdict.ranking import ranked

__all__ = ["break_even_month", "chosen_by_plan", "first_by_plan", "options_by_plan"]


def _fleet(machine: Machine, work: Work, row: int, column: int) -> Fleet:
    """Return a fleet that costs as the sized one; its speed is not asked for."""
    fleets = work.fleets
    busy = float(fleets.busy_hours_per_run[row, column])
    rate = Range(low=1.0, typical=1.0, high=1.0)
    return Fleet(
        machine=machine,
        instance_count=int(fleets.instance_count[row, column]),
        layout=Layout(precision="stated"),
        performance=Performance(rate_per_s=rate, rate_unit="", bound="stated", basis=fleets.basis[row]),
        accelerators_used=float(fleets.accelerators_used[row, column]),
        busy_hours_per_run=None if np.isnan(busy) else busy,
        elastic_share=float(fleets.elastic_share[row, column]),
        utilisation_share=float(fleets.utilisation_share[row, column]),
    )


def _machine(options: OptionTable, row: int, allowed: AllowedMarket) -> Machine:
    rows = allowed.server_machine if options.kind[row] == "buy" else allowed.machine
    return allowed.machines[int(rows[options.offer[row]])]


def options_by_plan(options: OptionTable, rows: list[int], workload: Workload, column: int, allowed: AllowedMarket, work: Work, costs: HorizonCosts, fleets: Mapping[Machine, Fleet] | None = None) -> list[Option]:  # fmt: skip
    """Return options of rented or owned machines as a plan makes them.

    Parameters
    ----------
    options : OptionTable
        Options by workload.
    rows : list of int
        Which of them; none that is hosted or free.
    workload, column : Workload, int
        The workload, and its place among those of its shape.
    allowed, work, costs : AllowedMarket, Work, HorizonCosts
        What `options` was made from.
    fleets : mapping of Machine to Fleet, optional
        The machines with their speed; without them, of a speed that is not asked for.
    """
    amount = volume(workload, costs.hours_per_month)
    bought = [int(options.offer[row]) for row in rows if options.kind[row] == "buy"]
    rented = [int(options.offer[row]) for row in rows if options.kind[row] in {"rent", "cpu"}]
    until = int(options.bridge.offer[column])
    rented += [until] if bought and until >= 0 and until not in rented else []
    machines = {int(allowed.machine[row]) for row in rented} | {int(allowed.server_machine[row]) for row in bought}
    fleets = {allowed.machines[row]: _fleet(allowed.machines[row], work, row, column) for row in machines} | dict(
        fleets or {}
    )
    some = allowed.candidates.at(rented)
    made = rented_options(some, fleets, workload, amount, costs.assumptions, allowed.evidence) if rented else []
    if bought:
        bridge = _bridge(options, column, made, allowed)
        servers = [allowed.servers[row] for row in dict.fromkeys(bought)]
        made += owned_options(servers, fleets, workload, amount, costs.assumptions, bridge=bridge)
    wanted = {options.ids[row] for row in rows}
    return [option for option in made if option.id in wanted]


def _bridge(options: OptionTable, column: int, rented: list[Option], allowed: AllowedMarket) -> Bridge | None:
    """Return what does the work until delivery as the plan has it."""
    if not np.isfinite(options.bridge.usd[0, column]):
        return None
    until = int(options.bridge.offer[column])
    if until < 0:
        return Bridge(tokens_usd_per_month=float(options.bridge.tokens_usd_per_month[column]))
    option = next(option for option in rented if option.id == allowed.ids[until])
    assert isinstance(option.book, RentInputs)
    return bridge_of(option.id, option.book)


def first_by_plan(options: OptionTable, rows: list[int], workload: Workload, column: int, allowed: AllowedMarket, work: Work, costs: HorizonCosts) -> int:  # fmt: skip
    """Return which of the rows the plan ranks first; the parameters are those of `options_by_plan`."""
    if any(options.kind[row] not in {"rent", "cpu", "buy"} for row in rows):
        return rows[0]
    made = options_by_plan(options, rows, workload, column, allowed, work, costs)
    first = ranked(made, workload.constraints)[0].id
    return next(row for row in rows if options.ids[row] == first)


def chosen_by_plan(options: OptionTable, rows: list[int], workload: Workload, column: int, allowed: AllowedMarket, work: Work, costs: HorizonCosts, market: Market) -> tuple[int, frozenset[tuple[str, bool]]]:  # fmt: skip
    """Return which of the rows, the best of each sort, the plan takes, and of which sorts nothing cheaper is recommended; the parameters are those of `options_by_plan`."""
    with_machines = [row for row in rows if options.kind[row] in {"rent", "cpu", "buy"}]
    # Their speed is asked for: how sure it is enters the verdict.
    needed = tuple(dict.fromkeys(_machine(options, row, allowed) for row in with_machines))
    architecture = None if workload.model is None else suitable_model(workload, resolve_model(workload.model))
    sized = sized_machines(workload, architecture, needed, costs.assumptions, market.calibration)
    fleets = {fleet.machine: fleet for fleet in sized if isinstance(fleet, Fleet)}
    found = options_by_plan(options, with_machines, workload, column, allowed, work, costs, fleets)
    by_id = {option.id: option for option in found}
    names = {options.ids[row] for row in rows}
    sellers = market.sellers(workload)
    hosted = (
        hosted_options(sellers, workload, volume(workload, costs.hours_per_month), costs.assumptions) if sellers else []
    )
    made = [option for option in (*by_id.values(), *hosted) if option.id in names]
    choice = choice_of(ranked(made, workload.constraints), workload, costs.assumptions, allowed.evidence)
    row = next(row for row in rows if options.ids[row] == choice.option.id)
    return row, frozenset((kind.value, binds) for kind, binds in barred_sorts(choice))


def break_even_month(options: OptionTable, rent: int, owned: int, workload: Workload, column: int, allowed: AllowedMarket, work: Work, costs: HorizonCosts) -> float | None:  # fmt: skip
    """Return from which month on the owned option stays cheaper than the rented one; None for never."""
    made = options_by_plan(options, [rent, owned], workload, column, allowed, work, costs)
    pairs = break_evens(ranked(made, workload.constraints), costs.assumptions)
    return pairs[0].month if pairs else None
