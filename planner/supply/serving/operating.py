"""Operating points: what a fleet of replicas does at one load, and where a closed loop settles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.supply.evidence import band
from planner.supply.machines import OperatingPoint
from planner.supply.serving.candidates import BATCHES, Demand
from planner.supply.serving.replica_rates import Prospects


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Where a closed loop settles: replicas at work, requests in flight in each stage of one, and the rate of them all."""

    replica_count: int
    batch_count: float
    rate_per_s: float

    def begun_together(self, demand: Demand, prompts_s: float, stages: float) -> tuple[float, float]:
        """Return the wait for the first token, and the rate of one replica, of users who all begin at once, as in a benchmark.

        `prompts_s` is the time in which the prompts before one's own are read; whom the batch has no room for waits for an answer's end.
        """
        users, each = demand.user_count / self.replica_count, self.rate_per_s / self.replica_count
        if each <= 0.0:
            return prompts_s, each
        at_work = min(self.batch_count * stages, users)
        slower = at_work / (at_work / each + prompts_s)
        return prompts_s + (users - at_work) / slower, slower


def loop_of(prospects: Prospects, pick: int, demand: Demand, replicas: int) -> Loop:
    """Return where the demand's users, who ask again as soon as they are answered, bring so many replicas of a candidate.

    Nobody is turned away: what does not fit waits until the batch has room, so that the fullest batch is the most there is.
    Fewer requests than stages leave stages idle.
    """
    stages, most = float(prospects.reps.stages[pick]), float(prospects.grid.most_requests[pick])
    rates = prospects.grid.rate_per_s[pick]
    working = max(min(replicas, int(demand.user_count)), 1)
    if replicas < 1 or most < 1.0 / stages or not (rates > 0).all():
        return Loop(replica_count=working, batch_count=1.0, rate_per_s=0.0)
    each = demand.user_count / (working * stages)
    batch = min(max(each, 1.0), max(most, 1.0))
    rate = float(np.interp(batch, BATCHES, rates)) * working * min(each / batch, 1.0)
    return Loop(replica_count=working, batch_count=batch, rate_per_s=rate)


def operating_point(demand: Demand, requests_per_s: float, in_flight: float, sigma: float) -> OperatingPoint:
    """Return a state of a fleet from its rate and its requests in flight; `sigma` is the spread of its speed."""
    return OperatingPoint(
        requests_per_s=requests_per_s,
        output_tokens_per_s=band(requests_per_s * demand.output_tokens, sigma),
        concurrency=in_flight,
        kv_cache_tokens=in_flight * (demand.input_tokens + demand.output_tokens / 2.0),
    )
