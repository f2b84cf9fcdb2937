"""The summary of a request log: lengths, rates, bursts, the week, gaps, and the `serve` section that plans it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.traffic.request_log import LogFault, RequestLog

IntArray = NDArray[np.integer[Any]]

MINUTE_S, HOUR_S, DAY_S, WEEK_HOURS = 60.0, 3600.0, 86_400.0, 168
SHORTEST_GAP_S = 60.0
GAP_RATIO = 20.0
"""A pause of so many mean pauses, and of a minute at least, is a gap in the log."""
MOST_GAPS = 5
LEAST_PAUSES = 100
"""Of fewer requests the pauses do not tell how they come."""
MOST_ARRIVAL_CV = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthSummary:
    """Lengths over the requests."""

    mean_tokens: float
    cv_ratio: float
    p10_tokens: float
    p50_tokens: float
    p90_tokens: float
    p95_tokens: float
    p99_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A pause; `start_s` counts from the first request."""

    start_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSummary:
    """What a log says of its traffic.

    Attributes
    ----------
    request_count, row_count : int
        Requests that were answered, and rows of the files.
    first_request : str
        When it came, in `zone`; empty where the log has no date.
    duration_hours : float
        From the first request to the last.
    requests_per_s : float
        Mean.
    peak_minute_ratio, peak_hour_ratio, trough_hour_ratio : float
        Busiest whole minute and hour, and quietest hour, over the mean of the whole log; NaN where it is shorter than two of them.
    interarrival_cv_ratio : float
        Standard deviation over mean of the time between requests within the busiest hour; 1 is a Poisson stream.
    prefix_reuse_share : float or None
        Tokens of the prompts that were read before; None where the log does not say.
    length_correlation_ratio : float
        Between prompt and answer.
    hourly_ratio : tuple of float
        Each hour of the day (24), or of a week from Monday on (168) where the log holds one, over the mean.
    gaps : tuple of Gap
        The longest pauses.
    gap_share : float
        Share of the time that is gaps.
    faults : tuple of LogFault
        What was left out.
    """

    request_count: int
    row_count: int
    first_request: str
    zone: str
    duration_hours: float
    requests_per_s: float
    input_tokens: LengthSummary
    output_tokens: LengthSummary
    peak_minute_ratio: float
    peak_hour_ratio: float
    trough_hour_ratio: float
    interarrival_cv_ratio: float
    prefix_reuse_share: float | None
    length_correlation_ratio: float
    hourly_ratio: tuple[float, ...]
    gaps: tuple[Gap, ...]
    gap_share: float
    faults: tuple[LogFault, ...]


def summarized(log: RequestLog) -> TrafficSummary:
    """Return what a log says of its traffic."""
    requests = log.requests
    at, inputs, outputs = requests.arrival_s, requests.input_tokens, requests.output_tokens
    duration_s = max(float(at[-1]), 1.0)
    rate = len(at) / duration_s
    peak_minute, _ = _extremes(at, MINUTE_S, rate)
    peak_hour, trough_hour = _extremes(at, HOUR_S, rate)
    busiest = at[slice(*busiest_window(at, HOUR_S))]
    gaps = _gaps(at, rate)
    reuse = float(requests.cached_tokens.sum() / inputs.sum()) if log.has_reuse else None
    varies = len(at) > 1 and float(inputs.std()) > 0 and float(outputs.std()) > 0
    return TrafficSummary(
        request_count=len(at), row_count=log.row_count, first_request=_when(log.first_s, log.zone), zone=log.zone,
        duration_hours=duration_s / HOUR_S, requests_per_s=rate, input_tokens=_lengths(inputs), output_tokens=_lengths(outputs),
        peak_minute_ratio=peak_minute, peak_hour_ratio=peak_hour, trough_hour_ratio=trough_hour,
        interarrival_cv_ratio=_variation(np.diff(busiest)), prefix_reuse_share=reuse,
        length_correlation_ratio=float(np.corrcoef(inputs, outputs)[0, 1]) if varies else 0.0,
        hourly_ratio=_hours(at, log, duration_s), gaps=tuple(gaps[:MOST_GAPS]),
        gap_share=sum(gap.duration_s for gap in gaps) / duration_s, faults=log.faults,
    )  # fmt: skip


