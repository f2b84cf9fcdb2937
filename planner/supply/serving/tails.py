"""Tails: what requests wait at a percentile, from the mean times of a replica and from how requests vary.

The batch of a replica is a queue with many servers, whose number of requests is Poisson distributed, and wider where more of them
make each slower; the prompts that are read between an answer's tokens are a compound Poisson sum, stretched by the prompts that
come meanwhile; the wait for prompts before one's own is Pollaczek and Khinchine's. Times per token are taken as normal, those to
the first token as log-normal. How far the simulation of `planner.traffic` differs is told in docs/traffic.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.sections import mean_tokens, tokens_at, variation
from planner.demand.service import Traffic, traffic_kind
from planner.demand.workload import Serve

ANSWER_AVERAGE_SHARE = 0.75
"""Variance of the batch that is left in a mean over one answer: 2 (x - 1 + e^-x) / x^2 at an answer of mean length, x = 1."""
PROMPTS_LEFT_SHARE = 0.6
"""Variance of a replica's prompts that is left where a router evens them out among many (fitted to the simulation)."""
MOST_BUSY_SHARE = 0.95
"""Of a replica's time that prompts may take before the queue is said to grow without end."""
MOST_ELASTICITY = 0.9
TTFT_MARGIN_RATIO, TPOT_MARGIN_RATIO = 1.05, 1.02
"""What late times are taken longer by, so that the simulation confirms what the formula sizes (docs/traffic.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How requests vary, and at which percentile limits hold.

    Attributes
    ----------
    input_cv, output_cv : float
        Standard deviation over mean of prompts and of answers.
    arrival_ratio : float
        Squared standard deviation over squared mean of the time between requests.
    score : float
        Of the standard normal distribution at the percentile; 0 where limits hold the mean.
    late_answer_ratio : float
        Tokens of an answer at the percentile, over the mean.
    """

    input_cv: float
    output_cv: float
    arrival_ratio: float
    score: float
    late_answer_ratio: float = 1.0


