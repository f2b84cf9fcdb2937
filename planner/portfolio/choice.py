"""Choice: which option each workload takes, by the ranking and the verdict's rules of a single plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.options.option import OptionKind
from planner.portfolio.option_table import OptionTable

__all__ = ["NEAR_SHARE", "Choices", "choices_of", "first_of"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

NEAR_SHARE = 1e-9
"""Costs that differ by less are told apart by the arithmetic of the single plan, to its last digit."""
NONE = -1
WITH_MACHINES = frozenset({OptionKind.RENT, OptionKind.CPU, OptionKind.BUY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What each workload takes; entries are rows of `planner.portfolio.options.OptionTable`, -1 where there is none.

    Attributes
    ----------
    chosen : ndarray of int
        The verdict's option.
    runner_up : ndarray of int
        The cheapest other one that may be recommended.
    rent, owned : ndarray of int
        The cheapest rented accelerators, and the cheapest owned ones.
    near : int
        Decisions between costs so near that the single plan's own arithmetic was asked.
    """

    chosen: IntArray
    runner_up: IntArray
    rent: IntArray
    owned: IntArray
    near: int


def first_of(options: OptionTable, among: BoolArray) -> tuple[IntArray, BoolArray]:
    """Return the first option by `planner.verdict.ranking` of each workload, and which others cost nearly the same.

    Parameters
    ----------
    options : OptionTable
        Options by workload.
    among : ndarray of bool, shape (options, workloads)
        Those to choose from.

    Returns
    -------
    ndarray of int, shape (workloads,)
        -1 where there is none.
    ndarray of bool, shape (options, workloads)
        Options as cheap as the first one but for rounding, that one included; all False where nothing is near and different.
    """
    if not among.shape[0]:
        return np.full(among.shape[1], NONE, dtype=np.intp), among
    usd = np.where(among, options.present_value_usd, np.inf)
    least = usd.min(axis=0)
    found = np.isfinite(least)
    tied = among & (usd == least)
    near = among & (usd <= least + NEAR_SHARE * np.abs(least))
    several = np.flatnonzero(near.sum(axis=0) > 1)
    if several.size:
        # Equal sums of equal machines are equal in the plan as well; all others are left to its own arithmetic.
        part = near[:, several]
        count = options.instance_count[:, several]
        same = (np.where(part, count, -np.inf).max(axis=0) == np.where(part, count, np.inf).min(axis=0)) & (
            (part == tied[:, several]).all(axis=0)
        )
        alike = _same_sort(options, part)
        near[:, several[same & alike]] = False
        size = options.accelerator_count[:, None] * count
        for figure in (size, np.nan_to_num(options.hours_per_run[:, several])):
            kept = tied[:, several]
            figure = np.where(kept, figure, np.inf)  # noqa: PLW2901  the figure of those that are left
            tied[:, several] = kept & (figure == figure.min(axis=0))
    single = near.sum(axis=0) <= 1
    near[:, single] = False
    return np.where(found, np.argmax(tied, axis=0), NONE).astype(np.intp), near


def _same_sort(options: OptionTable, part: BoolArray) -> BoolArray:
    """Return where all options marked are of one sort of machine (accelerator and number), so that equal sums are no chance."""
    each = np.where(part, options.accelerator_count[:, None], np.nan)
    return np.asarray(np.nanmax(each, axis=0) == np.nanmin(each, axis=0))


def choices_of(
    options: OptionTable,
    exact: Callable[[IntArray, int], int],
    bound: Callable[[IntArray, int], tuple[int, frozenset[tuple[str, bool]]]],
) -> Choices:
    """Return what each workload takes.

    Parameters
    ----------
    options : OptionTable
        Options by workload.
    exact : callable
        Takes rows of options and a workload, and returns the one that the single plan ranks first.
    bound : callable
        Takes the best row of each sort and a workload for which the cheapest one binds for more than a year, and returns the
        one that the single plan takes, and of which sorts nothing that costs less is recommended.
    """
    best: dict[tuple[str, bool], IntArray] = {}
    near_count = 0
    for kind in OptionKind:
        for binds in (False, True):
            among = options.is_open & ((options.kind == kind.value) & (options.binds == binds))[:, None]
            first, near = first_of(options, among)
            # Free tiers cost nothing, and a seller's bill is one product: there is no rounding to look into.
            for workload in np.flatnonzero(near.any(axis=0)) if kind in WITH_MACHINES else ():
                first[workload] = exact(np.flatnonzero(near[:, workload]), int(workload))
                near_count += 1
            best[kind.value, binds] = first
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
    taken = np.flatnonzero(chosen >= 0)
    others[chosen[taken], taken] = False
    runner_up, _ = first_of(options, others)
    rents = np.stack([best[OptionKind.RENT.value, False], best[OptionKind.RENT.value, True]])
    rent = rents[np.argmin(_usd(options, rents, columns), axis=0), columns]
    return Choices(
        chosen=chosen, runner_up=runner_up, rent=rent, owned=best[OptionKind.BUY.value, True], near=near_count
    )


def _usd(options: OptionTable, rows: IntArray, columns: IntArray) -> FloatArray:
    """Return the costs of chosen rows, infinite where there is none."""
    if not options.present_value_usd.shape[0]:
        return np.full(rows.shape, np.inf)
    return np.where(rows >= 0, options.present_value_usd[rows, columns], np.inf)
