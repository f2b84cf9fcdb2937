"""The single plan's own arithmetic for a few options of one workload: where costs are equal but for rounding, and break-evens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planner.comparison import break_evens
from planner.demand.volume import volume
from planner.demand.workload import Workload
from planner.options.option import Option
from planner.options.owned import owned_options
from planner.options.rented import rented_options
from planner.portfolio.market import Shelf
from planner.portfolio.money import Purse
from planner.portfolio.ways import Ways
from planner.portfolio.work import Work
from planner.ranking import ranked
from planner.supply.machines import Fleet, Layout, Machine, Performance, Range

__all__ = ["break_even_month", "first_by_plan", "options_by_plan"]


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


def options_by_plan(ways: Ways, rows: list[int], workload: Workload, column: int, shelf: Shelf, work: Work, purse: Purse) -> list[Option]:  # fmt: skip
    """Return options of rented or owned machines as a plan makes them.

    Parameters
    ----------
    ways : Ways
        Options by workload.
    rows : list of int
        Which of them; none that is hosted or free.
    workload, column : Workload, int
        The workload, and its place among those of its shape.
    shelf, work, purse : Shelf, Work, Purse
        What `ways` was made from.
    """
    amount = volume(workload, purse.hours_per_month)
    bought = [int(ways.offer[row]) for row in rows if ways.kind[row] == "buy"]
    rented = [int(ways.offer[row]) for row in rows if ways.kind[row] in {"rent", "cpu"}]
    machines = {int(shelf.machine[row]) for row in rented} | {int(shelf.server_machine[row]) for row in bought}
    fleets = {shelf.machines[row]: _fleet(shelf.machines[row], work, row, column) for row in machines}
    some = replace(shelf.candidates, offers=tuple(shelf.offers[row] for row in rented))
    options = rented_options(some, fleets, workload, amount, purse.beliefs) if rented else []
    if bought:
        bridge = float(ways.bridge_usd_per_month[column])
        servers = [shelf.servers[row] for row in dict.fromkeys(bought)]
        options += owned_options(
            servers, fleets, workload, amount, purse.beliefs, bridge_usd_per_month=None if np.isnan(bridge) else bridge
        )
    wanted = {ways.ids[row] for row in rows}
    return [option for option in options if option.id in wanted]


def first_by_plan(ways: Ways, rows: list[int], workload: Workload, column: int, shelf: Shelf, work: Work, purse: Purse) -> int:  # fmt: skip
    """Return which of the rows the plan ranks first; the parameters are those of `options_by_plan`."""
    if any(ways.kind[row] not in {"rent", "cpu", "buy"} for row in rows):
        return rows[0]
    options = options_by_plan(ways, rows, workload, column, shelf, work, purse)
    first = ranked(options, workload.constraints)[0].id
    return next(row for row in rows if ways.ids[row] == first)


def break_even_month(ways: Ways, rent: int, owned: int, workload: Workload, column: int, shelf: Shelf, work: Work, purse: Purse) -> float | None:  # fmt: skip
    """Return from which month on the owned way stays cheaper than the rented one; None for never."""
    options = options_by_plan(ways, [rent, owned], workload, column, shelf, work, purse)
    pairs = break_evens(ranked(options, workload.constraints), purse.beliefs)
    return pairs[0].month if pairs else None
