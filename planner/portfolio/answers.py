"""Answers: the rows of a portfolio's result, worked out shape by shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.demand.architecture import Architecture
from planner.demand.models import resolve_model, suitable_model
from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.options.energy import assumptions_at, own_place
from planner.options.machine_hours import asked_of_processors
from planner.options.option import Option, OptionKind
from planner.plan import Plan
from planner.portfolio.choice import Choices, Contenders, choices_of
from planner.portfolio.groups import Group, fleets_of, group_of, money_key, physics_key
from planner.portfolio.market import AllowedMarket, Market
from planner.portfolio.option_table import Listed, OptionTable
from planner.portfolio.options import option_table
from planner.portfolio.pools import Pool, add_to_pools, united
from planner.portfolio.work import work_of
from planner.supply.fleet_arrays import Fleets, together
from pricing.errors import GpuplanError, NoPricesError

OF_OPTION = ("provider", "region", "instance_type", "accelerator", "purchase_option", "priced_on")
OF_SIZE = (
    "accelerators_total_count",
    "instance_count",
    "present_value_usd",
    "total_usd",
    "usd_per_month",
    "hours_per_run",
)
"""Columns of a row that an option has by the same names: whatever its size, and by its size."""
CHUNK = 512
"""Workloads of one shape that are worked out at once: the arrays of options stay within a processor's cache."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A workload of the portfolio.

    Attributes
    ----------
    row : int
        Its place in the input, from 0.
    content : dict
        As it is written down.
    workload : Workload or None
        As it was read; None where it cannot be.
    fault : str
        Why not.
    """

    row: int
    content: Mapping[str, Any]
    workload: Workload | None
    fault: str = ""


@dataclass(slots=True)
class Answers:
    """What came out.

    Attributes
    ----------
    rows : list of dict
        One for each workload, with the columns of `planner.portfolio.blocks`.
    pools : dict of str to Pool
        Machines that several workloads could share.
    shapes, evaluations, one_by_one : int
        Shapes of work; options weighed, for all workloads together; workloads planned one by one.
    core_s : float
        Seconds of the processor that it took.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    pools: dict[str, Pool] = field(default_factory=dict)
    shapes: int = 0
    evaluations: int = 0
    one_by_one: int = 0
    core_s: float = 0.0

    def add(self, other: Answers) -> None:
        """Put the answers of other workloads to these."""
        self.rows += other.rows
        self.shapes += other.shapes
        self.evaluations += other.evaluations
        self.one_by_one += other.one_by_one
        self.core_s += other.core_s
        united(other.pools, self.pools)


def answers_of(asked: Sequence[Asked], market: Market) -> Answers:
    """Answer each workload exactly once.

    Parameters
    ----------
    asked : sequence of Asked
        Workloads; those of one shape need not stand together.
    market : Market
        What they are planned against.
    """
    answers = Answers()
    by_physics: dict[str, list[Asked]] = defaultdict(list)
    for row in asked:
        if row.workload is None:
            answers.rows.append(_without_answer(row, "refused", row.fault))
        else:
            by_physics[physics_key(row.content)].append(row)
    for group in by_physics.values():
        answers.shapes += 1
        _answer_shape(group, market, answers)
    return answers


def _answer_shape(asked: list[Asked], market: Market, answers: Answers) -> None:
    """Answer workloads that every machine does equally fast."""
    by_money: dict[str, list[Asked]] = defaultdict(list)
    for row in asked:
        by_money[money_key(row.content)].append(row)
    allowed_by_key: dict[str, AllowedMarket] = {}
    architecture: Architecture | None = None
    for key, some in list(by_money.items()):
        workload = _asked(some[0], market)
        try:
            assumptions_at(market.assumptions, own_place(workload))
            architecture = None if workload.model is None else suitable_model(workload, resolve_model(workload.model))
            allowed_by_key[key] = market.allowed(workload.constraints)
        except GpuplanError as error:
            answers.rows += [_without_answer(row, "refused", _reason(error)) for row in some]
            del by_money[key]
    if not by_money:
        return
    flat = [(key, row) for key, some in by_money.items() for row in some]
    for begin in range(0, len(flat), CHUNK):
        chunk = flat[begin : begin + CHUNK]
        whole = group_of([_asked(row, market) for _, row in chunk], market.assumptions["money.hours_per_month"])
        try:
            fleets = _sized(whole, architecture, market)
        except GpuplanError as error:  # an accelerator that nothing is known of
            answers.rows += [_without_answer(row, "refused", _reason(error)) for _, row in chunk]
            continue
        first = 0
        for key, same in groupby(chunk, key=lambda pair: pair[0]):
            part = [row for _, row in same]
            columns = slice(first, first + len(part))
            first += len(part)
            _answer_group(part, whole.part(columns), allowed_by_key[key], _taken(fleets, columns), market, answers)


