"""Numbers that are not known for sure: how they are drawn together, and what that makes of a choice.

Each uncertain number is a smooth increasing function of a standard normal, so that its 10th percentile, median and
90th percentile are exactly the stated low, typical and high; correlated normals make them move together (a Gaussian
copula).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from planner.arrays import FloatArray
from planner.errors import PlanningError

Draws: TypeAlias = Mapping[str, FloatArray]
Evaluate: TypeAlias = Callable[[Draws], FloatArray]
"""From draws, shape (draws,) each, to costs, shape (alternatives, draws)."""
Correlations: TypeAlias = Mapping[tuple[str, str], float]

Z_OF_90_PERCENT = 1.2815515655446004
"""The standard normal's 90th percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """A number and how far it may lie off.

    Attributes
    ----------
    name : str
        Dotted name.
    low, typical, high : float
        10th percentile, median, 90th percentile.
    kind : {'amount', 'change', 'free'}
        Whether it errs by factors (prices, costs), by factors of one plus itself (rates, changes), or by differences.
    least, most : float
        What it can never be below or above.
    """

    name: str
    low: float
    typical: float
    high: float
    kind: Literal["amount", "change", "free"] = "free"
    least: float = -math.inf
    most: float = math.inf

    def __post_init__(self) -> None:
        """Refuse a range that is none."""
        if not self.low <= self.typical <= self.high:
            raise PlanningError(f"{self.name}: low, typical and high must rise")

    def value_at(self, z: FloatArray) -> FloatArray:
        """Return the value for standard normals.

        Examples
        --------
        >>> rent = Uncertain(name="rent", low=2.0, typical=3.0, high=4.5, kind="amount")
        >>> rent.value_at(np.array([-1.2815515655446004, 0.0, 1.2815515655446004])).round(9).tolist()
        [2.0, 3.0, 4.5]
        """
        if self.kind == "amount" and self.low > 0:
            logs = _split_normal(math.log(self.low), math.log(self.typical), math.log(self.high), z)
            values = np.exp(logs)
        elif self.kind == "change" and self.low > -1:
            logs = _split_normal(math.log1p(self.low), math.log1p(self.typical), math.log1p(self.high), z)
            values = np.expm1(logs)
        else:
            values = _split_normal(self.low, self.typical, self.high, z)
        if self.least == -math.inf and self.most == math.inf:
            return np.asarray(values)
        return np.asarray(values.clip(self.least, self.most))


def _split_normal(low: float, typical: float, high: float, z: FloatArray) -> FloatArray:
    down, up = (typical - low) / Z_OF_90_PERCENT, (high - typical) / Z_OF_90_PERCENT
    return np.asarray(typical + z * np.where(z < 0, down, up))


def draw(
    inputs: Sequence[Uncertain], correlations: Correlations, count: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Draw uncertain numbers together.

    Parameters
    ----------
    inputs : sequence of Uncertain
        With different names.
    correlations : mapping of (name, name) to float
        Of the underlying normals, -1 to 1; pairs that are absent, or name no input, do not move together.
    count : int
        Draws.
    rng : Generator
        Seeded by the caller, so that a plan can be repeated.

    Returns
    -------
    dict of str to FloatArray, shape (count,)

    Raises
    ------
    PlanningError
        If the correlations contradict each other.
    """
    return at_normals(inputs, correlations, rng.standard_normal((len(inputs), count)))


