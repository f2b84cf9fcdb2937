"""Choice: which way each workload takes, by the ranking and the verdict's rules of a single plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.options.option import OptionKind
from planner.portfolio.ways import Ways

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
    """What each workload takes; entries are rows of `planner.portfolio.ways.Ways`, -1 where there is none.

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


def first_of(ways: Ways, among: BoolArray) -> tuple[IntArray, BoolArray]:
    """Return the first option by `planner.ranking` of each workload, and which others cost nearly the same.

    Parameters
    ----------
    ways : Ways
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
    usd = np.where(among, ways.present_value_usd, np.inf)
    least = usd.min(axis=0)
    found = np.isfinite(least)
    tied = among & (usd == least)
    near = among & (usd <= least + NEAR_SHARE * np.abs(least))
    several = np.flatnonzero(near.sum(axis=0) > 1)
    if several.size:
        # Equal sums of equal machines are equal in the plan as well; all others are left to its own arithmetic.
        part = near[:, several]
        count = ways.instance_count[:, several]
        same = (np.where(part, count, -np.inf).max(axis=0) == np.where(part, count, np.inf).min(axis=0)) & (
            (part == tied[:, several]).all(axis=0)
        )
        alike = _same_sort(ways, part)
        near[:, several[same & alike]] = False
        size = ways.accelerator_count[:, None] * count
        for figure in (size, np.nan_to_num(ways.hours_per_run[:, several])):
            kept = tied[:, several]
            figure = np.where(kept, figure, np.inf)  # noqa: PLW2901  the figure of those that are left
            tied[:, several] = kept & (figure == figure.min(axis=0))
    single = near.sum(axis=0) <= 1
    near[:, single] = False
    return np.where(found, np.argmax(tied, axis=0), NONE).astype(np.intp), near


def _same_sort(ways: Ways, part: BoolArray) -> BoolArray:
    """Return where all options marked are of one sort of machine (accelerator and number), so that equal sums are no chance."""
    each = np.where(part, ways.accelerator_count[:, None], np.nan)
    return np.asarray(np.nanmax(each, axis=0) == np.nanmin(each, axis=0))


def choices_of(ways: Ways, margin_share: float, exact: Callable[[IntArray, int], int]) -> Choices:
    """Return what each workload takes.

    Parameters
    ----------
    ways : Ways
        Options by workload.
    margin_share : float
        By how much owning has to be cheaper, since it binds for years.
    exact : callable
        Takes rows of options and a workload, and returns the one that the single plan ranks first.
    """
    best: dict[str, IntArray] = {}
    near_count = 0
    for kind in OptionKind:
        first, near = first_of(ways, ways.is_open & (ways.kind == kind.value)[:, None])
        # Free tiers cost nothing, and a seller's bill is one product: there is no rounding to look into.
        for workload in np.flatnonzero(near.any(axis=0)) if kind in WITH_MACHINES else ():
            first[workload] = exact(np.flatnonzero(near[:, workload]), int(workload))
            near_count += 1
        best[kind.value] = first
    owned = best[OptionKind.BUY.value]
    rest = np.stack([best[kind.value] for kind in OptionKind if kind is not OptionKind.BUY])
    columns = np.arange(rest.shape[1])
    usd = _usd(ways, rest, columns)
    chosen = rest[np.argmin(usd, axis=0), columns]
    owned_usd = _usd(ways, owned, columns)
    cheapest = usd.min(axis=0)
    with np.errstate(invalid="ignore"):
        buys = (owned >= 0) & (owned_usd < np.where(np.isfinite(cheapest), cheapest * (1 - margin_share), np.inf))
    chosen = np.where(buys, owned, chosen)
    others = ways.is_open.copy()
    there = np.flatnonzero(chosen >= 0)
    others[chosen[there], there] = False
    runner_up, _ = first_of(ways, others)
    return Choices(chosen=chosen, runner_up=runner_up, rent=best[OptionKind.RENT.value], owned=owned, near=near_count)


def _usd(ways: Ways, rows: IntArray, columns: IntArray) -> FloatArray:
    """Return the costs of chosen rows, infinite where there is none."""
    if not ways.present_value_usd.shape[0]:
        return np.full(rows.shape, np.inf)
    return np.where(rows >= 0, ways.present_value_usd[rows, columns], np.inf)
