"""The ranking: what may be recommended before what may not, each cheapest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.arrays import BoolArray, FloatArray
from planner.assumptions import Assumptions
from planner.costs.inputs import RentInputs
from planner.demand.workload import Constraints
from planner.options.machine_hours import whole_months
from planner.options.option import Option, OptionKind, ReasonCode
from planner.options.price_evidence import MOST_STALENESS
from planner.options.rules import Against, reasons_of
from planner.verdict.alternatives import SAME_SHARE
from pricing.clock import HOURS_PER_MONTH

MACHINES = frozenset({OptionKind.RENT, OptionKind.BUY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What options rest on, as arrays that broadcast to (options, workloads).

    Attributes
    ----------
    is_rent, is_late, is_extrapolated, is_floor_price : BoolArray
        Whether each is a rent, misses a limit in a simulation, has a speed that nothing measured is near, or a "from" price.
    usd : FloatArray
        Present values.
    term_months, run_months : FloatArray
        How long it is rented for at least, and how long the only run takes; infinite for work that goes on.
    staleness_count : ndarray of int
        As in `planner.options.option.Option`.
    accelerators, most_accelerators : FloatArray
        How many it takes, and how many can be counted on.
    age_days : FloatArray
        Of its price; only the sentence needs it.
    """

    is_rent: BoolArray
    usd: FloatArray
    term_months: FloatArray
    run_months: FloatArray
    is_late: BoolArray
    is_extrapolated: BoolArray
    is_floor_price: BoolArray
    staleness_count: NDArray[np.int_]
    accelerators: FloatArray
    most_accelerators: FloatArray
    age_days: FloatArray | float = math.nan

    @classmethod
    def of(cls, options: Sequence[Option], ages_days: Sequence[int]) -> Ground:
        """Look at the options of one workload, and at the ages of their prices."""
        bases = [option.fleet.performance.basis if option.fleet else "" for option in options]
        return cls(
            is_rent=_column([option.kind is OptionKind.RENT for option in options]),
            usd=_column([option.present_value_usd for option in options]),
            term_months=_column([option.term_months for option in options]),
            run_months=_column([_run_months(option) for option in options]),
            is_late=_column([option.fleet is not None and option.fleet.late_ratio > 1.0 for option in options]),
            is_extrapolated=_column(
                [o.kind in MACHINES and basis == "extrapolated" for o, basis in zip(options, bases, strict=True)]
            ),
            is_floor_price=_column([option.is_floor_price for option in options]),
            staleness_count=_column([option.staleness_count for option in options]),
            accelerators=_column([option.accelerators_total_count for option in options]),
            most_accelerators=_column([option.most_accelerators for option in options]),
            age_days=_column(ages_days),
        )

    def outranked(self, is_open: BoolArray, assumptions: Assumptions) -> Iterator[Against]:
        """For each weakness, yield the options ruled out because a rent without it is available.

        Where all prices are old, the oldest go first. A number of accelerators that takes a quote is no weakness where it
        costs less than all that takes none by `verdict.quotes_margin_share`: then the quotes are worth asking for.

        Parameters
        ----------
        is_open : BoolArray, shape (options, workloads)
            Whether each may be recommended so far.
        assumptions : Assumptions
            With that margin, and how many accelerators can be counted on without a quote.
        """
        margin = assumptions["verdict.quotes_margin_share"]
        is_listed = self.most_accelerators >= assumptions["evidence.on_demand_accelerators"]
        for weak in self._weaknesses():
            if not weak.where.any():
                continue
            sound = is_open & self.is_rent & ~weak.where
            lost = weak.where & sound.any(axis=0)
            if weak.code is ReasonCode.QUANTITY:
                worth_usd = self.usd.min(axis=0, where=sound, initial=np.inf) * (1 - margin)
                lost &= ~(is_listed & (self.usd < worth_usd))
            is_open = is_open & ~lost
            yield replace(weak, where=lost)

    def _weaknesses(self) -> Iterator[Against]:
        """Yield what speaks against an option only where a rent without it may be recommended."""
        outlasts = self.term_months > self.run_months
        yield Against(ReasonCode.OUTLASTS_RUN, outlasts, (self.term_months, self.run_months))
        yield Against(ReasonCode.LIMITS_MISSED, self.is_late)
        yield Against(ReasonCode.SPEED_EXTRAPOLATED, self.is_extrapolated)
        yield Against(ReasonCode.FLOOR_PRICE, self.is_floor_price)
        for least in range(MOST_STALENESS, 0, -1):
            yield Against(ReasonCode.PRICE_OLD, self.staleness_count >= least, (self.age_days,))
        too_many = self.accelerators > self.most_accelerators
        yield Against(ReasonCode.QUANTITY, too_many, (self.most_accelerators,))