def _reason(error: GpuplanError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _asked(row: Asked, market: Market) -> Workload:
    assert row.workload is not None
    return market.asked(row.workload)


def _taken(fleets: Fleets, columns: slice) -> Fleets:
    """Return the fleets for some of the workloads."""
    names = [name for name in Fleets.__dataclass_fields__ if name != "basis"]
    return Fleets(**{name: getattr(fleets, name)[:, columns] for name in names}, basis=fleets.basis)


def _sized(group: Group, architecture: Architecture | None, market: Market) -> Fleets:
    """Return the fleets of all machines; processors are asked for 16 bit where nothing else would suit them."""
    return together(
        [
            fleets_of(group, architecture, machines, market.assumptions, shape=shape, calibration=market.constants)
            for machines, shape in (
                (market.with_accelerators, group.first),
                (market.processors_only, asked_of_processors(group.first)),
            )
            if machines
        ]
    )


def _answer_group(
    asked: Sequence[Asked], group: Group, allowed: AllowedMarket, fleets: Fleets, market: Market, answers: Answers
) -> None:
    """Answer workloads of one shape under the same constraints."""
    costs = market.costs(group.first)
    work = work_of(group, fleets, costs)
    options = option_table(group, allowed, work, costs, market)
    answers.evaluations += options.is_open.size
    contenders = Contenders(options=options, allowed=allowed, work=work, costs=costs, market=market)
    taken: dict[tuple[bytes, ...], tuple[int, frozenset[tuple[str, bool]]]] = {}

    def bound(rows: NDArray[np.intp], column: int) -> tuple[int, frozenset[tuple[str, bool]]]:
        figures = (options.instance_count, options.on_hours, options.present_value_usd)
        key = (rows.tobytes(), *(figure[rows, column].tobytes() for figure in figures))
        if key not in taken:
            taken[key] = contenders.chosen(rows.tolist(), group.workloads[column], column)
        return taken[key]

    choices = choices_of(options, bound, trivial_usd=costs.assumptions["verdict.trivial_usd"])
    refused = _refused_for_dates(options, choices, group, market)
    for column, row in enumerate(asked):
        if column in refused:
            answers.rows.append(_without_answer(row, "refused", refused[column]))
            continue
        chosen, runner_up = int(choices.chosen[column]), int(choices.runner_up[column])
        if chosen < 0:
            is_done = bool((fleets.instance_count[:, column] > 0).any())
            budget_usd = group.max_usd_per_month[column] if options.is_affordable_at_all[column] else np.inf
            if is_done and np.isinf(budget_usd) and group.first.constraints.min_tier is None:
                answers.rows += by_its_own_plan(row, market).rows  # a plan asks sellers of a lower tier
            else:
                answers.rows.append(_without_answer(row, "nothing_fits", _why_nothing(budget_usd, is_done=is_done)))
            continue
        rent, owned = int(choices.rent[column]), int(choices.owned[column])
        month = None
        # There is a month exactly where owning saves something over the horizon.
        if (
            rent >= 0
            and owned >= 0
            and options.present_value_usd[rent, column] >= options.present_value_usd[owned, column]
            and options.kind[chosen] in {OptionKind.RENT, OptionKind.BUY}
        ):
            month = contenders.break_even_month(rent, owned, group.workloads[column], column)
        answers.rows.append(_answer(row, options, chosen, runner_up, column, month, runs_once=group.first.runs_once))
    add_to_pools(answers.pools, group, options, choices.chosen)


def _refused_for_dates(options: OptionTable, choices: Choices, group: Group, market: Market) -> dict[int, str]:
    """Return the workloads for which rents are known, but none of the days asked for; their own plan says so."""
    refused: dict[int, str] = {}
    for column, chosen in enumerate(choices.chosen) if market.catalog.out_of_window else ():
        if choices.rent[column] < 0 and (chosen < 0 or options.kind[chosen] == OptionKind.BUY):
            try:
                market.plan(group.workloads[column])
            except NoPricesError as error:
                refused[column] = _reason(error)
                choices.chosen[column] = -1
            except GpuplanError:
                pass  # told as nothing that fits
    return refused


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _answer(
    row: Asked, options: OptionTable, chosen: int, runner_up: int, column: int, month: float | None, *, runs_once: bool
) -> dict[str, Any]:
    option, count = options.listed[chosen], float(options.instance_count[chosen, column])
    usd = options.present_value_usd
    return _planned(
        row,
        option,
        accelerators_total_count=option.accelerator_count * count,
        instance_count=int(count),
        runs_once=runs_once,
        present_value_usd=float(usd[chosen, column]),
        total_usd=float(options.total_usd[chosen, column]),
        usd_per_month=float(options.usd_per_month[chosen, column]),
        hours_per_run=_number(options.hours_per_run[chosen, column]),
        runner_up_id=options.listed[runner_up].id if runner_up >= 0 else None,
        runner_up_present_value_usd=float(usd[runner_up, column]) if runner_up >= 0 else None,
        break_even_month=month,
        basis=options.basis[chosen] or None,
    )


def _planned(row: Asked, option: Listed | Option, **figures: object) -> dict[str, Any]:
    """Return the row of a workload that takes an option, with what depends on its size."""
    return {
        "row": row.row,
        "status": "planned",
        "reason": None,
        "needs_gpu": option.accelerator is not None,
        "choice": option.kind.value,
        "option_id": option.id,
        **{name: getattr(option, name) for name in OF_OPTION},
        **figures,
    }


def _without_answer(row: Asked, status: str, reason: str) -> dict[str, Any]:
    return {"row": row.row, "status": status, "reason": reason}


def _why_nothing(budget_usd: float, *, is_done: bool) -> str:
    """Return why nothing that may be recommended does a workload; its own plan tells where every offer was lost."""
    if not is_done:
        why = "no machine does this work within its limits, its deadline and max_gpus"
    elif np.isfinite(budget_usd):
        why = f"every option costs more than the {budget_usd:,.0f} USD a month of max_usd_per_month"
    else:
        why = "only options that are not recommended are left: machines that can be taken back, or sold by third parties or in dated blocks"
    return f"{why}; plan this workload alone to see where the offers were lost"


def by_its_own_plan(asked: Asked, market: Market) -> Answers:
    """Answer one workload by the plan that ``gpuplan plan`` makes of it.

    The arrays hold what is the same for many workloads. They have no machines that one workload alone has paid for, no prices
    negotiated for it, and no sellers of the lower tiers that are asked where nobody else sells what it takes.
    """
    try:
        row = _of_plan(asked, market.plan(_asked(asked, market)))
    except NothingFitsError as error:
        row = _without_answer(asked, "nothing_fits", error.message)
    except GpuplanError as error:
        row = _without_answer(asked, "refused", error.message)
    except Exception as error:  # noqa: BLE001  the last resort: this workload alone has no answer
        row = _without_answer(asked, "failed", f"a bug of this program: {type(error).__name__}: {error}")
    return Answers(rows=[row], one_by_one=1)


def _of_plan(asked: Asked, plan: Plan) -> dict[str, Any]:
    option = plan.chosen
    choosable = [rival for rival in plan.options if rival.choosable]
    other = next((rival for rival in choosable if rival.id != option.id), None)
    # What binds may have been passed over: it is compared all the same.
    compared = {rival.id for rival in choosable} | {name for name, _ in plan.verdict.passed_over}
    pairs = plan.break_evens if option.kind in {OptionKind.RENT, OptionKind.BUY} else ()
    return _planned(
        asked,
        option,
        **{name: getattr(option, name) for name in OF_SIZE},
        runs_once=plan.workload.runs_once,
        runner_up_id=other.id if other else None,
        runner_up_present_value_usd=other.present_value_usd if other else None,
        break_even_month=next((pair.month for pair in pairs if pair.buy_id in compared), None),
        basis=option.fleet.performance.basis if option.fleet else None,
    )
