"""Simulation: replicas that serve a stream of requests, and the times of every request.

A discrete-event simulation of continuous batching (Yu et al. 2022, Orca) with chunked prefill (Agrawal et al. 2024,
Sarathi-Serve): what Vidur (Agrawal et al. 2024) does with learned kernel times, with the product's own step times. It has no
chance in it: equal requests give equal times. A lane is one batch of one replica; between two of its events nothing changes but the
length of the contexts, so that all decode steps between them are one sum: a few operations for each request, not for each token.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import repeat
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.traffic.step_times import GRID_TOKENS, StepTimes

NEVER_S = math.inf
WATERMARK_SHARE = 0.01
"""Of the cache, kept for answers under way when another prompt is let in (vLLM's block manager keeps as much)."""


IntArray = NDArray[np.integer[Any]]
Routing = Literal["least_loaded", "round_robin"]


class Ledger:
    """The requests of a simulation and what became of them, in plain lists by request.

    Parameters
    ----------
    input_tokens, output_tokens, cached_tokens : list of int
        Prompt, answer, and the part of the prompt that is found in the prefix cache.
    lanes : int
        Number of lanes.
    """

    __slots__ = ("cached", "done", "due_s", "first_s", "inputs", "last_s", "left", "load", "prompt", "refused")

    def __init__(self, input_tokens: list[int], output_tokens: list[int], cached_tokens: list[int], lanes: int) -> None:
        self.inputs, self.cached = input_tokens, cached_tokens
        self.prompt, self.left = list(input_tokens), list(output_tokens)
        self.first_s, self.last_s = [NEVER_S] * len(self.prompt), [NEVER_S] * len(self.prompt)
        self.due_s, self.load = [NEVER_S] * lanes, [0] * lanes
        self.done: list[int] = []
        self.refused: list[int] = []


class Lane:
    """One batch: requests that wait, are read, and are answered token by token.

    Each step decodes one token of every running request and reads prompts with what is left of the step's tokens (chunked
    prefill), first come, first served. A request enters while the cache holds its prompt; when the cache is full, the
    youngest request is put back and read again later, as vLLM does.
    """

    __slots__ = ("at", "finishes", "first_s", "growth_s", "held", "ledger", "order", "plan", "read_to", "reading", "reserved", "slot", "step", "steps", "times", "waiting")  # fmt: skip

    def __init__(self, slot: int, times: StepTimes, ledger: Ledger) -> None:
        self.slot, self.times, self.ledger = slot, times, ledger
        self.at, self.step, self.steps = 0.0, 0, 0
        self.finishes: list[tuple[int, int]] = []
        self.order: dict[int, int] = {}
        self.waiting: deque[int] = deque()
        self.held = self.reserved = self.first_s = self.growth_s = 0.0
        self.reading, self.read_to = -1, 0
        self.plan: list[tuple[int, bool]] | None = None

    def put(self, request: int, now_s: float) -> None:
        """Take a request that arrives."""
        ledger, times = self.ledger, self.times
        if ledger.prompt[request] + ledger.left[request] + times.request_tokens > times.capacity_tokens:
            ledger.refused.append(request)
            return
        ledger.load[self.slot] += 1
        self.waiting.append(request)
        if self.plan is None and len(self.waiting) == 1:
            if not self.finishes:
                self.at = now_s
                self._plan()
            elif len(self.finishes) < times.most_requests:
                # The step under way ends first.
                self.steps = min(self.steps, self._steps_until(now_s - self.at))
                ledger.due_s[self.slot] = self.at + self._span_s(self.steps)

    def advance(self) -> None:
        """Do what is planned up to its end, and plan what comes next."""
        finishes, plan = self.finishes, self.plan
        self.at = now_s = self.ledger.due_s[self.slot]
        steps = self.steps if plan is None else 1
        self.step = step = self.step + steps
        self.held += len(finishes) * steps
        while finishes and finishes[0][0] <= step:
            self._leave(heappop(finishes)[1], now_s)
        if plan is not None:
            for request, is_read in plan:
                if is_read:
                    self._enter(request, now_s)
            self.plan = None
        self._plan()

    def _leave(self, request: int, now_s: float) -> None:
        ledger = self.ledger
        ledger.last_s[request] = now_s
        ledger.load[self.slot] -= 1
        ledger.done.append(request)
        self.held -= ledger.prompt[request] + ledger.left[request] + self.times.request_tokens
        del self.order[request]

    def _enter(self, request: int, now_s: float) -> None:
        """Start the answer of a request whose prompt is read: the same step yields its first token."""
        ledger, left = self.ledger, self.ledger.left[request]
        size = ledger.prompt[request] + self.times.request_tokens
        self.reserved -= size
        self.held += size + 1
        self.order[request] = self.step
        if ledger.first_s[request] == NEVER_S:
            ledger.first_s[request] = now_s
        if left <= 1:
            self._leave(request, now_s)
        else:
            heappush(self.finishes, (self.step + left - 1, request))

    def _plan(self) -> None:
        times, finishes = self.times, self.finishes
        count = len(finishes)
        # The time of the next decode step, and by how much each further one is longer.
        seen, self.growth_s = self.held - count * times.request_tokens, times.cached_s * count
        if times.window_share > 0.0 and seen > count * times.window_tokens:
            seen += times.window_share * (count * times.window_tokens - seen)
            self.growth_s *= 1.0 - times.window_share
        self.first_s = times.batch_s[count] + times.cached_s * seen
        if self.waiting or self.reading >= 0:
            self._plan_reading()
            if self.plan is not None:
                return
        if not finishes:
            self.ledger.due_s[self.slot] = NEVER_S
            return
        free = times.capacity_tokens - self.held - self.reserved
        if free < count and count > 1:
            self._put_back()
            self._plan()
            return
        steps = finishes[0][0] - self.step
        self.steps = steps if steps * count <= free else max(int(free // count), 1)
        self.ledger.due_s[self.slot] = self.at + self._span_s(self.steps)

    def _plan_reading(self) -> None:
        """Plan a step that reads as many waiting prompts as its tokens and the cache allow; none where neither does."""
        times, ledger, waiting, grid = self.times, self.ledger, self.waiting, self.times.prompt_s
        count, capacity, reading = len(self.finishes), times.capacity_tokens, self.reading
        budget, seats = max(times.chunk_tokens - count, 1), times.most_requests - count
        free = capacity - self.held - self.reserved - count - (WATERMARK_SHARE * capacity if count else 0.0)
        plan: list[tuple[int, bool]] = []
        read_s = 0.0
        while budget > 0 and seats > 0:
            if reading < 0:
                if not waiting:
                    break
                size = ledger.prompt[waiting[0]] + times.request_tokens
                if size > free:
                    break
                free -= size
                self.reserved += size
                reading = waiting.popleft()
                self.read_to = min(ledger.cached[reading], ledger.prompt[reading] - 1)
            request, start, end = reading, self.read_to, ledger.prompt[reading]
            is_read = end - start <= budget
            if is_read:
                reading = -1
            else:
                end = self.read_to = start + budget
            budget -= end - start
            seats -= 1
            # A chunk has collectives of its own, whose start-up the grid has at 0.
            read_s += _at(grid, end) - (_at(grid, start) if start else grid[0]) + grid[0]
            plan.append((request, is_read))
        self.reading = reading
        if plan:
            self.plan = plan
            ledger.due_s[self.slot] = self.at + self.first_s + read_s + times.mixed_s

    def _span_s(self, steps: int) -> float:
        return steps * (self.first_s + self.growth_s * (steps - 1) / 2.0)

    def _steps_until(self, wait_s: float) -> int:
        """Return how many whole steps it takes until `wait_s` has passed, at least one."""
        half = self.growth_s / 2.0
        linear = self.first_s - half
        if half * wait_s < 1e-9 * linear * linear:
            steps = wait_s / linear if linear > 0 else 1.0
        else:
            steps = (math.sqrt(linear * linear + 4.0 * half * wait_s) - linear) / (2.0 * half)
        return max(1, math.ceil(steps - 1e-9))

    def _put_back(self) -> None:
        """Put the youngest running request back in front of the queue: its answer so far is read again with its prompt."""
        ledger = self.ledger
        place = max(range(len(self.finishes)), key=lambda index: self.order[self.finishes[index][1]])
        finish, request = self.finishes[place]
        del self.finishes[place]
        self.finishes.sort()
        remaining = finish - self.step
        written = ledger.left[request] - remaining
        self.held -= ledger.prompt[request] + written + self.times.request_tokens
        ledger.prompt[request] += written
        ledger.left[request] = remaining
        del self.order[request]
        self.waiting.appendleft(request)


def _at(grid: Sequence[float], tokens: int) -> float:
    """Return what so many tokens of a prompt take, between the points of a grid."""
    place, rest = divmod(tokens, GRID_TOKENS)
    return grid[place] + (grid[place + 1] - grid[place]) * rest / GRID_TOKENS


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