STEADY = Spread(input_cv=0.0, output_cv=0.0, arrival_ratio=1.0, score=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateTimes:
    """Times at the percentile, by candidates and batch sizes.

    Attributes
    ----------
    ttft_s, tpot_s, total_s : FloatArray
        To the first token, per further token, and to the last.
    """

    ttft_s: FloatArray
    tpot_s: FloatArray
    total_s: FloatArray


def spread_of(work: Serve, assumptions: Assumptions) -> Spread:
    """Return how the requests of a service vary; plain lengths vary as its kind of traffic does, or as chats do."""
    kind = traffic_kind(work.traffic or Traffic.CHAT)
    cvs = [
        default.cv or 0.0 if (stated := variation(lengths)) is None else stated
        for lengths, default in ((work.prompt_tokens, kind.input_tokens), (work.output_tokens, kind.output_tokens))
    ]
    held = work.limit_percentile
    score = 0.0 if held == "mean" else NormalDist().inv_cdf(held / 100.0)
    late = float(tokens_at(work.output_tokens, np.array([score]), default_cv=cvs[1])[0]) / mean_tokens(
        work.output_tokens
    )
    return Spread(
        input_cv=cvs[0], output_cv=cvs[1], arrival_ratio=arrival_ratio_of(work, assumptions), score=score,
        late_answer_ratio=1.0 if held == "mean" else late,
    )  # fmt: skip


def arrival_ratio_of(work: Serve, assumptions: Assumptions) -> float:
    """Return the squared variation of the time between requests: the stated one, else the assumed."""
    return assumptions["perf.arrival_variation_ratio"] if work.arrival_cv is None else work.arrival_cv**2


def prompt_wait_s(prefill_s: FloatArray | float, busy_share: FloatArray | float, spread: Spread) -> FloatArray:
    """Return the mean wait for the prompts before one's own: ``t u / (1 - u) (ca^2 + cs^2) / 2`` (Kingman 1961).

    Parameters
    ----------
    prefill_s : FloatArray or float
        Time that one prompt takes of a replica.
    busy_share : FloatArray or float
        Of the replica's time that prompts take: not its load, since answers are not queued for.

    Examples
    --------
    >>> float(prompt_wait_s(0.1, 0.5, STEADY))
    0.05
    """
    busy = np.minimum(busy_share, MOST_BUSY_SHARE)
    return np.asarray(prefill_s * busy / (1.0 - busy) * (spread.arrival_ratio + spread.input_cv**2) / 2.0, dtype=float)


def cached_tokens_under_way(spread: Spread, input_tokens: float, output_tokens: float) -> tuple[float, float]:
    """Return the mean and the standard deviation of the tokens that a request under way has in the cache.

    A long answer is met under way more often than a short one, anywhere between its first token and its last; log-normal answers
    have the third moment ``(1 + cv^2)^3``.

    Examples
    --------
    >>> [round(tokens, 1) for tokens in cached_tokens_under_way(STEADY, 1000, 600)]
    [1300.0, 173.2]
    """
    met = 1.0 + spread.output_cv**2
    answer_var = output_tokens**2 * (met**3 / 3.0 - met**2 / 4.0)
    return input_tokens + output_tokens * met / 2.0, math.sqrt((input_tokens * spread.input_cv) ** 2 + answer_var)


def most_under_way(
    budget: FloatArray, prompt: FloatArray, each: FloatArray, deviation: FloatArray, spread: Spread, *, replicas: float
) -> FloatArray:
    """Return the mean number of requests under way at which the prompt of the next one finds room at the percentile.

    The caches of those under way are a compound Poisson sum. Among many replicas the next request goes to the one with the fewest,
    half a request below the mean.

    Parameters
    ----------
    budget : FloatArray
        Bytes for the caches.
    prompt, each, deviation : FloatArray
        Bytes of a prompt; mean and standard deviation of those of a request under way.
    replicas : float
        Replicas among which a router evens out the numbers, not the lengths.

    Examples
    --------
    >>> late = Spread(input_cv=0.0, output_cv=0.0, arrival_ratio=1.0, score=2.0)
    >>> sizes = [np.array([size]) for size in (16.0, 1.0, 1.0, 0.0)]
    >>> [round(float(most_under_way(*sizes, late, replicas=many)[0]), 6) for many in (1.0, math.inf)]
    [9.0, 15.5]
    """
    numbers_var = (1.0 + spread.arrival_ratio) / 2.0 / replicas
    width = spread.score * np.sqrt(deviation**2 + each**2 * numbers_var)
    root = (np.sqrt(width**2 + 4.0 * each * np.maximum(budget - prompt, 0.0)) - width) / (2.0 * each)
    return np.asarray(root**2 + (1.0 - 1.0 / replicas) / 2.0, dtype=float)


@np.errstate(invalid="ignore", over="ignore")  # of a candidate that does not fit, which is left out later
def late_times(  # noqa: PLR0913 - a formula takes the inputs that it has
    spread: Spread, batch: FloatArray, *, tpot_s: FloatArray, prefill_s: FloatArray, unloaded_s: FloatArray, step_s: FloatArray,
    rate_per_s: FloatArray, output_tokens: float, replicas: float,
) -> LateTimes:  # fmt: skip
    """Return times at the percentile, shape (candidates, batches).

    Parameters
    ----------
    batch : FloatArray
        Requests that are decoded together.
    tpot_s, step_s : FloatArray
        Mean time per token, and of a decode step.
    prefill_s : FloatArray
        Time that one prompt of mean length takes.
    unloaded_s : FloatArray
        Time to first token without a wait for others' prompts.
    rate_per_s : FloatArray
        Requests per second that hold this batch, of one batch.
    output_tokens : float
        Tokens of an answer, mean.
    replicas : float
        Replicas among which a router evens out the batches.
    """
    lone = 1.0 + 1.0 / replicas
    second_moment = 1.0 + spread.input_cv**2
    busy = np.minimum(rate_per_s * prefill_s, MOST_BUSY_SHARE)
    wait_s = prompt_wait_s(prefill_s, busy, spread) * lone
    mean_s = np.where(np.isfinite(unloaded_s), unloaded_s + wait_s, np.inf)
    # How long answers are outweighs how fast each is written.
    total_s = mean_s + (output_tokens * spread.late_answer_ratio - 1.0) * tpot_s
    if not spread.score:
        return LateTimes(ttft_s=mean_s, tpot_s=tpot_s, total_s=total_s)
    arrivals = (1.0 + spread.arrival_ratio) / 2.0
    # Without prompts in between a token takes this; the more requests, the longer.
    own_s = tpot_s - batch * prefill_s / output_tokens
    growth_s = np.gradient(own_s, np.ravel(batch), axis=1) / (1.0 - busy)
    elasticity = np.clip(batch * growth_s / tpot_s, 0.0, MOST_ELASTICITY)
    batch_var = batch / (1.0 - elasticity) * growth_s**2 * second_moment * ANSWER_AVERAGE_SHARE / replicas
    # The mean of 1 / tokens over log-normal answers is (1 + cv^2) / mean.
    prompt_var = tpot_s * rate_per_s * prefill_s**2 * second_moment / (1.0 - busy) ** 2 / output_tokens * (1.0 + spread.output_cv**2)  # fmt: skip
    prompt_var = prompt_var * (PROMPTS_LEFT_SHARE + (1.0 - PROMPTS_LEFT_SHARE) / replicas)
    late_tpot_s = tpot_s + spread.score * np.sqrt((batch_var + prompt_var) * arrivals * lone)
    # Third moment of log-normal prompts: (1 + cv^2)^3.
    wait_var = (wait_s**2 + rate_per_s * prefill_s**3 * second_moment**3 / (3.0 * (1.0 - busy)) * arrivals) * lone
    relative = ((prefill_s * spread.input_cv) ** 2 + wait_var + step_s**2 / 4.0) / mean_s**2
    width = np.sqrt(np.log1p(relative))
    late_ttft_s = mean_s * np.exp(spread.score * width - width**2 / 2.0)
    # Where a mean has no end, no percentile has.
    late_ttft_s, late_tpot_s, total_s = (
        np.where(np.isfinite(times), times, np.inf) for times in (late_ttft_s, late_tpot_s, total_s)
    )
    return LateTimes(
        ttft_s=late_ttft_s * TTFT_MARGIN_RATIO,
        tpot_s=late_tpot_s * TPOT_MARGIN_RATIO,
        total_s=total_s * TPOT_MARGIN_RATIO,
    )
