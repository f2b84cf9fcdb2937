"""Which option each workload takes, by the rules of a single plan; the few that these cannot settle as arrays are planned alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.arrays import BoolArray, FloatArray
from planner.demand.models import resolve_model, suitable_model
from planner.demand.workload import Workload
from planner.options.hosted import admitted_sellers
from planner.options.option import RENTED, Option, OptionKind
from planner.portfolio.costs import HorizonCosts
from planner.portfolio.market import AllowedMarket, Market
from planner.portfolio.option_table import OptionTable
from planner.portfolio.work import Work
from planner.supply.machines import Fleet, Machine
from planner.verdict.alternatives import SAME_SHARE, break_evens
from planner.verdict.choice import barred_sorts, choice_of
from planner.verdict.ranking import in_order
from planner.verdict.supply import Supply
from planner.verdict.weighing import saves_little

RENTED_KINDS = frozenset({OptionKind.RENT.value, OptionKind.CPU.value})


IntArray = NDArray[np.intp]
NONE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contenders:
    """Options of the workloads of a group, with what they were made from, so that the plan can make a few of them itself."""

    options: OptionTable
    allowed: AllowedMarket
    work: Work
    costs: HorizonCosts
    market: Market

    def chosen(self, rows: Sequence[int], workload: Workload, column: int) -> tuple[int, frozenset[tuple[str, bool]]]:
        """Return which of the rows, the best of each sort, the plan takes, and of which sorts nothing cheaper is recommended.

        How sure the speed of the machines is enters the verdict, so they are sized as the plan sizes them.
        """
        supply = self._supply(rows, workload, column)
        fleets, _ = supply.sized(workload)
        made = self._made(supply, fleets, rows, workload)
        choice = choice_of(made, workload, self.costs.assumptions, self.market.evidence)
        row = next(row for row in rows if self.options.listed[row].id == choice.option.id)
        return row, frozenset((kind.value, binds) for kind, binds in barred_sorts(choice))

    def break_even_month(self, rent: int, owned: int, workload: Workload, column: int) -> float | None:
        """Return from which month on the owned option stays cheaper than the rented one; None for never."""
        supply = self._supply([rent, owned], workload, column)
        machines = (*supply.candidates.machines, *(server.machine for server in supply.servers))
        fleets = {machine: self.work.fleets.at(machine, self.market.row_of[machine], column) for machine in machines}
        made = self._made(supply, fleets, [rent, owned], workload)
        pairs = break_evens(made, self.costs.assumptions)
        return pairs[0].month if pairs else None

    def _supply(self, rows: Sequence[int], workload: Workload, column: int) -> Supply:
        """Return what the plan weighs where it has these rows alone, and what does the work until delivery."""
        options = self.options
        rented = {options.listed[row].row for row in rows if options.kind[row] in RENTED_KINDS}
        bought = {options.listed[row].row for row in rows if options.kind[row] == OptionKind.BUY}
        until = int(options.bridge.offer[column])
        by_tokens = any(options.kind[row] == OptionKind.API for row in rows) or (bought and until < 0)
        return Supply(
            candidates=self.allowed.candidates.at(sorted(rented | ({until} if bought and until >= 0 else set()))),
            servers=[self.allowed.servers[row] for row in sorted(bought)],
            free=(),
            held=(),
            token_prices=admitted_sellers(self.market.sellers(workload.model, workload.kind), workload.constraints)[0]
            if by_tokens
            else (),
            evidence=self.market.evidence,
            architecture=None if workload.model is None else suitable_model(workload, resolve_model(workload.model)),
            assumptions=self.costs.assumptions,
            calibration=self.market.calibration,
        )

    def _made(
        self, supply: Supply, fleets: dict[Machine, Fleet], rows: Sequence[int], workload: Workload
    ) -> list[Option]:
        """Return the rows as the plan's own options, ranked."""
        names = {self.options.listed[row].id for row in rows}
        return [option for option in supply.options(workload, fleets) if option.id in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What each workload takes; entries are rows of `planner.portfolio.option_table.OptionTable`, -1 where there is none.

    Attributes
    ----------
    chosen : ndarray of int
        The verdict's option.
    runner_up : ndarray of int
        The cheapest other one that may be recommended.
    rent, owned : ndarray of int
        The cheapest rented accelerators, and the cheapest owned ones.
    """

    chosen: IntArray
    runner_up: IntArray
    rent: IntArray
    owned: IntArray


def _first(options: OptionTable, rows: IntArray, among: BoolArray) -> IntArray:
    """Return which of the rows is the first option of each workload, by `planner.verdict.ranking.in_order`; -1 for none.

    Parameters
    ----------
    options : OptionTable
        Options by workload.
    rows : ndarray of int
        Some of them.
    among : ndarray of bool, shape (rows, workloads)
        Where they may be chosen.
    """
    if not rows.size:
        return np.full(among.shape[1], NONE, dtype=np.intp)
    usd = np.where(among, options.present_value_usd[rows], np.inf)
    least, first = usd.min(axis=0), usd.argmin(axis=0)
    # Wider than what counts as alike, so that few have to be told apart.
    near = among & (usd <= least + 2 * SAME_SHARE * (1.0 + np.abs(least)))
    several = np.flatnonzero(near.sum(axis=0) > 1)
    if several.size:
        left, here = near[:, several], np.ix_(rows, several)
        count = options.instance_count[here]
        size = options.accelerator_count[rows, None] * count
        term_months = np.broadcast_to(options.term_months[rows, None], count.shape)
        none = np.zeros(count.shape)  # who has credits is planned alone
        for figure in in_order(usd[:, several], term_months, none, size, count, options.hours_per_run[here]):
            left = left & (figure == figure.min(axis=0, where=left, initial=np.inf))
        first[several] = left.argmax(axis=0)
    return np.where(np.isfinite(least), rows[first], NONE).astype(np.intp)


def choices_of(
    options: OptionTable,
    bound: Callable[[IntArray, int], tuple[int, frozenset[tuple[str, bool]]]],
    *,
    trivial_usd: float,
) -> Choices:
    """Return what each workload takes.

    Parameters
    ----------
    options : OptionTable
        Options by workload.
    bound : callable
        Takes the best row of each sort and a workload for which the cheapest one binds for more than a year, and returns the
        one that the single plan takes, and of which sorts nothing that costs less is recommended.
    trivial_usd : float
        A hosted API is taken before rented machines that save less (`verdict.trivial_usd`).
    """
    best: dict[tuple[str, bool], IntArray] = {}
    for kind in OptionKind:
        for binds in (False, True):
            of_sort = np.flatnonzero((options.kind == kind.value) & (options.binds == binds))
            best[kind.value, binds] = _first(options, of_sort, options.is_open[of_sort])
    rows = np.stack(list(best.values()))
    columns = np.arange(rows.shape[1])
    usd = _usd(options, rows, columns)
    chosen = rows[np.argmin(usd, axis=0), columns]
    others = options.is_open.copy()
    for column in np.flatnonzero((chosen >= 0) & options.binds[chosen]) if len(options.binds) else ():
        there = np.sort(rows[rows[:, column] >= 0, column])
        if len(there) > 1:
            chosen[column], barred = bound(there, int(column))
            cheaper = options.present_value_usd[:, column] < options.present_value_usd[chosen[column], column]
            for kind_name, is_bound in barred:
                others[(options.kind == kind_name) & (options.binds == is_bound) & cheaper, column] = False
    hosted = best[OptionKind.API.value, False]
    near = saves_little(_usd(options, chosen, columns), _usd(options, hosted, columns), trivial_usd)
    is_rented = np.isin(np.array(options.kind)[chosen], [kind.value for kind in RENTED]) if options.listed else near
    chosen = np.where((chosen >= 0) & (hosted >= 0) & near & is_rented, hosted, chosen)
    taken = np.flatnonzero(chosen >= 0)
    others[chosen[taken], taken] = False
    runner_up = _first(options, np.arange(len(options.kind)), others)
    rents = np.stack([best[OptionKind.RENT.value, False], best[OptionKind.RENT.value, True]])
    rent = rents[np.argmin(_usd(options, rents, columns), axis=0), columns]
    return Choices(chosen=chosen, runner_up=runner_up, rent=rent, owned=best[OptionKind.BUY.value, True])


def _usd(options: OptionTable, rows: IntArray, columns: IntArray) -> FloatArray:
    """Return the costs of chosen rows, infinite where there is none."""
    if not options.present_value_usd.shape[0]:
        return np.full(rows.shape, np.inf)
    return np.where(rows >= 0, options.present_value_usd[rows, columns], np.inf)