def at_normals(inputs: Sequence[Uncertain], correlations: Correlations, z: FloatArray) -> dict[str, FloatArray]:
    """Return uncertain numbers for independent standard normals, shape (inputs, draws); see `draw`."""
    index = {uncertain.name: i for i, uncertain in enumerate(inputs)}
    matrix = np.eye(len(inputs))
    for (a, b), value in correlations.items():
        if a in index and b in index and a != b:
            matrix[index[a], index[b]] = matrix[index[b], index[a]] = value
    if not np.array_equal(matrix, np.eye(len(inputs))):
        try:
            z = np.einsum("ij,jk->ik", np.linalg.cholesky(matrix), z)  # BLAS would keep every core busy with so little
        except np.linalg.LinAlgError:
            raise PlanningError(
                "these correlations contradict each other: no numbers can move like that",
                hint="bring them closer to 0",
            ) from None
    return {uncertain.name: uncertain.value_at(row) for uncertain, row in zip(inputs, z, strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What uncertainty does to a choice between alternatives.

    Attributes
    ----------
    names : tuple of str
        Alternatives.
    draws : int
        Draws behind the figures.
    expected_usd : tuple of float
        Mean of each cost.
    probability_cheapest_share : tuple of float
        How often each is the cheapest.
    expected_regret_usd : tuple of float
        What each costs more, on average, than the one that turns out to be the cheapest.
    value_of_knowing_usd : float
        What it would be worth, on average, to know everything before choosing; never negative.
    saving_p5_usd, saving_p50_usd, saving_p95_usd : float
        Percentiles of the first alternative's cost less the second's.
    """

    names: tuple[str, ...]
    draws: int
    expected_usd: tuple[float, ...]
    probability_cheapest_share: tuple[float, ...]
    expected_regret_usd: tuple[float, ...]
    value_of_knowing_usd: float
    saving_p5_usd: float
    saving_p50_usd: float
    saving_p95_usd: float


def risk_record(outcome: Risk, buy: str) -> dict[str, Any]:
    """Return a risk in the form of the JSON output.

    Parameters
    ----------
    outcome : Risk
        Of two or more alternatives.
    buy : str
        The name of the owned one.
    """
    at = outcome.names.index(buy)
    return {
        "draws": outcome.draws,
        "probability_buy_cheaper_share": outcome.probability_cheapest_share[at],
        "expected_usd": dict(zip(outcome.names, outcome.expected_usd, strict=True)),
        "regret_usd": dict(zip(outcome.names, outcome.expected_regret_usd, strict=True)),
        "value_of_knowing_usd": outcome.value_of_knowing_usd,
        "saving_p5_usd": outcome.saving_p5_usd,
        "saving_p50_usd": outcome.saving_p50_usd,
        "saving_p95_usd": outcome.saving_p95_usd,
    }


def risk(
    names: Sequence[str],
    evaluate: Evaluate,
    inputs: Sequence[Uncertain],
    *,
    correlations: Correlations | None = None,
    draws: int = 20_000,
    seed: int = 0,
    chunk: int = 16_384,
) -> Risk:
    """Draw the uncertain numbers many times and look at the costs of all alternatives together.

    Memory does not grow with the number of draws: they are made, used and forgotten in chunks, and percentiles come
    from a fine histogram whose bins are set by the first chunk (exact to a ten-thousandth of its span).

    Parameters
    ----------
    names : sequence of str
        The alternatives, two or more.
    evaluate : callable
        From draws to the costs of all alternatives.
    inputs : sequence of Uncertain
        What is not known for sure.
    correlations : mapping, optional
        See `draw`.
    draws, seed, chunk : int
        How many, from which seed, and how many at once.
    """
    totals = _Totals(len(names))
    for size, rng in _chunks(draws, chunk, seed):
        totals.add(np.asarray(evaluate(draw(inputs, correlations or {}, size, rng))))
    return totals.risk(tuple(names))


def _chunks(draws: int, chunk: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """Yield sizes and generators; each chunk is seeded by its place, so the sum does not depend on who does it."""
    if draws < 2:
        raise PlanningError(f"a risk needs two draws or more, got {draws}")
    for place, start in enumerate(range(0, draws, chunk)):
        yield min(chunk, draws - start), np.random.Generator(np.random.SFC64([seed, place]))


class _Totals:
    """Sums over draws, of constant size."""

    BINS = 32_768

    def __init__(self, alternatives: int) -> None:
        self.count = 0
        self.origin = np.zeros(alternatives)
        self.sums = np.zeros(alternatives)
        self.cheapest = np.zeros(alternatives)
        self.best = 0.0
        self.edges = np.zeros(2)
        self.bins = np.zeros(self.BINS)

    def add(self, costs: FloatArray) -> None:
        """Take one chunk of costs, shape (alternatives, draws)."""
        saving = costs[0] - costs[1]
        if self.count == 0:
            self.origin = costs.mean(axis=1)
            low, high = float(saving.min()), float(saving.max())
            span = max(high - low, 1e-9 * max(abs(low), abs(high), 1.0))
            self.edges = np.array([low - span, high + span])
        best = costs.min(axis=0)
        ties = costs <= best
        self.count += costs.shape[1]
        self.cheapest += (ties / ties.sum(axis=0)).sum(axis=1)
        self.sums += (costs - self.origin[:, None]).sum(axis=1)
        self.best += float(best.sum())
        place = (saving - self.edges[0]) * (self.BINS / (self.edges[1] - self.edges[0]))
        self.bins += np.bincount(place.clip(0, self.BINS - 1).astype(np.intp), minlength=self.BINS)

    def risk(self, names: tuple[str, ...]) -> Risk:
        """Turn the sums into means, shares and percentiles."""
        mean = self.origin + self.sums / self.count
        regret = (mean - self.best / self.count).clip(min=0.0)
        p5, p50, p95 = (self._percentile(share) for share in (0.05, 0.5, 0.95))
        return Risk(
            names=names,
            draws=self.count,
            expected_usd=tuple(mean.tolist()),
            probability_cheapest_share=tuple((self.cheapest / self.count).tolist()),
            expected_regret_usd=tuple(regret.tolist()),
            value_of_knowing_usd=float(regret.min()),
            saving_p5_usd=p5,
            saving_p50_usd=p50,
            saving_p95_usd=p95,
        )

    def _percentile(self, share: float) -> float:
        edges = np.linspace(self.edges[0], self.edges[1], self.BINS + 1)
        below = np.concatenate([[0.0], np.cumsum(self.bins)])
        return float(np.interp(share * self.count, below, edges))
