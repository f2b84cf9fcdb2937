"""Confirmation: a fleet that the formulas have sized, simulated at its busiest rate with requests as they vary."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.requirements import peak_requests_per_s
from planner.demand.sections import mean_tokens
from planner.demand.service import Traffic, traffic_kind
from planner.demand.workload import Serve
from planner.supply.calibration import Calibration
from planner.supply.machines import Fleet
from planner.supply.serving.tails import arrival_ratio_of
from planner.traffic.percentiles import Limits, Service, fewest_replicas, service_of
from planner.traffic.simulation import Outcome, Requests, simulated
from planner.traffic.step_times import StepTimes, times_of_layout
from planner.traffic.streams import drawn_requests

LEAST_REQUESTS, MOST_REQUESTS = 2_000, 6_000
ANSWER_TIMES = 12.0
"""The stream lasts as long as so many answers, so that the replicas fill and then stay full."""
FILLING_SHARE = 0.2
"""The first part of the stream, while the replicas fill, is left out."""
MOST_REPLICAS = 16
"""Of a larger fleet so many replicas are simulated, with their part of the requests."""
STRICTEST_PERCENTILE = 99.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What the simulation says of a fleet.

    Attributes
    ----------
    service : Service
        Times of the requests at the busiest rate, with the spares lost.
    limits : Limits
        What they were held to.
    replica_count : int
        Replicas of the fleet without its spares.
    needed_count, strictest_count : int or None
        Replicas that hold the limits at their percentile, and for 99 % of the requests; None where up to twice as many do not, or
        where it was not searched.
    """

    service: Service
    limits: Limits
    replica_count: int
    needed_count: int | None
    strictest_count: int | None


def limits_of(work: Serve) -> Limits:
    """Return what the requests of a service, whose limits are filled in, may wait."""
    held = work.limit_percentile
    return Limits(
        ttft_ms=work.ttft_limit_ms or math.inf, tpot_ms=work.tpot_limit_ms or math.inf,
        total_ms=work.total_limit_ms or math.inf, percentile=None if held == "mean" else held,
    )  # fmt: skip


def confirmed(
    work: Serve, fleet: Fleet, arch: Architecture, assumptions: Assumptions, calibration: Calibration, *, is_searched: bool = True
) -> Confirmed | None:  # fmt: skip
    """Return how a fleet serves requests that vary; None where the plan tells no speed.

    Parameters
    ----------
    work : Serve
        With its defaults filled in.
    fleet : Fleet
        As sized.
    is_searched : bool
        Whether to look for the replicas that hold the limits where these do not.
    """
    speed, layout = fleet.performance, fleet.layout
    if speed.ttft_ms is None or speed.tpot_ms is None:
        return None
    replicas = max(layout.data, 1)
    part = min(replicas, MOST_REPLICAS)
    requests = _stream(work, fleet, arch, assumptions, share=part / replicas)
    times = times_of_layout(
        fleet.machine, layout, arch, assumptions, calibration, longest_tokens=requests.longest_tokens,
        typical_tokens=float((requests.input_tokens + requests.output_tokens / 2.0).mean()), drafted_tokens=work.drafted_tokens,
        image_tokens=work.image_tokens,
    )  # fmt: skip
    limits = limits_of(work)

    def outcome_of(count: int) -> Outcome:
        return _simulated(requests, times, count)

    outcome = outcome_of(part)
    skipped = round(FILLING_SHARE * len(requests.arrival_s))
    strict = replace(limits, percentile=STRICTEST_PERCENTILE)
    needed, strictest = (
        replicas
        if service_of(outcome, each, skipped_count=skipped).holds
        else _more(requests, times, each, (part, replicas), skipped, outcome_of)
        if is_searched
        else None
        for each in (limits, strict)
    )
    return Confirmed(
        service=service_of(outcome, limits, skipped_count=skipped), limits=limits, replica_count=replicas, needed_count=needed,
        strictest_count=strictest,
    )  # fmt: skip


_drawn = lru_cache(maxsize=8)(drawn_requests)
_simulated = lru_cache(maxsize=16)(simulated)
"""Fleets of one layout have the same replicas, on however many machines; and the one that is shown has been simulated before."""


def _stream(work: Serve, fleet: Fleet, arch: Architecture, assumptions: Assumptions, *, share: float) -> Requests:
    """Return requests at the busiest rate, of a part of the fleet."""
    speed, kind = fleet.performance, traffic_kind(work.traffic or Traffic.CHAT)
    assert speed.ttft_ms is not None
    assert speed.tpot_ms is not None
    rate = peak_requests_per_s(work) * share
    answer_s = (speed.ttft_ms.typical + mean_tokens(work.output_tokens) * speed.tpot_ms.typical) / 1e3
    count = min(max(round(ANSWER_TIMES * answer_s * rate), LEAST_REQUESTS), MOST_REQUESTS)
    return _drawn(
        work.prompt_tokens, work.output_tokens, rate_per_s=rate, count=count,
        arrival_cv=math.sqrt(arrival_ratio_of(work, assumptions)),
        length_cv=(kind.input_tokens.cv or 0.0, kind.output_tokens.cv or 0.0), cached_share=work.prefix_cache_hit_share,
        longest_tokens=arch.max_context_tokens or None,
    )  # fmt: skip


def _more(
    requests: Requests, times: StepTimes, limits: Limits, sizes: tuple[int, int], skipped: int, outcome_of: Callable[[int], Outcome],
) -> int | None:  # fmt: skip
    """Return how many replicas hold the limits, of up to twice as many."""
    part, replicas = sizes
    count = fewest_replicas(
        requests, times, limits, most=2 * part, least=part + 1, skipped_count=skipped, outcome_of=outcome_of
    )
    return None if count is None else math.ceil(count * replicas / part)
