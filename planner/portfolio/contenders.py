"""The few options of a workload that its own plan has to weigh: what binds for long, and from when on owning is cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.demand.models import resolve_model
from planner.demand.suitability import suitable_model
from planner.demand.workload import Workload
from planner.options.hosted import admitted_sellers
from planner.options.option import Option, OptionKind
from planner.portfolio.market import AllowedMarket, Market
from planner.portfolio.money import HorizonCosts
from planner.portfolio.option_table import OptionTable
from planner.portfolio.work import Work
from planner.supply.machines import Fleet, Machine
from planner.verdict.break_evens import break_evens
from planner.verdict.choice import barred_sorts, choice_of
from planner.verdict.supply import Supply

RENTED = frozenset({OptionKind.RENT.value, OptionKind.CPU.value})


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
        rented = {options.listed[row].row for row in rows if options.kind[row] in RENTED}
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