def _run_months(option: Option) -> float:
    """Return in how many months the only run is over."""
    inputs = option.book
    if not isinstance(inputs, RentInputs) or not inputs.run_hours:
        return math.inf
    return float(whole_months(option.hours_per_run or inputs.run_hours, HOURS_PER_MONTH))


def _column(values: Sequence[float]) -> NDArray[Any]:
    return np.array(values, dtype=None if values else bool).reshape(-1, 1)


def well_founded(
    options: Sequence[Option], assumptions: Assumptions, *, age_days: Callable[[Option], int]
) -> list[Option]:
    """Return the options, those marked that rest on weaker ground than a rent that may be recommended.

    Parameters
    ----------
    options : sequence of Option
        All of a workload.
    assumptions : Assumptions
        As `Ground.outranked` takes them.
    age_days : callable
        The age of an option's price.
    """
    is_open = _column([option.choosable for option in options])
    ground = Ground.of(options, [age_days(option) for option in options])
    against = reasons_of(ground.outranked(is_open, assumptions), len(options))
    return [
        replace(option, not_recommended=tuple(dict.fromkeys((*option.not_recommended, *reasons))))
        if reasons
        else option
        for option, reasons in zip(options, against, strict=True)
    ]


def alike(figures: FloatArray) -> FloatArray:
    """Return whole numbers, in the order of the figures, that are equal for figures which are the same but for rounding.

    Examples
    --------
    >>> a, b, c = alike(np.array([0.1 + 0.2, 0.3, 0.3001]))
    >>> bool(a == b), bool(b < c)
    (True, True)
    """
    # Round amounts lie nowhere near the ends of these steps, which are no round numbers.
    return np.asarray(np.rint(np.arcsinh(figures) / SAME_SHARE))


def in_order(
    usd: FloatArray,
    term_months: FloatArray,
    credit_used_usd: FloatArray,
    accelerators: FloatArray,
    machines: FloatArray,
    hours: FloatArray,
) -> tuple[FloatArray, ...]:
    """Return by what options are ordered, the first figure first: cost, term, credit, accelerators, machines, hours of a run.

    Of options that cost the same the one that binds for less time goes first, then the one that uses less credit, then the
    smaller one, then the one that is done sooner, then the one first in the alphabet.
    """
    return alike(usd), term_months, alike(credit_used_usd), accelerators, machines, alike(np.nan_to_num(hours))


def ranked(options: Sequence[Option], constraints: Constraints) -> tuple[Option, ...]:
    """Return the options within the budget: those that may be recommended first, then the others; each as `in_order` has it."""
    budget = constraints.max_usd_per_month
    kept = [option for option in options if budget is None or option.usd_per_month <= budget]
    columns = [(o.present_value_usd, o.term_months, o.credit_used_usd, *o.size, o.hours_per_run or 0.0) for o in kept]
    figures = in_order(*np.array(columns).reshape(-1, 6).T)
    order = sorted(
        zip(kept, *(figure.tolist() for figure in figures), strict=True),
        key=lambda row: (not row[0].choosable, *row[1:], row[0].id),
    )
    return tuple(option for option, *_ in order)
