"""Simulation: replicas that serve a stream of requests, and the times of every request.

A discrete-event simulation of continuous batching (Yu et al. 2022, Orca) with chunked prefill (Agrawal et al. 2024,
Sarathi-Serve): what Vidur (Agrawal et al. 2024) does with learned kernel times, with the product's own step times. It has no
chance in it: equal requests give equal times.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.traffic.lane import NEVER_S, Lane, Ledger
from planner.traffic.step_times import GRID_TOKENS, StepTimes

IntArray = NDArray[np.integer[Any]]
Routing = Literal["least_loaded", "round_robin"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """A stream of requests, in order of arrival; arrays of one length.

    Attributes
    ----------
    arrival_s : FloatArray
        From the start on.
    input_tokens, output_tokens : IntArray
        Prompt and answer, at least one token each.
    cached_tokens : IntArray
        Tokens of the prompt that a replica has read before.
    """

    arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    cached_tokens: IntArray

    @property
    def longest_tokens(self) -> int:
        """Tokens of the longest request, prompt and answer."""
        return int((self.input_tokens + self.output_tokens).max(initial=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the requests; arrays in their order, NaN where a request has no such time.

    Attributes
    ----------
    ttft_s, tpot_s, total_s : FloatArray
        Time to first token, mean time per further token (NaN for answers of one token), and to the last token.
    refused_count : int
        Requests that are longer than the cache of a replica.
    """

    ttft_s: FloatArray
    tpot_s: FloatArray
    total_s: FloatArray
    refused_count: int


def simulated(
    requests: Requests, times: StepTimes, replicas: int, *, routing: Routing = "least_loaded", ready_counts: IntArray | None = None
) -> Outcome:  # fmt: skip
    """Return the times of requests that come when they come, whatever the replicas do.

    Parameters
    ----------
    requests : Requests
        In order of arrival.
    times : StepTimes
        Of one replica.
    replicas : int
        Equal replicas.
    routing : str
        To the replica with the fewest requests, or to one after another.
    ready_counts : IntArray, optional
        How many of the replicas take each request; all without it. The others finish what they have.

    Examples
    --------
    >>> requests = Requests(
    ...     arrival_s=np.array([0.0, 0.5]), input_tokens=np.array([1, 1]), output_tokens=np.array([2, 1]), cached_tokens=np.array([0, 0])
    ... )
    >>> one = StepTimes(batch_s=[0.0, 1.0], prompt_s=[0.0, 256.0, 512.0], capacity_tokens=100.0, most_requests=1)
    >>> outcome = simulated(requests, one, 1)
    >>> outcome.ttft_s.tolist(), outcome.total_s.tolist()
    ([1.0, 2.5], [2.0, 2.5])
    """
    count = replicas * times.stage_count
    inputs, outputs, cached = requests.input_tokens, requests.output_tokens, requests.cached_tokens
    ledger = Ledger(inputs.tolist(), outputs.tolist(), cached.tolist(), lanes=count)
    lanes = [Lane(slot, times, ledger) for slot in range(count)]
    due_s, load = ledger.due_s, ledger.load
    is_least = routing == "least_loaded"
    counts = repeat(count) if ready_counts is None else (ready_counts * times.stage_count).tolist()
    earliest = NEVER_S
    for request, (at, ready) in enumerate(zip(requests.arrival_s.tolist(), counts, strict=False)):
        while earliest <= at:
            lanes[due_s.index(earliest)].advance()
            earliest = min(due_s)
        slot = load.index(min(load if ready == count else load[:ready])) if is_least else request % ready
        lanes[slot].put(request, at)
        earliest = min(earliest, due_s[slot])  # a request never puts off what a lane does next
    while (earliest := min(due_s)) < NEVER_S:
        lanes[due_s.index(earliest)].advance()
    return _outcome(requests, times, ledger)


def _outcome(requests: Requests, times: StepTimes, ledger: Ledger) -> Outcome:
    start_s = requests.arrival_s
    first_s, last_s = (np.where(np.isinf(each), np.nan, each) for each in (ledger.first_s, ledger.last_s))
    late_s: FloatArray | float = times.entry_s
    if times.late_s:
        fresh = requests.input_tokens - requests.cached_tokens
        late_s = late_s + np.interp(fresh, np.arange(len(times.late_s)) * float(GRID_TOKENS), times.late_s)
    outputs = requests.output_tokens.astype(float)
    return Outcome(
        ttft_s=np.asarray(first_s - start_s + late_s),
        tpot_s=np.asarray(np.where(outputs > 1, (last_s - first_s) / np.maximum(outputs - 1.0, 1.0), np.nan)),
        total_s=np.asarray(last_s - start_s + late_s),
        refused_count=len(ledger.refused),
    )
