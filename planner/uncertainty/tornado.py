"""One number at a time, and how much of the variance each number explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.arrays import FloatArray
from planner.errors import PlanningError
from planner.uncertainty.draws import Evaluate, Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a tornado: the saving of owning when one number alone is low or high.

    Attributes
    ----------
    name : str
        What is varied.
    low, high : float
        Its 10th and 90th percentile.
    saving_at_low_usd, saving_at_high_usd : float
        Present value of the rent less that of owning.
    turns_verdict : bool
        Whether the cheaper side differs between the two, or from the typical case.
    """

    name: str
    low: float
    high: float
    saving_at_low_usd: float
    saving_at_high_usd: float
    turns_verdict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SobolIndex:
    """How much of the variance of the saving one number explains.

    Attributes
    ----------
    name : str
        The number.
    first_order_share : float
        Alone.
    total_share : float
        With everything in which it takes part.
    """

    name: str
    first_order_share: float
    total_share: float


def tornado(evaluate: Evaluate, inputs: Sequence[Uncertain]) -> tuple[Bar, ...]:
    """Vary one number at a time between its 10th and 90th percentile.

    Parameters
    ----------
    evaluate : callable
        From draws to costs; the saving is the first alternative's cost less the second's.
    inputs : sequence of Uncertain
        What is not known for sure.

    Returns
    -------
    tuple of Bar
        The widest first.
    """
    # One evaluation for all: column 0 is the typical case, then low and high of each number in turn.
    count = 2 * len(inputs) + 1
    draws = {uncertain.name: np.full(count, uncertain.typical) for uncertain in inputs}
    for i, uncertain in enumerate(inputs):
        draws[uncertain.name][2 * i + 1] = uncertain.low
        draws[uncertain.name][2 * i + 2] = uncertain.high
    costs = evaluate(draws)
    saving = np.broadcast_to(costs[0] - costs[1], (count,))
    bars = [
        Bar(
            name=uncertain.name,
            low=uncertain.low,
            high=uncertain.high,
            saving_at_low_usd=float(saving[2 * i + 1]),
            saving_at_high_usd=float(saving[2 * i + 2]),
            turns_verdict=len({bool(saving[j] > 0) for j in (0, 2 * i + 1, 2 * i + 2)}) > 1,
        )
        for i, uncertain in enumerate(inputs)
    ]
    return tuple(sorted(bars, key=lambda bar: -abs(bar.saving_at_high_usd - bar.saving_at_low_usd)))


def sobol(
    evaluate: Evaluate, inputs: Sequence[Uncertain], *, points: int = 1024, seed: int = 0
) -> tuple[SobolIndex, ...]:
    """Split the variance of the saving between the numbers, taken as independent (Saltelli's estimator).

    Parameters
    ----------
    evaluate : callable
        From draws to costs.
    inputs : sequence of Uncertain
        What is not known for sure; one or more.
    points : int
        A power of two; ``points * (len(inputs) + 2)`` evaluations are made.
    seed : int
        Of the scrambled Sobol sequence.

    Returns
    -------
    tuple of SobolIndex
        The largest total first; empty where the saving does not vary.

    Raises
    ------
    PlanningError
        If `points` is not a power of two.
    """
    if points < 2 or points & (points - 1):
        raise PlanningError(f"the number of points must be a power of two, got {points}")
    from scipy.stats import norm, sobol_indices

    def saving(z: FloatArray) -> FloatArray:
        flat = z.reshape(len(inputs), -1)
        costs = evaluate({uncertain.name: uncertain.value_at(row) for uncertain, row in zip(inputs, flat, strict=True)})
        return np.asarray(costs[0] - costs[1]).reshape(1, *z.shape[1:])

    if np.ptp(saving(np.random.default_rng(seed).standard_normal((len(inputs), 64)))) == 0:
        return ()
    if len(inputs) == 1:  # SciPy's estimator needs two; a single number explains everything
        return (SobolIndex(name=inputs[0].name, first_order_share=1.0, total_share=1.0),)
    normals: list[Any] = [norm()] * len(inputs)
    indices_of = sobol_indices(func=saving, n=points, dists=normals, rng=np.random.default_rng(seed))
    first, total = np.ravel(indices_of.first_order), np.ravel(indices_of.total_order)
    indices = [
        SobolIndex(name=uncertain.name, first_order_share=float(s), total_share=float(t))
        for uncertain, s, t in zip(inputs, first, total, strict=True)
    ]
    return tuple(sorted(indices, key=lambda index: -index.total_share))
