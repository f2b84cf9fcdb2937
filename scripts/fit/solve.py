"""Fit: constants out of measured rows, each held near its more general one unless the rows say otherwise.

The logarithm of a constant for one row is a sum over the row's tags: all, generation, accelerator, engine, number format,
mixture of experts. Every tag's part is drawn towards zero (a hierarchical prior), so that an accelerator with three rows
stays near its generation and one with a hundred speaks for itself. Rows in large tables are weighed down, since a hundred
rows of one table are no hundred witnesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray

Constants = Mapping[str, FloatArray]
Predict = Callable[[Constants], FloatArray]

_STEP = 1e-4
_NOISE = 0.15
"""Spread of a good row, in natural logarithms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Which tags of which constants each row has.

    Attributes
    ----------
    names : tuple of str
        The constants.
    nodes : tuple of (str, str)
        Constant and tag of each parameter.
    matrices : mapping of str to FloatArray, shape (rows, nodes)
        1 where the row has the constant's tag.
    start, spread : FloatArray, shape (nodes,)
        Prior mean and standard deviation of the logarithms.
    """

    names: tuple[str, ...]
    nodes: tuple[tuple[str, str], ...]
    matrices: Mapping[str, FloatArray]
    start: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Parameters, and how many rows carry each of them."""

    design: Design
    theta: FloatArray
    row_count: NDArray[np.int64]

    def values(self) -> Mapping[tuple[str, str], float]:
        """Return each node's factor: the constant itself for tag ``*``, a ratio for the others."""
        return {node: float(np.exp(value)) for node, value in zip(self.design.nodes, self.theta, strict=True)}


def design(
    tags: Sequence[Mapping[str, Sequence[str]]],
    starts: Mapping[str, float],
    spreads: Callable[[str, str], float],
    tag_starts: Mapping[tuple[str, str], float] | None = None,
) -> Design:
    """Return the design of rows whose tags are given per constant.

    Parameters
    ----------
    tags : sequence of mapping
        One mapping per row: constant's name to tags, the first of which is ``*``.
    starts : mapping of str to float
        Starting value of each constant.
    spreads : callable
        Prior spread of a constant's tag, in natural logarithms.
    tag_starts : mapping, optional
        Prior ratio of some tags, where 1 is no sensible guess.
    """
    names = tuple(starts)
    nodes: dict[tuple[str, str], int] = {}
    for name in names:
        nodes.setdefault((name, "*"), len(nodes))
    for row in tags:
        for name in names:
            for tag in row[name]:
                nodes.setdefault((name, tag), len(nodes))
    matrices = {name: np.zeros((len(tags), len(nodes))) for name in names}
    for index, row in enumerate(tags):
        for name in names:
            for tag in row[name]:
                matrices[name][index, nodes[name, tag]] = 1.0
    start = np.zeros(len(nodes))
    for (name, tag), place in nodes.items():
        if tag == "*":
            start[place] = np.log(starts[name])
        elif tag_starts and (name, tag) in tag_starts:
            start[place] = np.log(tag_starts[name, tag])
    return Design(
        names=names,
        nodes=tuple(nodes),
        matrices=matrices,
        start=start,
        spread=np.asarray([spreads(name, tag) for name, tag in nodes]),
    )


def log_constants(of: Design, theta: FloatArray) -> dict[str, FloatArray]:
    """Return every constant of every row."""
    return {name: np.exp(of.matrices[name] @ theta) for name in of.names}


def block_weights(blocks: Sequence[str]) -> FloatArray:
    """Return weights of rows: the fourth root of the table's size shares it out, large tables still count most."""
    _, index, counts = np.unique(np.asarray(blocks), return_inverse=True, return_counts=True)
    weight = (counts[index] / np.median(counts)) ** -0.25
    return np.asarray(weight / weight.mean(), dtype=float)


def fit(
    of: Design,
    predict: Predict,
    observed: FloatArray,
    weights: FloatArray,
    *,
    loss_scale: float = 0.2,
    most_steps: int = 60,
    low_weight_ratio: float = 1.0,
) -> Fitted:
    """Return the parameters that make predictions meet observations, in logarithms, robustly.

    Parameters
    ----------
    of : Design
        Rows and tags.
    predict : callable
        Constants of every row to predictions, shape (metrics, rows); a row's prediction hangs on its own constants alone.
    observed, weights : FloatArray, shape (metrics, rows)
        What was measured (NaN where nothing was), and how much it counts.
    loss_scale : float
        Residual from which on a row counts linearly (soft L1).
    low_weight_ratio : float
        How much more a row counts that is predicted too low: above 1 the constants lean to the high side by as much as
        their rows scatter (an expectile in place of a mean).
    """
    seen = np.isfinite(observed) & (observed > 0) & (weights > 0)
    target = np.log(np.where(seen, observed, 1.0))
    metric, row = np.nonzero(seen)
    scale = weights[metric, row] / _NOISE

    def raw(constants: Constants) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray(
                np.log(np.maximum(np.nan_to_num(predict(constants), nan=1e-30, posinf=1e30), 1e-30))[metric, row]
            )

    def cost(theta: FloatArray, residual: FloatArray) -> float:
        data = 2.0 * loss_scale**2 * (np.sqrt(1.0 + (residual / loss_scale) ** 2) - 1.0)
        lean = np.where(residual < 0.0, low_weight_ratio, 1.0)
        return float((data * lean * scale**2).sum() + (((theta - of.start) / of.spread) ** 2).sum())

    theta, damping = of.start.copy(), 1e-2
    residual = raw(log_constants(of, theta)) - target[metric, row]
    best = cost(theta, residual)
    for _ in range(most_steps):
        constants = log_constants(of, theta)
        base = residual + target[metric, row]
        # Soft L1 as reweighted least squares: far rows count linearly.
        weight = (
            np.where(residual < 0.0, low_weight_ratio, 1.0) * scale**2 / np.sqrt(1.0 + (residual / loss_scale) ** 2)
        )
        slope = np.zeros((len(row), len(of.nodes)))
        for name in of.names:
            moved = raw({**constants, name: constants[name] * np.exp(_STEP)})
            slope += ((moved - base) / _STEP)[:, None] * of.matrices[name][row]
        prior = 1.0 / of.spread**2
        normal = slope.T @ (slope * weight[:, None]) + np.diag(prior)
        gradient = slope.T @ (weight * residual) + prior * (theta - of.start)
        improved = False
        for _ in range(8):
            trial = theta - np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
            trial_residual = raw(log_constants(of, trial)) - target[metric, row]
            value = cost(trial, trial_residual)
            if value < best:
                improved = True
                break
            damping *= 4.0
        if not improved:
            break
        gain = best - value
        theta, residual, best, damping = trial, trial_residual, value, max(damping / 5.0, 1e-8)
        if gain < 1e-5 * best:
            break
    any_seen = seen.any(axis=0)
    count = np.sum([of.matrices[name][any_seen].sum(axis=0) for name in of.names], axis=0).astype(np.int64)
    return Fitted(design=of, theta=theta, row_count=count)