def serve_section(summary: TrafficSummary) -> dict[str, object]:
    """Return the section of a workload that plans the traffic of a log."""
    peak = summary.requests_per_s * (1.0 if math.isnan(summary.peak_hour_ratio) else summary.peak_hour_ratio)
    section: dict[str, object] = {"requests_per_s": _short(summary.requests_per_s)}
    if peak > 1.001 * summary.requests_per_s:
        section["peak_requests_per_s"] = _short(peak)
    for name, lengths in (("input_tokens", summary.input_tokens), ("output_tokens", summary.output_tokens)):
        section[name] = {"mean": _short(lengths.mean_tokens), "cv": _short(lengths.cv_ratio)}
    if summary.request_count > LEAST_PAUSES:
        section["arrival_cv"] = _short(min(summary.interarrival_cv_ratio, MOST_ARRIVAL_CV))
    if summary.prefix_reuse_share:
        section["prefix_cache_hit_share"] = _short(min(summary.prefix_reuse_share, 0.99))
    return section


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def busiest_window(arrival_s: FloatArray, width_s: float) -> tuple[int, int]:
    """Return the first and one past the last request of the busiest stretch of a width, wherever it begins.

    Examples
    --------
    >>> busiest_window(np.array([0.0, 5.0, 6.0, 7.0, 20.0]), 3.0)
    (1, 4)
    """
    ends = np.searchsorted(arrival_s, arrival_s + width_s)
    first = int(np.argmax(ends - np.arange(len(arrival_s))))
    return first, int(ends[first])


def _lengths(tokens: IntArray) -> LengthSummary:
    p10, p50, p90, p95, p99 = (float(each) for each in np.percentile(tokens, (10, 50, 90, 95, 99)))
    return LengthSummary(
        mean_tokens=float(tokens.mean()), cv_ratio=_variation(tokens), p10_tokens=p10, p50_tokens=p50, p90_tokens=p90,
        p95_tokens=p95, p99_tokens=p99,
    )  # fmt: skip


def _variation(values: FloatArray | IntArray) -> float:
    return float(values.std() / values.mean()) if len(values) > 1 and values.mean() > 0 else 0.0


def _extremes(arrival_s: FloatArray, width_s: float, rate: float) -> tuple[float, float]:
    """Return the busiest and the quietest whole window over the mean; NaN where there are fewer than two."""
    windows = int(arrival_s[-1] // width_s)
    if windows < 2:
        return math.nan, math.nan
    counts = np.bincount((arrival_s // width_s).astype(np.int64), minlength=windows)[:windows]
    return float(counts.max() / (rate * width_s)), float(counts.min() / (rate * width_s))


def _gaps(arrival_s: FloatArray, rate: float) -> list[Gap]:
    """Return the pauses, the longest first."""
    pauses = np.diff(arrival_s)
    places = np.flatnonzero(pauses > max(SHORTEST_GAP_S, GAP_RATIO / rate))
    gaps = [Gap(start_s=float(arrival_s[place]), duration_s=float(pauses[place])) for place in places]
    return sorted(gaps, key=lambda gap: -gap.duration_s)


def _hours(arrival_s: FloatArray, log: RequestLog, duration_s: float) -> tuple[float, ...]:
    """Return each hour's rate over the mean, by local hours where the log has a date."""
    if duration_s < DAY_S:
        return ()
    width = WEEK_HOURS if duration_s >= 7 * DAY_S else 24
    if math.isnan(log.first_s):
        begin_hours = 0.0
    else:
        # One offset for the whole log: a change of the clock within it moves what lies after it by an hour.
        start = datetime.fromtimestamp(log.first_s, ZoneInfo(log.zone))
        begin_hours = start.weekday() * 24 + start.hour + start.minute / 60 + start.second / HOUR_S
    # From the first full hour on.
    begin = math.ceil(begin_hours)
    skipped_s = (begin - begin_hours) * HOUR_S
    hours = int((duration_s - skipped_s) // HOUR_S)
    counts = np.diff(np.searchsorted(arrival_s, skipped_s + np.arange(hours + 1) * HOUR_S))
    slots = (np.arange(hours) + begin) % width
    sums, seen = np.bincount(slots, counts, width), np.bincount(slots, minlength=width)
    rates = sums / np.maximum(seen, 1)
    return tuple(float(each) for each in rates / max(rates.mean(), 1e-12))


def _when(first_s: float, zone: str) -> str:
    if math.isnan(first_s):
        return ""
    return datetime.fromtimestamp(first_s, ZoneInfo(zone)).isoformat(timespec="seconds")
