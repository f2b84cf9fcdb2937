"""A problem of calibration: one table of measured rows, its constants, its priors, and its honest score.

A score leaves whole groups out: either a block's model on one accelerator (what another row of a known table looks like),
or a whole block (what a stranger's table looks like). Bands come from the former.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fit.solve import Constants, Design, Fitted, block_weights, fit, log_constants
from planner.arrays import FloatArray
from planner.measured.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One table's fit.

    Attributes
    ----------
    name : str
        ``serving``, ``training``, ``memory`` or ``images``.
    design : Design
        Constants, tags and priors.
    predict : callable
        Constants of every row to predictions, shape (metrics, rows).
    observed, weights : FloatArray, shape (metrics, rows)
        What was measured, NaN where nothing was, and how much it counts.
    blocks, groups : tuple of str
        Each row's table, and its group within it.
    rows : tuple of Row
        The rows.
    prefixes : mapping of str to str
        Name in the calibration table of each constant.
    low_weight_ratio : float
        How much more a row counts that is predicted too low (see `fit`).
    is_of_ratios : bool
        Whether the constants are ratios to those of another fit: only the tags' parts are kept.
    """

    name: str
    design: Design
    predict: Callable[[Constants], FloatArray]
    observed: FloatArray
    weights: FloatArray
    blocks: tuple[str, ...]
    groups: tuple[str, ...]
    rows: tuple[Row, ...]
    prefixes: Mapping[str, str]
    low_weight_ratio: float = 1.0
    is_of_ratios: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Logarithm of predicted over observed, shape (metrics, rows), for rows that were left out of the fit."""

    by_group: FloatArray
    by_block: FloatArray


def _levels(scopes: Sequence[str]) -> list[str]:
    """Return a machine's scopes from general to particular; the maker counts only where it is not the usual one."""
    return ["*", *(scope for scope in reversed(scopes) if scope not in {"*", "NVIDIA"})]


def _narrowed(tags: Sequence[str], scopes: Sequence[str]) -> list[str]:
    return [f"{tag}|{scopes[1]}" for tag in tags]


def tag_rows(
    scopes: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], names: Sequence[str], machine: set[str], tagged: Callable[[str, str], bool],
    narrowed: Callable[[str, str], bool],
) -> list[Mapping[str, Sequence[str]]]:  # fmt: skip
    """Return for each row which nodes of each constant it has: its machine's levels, its own tags, and both together."""
    found: list[Mapping[str, Sequence[str]]] = []
    for where, row_tags in zip(scopes, tags, strict=True):
        one: dict[str, Sequence[str]] = {}
        for name in names:
            own = [tag for tag in row_tags if tagged(name, tag)]
            also = _narrowed([tag for tag in own if narrowed(name, tag)], where)
            one[name] = [*(_levels(where) if name in machine else ["*"]), *own, *also]
        found.append(one)
    return found


def problem_of(name: str, rows: Sequence[Row], of: Design, predict: Callable[[Constants], FloatArray], observed: FloatArray,
             metric_weights: Sequence[float], prefixes: Mapping[str, str], row_weights: FloatArray | None = None) -> Problem:  # fmt: skip
    """Return a problem whose blocks count alike, however many rows they have."""
    blocks = tuple(row.get("block", "") or "own" for row in rows)
    groups = tuple(
        f"{block}/{row.get('model', '')}/{row.get('gpu', '')}" for block, row in zip(blocks, rows, strict=True)
    )
    each = block_weights(list(blocks))
    if row_weights is not None:
        each = each * row_weights
    weights = np.stack([each * weight for weight in metric_weights])
    return Problem(
        name=name, design=of, predict=predict, observed=observed, weights=weights, blocks=blocks, groups=groups, rows=tuple(rows), prefixes=prefixes
    )  # fmt: skip


def solve(problem: Problem, *, without: NDArray[np.bool_] | None = None, most_steps: int = 60) -> Fitted:
    """Return the fit of a problem, leaving out the rows marked by `without`."""
    weights = problem.weights if without is None else np.where(without, 0.0, problem.weights)
    return fit(
        problem.design,
        problem.predict,
        problem.observed,
        weights,
        most_steps=most_steps,
        low_weight_ratio=problem.low_weight_ratio,
    )


def residuals(problem: Problem, theta: FloatArray) -> FloatArray:
    """Return the logarithm of predicted over observed, shape (metrics, rows)."""
    with np.errstate(all="ignore"):
        return np.asarray(np.log(problem.predict(log_constants(problem.design, theta)) / problem.observed), dtype=float)


def cross_validate(problem: Problem, *, folds: int = 10, seed: int = 0) -> Score:
    """Return residuals of rows left out: by groups, shared out over `folds` fits, and by whole blocks, one fit each."""
    rng = np.random.default_rng(seed)
    found = []
    for keys, count in ((np.asarray(problem.groups), folds), (np.asarray(problem.blocks), 0)):
        unique = np.unique(keys)
        order = rng.permutation(len(unique))
        fold_of = {key: (int(place) % count if count else place) for key, place in zip(unique, order, strict=True)}
        fold = np.asarray([fold_of[key] for key in keys])
        out = np.full(problem.observed.shape, np.nan)
        for one in np.unique(fold):
            held = fold == one
            fitted = solve(problem, without=held, most_steps=30)
            out[:, held] = residuals(problem, fitted.theta)[:, held]
        found.append(out)
    return Score(by_group=found[0], by_block=found[1])
