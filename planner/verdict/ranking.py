"""The ranking: what may be recommended before what may not, each cheapest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.costs.inputs import RentInputs
from planner.costs.timeline import FloatArray
from planner.demand.workload import Constraints
from planner.options.evidence import MOST_STALENESS
from planner.options.option import Option, OptionKind
from planner.options.reason import Reason, ReasonCode
from pricing.units import HOURS_PER_MONTH

__all__ = ["SAME_SHARE", "alike", "outranked", "ranked", "well_founded"]

BoolArray = NDArray[np.bool_]

SAME_SHARE = 1e-9
"""Costs that differ by less are the same: the rest is the rounding of sums in another order."""

MACHINES = frozenset({OptionKind.RENT, OptionKind.BUY})


def _outlasts(option: Option, _: int) -> Reason | None:
    """Tell of a commitment that goes on after the only run: the rest of its term is paid for nothing."""
    inputs = option.book
    if not isinstance(inputs, RentInputs) or not inputs.run_hours or not option.term_months:
        return None
    months = math.ceil((option.hours_per_run or inputs.run_hours) / HOURS_PER_MONTH)
    return Reason(ReasonCode.OUTLASTS_RUN, (option.term_months, months)) if option.term_months > months else None


def _too_many(option: Option, _: int) -> Reason | None:
    too_many = option.accelerators_total_count > option.most_accelerators
    return Reason(ReasonCode.QUANTITY, (option.most_accelerators,)) if too_many else None


def _extrapolated(option: Option, _: int) -> Reason | None:
    is_machine = option.kind in MACHINES and option.fleet is not None
    is_extrapolated = is_machine and option.fleet is not None and option.fleet.performance.basis == "extrapolated"
    return Reason(ReasonCode.SPEED_EXTRAPOLATED) if is_extrapolated else None


def _late(option: Option, _: int) -> Reason | None:
    is_late = option.fleet is not None and option.fleet.late_ratio > 1.0
    return Reason(ReasonCode.LIMITS_MISSED) if is_late else None


def _older(least: int, option: Option, age_days: int) -> Reason | None:
    return Reason(ReasonCode.PRICE_OLD, (age_days,)) if option.staleness_count >= least else None


def _floor_price(option: Option, _: int) -> Reason | None:
    return Reason(ReasonCode.FLOOR_PRICE) if option.is_floor_price else None


WEAKNESSES: tuple[Callable[[Option, int], Reason | None], ...] = (
    _outlasts,
    _late,
    _extrapolated,
    _floor_price,
    *(partial(_older, least) for least in range(MOST_STALENESS, 0, -1)),
    _too_many,
)
"""What speaks against an option only where a rent without this weakness may be recommended; where all prices are old, the oldest go first."""


def outranked(
    weak: BoolArray, is_open: BoolArray, is_rent: BoolArray, usd: FloatArray, may_be_quoted: BoolArray, assumptions: Assumptions
) -> BoolArray:  # fmt: skip
    """Return which options lose by one weakness: the weak ones, where a rent without it may be recommended.

    A number of accelerators that takes a quote is no weakness where it costs less than all that takes none by
    `verdict.quotes_margin_share`: then the quotes are worth asking for.

    Parameters
    ----------
    weak, is_open, usd : arrays, shape (options, workloads)
        Whether each has the weakness; whether it may be recommended so far; its present value.
    is_rent, may_be_quoted : BoolArray, shape (options, 1)
        Whether each is a rent; whether it is excused where its price is worth quotes.
    """
    sound = is_open & is_rent & ~weak
    worth_usd = usd.min(axis=0, where=sound, initial=np.inf) * (1 - assumptions["verdict.quotes_margin_share"])
    return np.asarray(weak & sound.any(axis=0) & ~(may_be_quoted & (usd < worth_usd)), dtype=bool)


def well_founded(
    options: Sequence[Option], assumptions: Assumptions, *, age_days: Callable[[Option], int]
) -> list[Option]:
    """Return the options, those marked that rest on weaker ground than a rent that may be recommended.

    Parameters
    ----------
    options : sequence of Option
        All of a workload.
    assumptions : Assumptions
        With that margin, and how many accelerators can be counted on without a quote.
    age_days : callable
        The age of an option's price.
    """
    ages_days = [age_days(option) for option in options]
    against = [option.not_recommended for option in options]
    usd = np.array([[option.present_value_usd] for option in options]).reshape(-1, 1)
    is_rent = _column(option.kind is OptionKind.RENT for option in options)
    is_listed = _column(
        option.most_accelerators >= assumptions["evidence.on_demand_accelerators"] for option in options
    )
    for weakness in WEAKNESSES:
        reasons = [weakness(option, days) for option, days in zip(options, ages_days, strict=True)]
        lost = outranked(
            _column(reason is not None for reason in reasons),
            _column(not said for said in against),
            is_rent,
            usd,
            is_listed & (weakness is _too_many),
            assumptions,
        )[:, 0]
        against = [
            (*said, reason) if is_lost and reason and reason not in said else said
            for said, reason, is_lost in zip(against, reasons, lost.tolist(), strict=True)
        ]
    return [
        option if said is option.not_recommended else replace(option, not_recommended=said)
        for option, said in zip(options, against, strict=True)
    ]


def _column(flags: Iterable[bool]) -> BoolArray:
    return np.array(list(flags), dtype=bool).reshape(-1, 1)


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


def ranked(options: Sequence[Option], constraints: Constraints) -> tuple[Option, ...]:
    """Return the options within the budget: those that may be recommended first, then the others; each cheapest first.

    Of options that cost the same the smaller one goes first, then the one that is done sooner, then the one first in the alphabet.
    """
    budget = constraints.max_usd_per_month
    kept = [option for option in options if budget is None or option.usd_per_month <= budget]
    costs = alike(np.array([option.present_value_usd for option in kept])).tolist()
    hours = alike(np.array([option.hours_per_run or 0.0 for option in kept])).tolist()
    order = sorted(
        zip(kept, costs, hours, strict=True),
        key=lambda each: (not each[0].choosable, each[1], each[0].size, each[2], each[0].id),
    )
    return tuple(option for option, _, _ in order)
